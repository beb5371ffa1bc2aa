"""Warm-up requests, which TensorFlow Serving runs when it loads a version.

https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfgans.export.self_check import BATCH_SIZES, Call

_FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warmup(folder: Path, calls: Sequence[Call]) -> None:
    """Writes calls as `PredictionLog` records, of which TensorFlow Serving takes at most 1000.

    It leaves out calls without rows, which a server with batching refuses, and calls with more rows
    than `BATCH_SIZES`, which any server may refuse: it then does not load the model.
    """
    path = folder / _FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in calls:
            if any(value.ndim == 0 or len(value) > max(BATCH_SIZES) for value in inputs.values()):
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
    """Returns the predict requests of a version's warm-up file, which any library may have written.

    It is empty without such a file. Records of other requests (classify, regress, ...) are left
    out.
    """
    path = folder / _FILE
    if not path.exists():
        return []
    calls = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if not log.HasField("predict_log"):
            continue
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        calls.append(Call(request.model_spec.signature_name or "serving_default", inputs))
    return calls
