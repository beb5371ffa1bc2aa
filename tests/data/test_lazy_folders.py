"""Folders that are not held in memory: the same batches, whatever happens to the cache."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import data
from tfgans.data import decoding, folder_source, paths, room
from tfgans.data.row_cache import RowCache

RNG = np.random.default_rng(0)
LAZY = ["disk", "none"]


def write(path, height=9, width=8, channels=3, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if channels == 1 else (height, width, channels)
    Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Twenty images of three classes, of many sizes."""
    for index in range(20):
        write(tmp_path / "images" / f"{index % 3}" / f"{index}.png", 7 + index % 4)
    return tmp_path / "images"


@pytest.fixture
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFGANS_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, one after the other."""
    names, decode = [], decoding.decode

    def counting(path, **options):
        names.append(path.name)
        return decode(path, **options)

    monkeypatch.setattr(decoding, "decode", counting)
    return names


@pytest.fixture(autouse=True)
def _own_cache(cache_dir):
    """No test sees the images of another."""


def load(root, cache, **options):
    return data.load(f"folder:{root}", cache=cache, **{"image_size": 6, **options})


def take(source, num=5, size=8, **options):
    batches = source.batches(size, labels=True, **options).take(num)
    return [np.concatenate(rows) for rows in zip(*batches.as_numpy_iterator(), strict=True)]


@pytest.mark.parametrize("cache", LAZY)
def test_batches_are_those_of_memory(folder, cache):
    expected = take(load(folder, "memory", seed=3))
    for _ in range(2):  # The second time from the disk.
        source = load(folder, cache, seed=3)
        for _ in range(2):
            for found, wanted in zip(take(source), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)
    assert source.class_names == ("0", "1", "2")
    assert source.batches(4).element_spec == tf.TensorSpec((4, 6, 6, 3), tf.float32)


def test_each_file_is_decoded_once_and_by_one_process(folder, decoded):
    source = load(folder, "disk")
    for rows in np.split(np.arange(20), 4):
        source.raw(rows)
    assert sorted(decoded) == sorted(path.name for path in folder.rglob("*.png"))
    for again in (source, load(folder, "disk")):
        take(again)
    assert len(decoded) == 20


def test_a_part_of_a_batch_decodes_its_own_files_only(folder, decoded):
    source = load(folder, "none")
    step = tf.constant(3, tf.int64)
    # Not `batches`, which makes some in advance.
    part = source._part_of_batch(step, 20, slice(4, 8))
    assert len(decoded) == 4
    np.testing.assert_array_equal(part, next(iter(source.batches(20, start_step=3)))[4:8])
    places = source._indices(step, 20)[4:8].numpy()
    assert sorted(decoded[:4]) == sorted(os.path.basename(source._files[one]) for one in places)


def test_two_replicas_share_out_each_batch(folder):
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    source = load(folder, "disk")
    with strategy.scope():
        shared = iter(strategy.experimental_distribute_dataset(source.batches(4)))
    for batch in source.batches(4).take(3):
        local = strategy.experimental_local_results(next(shared))
        np.testing.assert_array_equal(np.concatenate(local), batch)


def test_rows_of_any_shape(folder):
    indices = tf.constant([[3, 1, 4], [1, 5, 9]])
    expected = load(folder, "memory").rows(indices)
    np.testing.assert_array_equal(load(folder, "none").rows(indices), expected)


# Listing and choosing.


def test_paths_are_found_by_name_and_come_back_as_they_were(tmp_path):
    names = ["b.png", "a/z.jpg", "a-/y.png", "a.png", "ü/ß.webp", "\udcff.png", "\uffee.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    visited = []
    found = paths.image_files(tmp_path, visit=visited.append)
    assert list(found) == sorted(names)
    assert found[-1] == sorted(names)[-1]
    assert found[1:3] == sorted(names)[1:3]
    assert len(visited) == 4
    assert found.digest() != paths.PathList([*names[1:], "c.png"]).digest()
    assert found.digest() == paths.PathList(names).digest()


def test_a_few_headers_are_read_evenly_spread(folder, monkeypatch):
    read, read_header = [], decoding.read_header

    def counting(path, **options):
        read.append(path.relative_to(folder).as_posix())
        return read_header(path, **options)

    monkeypatch.setattr(decoding, "read_header", counting)
    monkeypatch.setattr(folder_source, "_NUM_PROBED", 4)
    source = load(folder, "none")
    assert read == list(source._files)[::5]


def test_a_colour_file_among_grey_ones_is_named(tmp_path, monkeypatch):
    for name in "abcd":
        write(tmp_path / f"{name}.png", channels=1)
    write(tmp_path / "e.png")
    monkeypatch.setattr(folder_source, "_NUM_PROBED", 1)
    source = load(tmp_path, "none")
    assert source.image_shape == (6, 6, 1)
    with pytest.raises(data.ReadError, match=r"^e\.png .*in colour .*`--cache=memory`"):
        source.raw(np.arange(5))
    with pytest.raises(data.ReadError, match=r"e\.png"):
        load(tmp_path, "disk", skip_bad=True)


def test_the_size_decides(folder, cache_dir, monkeypatch):
    assert type(load(folder, "auto")) is data.ArraySource
    memory = 20 * 6 * 6 * 3
    monkeypatch.setattr(room, "fits_in_memory", lambda size: size < memory)
    assert type(load(folder, "auto")) is data.FolderSource
    assert len(list(cache_dir.iterdir())) == 1
    with pytest.raises(ValueError, match=r"need `image_size` .* 20 files .*cache='auto'"):
        load(folder, "auto", image_size=None)
    with pytest.raises(ValueError, match=r"need `image_size`"):
        load(folder, "disk", image_size=None)
    monkeypatch.setattr(room, "fits_in_memory", lambda size: size <= memory)
    assert type(load(folder, "auto")) is data.ArraySource
    monkeypatch.setattr(room, "fits_in_memory", lambda size: False)
    monkeypatch.setattr(room, "fits_on_disk", lambda path, size: False)
    with pytest.warns(UserWarning, match="neither in memory nor on disk"):
        load(folder, "auto")
    with pytest.raises(ValueError, match=r"0.0 GB do not fit in .*`--cache_dir`"):
        load(folder, "disk")


def test_grey_images_take_a_third(tmp_path, monkeypatch):
    for name in "ab":
        write(tmp_path / f"{name}.png", channels=1)
    monkeypatch.setattr(room, "fits_in_memory", lambda size: size <= 2 * 9 * 8)
    assert type(load(tmp_path, "auto", image_size=None)) is data.ArraySource


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
    assert room._left_in_cgroups(tmp_path) == [500]
    (group / limit).write_text("max\n")
    assert room._left_in_cgroups(tmp_path) == []


# The file on disk.


@pytest.fixture
def rows(tmp_path):
    def open_rows(name="key-state.rows", num_rows=50, row_size=300):
        return RowCache(tmp_path / name, num_rows=num_rows, row_size=row_size)

    return open_rows


def row(index, size=300):
    return np.random.default_rng(index).integers(0, 256, size, dtype=np.uint8)


def found(cache, index, size=300):
    image = np.empty(size, np.uint8)
    return image if cache.read(index, image) else None


def test_rows_are_shared_and_stay(rows):
    first, second = rows(), rows()
    assert found(first, 7) is None
    first.write(7, row(7))
    first.write(8, np.zeros(300, np.uint8))
    for cache in (second, rows()):
        np.testing.assert_array_equal(found(cache, 7), row(7))
        assert not found(cache, 8).any()
        assert found(cache, 6) is None


def test_a_torn_row_is_noticed(rows, tmp_path):
    cache = rows()
    cache.write(1, row(1))
    path = tmp_path / "key-state.rows"
    content = bytearray(path.read_bytes())
    for place in (4096 + 304, 4096 + 305, 4096 + 500, 4096 + 607):
        torn = content.copy()
        torn[place] ^= 1
        path.write_bytes(torn)  # In place: the same file.
        assert found(cache, 1) is None
    path.write_bytes(content[: -49 * 304])
    assert found(cache, 1) is None  # Cut short.


def test_a_process_that_is_killed_leaves_whole_rows_or_none(rows):
    cache, size = rows(num_rows=2000, row_size=50_000), 50_000
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            for index in range(2000):
                cache.write(index, row(index, size))
        os._exit(1)
    while found(cache, 20, size) is None:
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    present = [index for index in range(2000) if found(cache, index, size) is not None]
    assert 20 < len(present) < 2000
    for index in present:
        np.testing.assert_array_equal(found(cache, index, size), row(index, size))


@pytest.mark.parametrize("content", [b"", b"\0" * 19_296, b"something else"])
def test_other_files_are_not_trusted(rows, tmp_path, content):
    (tmp_path / "key-state.rows").write_bytes(content)
    cache = rows()
    assert all(found(cache, index) is None for index in range(50))
    cache.write(3, row(3))
    np.testing.assert_array_equal(found(rows(), 3), row(3))


def test_what_is_out_of_date_goes_unless_it_is_in_use(rows, tmp_path):
    used, other = rows("key-1.rows"), rows("other-1.rows")
    rows("key-2.rows")
    rows("key-3.rows")
    names = {path.name for path in tmp_path.glob("*.rows")}
    assert names == {"key-1.rows", "other-1.rows", "key-3.rows"}
    assert (found(used, 0), found(other, 0)) == (None, None)


def test_a_full_disk_is_told_once(folder, monkeypatch, decoded):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    source, expected = load(folder, "disk"), load(folder, "memory").array
    decoded.clear()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.warns(UserWarning, match=r"cannot grow .*No space") as warned:
        np.testing.assert_array_equal(source.raw(np.arange(20)), expected)
    assert len(warned) == 1
    source.raw(np.arange(20))
    assert len(decoded) == 40


def test_a_changed_folder_has_another_cache(folder, cache_dir):
    def name():
        load(folder, "disk")
        (path,) = cache_dir.glob("*.rows")  # The one before is gone.
        return path.name

    names = [name(), name()]
    assert len(set(names)) == 1
    (folder / "0" / "0.png").rename(folder / "0" / "00.png")
    names.append(name())
    write(folder / "0" / "new.png")
    names.append(name())
    os.replace(folder / "0" / "new.png", folder / "1" / "1.png")
    names.append(name())
    with (folder / "2" / "2.png").open("r+b") as file:  # In place.
        file.write(file.read())
        file.write(b"more")
    names.append(name())
    assert len(set(names)) == 5


def test_another_size_or_folder_has_a_cache_of_its_own(folder, cache_dir):
    for size in (6, (6, 7)):
        load(folder, "disk", image_size=size)
    (folder / "0").rename(folder.parent / "elsewhere")
    load(folder.parent / "elsewhere", "disk")
    assert len(list(cache_dir.glob("*.rows"))) == 3


# Files that cannot be read.


@pytest.fixture
def damaged(folder):
    """The folder, with one file whose header is good and one that is no image."""
    path = folder / "1" / "1.png"
    write(path, 60, 60)
    path.write_bytes(path.read_bytes()[:3000])
    return folder


@pytest.mark.parametrize("cache", LAZY)
def test_an_unreadable_file_is_named_when_its_turn_comes(damaged, cache):
    source = load(damaged, cache)
    message = r"^1/1\.png in .*truncated.*`--skip_bad`\)$"
    with pytest.raises(data.ReadError, match=message), data.plain_errors():
        take(source)
    with pytest.raises(data.ReadError, match=r"1/1\.png"):
        source.rows(tf.range(20))


def test_other_errors_of_tensorflow_stay(folder):
    with pytest.raises(tf.errors.InvalidArgumentError), data.plain_errors():
        tf.debugging.assert_equal(1, 2)


def test_a_file_that_is_no_image_is_refused_before_training(damaged):
    (damaged / "0" / "0.png").write_text("no image")
    with pytest.raises(ValueError, match=r"1 of 20 images .*0/0\.png: .*`skip_bad=True`"):
        load(damaged, "none")


def test_unreadable_files_are_left_out_as_in_memory(damaged):
    (damaged / "0" / "0.png").write_text("no image")
    expected, found = [], []
    for cache, batches in (("memory", expected), ("disk", found), ("disk", found)):
        with pytest.warns(UserWarning, match=r"2 of 20 images .*0/0\.png.*1/1\.png.*left out"):
            batches.extend(take(load(damaged, cache, skip_bad=True)))
    for one, other in zip(found, expected * 2, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match=r"`skip_bad` decodes all files .*`--cache=disk`"):
        load(damaged, "none", skip_bad=True)


def test_a_colour_file_that_is_left_out_does_not_count(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.png", channels=1)
    write(tmp_path / "c.png", 60, 60)
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:3000])
    for cache in ("memory", "disk"):
        with pytest.warns(UserWarning, match="1 of 3 images"):
            assert load(tmp_path, cache, skip_bad=True).image_shape == (6, 6, 1)


def claims(path, size=20_000):
    """Writes a small image file and makes it claim to be huge."""
    write(path, 4, 4, **({"lossless": True} if path.suffix == ".webp" else {}))
    content = bytearray(path.read_bytes())
    if path.suffix == ".bmp":
        content[18:26] = size.to_bytes(4, "little") * 2
    elif path.suffix == ".jpg":
        place = content.index(b"\xff\xc0") + 5
        content[place : place + 4] = size.to_bytes(2, "big") * 2
    elif path.suffix == ".webp":  # One animated frame on a huge canvas.
        canvas = (size - 1).to_bytes(3, "little") * 2
        extended = b"VP8X" + (10).to_bytes(4, "little") + b"\x02\0\0\0" + canvas
        frame = b"\0" * 6 + (3).to_bytes(3, "little") * 2 + b"\0" * 4 + bytes(content[12:])
        animation = b"ANIM" + (6).to_bytes(4, "little") + b"\0" * 6
        chunks = extended + animation + b"ANMF" + len(frame).to_bytes(4, "little") + frame
        content = b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks
    else:  # A GIF, whose first frame decides.
        image = Image.fromarray(np.zeros((4, 4), np.uint8))
        image.save(path, format="GIF", save_all=True, append_images=[image])
        content = bytearray(path.read_bytes())
        content[6:10] = size.to_bytes(2, "little") * 2
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["a.bmp", "a.jpg", "a.webp", "gif.png"])
def test_pixels_are_bounded_whatever_pil_allows(tmp_path, monkeypatch, name):
    claims(tmp_path / name)
    assert (tmp_path / name).stat().st_size < 2000
    for limit in (None, 10**10, Image.MAX_IMAGE_PIXELS, 100):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match=rf"400000000 pixels.*{decoding.MAX_PIXELS}"):
            decoding.decode(tmp_path / name, mode="RGB")


def test_what_starts_other_programs_is_no_image(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    with pytest.raises(OSError, match="cannot identify"):
        decoding.decode(tmp_path / "a.png", mode="RGB")


@pytest.mark.slow
def test_python_ends_while_batches_are_being_made(folder):
    script = (
        "import sys, tfgans; source = tfgans.data.load(sys.argv[1], image_size=6, cache='none');"
        "iterators = [iter(source.batches(8)) for _ in range(4)];"
        "[next(iterator) for iterator in iterators]"
    )
    command = [sys.executable, "-c", script, f"folder:{folder}"]
    subprocess.run(command, check=True, timeout=120)
