"""Evaluations: numbers of a generator against real examples, with the protocol behind them."""

from tfgans.evaluation.digits_classifier import DigitsClassifier
from tfgans.evaluation.evaluator import Evaluator, evaluate
from tfgans.evaluation.examples import model_checksum
from tfgans.evaluation.extractors import Extractor, Features, FunctionExtractor, Identity
from tfgans.evaluation.image_classifier import ImageClassifier
from tfgans.evaluation.inception import inception_2015
from tfgans.evaluation.keras_extractor import keras_model
from tfgans.evaluation.mean_kernel_distance import MeanKernelDistance
from tfgans.evaluation.measure import METRICS, quantity_of, short_name
from tfgans.evaluation.neighbors_picture import neighbors_picture
from tfgans.evaluation.record import Difference, MetricValue, Record
from tfgans.metrics.arrays import NotFiniteError

__all__ = [
    "METRICS",
    "Difference",
    "DigitsClassifier",
    "Evaluator",
    "Extractor",
    "Features",
    "FunctionExtractor",
    "Identity",
    "ImageClassifier",
    "MeanKernelDistance",
    "MetricValue",
    "NotFiniteError",
    "Record",
    "evaluate",
    "inception_2015",
    "keras_model",
    "model_checksum",
    "neighbors_picture",
    "quantity_of",
    "short_name",
]
