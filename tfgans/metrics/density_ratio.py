"""How much likelier an example is under the data than under the generator."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import checks
from tfgans.metrics import arrays, held_out
from tfgans.objectives import (
    FDivergence,
    KLWasserstein,
    Minimax,
    NonSaturating,
    Objective,
)

# Beyond exp(30) `FDivergence` continues along a tangent: no ratio any more.
_LARGEST = 30.0


def density_ratio(
    discriminator: Callable[..., Any],
    examples: Any,
    *,
    objective: Objective,
    fake: Any = None,
) -> np.ndarray:
    """Returns p_real / p_fake at examples, as a discriminator at its optimum implies it.

    | objective | ratio at logit v |
    |---|---|
    | `Minimax`, `NonSaturating` | exp(v) |
    | `FDivergence` | the u with f'(u) = g(v), see its table |
    | `KLWasserstein` | exp(v / t) / mean over `fake` of exp(v / t) |

    A discriminator that is trained alternately is not at its optimum: the ratio is as good as it
    is. A check is the mean over the generator's samples, which is 1 for the true ratio.

    Args:
        discriminator: Keras model or function, examples [num, ...] -> logits [num, 1].
        examples: Array [num, ...].
        objective: `tfgans.objectives.Objective` that it was trained on.
        fake: Array [num_fake, ...] of generated examples; for `KLWasserstein`, which knows its
            logit up to a constant only. Default: None.

    Returns:
        float64 [num], above 0.

    Raises:
        ValueError: If the game implies no ratio (Wasserstein, hinge, least squares, relativistic
            games), `fake` is missing or of no use, or a ratio is beyond exp(30).

    Reference: Goodfellow et al. 2014, Proposition 1; Nowozin et al. 2016, "f-GAN", section 2; Song
    & Ermon 2020, "Bridging the Gap Between f-GANs and Wasserstein GANs", equation 9.

    Checked against: SciPy's densities.
    """
    checks.instance("objective", objective, Objective, "tfgans.objectives.NonSaturating()")
    if (fake is not None) != isinstance(objective, KLWasserstein):
        raise ValueError(
            "`fake` is for `KLWasserstein`, which needs it, and for no other game. Received: "
            f"objective={objective} and fake={'None' if fake is None else 'an array'}"
        )
    logits = _logits(discriminator, "examples", examples)
    if isinstance(objective, KLWasserstein):
        others = _logits(discriminator, "fake", fake) / objective.temperature
        largest = others.max()
        log_mean = largest + np.log(np.exp(others - largest).mean())
        exponents = logits / objective.temperature - log_mean
    elif isinstance(objective, FDivergence):
        ratio = objective.density_ratio(tf.constant(logits)).numpy()
        exponents = np.log(ratio)
    elif isinstance(objective, Minimax | NonSaturating):
        exponents = logits
    else:
        raise ValueError(
            f"The optimal discriminator of {objective} implies no density ratio. Train one with "
            "`NonSaturating`, `FDivergence` or `KLWasserstein`"
        )
    if exponents.max() >= _LARGEST:
        raise ValueError(
            f"A ratio must be below exp({_LARGEST:g}). Received: exp({exponents.max():g}): the "
            "discriminator is certain, and its logit says how far it has been trained"
        )
    return np.exp(exponents)


def _logits(discriminator: Callable[..., Any], name: str, examples: Any) -> np.ndarray:
    return held_out.logits(discriminator, arrays.finite(name, examples).astype(np.float32))
