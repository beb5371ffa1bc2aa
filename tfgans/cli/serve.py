"""`tfgans serve`: serves an exported generator over HTTP, for development."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path

from tfgans.cli.command import Command, Exit
from tfgans.cli.parser import Parser

MAX_ROWS, MAX_WAITING_ROWS, MAX_BODY_MB = 1024, 16384, 8.0


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Model")
    group.path("model_dir", None, "folder of the model's versions (required)", value="FOLDER")
    group.string("name", None, "name of the model in addresses; default: that of the folder")
    group.number(
        "poll_seconds", 1.0, "time between looks for new versions", at_least=0.01, at_most=86400
    )
    group = parser.group("Server")
    group.string("host", "127.0.0.1", "address to listen on: all who reach it may use the model")
    group.integer("port", 8501, "port; 0: any free port", at_least=0, at_most=65535)
    group.boolean("ui", False, "serve a page that shows samples")
    group = parser.group("Limits")
    group.integer("max_rows", MAX_ROWS, "rows of a request and of a batch", at_least=1)
    group.integer(
        "max_waiting_rows",
        MAX_WAITING_ROWS,
        "rows that may wait; beyond, the reply is 503",
        at_least=1,
    )
    group.number("max_body_mb", MAX_BODY_MB, "MiB of a request", at_least=1 / 1024, at_most=4096)
    parser.require("model_dir")


def serve(parser: Parser, _: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM, and then finishes the requests in progress."""
    from tfgans import checks

    try:
        from tfgans.serving.server import http
        from tfgans.serving.server.served_model import ModelFolder
        from tfgans.serving.server.server import Limits, Server
    except ImportError as error:
        raise Exit(
            f"{error}. The server needs more packages: {checks.install_command('serving')}"
        ) from error
    values = parser.values
    # In place of absl's handler, whose lines begin with process and thread.
    logging.basicConfig(format="tfgans serve: %(message)s", level=logging.WARNING, force=True)
    if not math.isfinite(values.max_body_mb):
        raise ValueError(f"--max_body_mb must be a number. Received: {values.max_body_mb}")
    path = Path(values.model_dir)
    name = values.name or path.resolve().name
    folder = ModelFolder(path)
    server = Server(
        folder,
        name=name,
        limits=Limits(int(values.max_body_mb * 2**20), values.max_rows, values.max_waiting_rows),
        poll_seconds=values.poll_seconds,
        ui=values.ui,
        local=http.is_loopback(values.host),
    )
    with http.listen(values.host, values.port) as listening:
        host, port = listening.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        print(f"serving {name} version {folder.current.version} at http://{host}:{port}/")
        print(f"  curl http://{host}:{port}/v1/models/{name}", flush=True)
        http.run(server.application(), listening)
    return 0


COMMAND = Command(
    name="serve",
    summary="Serves an exported generator over HTTP, for development: TF Serving's REST API.",
    examples=(
        "--model_dir=exported/digits --ui",
        "--model_dir=exported/digits --port=0",
        "--model_dir=exported/digits --name=digits --host=0.0.0.0 --max_rows=256",
    ),
    define=define,
    run=serve,
)
main = COMMAND.main
