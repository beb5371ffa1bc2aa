"""Serves an exported generator over HTTP, for development: TF Serving's REST API, and a page.

bin/serve.py --model_dir=exported/digits --ui
"""

import logging
import math
from pathlib import Path

import cli

from absl import flags

try:
    from tfgans.serving.server import http
    from tfgans.serving.server.served_model import ModelFolder
    from tfgans.serving.server.server import Limits, Server
except ImportError as error:
    cli.fail(f"{error}. The server needs more packages: pip install -e '.[serving]'")

FLAGS = flags.FLAGS
LIMITS = Limits()
flags.DEFINE_string("model_dir", None, "folder of versions, say exported/digits", required=True)
flags.DEFINE_string("name", None, "of the model in the addresses; default: that of the folder")
flags.DEFINE_string("host", "127.0.0.1", "address to listen on: who reaches it may use the model")
flags.DEFINE_integer("port", 8501, "0: any free one", lower_bound=0, upper_bound=65535)
flags.DEFINE_bool("ui", False, "serve a page to look at the samples")
flags.DEFINE_integer("max_rows", LIMITS.rows, "of a request and of a batch", lower_bound=1)
flags.DEFINE_integer(
    "max_waiting_rows", LIMITS.waiting_rows, "rows that may wait; more: 503", lower_bound=1
)
flags.DEFINE_float(
    "max_body_mb", LIMITS.body_bytes / 2**20, "MiB of a request", 1 / 1024, upper_bound=4096
)
flags.DEFINE_float("poll_seconds", 1.0, "how often new versions are looked for", 0.01, 86400)


def main() -> None:
    """Serves until Ctrl-C or SIGTERM, and then ends the requests that run."""
    # In place of absl's handler, whose lines begin with process and thread.
    logging.basicConfig(format="serve.py: %(message)s", level=logging.WARNING, force=True)
    if not math.isfinite(FLAGS.max_body_mb):
        raise ValueError(f"--max_body_mb must be a number. Received: {FLAGS.max_body_mb}")
    path = Path(FLAGS.model_dir)
    name = FLAGS.name or path.resolve().name
    limits = Limits(int(FLAGS.max_body_mb * 2**20), FLAGS.max_rows, FLAGS.max_waiting_rows)
    folder = ModelFolder(path)
    server = Server(
        folder,
        name=name,
        limits=limits,
        poll_seconds=FLAGS.poll_seconds,
        ui=FLAGS.ui,
        local=http.is_loopback(FLAGS.host),
    )
    with http.listen(FLAGS.host, FLAGS.port) as listening:
        host, port = listening.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        print(f"serving {name} version {folder.current.version} at http://{host}:{port}/")
        print(f"  curl http://{host}:{port}/v1/models/{name}", flush=True)
        http.run(server.application(), listening)


if __name__ == "__main__":
    cli.run(main)
