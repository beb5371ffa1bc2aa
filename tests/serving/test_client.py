"""The client gets what the live model gives, over every wire, or an error that says why not."""

import contextlib
import functools
import http.server
import io
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import commands
import grpc
import model_servers
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import pictures
from tfgans.serving.client.client import Client, Metadata, ServingError
from tfgans.serving.client.rest_format import SignatureInfo, TensorInfo

WIRES = ["rest", "grpc", "tf_serving_rest", "tf_serving_grpc"]


@pytest.fixture(scope="module")
def tf_serving(exported):
    if model_servers.TF_SERVING is None:
        pytest.skip("tensorflow_model_server is not installed")
    with model_servers.tf_serving(exported("mixture").version.parent) as addresses:
        yield dict(zip(("tf_serving_rest", "tf_serving_grpc"), addresses, strict=True))


@pytest.fixture(scope="module")
def double(exported):
    with model_servers.grpc_double(exported("mixture").version.parent) as (address, double):
        yield address, double


@pytest.fixture(scope="module", params=WIRES)
def address(request):
    if request.param == "rest":
        return request.getfixturevalue("rest_server")
    if request.param == "grpc":
        return request.getfixturevalue("double")[0]
    return request.getfixturevalue("tf_serving")[request.param]


@pytest.fixture
def client(address):
    with Client(address, model="mixture", batch_size=5) as client:
        yield client


@pytest.fixture(scope="module")
def live(exported):
    return exported("mixture").live


def test_generate_is_the_sample_of_the_live_model(client, live):
    images = client.generate(12, seed=3)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, live.sample(12, seed=3), atol=1e-5)


def test_sample_of_seeds(client, live):
    seeds = np.array([5, -(2**63), 2**63 - 1, 0, 1, 2, 3])
    expected = np.concatenate([live.sample(1, seed=int(seed)) for seed in seeds])
    np.testing.assert_allclose(client.sample(seeds), expected, atol=1e-5)


def test_component_pins(client, live):
    expected = live.sample(7, seed=3, component=2)
    np.testing.assert_allclose(client.generate(7, seed=3, component=2), expected, atol=1e-5)


def test_mixture_weights(client):
    np.testing.assert_allclose(client.mixture_weights(), [0.5, 0.3, 0.2], atol=1e-6)


def test_bytes_arrive(client, live):
    files = client.predict("sample_png", {"seed": [1, 2]})["image_bytes"]
    for file, seed in zip(files, (1, 2), strict=True):
        with Image.open(io.BytesIO(file)) as picture:
            expected = pictures.to_uint8(live.sample(1, seed=seed))[0, ..., 0]
            assert np.abs(np.asarray(picture).astype(int) - expected).max() <= 1


def test_scalars_go_too(client, live):
    made = client.predict("generate", {"num": 4, "seed": 3})
    np.testing.assert_allclose(made["images"], live.sample(4, seed=3), atol=1e-5)
    np.testing.assert_array_equal(made["components"], live.sample_components(4, seed=3))


def test_status_and_metadata(client, exported):
    assert client.status() == [(1, "AVAILABLE", "")]
    version, signatures = client.metadata()
    assert version == 1
    loaded = tf.saved_model.load(str(exported("mixture").version))
    assert signatures.keys() == set(loaded.signatures)
    for name, info in signatures.items():
        specs = loaded.signatures[name].structured_input_signature[1]
        assert info.inputs == {
            key: (spec.dtype.name, tuple(spec.shape)) for key, spec in specs.items()
        }
        outputs = loaded.signatures[name].structured_outputs
        assert {key: one.dtype for key, one in info.outputs.items()} == {
            key: spec.dtype.name for key, spec in outputs.items()
        }


def test_pinned_version(address):
    with Client(address, model="mixture", version=1) as client:
        assert client.sample([1]).shape == (1, 8, 8, 1)
    for missing in (
        {"model": "mixture", "version": 99},
        {"model": "mixture", "label": "stable"},
        {"model": "other"},
    ):
        with Client(address, **missing) as client, pytest.raises(ServingError) as caught:
            client.sample([1])
        assert caught.value.code in ("404", "NOT_FOUND", "400", "INVALID_ARGUMENT")


def test_what_the_model_refuses(client):
    latents = np.zeros((1, 4))
    with pytest.raises(ServingError, match="from 0 to 2") as caught:
        client.predict("component", {"latents": latents, "components": [3]})
    assert caught.value.code in ("400", "INVALID_ARGUMENT")
    with pytest.raises(ServingError, match="must be finite"):
        client.predict("serving_default", {"latents": latents * np.nan})
    # The next request is as good as before.
    assert client.sample([1]).shape == (1, 8, 8, 1)


WRONG_CALLS = {
    "signature": (lambda c: c.predict("samples", {}), "no signature 'samples', but: component"),
    "inputs": (lambda c: c.predict("sample", {"seeds": [1]}), "are: seed. Received: seeds"),
    "float seed": (lambda c: c.sample([1.5]), "`seeds` must be ints"),
    "no seed": (lambda c: c.sample([]), "one or more"),
    "seed too large": (lambda c: c.sample([2**63]), "of int64"),
    "no sample": (lambda c: c.generate(0, 1), "at least 1"),
    "component": (lambda c: c.generate(1, 1, component=-1), "`component` must be an int"),
    "labels": (lambda c: c.sample([1], labels=3), "is not conditional"),
    "components of 2**31": (
        lambda c: c.predict("component", {"latents": np.zeros((1, 4)), "components": [2**31]}),
        "of int32",
    ),
    "text": (lambda c: c.predict("serving_default", {"latents": [["a"]]}), "of float32"),
}


@pytest.mark.parametrize("case", WRONG_CALLS)
def test_wrong_calls(rest_server, case):
    call, message = WRONG_CALLS[case]
    with Client(rest_server, model="mixture") as client, pytest.raises(ValueError, match=message):
        call(client)


WRONG_ARGUMENTS = {
    "address": ({"address": "localhost:8501"}, "must be http://HOST:PORT"),
    "grpc without a port": ({"address": "grpc://localhost"}, "grpc://HOST:PORT"),
    "port": ({"address": "http://localhost:99999"}, "must be http://HOST:PORT"),
    "port of letters": ({"address": "http://localhost:abc"}, "must be http://HOST:PORT"),
    "path after grpc": ({"address": "grpc://localhost:1/x"}, "grpc://HOST:PORT"),
    "model": ({"model": "a/b"}, "name of a served model"),
    "method": ({"model": "a:predict"}, "name of a served model"),
    "label": ({"label": 3}, "`label`"),
    "endless": ({"timeout": float("inf")}, "`timeout`"),
    "no timeout": ({"timeout": None}, "`timeout`"),
    "version": ({"version": -1}, "`version`"),
    "both": ({"version": 1, "label": "stable"}, "not both"),
    "timeout": ({"timeout": 0}, "`timeout`"),
    "retries": ({"retries": -1}, "`retries`"),
    "batch size": ({"batch_size": 0}, "`batch_size`"),
}


@pytest.mark.parametrize("case", WRONG_ARGUMENTS)
def test_wrong_arguments(case):
    given, message = WRONG_ARGUMENTS[case]
    with pytest.raises(ValueError, match=message):
        Client(**{"address": "http://localhost:1", "model": "m", **given})


@pytest.fixture(scope="module")
def conditional(exported):
    folder = exported("conditional").version.parent
    with (
        model_servers.grpc_double(folder) as (address, _),
        Client(address, model=folder.name) as client,
    ):
        yield client


class TestConditional:
    """Classes are drawn from the seeds, or given."""

    @pytest.mark.parametrize("labels", [None, 7, [3, 1, 4, 1, 5]])
    def test_labels(self, conditional, exported, labels):
        expected = exported("conditional").live.sample(5, seed=3, labels=labels)
        made = conditional.generate(5, seed=3, labels=labels)
        np.testing.assert_allclose(made, expected, atol=1e-5)

    def test_wrong_labels(self, conditional):
        with pytest.raises(ServingError, match="classes from 0 to 9"):
            conditional.sample([1], labels=10)
        with pytest.raises(ValueError, match="`labels` must be of int32"):
            conditional.sample([1], labels=2**32 + 3)
        with pytest.raises(ValueError, match="must be 2, one an example"):
            conditional.sample([1, 2], labels=[1, 2, 3])
        with pytest.raises(ValueError, match="needs `labels`"):
            conditional.sample([1], component=0)


class TestMishaps:
    """What is repeated, and what is not."""

    def test_grpc_unavailable_is_repeated(self, double):
        address, server = double
        with Client(address, model="mixture", retries=2) as client:
            client.metadata()
            server.mishaps, server.calls = [grpc.StatusCode.UNAVAILABLE] * 2, 0
            assert client.mixture_weights().shape == (3,)
            assert server.calls == 3
            server.mishaps = [grpc.StatusCode.UNAVAILABLE] * 3
            with pytest.raises(ConnectionError, match="cannot be reached"):
                client.mixture_weights()
            server.mishaps, server.calls = [grpc.StatusCode.INTERNAL], 0
            with pytest.raises(ServingError, match="INTERNAL: a mishap"):
                client.mixture_weights()
            assert server.calls == 1

    def test_grpc_timeout(self, double):
        address, server = double
        with Client(address, model="mixture", timeout=0.2) as client:
            client.metadata()
            server.delay = 1.0
            try:
                with pytest.raises(TimeoutError, match=r"within 0\.2 s"):
                    client.mixture_weights()
            finally:
                server.delay = 0.0

    def test_rest_connections_are_repeated(self):
        with scripted([None, None, WEIGHTS]) as (address, server):
            with Client(address, model="m", retries=2) as client:
                client._known = METADATA
                np.testing.assert_allclose(client.mixture_weights(), [0.25, 0.75])
            assert server.methods == ["POST"] * 3
        started = time.monotonic()
        with (
            Client(address, model="m", retries=2) as client,
            pytest.raises(ConnectionError, match="cannot be reached"),
        ):
            client.status()
        assert time.monotonic() - started >= 0.3  # 0.1 s and 0.2 s of pauses

    @pytest.mark.parametrize(
        ("reply", "message", "code"),
        [
            ((503, b'{"error": "busy"}'), "503: busy", "503"),
            ((404, b'{"error": "no model"}'), "404: no model", "404"),
            ((502, b"<html>Bad Gateway</html>"), "502: <html>", "502"),
            ((200, b"[]"), "200", "200"),
            ((200, b'{"outputs": {"weights": "a"}}'), "as TF Serving does", "200"),
            ((200, b'{"predictions": []}'), "as TF Serving does", "200"),
            ((302, b""), "302", "302"),
        ],
    )
    def test_rest_replies_are_not_repeated(self, reply, message, code):
        with scripted([reply]) as (address, server), Client(address, model="m") as client:
            client._known = METADATA
            with pytest.raises(ServingError, match=message) as caught:
                client.mixture_weights()
            assert caught.value.code == code
            assert server.methods.count("POST") == 1

    def test_rest_timeout(self):
        with scripted(["slow"]) as (address, server):
            with (
                Client(address, model="m", timeout=0.2) as client,
                pytest.raises(TimeoutError, match=r"within 0\.2 s"),
            ):
                client.status()
            assert server.methods == ["GET"]

    @pytest.mark.parametrize(("gone", "asked"), [((), 3), ((1,), 4), ((1, 2, 3), None)])
    def test_all_rows_are_of_one_version(self, monkeypatch, gone, asked):
        with Client("http://localhost:1", model="m", batch_size=2) as client:
            versions, calls = iter([1, 2, 3, 4]), []
            known = METADATA._replace(signatures={"x": SignatureInfo(SEED, SEED)})

            def metadata():
                client._known = known._replace(version=next(versions))
                return client._known

            def predict(_, inputs, info, version):
                calls.append(version)
                if version in gone:
                    raise ServingError("gone", code="404")
                return inputs

            monkeypatch.setattr(client, "metadata", metadata)
            monkeypatch.setattr(client._transport, "predict", predict)
            if asked is None:
                with pytest.raises(ServingError, match="gone"):
                    client._in_batches("x", {"seed": np.arange(5)})
                assert calls == [1, 2, 3]
                return
            made = client._in_batches("x", {"seed": np.arange(5)})
            np.testing.assert_array_equal(made["seed"], np.arange(5))
            assert len(calls) == asked
            assert len(set(calls[-3:])) == 1

    def test_signatures_of_a_new_version_are_learned(self, rest_server):
        with Client(rest_server, model="mixture") as client:
            stale = client.metadata()
            other = SignatureInfo(SEED, {"images": TensorInfo("float32", (None, 5))})
            client._known = stale._replace(
                version=0, signatures={"sample_at": other, "sample": other}
            )
            assert client.predict("sample", {"seed": [1]})["images"].shape == (1, 8, 8, 1)
            client._known = stale._replace(version=0, signatures={})
            assert client.mixture_weights().shape == (3,)

    def test_a_trickle_is_a_timeout(self):
        with (
            scripted(["trickle"]) as (address, _),
            Client(address, model="m", timeout=0.3) as client,
        ):
            started = time.monotonic()
            with pytest.raises(TimeoutError, match=r"within 0\.3 s"):
                client.status()
            assert time.monotonic() - started < 1.5

    def test_grpc_server_that_comes_up_late(self, exported):
        folder = exported("mixture").version.parent
        with model_servers.grpc_double(folder) as (address, _):
            pass  # its port is free again
        with Client(address, model="mixture", retries=7) as client, ThreadPoolExecutor(1) as pool:
            found = pool.submit(client.status)
            time.sleep(0.3)
            with model_servers.grpc_double(folder, port=int(address.rpartition(":")[2])):
                assert found.result(20) == [(1, "AVAILABLE", "")]


SEED = {"seed": TensorInfo("int64", (None,))}
WEIGHTS = 200, b'{"outputs": [0.25, 0.75]}'
METADATA = Metadata(
    1,
    {"mixture_weights": SignatureInfo({}, {"weights": TensorInfo("float32", (2,))})},
)


class scripted:  # noqa: N801
    """A server that gives the replies in turn; None drops the connection."""

    def __init__(self, replies):
        outer, self.methods = self, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = replies[min(len(outer.methods), len(replies) - 1)]
                outer.methods.append(self.command)
                if reply == "slow":
                    time.sleep(0.6)
                elif reply == "trickle":
                    self.send_response(200)
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        for _ in range(20):
                            self.wfile.write(b" ")
                            time.sleep(0.1)
                elif reply is not None:
                    self.send_response(reply[0])
                    self.send_header("Content-Length", str(len(reply[1])))
                    self.end_headers()
                    self.wfile.write(reply[1])

            do_GET = do_POST  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        threading.Thread(target=functools.partial(self.server.serve_forever, 0.02)).start()
        return f"http://127.0.0.1:{self.server.server_port}", self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_client_needs_no_tensorflow(rest_server):
    script = f"""
import json, sys
for name in ("tensorflow", "keras", "grpc", "scipy", "google.protobuf"):
    sys.modules[name] = None
from tfgans.serving.client.client import Client
with Client({rest_server!r}, model="mixture") as client:
    print(json.dumps(client.generate(2, seed=1).shape))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [2, 8, 8, 1], done.stderr


def test_grpc_without_its_packages(monkeypatch):
    monkeypatch.setitem(sys.modules, "tfgans.serving.client.grpc_transport", None)
    with pytest.raises(ImportError, match=r"\.\[serving\]"):
        Client("grpc://localhost:1", model="m")


def test_script_samples_from_a_server(rest_server, live, tmp_path):
    flags = f"--server={rest_server} --name=mixture --num=70 --seed=3 --out={{out}}"
    done = commands.run("sample.py", flags, out=tmp_path / "s.npy")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), live.sample(70, seed=3), atol=1e-5)
    assert done.stdout == f"{tmp_path}/s.npy: 70 samples of shape (8, 8, 1)\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--server=http://127.0.0.1:1 --name=m", "cannot be reached"),
        ("--server={server} --name=other", "404: Servable not found"),
        ("--server={server} --name=mixture --version=7", "404: Servable not found"),
        ("--server={server} --name=mixture --component=5", "from 0 to 2"),
        ("--server={server} --name=mixture --label=1", "is not conditional"),
        ("--server={server} --name=mixture --refine=latent", "--refine is of --run_dir"),
        ("--server={server}", "belong together"),
        ("--server=localhost --name=m", "must be http://HOST:PORT"),
        ("--run_dir=x --version=1", "--version is of --server"),
    ],
)
def test_script_tells_in_one_line(rest_server, tmp_path, flags, message):
    flags = flags.replace("{server}", rest_server) + " --out={out}"
    done = commands.run("sample.py", flags, out=tmp_path / "s.npy")
    assert done.returncode in (1, 2)
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "s.npy").exists()


REGISTERED = """
import tfgans
import keras
print(keras.saving.get_registered_object("tfgans>WGANGP").__name__)
"""


def test_keras_knows_our_classes_whichever_is_imported_first():
    done = subprocess.run([sys.executable, "-c", REGISTERED], capture_output=True, text=True)
    assert done.stdout == "WGANGP\n", done.stderr
