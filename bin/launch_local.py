"""Trains with several processes of this machine: bin/train.py --strategy=multi_worker in each.

bin/launch_local.py --workers=2 --restarts=3 --dataset=digits --run_dir=runs/x --steps=2000

All other flags are those of bin/train.py. When a worker is killed, all are started again.
"""

import sys
from pathlib import Path

from absl import app, flags

from tfgans.training import local_cluster

FLAGS = flags.FLAGS
flags.DEFINE_integer("workers", 2, "processes", lower_bound=1)
flags.DEFINE_integer("restarts", 0, "how often all start again after one was lost", lower_bound=0)


def main(arguments: list[str]) -> None:
    """Starts the workers and exits with their code."""
    train = Path(__file__).with_name("train.py")
    command = [sys.executable, str(train), *arguments[1:], "--strategy=multi_worker"]
    code = local_cluster.launch(
        command,
        num_workers=FLAGS.workers,
        restarts=FLAGS.restarts,
        when_restarted=["--resume"],
    )
    sys.exit(code)


def _parse(arguments: list[str]) -> list[str]:
    try:
        return FLAGS(arguments, known_only=True)
    except flags.Error as error:
        sys.stderr.write(f"{Path(sys.argv[0]).name}: error: {' '.join(str(error).split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    app.run(main, flags_parser=_parse)
