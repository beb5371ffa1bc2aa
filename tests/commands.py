"""The commands: in this process, or as command lines for processes of their own."""

import contextlib
import io
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

from tfgans.cli import main

ROOT = Path(__file__).parents[1]


def words(flags, paths):
    return shlex.split(
        flags.format(**{name: shlex.quote(str(path)) for name, path in paths.items()})
    )


def command(name, flags, **paths):
    """The command line that starts a command in a new process."""
    return [sys.executable, "-m", "tfgans", Path(name).stem, *words(flags, paths)]


def run(name, flags, **paths):
    """Runs a command in this process; warnings are shown as in a new process."""
    out, err = io.StringIO(), io.StringIO()
    arguments = [Path(name).stem, *words(flags, paths)]
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.resetwarnings()
        for ignored in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", ignored)
        code = main.main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())
