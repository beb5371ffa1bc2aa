"""bin/serve.py keeps TF Serving's rules, whatever it is sent, and loses nothing on the way."""

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
import urllib.parse
import weakref

import aiohttp
import commands
import model_servers
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.python.saved_model import loader_impl
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from tfgans.export import publish
from tfgans.serving.client.rest_format import InvalidRequestError, TensorInfo, from_json, to_json
from tfgans.serving.server import batching, server
from tfgans.serving.server.served_model import ModelFolder

MODEL = "/v1/models/mixture"


class Talk:
    """Requests on one connection, as HTTP has them."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc)

    def __call__(self, method, path, body=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        self.connection.request(method, path, body)
        reply = self.connection.getresponse()
        return reply.status, json.loads(reply.read())

    def close(self):
        self.connection.close()

    def predict(self, **body):
        return self("POST", f"{MODEL}:predict", body)


@pytest.fixture(scope="module")
def talk(rest_server):
    with contextlib.closing(Talk(rest_server)) as talk:
        yield talk


@pytest.fixture(scope="module", params=["bin/serve.py", "tensorflow_model_server"])
def conforming(request, exported):
    """To talk to our server, and to the one whose rules it keeps."""
    if request.param == "bin/serve.py":
        yield request.getfixturevalue("talk")
        return
    if model_servers.TF_SERVING is None:
        pytest.skip("tensorflow_model_server is not installed")
    with (
        model_servers.tf_serving(exported("mixture").version.parent) as (address, _),
        contextlib.closing(Talk(address)) as talk,
    ):
        yield talk


@pytest.fixture(scope="module")
def direct(exported):
    """The SavedModel itself."""
    model = tf.saved_model.load(str(exported("mixture").version))

    def call(signature, **inputs):
        given = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: one.numpy() for name, one in model.signatures[signature](**given).items()}

    return call


class TestConformance:
    """What https://www.tensorflow.org/tfx/serving/api_rest says."""

    def test_status(self, conforming):
        for path in (MODEL, f"{MODEL}/versions/1"):
            code, reply = conforming("GET", path)
            assert code == 200
            proto = json_format.ParseDict(reply, get_model_status_pb2.GetModelStatusResponse())
            (status,) = proto.model_version_status
            assert status.version == 1
            assert status.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE
            # int64 is text in the JSON of protos, and empty fields are there.
            assert reply["model_version_status"][0] == {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }

    def test_metadata(self, conforming, exported):
        code, reply = conforming("GET", f"{MODEL}/metadata")
        assert code == 200
        spec = json_format.ParseDict(reply["model_spec"], model_pb2.ModelSpec())
        assert (spec.name, spec.version.value) == ("mixture", 1)
        found = json_format.ParseDict(
            reply["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
        )
        saved = loader_impl.parse_saved_model(str(exported("mixture").version))
        assert dict(found.signature_def) == dict(saved.meta_graphs[0].signature_def)

    def test_rows_and_columns(self, conforming, direct):
        latents = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")
        images = direct("serving_default", latents=latents)["images"]
        made = direct("sample", seed=np.array([1, 2]))
        rows = [{"seed": 1}, {"seed": 2}]
        for body, key, expected in [
            ({"instances": latents.tolist()}, "predictions", images),
            ({"instances": [{"latents": one} for one in latents.tolist()]}, "predictions", images),
            ({"inputs": latents.tolist()}, "outputs", images),
            ({"inputs": {"latents": latents.tolist()}}, "outputs", images),
        ]:
            code, reply = conforming.predict(**body)
            assert code == 200, reply
            assert reply.keys() == {key}
            np.testing.assert_allclose(reply[key], expected, atol=1e-6)
        for instances in ([1, 2], rows):
            _, reply = conforming.predict(signature_name="sample", instances=instances)
            assert [one.keys() for one in reply["predictions"]] == [{"images", "components"}] * 2
            for row, one in enumerate(reply["predictions"]):
                np.testing.assert_allclose(one["images"], made["images"][row], atol=1e-6)
                assert one["components"] == made["components"][row]
        _, reply = conforming.predict(signature_name="sample", inputs={"seed": [1, 2]})
        assert reply["outputs"].keys() == {"images", "components"}
        assert reply["outputs"]["components"] == made["components"].tolist()

    def test_no_inputs_and_scalars(self, conforming, direct):
        _, reply = conforming.predict(signature_name="mixture_weights", inputs={})
        np.testing.assert_allclose(reply["outputs"], [0.5, 0.3, 0.2], atol=1e-6)
        _, reply = conforming.predict(signature_name="generate", inputs={"num": 3, "seed": 7})
        expected = direct("generate", num=np.int32(3), seed=np.int64(7))["images"]
        np.testing.assert_allclose(reply["outputs"]["images"], expected, atol=1e-6)

    def test_bytes(self, conforming, direct):
        (expected,) = direct("sample_png", seed=np.array([4]))["image_bytes"]
        for shape in ("instances", "inputs"):
            _, reply = conforming.predict(signature_name="sample_png", **{shape: [4]})
            (value,) = reply["predictions" if shape == "instances" else "outputs"]
            assert base64.b64decode(value["b64"]) == expected

    def test_pinned_version(self, conforming):
        body = {"signature_name": "sample", "instances": [1]}
        assert conforming("POST", f"{MODEL}/versions/1:predict", body)[0] == 200
        for path in ("/versions/2", "/labels/stable"):
            code, reply = conforming("POST", f"{MODEL}{path}:predict", body)
            assert (code, reply.keys()) == (404, {"error"})


BAD_BODIES = {
    "no JSON": (b"{", "must be JSON"),
    "no text": (b"\xff\xfe", "must be JSON"),
    "no object": (b"[1]", "a JSON object"),
    "deep": (b"[" * 100_000, "must be JSON"),
    "long number": (b'{"instances": [' + b"9" * 5000 + b"]}", "must be JSON"),
    "empty": (b"{}", '"instances" (rows) or "inputs"'),
    "rows and columns": ({"instances": [1], "inputs": [1]}, "either"),
    "rows of nothing": ({"instances": []}, "a row or more"),
    "rows of no list": ({"instances": 3}, "a row or more"),
    "unequal rows": ({"instances": [{"seed": 1}, {"seeds": 1}]}, "the same inputs"),
    "mixed rows": ({"instances": [{"seed": 1}, 1]}, "type dict"),
    "unknown signature": ({"signature_name": "x", "instances": [1]}, "no signature 'x', but"),
    "signature of a list": ({"signature_name": ["x"], "instances": [1]}, "no signature"),
    "unknown input": ({"inputs": {"seed": [1], "x": [1]}}, "must be: seed. Received: seed, x"),
    "missing input": ({"signature_name": "sample_at", "inputs": {"seed": [1]}}, "index, seed"),
    "one for two": ({"signature_name": "sample_at", "inputs": [1]}, "an object with"),
    "inputs for none": ({"signature_name": "mixture_weights", "inputs": [1]}, "no inputs"),
    "float seed": ({"instances": [1.0]}, "int64. Received: JSON values of type float"),
    "bool seed": ({"instances": [True]}, "type bool"),
    "text seed": ({"instances": ["1"]}, "type str"),
    "null seed": ({"instances": [None]}, "type NoneType"),
    "seed too large": ({"instances": [2**63]}, "outside its range"),
    "other axes": ({"instances": [[1]]}, "another number of axes"),
    "scalar": ({"inputs": 1}, "another number of axes"),
    "ragged": (
        {"signature_name": "serving_default", "instances": [[1, 2, 3, 4], [1]]},
        "unequal lengths",
    ),
    "latent size": ({"signature_name": "serving_default", "instances": [[1, 2]]}, "[batch, 4]"),
    "NaN": ({"signature_name": "serving_default", "instances": [[float("nan")] * 4]}, "finite"),
    "infinity": ({"signature_name": "serving_default", "instances": [[1e999] * 4]}, "finite"),
    "not in float32": ({"signature_name": "serving_default", "instances": [[1e300] * 4]}, "finite"),
    "negative component": (
        {"signature_name": "component", "inputs": {"latents": [[0] * 4], "components": [-1]}},
        "from 0 to 2",
    ),
    "unequal batches": (
        {"signature_name": "sample_at", "inputs": {"seed": [1, 2], "index": [1]}},
        "as many rows as each other",
    ),
    "no rows": ({"inputs": {"seed": []}}, "from 1 to 1024 rows"),
    "huge batch": ({"inputs": {"seed": [1] * 1025}}, "from 1 to 1024 rows"),
    "huge number": (
        {"signature_name": "generate", "inputs": {"num": 2**31 - 1, "seed": 1}},
        "from 1 to 1024",
    ),
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_bad_bodies(talk, case):
    body, message = BAD_BODIES[case]
    if isinstance(body, dict) and "signature_name" not in body:
        body = {"signature_name": "sample", **body}
    code, reply = talk("POST", f"{MODEL}:predict", body)
    assert code == 400
    assert message in reply["error"]
    assert talk.predict(signature_name="sample", instances=[1])[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/", 200),
        ("GET", "/v1/models/other", 404),
        ("GET", f"{MODEL}/versions/2", 404),
        ("GET", f"{MODEL}/versions/-1", 404),
        ("GET", f"{MODEL}/versions/1e9", 404),
        ("GET", f"{MODEL}/versions/../../../etc/passwd", 404),
        ("GET", f"{MODEL}/versions/..%2F..%2F1", 404),
        ("GET", f"{MODEL}/versions/{'9' * 100}", 404),
        ("GET", f"{MODEL}/versions/{'9' * 5000}", 404),
        ("GET", f"{MODEL}/versions/%D9%A1", 404),
        ("GET", "/../server.py", 404),
        ("GET", "/explorer/../server.py", 404),
        ("GET", f"{MODEL}:predict", 405),
        ("DELETE", MODEL, 405),
        ("POST", "/v1/models/other:predict", 404),
        ("POST", f"{MODEL}/versions/0:predict", 404),
        ("POST", f"{MODEL}:classify", 404),
    ],
)
def test_paths(talk, method, path, code):
    talk.connection.request(method, path, b'{"instances": [1]}' if method == "POST" else None)
    reply = talk.connection.getresponse()
    body = reply.read()
    assert reply.status == code
    if path != "/":
        assert json.loads(body)["error"]


def test_body_over_the_limit(rest_server):
    talk = Talk(rest_server)
    code, reply = talk("POST", f"{MODEL}:predict", b" " * (2**20 + 1))
    assert code == 413
    assert "size 1048576 exceeded" in reply["error"]
    talk.close()


def test_fuzzed_bodies(rest_server):
    rng = random.Random(0)
    whole = json.dumps(
        {"signature_name": "sample_at", "inputs": {"seed": [1, 2], "index": [3, 4]}}
    ).encode()
    talk, codes = Talk(rest_server), set()
    for _ in range(400):
        body = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(body))
            change = rng.choice(["flip", "cut", "double", "swap"])
            if change == "flip":
                body[at] = rng.randrange(256)
            elif change == "cut":
                del body[at : at + rng.randint(1, 8)]
            elif change == "double":
                body[at:at] = body[at : at + rng.randint(1, 20)]
            else:
                body[at:at] = rng.choice([b"null", b"[]", b"{}", b"1e400", b"-1", b'"', b"true"])
            if not body:
                break
        code, reply = talk("POST", f"{MODEL}:predict", bytes(body))
        codes.add(code)
        assert code == 200 or (code == 400 and reply["error"]), (code, bytes(body), reply)
    assert codes == {200, 400}
    talk.close()


class TestBatcher:
    """Requests that come together run together, and each gets its own rows."""

    def submit(self, run, requests):
        async def all_of_them():
            with concurrent.futures.ThreadPoolExecutor(1) as executor:
                batcher = batching.Batcher(run, executor, max_rows=8)
                asked = [batcher.submit({"x": np.array(rows)}) for rows in requests]
                together = asyncio.gather(*asked, return_exceptions=True)
                return await asyncio.wait_for(together, 10)

        return asyncio.run(all_of_them())

    def test_rows_come_back_to_their_request(self):
        sizes = []

        def double(inputs):
            sizes.append(len(inputs["x"]))
            return {"y": 2 * inputs["x"]}

        requests = [[1], [2, 3], [4], [5, 6, 7, 8, 9], [10]]
        replies = self.submit(double, requests)
        for request, reply in zip(requests, replies, strict=True):
            np.testing.assert_array_equal(reply["y"], 2 * np.array(request))
        assert sizes == [4, 6]  # as many whole requests as fit into 8 rows

    def test_one_bad_request_fails_alone(self):
        runs = []

        def refuse(inputs):
            runs.append(inputs)
            if (inputs["x"] < 0).any():
                raise InvalidRequestError("negative")
            return inputs

        *good, bad = self.submit(refuse, [[1], [2], [3], [4], [5], [6], [7], [-1]])
        assert [one["x"].tolist() for one in good] == [[1], [2], [3], [4], [5], [6], [7]]
        assert isinstance(bad, InvalidRequestError)
        assert len(runs) == 7  # 8, 4 and 4, 2 and 2, 1 and 1

    def test_what_cannot_be_joined_runs_alone(self):
        replies = self.submit(lambda inputs: inputs, [[[1]], [[2, 3]], [[4]]])
        assert [one["x"].tolist() for one in replies] == [[[1]], [[2, 3]], [[4]]]

    def test_a_failure_reaches_all(self):
        def fail(_):
            raise MemoryError

        assert [type(one) for one in self.submit(fail, [[1], [2]])] == [MemoryError] * 2


class TestServer:
    """Limits, and who may ask; of a server in this process."""

    def make(self, exported, **options):
        return server.Server(ModelFolder(exported("points").version.parent), name="m", **options)

    def test_rows_that_may_wait(self, exported):
        serving = self.make(exported, limits=server.Limits(rows=4, waiting_rows=6))

        async def ask(rows):
            async def run():
                await asyncio.sleep(0.01)
                return {}

            return await serving._counted(rows, run)

        async def three():
            asked = [ask(rows) for rows in (4, 2, 1)]
            return await asyncio.gather(*asked, return_exceptions=True), await ask(6)

        (first, second, third), later = asyncio.run(three())
        assert (first, second, later) == ({}, {}, {})
        assert third.status == 503
        assert "Try again later" in third.text

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"name": "a/b"}, "plain text without"),
            ({"name": "a:b"}, "plain text without"),
            ({"name": "m", "limits": server.Limits(rows=9, waiting_rows=8)}, "able to wait"),
        ],
    )
    def test_wrong_arguments(self, options, message):
        with pytest.raises(ValueError, match=message):
            server.Server(None, **options)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
    ],
)
def test_only_this_machine_may_ask(talk, headers, code):
    talk.connection.request("GET", MODEL, headers=headers)
    reply = talk.connection.getresponse()
    assert ("error" in json.loads(reply.read())) == (code == 403)
    assert reply.status == code


def test_who_leaves_is_not_computed_for(rest_server, talk):
    """A hundred large requests whose askers have gone do not hold up the next one."""
    body = json.dumps({"signature_name": "generate", "inputs": {"num": 1024, "seed": 1}})
    for _ in range(100):
        gone = Talk(rest_server)
        gone.connection.request("POST", f"{MODEL}:predict", body)
        gone.close()
    started = time.monotonic()
    while talk.predict(signature_name="sample", instances=[1])[0] == 503:
        time.sleep(0.05)
    assert time.monotonic() - started < 8  # they would take half a minute


def test_broken_requests_get_an_answer(rest_server):
    for header in ("Content-Encoding: deflate", "Content-Encoding: br", "Content-Length: -5"):
        with socket.create_connection(("127.0.0.1", int(rest_server.rpartition(":")[2]))) as raw:
            text = f"POST {MODEL}:predict HTTP/1.1\r\nHost: localhost\r\n{header}\r\n"
            text += "" if "Length" in header else "Content-Length: 4\r\n"
            raw.sendall(f"{text}\r\nabcd".encode())
            assert b" 400 " in raw.recv(4096).splitlines()[0], header


class TestFormat:
    """JSON values of tensors."""

    @pytest.mark.parametrize(
        ("array", "shape"),
        [
            (np.array(3, np.int32), ()),
            (np.zeros((0, 4), np.float32), (None, 4)),
            (np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32"), (None, 3, None)),
            (np.array([[2**63 - 1], [-(2**63)]]), (None, 1)),
            (np.array([True, False]), (2,)),
        ],
    )
    def test_there_and_back(self, array, shape):
        text = json.dumps(to_json("x", array))
        found = from_json("x", json.loads(text), TensorInfo(array.dtype.name, shape))
        assert found.dtype == array.dtype
        if array.size:
            np.testing.assert_array_equal(found, array)

    def test_strings(self):
        strings = np.array([b"a\0b", b"\xff"], object)
        json_value = to_json("x_bytes", strings)
        assert json_value == [{"b64": "YQBi"}, {"b64": "/w=="}]
        info = TensorInfo("string", (None,))
        assert from_json("x_bytes", json_value, info).tolist() == strings.tolist()
        assert from_json("x", ["a", {"b64": "/w=="}], info).tolist() == [b"a", b"\xff"]
        assert to_json("x", np.array([b"text"], object)) == ["text"]
        for bad in ([1], [{"b64": "?"}], [{"b64": 1}], [{"b": "YQ=="}]):
            with pytest.raises(ValueError, match="'x' must be"):
                from_json("x", bad, info)


def put(version, folder):
    """Publishes a copy of a version as the next one below `folder`."""
    folder.mkdir(exist_ok=True)
    shutil.copytree(version, folder / ".copy")
    return publish.publish(folder / ".copy", folder)


class TestFolder:
    """Which version is served as versions come and go."""

    def test_newest_is_loaded_and_a_broken_one_is_told(self, exported, tmp_path):
        put(exported("points").version, tmp_path)
        folder = ModelFolder(tmp_path)
        assert folder.refresh() is None
        put(exported("points").version, tmp_path)
        assert folder.refresh().version == 2
        broken = put(exported("points").version, tmp_path)
        (broken / "saved_model.pb").write_bytes(b"no proto")
        assert folder.refresh() is None
        end, available = folder.status()
        assert (end.version, end.state, available) == (3, "END", (2, "AVAILABLE", ""))
        assert "cannot be served" in end.error
        # A whole one under the same number is another one.
        shutil.rmtree(broken)
        assert folder.status() == [(2, "AVAILABLE", "")]
        put(exported("points").version, tmp_path)
        assert folder.refresh().version == 3
        # Taken back: the one before answers again.
        shutil.rmtree(tmp_path / "3")
        assert folder.refresh().version == 2
        assert folder.status() == [(2, "AVAILABLE", "")]

    def test_an_old_version_leaves_the_memory(self, exported, tmp_path):
        put(exported("points").version, tmp_path)
        folder = ModelFolder(tmp_path)
        graph = weakref.ref(folder.current._loaded.signatures["sample"].graph)
        put(exported("points").version, tmp_path)
        folder.refresh()
        assert graph() is None

    @pytest.mark.parametrize("case", ["nothing", "no version", "broken"])
    def test_nothing_to_serve(self, tmp_path, case):
        folder = tmp_path / "model"
        if case != "nothing":
            (folder / ("x" if case == "no version" else "1")).mkdir(parents=True)
        message = {"nothing": "It is none", "no version": "holds no version"}.get(case, "1 cannot")
        with pytest.raises(ValueError, match=message):
            ModelFolder(folder)


NUM_CLIENTS, NUM_REQUESTS = 64, 5000


def expected_images(version, seeds):
    model = tf.saved_model.load(str(version))
    return model.signatures["sample"](seed=tf.constant(seeds, tf.int64))["images"].numpy()


def memory(process):
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_load_with_a_reload_in_the_middle(exported, tmp_path):
    """64 clients, 5000 requests: each reply is that of its seeds, of the old or the new version."""
    folder = tmp_path / "digits"
    put(exported("mixture").version, folder)
    seeds = np.arange(200)
    of_version = [expected_images(exported(kind).version, seeds) for kind in ("mixture", "plain")]
    answered, memories = [], {}

    async def ask(session, address, rng):
        rows = rng.sample(range(len(seeds)), rng.randint(1, 4))
        body = {"signature_name": "sample", "inputs": {"seed": rows}}
        async with session.post(f"{address}/v1/models/digits:predict", json=body) as reply:
            assert reply.status == 200
            found = np.array((await reply.json())["outputs"]["images"], np.float32)
        same = [np.abs(found - one[rows]).max() < 1e-5 for one in of_version]
        assert sum(same) == 1
        answered.append(same.index(True) + 1)

    async def client(session, address, process, index):
        rng = random.Random(index)
        while len(answered) + NUM_CLIENTS <= NUM_REQUESTS:
            await ask(session, address, rng)
            if len(answered) in (3500, 4900):
                memories[len(answered)] = memory(process)

    async def load(address, process):
        connector = aiohttp.TCPConnector(limit=NUM_CLIENTS)
        async with aiohttp.ClientSession(connector=connector) as session:
            clients = [client(session, address, process, one) for one in range(NUM_CLIENTS)]
            gathered = asyncio.gather(*clients)
            while len(answered) < 1000:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(put, exported("plain").version, folder)
            await gathered

    with model_servers.rest(folder, "--poll_seconds=0.05") as (process, address):
        asyncio.run(load(address, process))
        assert len(answered) >= NUM_REQUESTS - NUM_CLIENTS
        assert answered[0] == 1
        assert answered[-1] == 2
        # Nobody is answered by the old version for longer than a request takes.
        switched = answered.index(2)
        assert 1 not in answered[switched + 2 * NUM_CLIENTS :]
        assert abs(memories[4900] - memories[3500]) < 16 * 2**20
        end_while_a_request_runs(process, address)
    assert process.log == ["tfgans serve: serving version 2\n"]


def end_while_a_request_runs(process, address):
    talk = Talk(address)
    body = json.dumps({"signature_name": "generate", "inputs": {"num": 1024, "seed": 1}})
    talk.connection.request("POST", "/v1/models/digits:predict", body)
    time.sleep(0.03)
    process.send_signal(signal.SIGTERM)
    reply = talk.connection.getresponse()
    assert len(json.loads(reply.read())["outputs"]["components"]) == 1024
    assert process.wait(30) == 0
    talk.close()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model_dir={folder}/none", "must be the folder of a model's versions"),
        ("--model_dir={folder}", "holds no version"),
        ("--model_dir={model}/1", "give the folder above"),
        ("--model_dir={model} --port=1 --host=203.0.113.1", "cannot listen on 203.0.113.1:1"),
        ("--model_dir={model} --port=70000", "port"),
    ],
)
@pytest.mark.slow
def test_bad_flags(exported, tmp_path, flags, message):
    model = exported("points").version.parent
    done = commands.run("serve.py", flags, folder=tmp_path, model=model)
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
