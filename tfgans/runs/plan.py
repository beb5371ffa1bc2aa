"""What a run will do, said before it does it."""

import math
import os
from collections.abc import Mapping
from typing import Any

from tfgans.callbacks import Backup
from tfgans.data import Source
from tfgans.layers import Mixture
from tfgans.models import GAN
from tfgans.runs.directory import RunDirectory
from tfgans.runs.settings import check_sizes, describe

_BYTES = 4


def plan(
    gan: GAN,
    source: Source,
    *,
    run_dir: str | os.PathLike[str],
    steps: int,
    batch_size: int,
    epoch_steps: int = 100,
    settings: Mapping[str, Any] | None = None,
    resume: bool = True,
) -> str:
    """Returns a table of the data, the networks, the memory and the steps of a run.

    It refuses what `train` would refuse with the same arguments, and writes nothing. Memory is an
    estimate: weights, gradients, two optimizer slots and the average; and the activations of one
    update, as the sizes of all layers' outputs, forward and backward.
    """
    check_sizes(gan, source, steps=steps, batch_size=batch_size, epoch_steps=epoch_steps)
    described = describe(gan, source, batch_size=batch_size, given=settings)
    run = RunDirectory(run_dir)
    run.check(described, resume=resume)
    done = Backup(run.backups).newest_step() or 0
    weights = gan.generator.count_params() + gan.discriminator.count_params()
    copies = weights * 4 + (0 if gan.ema is None else gan.generator.count_params())
    # The discriminator sees the real batch, and one from every generator with exact routing.
    fakes = gan.generator.num_components if _is_exact(gan.generator) else 1
    judged = (1 + fakes) * _output_sizes(gan.discriminator)
    activations = 2 * batch_size * (_output_sizes(gan.generator) + judged)
    examples = "endless" if source.num_examples is None else f"{source.num_examples} examples"
    seen = steps * batch_size * gan.discriminator_steps
    rows = {
        "data": f"{source.name}, {examples} of shape {source.data_shape}",
        "model": f"{type(gan).__name__}, objective {type(gan.objective).__name__}, penalty "
        + ("none" if gan.penalty is None else type(gan.penalty).__name__),
        "generator": _network(gan.generator),
        "discriminator": _network(gan.discriminator),
        "memory": f"about {_megabytes(copies * _BYTES)} for weights and optimizers, "
        f"{_megabytes(activations * _BYTES)} for one update",
        "steps": f"{steps} of {gan.discriminator_steps} discriminator updates and one of the "
        f"generator, batch {batch_size}: {seen:,} real examples; {done} steps are done",
        "run directory": os.fspath(run_dir),
    }
    return "\n".join(f"{name:>14}  {text}" for name, text in rows.items())


def _network(network: Any) -> str:
    text = f"{network.name}, {network.count_params():,} parameters"
    if isinstance(network, Mixture):
        text += f", {network.num_components} components, routing {network.routing}"
    return text


def _is_exact(network: Any) -> bool:
    return isinstance(network, Mixture) and network.routing == "exact"


def _output_sizes(network: Any) -> int:
    """Returns the floats in the outputs of all layers for one example."""
    if isinstance(network, Mixture) and not _is_exact(network):
        network = network.components[0]  # An example goes through one component.
    total = 0
    for layer in network._flatten_layers(include_self=False):
        shape = getattr(getattr(layer, "output", None), "shape", None)
        if shape is not None:
            total += math.prod(size or 1 for size in shape[1:])
    return total


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.1f} MB"
