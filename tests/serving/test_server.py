"""bin/serve.py keeps TensorFlow Serving's rules, whatever it is sent, and loses no request."""

import asyncio
import base64
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import time
import types
import urllib.parse
import weakref

import aiohttp
import model_servers
import numpy as np
import pytest
import served
from aiohttp import test_utils
from google.protobuf import json_format
from tensorflow.python.saved_model import loader_impl
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from tfgans.export import publish
from tfgans.serving.client.rest_format import (
    InvalidRequestError,
    SignatureInfo,
    TensorInfo,
    from_json,
    to_json,
)
from tfgans.serving.server.batching import Batcher
from tfgans.serving.server.served_model import ModelFolder
from tfgans.serving.server.server import Limits, Server

MODEL = "/v1/models/mixture"


class Connection:
    """Sends requests on a single connection."""

    def __init__(self, address):
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)
        self.close = self.http.close

    def __call__(self, method, path, body=None, **headers):
        body = json.dumps(body) if isinstance(body, dict | list) else body
        self.http.request(method, path, body, headers)
        reply = self.http.getresponse()
        content = reply.read()
        is_json = reply.headers["Content-Type"].startswith("application/json")
        return reply.status, json.loads(content) if is_json else content

    def predict(self, **body):
        return self("POST", f"{MODEL}:predict", body)


@pytest.fixture(scope="module")
def connection(rest_server):
    with contextlib.closing(Connection(rest_server)) as connection:
        yield connection


@pytest.fixture(scope="module", params=["bin/serve.py", "tensorflow_model_server"])
def conforming(request):
    """A connection to bin/serve.py, and to the server whose rules it keeps."""
    if request.param == "bin/serve.py":
        yield request.getfixturevalue("connection")
        return
    if model_servers.TF_SERVING is None:
        pytest.skip("tensorflow_model_server is not installed")
    with (
        model_servers.tf_serving(served.export("mixture").version.parent) as (address, _),
        contextlib.closing(Connection(address)) as connection,
    ):
        yield connection


class TestConformance:
    """The rules of https://www.tensorflow.org/tfx/serving/api_rest."""

    def test_status_and_metadata(self, conforming):
        for path in (MODEL, f"{MODEL}/versions/1"):
            code, reply = conforming("GET", path)
            assert code == 200
            json_format.ParseDict(reply, get_model_status_pb2.GetModelStatusResponse())
            # In the JSON of protos int64 is text, and empty fields are present.
            status = {"error_code": "OK", "error_message": ""}
            expected = {"version": "1", "state": "AVAILABLE", "status": status}
            assert reply["model_version_status"] == [expected]
        _, reply = conforming("GET", f"{MODEL}/metadata")
        spec = json_format.ParseDict(reply["model_spec"], model_pb2.ModelSpec())
        assert (spec.name, spec.version.value) == ("mixture", 1)
        definitions = json_format.ParseDict(
            reply["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
        )
        saved = loader_impl.parse_saved_model(str(served.export("mixture").version))
        assert dict(definitions.signature_def) == dict(saved.meta_graphs[0].signature_def)

    def test_rows_and_columns(self, conforming):
        export = served.export("mixture")
        latents = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
        images = export("serving_default", latents=latents)["images"]
        rows = [{"latents": row} for row in latents.tolist()]
        for body, key in [
            ({"instances": latents.tolist()}, "predictions"),
            ({"instances": rows}, "predictions"),
            ({"inputs": latents.tolist()}, "outputs"),
            ({"inputs": {"latents": latents.tolist()}}, "outputs"),
        ]:
            code, reply = conforming.predict(**body)
            assert (code, reply.keys()) == (200, {key}), reply
            np.testing.assert_allclose(reply[key], images, atol=1e-6)
        made = export("sample", seed=np.array([1, 2]))
        for instances in ([1, 2], [{"seed": 1}, {"seed": 2}]):
            _, reply = conforming.predict(signature_name="sample", instances=instances)
            for row, prediction in enumerate(reply["predictions"]):
                assert prediction.keys() == {"images", "components"}
                np.testing.assert_allclose(prediction["images"], made["images"][row], atol=1e-6)
        _, reply = conforming.predict(signature_name="sample", inputs={"seed": [1, 2]})
        assert reply["outputs"]["components"] == made["components"].tolist()

    def test_scalars_bytes_and_no_inputs(self, conforming):
        export = served.export("mixture")
        _, reply = conforming.predict(signature_name="mixture_weights", inputs={})
        np.testing.assert_allclose(reply["outputs"], [0.5, 0.3, 0.2], atol=1e-6)
        _, reply = conforming.predict(signature_name="generate", inputs={"num": 3, "seed": 7})
        expected = export("generate", num=np.int32(3), seed=np.int64(7))["images"]
        np.testing.assert_allclose(reply["outputs"]["images"], expected, atol=1e-6)
        (expected,) = export("sample_png", seed=np.array([4]))["image_bytes"]
        for shape, key in (("instances", "predictions"), ("inputs", "outputs")):
            _, reply = conforming.predict(signature_name="sample_png", **{shape: [4]})
            assert base64.b64decode(reply[key][0]["b64"]) == expected

    def test_versions(self, conforming):
        body = {"signature_name": "sample", "instances": [1]}
        assert conforming("POST", f"{MODEL}/versions/1:predict", body)[0] == 200
        for path in ("/versions/2", "/labels/stable"):
            code, reply = conforming("POST", f"{MODEL}{path}:predict", body)
            assert (code, reply.keys()) == (404, {"error"})


def of(signature, **body):
    return {"signature_name": signature, **body}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[1]", "a JSON object"),
        (b"[" * 100_000, "must be JSON"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "must be JSON"),
        (b"{}", '"instances" (rows) or "inputs"'),
        (of("sample", instances=[1], inputs=[1]), "either"),
        (of("sample", instances=[]), "a row or more"),
        (of("sample", instances=3), "a row or more"),
        (of("sample", instances=[{"seed": 1}, {"seeds": 1}]), "the same inputs"),
        (of("sample", instances=[{"seed": 1}, 1]), "type dict"),
        (of("x", instances=[1]), "no signature 'x', but"),
        (of(["x"], instances=[1]), "no signature"),
        (of("sample", inputs={"seed": [1], "x": [1]}), "must be: seed. Received: seed, x"),
        (of("sample_at", inputs={"seed": [1]}), "index, seed"),
        (of("sample_at", inputs=[1]), "an object with"),
        (of("mixture_weights", inputs=[1]), "no inputs"),
        (of("sample", instances=[1.0]), "int64. Received: JSON values of type float"),
        (of("sample", instances=[True]), "type bool"),
        (of("sample", instances=[None]), "type NoneType"),
        (of("sample", instances=[2**63]), "outside its range"),
        (of("sample", instances=[[1]]), "another number of axes"),
        (of("sample", inputs=1), "another number of axes"),
        (of("serving_default", instances=[[1, 2, 3, 4], [1]]), "unequal lengths"),
        (of("serving_default", instances=[[1, 2]]), "[batch, 4]"),
        (of("serving_default", instances=[[float("nan")] * 4]), "finite"),
        (of("serving_default", instances=[[1e300] * 4]), "finite"),
        (of("component", inputs={"latents": [[0] * 4], "components": [-1]}), "from 0 to 2"),
        (of("sample_at", inputs={"seed": [1, 2], "index": [1]}), "the same number of rows"),
        (of("sample", inputs={"seed": []}), "from 1 to 1024 rows"),
        (of("sample", inputs={"seed": [1] * 1025}), "from 1 to 1024 rows"),
        (of("generate", inputs={"num": 2**31 - 1, "seed": 1}), "from 1 to 1024"),
    ],
)
def test_invalid_bodies(connection, body, message):
    code, reply = connection("POST", f"{MODEL}:predict", body)
    assert code == 400
    assert message in reply["error"]
    assert connection.predict(signature_name="sample", instances=[1])[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "code"),
    [
        ("GET", "/v1/models/other", {}, 404),
        ("GET", f"{MODEL}/versions/2", {}, 404),
        ("GET", f"{MODEL}/versions/-1", {}, 404),
        ("GET", f"{MODEL}/versions/../../../etc/passwd", {}, 404),
        ("GET", f"{MODEL}/versions/..%2F..%2F1", {}, 404),
        ("GET", f"{MODEL}/versions/{'9' * 5000}", {}, 404),
        ("GET", f"{MODEL}/versions/%D9%A1", {}, 404),
        ("GET", "/../server.py", {}, 404),
        ("GET", f"{MODEL}:predict", {}, 405),
        ("DELETE", MODEL, {}, 405),
        ("POST", "/v1/models/other:predict", {}, 404),
        ("POST", f"{MODEL}:classify", {}, 404),
        # Only this machine, and no page of another site.
        ("GET", MODEL, {"Host": "localhost:1"}, 200),
        ("GET", MODEL, {"Host": "[::1]:1"}, 200),
        ("GET", MODEL, {"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ("GET", MODEL, {"Host": "evil.example"}, 403),
        ("GET", MODEL, {"Origin": "http://evil.example"}, 403),
        ("GET", MODEL, {"Origin": "null"}, 403),
    ],
)
def test_paths_and_origins(connection, method, path, headers, code):
    body = b'{"instances": [1]}' if method == "POST" else None
    received, reply = connection(method, path, body, **headers)
    assert (received, "error" in reply) == (code, code != 200)


def test_broken_requests_get_a_reply(rest_server):
    with contextlib.closing(Connection(rest_server)) as connection:
        code, reply = connection("POST", f"{MODEL}:predict", b" " * (2**20 + 1))
        assert (code, "size 1048576 exceeded" in reply["error"]) == (413, True)
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


def test_rows_that_may_wait():
    seed = {"seed": TensorInfo("int64", (None,))}

    def run(_, inputs):
        time.sleep(0.3)
        return inputs

    model = types.SimpleNamespace(
        version=1, signatures={"x": SignatureInfo(seed, seed)}, is_batchable=bool, run=run
    )
    folder = types.SimpleNamespace(path="", current=model, refresh=lambda: None)
    server = Server(folder, name="m", limits=Limits(rows=4, waiting_rows=6))

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
        ({"name": "a/b"}, "plain text without"),
        ({"name": "a:b"}, "plain text without"),
        ({"name": "m", "poll_seconds": 0}, "`poll_seconds` must be"),
        ({"name": "m", "limits": Limits(rows=9, waiting_rows=8)}, "able to wait"),
    ],
)
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        Server(None, **options)


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.array(3, np.int32), ()),
        (np.zeros((0, 4), np.float32), (None, 4)),
        (np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32"), (None, 3, None)),
        (np.array([[2**63 - 1], [-(2**63)]]), (None, 1)),
        (np.array([True, False]), (2,)),
        (np.array([b"a\0b", b"\xff"], object), (None,)),
    ],
)
def test_json_keeps_tensors(array, shape):
    text = json.dumps(to_json("x_bytes", array))
    dtype = "string" if array.dtype == object else array.dtype.name
    received = from_json("x_bytes", json.loads(text), TensorInfo(dtype, shape))
    assert received.dtype == array.dtype
    assert received.tolist() == array.tolist()


@pytest.mark.parametrize("value", [[1], [{"b64": "?"}], [{"b64": 1}], [{"b": "YQ=="}]])
def test_json_of_strings(value):
    info = TensorInfo("string", (None,))
    assert from_json("x", ["a", {"b64": "/w=="}], info).tolist() == [b"a", b"\xff"]
    assert to_json("x", np.array([b"text"], object)) == ["text"]
    with pytest.raises(InvalidRequestError, match="'x' must be"):
        from_json("x", value, info)


def put(kind, folder):
    """Publishes a copy of an export as the next version below `folder`."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(served.export(kind).version, folder / ".copy")
    return publish.publish(folder / ".copy", folder)


def test_folder_serves_the_newest_version_that_loads(tmp_path):
    put("points", tmp_path)
    folder = ModelFolder(tmp_path)
    assert folder.refresh() is None
    old = weakref.ref(folder.current._loaded.signatures["sample"].graph)
    put("points", tmp_path)
    assert folder.refresh().version == 2
    assert old() is None  # The old version leaves the memory.
    broken = put("points", tmp_path)
    (broken / "saved_model.pb").write_bytes(b"no proto")
    assert folder.refresh() is None
    end, available = folder.status()
    assert (end.version, end.state, available) == (3, "END", (2, "AVAILABLE", ""))
    assert "cannot be served" in end.error
    shutil.rmtree(broken)
    assert folder.status() == [(2, "AVAILABLE", "")]
    put("points", tmp_path)  # The same number with other files.
    assert folder.refresh().version == 3
    shutil.rmtree(tmp_path / "3")
    assert folder.refresh().version == 2
    assert folder.status() == [(2, "AVAILABLE", "")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "no folder"),
        ("x", "holds no version"),
        ("1", "1 cannot be served"),
        ("saved_model.pb", "give the folder above"),
    ],
)
def test_folder_without_a_model(tmp_path, name, message):
    folder = tmp_path / "model"
    if name is not None:
        (folder / name).mkdir(parents=True)
    with pytest.raises(ValueError, match=message):
        ModelFolder(folder)


LARGE = json.dumps(of("generate", inputs={"num": 1024, "seed": 1}))


def test_work_for_clients_that_leave_is_dropped(rest_server, connection):
    for _ in range(60):
        gone = Connection(rest_server)
        gone.http.request("POST", f"{MODEL}:predict", LARGE)
        gone.close()
    started = time.monotonic()
    while connection.predict(signature_name="sample", instances=[1])[0] == 503:
        time.sleep(0.05)
    assert time.monotonic() - started < 8  # All of them take half a minute.


@pytest.mark.slow
def test_sigterm_waits_for_running_requests():
    folder = served.export("mixture").version.parent
    with model_servers.rest(folder) as (process, address):
        client = Connection(address)
        client.http.request("POST", f"{MODEL}:predict", LARGE)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        reply = json.loads(client.http.getresponse().read())
        client.close()
        assert len(reply["outputs"]["components"]) == 1024
        assert process.wait(30) == 0


NUM_CLIENTS, NUM_REQUESTS = 64, 5000


@pytest.mark.slow
def test_load_with_a_reload_in_the_middle(tmp_path):
    """Each reply is that of its seeds, of the old or the new version."""
    folder, seeds = tmp_path / "digits", np.arange(200)
    put("mixture", folder)
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
            await asyncio.to_thread(put, "plain", folder)
            await gathered

    with model_servers.rest(folder, "--poll_seconds=0.05") as (process, address):
        asyncio.run(load(address, process))
    assert (versions[0], versions[-1]) == (1, 2)
    # After the switch, only running requests get the old version.
    assert 1 not in versions[versions.index(2) + 2 * NUM_CLIENTS :]
    pages = 16 * 2**20 // os.sysconf("SC_PAGE_SIZE")
    assert abs(memories[4900] - memories[3500]) < pages
    assert process.log == ["serve.py: serving version 2\n"]
