"""The development server answers as TensorFlow Serving does.

The cases are written from https://www.tensorflow.org/tfx/serving/api_rest and the protos of
tensorflow-serving-api, and from TensorFlow Serving's `json_tensor.cc` and its tests.
"""

import json

import numpy as np
import pytest
import served
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

M, ODD = "/v1/models/mixture", "/v1/models/odd"


def post(body, status, expected=None, path=f"{ODD}:predict", **headers):
    """A POST request, its status, and its reply or a part of its error."""
    return "POST", path, body, headers, status, expected


def get(path, status, expected=None, **headers):
    return "GET", path, None, headers, status, expected


def named(signature, status, expected=None, **body):
    return post({"signature_name": signature, **body}, status, expected)


def rows(signature, instances, status, expected=None):
    reply = {"predictions": expected} if status == 200 else expected
    return named(signature, status, reply, instances=instances)


def columns(signature, inputs, status, expected=None):
    reply = {"outputs": expected} if status == 200 else expected
    return named(signature, status, reply, inputs=inputs)


def nested(depth):
    value = 1.0
    for _ in range(depth):
        value = [value]
    return value


CASES = [
    # Rows.
    post({"instances": [1.0, 2.0, 5.0]}, 200, {"predictions": [2.5, 3.0, 4.5]}),
    post({"instances": [{"x": 1.0}, {"x": 2.0}]}, 200, {"predictions": [2.5, 3.0]}),
    post({"instances": [1.0], "other": 3}, 200, {"predictions": [2.5]}),
    rows("two", [{"a": 1.0, "b": 2.0}, {"b": 0.0, "a": 1.0}], 200, [
        {"difference": -1.0, "sum": 3.0}, {"difference": 1.0, "sum": 1.0},
    ]),
    rows("two", [1.0], 400, "object"),
    rows("two", [{"a": 1.0}], 400, "a, b"),
    rows("two", [{"a": 1.0, "b": 2.0, "c": 3.0}], 400, "a, b"),
    rows("two", [{"a": 1.0, "b": 2.0}, 3.0], 400, "objects"),
    rows("matrix", [[[1, 2], [3, 4]]], 200, [[[1.0, 2.0], [3.0, 4.0]]]),
    rows("matrix", [[[1, 2], [3, 4]], [[1, 2]]], 400, "unequal lengths"),
    rows("matrix", [[1, 2]], 400, "matrix"),
    rows("matrix", [[[1, 2, 3]]], 400, "shape"),
    columns("matrix", [], 400, "another number of axes"),
    post({"instances": []}, 400, "instances"),
    post({"instances": {}}, 400, "instances"),
    post({"instances": [1.0, [2.0]]}, 400),
    # Columns.
    post({"inputs": [1.0, 2.0]}, 200, {"outputs": [2.5, 3.0]}),
    post({"inputs": {"x": [1.0, 2.0]}}, 200, {"outputs": [2.5, 3.0]}),
    post({"inputs": []}, 200, {"outputs": []}),
    post({"inputs": {"x": [1.0], "other": "text"}}, 200, {"outputs": [2.5]}),
    post({"inputs": {"y": [1.0]}}, 400, "Missing: x"),
    post({"inputs": None}, 400),
    post({"inputs": [[1.0]]}, 400),
    columns("two", {"a": [1.0], "b": [2.0]}, 200, {"difference": [-1.0], "sum": [3.0]}),
    columns("two", [1.0], 400, "a, b"),
    columns("two", {"a": [1.0, 2.0], "b": [2.0]}, 400, "rows"),
    columns("uneven", [1.0, 2.0, 3.0], 200, {"all": [1.0, 2.0, 3.0], "first": [1.0]}),
    # Rows and columns, or neither.
    post({"instances": [1.0], "inputs": [1.0]}, 400, "either"),
    post({}, 400, "either"),
    # Replies that have no rows.
    rows("uneven", [1.0, 2.0], 400, "no rows in common"),
    rows("total", [1.0, 2.0], 400, "no rows in common"),
    columns("total", [1.0, 2.0], 200, 3.0),
    columns("scalar", 2.0, 200, 4.0),
    columns("scalar", [2.0], 400),
    rows("scalar", [2.0], 400),
    # Signatures.
    post({"signature_name": "", "instances": [1.0]}, 200, {"predictions": [2.5]}),
    named("unknown", 400, "not found in signature def", instances=[1.0]),
    *[
        post({"signature_name": name, "instances": [1.0]}, 400, "must be a string")
        for name in (1, None)
    ],
    named("no_inputs", 400, "without inputs", inputs={}),
    # Bodies that are not JSON, or no object.
    *[post(body, 400, "must be JSON") for body in (b"", b"\xff")],
    post(b"[" * 100_000, 400, "must be JSON"),
    post(b'{"instances": [' + b"9" * 5000 + b"]}", 400, "must be JSON"),
    post(b"[]", 400, "a JSON object"),
    *[
        post(text.encode(encoding), status, expected)
        for text in ('{"instances": [1.0]}',)
        for encoding, status, expected in (
            ("utf-8-sig", 200, {"predictions": [2.5]}), ("utf-16", 400, "must be JSON"),
            ("utf-16-le", 400, "must be JSON"), ("utf-32", 400, "must be JSON"),
        )
    ],
    # What comes after the object is ignored.
    *[
        post(b' \r\n\t{"instances": [1.0]}' + end, 200, {"predictions": [2.5]})
        for end in (b"x", b"}", b' {"instances": 1}', b"\x00")
    ],
    post(b'x{"instances": [1.0]}', 400, "must be JSON"),
    # Numbers.
    post({"instances": [True]}, 400, "bool"),
    post({"instances": ["1.0"]}, 400, "str"),
    post({"instances": [{"b64": "AAAA"}]}, 400),
    # Floats are rounded, and infinite beyond their range.
    columns("any_rank", [2**24 + 1, 0.1], 200, [2.0**24, 0.1]),
    named("any_rank", 200, inputs=[1435774380]),
    columns("any_rank", [1e39, 10**39, -1e39], 200, [np.inf, np.inf, -np.inf]),
    columns("double", [1e300, 2**53 + 1, 10**20], 200, [1e300, 2.0**53, 1e20]),
    columns("double", [10**400], 400, "beyond the range of float64"),
    *[post(b'{"inputs": [%s]}' % text, 400, "must be JSON") for text in (b"1e400", b"-1e400")],
    *[
        columns(name, [low, high], 200, [low, high])
        for name, low, high in (
            ("int8", -128, 127), ("uint8", 0, 255), ("int16", -(2**15), 2**15 - 1),
            ("int32", -(2**31), 2**31 - 1), ("int64", -(2**63), 2**63 - 1),
            ("uint32", 0, 2**32 - 1), ("uint64", 0, 2**64 - 1),
        )
    ],
    columns("bool", [True, False], 200, [True, False]),
    columns("bool", [0, 1], 400, "int"),
    *[columns(name, [1.0], 400, "float") for name in ("int32", "uint64")],
    *[columns("int64", [value], 400) for value in (2**63, True)],
    columns("int32", [2**31], 400, "range"),
    columns("uint32", [-1], 400, "range"),
    # TensorFlow Serving drops the upper bits.
    *[columns(name, [2**15], 400, "range") for name in ("int8", "uint8", "int16")],
    # Types that JSON does not support.
    columns("bfloat16_input", [1.0], 501, "DT_BFLOAT16"),
    columns("bfloat16_output", [1.0], 400, "bfloat16"),
    rows("bfloat16_input", [1.0], 400, "DT_BFLOAT16"),
    columns("half_input", [1.0], 501, "float16"),
    columns("half_output", [1.0], 400, "float16"),
    columns("uint16_input", [1], 501, "uint16"),
    rows("uint16_input", [1], 400, "uint16"),
    columns("uint16_output", [1.0], 400, "uint16"),
    # Strings.
    columns("text", ["a", "ä", ""], 200, ["a", "ä", ""]),
    columns("text", [{"b64": "YWJj"}], 200, ["abc"]),
    columns("text", {"b64": "YWJj"}, 400),
    columns("text", [{"b64": "/w=="}], 200, [{"b64": "/w=="}]),
    columns("text", [{"b64": "YQ"}, {"b64": "YQ=="}, {"b64": ""}], 200, ["a", "a", ""]),
    *[columns("text", [{"b64": text}], 400, "base64") for text in ("?", "é", "YWJjZ")],
    columns("text", [{"b64": 1}], 400),
    columns("text", [1], 400),
    columns("text", ["\ud800"], 400, "must be text"),
    rows("text", ["a", {"b64": "YWJj"}], 200, ["a", "abc"]),
    rows("text", [{"text": "a"}], 200, ["a"]),
    columns("scalar_text", {"b64": "YWJj"}, 200, "abc"),
    columns("scalar_text", {"text": {"b64": "/w=="}}, 200, {"b64": "/w=="}),
    columns("file", ["a"], 200, [{"b64": "YQ=="}]),
    rows("file", ["a"], 200, [{"b64": "YQ=="}]),
    # Any number of axes.
    columns("any_rank", [[1.0, 2.0]], 200, [[1.0, 2.0]]),
    columns("any_rank", 1.0, 200, 1.0),
    columns("any_rank", nested(64), 200, nested(64)),
    columns("any_rank", nested(65), 400, "at most 64 axes. Received: 65"),
    # What the model refuses.
    columns("refusing", [-1.0], 400, "not negative"),
    post(
        {"signature_name": "serving_default", "inputs": [[1e39, 0.0, 0.0, 0.0]]},
        400, "must be finite", f"{M}:predict",
    ),
    # Names of models, versions and labels.
    *[
        post({"instances": [1.0]}, 200, {"predictions": [2.5]}, path)
        for path in (
            f"{ODD}/versions/123:predict", f"{ODD}/versions/00123:predict",
            f"{ODD}/labels/stable:predict", f"{ODD}/labels/st%61ble:predict",
            "/v1/models/%6Fdd:predict", "/V1/Models/odd:predict", f"{ODD}:predict?x=1",
        )
    ],
    *[
        post({"instances": [1.0]}, 404, "Servable not found", path)
        for path in (
            "/v1/models/other:predict", "/v1/models/ODD:predict", "/v1/models/odd%20:predict",
            f"{ODD}/versions/1:predict", f"{ODD}/versions/{2**63 - 1}:predict",
        )
    ],
    post({"instances": [1.0]}, 400, "version label", f"{ODD}/labels/canary:predict"),
    post({"instances": [1.0]}, 404, "Servable", "/v1/models/other/labels/stable:predict"),
    *[
        post({"instances": [1.0]}, 400, "to numeric", f"{ODD}/versions/{version}:predict")
        for version in (2**63, "9" * 5000)
    ],
    *[
        post({"instances": [1.0]}, 400, "Malformed request", path)
        for path in (
            ODD, f"{ODD}:PREDICT", f"{ODD}:", f"{ODD}/:predict", f"{ODD}:predict/",
            f"{ODD}/versions/:predict", f"{ODD}/versions/-1:predict", f"{ODD}/metadata",
            f"{ODD}/versions/%D9%A1:predict", f"{ODD}/labels/:predict", "/v1/models/:predict",
            f"{ODD}/versions/123/labels/stable:predict", "/v1/models/a/b:predict", "/v1/models",
        )
    ],
    ("PUT", f"{ODD}:predict", {"instances": [1.0]}, {}, 400, "Malformed request"),
    ("DELETE", ODD, None, {}, 400, "Malformed request"),
    # A request that is wrong in several ways: first the body, then the model.
    post(b"{", 400, "must be JSON", "/v1/models/other:predict"),
    post({"signature_name": 1}, 400, "must be a string", "/v1/models/other:predict"),
    post({"signature_name": "x"}, 404, "Servable", "/v1/models/other:predict"),
    # Status and metadata.
    *[
        get(path, 200)
        for path in (
            ODD, f"{ODD}/versions/123", f"{ODD}/labels/stable", "/V1/MODELS/odd", f"{ODD}/metadata",
            f"{ODD}/versions/123/metadata", f"{ODD}/labels/stable/metadata",
        )
    ],
    get("/v1/models/other", 404, "Could not find any versions of model other"),
    get(f"{ODD}/versions/1", 404, "Could not find version 1 of model odd"),
    get("/v1/models/other/metadata", 404, "Servable"),
    get(f"{ODD}/versions/1/metadata", 404, "Servable"),
    # The status by label is that of all versions, also for a label that does not exist.
    get(f"{ODD}/labels/canary", 200),
    get("/v1/models/other/labels/stable", 404, "Could not find any versions of model other"),
    get(f"{ODD}/labels/canary/metadata", 400, "label"),
    get(f"{ODD}/versions/{2**63}", 400, "to numeric"),
    get("/v1/models", 400, "Missing model name"),
    *[
        get(path, 400, "Malformed request")
        for path in (
            "/v1/", "/v1/models/", f"{ODD}:predict", f"{ODD}/versions", f"{ODD}/versions/1/2",
            f"{ODD}/metadata/x", f"{ODD}/versions/../../../etc/passwd", f"{ODD}/labels",
            f"{ODD}/versions/..%2F..%2F1",
        )
    ],
    get("/v2/models/odd", 404),
    # Classify and regress: a signature of predict is of another method.
    *[
        post({"examples": [{"x": 1.0}]}, 400, f"serving/{method}", f"{ODD}:{method}")
        for method in ("classify", "regress")
    ],
    post({"signature_name": 1, "examples": [{}]}, 400, "string", f"{ODD}:regress"),
    post({"signature_name": "x", "examples": [{}]}, 400, "not found", f"{ODD}:regress"),
    post({"examples": [{"x": 1.0}]}, 404, "Servable", "/v1/models/other:classify"),
    # The body counts, its type does not.
    post({"instances": [1.0]}, 200, {"predictions": [2.5]}, **{"Content-Type": "nonsense"}),
    post({"instances": [1.0]}, 200, {"predictions": [2.5]}, Accept="text/html"),
    # Only this machine and its pages have access.
    get(ODD, 200, Host="localhost:1"),
    get(ODD, 200, Host="[::1]:1"),
    get(ODD, 200, Host="localhost:1", Origin="http://localhost:1"),
    get(ODD, 403, Host="evil.example"),
    get(ODD, 403, Origin="http://evil.example"),
    get(ODD, 403, Origin="null"),
    # Limits of this server.
    post(b" " * (2**20 + 1), 413, "exceeded"),
    post({"instances": [0] * 1025}, 400, "at most 1024 rows"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "expected"), CASES)
def test_replies(connection, method, path, body, headers, status, expected):
    received, reply = connection(method, path, body, **headers)
    assert received == status, reply
    assert connection.headers["Content-Type"] == "application/json"
    if status != 200:
        assert reply.keys() == {"error"}
        assert (expected or "") in reply["error"]
    elif expected is not None:
        assert reply == expected


def test_status_and_metadata_are_the_protos(connection):
    for path in (M, f"{M}/versions/1", f"{M}/labels/stable", f"{M}/labels/canary"):
        _, reply = connection("GET", path)
        json_format.ParseDict(reply, get_model_status_pb2.GetModelStatusResponse())
        # In the JSON of protos int64 is text, and empty fields are present.
        status = {"error_code": "OK", "error_message": ""}
        expected = {"version": "1", "state": "AVAILABLE", "status": status}
        assert reply["model_version_status"] == [expected]
    _, reply = connection("GET", f"{M}/metadata")
    spec = json_format.ParseDict(reply["model_spec"], model_pb2.ModelSpec())
    assert (spec.name, spec.version.value) == ("mixture", 1)
    definitions = json_format.ParseDict(
        reply["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    )
    content = (served.export("mixture").version / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(content)
    assert dict(definitions.signature_def) == dict(saved.meta_graphs[0].signature_def)


def test_not_a_number_is_a_token(connection):
    body = b'{"inputs": [NaN, Infinity, -Infinity]}'
    connection.http.request("POST", f"{ODD}:predict", body)
    text = connection.http.getresponse().read()
    assert json.dumps(json.loads(text)) == '{"outputs": [NaN, Infinity, -Infinity]}'
    assert all(token in text for token in (b"NaN", b" Infinity", b"-Infinity"))
