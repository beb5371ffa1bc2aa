"""The payoff of each pair of a generator and a discriminator on held-out examples."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfgans import checks, shapes
from tfgans.data import Source, adapters
from tfgans.games.matrix_game import MatrixGame, best_reply_gains, matrix_game
from tfgans.gan import GAN


class Payoff(NamedTuple):
    """The payoffs of all pairs, estimated on a sample.

    Attributes:
        values: float64 [kg, kd], entry [i, j] is the payoff of discriminator j against generator i.
        standard_errors: float64 [kg, kd], of each entry, over the examples.
        num_examples: Int, real examples used, and as many fakes of each generator.
    """

    values: np.ndarray
    standard_errors: np.ndarray
    num_examples: int


@dataclasses.dataclass(frozen=True, eq=False)
class Equilibrium:
    """The weights of a mixture as strategies in the game of its components; see `equilibrium`.

    Attributes:
        payoff: `Payoff` of all pairs of components.
        generator_probabilities: float64 [kg], the weights p; [1.0] for a plain network.
        discriminator_probabilities: float64 [kd], the weights q; [1.0] for a plain network.
        value: Float, `p^T F q`, the payoff of the discriminators with these weights.
        generator_gain: Float of at least 0, the gain of the generators by their best pure reply to
            q.
        discriminator_gain: Float of at least 0, the gain of the discriminators by their best pure
            reply to p.
        game: `MatrixGame`, the value of the payoff matrix and the optimal weights.
    """

    payoff: Payoff
    generator_probabilities: np.ndarray
    discriminator_probabilities: np.ndarray
    value: float
    generator_gain: float
    discriminator_gain: float
    game: MatrixGame

    @property
    def epsilon(self) -> float:
        """The larger of the two gains: 0 if no component is a better reply."""
        return max(self.generator_gain, self.discriminator_gain)

    def table(self) -> str:
        """Returns the payoffs, the weights and the gains as text."""
        values, errors, num_examples = self.payoff
        rows = [["", *(f"D{j}" for j in range(values.shape[1])), "weight", "optimal"]]
        margins = zip(self.generator_probabilities, self.game.generator, strict=True)
        for i, weights in enumerate(margins):
            cells = zip(values[i], errors[i], strict=True)
            entries = [f"{value:.4g} ({error:.2g})" for value, error in cells]
            rows.append([f"G{i}", *entries, *_decimals(weights)])
        rows.append(["weight", *_decimals(self.discriminator_probabilities), "", ""])
        rows.append(["optimal", *_decimals(self.game.discriminator), "", ""])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return "\n".join(
            [
                f"Payoff of discriminator over generator (standard error), {num_examples} examples",
                *lines,
                f"value {self.value:.4g} by weight, {self.game.value:.4g} by optimal weights",
                f"best reply gains: generator {self.generator_gain:.4g}, "
                f"discriminator {self.discriminator_gain:.4g}; epsilon {self.epsilon:.4g}",
            ]
        )


def payoff_matrix(gan: GAN, data: Any, *, batch_size: int = 256, seed: int = 0) -> Payoff:
    """Returns the payoff of every discriminator against every generator on held-out examples.

    Formula: `F[i, j] = -(E on_real(D_j(x)) + E on_fake(D_j(G_i(z))))`, with the terms of
    `gan.objective.discriminator_loss` and without penalty. For `Minimax` and `NonSaturating` that
    is `E log D + E log(1 - D)`, since both have the same discriminator loss: the game is zero-sum,
    whatever the generators were trained on. For `Wasserstein` it is `E D(x) - E D(G(z))`.

    The networks are `gan.generator` (not its average) and `gan.discriminator`, in inference mode. A
    plain network counts as a mixture with a single component. There are as many latents as
    examples, those of `gan.sample(num_examples, seed=seed)`, the same for all generators. Example
    and latent i make a pair, whose spread gives `std / sqrt(num_examples)` as standard error of an
    entry. All entries share examples and latents, so their differences have smaller errors.

    Args:
        gan: `tfgans.GAN`, any combination of mixtures and plain networks. Its game must be a mean
            over examples or pairs of them: with `KLWasserstein` or `MinibatchStdDev` it is not.
        data: Held-out examples: array [num_examples, ...] of floats, images in [-1, 1] (or uint8),
            a finite `tf.data.Dataset` of batches, or a finite `tfgans.data.Source`. At least two.
            For a conditional model a pair of arrays, a dataset of pairs (examples, labels), or a
            source with labels; fakes have the same labels.
        batch_size: Int of at least 1. It changes the result by rounding only. Default: 256.
        seed: Int, of the latents. The same seed gives the same result. Default: 0.

    Returns:
        A `Payoff`.

    Raises:
        ValueError: If the data is not valid input of the discriminator, is not finite (of a
            dataset, the first batch), is endless, or holds fewer than two examples.

    Example:

    ```python
    gan = tfgans.NonSaturatingGAN(
        tfgans.networks.mlp_generator((2,), latent_dim=2),
        tfgans.networks.mlp_discriminator((2,)),
    )
    held_out = tfgans.data.load("ring").sample(1000, seed=1)
    payoff = tfgans.games.payoff_matrix(gan, held_out)
    print(payoff.values, payoff.standard_errors)
    ```
    """
    checks.instance("gan", gan, GAN, "tfgans.GAN(generator, discriminator, objective=...)")
    if gan.objective.weighs_fakes:
        raise ValueError(
            "A payoff is a mean over examples, but in this game the term of a fake depends on the "
            f"other fakes of its batch. Received: {gan.objective}"
        )
    if gan.players["discriminator"].group_size > 1:
        raise ValueError(
            "A payoff is a mean over examples, but this discriminator compares the examples of a "
            f"group. Received: {gan.discriminator.name!r} with a `MinibatchStdDev`"
        )
    if _is_endless(data):
        raise ValueError(
            "`data` must end. Received: a source or dataset without end. Pass a part of it, such "
            "as `source.sample(10_000, seed=1)` or `dataset.take(num_batches)`"
        )
    size = checks.positive_int("batch_size", batch_size)
    first_word = checks.integer("seed", seed)
    pair_terms = _compiled_terms(gan)
    count, mean, squares = 0, np.zeros([]), np.zeros([])
    for real, labels in _batches(data, gan, size):
        rows = np.arange(count, count + len(real), dtype=np.int64)
        keys = np.stack([np.full_like(rows, first_word), rows], axis=1)
        terms = pair_terms(tf.cast(real, tf.float32), keys, labels).numpy()
        # The parallel form of Welford's update (Chan, Golub & LeVeque 1979): no digits cancel.
        total = count + len(rows)
        delta = terms.mean(axis=0) - mean
        batch_squares = np.square(terms - terms.mean(axis=0)).sum(axis=0)
        squares = squares + batch_squares + delta**2 * (count * len(rows) / total)
        mean, count = mean + delta * (len(rows) / total), total
    if count < 2:
        raise ValueError(
            f"`data` must hold at least two held-out examples. Received: {count}. Pass more"
        )
    return Payoff(mean, np.sqrt(squares / (count - 1) / count), count)


def equilibrium(gan: GAN, data: Any, *, batch_size: int = 256, seed: int = 0) -> Equilibrium:
    """Returns how far the weights of a trained game are from an equilibrium of its components.

    `epsilon` is the largest gain of a player by moving all its weight to a single component, while
    the weights of the other player stay fixed.

    It is not the distance to an equilibrium of the game between networks. Best replies are searched
    among the k components, not among all networks: a generator or a discriminator trained further
    could gain more. Two plain networks always have an epsilon of 0. And the payoff is an estimate:
    gains of the size of its standard errors may be noise, and the search for a best reply is biased
    towards noise that looks like a gain.

    Args:
        gan: `tfgans.GAN`, any combination of mixtures and plain networks.
        data: Held-out examples; see `payoff_matrix`.
        batch_size: Int of at least 1. Default: 256.
        seed: Int, of the latents. Default: 0.

    Returns:
        An `Equilibrium`; `table()` returns it as text.

    Raises:
        ValueError: If the data is not valid for `payoff_matrix`, or a component has diverged, so
            that the payoff is not finite.

    Example:

    ```python
    networks = tfgans.networks
    gan = tfgans.NonSaturatingGAN(
        tfgans.MixtureGenerator(
            [networks.mlp_generator((2,), latent_dim=2, seed=seed) for seed in (0, 1)]
        ),
        networks.mlp_discriminator((2,)),
    )
    held_out = tfgans.data.load("ring").sample(1000, seed=1)
    print(tfgans.games.equilibrium(gan, held_out).table())
    ```

    Reference: Arora et al. 2017, "Generalization and Equilibrium in Generative Adversarial Nets",
    the definition of an epsilon-approximate equilibrium, which they ask of all networks.
    """
    payoff = payoff_matrix(gan, data, batch_size=batch_size, seed=seed)
    p, q = (
        checks.probabilities("probabilities", gan.players[name].probabilities, size)
        for name, size in zip(("generator", "discriminator"), payoff.values.shape, strict=True)
    )
    gains = best_reply_gains(payoff.values, p, q)
    return Equilibrium(
        payoff=payoff,
        generator_probabilities=p,
        discriminator_probabilities=q,
        value=float(p @ payoff.values @ q),
        generator_gain=gains.generator,
        discriminator_gain=gains.discriminator,
        game=matrix_game(payoff.values),
    )


def _compiled_terms(gan: GAN) -> Callable[[tf.Tensor, np.ndarray, tf.Tensor], tf.Tensor]:
    """Returns the function (examples, keys, labels) -> payoffs, float64 [batch, kg, kd]."""
    generators = gan.players["generator"].components

    def pair_terms(real: tf.Tensor, keys: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        labels = None if gan.num_classes is None else classes

        def logits(examples: tf.Tensor) -> tf.Tensor:
            inputs = shapes.with_labels(examples, labels)
            return tf.cast(gan.discriminator(inputs, training=False), tf.float32)

        latents = shapes.with_labels(gan.sampler.latents(keys), labels)
        real_logits = logits(real)
        payoffs = []
        for generator in generators:
            fake = tf.cast(generator(latents, training=False), tf.float32)
            on_real, on_fake = gan.objective.discriminator_loss(real_logits, logits(fake))
            payoffs.append(-(tf.cast(on_real, tf.float64) + tf.cast(on_fake, tf.float64)))
        return tf.stack(payoffs, axis=1)

    signature = [
        tf.TensorSpec([None, *gan.data_shape], tf.float32),
        tf.TensorSpec([None, 2], tf.int64),
        tf.TensorSpec([None], tf.int32),
    ]
    return tf.function(pair_terms, input_signature=signature, autograph=False)


def _is_endless(data: Any) -> bool:
    if isinstance(data, Source):
        return data.num_examples is None
    return isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY


def _batches(data: Any, gan: GAN, size: int) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Yields held-out examples and labels (or zeros) in batches of `size`; the last is smaller."""
    batches = adapters.evaluation_data(
        data, batch_size=size, data_shape=gan.data_shape, num_classes=gan.num_classes
    )
    for batch in batches.rebatch(size):
        yield _with_some_labels(*(batch if isinstance(batch, tuple) else (batch, None)))


def _with_some_labels(examples: tf.Tensor, labels: Any) -> tuple[tf.Tensor, tf.Tensor]:
    labels = tf.zeros([len(examples)], tf.int32) if labels is None else labels
    return examples, tf.cast(labels, tf.int32)


def _decimals(values: Any) -> list[str]:
    return [f"{value:.3f}" for value in values]
