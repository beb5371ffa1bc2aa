"""Sources by name: tensorflow-datasets, stacked and tinted images, options, and a cheap import."""

import ast
import dataclasses
import inspect
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits

from tfgans import data
from tfgans.data.load_options import LoadOptions
from tfgans.data.splits import parse_split


@pytest.fixture(scope="module")
def mocked(tmp_path_factory):
    """Loads a dataset of 50 made-up examples, read in an instant and without a network."""
    folder = tmp_path_factory.mktemp("absent")

    def load(name, **options):
        with tfds.testing.mock_data(num_examples=50):
            return data.load(name, data_dir=folder, download=True, **options)

    return load


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("minst", {}, r"must be one of digits, .*folder:PATH.*. Received: 'minst'"),
        ("ring:x", {}, "must be one of"),
        ("digits", {"split": "val"}, "`split` must be one of 'train', 'test'. Received: 'val'"),
        ("digits", {"split": "train[1"}, r"`split` must be a name .*Received: 'train\[1'"),
        ("ring", {"split": "test"}, "`split` cannot be used with 'ring': it has the split 'train'"),
        ("ring", {"image_size": 8}, "'ring': its examples are vectors.*image_size=8. Leave it out"),
        ("folder:x", {"data_dir": "x"}, "`data_dir` cannot be used with 'folder:x'"),
        ("digits", {"download": True}, "there is nothing to download"),
        ("digits", {"skip_bad": True}, "it applies to encoded images only"),
        ("idx:x", {"cache": "disk"}, "`cache` cannot be used with 'idx:x'"),
        ("zip:x", {"follow_links": True}, "it applies to 'folder:PATH' only"),
        ("folder:x", {"image_key": "x"}, "its images have no key"),
        ("stacked_digits", {"flip": True}, "its examples are not flipped"),
        ("digits", {"background": "black"}, "has no transparency.*fit='crop', image_size=None"),
        ("digits", {"background": "alpha", "fit": "pad", "image_size": 9}, "no transparency"),
        ("digits", {"background": "#ff0000", "fit": "pad", "image_size": 9}, "must be gray"),
        ("ring", {"background": "black"}, "`background` cannot be used with 'ring'"),
        ("digits", {"fit": "zoom"}, "`fit` must be one of 'crop', 'pad', 'stretch'"),
        ("folder:x", {"background": "red"}, "'white', 'black', '#rrggbb' or 'alpha'. Rec.*'red'"),
        ("digits", {"image_size": (8, 8, 1)}, "`image_size` must be a tuple of 2 positive int"),
        ("digits", {"seed": "a"}, "`seed` must be an integer. Received: 'a'"),
    ],
)
def test_bad_requests(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **options)


def test_options_are_the_arguments_of_load():
    arguments = inspect.signature(data.load).parameters
    defaults = {option.name: option.default for option in dataclasses.fields(LoadOptions)}
    assert {name: value.default for name, value in arguments.items() if name != "name"} == defaults
    reported = inspect.signature(data.inspect).parameters
    assert all(arguments[name] == value for name, value in reported.items())


def test_import_is_cheap():
    heavy = {"tensorflow_datasets", "sklearn", "PIL", "scipy", "pandas", "datasets", "h5py"}
    for path in Path(data.__file__).parent.glob("*.py"):
        # Inside of functions, and for type checkers, they may be imported.
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            imported = {name.partition(".")[0] for name in names}
            assert not imported & heavy, path


# The digits.


def rows_of(images, labels):
    return sorted(
        (int(label), image.tobytes()) for image, label in zip(images, labels, strict=True)
    )


def test_digits_are_sklearns(digits):
    test = data.load("digits", split="test")
    assert (digits.num_examples, test.num_examples) == (1437, 360)
    assert digits.class_names == tuple("0123456789")
    originals = load_digits()
    # Together the splits hold every digit once: none is in both, none is lost.
    rows = rows_of(
        np.concatenate([digits.array, test.array])[..., 0],
        np.concatenate([digits.labels, test.labels]),
    )
    expected = np.rint(originals.images / 16 * 255).astype(np.uint8)
    assert rows == rows_of(expected, originals.target)
    counts = np.bincount(test.labels)
    assert np.all(np.abs(counts - (np.bincount(digits.labels) + counts) / 5) <= 1)


# Other datasets.


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("train", "train[90%:]", True),
        ("train[:90%]", "train[90%:]", False),
        ("train[:91%]", "train[90%:]", True),
        ("train[:-10%]", "train[-10%:]", False),
        ("train[:-10%]", "train[80%:]", True),
        ("train[:500]", "train[500:]", False),
        ("train[:501]", "train[500:700]", True),
        ("train[:-100]", "train[-100:]", False),
        ("train[-200:-100]", "train[-100:]", False),
        ("train[-201:-100]", "train[-200:]", True),
        # With few examples.
        ("train[:50%]", "train[500:]", True),
        ("train[:500]", "train[-100:]", True),
        ("train", "test", False),
        ("val", "validation", True),
        ("train[:50%]", "training[50%:]", False),
    ],
)
def test_parts_may_overlap(first, second, expected):
    parts = parse_split(first), parse_split(second)
    assert parts[0].may_overlap(parts[1]) == parts[1].may_overlap(parts[0]) == expected


def test_percent_from_the_end_is_rounded_as_from_the_start():
    for num in (5, 15, 25, 35):
        for first, second in (("train[:90%]", "train[-10%:]"), ("train[:-10%]", "train[90%:]")):
            parts = [parse_split(split).indices(num).tolist() for split in (first, second)]
            assert sorted(parts[0] + parts[1]) == list(range(num))


@pytest.mark.parametrize(
    ("name", "split", "shape", "num_classes"),
    [
        ("mnist", "test", (28, 28, 1), 10),
        ("fashion_mnist", "train", (28, 28, 1), 10),
        ("kmnist", "train[:10]", (28, 28, 1), 10),
        ("cifar10", "train", (32, 32, 3), 10),
        ("celeb_a", "validation", (64, 64, 3), None),
        ("stacked_mnist", "train", (28, 28, 3), 1000),
        ("color_mnist", "train[:10]", (28, 28, 3), 10),
    ],
)
def test_mocked_datasets(mocked, name, split, shape, num_classes):
    source = mocked(name, split=split)
    assert (source.name, source.image_shape, source.num_classes) == (name, shape, num_classes)
    if name != "stacked_mnist":
        assert source.num_examples == (10 if "[" in split else 50)
        assert source.array.dtype == np.uint8
        assert len(source.class_names or ()) == (num_classes or 0)


def test_celeb_a_keeps_the_central_square(tmp_path):
    options = {"data_dir": tmp_path, "download": True}
    with tfds.testing.mock_data(num_examples=10):
        native, small = (
            data.load("celeb_a", image_size=size, **options) for size in (148, (37, 37))
        )
        raw = next(tfds.load("celeb_a", split="train").batch(10).as_numpy_iterator())["image"]
    np.testing.assert_array_equal(native.array, raw[:, 35:183, 15:163])
    # Reduced by 4 without aliasing, noise loses most of its deviation; picking pixels keeps it.
    assert small.array.std() < 0.35 * raw.std()
    assert small.array.mean() == pytest.approx(native.array.mean(), abs=1)


def test_absent_data_fail_at_once_and_say_where(tmp_path, monkeypatch):
    for name in ("mnist", "celeb_a", "stacked_mnist", "color_mnist"):
        with pytest.raises(ValueError, match=rf"is not in {tmp_path}.*`download=True` to"):
            data.load(name, data_dir=tmp_path)
    for folder, expected in ((str(tmp_path / "environment"), "environment"), ("", "home/.cache")):
        monkeypatch.setenv("TFGANS_DATA_DIR", folder)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        with pytest.raises(ValueError, match=expected):
            data.load("mnist")


# Stacked and tinted images.


def test_stacked_modes_are_the_digits_of_the_channels(digits):
    stacked = data.load("stacked_digits")
    assert (stacked.image_shape, stacked.num_modes) == ((8, 8, 3), 1000)
    images, labels = (part.numpy() for part in next(iter(stacked.batches(500, labels=True))))
    by_image = dict(zip((image.tobytes() for image in digits.array), digits.labels, strict=True))
    bytes_ = np.rint((images + 1) * 127.5).astype(np.uint8)
    classes = [
        [by_image[image[..., channel, np.newaxis].tobytes()] for channel in range(3)]
        for image in bytes_
    ]
    np.testing.assert_array_equal(classes @ np.array([100, 10, 1]), labels)
    # Digits are nearly balanced, channels independent: 50 a mode, and 7 of standard deviation.
    key = np.array([3, 5])
    counts = np.bincount(stacked.draw_labels(50_000, key), minlength=1000)
    assert counts.min() > 0
    assert 6 < counts.std() < 9


def test_tinted_in_one_color_an_image(digits):
    tinted = data.tint(digits, seed=3)
    np.testing.assert_array_equal(tinted.labels, digits.labels)
    # The brightest channel is the gray image itself, the others share one factor.
    np.testing.assert_array_equal(tinted.array.max(axis=-1), digits.array[..., 0])
    factors = tinted.array.max(axis=(1, 2)) / digits.array.max(axis=(1, 2))
    error = tinted.array - digits.array * factors[:, np.newaxis, np.newaxis]
    assert np.abs(error).max() <= 1
    assert len(np.unique(factors.round(3), axis=0)) > 1400
    # The color depends on seed and index alone.
    some = data.from_array(digits.array[:10], labels=digits.labels[:10])
    np.testing.assert_array_equal(data.tint(some, seed=3).array, tinted.array[:10])
    assert not np.array_equal(data.tint(some).array, tinted.array[:10])


@pytest.mark.parametrize(
    ("make", "images", "message"),
    [
        (data.StackedImages, data.from_array(np.zeros((2, 4, 4, 1))), "with no labels"),
        (data.StackedImages, data.from_array(np.zeros((2, 4)), labels=[0, 1]), r"shape \(4,\)"),
        (
            data.StackedImages,
            data.from_array(np.zeros((2, 4, 4, 1)), labels=[1, 2]),
            r"Received: \[1 2\]",
        ),
        (data.tint, data.from_array(np.zeros((2, 4, 4, 1))), "gray and uint8. .*'array', float32"),
    ],
)
def test_images_that_cannot_be_stacked_or_tinted(make, images, message):
    with pytest.raises(ValueError, match=message):
        make(images)
