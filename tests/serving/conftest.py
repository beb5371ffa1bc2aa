"""A server that all tests of serving share."""

import model_servers
import pytest
import served


@pytest.fixture(scope="session")
def rest_server():
    """The address of bin/serve.py over the export of the mixture, with the explorer."""
    folder = served.export("mixture").version.parent
    with model_servers.rest(folder, "--ui", "--max_body_mb=1") as (_, address):
        yield address
