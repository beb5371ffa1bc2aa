"""Sources by way of tensorflow-datasets: our digits for real, the others mocked."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from tfgans import data
from tfgans.data import digits_builder


@pytest.fixture(scope="module")
def mocked(tmp_path_factory):
    """Loads a dataset of 50 made-up examples, read in an instant and without a network."""
    folder = tmp_path_factory.mktemp("absent")

    def load(name, **options):
        with tfds.testing.mock_data(num_examples=50):
            return data.load(name, data_dir=folder, download=True, **options)

    return load


def rows_of(images, labels):
    return sorted(
        (int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)
    )


def test_digits_are_sklearns(digits):
    test = data.load("digits", split="test")
    assert (digits.num_examples, test.num_examples) == (1437, 360)
    assert digits.image_shape == (8, 8, 1)
    assert digits.class_names == tuple("0123456789")
    originals = load_digits()
    # Together the splits hold every digit once: none is in both, none is lost.
    found = rows_of(
        np.concatenate([digits.array, test.array])[..., 0],
        np.concatenate([digits.labels, test.labels]),
    )
    expected = np.rint(originals.images / 16 * 255).astype(np.uint8)
    assert found == rows_of(expected, originals.target)


def test_both_splits_have_every_class_alike(digits):
    train = np.bincount(digits.labels)
    test = np.bincount(data.load("digits", split="test").labels)
    assert np.all(np.abs(test - (train + test) / 5) <= 1)


def test_digits_in_batches(digits):
    batch = next(iter(digits.batches(1437))).numpy()
    assert (batch.min(), batch.max()) == (-1, 1)
    assert batch.mean() == pytest.approx(digits.array.mean() / 127.5 - 1, abs=1e-5)


def test_digits_resized(digits):
    large = data.load("digits", image_size=(16, 32), seed=3)
    assert large.image_shape == (16, 32, 1)
    # The centre of the aspect 1 : 2 is rows 2 to 5. A smooth enlargement keeps their mean.
    error = large.array.mean(axis=(1, 2, 3)) - digits.array[:, 2:6].mean(axis=(1, 2, 3))
    assert np.abs(error).mean() < 3
    np.testing.assert_array_equal(large.labels, digits.labels)


def test_digits_are_quiet_and_reused(tmp_path, capfd):
    data.load("digits", data_dir=tmp_path)
    prepared = tmp_path / "tfgans_digits"
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    data.load("digits", data_dir=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_another_process_prepares_the_digits_meanwhile(tmp_path, monkeypatch):
    """What the slower of two sees: the folder appears between its first look and its rename."""
    generate = digits_builder.TfgansDigits._generate_examples
    calls = []

    def raced(self, digits, indices):
        calls.append(len(indices))
        if len(calls) == 1:
            data.load("digits", data_dir=tmp_path)
        yield from generate(self, digits, indices)

    monkeypatch.setattr(digits_builder.TfgansDigits, "_generate_examples", raced)
    assert data.load("digits", data_dir=tmp_path).num_examples == 1437
    assert len(calls) == 4  # Two splits, prepared twice.
    assert [path.name for path in (tmp_path / "tfgans_digits").iterdir()] == ["1.0.0"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match="file"):
        data.load("digits", data_dir=tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "split", "shape", "labelled"),
    [
        ("mnist", "train", (28, 28, 1), True),
        ("mnist", "test", (28, 28, 1), True),
        ("cifar10", "train", (32, 32, 3), True),
        ("celeb_a", "validation", (64, 64, 3), False),
    ],
)
def test_mocked_datasets(mocked, name, split, shape, labelled):
    source = mocked(name, split=split)
    assert source.name == name
    assert source.image_shape == shape
    assert source.num_examples == 50
    assert source.array.dtype == np.uint8
    assert (source.labels is not None) == labelled
    if labelled:
        assert source.labels.shape == (50,)
        assert len(source.class_names) == 10
    assert source.batches(8).element_spec == tf.TensorSpec((8, *shape), tf.float32)


def test_celeb_a_keeps_the_central_square(mocked):
    native = mocked("celeb_a", image_size=148)
    small = mocked("celeb_a", image_size=(37, 37))
    with tfds.testing.mock_data(num_examples=50):
        raw = next(tfds.load("celeb_a", split="train").batch(50).as_numpy_iterator())["image"]
    np.testing.assert_array_equal(native.array, raw[:, 35:183, 15:163])
    # Reduced by 4 without aliasing, noise loses most of its deviation; picking pixels keeps it.
    assert small.array.std() < 0.35 * raw.std()
    assert small.array.mean() == pytest.approx(native.array.mean(), abs=1)


def test_absent_data_fail_at_once_and_say_where(tmp_path):
    for name in ("mnist", "cifar10", "celeb_a", "stacked_mnist", "color_mnist"):
        with pytest.raises(ValueError, match=rf"is not in {tmp_path}.*`download=True` \(`--dow"):
            data.load(name, data_dir=tmp_path)


def test_the_argument_goes_before_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TFGANS_DATA_DIR", str(tmp_path / "environment"))
    with pytest.raises(ValueError, match="environment"):
        data.load("mnist")
    with pytest.raises(ValueError, match="argument"):
        data.load("mnist", data_dir=tmp_path / "argument")
    monkeypatch.setenv("TFGANS_DATA_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(ValueError, match=r"home/\.cache/tfgans"):
        data.load("mnist")


class TestStacked:
    def test_modes_are_the_digits_of_the_channels(self, digits):
        stacked = data.load("stacked_digits")
        assert stacked.image_shape == (8, 8, 3)
        assert stacked.num_modes == 1000
        assert stacked.num_examples is None
        images, labels = stacked.sample_with_labels(500, 7)
        np.testing.assert_array_equal(images, stacked.sample(500, 7))
        assert labels.dtype == np.int64
        by_image = dict(
            zip((image.tobytes() for image in digits.array), digits.labels, strict=True)
        )
        bytes_ = np.rint((images + 1) * 127.5).astype(np.uint8)
        found = [
            [by_image[image[..., channel, np.newaxis].tobytes()] for channel in range(3)]
            for image in bytes_
        ]
        np.testing.assert_array_equal(found @ np.array([100, 10, 1]), labels)

    def test_modes_are_equally_likely(self):
        labels = data.load("stacked_digits").sample_with_labels(50_000, 0)[1]
        counts = np.bincount(labels, minlength=1000)
        assert len(counts) == 1000
        assert counts.min() > 0
        # Digits are nearly balanced, channels independent: 50 a mode, and 7 of standard deviation.
        assert 6 < counts.std() < 9

    def test_batches_are_pure(self):
        stacked = data.load("stacked_digits", seed=5)
        first = list(stacked.batches(16).take(3).as_numpy_iterator())
        (again,) = stacked.batches(16, start_step=2).take(1).as_numpy_iterator()
        np.testing.assert_array_equal(first[2], again)
        assert not np.array_equal(first[0], first[1])
        assert stacked.batches(16).element_spec.shape == (16, 8, 8, 3)

    def test_stacked_mnist(self, mocked):
        assert mocked("stacked_mnist").image_shape == (28, 28, 3)

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (data.from_array(np.zeros((2, 4, 4, 1))), "with no labels"),
            (data.from_array(np.zeros((2, 4, 4, 3)), labels=[0, 1]), r"\(4, 4, 3\), with labels"),
            (data.from_array(np.zeros((2, 4)), labels=[0, 1]), r"of shape \(4,\)"),
            (data.from_array(np.zeros((2, 4, 4, 1)), labels=[1, 2]), r"Received: \[1 2\]"),
        ],
    )
    def test_bad_images(self, images, message):
        with pytest.raises(ValueError, match=message):
            data.StackedImages(images)


class TestColor:
    def test_one_colour_an_image(self, digits):
        tinted = data.tint(digits, seed=3)
        assert tinted.image_shape == (8, 8, 3)
        np.testing.assert_array_equal(tinted.labels, digits.labels)
        # The brightest channel is the grey image itself, the others share one factor.
        np.testing.assert_array_equal(tinted.array.max(axis=-1), digits.array[..., 0])
        factors = tinted.array.max(axis=(1, 2)) / digits.array.max(axis=(1, 2))
        error = tinted.array - digits.array * factors[:, np.newaxis, np.newaxis]
        assert np.abs(error).max() <= 1
        assert len(np.unique(factors.round(3), axis=0)) > 1400

    def test_the_colour_depends_on_seed_and_index_alone(self, digits):
        some = data.from_array(digits.array[:10], labels=digits.labels[:10])
        np.testing.assert_array_equal(
            data.tint(some, seed=3).array, data.tint(digits, seed=3).array[:10]
        )
        assert not np.array_equal(data.tint(some).array, data.tint(some, seed=3).array)

    def test_color_mnist(self, mocked):
        source = mocked("color_mnist", image_size=32)
        assert source.image_shape == (32, 32, 3)
        assert source.name == "color_mnist"

    def test_bad_images(self):
        with pytest.raises(ValueError, match=r"grey and uint8. Received: 'array', float32"):
            data.tint(data.from_array(np.zeros((2, 4, 4, 1))))
