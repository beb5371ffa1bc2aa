"""Loads the newest version of a SavedModel in a folder, and runs its signatures."""

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
from tfgans.serving.client.rest_format import (
    InvalidRequestError,
    SignatureInfo,
    signatures_from_json,
)
from tfgans.serving.client.transport import VersionStatus

_log = logging.getLogger(__name__)
# Path, inode, size in bytes, time of the last change in nanoseconds.
_FileState = tuple[Path, int, int, int]


class ServedModel:
    """A loaded version of a model, after its warm-up.

    Args:
        folder: Folder of the version.

    Attributes:
        version: Int.
        signatures: `SignatureInfo` by name.
        metadata: The signatures as JSON values, as in TensorFlow Serving's REST API.

    Raises:
        ValueError: If the version cannot be loaded, or a warm-up request fails.
    """

    def __init__(self, folder: Path) -> None:
        self.version = int(folder.name)
        try:
            self._loaded = tf.saved_model.load(os.fspath(folder))
            self.metadata = _metadata(folder)
            self.signatures: dict[str, SignatureInfo] = signatures_from_json(self.metadata)
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
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            outputs = self._loaded.signatures[signature](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise InvalidRequestError(_without_graph_details(error.message)) from error
        return {name: value.numpy() for name, value in outputs.items()}

    def is_batchable(self, signature: str) -> bool:
        """Returns whether requests can be joined: axis 0 is free in every tensor."""
        info = self.signatures[signature]
        tensors = [*info.inputs.values(), *info.outputs.values()]
        return bool(info.inputs) and all(tensor.shape[:1] == (None,) for tensor in tensors)


class ModelFolder:
    """Serves the newest version below a folder that loads.

    Args:
        path: The folder of versions.

    Attributes:
        current: The `ServedModel` that answers requests.

    Raises:
        ValueError: If the folder has no version, or the newest cannot be loaded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = files.path(path)
        # Reason and files by version. Replaced and never modified: `status` and `refresh` run in
        # different threads.
        self._failed: dict[int, tuple[str, list[_FileState]]] = {}
        self._loading: int | None = None
        self._lock = threading.Lock()
        if not self.path.is_dir():
            raise ValueError(
                f"{self.path} must be the folder of a model's versions. It is no folder"
            )
        if (self.path / "saved_model.pb").exists():
            raise ValueError(f"{self.path} is a single version: give the folder above it")
        newest = self._newest()
        if newest is None:
            raise ValueError(
                f"{self.path} holds no version: expected folders named 1, 2, ..., as "
                "bin/export.py makes them"
            )
        self.current = ServedModel(self.path / str(newest))

    def refresh(self) -> ServedModel | None:
        """Loads the newest version unless it is current, and returns it, else None.

        The call blocks until the version is loaded. Running requests keep the old version until
        they end. A version that does not load is logged, appears in `status`, and is tried again
        when its files change.
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
            # Frees the old version, whose functions are in reference cycles.
            gc.collect()
            return self.current

    def status(self) -> list[VersionStatus]:
        """Returns the current version and those that are loading or failed, newest first."""
        statuses = [VersionStatus(self.current.version, "AVAILABLE", "")]
        statuses += [
            VersionStatus(version, "END", reason)
            for version, (reason, _) in self._failed.items()
            if (self.path / str(version)).is_dir()
        ]
        loading = self._loading
        statuses += [] if loading is None else [VersionStatus(loading, "LOADING", "")]
        return sorted(statuses, reverse=True)

    def _newest(self) -> int | None:
        loadable = [version for version in versions(self.path) if self._may_load(version)]
        return max(loadable, default=None)

    def _may_load(self, version: int) -> bool:
        _, files = self._failed.get(version, ("", None))
        return files is None or files != _files(self.path / str(version))


def _files(folder: Path) -> list[_FileState]:
    """Returns the states of all files of a folder, which differ after a file is written."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _metadata(folder: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = get_model_metadata_pb2.SignatureDefMap(
        signature_def=saved.meta_graphs[0].signature_def
    )
    # Includes empty fields, as TensorFlow Serving does.
    return json_format.MessageToDict(
        definitions, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )["signature_def"]


def _without_graph_details(message: str) -> str:
    """Returns the error of a graph without TensorFlow's node names and stack traces."""
    text = message.rpartition("<stack traces unavailable>")[2].replace("assertion failed:", "")
    return " ".join(text.split("\n\t [[", 1)[0].split(" [Op:", 1)[0].split())
