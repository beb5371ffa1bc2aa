"""Terms of a player's loss that keep a discriminator from overfitting, beside a penalty."""

from tfgans.regularizers.consistency import ConsistencyRegularization
from tfgans.regularizers.lecam import LeCam
from tfgans.regularizers.regularizer import Regularizer, RegularizerInputs

__all__ = [
    "ConsistencyRegularization",
    "LeCam",
    "Regularizer",
    "RegularizerInputs",
]
