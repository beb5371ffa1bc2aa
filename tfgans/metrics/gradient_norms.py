"""How strong and how noisy the gradient is that a generator gets."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, shapes, stateless
from tfgans.layers import Mixture
from tfgans.metrics import arrays
from tfgans.models import GAN
from tfgans.objectives import Objective

_LATENTS, _LABELS = 0, 1


class GradientNorms(NamedTuple):
    """The gradient of one cost over the generator's parameters.

    Attributes:
        mean_norm: Float, the norm of the mean of all batches' gradients: the signal.
        batch_norm: Float, the mean of the batches' norms.
        batch_norm_std: Float, their standard deviation.
        variance: Float, the mean over the parameters of the variance over batches: the noise.
    """

    mean_norm: float
    batch_norm: float
    batch_norm_std: float
    variance: float


def generator_gradient_norms(
    gan: GAN,
    *,
    objectives: Mapping[str, Objective] | None = None,
    num_batches: int = 10,
    batch_size: int = 64,
    seed: int = 0,
) -> dict[str, GradientNorms]:
    """Returns the strength and the noise of the generator's gradient, by cost.

    As a discriminator nears its optimum on distributions that do not overlap, the gradient of the
    minimax cost vanishes, and that of the non-saturating cost grows and becomes noisy: the
    diagnostic that Arjovsky & Bottou plot against the discriminator's training. Both networks are
    at inference (BatchNormalization frozen), and nothing of the model changes.

    Args:
        gan: `tfgans.GAN` of two plain networks.
        objectives: Objectives by name, whose `generator_loss` is measured with the same latents.
            Default: the model's own, as "objective".
        num_batches: Int of at least 2. Default: 10.
        batch_size: Int of at least 1, latents in a batch. Default: 64.
        seed: Int, of the latents. Default: 0.

    Returns:
        Dict of `GradientNorms` by name.

    Raises:
        ValueError: If the model holds a mixture, an objective compares with real examples
            (`Relativistic`), or a gradient is not finite.

    Example:

    ```python
    costs = {
        "minimax": tfgans.objectives.Minimax(),
        "non_saturating": tfgans.objectives.NonSaturating(),
    }
    print(tfgans.metrics.generator_gradient_norms(gan, objectives=costs))
    ```

    Reference: Arjovsky & Bottou 2017, "Towards Principled Methods for Training Generative
    Adversarial Networks", figures 2 and 3, Theorems 2.4 and 2.6.

    Checked against: the closed form of linear networks, in NumPy.
    """
    checks.instance("gan", gan, GAN, "tfgans.GAN(generator, discriminator, objective=...)")
    costs = dict(objectives or {"objective": gan.objective})
    for name, cost in costs.items():
        checks.instance(name, cost, Objective, "tfgans.objectives.Minimax()")
        if cost.generator_uses_real:
            raise ValueError(
                f"`objectives` must be of fakes alone. Received: {cost}, which compares with real"
            )
    if isinstance(gan.generator, Mixture) or isinstance(gan.discriminator, Mixture):
        raise ValueError(
            "The gradient is of one generator against one discriminator. Received: a mixture. Make "
            "a model of two of its components"
        )
    count = checks.int_at_least("num_batches", num_batches, 2)
    checks.positive_int("batch_size", batch_size)
    checks.integer("seed", seed)
    variables = gan.generator.trainable_variables

    @tf.function(autograph=False)
    def gradients(index: tf.Tensor) -> list[tf.Tensor]:
        inputs = _inputs(gan, batch_size, stateless.key(seed, index))
        with tf.GradientTape(persistent=True) as tape:
            fake = gan.generator(inputs, training=False)
            labels = inputs[1] if gan.num_classes is not None else None
            judged = shapes.with_labels(fake, labels)
            logits = tf.cast(gan.discriminator(judged, training=False), tf.float32)
            losses = [tf.reduce_mean(cost.generator_loss(None, logits)) for cost in costs.values()]
        flat = []
        for loss in losses:
            found = tape.gradient(loss, variables, unconnected_gradients="zero")
            flat.append(tf.concat([tf.reshape(one, [-1]) for one in found], 0))
        return flat

    batches = [gradients(tf.constant(index, tf.int64)) for index in range(count)]
    return {
        name: _norms(name, np.stack([batch[index].numpy() for batch in batches]))
        for index, name in enumerate(costs)
    }


def _inputs(gan: GAN, batch_size: int, key: tf.Tensor) -> Any:
    latents = stateless.normal([batch_size, *gan.latent_shape], stateless.fold(key, _LATENTS))
    if gan.num_classes is None:
        return latents
    drawn = stateless.uniform([batch_size], stateless.fold(key, _LABELS))
    labels = tf.cast(drawn * float(gan.num_classes), tf.int32)
    # In float32 the product can round up to the number of classes.
    return [latents, tf.minimum(labels, gan.num_classes - 1)]


def _norms(name: str, gradients: np.ndarray) -> GradientNorms:
    """Returns the summary of gradients [num_batches, num_parameters]."""
    rows = arrays.finite(f"the gradient of {name}", gradients)
    norms = np.sqrt(np.square(rows).sum(axis=1))
    return GradientNorms(
        mean_norm=float(np.sqrt(np.square(rows.mean(axis=0)).sum())),
        batch_norm=float(norms.mean()),
        batch_norm_std=float(norms.std(ddof=1)),
        variance=float(rows.var(axis=0, ddof=1).mean()),
    )
