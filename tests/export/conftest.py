"""Exports that all tests of serving share, each made once in a worker, and a server."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import model_servers
import pytest
import served


class Export(NamedTuple):
    """A live model and its first version, which was not run elsewhere."""

    live: Any
    version: Path


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """Makes the export of a kind of `served`, once; its folder of versions is named by the kind."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def export(kind):
        live = served.make(kind)
        return Export(live, live.export(folder / kind, verify=False))

    return export


@pytest.fixture(scope="session")
def rest_server(exported):
    """The address of bin/serve.py over the export of the mixture, with the explorer."""
    folder = exported("mixture").version.parent
    with model_servers.rest(folder, "--ui --max_body_mb=1") as (_, address):
        yield address
