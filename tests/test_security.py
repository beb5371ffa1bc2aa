"""Attacks: what SECURITY.md says is not trusted tries to do harm, and fails."""

import asyncio
import contextlib
import gzip
import http.server
import inspect
import json
import os
import pickle
import re
import threading
import types
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny
from aiohttp import test_utils
from commands import run
from keras.src.saving.serialization_lib import SafeModeScope

import tfgans
from tfgans import checks, files
from tfgans.evaluation import weights_cache
from tfgans.export import publish
from tfgans.serving.client import rest
from tfgans.serving.client.client import Client, ServingError
from tfgans.serving.server.server import Server


@pytest.fixture
def mark(tmp_path):
    """What an attack writes if it succeeds."""
    return tmp_path / "mark"


@pytest.fixture
def program(tmp_path, mark, monkeypatch):
    """A .keras file with code in it."""
    monkeypatch.setenv("MARK", str(mark))
    attack = keras.layers.Lambda(
        lambda x: (__import__("pathlib").Path(__import__("os").environ["MARK"]).touch(), x)[1]
    )
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), attack]).save(path)
    mark.unlink()
    return path


def test_code_in_a_model_does_not_run_even_where_keras_was_told_so(program, mark):
    with SafeModeScope(None):  # Takes back what is set inside.
        keras.config.enable_unsafe_deserialization()
        with pytest.raises(ValueError, match="cannot be loaded"):
            tfgans.training.load_model(program)
        assert not mark.exists()
        keras.saving.load_model(program)
        assert mark.exists()  # It would have run.


def test_only_keras_files_are_loaded(tmp_path):
    (tmp_path / "folder.keras").mkdir()
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    (tmp_path / "folder.keras" / "config.json").write_text(json.dumps(plain.to_json()))
    (tmp_path / "model.h5").write_bytes(b"")
    for name in ("folder.keras", "model.h5"):
        with pytest.raises(ValueError, match=r"a file that ends in \.keras"):
            tfgans.training.load_model(tmp_path / name)
    with pytest.raises(ValueError, match=r"a file that ends in \.keras"):
        tfgans.training.load_model("hf://someone/model.keras")


@pytest.mark.parametrize(
    ("layer", "config"),
    [
        ("StringLookup", {"vocabulary": "{place}"}),
        ("TFSMLayer", {"filepath": "{place}"}),
    ],
)
def test_model_that_names_a_file_of_ours(tmp_path, layer, config):
    place = tmp_path / "secret.txt"
    place.write_text("a\nb\n")
    made = {
        "module": "keras.layers",
        "class_name": layer,
        "config": {name: value.format(place=place) for name, value in config.items()},
        "registered_name": None,
    }
    whole = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [made]},
        "registered_name": None,
    }
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]).save(path)
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    content["config.json"] = json.dumps(whole).encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, data in content.items():
            new.writestr(name, data)
    with pytest.raises(ValueError, match=r"cannot be loaded.*([Ss]afe|[Nn]ot allowed)"):
        tfgans.training.load_model(path)


def test_what_we_register_takes_no_paths():
    own = {
        name: one for name, one in keras.saving.get_custom_objects().items() if "tfgans>" in name
    }
    assert len(own) > 30
    for name, made in own.items():
        for parameter in inspect.signature(made).parameters.values():
            told = f"{parameter.name} {parameter.annotation}".lower()
            assert not re.search("path|file|folder|director|url", told), (name, told)


class Attack:
    """A pickle that writes a file when it is read."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (Path.touch, (self.place,))


def test_pickles_in_arrays_do_not_run(tmp_path, mark, monkeypatch):
    attack = np.array([Attack(mark)], dtype=object)
    np.save(tmp_path / "a.npy", attack, allow_pickle=True)
    np.savez(tmp_path / "a.npz", mu=attack, sigma=attack, arr_0=attack, allow_pickle=True)
    for name in ("a.npy", "a.npz"):
        done = run("evaluate", "--samples={at} --out={at}.d", at=tmp_path / name)
        assert "is not an array of numbers" in done.stderr or "arrays instead of" in done.stderr
    with pytest.raises(ValueError, match="no statistics"):
        tfgans.metrics.FeatureStatistics.load(tmp_path / "a.npz")
    with pytest.warns(UserWarning, match="is damaged"):
        assert weights_cache.read(tmp_path / "a.npz", [(1,)]) is None
    assert not mark.exists()
    pickle.loads(pickle.dumps(Attack(mark)))
    assert mark.exists()  # It would have run.


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", ".lock", "a\\b", "a\nb", "a\0b", 3])
def test_names_stay_in_their_folder(name):
    with pytest.raises(ValueError, match="without folders"):
        checks.file_name("notes", name)
    assert checks.file_name("notes", "flags é.txt") == "flags é.txt"


def test_lock_does_not_follow_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(victim)
    source = tfgans.data.from_array(tiny.digits(32))
    with pytest.raises(OSError, match="Choose another place"):
        tfgans.training.Run(folder, tiny.gan(), source, steps=1, batch_size=8).train()
    assert victim.read_text() == "mine"
    assert os.listdir(folder) == [".lock"]


def test_names_of_temporaries_cannot_be_foretold(tmp_path):
    seen = [files.temporary_sibling(tmp_path / "x").name for _ in range(100)]
    tokens = {name.split("-")[-2] for name in seen}
    assert len(tokens) == 100
    assert all(re.fullmatch("[0-9a-f]{16}", token) for token in tokens)


def test_removal_does_not_follow_links(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (victim / "saved_model.pb").write_bytes(b"")
    versions = tmp_path / "versions"
    versions.mkdir()
    (versions / f"{files.temporary_prefix()}999999999-x").symlink_to(victim)
    files.remove_temporaries(versions)
    (versions / "1").symlink_to(victim)
    (versions / "new").mkdir()
    (versions / "new" / "saved_model.pb").write_bytes(b"")
    publish.publish(versions / "new", versions, keep=1)
    assert os.listdir(versions) == ["2"]
    assert (victim / "file").read_text() == "mine"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_hub_module_of_another_user(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="is missing") as missing:
        tfgans.evaluation.inception_2015()
    folder = Path(re.search(r"not there: (\S+) is", str(missing.value))[1])
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"")
    os.chown(folder, 12345, 12345)
    with pytest.raises(ValueError, match="belongs to another user"):
        tfgans.evaluation.inception_2015()


METADATA = {
    "model_spec": {"version": "1"},
    "metadata": {"signature_def": {"signature_def": {"sample_at": {"inputs": {}, "outputs": {}}}}},
}


@contextlib.contextmanager
def hostile(body, headers=(), status=200):
    """A server whose every answer is `body`; yields its address and the paths it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        # The interval is the time that the shutdown takes.
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"error": ' * 50_000,
        json.dumps({**METADATA, "model_spec": {"version": float("inf")}}).encode(),
        json.dumps({**METADATA, "model_spec": {"version": "9" * 9000}}).encode(),
        json.dumps({"metadata": 3, "model_spec": 3}).encode(),
        json.dumps(METADATA).encode(),
        b"\xff\xfe",
        b"",
    ],
    ids=range(8),
)
def test_server_that_answers_anything(body):
    with hostile(body) as (address, _), Client(address, model="m", retries=0) as client:
        with pytest.raises(ServingError):
            client.mixture_weights() if b"sample_at" not in body else client.predict(
                "sample_at", {}
            )
        with pytest.raises(ServingError):
            client.status()


@pytest.mark.parametrize("packed", [False, True])
def test_server_that_answers_too_much(packed, monkeypatch):
    monkeypatch.setattr(rest, "_LARGEST_REPLY", 2**20)
    body = b" " * 2**24
    headers = [("Content-Encoding", "gzip")] if packed else []
    body = gzip.compress(body) if packed else body
    with hostile(body, headers) as (address, _):
        client = Client(address, model="m", retries=0)
        with pytest.raises(ServingError, match="more than 1,048,576 bytes"):
            client.status()
        client.close()


def test_server_that_sends_elsewhere():
    with hostile(b"{}") as (other, asked), contextlib.ExitStack() as stack:
        address, _ = stack.enter_context(hostile(b"", [("Location", other)], status=302))
        client = stack.enter_context(Client(address, model="m", retries=0))
        with pytest.raises(ServingError, match="302"):
            client.status()
    assert not asked


def test_address_names_no_file_of_the_server(tmp_path):
    (tmp_path / "secret").write_text("mine")
    server = Server(types.SimpleNamespace(folders={}, refresh=list), ui=True)

    async def ask(paths):
        async with test_utils.TestServer(server.application()) as at:
            return [await _raw(at.port, path) for path in paths]

    up = ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "..\\server.py", "/etc/passwd"]
    up += [f"explorer.js/{one}" for one in up] + [f"v1/models/{one}" for one in up]
    for path, answer in zip(up, asyncio.run(ask([f"/{one}" for one in up])), strict=True):
        assert answer.startswith(("HTTP/1.1 404", "HTTP/1.1 400")), (path, answer[:80])
    (page,) = asyncio.run(ask(["/explorer.js"]))
    assert page.startswith("HTTP/1.1 200")


async def _raw(port, path):
    """Sends a path as it is: clients would tidy it up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode(errors="replace")
