"""The games of f-GAN: any f-divergence, through its variational bound."""

import dataclasses
from collections.abc import Callable

import keras
import tensorflow as tf

from tfgans import checks
from tfgans.objectives.objective import Objective

_Function = Callable[[tf.Tensor], tf.Tensor]


def _exponential(exponents: tf.Tensor) -> tf.Tensor:
    """Returns exp(x), and beyond x = 30 (float16: 7) its tangent, exp(30) (x - 29).

    Convex, and finite at exponents of 1e4 (float16: 50). The slope stays at exp(30), so a logit
    beyond the limit still has a gradient, which clipping would remove.
    """
    limit = 7.0 if exponents.dtype == tf.float16 else 30.0
    return tf.exp(tf.minimum(exponents, limit)) * (1 + tf.nn.relu(exponents - limit))


@dataclasses.dataclass(frozen=True)
class _Divergence:
    """The functions of a divergence; all but `conjugate` take the logit v."""

    activation: _Function  # g_f(v), increasing, onto the domain of f*
    conjugate: _Function  # f*(t)
    composed: _Function  # f*(g_f(v)), in a form that does not overflow
    ratio: _Function | None  # (f*)'(g_f(v)): p / q at the optimum
    threshold: float = 0.0  # the v with g_f(v) = f'(1)


_DIVERGENCES = {
    "kl": _Divergence(
        activation=tf.identity,
        conjugate=lambda t: tf.exp(t - 1),
        composed=lambda v: _exponential(v - 1),
        ratio=lambda v: _exponential(v - 1),
        threshold=1.0,
    ),
    "reverse_kl": _Divergence(
        activation=lambda v: -_exponential(-v),
        conjugate=lambda t: -1 - tf.math.log(-t),
        composed=lambda v: v - 1,
        ratio=_exponential,
    ),
    "pearson": _Divergence(
        activation=tf.identity,
        conjugate=lambda t: tf.square(t) / 4 + t,
        composed=lambda v: tf.square(v) / 4 + v,
        ratio=lambda v: 1 + v / 2,
    ),
    "squared_hellinger": _Divergence(
        activation=lambda v: 1 - _exponential(-v),
        conjugate=lambda t: t / (1 - t),
        composed=lambda v: _exponential(v) - 1,
        ratio=lambda v: _exponential(2 * v),
    ),
    "jensen_shannon": _Divergence(
        activation=lambda v: tf.math.log(tf.constant(2, v.dtype)) - tf.nn.softplus(-v),
        conjugate=lambda t: -tf.math.log(2 - tf.exp(t)),
        composed=lambda v: tf.nn.softplus(v) - tf.math.log(tf.constant(2, v.dtype)),
        ratio=_exponential,
    ),
    "gan": _Divergence(
        activation=lambda v: -tf.nn.softplus(-v),
        conjugate=lambda t: -tf.math.log(1 - tf.exp(t)),
        composed=tf.nn.softplus,
        ratio=_exponential,
    ),
    "total_variation": _Divergence(
        activation=lambda v: tf.tanh(v) / 2,
        conjugate=tf.identity,
        composed=lambda v: tf.tanh(v) / 2,
        ratio=None,
    ),
}
NAMES = tuple(_DIVERGENCES)


@keras.saving.register_keras_serializable(package="tfgans")
@dataclasses.dataclass(frozen=True)
class FDivergence(Objective):
    """The variational bound of a divergence: D_f(P || Q) >= E g(D(x)) - E f*(g(D(G(z)))).

    D_f(P || Q) = E_Q f(p / q), P the data and Q the generator. The discriminator maximizes the
    bound, which is tight where g(D) = f'(p / q). f* is the convex conjugate of f, and g maps a
    logit into its domain.

    | name              | f(u)                           | g(v)                 | f*(t)           |
    |-------------------|--------------------------------|----------------------|-----------------|
    | kl                | u log u                        | v                    | exp(t - 1)      |
    | reverse_kl        | -log u                         | -exp(-v)             | -1 - log(-t)    |
    | pearson           | (u - 1)^2                      | v                    | t^2 / 4 + t     |
    | squared_hellinger | (sqrt(u) - 1)^2                | 1 - exp(-v)          | t / (1 - t)     |
    | jensen_shannon    | u log u - (u + 1) log((u+1)/2) | log 2 - softplus(-v) | -log(2 - exp t) |
    | gan               | u log u - (u + 1) log(u + 1)   | -softplus(-v)        | -log(1 - exp t) |
    | total_variation   | abs(u - 1) / 2                 | tanh(v) / 2          | t               |

    "gan" is `Minimax`. "jensen_shannon" is that plus 2 log 2: twice the Jensen-Shannon divergence.
    f of "pearson" extends to u < 0, as in the paper, so its discriminator pulls fakes below v = -2
    back up.

    Exponentials continue along their tangent beyond an exponent of 30 (float16: 7): losses and
    gradients stay finite, and no gradient vanishes.

    Args:
        name: String, from the table.
        non_saturating: Bool, default False: the generator minimizes -f*(g(D(G))), the zero-sum
            game. True: -g(D(G)), whose gradient does not vanish while the fakes are bad.

    Raises:
        ValueError: If `name` is unknown.

    Example:

    ```python
    gan = tfgans.GAN(
        generator, discriminator, objective=tfgans.objectives.FDivergence("squared_hellinger")
    )
    ```

    Reference: Nowozin, Cseke & Tomioka 2016, "f-GAN: Training Generative Neural Samplers using
    Variational Divergence Minimization": Algorithm 1, and section 3.2 for `non_saturating`.
    """

    name: str
    non_saturating: bool = dataclasses.field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        checks.choice("name", self.name, NAMES)
        checks.boolean("non_saturating", self.non_saturating)

    @property
    def decision_threshold(self) -> float:
        """The logit v with g(v) = f'(1): 1 for "kl", 0 for the others."""
        return self._divergence.threshold

    def activation(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns g(v), the witness of the bound."""
        return self._divergence.activation(logits)

    def conjugate(self, values: tf.Tensor) -> tf.Tensor:
        """Returns f*(t) by its plain formula, for t in the range of `activation`."""
        return self._divergence.conjugate(values)

    def density_ratio(self, logits: tf.Tensor) -> tf.Tensor:
        """Returns (f*)'(g(v)): for the best discriminator it is p / q, data over generator.

        Raises:
            ValueError: For "total_variation".
        """
        if self._divergence.ratio is None:
            raise ValueError(
                "`density_ratio` needs a divergence whose optimum determines p / q; that of "
                f"{self.name!r} only tells on which side of 1 it lies. Use another, such as 'kl'. "
                f"Received: {self!r}"
            )
        # Only the square in the Hellinger ratio can reach this, in float16.
        return tf.minimum(self._divergence.ratio(logits), logits.dtype.max)

    def discriminator_loss(
        self, real_logits: tf.Tensor, fake_logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns -g(real) and f*(g(fake)): the negated bound."""
        return -self.activation(real_logits), self._divergence.composed(fake_logits)

    def generator_loss(self, real_logits: tf.Tensor | None, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -f*(g(fake)), or -g(fake) if `non_saturating`."""
        del real_logits
        if self.non_saturating:
            return -self.activation(fake_logits)
        return -self._divergence.composed(fake_logits)

    @property
    def _divergence(self) -> _Divergence:
        return _DIVERGENCES[self.name]
