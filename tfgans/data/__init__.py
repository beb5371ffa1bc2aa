"""Real examples: datasets, folders of images, arrays, and synthetic distributions."""

from tfgans.data.arrays import ArraySource, from_array
from tfgans.data.color import tint
from tfgans.data.image_source import ImageSource
from tfgans.data.indexed import IndexedSource
from tfgans.data.loading import NAMES, load
from tfgans.data.manifolds import LowRankGaussian, ParallelLines
from tfgans.data.python_calls import ReadError, plain_errors
from tfgans.data.report import DataReport, Suggestion, inspect
from tfgans.data.source import DrawnSource, Source
from tfgans.data.stacked import StackedImages
from tfgans.data.synthetic import GaussianMixture, Grid, Ring, SwissRoll

__all__ = [
    "NAMES",
    "ArraySource",
    "DataReport",
    "DrawnSource",
    "GaussianMixture",
    "Grid",
    "ImageSource",
    "IndexedSource",
    "LowRankGaussian",
    "ParallelLines",
    "ReadError",
    "Ring",
    "Source",
    "StackedImages",
    "Suggestion",
    "SwissRoll",
    "from_array",
    "inspect",
    "load",
    "plain_errors",
    "tint",
]
