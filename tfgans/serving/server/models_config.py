"""Which models, versions and labels a server serves: TensorFlow Serving's `models.config`."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfgans import checks, files
from tfgans.serving.client.inputs import is_name


class VersionPolicy(NamedTuple):
    """The versions of a model to serve.

    Attributes:
        latest: Int of at least 1, the number of newest versions; None for all versions.
        specific: Ints, the only versions to serve. Empty for no such choice.
    """

    latest: int | None = 1
    specific: tuple[int, ...] = ()

    def choose(self, versions: Iterable[int]) -> list[int]:
        """Returns those of `versions` to serve, in ascending order."""
        ordered = sorted(versions)
        if self.specific:
            return [version for version in ordered if version in self.specific]
        return ordered if self.latest is None else ordered[-self.latest :]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """A model to serve.

    Args:
        name: String, the name in addresses.
        path: The folder of versions.
        policy: `VersionPolicy`.
        labels: Versions by label.

    Raises:
        ValueError: If the name or a label cannot be part of a URL.
    """

    name: str
    path: Path
    policy: VersionPolicy = dataclasses.field(default_factory=VersionPolicy)
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for kind, text in (("name", self.name), *(("label", label) for label in self.labels)):
            if not is_name(text):
                raise ValueError(
                    f"The {kind} of a model must be plain text without /, \\ and :, as a part of "
                    f"URLs. Received: {checks.short(text)}"
                )
        # Later changes of the caller's dict must not move labels.
        object.__setattr__(self, "labels", dict(self.labels))


def parse_policy(text: str) -> VersionPolicy:
    """Returns the policy of "latest", "latest:2", "all" or "1,3".

    Raises:
        ValueError: If the text is none of these.
    """
    kind, _, count = text.partition(":")
    if text == "all":
        return VersionPolicy(None)
    if text == "latest":
        return VersionPolicy()
    if kind == "latest" and count.isdecimal() and int(count) > 0:
        return VersionPolicy(int(count))
    versions = text.split(",")
    if all(version.isdecimal() for version in versions):
        return VersionPolicy(None, tuple(map(int, versions)))
    raise ValueError(
        "`versions` must be latest, latest:N with N of at least 1, all, or numbers as 1,3. "
        f"Received: {text!r}"
    )


def parse_labels(text: str) -> dict[str, int]:
    """Returns the versions by label of "stable:1,canary:2".

    Raises:
        ValueError: If the text has another form.
    """
    pairs = [pair.partition(":") for pair in text.split(",")]
    labels = {label: version for label, _, version in pairs}
    if not all(label and version.isdecimal() for label, version in labels.items()):
        raise ValueError(f"`labels` must be as stable:1,canary:2. Received: {text!r}")
    if len(labels) < len(pairs):
        raise ValueError(f"`labels` must have a single version for each. Received: {text!r}")
    return {label: int(version) for label, version in labels.items()}


def read_models_config(path: str | os.PathLike[str]) -> list[ModelConfig]:
    """Returns the models of a file for `tensorflow_model_server --model_config_file`.

    Raises:
        ValueError: If the file is no `ModelServerConfig`, lists no model, or needs what this server
            does not have.
        OSError: If the file cannot be read.
    """
    path = files.path(path)
    try:
        proto = text_format.Parse(
            path.read_text(encoding="utf-8"), model_server_config_pb2.ModelServerConfig()
        )
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} must be a ModelServerConfig as text. Received: {error}"
        ) from error
    configs = [_model_config(path, entry) for entry in proto.model_config_list.config]
    names = [config.name for config in configs]
    if not configs or len(set(names)) < len(names):
        raise ValueError(
            f"{path} must list models of different names. Received: {', '.join(names) or 'none'}"
        )
    return configs


def _model_config(path: Path, entry: model_server_config_pb2.ModelConfig) -> ModelConfig:
    if entry.model_platform not in ("", "tensorflow"):
        raise ValueError(
            f'{path} must have model_platform: "tensorflow". Received: {entry.model_platform}'
        )
    policy = entry.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "specific":
        if not policy.specific.versions:
            raise ValueError(
                f"{path} must list the versions of {entry.name}, as in specific {{ versions: 1 }}. "
                "Received: specific without versions"
            )
        versions = VersionPolicy(None, tuple(policy.specific.versions))
    elif choice == "all":
        versions = VersionPolicy(None)
    else:
        versions = VersionPolicy(policy.latest.num_versions or 1)
    labels = dict(entry.version_labels)
    return ModelConfig(entry.name, files.path(entry.base_path), versions, labels)
