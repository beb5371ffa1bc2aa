"""Calls the signatures of a SavedModel in a process without Keras and tfgans.

python -P replay.py VERSION INPUTS.npz OUTPUTS.npz

Both files hold arrays named CALL/SIGNATURE/INPUT, or CALL/SIGNATURE/OUTPUT.
"""

import sys

# Neither is installed on a server. TensorFlow imports Keras only where it can.
for absent in ("keras", "tfgans"):
    sys.modules[absent] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def main(version: str, inputs: str, outputs: str) -> None:
    """Runs the calls on the arrays of `inputs` and writes their results to `outputs`."""
    model = tf.saved_model.load(version)
    calls: dict[str, dict[str, tf.Tensor]] = {}
    with np.load(inputs, allow_pickle=False) as arrays:
        for name in arrays.files:
            call, _, argument = name.rpartition("/")
            calls.setdefault(call, {})[argument] = tf.constant(arrays[name])
    results: dict[str, np.ndarray] = {}
    # The live functions run in the opposite order, so a hidden state gives another result.
    for call, arguments in reversed(calls.items()):
        signature = call.partition("/")[2]
        for name, value in model.signatures[signature](**arguments).items():
            array = value.numpy()
            # Strings become bytes of fixed width, which need no pickle.
            results[f"{call}/{name}"] = array.astype("S") if array.dtype == object else array
    np.savez(outputs, allow_pickle=False, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
