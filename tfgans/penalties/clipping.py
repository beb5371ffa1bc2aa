"""Weight clipping, the constraint of WGAN, in place of a penalty."""

from collections.abc import Iterable

import keras
import tensorflow as tf

from tfgans import checks


def clip_weights(variables: Iterable[keras.Variable], limit: float) -> None:
    """Moves every number in `variables` into [-limit, limit].

    WGAN does it after each update of the critic, to all of its parameters: biases and the gain and
    offset of normalizations too.

    Args:
        variables: `keras.Variable`s.
        limit: Float above 0.

    Raises:
        ValueError: If the limit is not above 0.

    Reference: Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", Algorithm 1, line 7. The
    authors' code clips before each update instead, so that its weights may pass the limit.
    """
    checks.positive("limit", limit)
    targets = [variable.value for variable in variables]
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        for target in targets:
            target.assign(tf.clip_by_value(target, -limit, limit))
        return

    def clip(strategy: tf.distribute.Strategy) -> None:
        # Every replica holds the same numbers: each clips its copy, without communication.
        for target in targets:
            strategy.extended.update(
                target, lambda copy: copy.assign(tf.clip_by_value(copy, -limit, limit)), group=False
            )

    if tf.distribute.in_cross_replica_context():
        clip(tf.distribute.get_strategy())
    else:
        tf.distribute.get_replica_context().merge_call(clip)
