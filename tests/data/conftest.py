"""The digits are prepared once for all tests of this folder, outside the home directory."""

import pytest

from tfgans import data


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("tfgans_data")


@pytest.fixture(autouse=True)
def _fresh_keras_state():
    """Does nothing: few of these tests use Keras, and clearing its session takes 0.3 s a test."""


@pytest.fixture(autouse=True)
def _data_dir_of_tests(monkeypatch, data_dir):
    monkeypatch.setenv("TFGANS_DATA_DIR", str(data_dir))
    monkeypatch.setenv("TFGANS_CACHE_DIR", str(data_dir / "cache"))


@pytest.fixture(scope="session")
def digits(data_dir):
    return data.load("digits", data_dir=data_dir)
