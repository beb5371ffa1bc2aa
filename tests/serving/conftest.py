"""A server that all tests of serving share."""

import model_servers
import odd_model
import pytest
import served


@pytest.fixture(scope="session")
def rest_server(tmp_path_factory):
    """The address of `tfgans serve` over exports and an unusual model, with the explorer."""
    folder = tmp_path_factory.mktemp("served")
    # As TensorFlow Serving's own test models.
    odd_model.save(folder / "odd" / "00000123")
    config = folder / "models.config"
    config.write_text(
        f"""
        model_config_list {{
          config {{
            name: "mixture" base_path: "{served.export("mixture").version.parent}"
            model_platform: "tensorflow" version_labels {{ key: "stable" value: 1 }}
          }}
          config {{
            name: "odd" base_path: "{folder / "odd"}"
            version_labels {{ key: "stable" value: 123 }}
          }}
        }}
        """
    )
    flags = f"--models_config={config}", "--ui", "--max_body_mb=1"
    with model_servers.rest(*flags) as (_, address):
        yield address


@pytest.fixture(scope="module")
def connection(rest_server):
    with model_servers.Connection(rest_server) as connection:
        yield connection
