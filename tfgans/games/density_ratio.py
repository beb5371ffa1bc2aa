"""The ratio of the densities of the data and of the generator at an example."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.games import held_out
from tfgans.objectives import (
    FDivergence,
    KLWasserstein,
    LeastSquares,
    Minimax,
    NonSaturating,
    Objective,
    Relativistic,
)

# Beyond exp(30), `FDivergence` continues its conjugate along a tangent.
_LARGEST = 30.0


def density_ratio(
    discriminator: Callable[..., Any],
    examples: Any,
    *,
    objective: Objective,
    fake: Any = None,
) -> np.ndarray:
    """Returns p_real / p_fake at examples, if the discriminator is at its optimum.

    | objective | ratio at logit v, with label smoothing s and temperature t |
    |---|---|
    | `Minimax`, `NonSaturating` | exp(v) / (1 - s - s exp(v)) |
    | `LeastSquares` | v / (1 - s - v) |
    | `FDivergence` | the u with f'(u) = g(v), see its table |
    | `KLWasserstein("linear")`, `weight_gradient=False` | exp(v / t) / mean over `fake` of \
exp(v / t) |
    | `Relativistic` | the same with t = 1 |

    The other forms of `KLWasserstein` have another optimum, whose logit is not that of a ratio:
    for N(1, 1) against N(0, 1) the linear form with the gradient of the weights ends at half the
    logarithm.

    A discriminator that is trained alternately is not at its optimum, and the ratio is an
    approximation. To check it, take the mean over the generator's samples, which is 1 for the true
    ratio (for the objectives that take `fake`, it is 1 on these samples by construction).

    Args:
        discriminator: Keras model or function (examples, training) -> logits [num, 1].
        examples: Array [num, ...] of floats, images in [-1, 1] or uint8.
        objective: `tfgans.objectives.Objective` of its training.
        fake: Array [num_fake, ...] of generated examples, for `KLWasserstein` and `Relativistic`
            only, whose logit is known up to a constant. Default: None.

    Returns:
        float64 [num], of at least 0.

    Raises:
        ValueError: If the game implies no ratio (Wasserstein, hinge, total variation, the other
            forms of KL-WGAN), no optimal discriminator has such a logit, `fake` is missing or has
            no use, or a ratio is beyond exp(30).

    Example: N(1, 1) against N(0, 1), whose optimal logit is x - 1/2.

    >>> optimum = lambda x, training: x - 0.5
    >>> objective = tfgans.objectives.NonSaturating()
    >>> tfgans.games.density_ratio(optimum, [[0.5], [1.5]], objective=objective).round(3)
    array([1.   , 2.718])

    Reference: Goodfellow et al. 2014, Proposition 1; Nowozin et al. 2016, "f-GAN", section 2; Song
    & Ermon 2020, "Bridging the Gap Between f-GANs and Wasserstein GANs", equation 9.

    Checked against: SciPy's densities, each loss minimized by search.
    """
    checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
    up_to_a_constant = isinstance(objective, KLWasserstein | Relativistic)
    if (fake is not None) != up_to_a_constant:
        raise ValueError(
            "`KLWasserstein` and `Relativistic` need `fake`, and other objectives do not take it. "
            f"Received: objective={objective} and "
            f"fake={'None' if fake is None else 'an array'}"
        )
    if isinstance(objective, KLWasserstein) and not objective.estimates_ratio:
        raise ValueError(
            "The optimal critic of `KLWasserstein` is the logarithm of the density ratio only for "
            "form='linear' and weight_gradient=False. Received: "
            f"form={objective.form!r}, weight_gradient={objective.weight_gradient}"
        )
    logits = held_out.logits(discriminator, held_out.examples("examples", examples))
    if up_to_a_constant:
        temperature = objective.temperature if isinstance(objective, KLWasserstein) else 1.0
        others = held_out.logits(discriminator, held_out.examples("fake", fake)) / temperature
        largest = others.max()
        log_ratios = logits / temperature - largest - np.log(np.exp(others - largest).mean())
    else:
        log_ratios = _log_ratios(objective, logits)
    if log_ratios.max() >= _LARGEST:
        raise ValueError(
            f"A ratio must be below exp({_LARGEST:g}). Received: exp({log_ratios.max():g}). The "
            "discriminator separates the distributions, and its logit only grows with training"
        )
    return np.exp(log_ratios)


def _log_ratios(objective: Objective, logits: np.ndarray) -> np.ndarray:
    """Returns log p_real / p_fake of the objectives that do not take `fake`."""
    if isinstance(objective, Minimax | NonSaturating):
        # sigma(v) = (1 - s) p / (p + q), whose largest logit is log((1 - s) / s).
        smoothing = objective.label_smoothing
        highest = math.log((1 - smoothing) / smoothing) if smoothing else math.inf
        _check_range(objective, logits, -math.inf, highest)
        return logits - math.log1p(-smoothing) - np.log1p(-np.exp(logits - highest))
    if isinstance(objective, LeastSquares):
        highest = 1 - objective.label_smoothing
        _check_range(objective, logits, 0.0, highest)
        return np.log(logits) - np.log(highest - logits)
    if isinstance(objective, FDivergence):
        if objective.name == "pearson":
            _check_range(objective, logits, -2.0, math.inf)
        ratios = objective.density_ratio(tf.constant(logits)).numpy()
        # A ratio that is 0 in float64 has a finite logarithm.
        return np.log(np.maximum(ratios, np.finfo(np.float64).tiny))
    raise ValueError(
        f"The optimal discriminator of {objective} implies no density ratio. Use "
        "`NonSaturating`, `FDivergence` or `KLWasserstein`"
    )


def _check_range(objective: Objective, logits: np.ndarray, low: float, high: float) -> None:
    outside = np.count_nonzero((logits <= low) | (logits >= high))
    if outside:
        raise ValueError(
            f"An optimal discriminator of {objective} has logits in ({low:g}, {high:g}). "
            f"Received: {outside} of {len(logits)} outside, in "
            f"[{logits.min():g}, {logits.max():g}]. Train it further, or on `NonSaturating()`"
        )
