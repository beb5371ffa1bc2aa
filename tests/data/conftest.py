"""The digits are loaded once for all tests of this folder; caches lie outside of the home."""

import pytest

from tfgans import data


@pytest.fixture(autouse=True)
def _fresh_keras_state():
    """Does nothing: few of these tests use Keras, and clearing its session takes 0.3 s a test."""


@pytest.fixture(autouse=True)
def _folders_of_tests(monkeypatch, tmp_path):
    monkeypatch.setenv("TFGANS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TFGANS_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def digits():
    return data.load("digits")
