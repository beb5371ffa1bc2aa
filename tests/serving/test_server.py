"""bin/serve.py keeps TensorFlow Serving's rules, whatever it is sent, and loses no request."""

import asyncio
import base64
import concurrent.futures
import contextlib
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
import weakref

import aiohttp
import model_servers
import numpy as np
import pytest
import served
import tensorflow as tf
from aiohttp import test_utils
from model_servers import Connection
from prometheus_client.parser import text_string_to_metric_families
from waiting import wait_for

from tfgans.export import publish
from tfgans.serving.client.rest_format import InvalidRequestError, SignatureInfo, TensorInfo
from tfgans.serving.server import served_model
from tfgans.serving.server.batching import Batcher
from tfgans.serving.server.models_config import (
    ModelConfig,
    VersionPolicy,
    parse_labels,
    parse_policy,
    read_models_config,
)
from tfgans.serving.server.served_model import ModelFolder, ModelSet
from tfgans.serving.server.server import Limits, Server

MODEL = "/v1/models/mixture"


def predict(connection, **body):
    return connection("POST", f"{MODEL}:predict", body)


def test_arrays_and_pictures(connection):
    """The header `Accept` asks for NumPy's format or a PNG file."""
    made = served.export("mixture")("sample", seed=np.array([1, 2]))
    body = json.dumps({"signature_name": "sample", "inputs": {"seed": [1, 2]}})
    _, content = connection("POST", f"{MODEL}:predict", body, Accept="application/x-npy")
    assert connection.headers["Content-Type"] == "application/x-npy"
    stream = io.BytesIO(content)
    for name in ("components", "images"):
        np.testing.assert_allclose(np.load(stream), made[name], atol=1e-6)
    (expected,) = served.export("mixture")("sample_png", seed=np.array([4]))["image_bytes"]
    body = {"signature_name": "sample_png", "instances": [4]}
    code, reply = connection("POST", f"{MODEL}:predict", body)
    assert base64.b64decode(reply["predictions"][0]["b64"]) == expected
    code, content = connection("POST", f"{MODEL}:predict", body, Accept="image/png;q=0.9, */*")
    assert (code, content) == (200, expected)
    for accept, instances, status in (
        ("image/png", [4, 5], 400),
        ("application/x-npy", [4], 406),
        ("application/x-npy, application/json", [4], 200),
    ):
        body = {"signature_name": "sample_png", "instances": instances}
        assert connection("POST", f"{MODEL}:predict", body, Accept=accept)[0] == status


def of(signature, **body):
    return {"signature_name": signature, **body}


def metric_families(connection):
    _, page = connection("GET", "/monitoring/prometheus/metrics")
    return {family.name: family for family in text_string_to_metric_families(page.decode())}


def request_counts(families):
    return {
        (sample.labels["model_name"], sample.labels["status"]): sample.value
        for sample in families[":tensorflow:serving:request_count"].samples
    }


def test_health_and_metrics(connection):
    assert connection("GET", "/healthz")[0] == 200
    versions = {"mixture": [1], "odd": [123]}
    assert connection("GET", "/readyz") == (200, {"status": "ready", "versions": versions})
    connection("GET", "/v1/models/never")
    predict(connection, signature_name="sample", instances=[1])
    assert connection("GET", MODEL)[0] == 200
    refused = of("sample_png", instances=[1])
    assert connection("POST", f"{MODEL}:predict", refused, Accept="application/x-npy")[0] == 406
    families = metric_families(connection)
    requests = request_counts(families)
    assert requests["mixture", "OK"] >= 1
    assert requests["mixture", "INVALID_ARGUMENT"] >= 1
    assert ("mixture", "INTERNAL") not in requests
    assert requests["", "NOT_FOUND"] >= 1
    for name, last, labels in (
        ("request_latency", "entrypoint", {("predict", "REST"), ("", "REST")}),
        ("runtime_latency", "runtime", {("Predict", "TF1")}),
    ):
        family = families[f":tensorflow:serving:{name}"]
        counts = {
            (sample.labels["API"], sample.labels[last]): sample.value
            for sample in family.samples
            if sample.name.endswith("_count") and sample.labels["model_name"] == "mixture"
        }
        assert (family.type, counts.keys()) == ("histogram", labels)
        assert min(counts.values()) >= 1
    assert families["tfgans:serving:waiting_rows"].samples[0].value == 0


def test_broken_requests_get_a_reply(rest_server):
    for header in ("Content-Encoding: deflate", "Content-Encoding: br", "Content-Length: -5"):
        with socket.create_connection(("127.0.0.1", int(rest_server.rpartition(":")[2]))) as raw:
            text = f"POST {MODEL}:predict HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
            text += "" if "Length" in header else "Content-Length: 4\r\n"
            raw.sendall(f"{text}\r\nabcd".encode())
            assert b" 400 " in raw.recv(4096).splitlines()[0], header


def test_fuzzed_bodies(rest_server):
    rng, codes = random.Random(0), set()
    whole = json.dumps(of("sample_at", inputs={"seed": [1, 2], "index": [3, 4]})).encode()
    inserted = [b"null", b"[]", b"{}", b"1e400", b"-1", b'"', b"true", b"\xff", whole[5:25]]
    with contextlib.closing(Connection(rest_server)) as connection:
        for _ in range(300):
            body = bytearray(whole)
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(body))
                body[at : at + rng.choice([0, 0, 1, 8])] = rng.choice([b"", *inserted])
            code, reply = connection("POST", f"{MODEL}:predict", bytes(body))
            codes.add(code)
            assert code == 200 or (code == 400 and reply["error"]), (code, bytes(body), reply)
    assert codes == {200, 400}


class TestBatcher:
    """Concurrent requests run together, and each gets its rows."""

    def submit(self, run, requests):
        async def submit_all():
            with concurrent.futures.ThreadPoolExecutor(1) as executor:
                batcher = Batcher(run, executor, max_rows=8)
                replies = [batcher.submit({"x": np.array(rows)}) for rows in requests]
                return await asyncio.gather(*replies, return_exceptions=True)

        return asyncio.run(submit_all())

    def test_rows_come_back_to_their_request(self):
        sizes = []

        def double(inputs):
            sizes.append(len(inputs["x"]))
            return {"y": 2 * inputs["x"]}

        requests = [[1], [2, 3], [4], [5, 6, 7, 8, 9], [10]]
        replies = self.submit(double, requests)
        for request, reply in zip(requests, replies, strict=True):
            np.testing.assert_array_equal(reply["y"], 2 * np.array(request))
        assert sizes == [4, 6]  # As many whole requests as fit into 8 rows.

    def test_a_signature_that_does_not_keep_rows_gives_each_request_its_reply(self):
        replies = self.submit(lambda inputs: {"y": np.repeat(inputs["x"], 2)}, [[1], [2, 3]])
        assert [reply["y"].tolist() for reply in replies] == [[1, 1], [2, 2, 3, 3]]

    def test_an_invalid_request_fails_alone(self):
        runs = []

        def refuse(inputs):
            runs.append(inputs)
            if (inputs["x"] < 0).any():
                raise InvalidRequestError("negative")
            return inputs

        *good, bad = self.submit(refuse, [[1], [2], [3], [4], [5], [6], [7], [-1]])
        assert [reply["x"].tolist() for reply in good] == [[1], [2], [3], [4], [5], [6], [7]]
        assert isinstance(bad, InvalidRequestError)
        assert len(runs) == 7  # 8, 4 and 4, 2 and 2, 1 and 1
        unjoinable = self.submit(lambda inputs: inputs, [[[1]], [[2, 3]], [[4]]])
        assert [reply["x"].tolist() for reply in unjoinable] == [[[1]], [[2, 3]], [[4]]]

    def test_a_failure_reaches_all(self):
        def fail(_):
            raise MemoryError

        assert [type(reply) for reply in self.submit(fail, [[1], [2]])] == [MemoryError] * 2


def test_a_failed_look_for_new_versions_is_not_the_last(caplog):
    looks = iter([KeyError("2"), ["m"], []])
    folder = types.SimpleNamespace(models={2: None})

    def refresh():
        look = next(looks, [])
        if isinstance(look, Exception):
            raise look
        return look

    models = types.SimpleNamespace(folders={"m": folder}, refresh=refresh)
    server = Server(models, poll_seconds=0.01)

    async def watch():
        async with test_utils.TestClient(test_utils.TestServer(server.application())):
            for _ in range(1000):
                await asyncio.sleep(0.01)
                if "serving m version 2" in caplog.text:
                    return

    asyncio.run(watch())
    assert "could not be looked for" in caplog.text
    assert "serving m version 2" in caplog.text


def test_rows_that_may_wait():
    seed = {"seed": TensorInfo("int64", (None,))}

    def run(self, _, inputs):
        time.sleep(0.3)
        return inputs

    model = type("Model", (), {"is_batchable": lambda self, _: True, "run": run})()
    model.signatures = {"x": SignatureInfo(seed, seed)}
    folder = types.SimpleNamespace(model=lambda version, label: model)
    models = types.SimpleNamespace(folders={"m": folder}, refresh=list)
    server = Server(models, limits=Limits(rows=4, waiting_rows=6))

    async def ask(client, rows):
        body = of("x", instances=list(range(rows)))
        async with client.post("/v1/models/m:predict", json=body) as reply:
            return reply.status, await reply.json()

    async def ask_all():
        async with test_utils.TestClient(test_utils.TestServer(server.application())) as client:
            first = [asyncio.create_task(ask(client, rows)) for rows in (4, 2)]
            await asyncio.sleep(0.1)
            refused = await ask(client, 1)
            return [await reply for reply in first], refused, await ask(client, 4)

    first, refused, later = asyncio.run(ask_all())
    assert [code for code, _ in [*first, later]] == [200] * 3
    assert refused[0] == 503
    assert "Try again later" in refused[1]["error"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"poll_seconds": 0}, "`poll_seconds` must be"),
        ({"limits": Limits(rows=9, waiting_rows=8)}, "able to wait"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Server(None, **options)


def save(factor, folder):
    """Saves a version of a single signature, which loads in an instant."""
    module, specs = tf.Module(), [tf.TensorSpec([None], tf.int64, "seed")]
    module.sample = tf.function(lambda seed: {"product": factor * seed}, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures={"sample": module.sample})
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return save(2, tmp_path_factory.mktemp("small"))


def put(version, folder):
    """Publishes a copy of a version as the next version below `folder`."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(version, folder / ".copy")
    return publish.publish(folder / ".copy", folder)


def test_folder_serves_the_newest_version_that_loads(small, tmp_path, monkeypatch):
    graphs, load = [], tf.saved_model.load

    def remembered(path):
        model = load(path)
        graphs.append(weakref.ref(model.signatures["sample"].graph))
        return model

    monkeypatch.setattr(tf.saved_model, "load", remembered)
    put(small, tmp_path)
    folder = ModelFolder(ModelConfig("points", tmp_path))
    assert not folder.refresh()
    put(small, tmp_path)
    assert folder.refresh()
    assert list(folder.models) == [2]
    # The old version leaves the memory.
    assert [graph() is None for graph in graphs] == [True, False]
    broken = put(small, tmp_path)
    (broken / "saved_model.pb").write_bytes(b"no proto")
    assert not folder.refresh()
    end, available = folder.status()
    assert (end.version, end.state, available) == (3, "END", (2, "AVAILABLE", ""))
    assert "cannot be served" in end.error
    shutil.rmtree(broken)
    assert folder.status() == [(2, "AVAILABLE", "")]
    put(small, tmp_path)  # The same number with other files.
    assert folder.refresh()
    assert folder.current.version == 3
    put(small, tmp_path)
    assert folder.refresh()
    # Version 3 failed once, and was served since.
    assert folder.status() == [(4, "AVAILABLE", "")]
    shutil.rmtree(tmp_path / "4")
    shutil.rmtree(tmp_path / "3")
    assert folder.refresh()
    assert folder.status() == [(2, "AVAILABLE", "")]
    shutil.rmtree(tmp_path)
    assert folder.status() == [(2, "AVAILABLE", "")]


def test_a_version_whose_files_change_is_loaded_again(small, tmp_path):
    """As when a model is removed and exported again, which gives the same number."""

    def product():
        return folder.current.run("sample", {"seed": np.array([5])})["product"].tolist()

    put(small, tmp_path)
    folder = ModelFolder(ModelConfig("points", tmp_path))
    shutil.rmtree(tmp_path / "1")
    assert not folder.refresh()
    save(3, tmp_path / "1")
    assert product() == [10]
    assert folder.refresh()
    assert product() == [15]
    assert not folder.refresh()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no proto")
    assert not folder.refresh()
    assert (product(), folder.status()) == ([15], [(1, "AVAILABLE", "")])
    shutil.rmtree(tmp_path / "1")
    put(small, tmp_path)
    assert folder.refresh()
    assert product() == [10]


def config(path, policy="latest { }", *, name=None, **labels):
    """Returns a model of a `models.config`, whose name is that of its folder by default."""
    pairs = (f'version_labels {{ key: "{key}" value: {label} }}' for key, label in labels.items())
    return (
        f'config {{ name: "{name or path.name}" base_path: "{path}" '
        f"model_version_policy {{ {policy} }} {' '.join(pairs)} }}"
    )


@pytest.fixture
def models_config(tmp_path):
    """Writes a `models.config` of models; `models_config.load()` serves it."""

    def write(*configs):
        file.write_text(f"model_config_list {{ {' '.join(configs)} }}")

    file = tmp_path / "models.config"
    write.file, write.load = file, lambda: ModelSet(read_models_config(file), file=file)
    return write


def test_a_requested_version_that_is_missing_is_logged(small, tmp_path, models_config, caplog):
    path = tmp_path / "points"
    put(small, path)
    models_config(config(path, "specific { versions: 1 versions: 7 }"))
    models = models_config.load()
    assert list(models.folders["points"].models) == [1]
    models.refresh()
    assert caplog.text.count("points has no version 7, which is requested. It has: 1") == 1
    models_config(config(path, "specific { versions: 1 versions: 8 }"))
    for _ in range(2):
        models.refresh()
    assert caplog.text.count("no version 8") == 1


def test_a_refused_config_file_changes_no_model(small, tmp_path, models_config):
    """For a label of a version that is missing, and for one of a version that does not load."""
    a, b = tmp_path / "a", tmp_path / "b"
    first, both = "specific { versions: 1 }", "specific { versions: 1 versions: 2 }"
    for path in (a, b):
        put(small, path)
    models_config(config(a, first, x=1), config(b, first, x=1))
    models = models_config.load()
    put(small, a)
    (put(small, b) / "saved_model.pb").write_bytes(b"no proto")
    for version in (9, 2):
        models_config(config(a, both, x=2), config(b, both, x=version))
        assert models.refresh() == []
        assert {name: [*each.models] for name, each in models.folders.items()} == {
            "a": [1],
            "b": [1],
        }
        assert models.folders["a"].model(label="x").version == 1
    models_config(config(a, both, x=2), config(b, both, x=1))
    assert models.refresh() == ["a"]
    assert models.folders["a"].model(label="x").version == 2


def test_a_refused_config_file_is_tried_again_when_something_changes(
    small, tmp_path, models_config, monkeypatch
):
    loaded = []

    class Counted(served_model.ServedModel):
        def __init__(self, folder):
            loaded.append(folder)
            super().__init__(folder)

    monkeypatch.setattr(served_model, "ServedModel", Counted)
    for name in ("a", "b"):
        put(small, tmp_path / name)
    models_config(config(tmp_path / "a"))
    models = models_config.load()
    models_config(*(config(tmp_path / name) for name in "abc"))  # There is no c yet.
    for _ in range(3):
        assert models.refresh() == []
    assert len(loaded) == 2
    assert list(models.folders) == ["a"]
    put(small, tmp_path / "c")
    assert models.refresh() == ["b", "c"]
    assert list(models.folders) == ["a", "b", "c"]


def test_a_config_file_chooses_versions_and_rolls_back_by_label(
    small, tmp_path, models_config, caplog
):
    path, latest = tmp_path / "points", "latest { num_versions: 2 }"
    for _ in range(3):
        put(small, path)
    models_config(config(path, latest, stable=3, canary=3))
    models = models_config.load()
    folder = models.folders["points"]
    assert list(folder.models) == [2, 3]
    assert folder.model(label="stable").version == 3
    models_config(config(path, latest, stable=2))  # Rolls back.
    assert models.refresh() == []
    assert (folder.model(label="stable").version, folder.model().version) == (2, 3)
    with pytest.raises(LookupError, match="canary"):
        folder.model(label="canary")
    models_config(config(path, latest), "x")
    assert models.refresh() == []
    models_config.file.write_text("")
    assert models.refresh() == []
    models_config(config(path, "all { }", stable=9))  # Not a version: the labels stay.
    for _ in range(2):
        assert models.refresh() == []
    assert caplog.text.count("'stable' must be of a version that is served: 1, 2, 3") == 1
    assert list(folder.models) == [2, 3]
    assert folder.model(label="stable").version == 2
    models_config(config(path, "specific { versions: 1 versions: 3 }", stable=1))
    assert models.refresh() == ["points"]
    assert [status[:2] for status in folder.status()] == [(3, "AVAILABLE"), (1, "AVAILABLE")]
    put(small, path)
    assert models.refresh() == []
    models_config(config(path, "specific { }"))
    with pytest.raises(ValueError, match="specific without versions"):
        read_models_config(models_config.file)
    models_config(config(tmp_path / "later", name="points"))
    assert models.refresh() == []
    put(small, tmp_path / "later")
    assert models.refresh() == ["points"]
    assert models.folders["points"].path == tmp_path / "later"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latest", VersionPolicy(1)),
        ("latest:3", VersionPolicy(3)),
        ("all", VersionPolicy(None)),
        ("1,30", VersionPolicy(None, (1, 30))),
        *[(text, None) for text in ("", "latest:0", "latest:00", "latest:x", "newest", "1,", "-1")],
    ],
)
def test_policies(text, expected):
    if expected is None:
        with pytest.raises(ValueError, match="`versions` must be latest"):
            parse_policy(text)
    else:
        assert parse_policy(text) == expected


@pytest.mark.parametrize("text", ["stable", "stable:x", ":1", "a:1,a:2", ""])
def test_labels(text):
    assert parse_labels("stable:1,canary:2") == {"stable": 1, "canary": 2}
    with pytest.raises(ValueError, match="`labels` must"):
        parse_labels(text)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (None, {}, "no folder"),
        ("x", {}, "holds no version"),
        ("1", {}, "1 cannot be served"),
        ("saved_model.pb", {}, "give the folder above"),
        (
            "1",
            {"policy": VersionPolicy(None, (2, 7))},
            "none of the requested versions: 2, 7. It has: 1.",
        ),
        (None, {"policy": VersionPolicy(None, (2,))}, "no folder"),
        ("x", {"policy": VersionPolicy(None, (2,))}, "holds no version"),
        ("1", {"name": "a/b"}, "The name of a model must be plain text"),
        ("1", {"labels": {"a:b": 1}}, "The label of a model must be plain text"),
    ],
)
def test_folder_without_a_model(tmp_path, name, options, message):
    folder = tmp_path / "model"
    if name is not None:
        (folder / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=message):
        ModelSet([ModelConfig(**{"name": "m", "path": folder, **options})])


@pytest.mark.slow
def test_addresses_quote_the_name_of_the_model(small, tmp_path):
    put(small, tmp_path / "two words")
    script = served.ROOT / "bin" / "serve.py"
    command = [sys.executable, script, "--port=0", f"--model_dir={tmp_path / 'two words'}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        curl, address = process.stdout.readline().split()
        process.terminate()
    assert (curl, address.partition("/v1/")[2]) == ("curl", "models/two%20words")


LARGE = json.dumps(of("generate", inputs={"num": 1024, "seed": 1}))


def test_work_for_clients_that_leave_is_dropped(rest_server):
    for _ in range(60):
        gone = Connection(rest_server)
        gone.http.request("POST", f"{MODEL}:predict", LARGE)
        gone.close()
    with Connection(rest_server) as connection:
        asked = {"signature_name": "sample", "instances": [1]}
        wait_for(lambda: predict(connection, **asked)[0] != 503)
        requests = request_counts(metric_families(connection))
    assert requests["mixture", "CANCELLED"] >= 1
    assert ("mixture", "INTERNAL") not in requests


@pytest.mark.slow
def test_sigterm_waits_for_running_requests():
    folder = served.export("mixture").version.parent
    flags = f"--model_dir={folder}", "--drain_seconds=0.5"
    with model_servers.rest(*flags) as (process, address), Connection(address) as other:
        client = Connection(address)
        client.http.request("POST", f"{MODEL}:predict", LARGE)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        # For half a second it takes requests, but is not ready for more.
        assert other("GET", "/readyz")[0] == 503
        assert other("GET", MODEL)[0] == 200
        reply = json.loads(client.http.getresponse().read())
        client.close()
        assert len(reply["outputs"]["components"]) == 1024
        assert process.wait(30) == 0


NUM_CLIENTS, NUM_REQUESTS = 64, 5000


@pytest.mark.slow
def test_load_with_a_reload_in_the_middle(tmp_path):
    """Each reply is that of its seeds, of the old or the new version."""
    folder, seeds = tmp_path / "digits", np.arange(200)
    put(served.export("mixture").version, folder)
    images = [served.export(kind)("sample", seed=seeds)["images"] for kind in ("mixture", "plain")]
    versions, memories = [], {}

    async def client(session, process, rng):
        while len(versions) + NUM_CLIENTS <= NUM_REQUESTS:
            rows = rng.sample(range(len(seeds)), rng.randint(1, 4))
            body = of("sample", inputs={"seed": rows})
            async with session.post("/v1/models/digits:predict", json=body) as reply:
                assert reply.status == 200
                received = np.array((await reply.json())["outputs"]["images"], np.float32)
            same = [np.abs(received - expected[rows]).max() < 1e-5 for expected in images]
            assert sum(same) == 1
            versions.append(same.index(True) + 1)
            if len(versions) in (3500, 4900):
                with open(f"/proc/{process.pid}/statm") as file:
                    memories[len(versions)] = int(file.read().split()[1])

    async def load(address, process):
        connector = aiohttp.TCPConnector(limit=NUM_CLIENTS)
        async with aiohttp.ClientSession(address, connector=connector) as session:
            clients = [client(session, process, random.Random(i)) for i in range(NUM_CLIENTS)]
            gathered = asyncio.gather(*clients)
            while len(versions) < 1000:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(put, served.export("plain").version, folder)
            await gathered

    flags = f"--model_dir={folder}", "--poll_seconds=0.05", "--noaccess_log"
    with model_servers.rest(*flags) as (process, address):
        asyncio.run(load(address, process))
    assert (versions[0], versions[-1]) == (1, 2)
    # After the switch, only running requests get the old version.
    assert 1 not in versions[versions.index(2) + 2 * NUM_CLIENTS :]
    pages = 16 * 2**20 // os.sysconf("SC_PAGE_SIZE")
    assert abs(memories[4900] - memories[3500]) < pages
    assert process.log == ["tfgans serve: serving digits version 2\n"]
