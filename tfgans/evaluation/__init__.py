"""From a generator and real examples to a record that says how each number came about."""

from tfgans.evaluation.comparison import Difference, compare
from tfgans.evaluation.digits_classifier import DigitsClassifier
from tfgans.evaluation.evaluator import Evaluator, evaluate
from tfgans.evaluation.examples import model_checksum
from tfgans.evaluation.extractors import Extractor, Features, FunctionExtractor, Identity
from tfgans.evaluation.inception import inception_2015
from tfgans.evaluation.keras_extractor import keras_model
from tfgans.evaluation.neighbours_picture import neighbours_picture
from tfgans.evaluation.record import read, table
from tfgans.evaluation.table import METRICS, higher_is_better

__all__ = [
    "METRICS",
    "Difference",
    "DigitsClassifier",
    "Evaluator",
    "Extractor",
    "Features",
    "FunctionExtractor",
    "Identity",
    "compare",
    "evaluate",
    "higher_is_better",
    "inception_2015",
    "keras_model",
    "model_checksum",
    "neighbours_picture",
    "read",
    "table",
]
