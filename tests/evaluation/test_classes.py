"""Conditional models are measured with the classes of the data, and records say so."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import stats

import tfgans
from tfgans.evaluation import Evaluator, compare, evaluate
from tfgans.export import SavedGenerator
from tfgans.metrics import frechet_distance

NAME = "frechet_distance[identity]"
SHARES = [0.34, 0.13, 0.05, 0.27, 0.15, 0.06]
NUM = 3000


@pytest.fixture(scope="module")
def source():
    """Six classes in the plane, as often as the images of a real folder."""
    counts = (np.array(SHARES) * NUM).astype(int)
    labels = np.repeat(np.arange(6), counts)
    centres = np.stack([np.cos(np.arange(6)), np.arange(6) / 2], axis=1)
    points = centres[labels] + 0.1 * np.random.default_rng(0).normal(size=(NUM, 2))
    return tfgans.data.from_array(points, labels=labels, name="unequal")


class Perfect:
    """A generator whose samples are real examples of the class that is asked for."""

    def __init__(self, source, num_classes=6):
        self.source, self.num_classes, self.asked = source, num_classes, []

    def sample(self, n, seed, labels=None):
        rng = np.random.default_rng(seed)
        labels = rng.integers(self.num_classes, size=n) if labels is None else labels
        self.asked.append(labels)
        places = [np.flatnonzero(self.source.labels == label) for label in range(self.num_classes)]
        return self.source.array[[rng.choice(places[label]) for label in labels]]


def measured(origin, source, **options):
    return evaluate(origin, source, metrics=["frechet_distance"], split="train", **options)


def test_a_perfect_generator_is_as_near_as_real_data_drawn_again(source):
    model = Perfect(source)
    record = measured(model, source)
    value = record["metrics"][NAME]["value"]
    rng = np.random.default_rng(1)
    again = [
        frechet_distance(source.array, source.array[rng.integers(NUM, size=NUM)]) for _ in range(50)
    ]
    uniform = frechet_distance(source.array, Perfect(source).sample(NUM, 0))
    bound = np.mean(again) + 6 * np.std(again)
    assert value < bound
    assert 10 * bound < uniform
    asked = np.concatenate(model.asked[1:])
    assert (
        stats.chisquare(np.bincount(asked, minlength=6), len(asked) * np.array(SHARES)).pvalue
        > 0.001
    )
    assert record["fake"]["classes"] == "shares of the data"
    assert record["fake"]["class_shares"] == pytest.approx(SHARES)


def test_classes_of_a_chunk_depend_on_the_seed_and_its_number_alone(source):
    asked = []
    for num, seed in ((300, 0), (600, 0), (300, 1)):
        model = Perfect(source)
        measured(model, source, num_samples=num, seed=seed)
        asked.append(np.concatenate(model.asked[1:]))
    np.testing.assert_array_equal(asked[0], asked[1][:512])
    # Two independent draws agree in the sum of the squared shares, .24.
    assert np.mean(asked[0] == asked[2]) < 0.4
    assert np.mean(asked[1][:256] == asked[1][256:512]) < 0.4


def test_a_model_is_asked_as_anything_else(source, monkeypatch):
    networks = tfgans.networks
    players = (
        networks.mlp_generator((2,), latent_dim=2, width=4, depth=1, num_classes=7),
        networks.mlp_discriminator((2,), width=4, depth=1, num_classes=7),
    )
    gan, asked = tfgans.NonSaturatingGAN(*players, num_classes=7), []
    sample = gan.sample
    monkeypatch.setattr(
        gan, "sample", lambda *args, **options: asked.append(options) or sample(*args, **options)
    )
    evaluator = Evaluator(source, metrics=["frechet_distance"], num_samples=512)
    record = evaluator.evaluate(gan)
    # Its seventh class has no examples, and is never asked for.
    labels = np.concatenate([one["labels"] for one in asked])
    assert set(labels) == set(range(6))
    assert evaluator.evaluate(gan) == record
    assert evaluator.protocol(gan)["classes"] == "shares of the data"
    text = tfgans.evaluation.table(record)
    assert "shares of the data" in text
    assert "class_shares" not in text


def test_a_source_without_classes_leaves_them_to_the_model(source):
    unlabelled = tfgans.data.from_array(source.array)
    model = Perfect(source)
    record = measured(model, unlabelled, num_samples=256)
    assert record["fake"]["classes"] == "uniform"
    assert "class_shares" not in record["fake"]
    assert np.bincount(np.concatenate(model.asked)).min() > 20


def test_classes_that_the_model_does_not_know(source):
    with pytest.raises(ValueError, match=r"classes of 'unequal', 0 to 5.*num_classes=4"):
        measured(Perfect(source, num_classes=4), source)


class Labelled(tf.Module):
    """Another library's: gives back the class that it was given."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1], name="z"), tf.TensorSpec([None], tf.int64, "y")]
    )
    def make(self, z, y):
        return {"out": tf.concat([z, tf.cast(y, tf.float32)[:, tf.newaxis]], axis=1)}


def test_saved_models_are_asked_alike(source, tmp_path):
    module = Labelled()
    tf.saved_model.save(module, str(tmp_path / "theirs"), signatures=module.make)
    theirs = SavedGenerator(tmp_path / "theirs", num_classes=6)
    evaluator = Evaluator(source, metrics=["frechet_distance"], num_samples=1000)
    assert evaluator.evaluate(theirs)["fake"]["classes"] == "shares of the data"
    made = np.concatenate([*tfgans.evaluation.examples.Fake(theirs, 1000, 0, source).chunks()])
    counts = np.bincount(made[:, 1].astype(int), minlength=6)
    assert stats.chisquare(counts, 1000 * np.array(SHARES)).pvalue > 0.001


def test_an_export_of_ours_gives_the_record_of_its_model(tmp_path):
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = tfgans.NonSaturatingGAN(*players, num_classes=10)
    data = tfgans.data.from_array(tiny.digits(200), labels=tiny.digit_labels(200))
    saved = SavedGenerator(gan.export(tmp_path / "m", verify=False))
    of_model, of_export = (measured(one, data) for one in (gan, saved))
    assert of_export["fake"]["class_shares"] == of_model["fake"]["class_shares"]
    values = [one["metrics"][NAME]["value"] for one in (of_model, of_export)]
    # Samples agree to the rounding of float32, some 1e-6 of their size.
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    other = tfgans.data.from_array(tiny.digits(200), labels=tiny.digit_labels(200) + 3)
    with pytest.raises(ValueError, match=r"refuses the labels: .*classes from 0 to 9"):
        measured(saved, other)


def test_records_of_other_rules_do_not_compare(source):
    record = measured(Perfect(source), source)
    plain = measured(source.array, source)
    assert plain["fake"]["classes"] is None
    assert compare(record, record)[NAME].is_clear is False
    # What is not conditional compares with what is.
    assert compare(record, plain)[NAME].is_clear is not None
    for change, reason in (
        ({"classes": "uniform"}, "drawn by: shares of the data, and: uniform"),
        ({"class_shares": [1 / 6] * 6}, "labelled otherwise"),
        (None, "drawn by: shares of the data, and: unknown"),
    ):
        other = copy.deepcopy(record)
        if change is None:
            # A record of before the rule.
            del other["fake"]["classes"], other["fake"]["class_shares"]
        else:
            other["fake"].update(change)
        with pytest.raises(ValueError, match=reason):
            compare(record, other)


def test_evaluations_of_another_rule_are_not_gone_on_with(tmp_path):
    gan = tfgans.NonSaturatingGAN(
        tiny.conditional_generator(), tiny.conditional_discriminator(), num_classes=10
    )
    gan.compile()
    images, labels = tiny.digits(100), tiny.digit_labels(100)
    for data, refused in (
        (tfgans.data.from_array(images, labels=labels), False),
        (tfgans.data.from_array(images), True),
    ):
        evaluation = tfgans.callbacks.Evaluation(
            Evaluator(data, metrics=["frechet_distance"]), path=tmp_path / "a.csv"
        )
        fit = {"batch_size": 20, "steps_per_epoch": 1, "verbose": 0, "callbacks": [evaluation]}
        if refused:
            with pytest.raises(ValueError, match=r"other settings \(class_shares, classes|classes"):
                gan.fit(images, labels, **fit)
        else:
            gan.fit(images, labels, **fit)
