"""Flags of what is measured, and the evaluator that they describe."""

import re
import sys
import warnings
from typing import TYPE_CHECKING, Any

from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.data import Source
    from tfgans.evaluation import Evaluator

METRICS = (
    *("frechet_distance", "kernel_distance", "precision_recall", "inception_score"),
    *("classifier_mode_coverage", "mode_coverage", "ms_ssim", "near_copies"),
    *("sliced_wasserstein_distance", "wasserstein_distance"),
)
# Of images without an extractor: what pixels say without a network.
PIXEL_METRICS = ("sliced_wasserstein_distance", "ms_ssim", "near_copies")
# Classes, functions and arguments of the library that errors name, and their flags.
_EXTRACTORS = {
    "DigitsClassifier": "extractor=digits",
    "inception_2015": "extractor=inception:PATH",
    "keras_model": "extractor=keras:FILE:LAYER",
    "model": "extractor=keras:FILE:LAYER",
}
FLAGS = ("extractor", "extractor_sha256", "metrics", "num_samples", "num_real")


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Evaluation")
    group.string(
        "extractor",
        None,
        "network whose features are compared: classifier (trained on the data, which need labels, "
        "once, in minutes), identity, digits (8x8 images), inception:PATH (the network of 2015) or "
        "keras:FILE:LAYER[:PROBABILITIES], the second layer with the class probabilities of "
        "inception_score; default: digits for 8x8 images, identity for vectors, none for other "
        "images",
        value="NAME",
    )
    group.string("extractor_sha256", None, "checksum of the file of inception:PATH", value="HEX")
    group.words(
        "metrics",
        f"which of {', '.join(METRICS)}; default: all that fit the data, and of images without an "
        f"extractor {', '.join(PIXEL_METRICS)}",
    )
    group.integer(
        "num_samples", None, "generated examples; default: as many as real ones", at_least=2
    )
    group.integer("num_real", None, "real examples; default: all, at most 50 000", at_least=2)


def evaluator(parser: Parser, source: "Source") -> "Evaluator":
    """Returns the evaluator that the flags describe."""
    import tfgans
    from tfgans.metrics.ms_ssim import SMALLEST_SIDE

    values = parser.values
    metrics = values.metrics
    extractor = values.extractor or _default_extractor(source)
    if extractor is None and metrics is None:
        is_large = min(source.data_shape[:2]) >= SMALLEST_SIDE
        metrics = [name for name in PIXEL_METRICS if name != "ms_ssim" or is_large]
        if (source.num_classes or 0) > 1:
            warnings.warn(
                "only pixels are measured. The images have labels: --extractor=classifier trains a "
                "classifier on them, in minutes and once, and measures in its features",
                stacklevel=2,
            )
    elif extractor is None and not set(metrics) <= {*PIXEL_METRICS, "wasserstein_distance"}:
        raise ValueError(
            f"Images of shape {source.data_shape} have no default extractor, and without one only "
            f"{', '.join(PIXEL_METRICS)} and wasserstein_distance can be measured. Received: "
            f"--metrics={','.join(metrics)}. Pass --extractor=classifier (of data with labels), "
            "inception:PATH or keras:FILE:LAYER[:PROBABILITIES]"
        )
    with errors_in_flags(_EXTRACTORS):
        return tfgans.evaluation.Evaluator(
            source,
            _extractor(parser, extractor or "identity", source),
            metrics=metrics,
            num_samples=values.num_samples,
            num_real=values.num_real,
            seed=values.seed,
        )


def _extractor(parser: Parser, extractor: str, source: "Source") -> Any:
    import tfgans

    values = parser.values
    kind, _, place = extractor.partition(":")
    if (values.extractor_sha256 is not None) != (kind == "inception" and place.endswith(".pb")):
        raise ValueError(
            "--extractor_sha256 goes with --extractor=inception:FILE.pb, which needs it"
        )
    if kind == "identity" and not place:
        return None
    if kind == "classifier" and not place:
        return _classifier(source, values.data_dir, dry_run="dry_run" in values and values.dry_run)
    if kind == "digits" and not place:
        return tfgans.evaluation.DigitsClassifier(data_dir=values.data_dir)
    if kind == "inception":
        address = (place,) if place else ()
        return tfgans.evaluation.inception_2015(*address, sha256=values.extractor_sha256)
    # The name of the file may have a colon, too.
    parts = re.fullmatch(r"(.+\.keras):([^:]+)(?::([^:]+))?", place)
    if kind != "keras" or parts is None:
        raise ValueError(
            "--extractor must be classifier, identity, digits, inception:PATH or "
            "keras:FILE:LAYER[:PROBABILITIES], of a file that ends in .keras. Received: "
            f"{values.extractor}"
        )
    file, layer, probabilities = parts.groups()
    model = tfgans.training.load_model(file)
    return tfgans.evaluation.keras_model(model, layer, probabilities=probabilities)


def _classifier(source: "Source", data_dir: str | None, *, dry_run: bool) -> Any:
    """Returns the classifier of a source; in a dry run it need not be trained."""
    from tfgans.evaluation import ImageClassifier

    if not dry_run:
        return ImageClassifier.train(source, data_dir=data_dir, progress=sys.stderr.isatty())
    classifier = ImageClassifier.load(source, data_dir=data_dir)
    return classifier or ImageClassifier(source.image_shape, source.num_classes or 0)


def _default_extractor(source: "Source") -> str | None:
    if len(source.data_shape) == 1:
        return "identity"
    return "digits" if source.data_shape[:2] == (8, 8) else None
