"""`tfgans serve`: serves exported generators over HTTP, for development."""

import logging
import math
import urllib.parse
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfgans.cli.command import Command, needs_extra
from tfgans.cli.parser import Parser

if TYPE_CHECKING:
    from tfgans.serving.server.served_model import ModelSet

MAX_ROWS, MAX_WAITING_ROWS, MAX_BODY_MB = 1024, 16384, 8.0


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Model")
    group.path("model_dir", None, "folder of the model's versions", value="FOLDER")
    group.string("name", None, "name of the model in addresses; default: that of the folder")
    group.string(
        "versions",
        "latest",
        "versions to serve: latest, latest:N, all, or as 1,3",
        value="VERSIONS",
    )
    group.string("labels", None, "labels of versions, as stable:1,canary:2", value="LABELS")
    group.path(
        "models_config",
        None,
        "TensorFlow Serving's file of models, versions and labels, instead of the flags above; "
        "its changes are followed",
        value="FILE",
    )
    group.number(
        "poll_seconds", 1.0, "seconds between checks for new versions", at_least=0.01, at_most=86400
    )
    group = parser.group("Server")
    group.string(
        "host", "127.0.0.1", "address to listen on: anyone who can reach it can use the model"
    )
    group.integer("port", 8501, "port; 0: any free port", at_least=0, at_most=65535)
    group.boolean("ui", False, "serve a page that shows samples")
    group.boolean("access_log", True, "write a line for each request to stderr")
    group.number(
        "drain_seconds",
        0.0,
        "seconds after SIGTERM in which requests are still accepted while /readyz returns 503",
        at_least=0,
        at_most=3600,
    )
    group = parser.group("Limits")
    group.integer("max_rows", MAX_ROWS, "maximum rows of a request and of a batch", at_least=1)
    group.integer(
        "max_waiting_rows",
        MAX_WAITING_ROWS,
        "rows that may wait; requests beyond this limit get the reply 503",
        at_least=1,
    )
    group.number("max_body_mb", MAX_BODY_MB, "MiB of a request", at_least=1 / 1024, at_most=4096)
    parser.require_exactly_one("model_dir", "models_config")
    parser.check(
        ["max_rows", "max_waiting_rows"],
        lambda values: values["max_waiting_rows"] >= values["max_rows"],
        "--max_waiting_rows must be at least --max_rows",
    )
    parser.check_companions(
        "model_dir",
        ["name", "versions", "labels"],
        "--name, --versions and --labels need --model_dir",
    )


def serve(parser: Parser, _: Sequence[str]) -> int:
    """Serves until Ctrl-C or SIGTERM, and then gives running requests 20 s to complete."""
    with needs_extra("serving"):
        from tfgans.serving.server import http
        from tfgans.serving.server.server import Limits, Server
    values = parser.values
    # In place of absl's handler, whose lines begin with process and thread.
    logging.basicConfig(format="tfgans serve: %(message)s", level=logging.WARNING, force=True)
    if not math.isfinite(values.max_body_mb):
        raise ValueError(f"--max_body_mb must be a number. Received: {values.max_body_mb}")
    if not http.is_loopback(values.host):
        warnings.warn(
            f"anyone who reaches {values.host} can use the models: there is no password and no TLS",
            stacklevel=1,
        )
    models = _models(parser)
    server = Server(
        models,
        limits=Limits(int(values.max_body_mb * 2**20), values.max_rows, values.max_waiting_rows),
        poll_seconds=values.poll_seconds,
        ui=values.ui,
        local=http.is_loopback(values.host),
    )
    with http.listen(values.host, values.port) as listening:
        host, port = listening.getsockname()[:2]
        address = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
        for name, folder in models.folders.items():
            versions = ", ".join(map(str, folder.models))
            print(f"serving {name} version {versions} at {address}")
            print(f"  curl {address}v1/models/{urllib.parse.quote(name, safe='')}", flush=True)
        http.run(
            server.application(),
            listening,
            drain=server.drain,
            drain_seconds=values.drain_seconds,
            access_log=values.access_log,
        )
    return 0


def _models(parser: Parser) -> "ModelSet":
    from tfgans.serving.server.models_config import (
        ModelConfig,
        parse_labels,
        parse_policy,
        read_models_config,
    )
    from tfgans.serving.server.served_model import ModelSet

    values = parser.values
    if values.models_config is not None:
        file = Path(values.models_config)
        return ModelSet(read_models_config(file), file=file)
    path = Path(values.model_dir)
    return ModelSet(
        [
            ModelConfig(
                values.name or path.resolve().name,
                path,
                parse_policy(values.versions),
                {} if values.labels is None else parse_labels(values.labels),
            )
        ]
    )


COMMAND = Command(
    name="serve",
    summary="Serves exported generators over HTTP, for development: TF Serving's REST API.",
    examples=(
        "--model_dir=exported/digits --ui",
        "--model_dir=exported/digits --versions=latest:2 --labels=stable:1",
        "--models_config=models.config --host=0.0.0.0 --drain_seconds=10",
    ),
    define=define,
    run=serve,
)
main = COMMAND.main
