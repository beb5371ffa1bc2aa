"""Folders: which files count, what they become, and where the images are held."""

import contextlib
import copy
import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from waiting import wait_for

from tfgans import data
from tfgans.data import capacity, decoding, indexed, paths
from tfgans.data.resize import ImageOptions
from tfgans.data.row_cache import RowCache
from tfgans.data.splits import parse_split

RNG = np.random.default_rng(0)


def pixels(height=6, width=6, channels=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def write(path, array=None, **options):
    array = pixels() if array is None else array
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return array


def load(root, **options):
    return data.load(f"folder:{root}", **options)


@pytest.fixture(autouse=True)
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFGANS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Twenty images of three classes, of many sizes."""
    for index in range(20):
        write(tmp_path / "images" / f"{index % 3}" / f"{index}.png", pixels(7 + index % 4, 8))
    return tmp_path / "images"


# Which files count.


def test_every_format_in_the_order_of_names_and_nothing_else(tmp_path):
    endings = ["BMP", "gif", "JFIF", "jpeg", "JPG", "Png", "tif", "TIFF", "webp", "apng", "avif"]
    for index, ending in enumerate(endings):
        kind = {"JFIF": "JPEG", "apng": "PNG"}.get(ending)
        write(tmp_path / f"{index:02}.{ending}", np.full((6, 6), 20 * index, np.uint8), format=kind)
    for name in (".hidden.png", ".thumbnails/a.png", "__MACOSX/._a.png", "@eaDir/a.png"):
        write(tmp_path / name)
    for name in ("notes.txt", "Thumbs.db", "a.csv", "b.TXT"):
        (tmp_path / name).write_text("")
    source = load(tmp_path)
    values = source.array.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(values, 20 * np.arange(len(endings)), atol=4)
    assert (source.labels, source.class_names) == (None, None)
    (tmp_path / "drawing.svg").write_text("")
    (tmp_path / "empty").mkdir()
    with (
        pytest.warns(
            UserWarning, match=r"skipped, because their format is not supported: 1 \.svg\. Convert"
        ),
        pytest.warns(UserWarning, match="contain no images and are not used as classes: empty"),
    ):
        load(tmp_path)
    report = data.inspect(f"folder:{tmp_path}")
    assert report.skipped_files == {".csv": 1, ".svg": 1, ".txt": 2}
    assert report.empty == ("empty",)


def test_report_of_a_split(tmp_path):
    for name in ("train/a/1", "train/a/2", "train/b/1"):
        write(tmp_path / f"{name}.png", pixels(12, 12, channels=1))
    write(tmp_path / "train" / "b" / "2.png", pixels(30, 20))
    write(tmp_path / "val" / "a" / "1.png")
    (tmp_path / "val" / "a" / "1.svg").write_text("")
    report = data.inspect(f"folder:{tmp_path}")
    assert dict(report.class_counts) == {"a": 2, "b": 2}
    assert (report.skipped_files, report.num_resized) == ({}, 1)
    assert report.modes == {"L": 3, "RGB": 1}
    assert (report.suggestion.image_size, report.samples.shape) == (12, (4, 12, 12, 3))
    assert data.inspect(f"folder:{tmp_path}", split="val").skipped_files == {".svg": 1}


def test_report_without_unreadable_images(tmp_path):
    for index, side in enumerate([3, 3, 200]):
        write(tmp_path / "a" / f"{index}.jpg", pixels(side, side))
    content = (tmp_path / "a" / "2.jpg").read_bytes()
    (tmp_path / "a" / "cut.jpg").write_bytes(content[:-200])  # The header is good.
    write(tmp_path / "b\n\x1b" / "0.jpg", pixels(3, 3))
    report = data.inspect(f"folder:{tmp_path}")
    assert (report.num_examples, report.num_readable) == (4, 4)
    assert dict(report.class_counts) == {"a": 3, "b\n\x1b": 1}
    assert (report.sizes, list(report.unreadable)) == ({(3, 3): 3, (200, 200): 1}, ["a/cut.jpg"])
    assert "1, such as a/cut.jpg: " in str(report)
    assert r"a 3, b\n\x1b 1" in str(report)
    assert report.suggestion.image_size == 8  # No network of images takes a smaller side.
    report = data.inspect(f"folder:{tmp_path}", image_size=(6, 9))
    assert "--image_size=6,9 --batch_size=1" in str(report)
    for index in range(3):
        write(tmp_path / "large" / f"{index}.png", np.zeros((300, 40), np.uint8))
    report = data.inspect(f"folder:{tmp_path}/large")
    assert (report.samples.shape, report.num_resized) == ((3, 32, 32, 1), 3)
    report = data.inspect(f"folder:{tmp_path}/large", image_size=3000)
    assert report.samples.shape == (1, 3000, 3000, 1)


@pytest.mark.parametrize(("fit", "num"), [("crop", 3), ("stretch", 3), ("pad", 1)])
def test_report_counts_the_images_that_are_enlarged(tmp_path, fit, num):
    for name, size in {"a": (3, 40), "b": (40, 3), "c": (3, 3), "d": (8, 8), "e": (40, 9)}.items():
        write(tmp_path / f"{name}.png", pixels(*size))
    report = data.inspect(f"folder:{tmp_path}", image_size=8, fit=fit)
    assert (report.num_resized, report.num_enlarged) == (4, num)
    assert f"4 of 5 to 8x8 by {fit}, {num} enlarged" in str(report)


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_a_part_is_of_all_files_and_reports_its_unreadable_ones_only(folder, decoded, cache):
    bad = {"0/3.png", "1/1.png"}
    for name in bad:
        (folder / name).write_bytes(b"no image")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    num_bad, options = 0, {"image_size": 8, "cache": cache, "skip_bad": True}
    for part in (":40%", "40%:"):
        split = f"train[{part}]"
        chosen = {names[place] for place in parse_split(split).indices(20)}
        report = data.inspect(f"folder:{folder}", split=split)
        assert report.unreadable.keys() == bad & chosen
        num_bad += len(report.unreadable)
        decoded.clear()
        with pytest.warns(UserWarning, match=rf"{len(bad & chosen)} of {len(chosen)} images"):
            source = load(folder, split=split, **options)
        if cache == "memory":
            assert sorted(decoded) == sorted(os.path.basename(name) for name in chosen - bad)
        assert report.num_examples == source.num_examples == len(chosen - bad)
        counts = np.bincount(source.labels, minlength=3)
        np.testing.assert_array_equal(list(report.class_counts.values()), counts)
    assert num_bad == 2
    for path in folder.rglob("*.png"):
        path.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"8 of 8 images .* cannot be read"):
        data.inspect(f"folder:{folder}", split="train[:40%]")


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_an_unreadable_image_is_no_error_of_another_part(folder, cache):
    first = sorted(folder.rglob("*.png"))[parse_split("train[:50%]").indices(20)[0]]
    first.write_bytes(b"no image")
    options = {"image_size": 8, "cache": cache}
    assert load(folder, split="train[50%:]", **options).num_examples == 10
    with pytest.raises(ValueError, match=r"1 of .* images"):
        load(folder, split="train[:50%]", **options)


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_all_parts_have_the_channels_of_their_split(tmp_path, cache):
    for index in range(6):
        write(tmp_path / f"{index}.png", pixels(channels=3 if index == 2 else 1))
    for part in (":50%", "50%:"):
        split = f"train[{part}]"
        source = load(tmp_path, split=split, cache=cache, image_size=6)
        assert source.data_shape == (6, 6, 3)
        assert data.inspect(f"folder:{tmp_path}", split=split).samples.shape[1:] == (6, 6, 3)


def test_all_splits_number_their_classes_as_train(tmp_path):
    for name in ("train/a/1", "Train/c/1", "train/b/1", "val/c/1", "val/b/1", "val/a-/1"):
        write(tmp_path / f"{name.lower()}.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(tmp_path.glob("*/*/*.png")):
            archive.write(path, path.relative_to(tmp_path))
    for name in (f"folder:{tmp_path}", f"zip:{tmp_path}/a.zip"):
        assert data.load(name).class_names == ("a", "b", "c")
        source = data.load(name, split="val")
        assert source.class_names == ("a", "b", "c", "a-")
        np.testing.assert_array_equal(source.labels, [3, 1, 2])
    write(tmp_path / "train" / "loose.png")
    assert load(tmp_path, split="val").class_names == ("a-", "b", "c")


def test_nested_folders_are_classes(tmp_path):
    for name in ("dog/1.png", "cat/2.png", "cat/deep/1.png"):
        write(tmp_path / name)
    source = load(tmp_path)
    np.testing.assert_array_equal(source.labels, [0, 0, 1])
    assert source.class_names == ("cat", "dog")
    np.testing.assert_allclose(source.class_shares, [2 / 3, 1 / 3])
    write(tmp_path / "loose.png")
    assert load(tmp_path).labels is None


@pytest.mark.parametrize(
    ("names", "split", "expected"),
    [
        (["train/x/1", "test/x/1"], "train", 1),
        (["Train/x/1", "VAL/x/1", "VAL/y/1"], "validation", 2),
        (["train/1", "valid/1", "valid/2"], "val", 2),
        (["training/0/1", "training/1/1", "testing/0/1"], "train", 2),
        (["train/x/1", "train/y/1"], "train", 2),
        (["validation/1", "val/1", "val/2", "train/1"], "val", 2),
        # A single class that has the name of a split, beside others.
        (["train/1", "car/1", "plane/1"], "train", 3),
        (["train/x/1", "car/1"], "train", "splits train beside car. Move"),
        (["train/1", "test/1", "extra/1"], "train", "splits test, train beside extra"),
        (["train/1", "test/1", "1"], "train", "beside images in no folder"),
        (["train/1", "test/1"], "v", r"one of 'test', 'train' in .*Received: 'v'"),
        (["validation/1", "val/1"], "valid", "one of 'val', 'validation' in"),
        (["x/1"], "test", r"`split` must be 'train', .*Received: 'test'. Move"),
    ],
)
def test_splits_and_classes_are_told_apart(tmp_path, names, split, expected):
    for name in names:
        write(tmp_path / f"{name}.png")
    if isinstance(expected, int):
        assert load(tmp_path, split=split).num_examples == expected
    else:
        with pytest.raises(ValueError, match=expected):
            load(tmp_path, split=split)


def test_paths_come_back_as_they_were(tmp_path):
    names = ["b.png", "a/z.jpg", "a-/y.png", "a.png", "ü/ß.webp", "\udcff.png", "\uffee.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = paths.list_images(tmp_path)
    assert listing.files == sorted(names)
    assert len(listing.folders) == 4


@pytest.mark.parametrize(
    ("link", "target"), [("c", "a"), ("a/c.png", "a/b.png"), ("a/d.png", "nothing"), ("test", "a")]
)
def test_a_link_out_of_the_folder_is_refused_unless_asked(tmp_path, link, target):
    for name in ("named", "other"):
        write(tmp_path / name / "a" / "b.png")
    (tmp_path / "named" / link).symlink_to(tmp_path / "other" / target)
    with pytest.raises(ValueError, match=r"must lie in the folder.*leads to .*`follow_links=True`"):
        load(tmp_path / "named")
    if link == "c":
        assert load(tmp_path / "named", follow_links=True).num_examples == 2


def test_links_within_the_folder_are_followed_and_end(tmp_path):
    write(tmp_path / "named" / "a" / "b.png")
    (tmp_path / "named" / "a" / "c.png").symlink_to("b.png")
    (tmp_path / "named" / "a" / "loop").symlink_to(tmp_path / "named")
    (tmp_path / "alias").symlink_to(tmp_path / "named")
    assert load(tmp_path / "alias").num_examples == 2


def test_a_link_to_another_class_is_a_class(tmp_path):
    write(tmp_path / "a" / "1.png")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to(tmp_path)  # Leads above, and is no folder without images either.
    source = load(tmp_path)
    assert source.class_names == ("a", "b")
    np.testing.assert_array_equal(source.array[0], source.array[1])


def test_labels_of_style_gan(tmp_path):
    def write_labels(root, labels):
        (root / "dataset.json").write_text(json.dumps({"labels": labels}))

    root = tmp_path / "train"
    for name in ("00000/1", "00000/2", "00001/3"):
        write(root / f"{name}.png")
    write_labels(root, [["00000/1.png", 3], ["00000/2.png", 1], ["00001/3.png", 2]])
    for folder in (root, tmp_path):  # `train` is a split of the folder above.
        source = load(folder)
        np.testing.assert_array_equal(source.labels, [3, 1, 2])
        assert source.class_names is None
        assert data.inspect(f"folder:{folder}").skipped_files == {}
    (root / "dataset.json").unlink()
    write_labels(tmp_path, [["train/00000/1.png", 5], ["train/00000/2.png", 5]])
    with pytest.raises(ValueError, match=r"none for 1, such as train/00001/3\.png"):
        load(tmp_path)


# What a file becomes.


def test_gray_files_of_all_depths(tmp_path):
    gray = write(tmp_path / "a.png", pixels(channels=1))
    bits = write(tmp_path / "b.png", RNG.integers(0, 2, (6, 6)).astype(bool))
    wide = write(tmp_path / "c.png", RNG.integers(0, 65536, (6, 6), dtype=np.uint16))
    expected = np.stack([gray, bits * 255, np.rint(wide / 65535 * 255)])
    np.testing.assert_array_equal(load(tmp_path).array[..., 0], expected)
    color = write(tmp_path / "d.png")
    np.testing.assert_array_equal(
        load(tmp_path).array[[0, 3]], [gray[..., None] + 0 * color, color]
    )


def test_palettes_and_orientation(tmp_path):
    image = Image.fromarray(pixels()).quantize(16)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(tmp_path).array[0], np.asarray(image.convert("RGB")))
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned by a quarter clockwise.
    for ending in ("png", "tif", "jpg"):
        stored = write(tmp_path / ending / f"a.{ending}", pixels(4, 6), exif=exif)
        if ending == "jpg":
            stored = np.asarray(Image.open(tmp_path / ending / "a.jpg"))
        np.testing.assert_array_equal(load(tmp_path / ending).array[0], np.rot90(stored, -1))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # PIL, and then an error.
def test_damaged_exif_data_is_no_orientation(tmp_path):
    def chunk(kind, content):
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    stored = write(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    end = content.index(b"IDAT") - 4
    for damaged in (b"garbage", bytes(12), b"MM\0*\0\0\0\x08\xff\xff"):
        text = content[:end] + chunk(b"eXIf", damaged) + content[end:]
        (tmp_path / "a.png").write_bytes(text)
        np.testing.assert_array_equal(load(tmp_path).array[0], stored)


def test_the_working_folder_may_change(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    source = load(folder.name, cache="none", image_size=8)
    monkeypatch.chdir("/")
    assert next(iter(source.batches(4))).shape == (4, 8, 8, 3)


@pytest.mark.parametrize(
    ("background", "color"), [("white", [255] * 3), ("black", [0] * 3), ("#0A141e", [10, 20, 30])]
)
def test_transparency_is_set_on_the_background(tmp_path, background, color):
    rgba = write(tmp_path / "a.png", pixels(channels=4))
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + np.array(color) * (1 - alpha)
    source = load(tmp_path, background=background)
    assert np.abs(source.array[0] - expected).max() <= 1
    kept = load(tmp_path, background="alpha")
    np.testing.assert_array_equal(kept.array[0], rgba)
    report = data.inspect(f"folder:{tmp_path}", background=background)
    assert f"1, set on {background}" in str(report)


def test_transparent_palettes_and_grays(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(load(tmp_path).array[0, 0], [[10, 20, 30], [255, 255, 255]])
    Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8), mode="LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(tmp_path).array[0, 0], [[7], [255]])
    wide = Image.fromarray(np.array([[257, 514]], np.uint16))
    wide.save(tmp_path / "a.png", transparency=514)
    np.testing.assert_array_equal(load(tmp_path).array[0, 0], [[1], [255]])
    Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8), mode="LA").save(tmp_path / "a.png")
    # On a color, gray images are in color.
    colored = load(tmp_path, background="#ff0000").array[0, 0]
    np.testing.assert_array_equal(colored, [[7, 7, 7], [255, 0, 0]])


@pytest.mark.parametrize(
    ("size", "fit", "expected"),
    [
        (6, "crop", lambda image: image[:, 3:9]),
        ((6, 12), "crop", lambda image: image),
        ((3, 12), "crop", lambda image: image[1:4]),
        ((6, 3), "crop", lambda image: image[:, 4:7]),
        (12, "pad", lambda image: np.pad(image, ((3, 3), (0, 0), (0, 0)), constant_values=255)),
        (6, "stretch", lambda image: np.asarray(Image.fromarray(image).resize((6, 6), 3))),
    ],
)
def test_fits(tmp_path, size, fit, expected):
    stored = write(tmp_path / "a.png", pixels(6, 12))
    source = load(tmp_path, image_size=size, fit=fit)
    np.testing.assert_array_equal(source.array[0], expected(stored))
    padded = load(tmp_path, image_size=12, fit="pad", background="alpha").array[0]
    assert (padded[:3] == 0).all()
    assert (padded[3:9, :, 3] == 255).all()


def test_mixed_sizes_are_resized_without_aliasing_or_refused(tmp_path):
    write(tmp_path / "a.png", np.tile(np.uint8([[0, 255], [255, 0]]), (32, 48)))
    for name, size in (("b", (7, 5)), ("c", (1, 40)), ("d", (1, 40))):
        write(tmp_path / f"{name}.png", pixels(*size, channels=1))
    # A chequerboard reduced by 8 is gray: one that aliases is black, white or striped.
    assert np.abs(load(tmp_path, image_size=8).array[0].astype(int) - 127).max() <= 2
    with pytest.raises(ValueError, match=r"3 sizes .*: 1x40 \(2\), .*Pass `image_size`$"):
        load(tmp_path)
    report = data.inspect(f"folder:{tmp_path}")
    assert (report.num_resized, report.sizes[1, 40], report.modes) == (4, 2, {"L": 4})
    assert report.samples.shape == (4, *[report.suggestion.image_size] * 2, 1)


# Files that cannot be read.


def bomb():
    """A small PNG file that says it holds 20 000 x 20 000 pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + check + b"\0\0\0\0IDAT"


@pytest.fixture
def damaged(tmp_path):
    """A folder of one good gray image and seven damaged files, one of them in color."""
    root = tmp_path / "damaged"
    write(root / "a.png", pixels(40, 40, 1))
    write(root / "truncated.png", pixels(40, 40))
    (root / "truncated.png").write_bytes((root / "truncated.png").read_bytes()[:1000])
    (root / "bomb.png").write_bytes(bomb())
    (root / "empty.jpg").write_bytes(b"")
    for index in range(4):
        (root / f"text{index}.webp").write_text("not an image")
    return root


def test_damaged_files_are_refused_or_left_out(damaged):
    with pytest.raises(ValueError, match="7 of 8 images") as raised:
        load(damaged)
    message = str(raised.value)
    assert message.count("; ") == 5  # Five of the seven are listed, and dots for the others.
    assert "bomb.png: Image size (400000000 pixels) exceeds limit" in message
    assert "`skip_bad=True`" in message
    for cache in ("memory", "disk"):
        with pytest.warns(UserWarning, match=r"7 of 8 images .* are left out"):
            source = load(damaged, skip_bad=True, cache=cache, image_size=40)
        # One channel: the only image in color was damaged.
        assert source.raw(np.arange(1)).shape == (1, 40, 40, 1)
    with pytest.raises(ValueError, match=r"`skip_bad` decodes all files .*cache='disk'"):
        load(damaged, skip_bad=True, cache="none", image_size=40)
    assert len(data.inspect(f"folder:{damaged}").unreadable) == 7
    (damaged / "a.png").write_bytes(b"")
    for skip_bad in (True, False):
        with pytest.raises(ValueError, match=r"8 of 8 images .*None is left: check the files"):
            load(damaged, skip_bad=skip_bad)


@pytest.mark.parametrize("cache", ["disk", "none"])
def test_an_unreadable_file_is_named_when_its_turn_comes(folder, cache):
    path = folder / "1" / "1.png"
    write(path, pixels(60, 60))
    path.write_bytes(path.read_bytes()[:3000])  # The header is good.
    source = load(folder, cache=cache, image_size=6)
    message = r"^1/1\.png in .*truncated.*`skip_bad=True`$"
    with pytest.raises(data.ReadError, match=message), data.plain_errors():
        list(source.batches(20).take(1))
    with pytest.raises(data.ReadError, match=r"1/1\.png"):
        source.rows(tf.range(20))
    with pytest.raises(tf.errors.InvalidArgumentError), data.plain_errors():
        tf.debugging.assert_equal(1, 2)  # Other errors of TensorFlow stay.


def test_a_color_file_among_gray_ones_is_named(tmp_path, monkeypatch):
    for name in "abcd":
        write(tmp_path / f"{name}.png", pixels(channels=1))
    write(tmp_path / "e.png")
    monkeypatch.setattr(indexed, "_NUM_SPREAD", 1)
    source = load(tmp_path, cache="none", image_size=6)
    with pytest.raises(data.ReadError, match=r"^e\.png .*in color .*cache='memory'"):
        source.raw(np.arange(5))


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_masks_of_zeros_and_ones_are_refused(tmp_path, cache):
    for index in range(3):
        write(tmp_path / "images" / f"{index}.png", RNG.integers(0, 2, (6, 6), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"maximum of 1\..*or save image files with 0"):
        load(tmp_path / "images", cache=cache, image_size=6)
    with pytest.raises(ValueError, match="maximum of 1"):
        data.inspect(f"folder:{tmp_path}/images")
    write(tmp_path / "images" / "2.png", 255 * np.eye(6, dtype=np.uint8))
    assert load(tmp_path / "images", cache=cache, image_size=6).num_examples == 3


def test_bad_folders(tmp_path):
    with pytest.raises(ValueError, match=r"a folder. Received: .*missing, which does not exist"):
        load(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="which is a file"):
        load(tmp_path / "file")
    with pytest.raises(ValueError, match=r"\.bmp, .*which has none, but 1 without ending"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_pixels_are_bounded_whatever_pil_allows(tmp_path, monkeypatch, kind):
    path = tmp_path / "a.png"
    image = Image.fromarray(pixels(4, 4, channels=1))
    image.save(
        path, format=kind, **({"save_all": True, "append_images": [image]} if kind == "GIF" else {})
    )
    content = bytearray(path.read_bytes())
    if kind == "GIF":  # The canvas, not the first frame.
        content[6:10] = (20_000).to_bytes(2, "little") * 2
    elif kind == "BMP":
        content[18:26] = (20_000).to_bytes(4, "little") * 2
    elif kind == "JPEG":
        start = content.index(b"\xff\xc0") + 5  # The frame header.
        content[start : start + 4] = (20_000).to_bytes(2, "big") * 2
    path.write_bytes(bomb() if kind == "PNG" else content)
    for limit in (None, 10**10, Image.MAX_IMAGE_PIXELS, 100):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match=rf"400000000 pixels.*{decoding.MAX_PIXELS}"):
            decoding.decode(path, mode="RGB")


def jpeg(mode="RGB", **options):
    image, file = Image.fromarray(pixels(17, 23, channels=3)).convert(mode), io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6  # A quarter turn.
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="r"><r:Description tiff:Orientation="6"/>'
)
XMP += b"</r:RDF></x:xmpmeta>"


@pytest.mark.parametrize(
    "content",
    [jpeg(), jpeg("L"), jpeg("CMYK")]
    + [jpeg(subsampling=number) for number in (0, 1, 2)]
    + [jpeg(progressive=True), jpeg(exif=EXIF), jpeg(xmp=XMP), jpeg() + b"rest"],
)
def test_pixels_of_jpeg_are_those_of_pil(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with Image.open(io.BytesIO(content)) as image:
        is_gray = image.mode == "L"
        right = ImageOps.exif_transpose(image).convert("RGB")
    for file in (tmp_path / "a.jpg", io.BytesIO(content)):
        np.testing.assert_array_equal(decoding.decode(file, mode="RGB"), np.asarray(right))
    small = decoding.decode(tmp_path / "a.jpg", mode="RGB", options=ImageOptions((5, 5), "stretch"))
    np.testing.assert_array_equal(small, right.resize((5, 5), Image.Resampling.BICUBIC))
    if is_gray:
        gray = decoding.decode(tmp_path / "a.jpg", mode="L")
        np.testing.assert_array_equal(gray[..., 0], np.asarray(right)[..., 0])
    else:
        with pytest.raises(decoding.UnexpectedColor):
            decoding.decode(tmp_path / "a.jpg", mode="L")


def test_a_jpeg_that_was_cut_short_is_an_error():
    with pytest.raises(OSError, match="truncated"):
        decoding.decode(io.BytesIO(jpeg()[:-200]), mode="RGB")


def test_what_starts_other_programs_is_no_image(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(OSError, match="cannot identify"):
        decoding.decode(tmp_path / "a.png", mode="RGB")


# Where the images are held.


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded."""
    names, decode = [], decoding.decode

    def counting(path, **options):
        names.append(os.path.basename(path))
        return decode(path, **options)

    monkeypatch.setattr(decoding, "decode", counting)
    return names


def test_each_file_is_decoded_once_and_by_one_process(folder, decoded, monkeypatch):
    expected = load(folder, cache="memory", image_size=6)
    decoded.clear()
    source = load(folder, cache="disk", image_size=6)
    for rows in np.split(np.arange(20), 4):
        np.testing.assert_array_equal(source.raw(rows), expected.array[rows])
    again = load(folder, cache="disk", image_size=6)
    np.testing.assert_array_equal(again.raw(np.arange(20)), expected.array)
    assert sorted(decoded) == sorted(path.name for path in folder.rglob("*.png"))
    none = load(folder, cache="none", image_size=6)
    decoded.clear()
    indices = tf.constant([[3, 1], [4, 5]])
    np.testing.assert_array_equal(none.rows(indices), expected.rows(indices))
    assert len(decoded) == 4
    batches = [*expected.batches(8).take(5)]
    part = load(folder, cache="disk", image_size=6, split="train[:50%]")
    part_batches = [*part.batches(5).take(2)]
    copied = copy.deepcopy(again)
    np.testing.assert_array_equal([*copied.batches(8).take(5)], batches)  # It compares checksums.
    monkeypatch.setattr(data.ImageSource, "raw", None)  # Rows that are known need no Python.
    np.testing.assert_array_equal([*again.batches(8).take(5)], batches)
    np.testing.assert_array_equal([*part.batches(5).take(2)], part_batches)
    np.testing.assert_array_equal(again.rows(indices), expected.rows(indices))


def test_the_size_decides(folder, cache_dir, monkeypatch):
    def kind(cache="auto", size=6):
        return type(load(folder, cache=cache, image_size=size))

    memory = 20 * 6 * 6 * 3
    monkeypatch.setattr(capacity, "fits_in_memory", lambda size: size <= memory)
    assert kind() is data.ArraySource
    monkeypatch.setattr(capacity, "fits_in_memory", lambda size: size < memory)
    assert kind() is data.ImageSource
    assert len(list(cache_dir.iterdir())) == 1
    for cache in ("auto", "disk"):
        with pytest.raises(ValueError, match=rf"need `image_size`.* 20 files .*cache='{cache}'"):
            kind(cache, size=None)
    monkeypatch.setattr(capacity, "fits_on_disk", lambda path, size: False)
    with pytest.warns(UserWarning, match="neither in memory nor on disk"):
        kind()
    with pytest.raises(ValueError, match=r"0.0 GB do not fit in .*`cache_dir`"):
        kind("disk")


@pytest.mark.parametrize(
    ("line", "place", "names"),
    [
        ("0::/a/b", "a", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:memory:/a/b",
            "memory/a",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_the_limit_of_a_container(tmp_path, line, place, names):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"7:cpu:/a\n{line}\n")
    group = tmp_path / "sys/fs/cgroup" / place
    group.mkdir(parents=True)
    limit, usage, reclaimable = names
    (group / limit).write_text("1000\n")
    (group / usage).write_text("700\n")
    (group / "memory.stat").write_text(f"other 5\n{reclaimable} 200\n")
    assert capacity.left_in_cgroups(tmp_path) == [500]
    (group / limit).write_text("max\n")
    assert capacity.left_in_cgroups(tmp_path) == []


def row(index, size=300):
    return np.random.default_rng(index).integers(0, 256, size, dtype=np.uint8)


def read(cache, index, size=300):
    rows = np.empty([1, size], np.uint8)
    return None if cache.read(np.array([index]), rows) else rows[0]


def keep(cache, *rows):
    for index, values in rows:
        cache.write(np.array([index]), values[np.newaxis])


@pytest.fixture
def rows(tmp_path):
    def open_rows(name="key-state.rows", shape=(50, 300)):
        return RowCache(tmp_path / name, shape)

    return open_rows


def test_rows_are_shared_and_torn_ones_noticed(rows, tmp_path):
    first, second = rows(), rows()
    assert read(first, 1) is None
    keep(first, (1, row(1)), (8, np.zeros(300, np.uint8)))
    for cache in (second, rows(), copy.deepcopy(first)):
        np.testing.assert_array_equal(read(cache, 1), row(1))
        assert not read(cache, 8).any()
        assert read(cache, 6) is None
    path = tmp_path / "key-state.rows"
    content = bytearray(path.read_bytes())
    for place in (4, 4096 + 300, 4096 + 450, 4096 + 599):
        torn = content.copy()
        torn[place] ^= 1
        path.write_bytes(torn)  # In place: the same file.
        assert read(rows(), 1) is None
    path.write_bytes(content[: -49 * 300])
    rows()  # Replaces the file, for others may have it open.
    for cache in (first, second):  # They know the row.
        assert read(cache, 1) is None  # Cut short.


def test_a_process_that_is_killed_leaves_whole_rows_or_none(rows):
    size, shape = 50_000, (2000, 50_000)
    cache = rows(shape=shape)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            keep(cache, *((index, row(index, size)) for index in range(2000)))
        os._exit(1)
    wait_for(lambda: read(cache, 20, size) is not None)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    present = [index for index in range(2000) if read(cache, index, size) is not None]
    assert 20 < len(present) < 2000
    for index in present:
        np.testing.assert_array_equal(read(cache, index, size), row(index, size))


@pytest.mark.parametrize("content", [b"", b"\0" * 19_096, b"x" * 19_096, b"something else"])
def test_other_files_are_not_trusted(rows, tmp_path, content):
    (tmp_path / "key-state.rows").write_bytes(content)
    cache = rows()
    assert all(read(cache, index) is None for index in range(50))
    keep(cache, (3, row(3)))
    np.testing.assert_array_equal(read(rows(), 3), row(3))


def test_what_is_out_of_date_goes_unless_it_is_in_use(rows, tmp_path):
    held = rows("key-1.rows"), rows("other-1.rows")
    rows("key-2.rows")
    rows("key-3.rows")
    assert {path.name for path in tmp_path.glob("*-*")} == {
        "key-1.rows",
        "other-1.rows",
        "key-3.rows",
    }
    assert [read(cache, 0) for cache in held] == [None, None]


def test_a_file_may_be_deleted_while_it_is_used(rows, tmp_path):
    cache = rows()
    keep(cache, (1, row(1)))
    (tmp_path / "key-state.rows").unlink()
    keep(cache, (2, row(2)))
    assert read(rows(), 1) is None
    for index in (1, 2):
        np.testing.assert_array_equal(read(cache, index), row(index))
        np.testing.assert_array_equal(cache.gather(tf.constant([index]))[0], row(index))


def test_a_full_disk_is_reported_once(folder, cache_dir, decoded):
    source = load(folder, cache="disk", image_size=64)
    (path,) = cache_dir.glob("*.rows")
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # In the middle of the second row.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 37 * 64 * 64 * 3 // 2, before[1]))
    try:
        with pytest.warns(UserWarning, match="cannot grow") as warned:
            first = source.raw(np.arange(20))
        np.testing.assert_array_equal(source.raw(np.arange(20)), first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(warned) == 1
    assert len(decoded) == 39  # One was kept before.


def test_a_class_whose_name_is_not_utf8_can_be_printed(folder):
    os.rename(folder / "0", os.fsencode(folder) + b"/caf\xe9")
    source = load(folder, image_size=6)
    assert source.class_names == ("1", "2", r"caf\xe9")
    assert source.raw(np.arange(20)).shape == (20, 6, 6, 3)


def test_a_changed_folder_has_another_cache(folder, cache_dir):
    def name(**options):
        load(folder, cache="disk", **{"image_size": 6, **options})
        return {path.name for path in cache_dir.glob("*.rows")}

    (first,) = name()
    assert name() == {first}
    states = [first]
    for change in (
        lambda: (folder / "0" / "0.png").rename(folder / "0" / "00.png"),
        lambda: write(folder / "0" / "new.png"),
        lambda: os.replace(folder / "0" / "new.png", folder / "1" / "1.png"),
        # In place.
        lambda: (folder / "2" / "2.png").write_bytes((folder / "2" / "2.png").read_bytes() + b"m"),
    ):
        change()
        (state,) = name()  # The one before is gone.
        states.append(state)
    assert len(set(states)) == 5
    (folder / "cache").mkdir()  # Folders without images do not matter.
    with pytest.warns(UserWarning, match="contain no images"):
        assert name() == {states[-1]}
    (folder / "cache").rmdir()
    assert len(name(image_size=(6, 7)) | name(fit="pad") | name(background="black")) == 4


@pytest.mark.slow
def test_python_ends_while_batches_are_being_made(folder):
    script = (
        "import sys, tfgans; source = tfgans.data.load(sys.argv[1], image_size=6, cache='none');"
        "iterators = [iter(source.batches(8)) for _ in range(4)];"
        "[next(iterator) for iterator in iterators]"
    )
    command = [sys.executable, "-c", script, f"folder:{folder}"]
    subprocess.run(command, check=True, timeout=120)
