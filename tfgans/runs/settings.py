"""What is checked before a run starts, and what must be the same when it goes on."""

from collections.abc import Mapping
from typing import Any

from tfgans import checks
from tfgans.data import Source
from tfgans.gan import GAN

# What Keras counts up in a process, or keeps for its own loading: it decides no number.
_INCIDENTAL = frozenset({"name", "module", "registered_name", "build_config"})
_NETWORKS = frozenset({"generator", "discriminator"})


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
        source: Its name, size and seed are told.
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
        if player.mixture_settings
    }


def _essential(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    return {key: _essential(value) for key, value in config.items() if key not in _INCIDENTAL}
