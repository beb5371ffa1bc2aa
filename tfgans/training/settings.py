"""The settings that decide a run's result, and the classes that its data have."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfgans import sampling
from tfgans.configs import essential, renamed, without
from tfgans.data import Source
from tfgans.data.indexed import IndexedSource
from tfgans.data.load_options import DECIDING
from tfgans.gan import GAN
from tfgans.players import Player
from tfgans.training.directory import CHECKSUMS, RunDirectory

_NETWORKS = frozenset({"generator", "discriminator"})
_RATES = ("learning_rate", "beta_1", "beta_2")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SEED = re.compile(r"\bseed=-?\d+(, )?")
_SHARE_DIGITS = 6


def describe(
    gan: GAN, source: Source, *, batch_size: int, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Returns the settings that decide a run's result, as JSON values by name.

    Args:
        gan: Compiled model. Its config and that of its optimizers are settings; of a network, the
            number of parameters, and checksums of the architecture and of its seeds.
        source: Its description is a setting, and for a conditional model the share of each class.
        batch_size: Int.
        more: Further settings, from the caller.
    """
    model = {key: value for key, value in gan.get_config().items() if key not in _NETWORKS}
    compiled = gan.get_compile_config() or {}
    return {
        **(more or {}),
        "model": type(gan).__name__,
        **essential(model),
        **{
            f"{name}_optimizer": essential(compiled[f"{name}_optimizer"])
            for name in sorted(_NETWORKS)
        },
        **{
            name: compiled[name]
            for name in ("jit_compile", "accumulate_steps", "excluded_from_weight_decay")
        },
        **{name: _network(gan.players[name]) for name in sorted(_NETWORKS)},
        "compute_dtype": gan.generator.dtype_policy.name,
        **_class_shares(gan, source),
        **_source(source),
        "source_seed": source.seed,
        # A folder may have more images by now: then the order of the data is another.
        "num_examples": source.num_examples,
        "data_shape": source.data_shape,
        "batch_size": batch_size,
    }


def hyperparameters(settings: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Returns the settings that TensorBoard shows beside a run's metrics, by dotted name.

    Left out are lists of numbers, what is off (None), checksums, and most settings of the
    optimizers.
    """
    chosen: dict[str, bool | int | float | str] = {}
    for name, value in settings.items():
        if isinstance(value, list) and all(isinstance(part, dict) for part in value):
            value = {str(index): part for index, part in enumerate(value)}
        if isinstance(value, dict):
            inner = hyperparameters(_arguments(value))
            if name.endswith("_optimizer"):
                rates = {key.rpartition(".")[2]: part for key, part in inner.items()}
                inner = {key: rates[key] for key in _RATES if key in rates}
            chosen |= {f"{name}.{key}": part for key, part in inner.items()}
        elif isinstance(value, bool | int | float | str) and name not in CHECKSUMS:
            chosen[name] = value
    return chosen


def _arguments(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the class and the arguments of a serialized object; of other values themselves."""
    if "config" not in value:
        return value
    return {"class": value.get("class_name"), **value["config"]}


def _source(source: Source) -> dict[str, Any]:
    content = {"data": source.checksum()} if isinstance(source, IndexedSource) else {}
    if source.load_options is None:
        # The seed is a setting of its own.
        shown = _SEED.sub("", _ADDRESS.sub("", repr(source)))
        return {"source": source.name, "source_settings": shown, **content}
    options = {option: source.load_options[option] for option in DECIDING}
    return {"source": source.load_options["name"].partition(":")[0], **options, **content}


def _network(player: Player) -> dict[str, Any]:
    network = player.network
    config = renamed(keras.saving.serialize_keras_object(network))
    described: dict[str, Any] = {
        "parameters": network.count_params(),
        "architecture": _checksum(without(config, lambda name: name.endswith("seed"))),
        # Of the initial weights and of random layers: runs that differ by them alone are of one
        # group.
        "seeds": _checksum(config),
    }
    return described | ({"mixture": player.mixture_settings} if player.is_mixture else {})


def _checksum(config: Any) -> str:
    text = _ADDRESS.sub("", json.dumps(config, sort_keys=True, default=str))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _class_shares(gan: GAN, source: Source) -> dict[str, Any]:
    if gan.num_classes is None or source.class_shares is None:
        return {}
    return {"class_shares": [round(float(share), _SHARE_DIGITS) for share in source.class_shares]}


def draw_labels(run_dir: str | os.PathLike[str], n: int, seed: int) -> np.ndarray | None:
    """Returns classes for `n` samples of a run's model, by the shares of the run's data.

    Args:
        run_dir: Folder of the run.
        n: Int of at least 1.
        seed: Int, of the samples.

    Returns:
        int32 [n]; None if the model is not conditional.

    Raises:
        ValueError: If `n` is not a positive int or the seed no int, the folder holds no run, or its
            settings are damaged.

    Example:

    ```python
    labels = tfgans.training.draw_labels("runs/x", 64, seed=1)
    images = tfgans.training.load_checkpoint("runs/x").sample(64, seed=1, labels=labels)
    ```
    """
    shares = RunDirectory(run_dir).settings().get("class_shares")
    return None if shares is None else sampling.draw_labels(n, seed, _checked_shares(shares))


def _checked_shares(shares: Any) -> np.ndarray:
    try:
        values = np.asarray(shares, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    # Each is rounded by at most half of its last digit. Written so that NaN fails.
    most = len(values) * 10.0**-_SHARE_DIGITS if values.ndim == 1 else 0
    if not (values >= 0).all() or not abs(values.sum() - 1) < most:
        raise ValueError(
            "The settings of the run must have numbers that sum to 1 as `class_shares`. Received: "
            f"{shares!r:.100}. The file run.json is damaged"
        )
    return values / values.sum()
