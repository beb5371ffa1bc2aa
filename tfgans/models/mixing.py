"""What a training step needs to know of its players: a plain network, or a mixture of several."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgans.layers import Mixture, MixtureDiscriminator, MixtureGenerator
from tfgans.layers.routing import batch_size, slice_sizes


def generate(
    generator: Any, latents: tf.Tensor, *, key: tf.Tensor, training: bool
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns float32 examples, and what each counts: float32 [rows, 1], or None if all alike."""
    if isinstance(generator, MixtureGenerator):
        return generator.route(latents, key=key, training=training)
    return tf.cast(generator(latents, training=training), tf.float32), None


def deal(discriminator: Any, batch: Any, *, key: tf.Tensor, training: bool) -> Any:
    """Returns rows in the order in which a mixture of discriminators slices them; None as None."""
    if batch is None or not isinstance(discriminator, MixtureDiscriminator):
        return batch
    return discriminator.deal(batch, key=key, training=training)


def judge(
    discriminator: Any, examples: tf.Tensor, *, key: tf.Tensor, training: bool
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns float32 logits [rows, columns], and what each counts; None if all alike."""
    if isinstance(discriminator, MixtureDiscriminator):
        return discriminator.route(examples, key=key, training=training)
    # Losses are computed in float32 whatever the networks compute in.
    return tf.cast(discriminator(examples, training=training), tf.float32), None


def judges(discriminator: Any, *, key: tf.Tensor, training: bool) -> list[Callable[..., tf.Tensor]]:
    """Returns what a penalty is on: one callable for each column of `judge`."""
    if isinstance(discriminator, MixtureDiscriminator):
        return discriminator.judges(key=key, training=training)
    return [discriminator]


def match_rows(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Returns `real`, repeated to as many rows as `fake` has: a multiple, with "exact" routing."""
    times = batch_size(fake) // batch_size(real)
    if isinstance(times, int) and times == 1:
        return real
    return tf.tile(real, [times, *[1] * (len(real.shape) - 1)])


def mean(terms: tf.Tensor, *weights: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean over rows of the weighted sum over columns; a weight of None is 1."""
    for weight in weights:
        if weight is not None:
            terms = terms * weight
    return tf.reduce_mean(tf.reduce_sum(terms, axis=1))


def with_entropy(loss: tf.Tensor, network: Any) -> tf.Tensor:
    """Returns the loss, plus the entropy term of a mixture's weights."""
    return loss + network.entropy_term() if isinstance(network, Mixture) else loss


def check_batch(num: int, *networks: Any) -> bool:
    """Returns whether a network slices its batches, so that all should be of one size.

    Raises:
        ValueError: If a batch of `num` examples is too small for a slice a component on each
            replica.
    """
    slicing = [one for one in networks if isinstance(one, Mixture) and one.routing == "slices"]
    for network in slicing:
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        slice_sizes(num // replicas, network.num_components)
    return bool(slicing)
