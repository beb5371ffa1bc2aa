"""Folders of images: what counts, how it is decoded, and what is refused."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfgans import data

RNG = np.random.default_rng(0)


def pixels(height=6, width=6, channels=3):
    shape = (height, width) if channels == 1 else (height, width, channels)
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return array


def load(root, **options):
    return data.load(f"folder:{root}", **options)


def test_flat_in_the_order_of_names(tmp_path):
    names = ["b.png", "a.BMP", "c.webp", "B.Png"]
    images = {name: write(tmp_path / name, pixels()) for name in names[:2] + names[3:]}
    images["c.webp"] = write(tmp_path / "c.webp", pixels(), lossless=True)
    source = load(tmp_path)
    np.testing.assert_array_equal(source.array, [images[name] for name in sorted(names)])
    assert source.image_shape == (6, 6, 3)
    assert source.labels is None
    assert source.class_names is None
    batch = next(iter(source.batches(4))).numpy()
    assert -1 <= batch.min() < batch.max() <= 1


@pytest.mark.parametrize("extension", ["jpg", "JPEG"])
def test_lossy_formats_come_close(tmp_path, extension):
    smooth = np.linspace(0, 255, 256).reshape(16, 16).astype(np.uint8)
    write(tmp_path / f"a.{extension}", smooth, quality=95)
    assert np.abs(load(tmp_path).array[0, ..., 0].astype(int) - smooth).max() < 8


def test_other_files_and_hidden_ones_are_ignored(tmp_path):
    write(tmp_path / "a.png", pixels())
    write(tmp_path / ".hidden.png", pixels())
    write(tmp_path / ".thumbnails" / "a.png", pixels())
    write(tmp_path / "a.gif", pixels(channels=1))
    (tmp_path / "notes.txt").write_text("")
    assert load(tmp_path).num_examples == 1


def test_nested_folders_are_classes(tmp_path):
    for name in ("dog/1.png", "cat/2.png", "cat/deep/1.png"):
        write(tmp_path / name, pixels())
    (tmp_path / "empty").mkdir()
    source = load(tmp_path)
    np.testing.assert_array_equal(source.labels, [0, 0, 1])
    assert source.class_names == ("cat", "dog")
    write(tmp_path / "loose.png", pixels())
    assert load(tmp_path).labels is None


def linked(tmp_path, link, target):
    """A folder of one image and a link out of it to another."""
    for name in ("named", "other"):
        (tmp_path / name / "a").mkdir(parents=True)
        write(tmp_path / name / "a" / "b.png", pixels())
    (tmp_path / "named" / link).symlink_to(tmp_path / "other" / target)
    return tmp_path / "named"


@pytest.mark.parametrize(
    ("link", "target"), [("c", "a"), ("a/c.png", "a/b.png"), ("a/d.png", "nothing")]
)
def test_a_link_out_of_the_folder_is_refused(tmp_path, link, target):
    folder = linked(tmp_path, link, target)
    with pytest.raises(ValueError, match=r"must lie in the folder.*leads to .*--follow_links"):
        load(folder)


def test_a_link_out_of_the_folder_is_followed_if_asked(tmp_path):
    folder = linked(tmp_path, "c", "a")
    assert load(folder, follow_links=True).num_examples == 2


def test_links_within_the_folder_and_to_it_are_followed(tmp_path):
    folder = linked(tmp_path, "out", "a")
    (folder / "out").unlink()
    (folder / "a" / "c.png").symlink_to("b.png")
    (tmp_path / "alias").symlink_to(folder)
    assert load(tmp_path / "alias").num_examples == 2


def test_a_split_out_of_the_folder_is_refused(tmp_path):
    folder = linked(tmp_path, "test", "a")
    (folder / "a").rename(folder / "train")
    assert load(folder).num_examples == 1
    with pytest.raises(ValueError, match="must lie in the folder"):
        load(folder, split="test")


def test_a_link_to_the_folder_above_ends(tmp_path):
    write(tmp_path / "a" / "1.png", pixels())
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    assert load(tmp_path).num_examples == 1


def test_splits(tmp_path):
    train = write(tmp_path / "train" / "x" / "1.png", pixels())
    test = write(tmp_path / "test" / "x" / "1.png", pixels())
    np.testing.assert_array_equal(load(tmp_path).array, [train])
    source = load(tmp_path, split="test")
    np.testing.assert_array_equal(source.array, [test])
    assert source.class_names == ("x",)
    with pytest.raises(ValueError, match=r"one of the folders \['test', 'train'\]. Received: 'v'"):
        load(tmp_path, split="v")


def test_all_grey_files_give_one_channel(tmp_path):
    grey = write(tmp_path / "a.png", pixels(channels=1))
    bits = RNG.integers(0, 2, (6, 6)).astype(bool)
    write(tmp_path / "b.png", bits)
    wide = RNG.integers(0, 65536, (6, 6), dtype=np.uint16)
    write(tmp_path / "c.png", wide)
    source = load(tmp_path)
    expected = np.stack([grey, bits * 255, np.rint(wide / 65535 * 255)])
    np.testing.assert_array_equal(source.array[..., 0], expected)


def test_grey_among_colour_gets_three_equal_channels(tmp_path):
    grey = write(tmp_path / "a.png", pixels(channels=1))
    color = write(tmp_path / "b.png", pixels())
    source = load(tmp_path)
    np.testing.assert_array_equal(source.array, [np.repeat(grey[..., None], 3, -1), color])


def test_palettes_are_looked_up(tmp_path):
    image = Image.fromarray(pixels()).quantize(16)
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(tmp_path).array[0], np.asarray(image.convert("RGB")))


def test_transparency_is_laid_on_white(tmp_path):
    rgba = write(tmp_path / "a.png", pixels(channels=4))
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(load(tmp_path).array[0] - expected).max() <= 1


def test_transparent_palettes_and_greys(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(load(tmp_path).array[0, 0], [[10, 20, 30], [255, 255, 255]])
    (tmp_path / "a.png").unlink()
    Image.fromarray(np.array([[[7, 255], [7, 0]]], np.uint8), mode="LA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(load(tmp_path).array[0, 0], [[7], [255]])


def test_exif_orientation_is_honoured(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned by a quarter clockwise.
    stored = write(tmp_path / "a.png", pixels(4, 6), exif=exif)
    upright = write(tmp_path / "b.png", pixels(6, 4))
    source = load(tmp_path)
    np.testing.assert_array_equal(source.array, [np.rot90(stored, -1), upright])


@pytest.mark.parametrize(
    ("image_size", "crop"),
    [
        (6, np.s_[:, 3:9]),
        ((6, 12), np.s_[:, :]),
        ((3, 12), np.s_[1:4, :]),
        ((6, 3), np.s_[:, 4:7]),
    ],
)
def test_cropped_about_the_centre_to_the_aspect_ratio(tmp_path, image_size, crop):
    stored = write(tmp_path / "a.png", pixels(6, 12))
    expected = stored[crop]
    np.testing.assert_array_equal(load(tmp_path, image_size=image_size).array[0], expected)


def test_mixed_sizes_are_resized_without_aliasing(tmp_path):
    write(tmp_path / "a.png", np.tile(np.uint8([[0, 255], [255, 0]]), (32, 48)))
    write(tmp_path / "b.png", pixels(7, 5, channels=1))
    write(tmp_path / "c.png", pixels(1, 40, channels=1))
    source = load(tmp_path, image_size=8)
    assert source.image_shape == (8, 8, 1)
    # A chequerboard reduced by 8 is grey: one that aliases is black, white or striped.
    assert np.abs(source.array[0].astype(int) - 127).max() <= 2


def test_mixed_sizes_are_refused_without_a_size(tmp_path):
    for name, height in (("a", 4), ("b", 6), ("c", 6)):
        write(tmp_path / f"{name}.png", pixels(height, 8))
    with pytest.raises(ValueError, match=r"2 sizes .*: 6x8 \(2\), 4x8 \(1\). Pass `image_size` \("):
        load(tmp_path)


def bomb():
    """A small PNG file that says it holds 20 000 x 20 000 pixels."""
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\0IDAT"
    )


@pytest.fixture
def damaged(tmp_path):
    """A folder of one good grey image and seven damaged files, one of them in colour."""
    write(tmp_path / "a.png", pixels(40, 40, channels=1))
    write(tmp_path / "truncated.png", pixels(40, 40))
    path = tmp_path / "truncated.png"
    path.write_bytes(path.read_bytes()[:1000])
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "empty.jpg").write_bytes(b"")
    for i in range(4):
        (tmp_path / f"text{i}.webp").write_text("not an image")
    return tmp_path


@pytest.mark.parametrize("options", [{}, {"image_size": 8}])
def test_damaged_files_are_refused(damaged, options):
    with pytest.raises(ValueError, match="7 of 8 images") as raised:
        load(damaged, **options)
    message = str(raised.value)
    assert message.count("; ") == 5  # Five of the seven are listed, and dots for the others.
    assert "bomb.png: Image size (400000000 pixels) exceeds limit" in message
    assert "`skip_bad=True`" in message


def test_damaged_files_are_skipped_when_asked(damaged):
    with pytest.warns(UserWarning, match=r"7 of 8 images .* are left out"):
        source = load(damaged, skip_bad=True)
    # One channel: the only image in colour was damaged.
    assert source.array.shape == (1, 40, 40, 1)


def test_nothing_left_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 1 images .*None is left: check the folder"):
        load(tmp_path, skip_bad=True)


def test_bad_folders(tmp_path):
    with pytest.raises(
        ValueError, match=r"must be a folder. Received: .*missing, which is nothing"
    ):
        load(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="which is a file"):
        load(tmp_path / "file")
    with pytest.raises(ValueError, match=r"end in \.bmp, .*which has none"):
        load(tmp_path)
    write(tmp_path / "a.png", pixels())
    with pytest.raises(ValueError, match=r"`split` must be 'train', .*Received: 'test'. Move"):
        load(tmp_path, split="test")
