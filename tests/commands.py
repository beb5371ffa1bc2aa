"""The scripts, run as a user types them: each in a process of its own."""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(script, flags, **paths):
    text = flags.format(**{name: shlex.quote(str(path)) for name, path in paths.items()})
    return [sys.executable, str(ROOT / "bin" / script), *shlex.split(text)]


def run(script, flags, **paths):
    return subprocess.run(
        command(script, flags, **paths), capture_output=True, text=True, cwd="/", timeout=300
    )
