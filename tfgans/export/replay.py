"""Calls a SavedModel's signatures: what a self-check runs in a process without Keras or tfgans.

python -P replay.py VERSION INPUTS.npz OUTPUTS.npz

The arrays are named CALL/SIGNATURE/INPUT; those of the outputs alike.
"""

import sys
from typing import Any

# A server has neither: what needs them must fail here. TensorFlow imports Keras where it can.
for absent in ("keras", "tfgans"):
    sys.modules[absent] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def main(version: str, inputs: str, outputs: str) -> None:
    """Runs each call on the arrays of `inputs` and writes what it gives to `outputs`."""
    model = tf.saved_model.load(version)
    calls: dict[str, dict[str, tf.Tensor]] = {}
    with np.load(inputs, allow_pickle=False) as arrays:
        for name in arrays.files:
            call, _, argument = name.rpartition("/")
            given = calls.setdefault(call, {})
            if argument:
                given[argument] = tf.constant(arrays[name])
    made: dict[str, Any] = {}
    # In another order than the live functions: a hidden state would tell.
    for call, given in reversed(calls.items()):
        signature = call.partition("/")[2]
        for name, value in model.signatures[signature](**given).items():
            array = value.numpy()
            # Strings as bytes of fixed width: no pickle.
            made[f"{call}/{name}"] = array.astype("S") if array.dtype == object else array
    np.savez(outputs, allow_pickle=False, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
