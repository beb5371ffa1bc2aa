"""Estimates the memory of a run before it starts."""

import math
from typing import NamedTuple

from tfgans import compat, replicas
from tfgans.data import Source
from tfgans.gan import GAN
from tfgans.players import Player

_FLOAT = 4
# Weights, their gradients, and the two slots of Adam.
_COPIES = 4
# TensorFlow's graphs, kernels and arenas; measured on CPU with small networks.
_RUNTIME = 200 * 2**20
# A batch as loaded, as grouped into steps, and the next batch.
_BATCHES = 3


class MemoryEstimate(NamedTuple):
    """Bytes that a run takes beside its data and the present size of the process.

    Args:
        weights: Weights, gradients, optimizers and the average.
        update: Activations of an update, or of a micro-batch of it.
        batches: Real examples that are being loaded.
    """

    weights: int
    update: int
    batches: int

    @property
    def total(self) -> int:
        """The sum, and TensorFlow's part."""
        return self.weights + self.update + self.batches + _RUNTIME


def estimate(gan: GAN, source: Source, *, batch_size: int) -> MemoryEstimate:
    """Returns the memory of an update: the outputs of all layers, kept for the gradients.

    A discriminator's update keeps those of real and fake examples twice, once for the gradient,
    and a penalty those of its points four times, since it differentiates a gradient. Measured
    against the growth of a process it is right within a factor of two.

    Args:
        gan: Compiled model.
        source: The real examples.
        batch_size: Int, examples in an update, of all replicas.
    """
    generator, discriminator = gan.players["generator"], gan.players["discriminator"]
    # The discriminator gets the real batch, and a batch of each generator with routing "all".
    fakes = generator.calls_per_example
    judged = _output_sizes(discriminator)
    points = 0 if gan.penalty is None else 4 * fakes * judged
    update = max(
        2 * (1 + fakes) * judged + points,
        2 * (_output_sizes(generator) + fakes * judged),
    )
    workers = replicas.num_workers(gan.distribute_strategy)
    local_replicas = gan.distribute_strategy.num_replicas_in_sync // workers
    generator_weights = generator.network.count_params()
    weights = generator_weights + discriminator.network.count_params()
    # The gradients of micro-batches are summed beside that of the present micro-batch.
    copies = weights * (_COPIES + (gan.accumulate_steps > 1))
    copies = (copies + (0 if gan.ema is None else generator_weights)) * local_replicas
    rows = math.ceil(batch_size / workers / gan.accumulate_steps)
    batch = batch_size // workers * gan.discriminator_steps * math.prod(source.data_shape)
    return MemoryEstimate(copies * _FLOAT, rows * update * _FLOAT, _BATCHES * batch * _FLOAT)


def size_text(count: int) -> str:
    """Returns a number of bytes as text."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _output_sizes(player: Player) -> int:
    """Returns the floats in the outputs of all layers for an example."""
    total = 0
    for layer in compat.all_layers(player.components[0]):
        if layer is player.components[0]:
            continue
        shape = getattr(getattr(layer, "output", None), "shape", None)
        if shape is not None:
            total += math.prod(size or 1 for size in shape[1:])
    return total * player.calls_per_example
