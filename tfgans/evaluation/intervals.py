"""Errors and intervals of numbers: the grouped jackknife."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy import stats

from tfgans.metrics import Estimate, Quantity
from tfgans.metrics.metric import QUANTILE, wilson

CONFIDENCE = 0.95
NUM_GROUPS = 10
# Each group then has at least two examples of each set.
_MIN_EXAMPLES = 2 * NUM_GROUPS


def interval(estimate: Estimate, quantity: Quantity) -> tuple[float, float] | None:
    """Returns the 95 % interval of a number; None if its error is not known.

    It takes Student's quantile where the error has few degrees of freedom, else the normal one.

    Args:
        estimate: The number and its error.
        quantity: The range of the number, at whose ends the interval is cut.
    """
    if estimate.standard_error is None:
        return None
    margin = quantile(estimate.degrees) * estimate.standard_error
    center = estimate.value if estimate.center is None else estimate.center
    highest = quantity.high if estimate.high is None else estimate.high
    low, high = max(quantity.low, center - margin), min(highest, center + margin)
    # Rounding must not leave a share of 0 or 1 outside of its interval.
    return min(low, estimate.value), max(high, estimate.value)


def quantile(degrees: float | None) -> float:
    """Returns Student's quantile of a 95 % interval; the normal one if `degrees` is None."""
    return QUANTILE if degrees is None else float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def jackknife(
    whole: Mapping[str, float], without: Callable[[int], Mapping[str, float]], *, num: int
) -> dict[str, Estimate]:
    """Returns the numbers of `whole` with errors and biases from leaving groups of examples out.

    Formulas: `sqrt((g - 1) / g sum_i (t_i - mean t)^2)` over g = 10 groups, t_i without group i;
    and Quenouille's `(g - 1) (mean t - t)` for the bias. A bootstrap would draw examples twice, to
    which distances of nearest neighbors and the Frechet distance are sensitive. If all t_i are the
    same number, as those of samples that are all of a single class, they say nothing of the error:
    it is not known.

    Args:
        whole: Numbers by name, of all examples.
        without: Function from a group, 0 to 9, to the numbers of all other groups.
        num: Int, examples of the smaller set. With fewer than 20 there are no errors.

    Reference: Quenouille 1956; Efron & Stein 1981, "The Jackknife Estimate of Variance".
    """
    if num < _MIN_EXAMPLES:
        method = f"no error: under {_MIN_EXAMPLES} examples"
        return {name: Estimate(float(value), None, method) for name, value in whole.items()}
    replicates = [without(group) for group in range(NUM_GROUPS)]
    estimates = {}
    for name, value in whole.items():
        values = np.array([numbers[name] for numbers in replicates])
        if not np.isfinite(values).all():
            method = "no error: not finite without some of the examples"
            estimates[name] = Estimate(float(value), None, method)
            continue
        if np.ptp(values) == 0:
            method = f"no error: the same without each of {NUM_GROUPS} groups"
            estimates[name] = Estimate(float(value), None, method)
            continue
        squares = np.square(values - values.mean()).sum()
        error = float(np.sqrt(squares * (NUM_GROUPS - 1) / NUM_GROUPS))
        bias = float((NUM_GROUPS - 1) * (values.mean() - value))
        method = f"jackknife over {NUM_GROUPS} groups; bias about {bias:+.2g}"
        estimates[name] = Estimate(float(value), error, method, bias, NUM_GROUPS - 1)
    return estimates


def at_least_binomial(share: Estimate, num: int) -> Estimate:
    """Returns a share with the interval of `num` independent draws, if its interval is shorter."""
    center, error = wilson(share.value, num)
    if QUANTILE * error <= quantile(share.degrees) * (share.standard_error or 0.0):
        return share
    method = "binomial (Wilson)"
    if share.bias is not None:
        method += f"; bias about {share.bias:+.2g}"
    return share._replace(standard_error=error, degrees=None, method=method, center=center)


def groups_of(num: int) -> np.ndarray:
    """Returns int [num], the group of each example: in turn, since neighbors may be alike."""
    return np.arange(num) % NUM_GROUPS
