"""Runs an export in a new process and compares it with the live generator."""

import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgans import compat
from tfgans.export.signatures import DRAWN, Signature

# Allowed differences, relative to values above 1: what another order of sums may change.
_TOLERANCE, _TOLERANCES = 1e-4, {"float16": 2e-2, "bfloat16": 1e-1}
_PNG = b"\x89PNG"
_SCRIPT = Path(__file__).with_name("replay.py")
_RESULTS = Path("assets.extra", "self_check.npz")
# Rows of the calls of a check. A mixture of more components has a larger batch too.
BATCH_SIZES = (1, 4, 16)
_MIXED_ROWS = (
    ". A layer that combines the rows of a batch, or that draws noise by the place of a row, does "
    "that. Remove it"
)
# Inputs from which a class can be drawn.
_SEEDS = {"seed", "seed_a"}


class Call(NamedTuple):
    """A call of a signature, with its inputs as arrays by name."""

    signature: str
    inputs: dict[str, np.ndarray]


def example_calls(
    signatures: Mapping[str, Signature],
    *,
    num_components: int,
    num_classes: int | None,
) -> list[Call]:
    """Returns fixed calls of each signature at several batch sizes.

    The rows of a batch are the first rows of the next larger batch. Batches of 4 have the first and
    the last class and, in signatures with a seed, a class that is drawn. The largest batch of a
    signature that takes components has a row for each of them.
    """
    calls, last = [], (num_classes or 1) - 1
    for name, (_, specs) in signatures.items():
        names = {spec.name for spec in specs}
        drawn = [DRAWN] if names & _SEEDS else []
        # Without repetitions; those that a small batch should have come first.
        classes = list(dict.fromkeys([0, last, *drawn, *range(last)]))
        largest = max(num_components if "components" in names else 1, *BATCH_SIZES)
        for rows in sorted({*BATCH_SIZES, largest}):
            inputs = {spec.name: _example(spec, rows, num_components, classes) for spec in specs}
            calls.append(Call(name, inputs))
    return calls


def tolerance_of(generator: keras.Model) -> float:
    """Returns the allowed difference for the lowest precision that a Keras model computes in."""
    dtypes = {layer.compute_dtype for layer in compat.all_layers(generator)}
    return max(_TOLERANCES.get(dtype, _TOLERANCE) for dtype in dtypes)


def check_export(
    folder: Path, signatures: Mapping[str, Signature], calls: Sequence[Call], *, tolerance: float
) -> None:
    """Raises ValueError unless a SavedModel reproduces the live functions, row by row.

    The rows of the live functions must not depend on the other rows, on their number or on their
    order. The smallest calls and their results are written into the SavedModel, for `repeat_check`.

    Args:
        folder: The SavedModel, which a new process without Keras and tfgans loads.
        signatures: Those of the live generator.
        calls: The calls to compare. The rows of a batch are the first rows of the next larger
            batch.
        tolerance: Float, allowed difference, relative to values above 1.
    """
    received = _replayed(folder, calls)
    smaller: dict[str, np.ndarray] = {}
    stored = {"tolerance": np.array(tolerance)}
    for index, (name, inputs) in enumerate(calls):
        arrays = list(inputs.values())
        has_rows = all(array.ndim for array in arrays)
        live = _outputs(signatures[name], arrays)
        reordered = (
            _outputs(signatures[name], [array[::-1] for array in arrays]) if has_rows else {}
        )
        for output, expected in live.items():
            key = f"{name}/{output}"
            _compare(
                f"{key} of the live generator and in a new process",
                expected,
                received[f"{index}/{key}"],
                tolerance,
            )
            if key not in smaller:
                stored |= {f"inputs/{name}/{key}": array for key, array in inputs.items()}
                stored[f"outputs/{key}"] = received[f"{index}/{key}"]
            alone = smaller.get(key, expected)
            smaller[key] = expected
            _compare(
                f"{key} of rows alone and in a larger batch",
                alone,
                expected[: len(alone)],
                tolerance,
                cause=_MIXED_ROWS,
            )
            if has_rows:
                _compare(
                    f"{key} of rows in another order",
                    expected[::-1],
                    reordered[output],
                    tolerance,
                    cause=_MIXED_ROWS,
                )
    (folder / _RESULTS).parent.mkdir(exist_ok=True)
    np.savez_compressed(folder / _RESULTS, allow_pickle=False, **stored)


def _outputs(signature: Signature, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the outputs of a live function by name, computed on the CPU as in a new process."""
    with tf.device("CPU:0"):
        outputs = signature.function(*map(tf.constant, arrays))
    return {name: value.numpy() for name, value in outputs.items()}


def repeat_check(folder: Path) -> int:
    """Runs the stored calls of an export again, in a new process without Keras and tfgans.

    Returns:
        The number of calls.

    Raises:
        ValueError: If the export has no stored calls, cannot run, or gives other results than when
            it was made.
    """
    path = folder / _RESULTS
    if not path.is_file():
        raise ValueError(
            f"{folder} was exported without a check (verify=False), or by an earlier version of "
            f"tfgans: there is no {_RESULTS}"
        )
    with np.load(path, allow_pickle=False) as arrays:
        stored = dict(arrays)
    calls: dict[str, Call] = {}
    for name, value in stored.items():
        kind, _, rest = name.partition("/")
        if kind == "inputs":
            signature, _, argument = rest.partition("/")
            calls.setdefault(signature, Call(signature, {})).inputs[argument] = value
    received = _replayed(folder, list(calls.values()))
    for index, signature in enumerate(calls):
        prefix = f"outputs/{signature}/"
        for name in (name for name in stored if name.startswith(prefix)):
            output = f"{signature}/{name.removeprefix(prefix)}"
            problem = _difference(
                stored[name], received[f"{index}/{output}"], float(stored["tolerance"])
            )
            if problem:
                raise ValueError(
                    f"{folder} gives another {output} than when it was exported: {problem}"
                )
    return len(calls)


def _replayed(folder: Path, calls: Sequence[Call]) -> dict[str, np.ndarray]:
    """Returns the results of the calls in a new process; replay.py has the names."""
    if not sys.executable:
        raise ValueError(
            "The export cannot run in a new process: this Python is embedded and does not know its "
            "executable. Export with verify=False, or from a script"
        )
    with tempfile.TemporaryDirectory() as exchange:
        inputs, outputs = Path(exchange, "inputs.npz"), Path(exchange, "outputs.npz")
        arrays = {
            f"{index}/{call.signature}/{name}": value
            for index, call in enumerate(calls)
            for name, value in call.inputs.items()
        }
        np.savez(inputs, allow_pickle=False, **arrays)
        # -P keeps the folder of the script out of the module search path.
        command = [sys.executable, "-P", str(_SCRIPT), str(folder), str(inputs), str(outputs)]
        # This process may hold the memory of a GPU.
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603
        if done.returncode:
            reason = " ".join(done.stderr.split())[-600:] or "no message; out of memory?"
            raise ValueError(
                "a new process cannot run the export, and ended with the status "
                f"{done.returncode}: {reason}"
            )
        with np.load(outputs, allow_pickle=False) as loaded:
            return dict(loaded)


def _compare(
    name: str, expected: np.ndarray, received: np.ndarray, tolerance: float, *, cause: str = ""
) -> None:
    problem = _difference(expected, received, tolerance)
    if problem:
        raise ValueError(
            f"The export was not published: expected the same {name}. Received: {problem}{cause}"
        )


def _difference(expected: np.ndarray, received: np.ndarray, tolerance: float) -> str | None:
    is_text = expected.dtype.kind in "OS"
    if is_text and not expected.ravel()[0].startswith(_PNG):
        return None if expected.tolist() == received.tolist() else "they differ"
    if is_text:
        # The pixels of PNG files may differ by rounding.
        expected_pixels, received_pixels = (
            np.stack([tf.io.decode_png(file).numpy() for file in files]).astype(int)
            for files in (expected.tolist(), received.tolist())
        )
        worst = np.abs(expected_pixels - received_pixels).max()
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
    spec: tf.TensorSpec, rows: int, num_components: int, classes: Sequence[int]
) -> np.ndarray:
    """Returns an input that is valid for its name and differs from row to row.

    Args:
        spec: The input.
        rows: Int, its length.
        num_components: Int, components of the generator.
        classes: The labels of the first rows, which then repeat.
    """
    if spec.shape.rank == 0:
        value = {"num": rows, "seed": 7}[spec.name]
        return np.array(value, spec.dtype.as_numpy_dtype)
    # Draws row after row, so a larger batch begins with the rows of a smaller batch.
    rng, shape = np.random.default_rng(zlib.crc32(spec.name.encode())), (rows, *spec.shape[1:])
    generators: dict[str, Callable[[], np.ndarray]] = {
        "latents": lambda: rng.normal(size=shape),
        "t": lambda: rng.uniform(size=shape),
        "truncation": lambda: rng.uniform(0.5, 2.0, size=shape),
        "labels": lambda: np.resize(classes, rows),
        "components": lambda: np.arange(rows) % num_components,
        "index": lambda: np.arange(rows) // 2,
    }
    seeds = lambda: rng.integers(-(2**63), 2**63 - 1, size=shape)  # noqa: E731
    return generators.get(spec.name, seeds)().astype(spec.dtype.as_numpy_dtype)
