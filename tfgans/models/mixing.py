"""What a training step needs to know of its players: a plain network, or a mixture of several."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfgans.mixtures import Mixture, MixtureDiscriminator, MixtureGenerator
from tfgans.mixtures.routing import batch_size, cut, slice_sizes


def generate(
    generator: Any, inputs: Any, *, key: tf.Tensor, training: bool
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns float32 examples, and what each counts: float32 [rows, 1], or None if all alike."""
    if isinstance(generator, MixtureGenerator):
        return generator.route(inputs, key=key, training=training)
    return tf.cast(generator(inputs, training=training), tf.float32), None


def deal(discriminator: Any, batch: Any, *, key: tf.Tensor, training: bool) -> Any:
    """Returns rows in the order in which a mixture of discriminators slices them; None as None."""
    if batch is None or not isinstance(discriminator, MixtureDiscriminator):
        return batch
    return discriminator.deal(batch, key=key, training=training)


def judge(
    discriminator: Any, inputs: Any, *, key: tf.Tensor, training: bool
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns float32 logits [rows, columns], and what each counts; None if all alike."""
    if isinstance(discriminator, MixtureDiscriminator):
        return discriminator.route(inputs, key=key, training=training)
    # Losses are computed in float32 whatever the networks compute in.
    return tf.cast(discriminator(inputs, training=training), tf.float32), None


def mean_logits(discriminator: Any, inputs: Any) -> tf.Tensor:
    """Returns float32 [rows, 1]: the logits at inference, of a mixture their weighted mean."""
    logits = tf.cast(discriminator(inputs, training=False), tf.float32)
    if not isinstance(discriminator, MixtureDiscriminator):
        return logits
    return tf.reduce_sum(logits * tf.exp(discriminator.log_probabilities()), axis=1, keepdims=True)


def penalize(
    discriminator: Any,
    penalty: Callable[..., tf.Tensor],
    batch: Any,
    *,
    key: tf.Tensor,
    training: bool,
) -> tf.Tensor:
    """Returns what each row costs: float32 [rows, columns], columns as those of `judge`.

    Args:
        discriminator: The player.
        penalty: Callable `(discriminator, batch, index) -> [rows]`, index counting networks.
        batch: A nest of tensors with as many rows each.
        key: The key of `judge`.
        training: Bool.
    """
    if isinstance(discriminator, MixtureDiscriminator):
        return discriminator.penalize(penalty, batch, key=key, training=training)
    return penalty(discriminator, batch, 0)[:, tf.newaxis]


def each_discriminator(
    discriminator: Any, function: Callable[..., Any], *batches: Any, training: bool
) -> Any:
    """Returns `function(*batches)`, called once for each network whose logits are among the rows.

    For a game in which an example's term depends on the other examples of the batch: only those
    that the same discriminator has judged.
    """
    mixed = isinstance(discriminator, MixtureDiscriminator)
    if not (mixed and training and discriminator.routing == "slices"):
        return function(*batches)
    cuts = [
        [None] * discriminator.num_components
        if one is None
        else cut(one, discriminator.num_components)
        for one in batches
    ]
    parts = [function(*rows) for rows in zip(*cuts, strict=True)]
    return tf.nest.map_structure(lambda *terms: tf.concat(terms, axis=0), *parts)


def own_variables(network: Any) -> list[Any]:
    """Returns the trainable variables of the networks alone, without a mixture's weights."""
    networks = network.components if isinstance(network, Mixture) else [network]
    return [variable for one in networks for variable in one.trainable_variables]


def match_rows(rows: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Returns `rows`, repeated to as many as `fake` has: a multiple, with "exact" routing."""
    num = batch_size(rows)
    # A replica may have no rows of the last batch.
    times = batch_size(fake) // (num if isinstance(num, int) else tf.maximum(num, 1))
    if isinstance(times, int) and times == 1:
        return rows
    return tf.tile(rows, [times, *[1] * (len(rows.shape) - 1)])


def mean(terms: tf.Tensor, *weights: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean over rows of the weighted sum over columns; a weight of None is 1."""
    for weight in weights:
        if weight is not None:
            terms = terms * weight
    return tf.reduce_mean(tf.reduce_sum(terms, axis=1))


def with_entropy(loss: tf.Tensor, network: Any) -> tf.Tensor:
    """Returns the loss, plus the entropy term of a mixture's weights."""
    return loss + network.entropy_term() if isinstance(network, Mixture) else loss


def check_batch(num: int, *networks: Any, num_replicas: int, parts: int) -> bool:
    """Returns whether all batches should be of one size: they are cut.

    Args:
        num: Int, the examples of an update.
        *networks: The players.
        num_replicas: Int, the replicas that share the batch.
        parts: Int, what each of them cuts its share into (`accumulate_steps`).

    Raises:
        ValueError: If the batch cannot be cut so, or a part is too small for a slice a component.
    """
    shares = num_replicas * parts
    if num % shares:
        raise ValueError(
            f"The batch must be a multiple of {shares}: {num_replicas} replicas times "
            f"accumulate_steps={parts}. Received: {num} examples"
        )
    slicing = [one for one in networks if isinstance(one, Mixture) and one.routing == "slices"]
    for network in slicing:
        slice_sizes(num // shares, network.num_components)
    return bool(slicing) or shares > 1
