"""Requests that TF Serving plays when it loads a version, so that no user waits for the first."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfgans.export.self_check import Call

# Where TF Serving looks, below the version.
_FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warmup(folder: Path, calls: Sequence[Call]) -> None:
    """Writes calls as `PredictionLog` records for TF Serving, which takes 1000 at most.

    Left out are calls without rows: a server with batching refuses them, and one refused record
    keeps it from loading the model.
    """
    path = folder / _FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in calls:
            if not inputs or any(value.ndim == 0 for value in inputs.values()):
                continue
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def read_warmup(folder: Path) -> list[Call]:
    """Returns the calls in a version's warm-up file, of any library; empty if it has none."""
    path = folder / _FILE
    if not path.exists():
        return []
    calls = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        calls.append(Call(request.model_spec.signature_name or "serving_default", inputs))
    return calls
