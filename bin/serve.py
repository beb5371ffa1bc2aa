"""Serves an exported generator over HTTP, for development: TF Serving's REST API, and a page.

bin/serve.py --model_dir=exported/digits --ui
"""

import gc
import logging
import socket
from pathlib import Path

import cli

from absl import flags
from aiohttp import web

from tfgans.serving.served_model import ModelFolder
from tfgans.serving.server import Limits, Server

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
    "max_body_mb", LIMITS.body_bytes / 2**20, "MiB of a request", lower_bound=1 / 1024
)
flags.DEFINE_float("poll_seconds", 1.0, "how often new versions are looked for", lower_bound=0.01)


def main() -> None:
    """Serves until Ctrl-C or SIGTERM, and then ends the requests that run."""
    # In place of absl's handler, whose lines begin with process and thread.
    logging.basicConfig(format="serve.py: %(message)s", level=logging.WARNING, force=True)
    path = Path(FLAGS.model_dir)
    name = FLAGS.name or path.resolve().name
    limits = Limits(int(FLAGS.max_body_mb * 2**20), FLAGS.max_rows, FLAGS.max_waiting_rows)
    folder = ModelFolder(path)
    server = Server(folder, name=name, limits=limits, poll_seconds=FLAGS.poll_seconds, ui=FLAGS.ui)
    with _listening() as listening:
        host, port = listening.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        print(f"serving {name} version {folder.current.version} at http://{host}:{port}/")
        print(f"  curl http://{host}:{port}/v1/models/{name}", flush=True)
        gc.freeze()  # What is loaded by now stays: collections need not look at it.
        web.run_app(server.application(), sock=listening, print=None, access_log=None)


def _listening() -> socket.socket:
    try:
        return socket.create_server(
            (FLAGS.host, FLAGS.port),
            family=socket.AF_INET6 if ":" in FLAGS.host else socket.AF_INET,
        )
    except OSError as error:
        raise OSError(
            f"cannot listen on {FLAGS.host}:{FLAGS.port}: {error}. Choose another --port or --host"
        ) from error


if __name__ == "__main__":
    cli.run(main)
