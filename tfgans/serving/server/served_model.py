"""Loads versions of SavedModels, and runs their signatures."""

import gc
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2

from tfgans.export.publish import version_folders
from tfgans.export.warmup import read_warmup
from tfgans.serving.client.rest_format import (
    InvalidRequestError,
    SignatureInfo,
    UnsupportedTypeError,
    signatures_from_json,
)
from tfgans.serving.client.transport import VersionStatus
from tfgans.serving.server.models_config import (
    ModelConfig,
    VersionPolicy,
    read_models_config,
)

_log = logging.getLogger(__name__)
# Path, inode, size in bytes, time of the last change in nanoseconds.
_FileState = tuple[Path, int, int, int]
_FolderState = dict[int, list[_FileState]] | None
# What a request causes.
_REFUSALS = (
    tf.errors.InvalidArgumentError,
    tf.errors.OutOfRangeError,
    tf.errors.FailedPreconditionError,
)


class ServedModel:
    """A loaded version of a model, after its warm-up.

    Args:
        folder: Folder of the version.

    Attributes:
        version: Int.
        files: The states of the files that it is loaded from.
        signatures: `SignatureInfo` by name.
        metadata: The signatures as JSON values, as in TensorFlow Serving's REST API.

    Raises:
        ValueError: If the version cannot be loaded, or a warm-up request fails.
    """

    def __init__(self, folder: Path) -> None:
        self.version, self.files = int(folder.name), _files(folder)
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
        except _REFUSALS as error:
            raise InvalidRequestError(_without_graph_details(error.message)) from error
        except tf.errors.UnimplementedError as error:
            raise UnsupportedTypeError(_without_graph_details(error.message)) from error
        return {name: _array(value) for name, value in outputs.items()}

    def is_batchable(self, signature: str) -> bool:
        """Returns whether requests can be joined: axis 0 is free in every tensor."""
        info = self.signatures[signature]
        tensors = [*info.inputs.values(), *info.outputs.values()]
        return bool(info.inputs) and all(
            tensor.shape is not None and tensor.shape[:1] == (None,) for tensor in tensors
        )


class UnknownVersionError(LookupError):
    """A model has no such version."""


class UnknownLabelError(LookupError):
    """A model has no such label."""


class ModelFolder:
    """Serves the versions below a folder that a policy chooses and that load.

    Args:
        config: `ModelConfig`: the folder of versions, the policy and the labels.

    Attributes:
        path: The folder of versions.
        models: The `ServedModel`s that answer requests, by version in ascending order. Replaced and
            never modified.

    Raises:
        ValueError: If no version can be loaded, or a label has a version that is not served.
    """

    def __init__(self, config: ModelConfig) -> None:
        self.path = config.path
        self._policy, self._labels = config.policy, config.labels
        self.models: Mapping[int, ServedModel] = {}
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
        self.models = self._load_wanted(self._policy, self._labels)
        if not self.models:
            reasons = "; ".join(reason for reason, _ in self._failed.values())
            raise ValueError(reasons or self._reason_for_no_version())
        self._warn_of_missing_versions(self._policy)

    @property
    def current(self) -> ServedModel:
        """The newest version that answers requests."""
        models = self.models
        return models[max(models)]

    def model(self, version: int | None = None, label: str | None = None) -> ServedModel:
        """Returns the version of a number or a label, by default the newest.

        Raises:
            UnknownLabelError: If there is no such label.
            UnknownVersionError: If the version is not served.
        """
        if label is not None:
            if label not in self._labels:
                raise UnknownLabelError(f"Unrecognized servable version label: {label}")
            version = self._labels[label]
        if version is None:
            return self.current
        try:
            return self.models[version]
        except KeyError as error:
            raise UnknownVersionError(f"version {version}") from error

    def load(self, config: ModelConfig) -> Mapping[int, ServedModel]:
        """Returns the versions that a configuration chooses, without serving them yet.

        Raises:
            ValueError: If a label has none of these versions.
        """
        with self._lock:
            models = self._load_wanted(config.policy, config.labels)
            self._warn_of_missing_versions(config.policy)
            return models

    def configure(self, config: ModelConfig, models: Mapping[int, ServedModel]) -> bool:
        """Serves by another configuration; returns whether the served versions changed.

        Args:
            config: The policy and the labels.
            models: The result of `load`.
        """
        with self._lock:
            self._policy, self._labels = config.policy, config.labels
            return self._replace(models)

    def refresh(self) -> bool:
        """Loads and drops versions as the policy says; returns whether any changed.

        The call blocks until all are loaded. A version is dropped after the versions that replace
        it are loaded, and its running requests end. A version whose files have changed is loaded
        again. A version that does not load is logged, appears in `status` unless it was loaded
        before, and is tried again when its files change.
        """
        with self._lock:
            # A label of a version that is removed does not keep others from being loaded.
            return self._replace(self._load_wanted(self._policy, {}))

    def status(self) -> list[VersionStatus]:
        """Returns the versions that are served, are loading or failed, newest first."""
        loading = self._loading
        statuses = [VersionStatus(version, "AVAILABLE", "") for version in self.models]
        try:
            present = version_folders(self.path)
        except OSError:  # Loaded versions are still served.
            present = {}
        statuses += [
            VersionStatus(version, "END", reason)
            for version, (reason, _) in self._failed.items()
            if version in present and version not in self.models and version != loading
        ]
        statuses += [] if loading is None else [VersionStatus(loading, "LOADING", "")]
        return sorted(statuses, reverse=True)

    def _reason_for_no_version(self) -> str:
        present = version_folders(self.path)
        if self._policy.specific and present:
            requested = ", ".join(map(str, self._policy.specific))
            return (
                f"{self.path} has none of the requested versions: {requested}. It has: "
                f"{', '.join(map(str, present))}. Request one of these"
            )
        return (
            f"{self.path} holds no version to serve: expected folders named 1, 2, ..., as "
            "`tfgans export` makes them"
        )

    def _warn_of_missing_versions(self, policy: VersionPolicy) -> None:
        present = version_folders(self.path)
        for version in policy.specific:
            if version not in present:
                _log.warning(
                    "%s has no version %d, which is requested. It has: %s",
                    self.path,
                    version,
                    ", ".join(map(str, present)),
                )

    def _replace(self, models: Mapping[int, ServedModel]) -> bool:
        if models == self.models:
            return False
        self.models = models
        # Frees the old versions, whose functions are in reference cycles.
        gc.collect()
        return True

    def _load_wanted(
        self, policy: VersionPolicy, labels: Mapping[str, int]
    ) -> Mapping[int, ServedModel]:
        """Returns the versions that a policy chooses; raises ValueError if a label has none."""
        models = dict(self.models)
        while True:
            folders = version_folders(self.path)
            wanted = policy.choose(
                version
                for version, folder in folders.items()
                if version in self.models or self._may_load(folder)
            )
            # Without a version to serve, those that are served stay.
            _check_labels(labels, wanted or list(self.models))
            missing = [version for version in wanted if self._must_load(folders[version], models)]
            if not missing:
                return {version: models[version] for version in wanted} or self.models
            model = self._load(folders[missing[-1]])
            if model is not None:
                models[model.version] = model

    def _must_load(self, folder: Path, models: Mapping[int, ServedModel]) -> bool:
        """Returns whether a version differs from that of `models`, or is missing there."""
        model = models.get(int(folder.name))
        return (model is None or model.files != _files(folder)) and self._may_load(folder)

    def _load(self, folder: Path) -> ServedModel | None:
        """Returns a version; None if it does not load, which is logged and remembered."""
        version = int(folder.name)
        self._loading, files = version, _files(folder)
        try:
            model = ServedModel(folder)
        except ValueError as error:
            self._failed = {**self._failed, version: (str(error), files)}
            _log.error("%s", error)
            return None
        finally:
            self._loading = None
        self._failed = {
            other: failure for other, failure in self._failed.items() if other != version
        }
        return model

    def _may_load(self, folder: Path) -> bool:
        _, files = self._failed.get(int(folder.name), ("", None))
        return files is None or files != _files(folder)


class ModelSet:
    """The models of a server, by name.

    Args:
        configs: `ModelConfig`s of different names.
        file: The file that the configurations are from. `refresh` follows its changes. Default:
            None, no file.

    Attributes:
        folders: `ModelFolder`s by name. Replaced and never modified.

    Raises:
        ValueError: If a model cannot be served.
    """

    def __init__(self, configs: Sequence[ModelConfig], *, file: Path | None = None) -> None:
        self._file = file
        # The text that is applied; None if the last one was refused, for a reason.
        self._text = None if file is None else file.read_bytes()
        self._refusal = ""
        # The models of the last attempt with the files that they had.
        self._attempt: list[tuple[ModelConfig, _FolderState]] = []
        self.folders = {config.name: ModelFolder(config) for config in configs}

    def refresh(self) -> list[str]:
        """Follows the file and the folders; returns the names of the models that changed.

        A file or a folder that cannot be read or served is logged, and what is served stays. A
        refused file is tried again when it or the folders that it names change.
        """
        changed = self._follow_file()
        for name, folder in self.folders.items():
            try:
                changed += [name] if folder.refresh() else []
            except OSError as error:
                _log.error("%s cannot be read: %s", folder.path, error)
        return changed

    def _follow_file(self) -> list[str]:
        if self._file is None:
            return []
        try:
            text = self._file.read_bytes()
            if text == self._text:
                return []
            configs = read_models_config(self._file)
            attempt = [(config, _folder_state(config.path)) for config in configs]
            if self._text is None and attempt == self._attempt:
                return []
            self._attempt = attempt
            changed = self._configure(configs)
        except (OSError, ValueError) as error:
            if self._refusal != str(error):
                _log.error("%s is not applied: %s", self._file, error)
            self._text, self._refusal = None, str(error)
            return []
        self._text, self._refusal = text, ""
        return changed

    def _configure(self, configs: Sequence[ModelConfig]) -> list[str]:
        kept = {
            config.name: folder
            for config in configs
            if (folder := self.folders.get(config.name)) is not None and folder.path == config.path
        }
        # All is loaded before the first change: a refused file changes nothing.
        added = {config.name: ModelFolder(config) for config in configs if config.name not in kept}
        loaded = {
            config.name: kept[config.name].load(config) for config in configs if config.name in kept
        }
        changed = [
            config.name
            for config in configs
            if config.name in added or kept[config.name].configure(config, loaded[config.name])
        ]
        self.folders = {config.name: (kept | added)[config.name] for config in configs}
        return changed


def _check_labels(labels: Mapping[str, int], versions: Sequence[int]) -> None:
    for label, version in labels.items():
        if versions and version not in versions:
            served = ", ".join(map(str, versions))
            raise ValueError(
                f"The label {label!r} must be of a version that is served: {served}. Received: "
                f"{version}. Change the label or the version policy"
            )


def _files(folder: Path) -> list[_FileState]:
    """Returns the states of all files of a folder, which differ after a file is written."""
    stats = [(path, path.stat()) for path in sorted(folder.rglob("*"))]
    return [(path, stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def _folder_state(folder: Path) -> _FolderState:
    """Returns the files of all versions below a folder; None if there is no folder."""
    if not folder.is_dir():
        return None
    return {version: _files(path) for version, path in version_folders(folder).items()}


def _metadata(folder: Path) -> dict[str, Any]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = get_model_metadata_pb2.SignatureDefMap(
        signature_def=saved.meta_graphs[0].signature_def
    )
    # Includes empty fields, as TensorFlow Serving does.
    return json_format.MessageToDict(
        definitions, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )["signature_def"]


def _array(value: tf.Tensor) -> np.ndarray:
    if value.dtype != tf.string:
        return np.asarray(value.numpy())
    # `numpy` makes a scalar a `bytes`.
    strings = np.empty(value.shape, object)
    strings[...] = value.numpy()
    return strings


def _without_graph_details(message: str) -> str:
    """Returns the error of a graph without TensorFlow's node names and stack traces."""
    text = message.rpartition("<stack traces unavailable>")[2].replace("assertion failed:", "")
    return " ".join(text.split("\n\t [[", 1)[0].split(" [Op:", 1)[0].split())
