"""How much memory a run takes, estimated before it starts."""

import math
from typing import NamedTuple

from tfgans import compat, replicas
from tfgans.data import Source
from tfgans.data.capacity import available_memory
from tfgans.gan import GAN
from tfgans.players import Player, check_batch_size

_FLOAT = 4
# Weights, their gradients, and the two slots of Adam.
_COPIES = 4
# TensorFlow's graphs, kernels and arenas; measured on CPU with small networks.
_RUNTIME = 200 * 2**20
# A batch on its way: as loaded, as grouped into steps, and the next one.
_BATCHES = 3


class Estimate(NamedTuple):
    """Bytes that a run takes beside its data and what the process has by now.

    Args:
        weights: Weights, gradients, optimizers and the average.
        update: Activations of one update, or of one part of it.
        batches: Real examples on their way.
    """

    weights: int
    update: int
    batches: int

    @property
    def total(self) -> int:
        """All of it, and TensorFlow's own."""
        return self.weights + self.update + self.batches + _RUNTIME


def estimate(gan: GAN, source: Source, *, batch_size: int, parts: int | None = None) -> Estimate:
    """Returns the memory of an update: the outputs of all layers, kept for the gradients.

    A discriminator's update keeps those of real and fake examples twice, once for the gradient,
    and a penalty those of its points four times, since it differentiates a gradient. Measured
    against the growth of the process it is right within a factor of two; see
    `tests/training/test_memory.py`.

    Args:
        gan: Compiled model.
        source: Where the real examples come from.
        batch_size: Int, examples in one update, of all replicas.
        parts: Int, instead of the model's `accumulate_steps`.
    """
    generator, discriminator = gan.players["generator"], gan.players["discriminator"]
    # The discriminator sees the real batch, and one from every generator with exact routing.
    fakes = generator.calls_per_example
    judged = _output_sizes(discriminator)
    points = 0 if gan.penalty is None else 4 * fakes * judged
    update = max(
        2 * (1 + fakes) * judged + points,
        2 * (_output_sizes(generator) + fakes * judged),
    )
    workers = replicas.num_workers(gan.distribute_strategy)
    own_replicas = gan.distribute_strategy.num_replicas_in_sync // workers
    generator_weights = generator.network.count_params()
    weights = generator_weights + discriminator.network.count_params()
    parts = gan.accumulate_steps if parts is None else parts
    # The gradients of the parts are summed beside the one of the present part.
    copies = weights * (_COPIES + (parts > 1)) + (0 if gan.ema is None else generator_weights)
    copies *= own_replicas
    rows = math.ceil(batch_size / workers / parts)
    batch = batch_size // workers * gan.discriminator_steps * math.prod(source.data_shape)
    return Estimate(copies * _FLOAT, rows * update * _FLOAT, _BATCHES * batch * _FLOAT)


def refuse_too_large(gan: GAN, source: Source, *, batch_size: int) -> Estimate:
    """Returns the estimate, or raises ValueError if there is not so much memory.

    GPUs are not looked at: TensorFlow does not tell what they have.
    """
    needed, there = estimate(gan, source, batch_size=batch_size), available_memory()
    if needed.total <= there:
        return needed
    fitting = next(
        (
            parts
            for parts in range(gan.accumulate_steps, batch_size + 1)
            if _can_be_cut(gan, batch_size, parts)
            and estimate(gan, source, batch_size=batch_size, parts=parts).total <= there
        ),
        None,
    )
    advice = "Use a smaller batch or smaller networks"
    if fitting is not None:
        advice = f"Use `accumulate_steps={fitting}` (`--accumulate_steps`), or a smaller batch"
    raise ValueError(
        f"The run needs about {megabytes(needed.total)} of memory, and {megabytes(there)} are "
        f"available: {megabytes(needed.update)} for an update of {batch_size} examples in "
        f"{gan.accumulate_steps} parts, {megabytes(needed.weights)} for weights and optimizers. "
        f"{advice}"
    )


def _can_be_cut(gan: GAN, batch_size: int, parts: int) -> bool:
    num_replicas = gan.distribute_strategy.num_replicas_in_sync
    try:
        check_batch_size(
            batch_size, *gan.players.values(), num_replicas=num_replicas, accumulate_steps=parts
        )
    except ValueError:
        return False
    return True


def megabytes(count: int) -> str:
    """Returns bytes as text."""
    return f"{count / 2**20:.1f} MB"


def _output_sizes(player: Player) -> int:
    """Returns the floats in the outputs of all layers for one example."""
    total = 0
    for layer in compat.all_layers(player.components[0]):
        if layer is player.components[0]:
            continue
        shape = getattr(getattr(layer, "output", None), "shape", None)
        if shape is not None:
            total += math.prod(size or 1 for size in shape[1:])
    return total * player.calls_per_example
