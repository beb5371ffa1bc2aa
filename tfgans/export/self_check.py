"""An export runs itself elsewhere before anyone else does, and must give what the model gives."""

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import compat
from tfgans.export.signatures import Signature

# Of the values, or of 1 where they are smaller: what the order of sums may change.
_TOLERANCE, _TOLERANCES = 1e-4, {"float16": 2e-2, "bfloat16": 1e-1}
_SCRIPT = Path(__file__).with_name("replay.py")


class Call(NamedTuple):
    """One call of a signature, its inputs as arrays by name."""

    signature: str
    inputs: dict[str, np.ndarray]


def example_calls(
    signatures: Mapping[str, Signature],
    *,
    num_components: int,
    num_classes: int | None,
    batch_sizes: tuple[int, ...] = (1, 4, 16),
) -> list[Call]:
    """Returns calls of every signature at several batch sizes, always the same ones.

    The rows of a batch are the first ones of the next larger batch.
    """
    return [
        Call(name, {spec.name: _example(spec, rows, num_components, num_classes) for spec in specs})
        for name, (_, specs) in signatures.items()
        for rows in (batch_sizes if specs else batch_sizes[:1])
    ]


def tolerance_of(generator: Any) -> float:
    """Returns how far outputs may differ: by the lowest precision a Keras model computes in."""
    dtypes = {layer.compute_dtype for layer in compat.all_layers(generator)}
    return max(_TOLERANCES.get(dtype, _TOLERANCE) for dtype in dtypes)


def check_export(
    folder: Path, signatures: Mapping[str, Signature], calls: list[Call], *, tolerance: float
) -> None:
    """Raises ValueError unless a SavedModel gives what the live functions give, row by row.

    Args:
        folder: The SavedModel; a new process, which has neither Keras nor tfgans, loads it.
        signatures: The functions it was made from.
        calls: What is compared. The rows of a batch are the first ones of the next larger batch.
        tolerance: Of the values.
    """
    received = _replayed(folder, calls)
    # Eagerly, draws row by row would take a hundred times as long.
    functions = {
        name: tf.function(function, input_signature=specs, autograph=False)
        for name, (function, specs) in signatures.items()
    }
    smaller: dict[str, np.ndarray] = {}
    for index, (name, inputs) in enumerate(calls):
        # On the processor, as in the new process.
        with tf.device("CPU:0"):
            live = functions[name](*(tf.constant(value) for value in inputs.values()))
        for output, value in live.items():
            expected, key = value.numpy(), f"{name}/{output}"
            found = received[f"{index}/{key}"]
            _compare(key, "of the live generator and in a new process", expected, found, tolerance)
            before = smaller.get(key, expected)
            rows = expected[: len(before)]
            _compare(key, "of rows alone and in a larger batch", before, rows, tolerance)
            smaller[key] = expected


def _replayed(folder: Path, calls: list[Call]) -> dict[str, np.ndarray]:
    if not sys.executable:
        raise ValueError(
            "The export cannot run in a new process: this Python is embedded and does not know its "
            "program. Export with verify=False, or from a script"
        )
    with tempfile.TemporaryDirectory() as exchange:
        given, made = Path(exchange, "inputs.npz"), Path(exchange, "outputs.npz")
        arrays = {
            f"{index}/{call.signature}/{name}": value
            for index, call in enumerate(calls)
            # A call without inputs is told by an array without a name.
            for name, value in (call.inputs or {"": np.zeros(0)}).items()
        }
        np.savez(given, allow_pickle=False, **arrays)
        # -P: the folder of the script is not searched for modules.
        command = [sys.executable, "-P", str(_SCRIPT), str(folder), str(given), str(made)]
        # The memory of a GPU may be taken by this process.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
        if done.returncode:
            reason = " ".join(done.stderr.split())[-600:] or "it said nothing; killed for memory?"
            raise ValueError(
                "The export was not published: a new process cannot run it, and ended with the "
                f"status {done.returncode}: {reason}"
            )
        with np.load(made, allow_pickle=False) as loaded:
            return dict(loaded)


def _compare(
    key: str, sides: str, expected: np.ndarray, received: np.ndarray, tolerance: float
) -> None:
    problem = _difference(expected, received, tolerance)
    if problem:
        raise ValueError(
            f"The export was not published: expected the same {key} {sides}. Received: {problem}"
        )


def _difference(expected: np.ndarray, received: np.ndarray, tolerance: float) -> str | None:
    if expected.dtype == object:
        # PNG files: of pixels that may differ by rounding.
        here, there = (
            np.stack([tf.io.decode_png(one).numpy() for one in files]).astype(int)
            for files in (expected, received.tolist())
        )
        worst = np.abs(here - there).max()
        return None if worst <= max(1, 255 * tolerance) else f"pixels differ by {worst}"
    if expected.shape != received.shape or expected.dtype != received.dtype:
        return f"{received.dtype} {received.shape} instead of {expected.dtype} {expected.shape}"
    if expected.dtype.kind == "i":
        return None if np.array_equal(expected, received) else "they differ"
    if not np.isfinite(expected).all():
        return "the live generator gives NaN or infinity"
    excess = np.abs(received - expected) / np.maximum(1.0, np.abs(expected))
    return None if excess.max() <= tolerance else f"they differ by {excess.max():.2g}"


def _example(
    spec: tf.TensorSpec, rows: int, num_components: int, num_classes: int | None
) -> np.ndarray:
    """Returns inputs that are valid by their name, and differ from row to row."""
    if spec.shape.rank == 0:
        value = {"num": rows, "seed": 7, "label": 0}[spec.name]
        return np.array(value, spec.dtype.as_numpy_dtype)
    # Rows are drawn one after the other, so a larger batch begins with the rows of a smaller one.
    rng, shape = np.random.default_rng(zlib.crc32(spec.name.encode())), (rows, *spec.shape[1:])
    ways: dict[str, Any] = {
        "latents": lambda: rng.normal(size=shape),
        "t": lambda: rng.uniform(size=shape),
        "labels": lambda: np.arange(rows) % (num_classes or 1),
        "components": lambda: np.arange(rows) % num_components,
        "index": lambda: np.arange(rows) // 2,
    }
    seeds = lambda: rng.integers(-(2**63), 2**63 - 1, size=shape)  # noqa: E731
    return ways.get(spec.name, seeds)().astype(spec.dtype.as_numpy_dtype)
