"""The strength and the noise of the gradient of a generator."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, random, shapes
from tfgans.games.held_out import draw_indices
from tfgans.games.held_out import examples as checked_examples
from tfgans.gan import GAN
from tfgans.metrics import arrays
from tfgans.objectives import Objective
from tfgans.random import ReservedStep

_LATENTS, _LABELS, _REAL = 0, 1, 2


class GradientNorms(NamedTuple):
    """The gradient of a cost over the generator's parameters.

    Attributes:
        mean_norm: Float, the norm of the mean of all batches' gradients: the signal, with some
            noise. With P parameters, its square exceeds that of the signal by P variance /
            num_batches on average.
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
    real: Any = None,
    *,
    objectives: Mapping[str, Objective] | None = None,
    num_batches: int = 10,
    batch_size: int = 64,
    seed: int = 0,
) -> dict[str, GradientNorms]:
    """Returns the strength and the noise of the generator's gradient, by cost.

    As a discriminator approaches its optimum on distributions that do not overlap, the gradient of
    the minimax cost vanishes, and that of the non-saturating cost grows and becomes noisy: Arjovsky
    & Bottou plot it over the discriminator's training. Both networks run in inference mode
    (BatchNormalization frozen), and the model does not change.

    Args:
        gan: `tfgans.GAN` of two plain networks.
        real: Array [num, ...] of floats, images in [-1, 1] or uint8, from which batches are drawn
            with replacement. Only for objectives whose generator compares with real examples
            (`Relativistic`), and models without classes. Default: None.
        objectives: Dict of objectives by name, whose `generator_loss` is measured with the same
            latents. Default: None, the objective of the model, as "objective".
        num_batches: Int of at least 2. Default: 10.
        batch_size: Int of at least 1, latents in a batch. Default: 64.
        seed: Int, of the latents, and of the labels of a conditional model, which are uniform: with
            unequal classes the gradient is not that of training. Default: 0.

    Returns:
        Dict of `GradientNorms` by name.

    Raises:
        ValueError: If the model holds a mixture or no trainable weights, `real` is missing, not
            used or of another shape, or a gradient is not finite.

    Example:

    ```python
    gan = tfgans.NonSaturatingGAN(
        tfgans.networks.mlp_generator((2,), latent_dim=2),
        tfgans.networks.mlp_discriminator((2,)),
    )
    costs = {
        "minimax": tfgans.objectives.Minimax(),
        "non_saturating": tfgans.objectives.NonSaturating(),
    }
    print(tfgans.games.generator_gradient_norms(gan, objectives=costs))
    ```

    Reference: Arjovsky & Bottou 2017, "Towards Principled Methods for Training Generative
    Adversarial Networks", figures 2 and 3, Theorems 2.4 and 2.6.

    Checked against: the closed form of linear networks, in NumPy.
    """
    checks.instance("gan", gan, GAN, "tfgans.GAN(generator, discriminator, objective=...)")
    costs = _costs(gan, objectives)
    _check_networks(gan)
    examples = _real_examples(gan, real, costs)
    count = checks.int_at_least("num_batches", num_batches, 2)
    size = checks.positive_int("batch_size", batch_size)
    checks.integer("seed", seed)

    def judge(batch: tf.Tensor, labels: Any) -> tf.Tensor:
        inputs = shapes.with_labels(batch, labels)
        return tf.cast(gan.discriminator(inputs, training=False), tf.float32)

    @tf.function(autograph=False)
    def gradients(index: tf.Tensor) -> list[tf.Tensor]:
        key = random.key(seed, ReservedStep.GRADIENT_NORMS, index)
        latents, labels = _draw(gan, size, key)
        real_logits = None
        if examples is not None:
            rows = draw_indices(size, len(examples), random.fold(key, _REAL))
            real_logits = judge(tf.gather(examples, rows), None)
        with tf.GradientTape(persistent=True) as tape:
            fake = gan.generator(shapes.with_labels(latents, labels), training=False)
            logits = judge(fake, labels)
            losses = [
                tf.reduce_mean(
                    cost.generator_loss(real_logits if cost.pairs_real_with_fake else None, logits)
                )
                for cost in costs.values()
            ]
        return [_flat_gradient(tape, loss, gan.generator.trainable_variables) for loss in losses]

    # Traced once: TensorFlow does not warn about the retracing of repeated measurements.
    compiled = gradients.get_concrete_function(tf.TensorSpec([], tf.int64))
    batches = [compiled(tf.constant(index, tf.int64)) for index in range(count)]
    return {
        name: _norms(name, np.stack([batch[index].numpy() for batch in batches]))
        for index, name in enumerate(costs)
    }


def _costs(gan: GAN, objectives: Any) -> dict[str, Objective]:
    if objectives is None:
        return {"objective": gan.objective}
    if not isinstance(objectives, Mapping) or not objectives:
        raise ValueError(
            "`objectives` must be a dict of objectives by name, for example "
            f"`{{'minimax': tfgans.objectives.Minimax()}}`. Received: {checks.short(objectives)}"
        )
    for name, cost in objectives.items():
        checks.instance(str(name), cost, Objective, "tfgans.objectives.Minimax()")
    return dict(objectives)


def _check_networks(gan: GAN) -> None:
    """Raises ValueError if the model is a mixture or has no weights to train."""
    if any(player.is_mixture for player in gan.players.values()):
        raise ValueError(
            "The gradient is that of a single generator against a single discriminator. "
            "Received: a mixture. Build a model from one generator and one discriminator"
        )
    if not gan.generator.trainable_variables:
        raise ValueError(
            "The gradient is over the generator's trainable weights. Received: a generator without "
            "any. Set `gan.generator.trainable = True`"
        )


def _real_examples(gan: GAN, real: Any, costs: Mapping[str, Objective]) -> tf.Tensor | None:
    """Returns the real examples as float32, or None if no objective reads them."""
    readers = [str(cost) for cost in costs.values() if cost.pairs_real_with_fake]
    if (real is not None) != bool(readers):
        raise ValueError(
            "Objectives whose generator compares with real examples need `real`, and others do not "
            f"take it. Received: {', '.join(readers) or 'no such objective'} and "
            f"real={'None' if real is None else 'an array'}"
        )
    if real is None:
        return None
    if gan.num_classes is not None:
        raise ValueError(
            "An objective that compares with real examples is measured for models without classes. "
            f"Received: {readers[0]} and num_classes={gan.num_classes}"
        )
    examples = checked_examples("real", real)
    if examples.shape[1:] != tuple(gan.data_shape):
        raise ValueError(
            f"`real` must have examples of the discriminator's input shape, "
            f"{tuple(gan.data_shape)}. Received shape: {examples.shape}"
        )
    return tf.constant(examples)


def _draw(gan: GAN, batch_size: int, key: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns latents, and labels if the model has classes."""
    latents = gan.draw_latents(random.BatchDraws(batch_size, random.fold(key, _LATENTS)))
    if gan.num_classes is None:
        return latents, None
    return latents, draw_indices(batch_size, gan.num_classes, random.fold(key, _LABELS))


def _flat_gradient(tape: tf.GradientTape, loss: tf.Tensor, variables: Any) -> tf.Tensor:
    gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
    return tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], 0)


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
