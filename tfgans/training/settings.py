"""What is checked before a run starts, and what must be the same when it goes on."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfgans import checks, sampling
from tfgans.data import Source
from tfgans.gan import GAN
from tfgans.training.directory import RunDirectory

# What Keras counts up in a process, or keeps for its own loading: it decides no number.
_INCIDENTAL = frozenset({"name", "module", "registered_name", "build_config"})
_NETWORKS = frozenset({"generator", "discriminator"})
_SHARE_DIGITS = 6


def check_sizes(gan: GAN, source: Source, *, steps: int, batch_size: int, epoch_steps: int) -> None:
    """Raises ValueError unless the model can be trained on the source for that long."""
    if not gan.compiled:
        raise ValueError("Compile the model before training. Received: a model without optimizers")
    checks.positive_int("steps", steps)
    checks.positive_int("epoch_steps", epoch_steps)
    if steps % gan.steps_per_execution or epoch_steps % gan.steps_per_execution:
        raise ValueError(
            "`steps` and `epoch_steps` must be multiples of `steps_per_execution` = "
            f"{gan.steps_per_execution}. Received: steps={steps}, epoch_steps={epoch_steps}"
        )
    if len(source.data_shape) not in (1, 3):
        raise ValueError(
            "A run draws its samples, so examples must be images [height, width, channels] or "
            f"vectors [dim]. Received: {source.data_shape}"
        )
    gan.check_training(source, batch_size)


def describe(
    gan: GAN, source: Source, *, batch_size: int, given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns the settings that decide a run's numbers, as JSON values by name.

    Args:
        gan: Compiled model. Of the networks only their sizes are told: a backup does not load
            into another architecture.
        source: Its name, size and seed are told, and for a conditional model how often each class
            occurs.
        batch_size: Int.
        given: More settings, from the caller.
    """
    model = {key: value for key, value in gan.get_config().items() if key not in _NETWORKS}
    compiled = gan.get_compile_config() or {}
    return {
        **(given or {}),
        "model": type(gan).__name__,
        **_essential(model),
        "optimizers": [_essential(compiled[f"{player}_optimizer"]) for player in sorted(_NETWORKS)],
        "jit_compile": compiled["jit_compile"],
        "generator_parameters": gan.generator.count_params(),
        "discriminator_parameters": gan.discriminator.count_params(),
        "compute_dtype": gan.generator.dtype_policy.name,
        **_mixtures(gan),
        **_class_shares(gan, source),
        "source": source.name,
        "source_seed": source.seed,
        # A folder may have got more images since: then the order of the data is another.
        "num_examples": source.num_examples,
        "data_shape": source.data_shape,
        "batch_size": batch_size,
    }


def _mixtures(gan: GAN) -> dict[str, Any]:
    return {
        f"{name}_mixture": player.mixture_settings
        for name, player in sorted(gan.players.items())
        if player.is_mixture
    }


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
        int32 [n]; None if the model is not conditional, or the run is older than the shares in its
        settings: the model then draws by itself.

    Raises:
        ValueError: If `n` is not a positive int or the seed no int, the folder holds no run, or its
            settings are damaged.

    Example:

    ```python
    labels = tfgans.training.draw_labels("runs/x", 64, seed=1)
    images = tfgans.training.load_final("runs/x").sample(64, seed=1, labels=labels)
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


def _essential(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    return {key: _essential(value) for key, value in config.items() if key not in _INCIDENTAL}
