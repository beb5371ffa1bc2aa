"""Conditional models are measured with the classes of the data, and records say so."""

import copy

import numpy as np
import pytest
import tensorflow as tf
import tiny
from scipy import stats

import tfgans
from tfgans.evaluation import Evaluator, Record, evaluate
from tfgans.export import SavedGenerator
from tfgans.metrics import frechet_distance

NAME = "frechet_distance[identity]"
SHARES = [0.34, 0.13, 0.05, 0.27, 0.15, 0.06]
NUM = 3000
BY_SHARES = "shares of the data"


@pytest.fixture(scope="module")
def source():
    """Six classes in the plane, as often as the images of a real folder."""
    counts = (np.array(SHARES) * NUM).astype(int)
    labels = np.repeat(np.arange(6), counts)
    centers = np.stack([np.cos(np.arange(6)), np.arange(6) / 2], axis=1)
    points = centers[labels] + 0.1 * np.random.default_rng(0).normal(size=(NUM, 2))
    names = [f"class {index}" for index in range(5)]
    return tfgans.data.from_array(points, labels=labels, class_names=names, name="unequal")


class Perfect:
    """A generator whose samples are real examples of the requested class."""

    def __init__(self, source, num_classes=6):
        self.source, self.num_classes, self.requested = source, num_classes, []

    def sample(self, n, seed, labels=None):
        rng = np.random.default_rng(seed)
        labels = rng.integers(self.num_classes, size=n) if labels is None else labels
        self.requested.append(labels)
        places = [np.flatnonzero(self.source.labels == label) for label in range(self.num_classes)]
        return self.source.array[[rng.choice(places[label]) for label in labels]]


def measured(origin, source, **options):
    return evaluate(origin, source, metrics=["frechet_distance"], split="train", **options)


def assert_shares(labels):
    counts = np.bincount(labels, minlength=6)
    assert stats.chisquare(counts, len(labels) * np.array(SHARES)).pvalue > 0.001


def test_a_perfect_generator_is_as_near_as_real_data_drawn_again(source):
    model = Perfect(source)
    record = measured(model, source)
    rng = np.random.default_rng(1)
    again = [
        frechet_distance(source.array, source.array[rng.integers(NUM, size=NUM)]) for _ in range(50)
    ]
    uniform = frechet_distance(source.array, Perfect(source).sample(NUM, 0))
    bound = np.mean(again) + 6 * np.std(again)
    assert record.metrics[NAME].value < bound
    assert 10 * bound < uniform
    assert_shares(np.concatenate(model.requested[1:]))
    assert record.fake["classes"] == BY_SHARES
    assert record.fake["class_shares"] == pytest.approx(SHARES)
    assert "classes    class 0 0.34, class 1 0.13, class 2 0.05" in record.table()
    assert "class 4 0.15, 5 0.06" in record.table()


def test_classes_of_a_chunk_depend_on_the_seed_and_its_number_alone(source):
    requested = []
    for num, seed in ((300, 0), (600, 0), (300, 1)):
        model = Perfect(source)
        measured(model, source, num_samples=num, seed=seed)
        requested.append(np.concatenate(model.requested[1:]))
    np.testing.assert_array_equal(requested[0], requested[1][:512])
    # Two independent draws agree in the sum of the squared shares, .24.
    assert np.mean(requested[0] == requested[2]) < 0.4
    assert np.mean(requested[1][:256] == requested[1][256:512]) < 0.4


def test_a_gan_is_asked_for_classes_too(source, monkeypatch):
    players = (
        tfgans.networks.mlp_generator((2,), latent_dim=2, width=4, depth=1, num_classes=7),
        tfgans.networks.mlp_discriminator((2,), width=4, depth=1, num_classes=7),
    )
    gan, requested = tfgans.NonSaturatingGAN(*players, num_classes=7), []
    sample = gan.sample
    monkeypatch.setattr(
        gan,
        "sample",
        lambda *args, **options: requested.append(options["labels"]) or sample(*args, **options),
    )
    evaluator = Evaluator(source, metrics=["frechet_distance"], num_samples=512)
    record = evaluator.evaluate(gan)
    # Its seventh class has no examples, and is never requested.
    assert set(np.concatenate(requested)) == set(range(6))
    assert evaluator.evaluate(gan) == record
    assert evaluator.protocol(gan)["classes"] == BY_SHARES
    assert BY_SHARES in record.table()
    assert "class_shares" not in record.table()


def test_a_source_without_classes_leaves_them_to_the_model(source):
    model = Perfect(source)
    record = measured(model, tfgans.data.from_array(source.array), num_samples=256)
    assert record.fake["classes"] == "uniform"
    assert "class_shares" not in record.fake
    assert np.bincount(np.concatenate(model.requested)).min() > 20


def test_classes_that_the_model_does_not_know(source):
    with pytest.raises(ValueError, match=r"classes of 'unequal', 0 to 5.*num_classes=4"):
        measured(Perfect(source, num_classes=4), source)


class Labeled(tf.Module):
    """A generator of another library, whose samples hold their class."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 1], name="z"), tf.TensorSpec([None], tf.int64, "y")]
    )
    def make(self, z, y):
        return {"out": tf.concat([z, tf.cast(y, tf.float32)[:, tf.newaxis]], axis=1)}


def test_saved_models_of_others_are_asked_alike(source, tmp_path):
    module = Labeled()
    tf.saved_model.save(module, str(tmp_path / "theirs"), signatures=module.make)
    theirs = SavedGenerator(tmp_path / "theirs", num_classes=6)
    evaluator = Evaluator(source, metrics=["frechet_distance"], num_samples=1000)
    assert evaluator.evaluate(theirs).fake["classes"] == BY_SHARES
    assert_shares(evaluator.neighbors(1000)[0][:, 1].astype(int))


@pytest.mark.slow
def test_an_export_gives_the_record_of_its_model(tmp_path):
    players = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = tfgans.NonSaturatingGAN(*players, num_classes=10)
    data = tfgans.data.from_array(tiny.digits(200), labels=tiny.digit_labels(200))
    saved = SavedGenerator(gan.export(tmp_path / "m", verify=False))
    of_model, of_export = (measured(origin, data) for origin in (gan, saved))
    assert of_export.fake["class_shares"] == of_model.fake["class_shares"]
    # Samples agree to the rounding of float32, some 1e-6 of their size.
    assert of_model.metrics[NAME].value == pytest.approx(of_export.metrics[NAME].value, rel=1e-4)
    other = tfgans.data.from_array(tiny.digits(200), labels=tiny.digit_labels(200) + 3)
    with pytest.raises(ValueError, match=r"classes from 0 to 9"):
        measured(saved, other)


def test_records_of_other_rules_do_not_compare(source):
    record = measured(Perfect(source), source)
    plain = measured(source.array, source)
    assert plain.fake["classes"] is None
    assert record.compare(record)[NAME].is_clear is False
    # A model without classes compares with a conditional model.
    assert record.compare(plain)[NAME].is_clear is not None
    for change, reason in (
        ({"classes": "uniform"}, "drawn by: shares of the data, and: uniform"),
        ({"class_shares": [1 / 6] * 6}, "labeled otherwise"),
        (None, "drawn by: shares of the data, and: unknown"),
    ):
        values = copy.deepcopy(record.to_dict())
        values["fake"].update(change or {})
        if change is None:
            # A record from before the rule.
            del values["fake"]["classes"], values["fake"]["class_shares"]
        with pytest.raises(ValueError, match=reason):
            record.compare(Record.from_dict(values))
