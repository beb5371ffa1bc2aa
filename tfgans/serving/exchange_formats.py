"""The exchange formats: which packages write their files, and what runs them."""

import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np
import tensorflow as tf

_LONGEST_REASON = 400

Inputs = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Format:
    """An exchange format.

    Attributes:
        name: What `keras.Model.export` calls it.
        suffix: The ending of its files.
        packages: The modules that write it, and the last one, its runtime.
        runner: Function (runtime, path, inputs) -> images.
        options: Arguments of Keras's exporter.
        tries_one_row: Whether a batch of one is tried where any batch cannot be converted.
    """

    name: str
    suffix: str
    packages: tuple[str, ...]
    runner: Callable[[ModuleType, Path, Inputs], np.ndarray]
    options: dict[str, object] = dataclasses.field(default_factory=dict)
    tries_one_row: bool = False

    def check_packages(self) -> None:
        """Raises ImportError if a package is missing."""
        for package in self.packages:
            self._imported(package)

    def run(self, path: Path, inputs: Inputs) -> np.ndarray:
        """Returns the images of a file.

        Raises:
            ValueError: If the runtime refuses the file.
        """
        with self.refused("Its own runtime cannot run the file"):
            return self.runner(self._imported(self.packages[-1]), path, inputs)

    def refusal(self, problem: str) -> ValueError:
        """Returns the error of a file that is not put in place."""
        return ValueError(
            f"No file of format={self.name!r} was written. {problem}. A SavedModel "
            '(format="tf_saved_model") holds every generator'
        )

    @contextlib.contextmanager
    def refused(self, problem: str) -> Iterator[None]:
        """Makes a `refusal` of an error of a converter or a runtime: they share no base class."""
        try:
            yield
        except (OSError, MemoryError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:_LONGEST_REASON]
            raise self.refusal(f"{problem}: {type(error).__name__}: {reason}") from error

    def _imported(self, package: str) -> ModuleType:
        try:
            return importlib.import_module(package)
        except ImportError as error:
            raise ImportError(
                f"format={self.name!r} needs the package {package.partition('.')[0]}, which cannot "
                "be imported: run `pip install tfgans[exchange]`"
            ) from error


def _run_onnx(runtime: ModuleType, path: Path, inputs: Inputs) -> np.ndarray:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["images"], dict(inputs))[0]


def _run_litert(runtime: ModuleType, path: Path, inputs: Inputs) -> np.ndarray:
    signature = runtime.Interpreter(str(path)).get_signature_runner("serving_default")
    return signature(**inputs)["images"]


FORMATS = {
    "onnx": Format("onnx", ".onnx", ("onnx", "tf2onnx", "onnxruntime"), _run_onnx),
    "litert": Format(
        "litert",
        ".tflite",
        ("ai_edge_litert.interpreter",),
        _run_litert,
        # An operation outside the builtin set would need TensorFlow on the device.
        options={"target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}},
        tries_one_row=True,
    ),
}
