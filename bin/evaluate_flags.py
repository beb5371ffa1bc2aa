"""Flags that say how generators are measured, for bin/evaluate.py and bin/train.py."""

from typing import Any

from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "extractor",
    None,
    "what features are of: identity, digits (8x8 images), inception:PATH (the network of 2015) or "
    "keras:FILE:LAYER; default: digits for 8x8 images, identity for vectors",
)
flags.DEFINE_string("extractor_sha256", None, "the checksum of the file of inception:PATH")
flags.DEFINE_list("metrics", None, f"some of {', '.join(tfgans.evaluation.METRICS)}")
flags.DEFINE_integer("num_samples", None, "generated examples; default: as many as real ones", 2)
flags.DEFINE_integer("num_real", None, "real examples; default: all", 2)

NAMES = ("extractor", "extractor_sha256", "metrics", "num_samples", "num_real")


def evaluator(source: tfgans.data.Source) -> tfgans.evaluation.Evaluator:
    """Returns the evaluator that the flags describe."""
    return tfgans.evaluation.Evaluator(
        source,
        _extractor(source),
        metrics=FLAGS.metrics,
        num_samples=FLAGS.num_samples,
        num_real=FLAGS.num_real,
        split=FLAGS.split,
        seed=FLAGS.seed,
    )


def _extractor(source: tfgans.data.Source) -> Any:
    kind, _, place = (FLAGS.extractor or _default(source)).partition(":")
    if (FLAGS.extractor_sha256 is not None) != (kind == "inception" and place.endswith(".pb")):
        raise ValueError("--extractor_sha256 is of --extractor=inception:FILE.pb, and it needs one")
    if kind == "identity" and not place:
        return None
    if kind == "digits" and not place:
        return tfgans.evaluation.DigitsClassifier(data_dir=FLAGS.data_dir)
    if kind == "inception":
        address = (place,) if place else ()
        return tfgans.evaluation.inception_2015(*address, sha256=FLAGS.extractor_sha256)
    file, _, layer = place.rpartition(":")
    if kind != "keras" or not file:
        raise ValueError(
            "--extractor is identity, digits, inception:PATH or keras:FILE:LAYER. "
            f"Received: {FLAGS.extractor}"
        )
    return tfgans.evaluation.keras_model(tfgans.training.load_model(file), layer)


def _default(source: tfgans.data.Source) -> str:
    if len(source.data_shape) == 1:
        return "identity"
    if source.data_shape[:2] == (8, 8):
        return "digits"
    raise ValueError(
        f"Say what to look at images of shape {source.data_shape} with: --extractor=inception:PATH,"
        " keras:FILE:LAYER or identity"
    )
