"""How sure a number is: the grouped jackknife."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

CONFIDENCE = 0.95
# Of a normal distribution, two-sided.
QUANTILE = 1.959964
NUM_GROUPS = 10
# Each group then has two examples of each side at least.
_FEWEST = 2 * NUM_GROUPS


class Measurement(NamedTuple):
    """A number and how far it may be off.

    Attributes:
        value: Float.
        standard_error: Float of at least 0; None where it is not known.
        how: String, where the standard error comes from.
        bias: Float, how much too large the value is expected to be for want of examples, as far as
            it falls with 1 / count; None where it is not estimated. It is not taken off.
    """

    value: float
    standard_error: float | None
    how: str
    bias: float | None = None

    def interval(self, low: float, high: float) -> tuple[float, float] | None:
        """Returns the 95 % interval of a normal error; None where the error is not known.

        Args:
            low: The least that the quantity can be; the interval ends there.
            high: The most.
        """
        if self.standard_error is None:
            return None
        margin = QUANTILE * self.standard_error
        return max(low, self.value - margin), min(high, self.value + margin)


def spread(values: Sequence[float], how: str) -> Measurement:
    """Returns the mean of independent values and the standard error of their mean."""
    array = np.asarray(values, np.float64)
    error = None if len(array) < 2 else float(array.std(ddof=1) / np.sqrt(len(array)))
    return Measurement(float(array.mean()), error, how)


def jackknife(
    whole: dict[str, float], without: Callable[[int], dict[str, float]], *, num: int
) -> dict[str, Measurement]:
    """Returns the numbers of `whole` with errors and biases from leaving groups of examples out.

    Formulas: `sqrt((g - 1) / g sum_i (t_i - mean t)^2)` over g = 10 groups, t_i without group i;
    and Quenouille's `(g - 1) (mean t - t)` for the bias. A bootstrap would draw examples twice, to
    which distances of nearest neighbours and the Frechet distance are sensitive.

    Args:
        whole: Numbers by name, of all examples.
        without: Function from a group, 0 to 9, to the numbers of all other groups.
        num: Int, examples of the smaller side. With fewer than 20 there are no errors.

    Reference: Quenouille 1956; Efron & Stein 1981, "The Jackknife Estimate of Variance".
    """
    if num < _FEWEST:
        how = f"no error: under {_FEWEST} examples"
        return {name: Measurement(float(value), None, how) for name, value in whole.items()}
    left = [without(group) for group in range(NUM_GROUPS)]
    found = {}
    for name, value in whole.items():
        replicates = np.array([one[name] for one in left])
        squares = np.square(replicates - replicates.mean()).sum()
        error = float(np.sqrt(squares * (NUM_GROUPS - 1) / NUM_GROUPS))
        bias = float((NUM_GROUPS - 1) * (replicates.mean() - value))
        how = f"jackknife over {NUM_GROUPS} groups; bias about {bias:+.2g}"
        found[name] = Measurement(float(value), error, how, bias)
    return found


def at_least_binomial(share: Measurement, num: int) -> Measurement:
    """Returns a share with the error that `num` independent draws have, if it has a smaller one.

    Two successes and two failures are counted more (Agresti & Coull 1998): where the share is 0 or
    1 the error is not 0.
    """
    smoothed = (share.value * num + 2) / (num + 4)
    binomial = float(np.sqrt(smoothed * (1 - smoothed) / (num + 4)))
    return share._replace(standard_error=max(share.standard_error or 0.0, binomial))


def groups_of(num: int) -> np.ndarray:
    """Returns int [num], the group of each example: in turn, for neighbours may be alike."""
    return np.arange(num) % NUM_GROUPS
