"""A bound on the Wasserstein distance from a divergence under noise."""

import math

from tfgans import checks


def wasserstein_noise_bound(jensen_shannon: float, *, variance: float, diameter: float) -> float:
    """Returns an upper bound on the Wasserstein distance W(P_r, P_g) from a noisy divergence.

    Formula: `2 V^(1/2) + 2 C JSD(P_{r+e} || P_{g+e})^(1/2)`. The divergence of distributions that
    do not overlap is log 2 at any distance. Under noise it depends on the distance: as the noise is
    lowered and the noisy divergence is trained down, both terms fall, and the distance with them.
    The bound is loose; read it as a bound, not as an estimate.

    Args:
        jensen_shannon: Float in [0, log 2], in nats: (KL(P || M) + KL(Q || M)) / 2 of the noisy
            distributions, M their mean. With an optimal discriminator it is log 2 less half the
            minimax loss, a plain sum.
        variance: Float of at least 0. V = E ||e||^2 of the noise, whose mean is 0: in d dimensions
            of standard deviation s it is d s^2.
        diameter: Float of at least 0. C, of a ball that holds the supports of both noisy
            distributions. Gaussian noise has no bounded support: truncate it, or the bound is not
            proved.

    Raises:
        ValueError: On a negative or non-finite number, or a divergence above log 2.

    Example:

    >>> tfgans.metrics.wasserstein_noise_bound(0.0, variance=0.25, diameter=3.0)
    1.0

    Reference: Arjovsky & Bottou 2017, "Towards Principled Methods for Training Generative
    Adversarial Networks", Theorem 3.3, equation 6.
    """
    divergence = checks.non_negative("jensen_shannon", jensen_shannon)
    # An estimate in floating point may be above by its rounding.
    if divergence > math.log(2) + 1e-9:
        raise ValueError(
            "`jensen_shannon` must be at most log 2 = 0.6931..., in nats and with the factors 1/2. "
            f"Received: {checks.short(jensen_shannon)}. Halve a plain sum of two KL terms"
        )
    root = math.sqrt(checks.non_negative("variance", variance))
    return 2 * root + 2 * checks.non_negative("diameter", diameter) * math.sqrt(divergence)
