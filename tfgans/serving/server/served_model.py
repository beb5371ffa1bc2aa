"""A SavedModel version in memory, and the folder whose newest version is served."""

import gc
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from tfgans import files
from tfgans.export.publish import versions
from tfgans.export.warmup import read_warmup
from tfgans.serving.client.rest import signatures_of
from tfgans.serving.client.rest_format import InvalidRequestError, SignatureInfo
from tfgans.serving.client.transport import VersionStatus

_log = logging.getLogger(__name__)


class ServedModel:
    """One version, loaded and warm.

    Args:
        folder: Of the version.

    Attributes:
        version: Int.
        signatures: `SignatureInfo` by name.
        metadata: The signatures as TF Serving's REST API tells them, JSON values.

    Raises:
        ValueError: If it cannot be loaded, or a warm-up request fails.
    """

    def __init__(self, folder: Path) -> None:
        self.version = int(folder.name)
        try:
            self._loaded = tf.saved_model.load(os.fspath(folder))
            self.metadata = _metadata(folder)
            self.signatures: dict[str, SignatureInfo] = signatures_of(self.metadata)
            for signature, inputs in read_warmup(folder):
                self.run(signature, inputs)
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(f"{folder} cannot be served: {reason}") from error

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by name.

        Raises:
            InvalidRequestError: If the model refuses the inputs.
        """
        given = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            outputs = self._loaded.signatures[signature](**given)
        except tf.errors.InvalidArgumentError as error:
            raise InvalidRequestError(_told_by_the_model(error.message)) from error
        return {name: value.numpy() for name, value in outputs.items()}

    def is_batchable(self, signature: str) -> bool:
        """Returns whether requests can be joined along axis 0: it is free in every tensor."""
        info = self.signatures[signature]
        tensors = [*info.inputs.values(), *info.outputs.values()]
        return bool(info.inputs) and all(one.shape[:1] == (None,) for one in tensors)


class ModelFolder:
    """The versions of a model below a folder, of which the newest that loads is served.

    Args:
        path: The folder.

    Attributes:
        current: The `ServedModel` that answers.

    Raises:
        ValueError: If there is no version, or none can be loaded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = files.path(path)
        # By version: why, and what the folder was like. Replaced, never changed, as `status` is
        # asked for in another thread than `refresh`.
        self._failed: dict[int, tuple[str, object]] = {}
        self._loading: int | None = None
        self._lock = threading.Lock()
        if not self.path.is_dir():
            raise ValueError(f"{self.path} must be the folder of a model's versions. It is none")
        if (self.path / "saved_model.pb").exists():
            raise ValueError(f"{self.path} is one version: give the folder above it")
        newest = self._newest()
        if newest is None:
            raise ValueError(
                f"{self.path} holds no version: expected folders named 1, 2, ..., as "
                "bin/export.py makes them"
            )
        self.current = ServedModel(self.path / str(newest))

    def refresh(self) -> ServedModel | None:
        """Loads the newest version if it is another; returns it, or None. Blocks meanwhile.

        Requests that run keep the old version alive to their end. A version that does not load is
        told in the log and by `status`, and tried again when its files have changed.
        """
        with self._lock:
            newest = self._newest()
            if newest is None or newest == self.current.version:
                return None
            self._loading, folder = newest, self.path / str(newest)
            files = _files(folder)
            try:
                self.current = ServedModel(folder)
            except ValueError as error:
                self._failed = {**self._failed, newest: (str(error), files)}
                _log.error("version %d stays: %s", self.current.version, error)
                return None
            finally:
                self._loading = None
            # TensorFlow's functions lie in reference cycles.
            gc.collect()
            return self.current

    def status(self) -> list[VersionStatus]:
        """Returns the version that answers, and those that are loading or failed, newest first."""
        found = [VersionStatus(self.current.version, "AVAILABLE", "")]
        found += [
            VersionStatus(version, "END", why)
            for version, (why, _) in self._failed.items()
            if (self.path / str(version)).is_dir()
        ]
        loading = self._loading
        found += [] if loading is None else [VersionStatus(loading, "LOADING", "")]
        return sorted(found, reverse=True)

    def _newest(self) -> int | None:
        return max((one for one in versions(self.path) if self._may_load(one)), default=None)

    def _may_load(self, version: int) -> bool:
        _, files = self._failed.get(version, ("", None))
        return files is None or files != _files(self.path / str(version))


def _files(folder: Path) -> object:
    """Returns what changes when files of a folder are written or replaced."""
    found = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in found]


def _metadata(folder: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = get_model_metadata_pb2.SignatureDefMap(
        signature_def=saved.meta_graphs[0].signature_def
    )
    # Empty fields too, as TF Serving writes them.
    return json_format.MessageToDict(
        definitions, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )["signature_def"]


def _told_by_the_model(message: str) -> str:
    """Returns an error of a graph without the nodes and stacks that TensorFlow adds to it."""
    told = message.rpartition("<stack traces unavailable>")[2].replace("assertion failed:", "")
    return " ".join(told.split("\n\t [[", 1)[0].split(" [Op:", 1)[0].split())
