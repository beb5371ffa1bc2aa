"""The classifier of any labeled images: what it learns, its cache, and what is refused."""

import contextlib

import keras
import numpy as np
import pytest

import tfgans
from tfgans.data import splits
from tfgans.evaluation import ImageClassifier, evaluate, image_classifier

SHAPE = (9, 12, 1)


def patches(num, *, classes=3, shape=SHAPE, seed=0):
    """Noise with a bright column at the place of the class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(num) % classes
    images = generator.integers(0, 128, [num, *shape], np.uint8)
    images[np.arange(num), :, 3 * labels] = 255
    return images, labels


def source(num=30, **options):
    images, labels = patches(num, **options)
    return tfgans.data.from_array(images, labels=labels, name="patches")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def classifier(cache):
    return ImageClassifier.train(source(), data_dir=cache)


def test_it_learns_the_classes(classifier):
    images, labels = patches(30, seed=1)
    features, probabilities = classifier(images)
    assert (features.shape, probabilities.shape) == ((30, 128), (30, 3))
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # A tenth of 30 images.
    assert (classifier.accuracy, classifier.details["num_held_out"]) == (1, 3)


def test_it_is_trained_once(classifier, cache, tmp_path):
    (path,) = cache.rglob("*.npz")
    stamp = path.stat().st_mtime_ns
    # The order of the source's batches does not matter.
    images, labels = patches(30)
    again = ImageClassifier.train(
        tfgans.data.from_array(images, labels=labels, name="patches", seed=9), data_dir=cache
    )
    assert path.stat().st_mtime_ns == stamp
    assert ImageClassifier.load(source(), data_dir=cache).checksum == classifier.checksum
    assert ImageClassifier.load(source(), data_dir=tmp_path / "new") is None
    assert not list(tmp_path.iterdir())
    assert (again.checksum, again.details) == (classifier.checksum, classifier.details)


@pytest.mark.slow
def test_the_data_and_the_seed_decide_the_weights(classifier, tmp_path):
    again, *others = (
        ImageClassifier.train(data, data_dir=tmp_path, seed=seed)
        for data, seed in ((source(), 0), (source(seed=1), 0), (source(), 1))
    )
    assert again.checksum == classifier.checksum
    assert len({other.checksum for other in (again, *others)}) == 3


@pytest.mark.slow
def test_the_test_split_states_the_accuracy_of_all_splits(tmp_path):
    images, labels = patches(60)
    held_out, right = patches(30, seed=1)
    np.savez(
        tmp_path / "a.npz",
        train_images=images,
        train_labels=labels,
        test_images=held_out,
        # Half of them are wrong.
        test_labels=np.where(np.arange(30) < 15, right, (right + 1) % 3),
    )
    first, second = (
        ImageClassifier.train(
            tfgans.data.load(f"npz:{tmp_path / 'a.npz'}", split=split), data_dir=tmp_path
        )
        for split in ("train", "test[:80%]")
    )
    assert (first.accuracy, first.details["held_out"]) == (0.5, "split test")
    assert (first.checksum, first.details) == (second.checksum, second.details)


@pytest.mark.parametrize("labels", [None, [0, 1]])
def test_a_split_that_cannot_be_used_is_reported_and_an_absent_split_is_not(labels, tmp_path):
    images, right = patches(60)
    test = {} if labels is None else {"test_images": images, "test_labels": np.array(labels)}
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=right, **test)
    loaded = tfgans.data.load(f"npz:{tmp_path / 'a.npz'}")
    message = "split 'test' of .* cannot state the accuracy of the classifier: .*for each"
    with contextlib.nullcontext() if labels is None else pytest.warns(UserWarning, match=message):
        assert ImageClassifier.load(loaded, data_dir=tmp_path / "new") is None


@pytest.mark.slow
def test_a_part_that_lacks_classes_has_the_classifier_of_all(tmp_path, monkeypatch):
    monkeypatch.setattr(image_classifier, "num_steps", lambda num: 10)
    images, labels = patches(60, classes=2)
    # An example that the first half lacks.
    labels[splits.parse_split("train[30:]").indices(60)[0]] = 2
    np.savez(tmp_path / "a.npz", x=images, y=labels)
    name = f"npz:{tmp_path / 'a.npz'}"
    whole, part = (tfgans.data.load(name, split=split) for split in ("train", "train[:30]"))
    assert (whole.num_classes, part.num_classes) == (3, 2)
    ImageClassifier.train(whole, data_dir=tmp_path)
    assert ImageClassifier.load(part, data_dir=tmp_path).network.outputs[1].shape[-1] == 3


def test_records_name_the_classifier_and_do_not_compare_with_those_of_another(classifier):
    samples, options = patches(60, seed=2)[0], {"metrics": ["inception_score"], "split": "train"}
    record = evaluate(samples, source(), classifier, **options)
    # 1 of a single class, at most 3 of three; few samples and smoothed labels lower it.
    assert 1.5 < record.metrics["inception_score[image_classifier]"].value <= 3
    assert record.extractor["accuracy"] == 1
    assert len(record.extractor["data_checksum"]) == 64
    assert "right on 100.00% of 3 held-out images (3 of the training set" in record.table()
    other = evaluate(samples, source(), ImageClassifier(SHAPE, 3), **options)
    with pytest.raises(ValueError, match="extractor checksum"):
        record.compare(other)


def test_the_dtype_policy_of_the_process_does_not_matter():
    plain = ImageClassifier(SHAPE, 3)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = ImageClassifier(SHAPE, 3)
    finally:
        keras.config.set_dtype_policy("float32")
    assert mixed.checksum == plain.checksum
    images = patches(5)[0]
    np.testing.assert_array_equal(mixed(images).features, plain(images).features)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (64, 48, 3), (128, 128, 3)])
def test_sizes_of_images(shape):
    untrained = ImageClassifier(shape, 10)
    assert untrained.accuracy is None
    features, probabilities = untrained(np.zeros([2, *shape], np.uint8))
    assert (features.shape, probabilities.shape) == ((2, 128), (2, 10))
    # Any size costs about the same.
    assert untrained.network.count_params() < 400_000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ImageClassifier((7, 8, 1), 2), "8 to 128 pixels"),
        (lambda: ImageClassifier((8, 129, 1), 2), "8 to 128 pixels"),
        (lambda: ImageClassifier((8, 8, 1), 1), "num_classes"),
        (lambda: ImageClassifier((8, 8, 1), 2)(np.zeros([2, 8, 9, 1])), "8, 9, 1"),
        (lambda: ImageClassifier.train("digits"), "Source"),
        (lambda: ImageClassifier.train(tfgans.data.load("ring")), "stored images"),
        (lambda: ImageClassifier.train(tfgans.data.from_array(patches(30)[0])), "has none"),
        (lambda: ImageClassifier.train(source(30, classes=1)), "two classes"),
        (lambda: ImageClassifier.train(source(19)), "20 images"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
