"""What every stored source must do, one row each; and the faults of each format."""

import functools
import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfgans import data
from tfgans.data import capacity, loading

N = 12
LABELS = np.arange(N) % 2
SETS = {
    split: np.random.default_rng(seed).integers(0, 256, (N, 6, 8, 3), dtype=np.uint8)
    for seed, split in enumerate(("train", "test"))
}


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def in_folders(write):
    """Writes the images by `write(name, content)`, in order of the names: class by class."""
    for split, images in SETS.items():
        for index, image in enumerate(images):
            write(f"{split}/{'ab'[LABELS[index]]}/{index:02}.png", png(image))


def folder(root):
    def write(name, content):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    in_folders(write)
    return f"folder:{root}"


def zipped(root):
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        in_folders(lambda name, content: archive.writestr(f"name/{name}", content))
    return f"zip:{root}/a.zip"


def zipped_on_windows(root):
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        in_folders(lambda name, content: archive.writestr(name.replace("/", "\\"), content))
    return f"zip:{root}/a.zip"


def style_gan(root):
    names = [f"{index // 5:05}/img{index:08}.png" for index in range(N)]
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        for name, image in zip(names, SETS["train"], strict=True):
            archive.writestr(name, png(image))
        pairs = list(zip(names, LABELS.tolist(), strict=True))
        archive.writestr("dataset.json", json.dumps({"labels": pairs}))
    return f"zip:{root}/a.zip"


def idx_bytes(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx(root, compress=lambda content: content, ending=""):
    for word, images in zip(("train", "t10k"), SETS.values(), strict=True):
        for kind, array in (("images-idx3", images[..., 0]), ("labels-idx1", LABELS)):
            path = root / f"{word}-{kind}-ubyte{ending}"
            path.write_bytes(compress(idx_bytes(array.astype(np.uint8))))
    return f"idx:{root}"


def npz(root):
    arrays = {f"x_{split}": images for split, images in SETS.items()}
    np.savez_compressed(root / "a.npz", **arrays, y_train=LABELS[:, None], y_test=LABELS)
    return f"npz:{root}/a.npz"


def hdf5(root, key=""):
    with h5py.File(root / "a.h5", "w") as file:
        for split, images in SETS.items():
            file[f"{split}/images"], file[f"{split}/labels"] = images, LABELS
    return f"hdf5:{root}/a.h5{key}"


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def write_records(path, examples):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for features in examples:
            features = {key: feature(value) for key, value in features.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def tfrecord(root):
    for split, images in SETS.items():
        for part in range(2):
            write_records(
                root / f"a-{split}.tfrecord-{part}-of-2",
                [
                    {"image": png(images[index]), "label": int(LABELS[index])}
                    for index in range(part * 5, 5 + part * (N - 5))
                ],
            )
    return f"tfrecord:{root}/a-*.tfrecord-*"


def tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def webdataset(root):
    for split, images in SETS.items():
        for part in range(2):
            members = {"README.txt": b"not an image"}
            for index in range(part * 5, 5 + part * (N - 5)):
                members[f"a/{index:03}.cls"] = f"{LABELS[index]}\n".encode()
                members[f"a/{index:03}.PNG"] = png(images[index])
            tar(root / f"a-{split}-{part}.tar", members)
    return f"webdataset:{root}/a-*.tar"


def hugging_face(root):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b"])}
    )
    sets = {
        split: datasets.Dataset.from_dict(
            {"image": [Image.fromarray(image) for image in images], "label": LABELS},
            features=features,
        )
        for split, images in SETS.items()
    }
    datasets.DatasetDict(sets).save_to_disk(str(root / "hf"))
    return f"hf:{root}/hf"


BY_CLASS = np.argsort(LABELS, kind="stable")  # The order of folders.
# How it is written, the order of the images, the channels, names of classes, and whether there is
# a test split and a way to read it without holding it in memory.
ROWS = {
    "folder": (folder, BY_CLASS, 3, ("a", "b"), True, True),
    "zip": (zipped, BY_CLASS, 3, ("a", "b"), True, True),
    "zip of Windows": (zipped_on_windows, BY_CLASS, 3, ("a", "b"), True, True),
    "zip of StyleGAN": (style_gan, np.arange(N), 3, None, False, True),
    "idx": (idx, np.arange(N), 1, None, True, True),
    "idx.gz": (lambda root: idx(root, gzip.compress, ".gz"), np.arange(N), 1, None, True, False),
    "npz": (npz, np.arange(N), 3, None, True, False),
    "hdf5": (hdf5, np.arange(N), 3, None, True, True),
    "hdf5 by key": (lambda root: hdf5(root, "/train/images"), np.arange(N), 3, None, False, True),
    "tfrecord": (tfrecord, np.arange(N), 3, None, True, True),
    "webdataset": (webdataset, np.arange(N), 3, None, True, True),
    "hf": (hugging_face, np.arange(N), 3, ("a", "b"), True, True),
}
HELD = [(name, True) for name in ROWS] + [(name, False) for name in ROWS if ROWS[name][-1]]


@pytest.fixture(
    scope="module", params=HELD, ids=lambda row: f"{row[0]}{'' if row[1] else ', read'}"
)
def row(request, tmp_path_factory):
    name, is_held = request.param
    write, order, channels, class_names, has_test, _ = ROWS[name]
    root = tmp_path_factory.mktemp("written")
    written = write(root)

    def load(source=written, **options):
        with pytest.MonkeyPatch.context() as patch:
            if not is_held:
                patch.setattr(capacity, "fits_in_memory", lambda size: False)
            return data.load(source, image_size=None if is_held else (6, 8), **options)

    expected = {split: images[order][..., :channels] for split, images in SETS.items()}
    return load, written, root, expected, LABELS[order], class_names, has_test, is_held


def test_holds_the_examples_as_written(row):
    load, _, root, expected, labels, class_names, _, is_held = row
    source = load()
    assert isinstance(source, data.ArraySource) == is_held
    np.testing.assert_array_equal(source.raw(np.arange(N)), expected["train"])
    np.testing.assert_array_equal(source.raw(np.array([7, 2, 7])), expected["train"][[7, 2, 7]])
    np.testing.assert_array_equal(source.labels, labels)
    same = data.from_array(expected["train"], labels=labels, seed=5)
    assert source.checksum() == same.checksum()
    np.testing.assert_array_equal(source.class_shares, [0.5, 0.5])
    assert source.class_names == class_names
    assert source.origin.startswith(str(root))


def first_batches(source):
    return list(source.batches(5, start_step=2, labels=True).take(2).as_numpy_iterator())


@functools.cache
def in_memory(channels, is_sorted):
    """The batches of an array, which depend on the seed and their number alone."""
    order = BY_CLASS if is_sorted else np.arange(N)
    images = SETS["train"][order][..., :channels]
    return first_batches(data.from_array(images, labels=LABELS[order], seed=3))


@pytest.mark.parametrize("row", [row for row in HELD if not row[1]], indirect=True)
def test_batches_are_those_of_an_array(row):
    load, _, _, expected, labels, *_ = row
    source = pickle.loads(pickle.dumps(load(seed=3)))
    wanted = in_memory(expected["train"].shape[-1], bool(np.all(labels == np.sort(labels))))
    for batch, other in zip(first_batches(source), wanted, strict=True):
        np.testing.assert_array_equal(batch[0], other[0])
        np.testing.assert_array_equal(batch[1], other[1])


def test_splits_and_their_parts(row):
    load, _, _, expected, _, _, has_test, _ = row
    parts = [load(split=f"train[{part}]") for part in (":25%", "3:")]
    assert [part.num_examples for part in parts] == [3, 9]
    rows = np.concatenate([part.raw(np.arange(part.num_examples)) for part in parts])
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(expected["train"], axis=0))
    again = load(split="train[:25%]", seed=9)
    np.testing.assert_array_equal(again.raw(np.arange(3)), parts[0].raw(np.arange(3)))
    if has_test:
        test = load(split="test")
        np.testing.assert_array_equal(test.raw(np.arange(N)), expected["test"])
    with pytest.raises(ValueError, match="vali"):
        load(split="vali")


@pytest.mark.parametrize("row", [("npz", True)], indirect=True)
def test_parts_must_hold_an_example_and_lie_in_their_split(row):
    load, *_ = row
    with pytest.raises(ValueError, match="must hold an example"):
        load(split="train[:0%]")
    for beyond in ("train[:110%]", f"train[{N + 1}:]", f"train[-{N + 1}:]"):
        with pytest.raises(ValueError, match="must lie in its split"):
            load(split=beyond)


@pytest.mark.parametrize("row", [("zip", False)], indirect=True)
def test_flips_half_of_the_batches_only(row):
    load, *_ = row
    plain, flipped = load(seed=1), load(seed=1, flip=True)
    pairs = [
        np.concatenate(list(source.batches(size).take(60 // size).as_numpy_iterator()))
        for source, size in ((plain, 12), (flipped, 12), (flipped, 4))
    ]
    np.testing.assert_array_equal(pairs[1], pairs[2])
    is_flipped = (pairs[0] != pairs[1]).any((1, 2, 3))
    assert 15 < is_flipped.sum() < 45
    np.testing.assert_array_equal(pairs[1][is_flipped], pairs[0][is_flipped][:, :, ::-1])
    np.testing.assert_array_equal(flipped.raw(np.arange(N)), plain.raw(np.arange(N)))
    parts = [next(iter(flipped.batches(4, start_step=2, part=(part, 2)))) for part in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), pairs[2][8:12])


def test_home_folder_is_expanded_and_absence_is_reported(row, monkeypatch):
    load, name, root, *_ = row
    monkeypatch.setenv("HOME", str(root))
    kind = name.partition(":")[0]
    assert load(name.replace(str(root), "~")).num_examples == N
    with pytest.raises(ValueError, match=r"must .*Received: .*absent"):
        load(f"{kind}:~/absent")


def test_report(row):
    load, name, _, _, _, class_names, _, _ = row
    report = data.inspect(name)
    assert report.num_examples == N
    assert list(report.class_counts.items()) == [(key, 6) for key in class_names or "01"]
    assert report.samples.shape[1:] == load().data_shape
    assert (report.sizes, report.num_resized) == ({(6, 8): N}, 0)
    assert name in str(report)
    part = data.inspect(name, split="train[:25%]")
    assert (part.num_examples, sum(part.class_counts.values()), part.sizes) == (3, 3, {(6, 8): 3})
    np.testing.assert_array_equal(
        list(part.class_counts.values()),
        np.bincount(load(split="train[:25%]").labels, minlength=len(part.class_counts)),
    )


def test_every_kind_has_a_row():
    kinds = {name.partition(":")[0] for name in loading.NAMES if ":" in name}
    assert kinds == {name.partition(" ")[0].removesuffix(".gz") for name in ROWS}


def test_hf_reads_the_hub_only_if_asked(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    asked = []

    def refuse(name):
        asked.append((name, datasets.config.HF_HUB_OFFLINE))
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ValueError, match=r"no network.*use `download=True`"):
        data.load("hf:owner/name")
    with pytest.raises(ValueError, match=r"no network\)$"):
        data.load("hf:owner/name", download=True)
    assert asked == [("owner/name", True), ("owner/name", False)]
    assert not datasets.config.HF_HUB_OFFLINE


def test_a_folder_of_hf_is_remembered_as_an_absolute_path(tmp_path, monkeypatch):
    hugging_face(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert data.load("hf:hf").load_options["name"] == f"hf:{tmp_path}/hf"


def test_hf_asks_for_its_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'hf:mnist' needs .*pip install 'tfgans-keras\[hf\]"):
        data.load("hf:mnist")


# Fashion-MNIST.


def test_fashion_mnist_of_debian(tmp_path, monkeypatch):
    idx(tmp_path, gzip.compress, ".gz")
    monkeypatch.setattr("tfgans.data.fashion_mnist.DEBIAN_FOLDER", tmp_path)
    source = data.load("fashion_mnist")
    assert source.name == "fashion_mnist"
    assert source.origin == f"{tmp_path} (Debian's dataset-fashion-mnist)"
    assert source.class_names[9] == "Ankle boot"
    with pytest.raises(ValueError, match="is not in"):
        data.load("fashion_mnist", data_dir=tmp_path)


# Arrays.


def test_emnist_is_turned_upright_and_mixed_folders_are_refused(tmp_path):
    idx(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / f"emnist-letters-{path.name.replace('t10k', 'test')}")
    source = data.load(f"idx:{tmp_path}")
    np.testing.assert_array_equal(source.array, SETS["train"][..., :1].swapaxes(1, 2))
    (tmp_path / "emnist-digits-train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(ValueError, match=r"one file with idx3 .*digits-train.*letters-train"):
        data.load(f"idx:{tmp_path}")


def of_npz(**arrays):
    def write(root):
        np.savez(root / "a.npz", **arrays)
        return f"npz:{root}/a.npz"

    return write


def test_arrays_of_other_forms(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(5, 2))
    source = data.load(of_npz(only=vectors)(tmp_path))
    np.testing.assert_array_equal(source.array, vectors.astype(np.float32))
    counts = np.array([[-300, 2], [3, 4]])
    np.testing.assert_array_equal(data.load(of_npz(only=counts)(tmp_path)).array, counts)
    assert source.labels is None
    floats = np.linspace(-1, 1, 5 * 4 * 4).reshape(5, 4, 4)
    source = data.load(of_npz(a=floats, b=LABELS[:5])(tmp_path), image_key="a", label_key="b")
    np.testing.assert_allclose(source.array[..., 0], floats, rtol=1e-6)
    np.testing.assert_array_equal(source.labels, LABELS[:5])
    rgba = np.full((2, 4, 4, 4), [200, 100, 0, 0], np.uint8)
    name = of_npz(images=rgba)(tmp_path)
    assert (data.load(name, background="#0a141e").array == [10, 20, 30]).all()
    np.testing.assert_array_equal(data.load(name, background="alpha").array, rgba)
    assert data.load(name, image_size=2, background="alpha").image_shape == (2, 2, 4)
    source = data.load(of_npz(a=TRAIN)(tmp_path), image_size=8, fit="pad", background="#0a141e")
    assert (source.array[:, [0, 7]] == [10, 20, 30]).all()


def cut(write, name, change):
    def written(root):
        source = write(root)
        path = root / name
        path.write_bytes(change(path.read_bytes()))
        return source

    return written


def external(root):
    hdf5(root)
    with h5py.File(root / "b.h5", "w") as file:
        layout = h5py.VirtualLayout((N, 6, 8, 3), "uint8")
        layout[:] = h5py.VirtualSource(root / "a.h5", "train/images", (N, 6, 8, 3))
        file.create_virtual_dataset("images", layout)
        file["link"] = h5py.ExternalLink("a.h5", "train/images")
    return f"hdf5:{root}/b.h5"


def expanding(root):
    """A zip whose member says that it has ten bytes, and expands to a million."""
    with zipfile.ZipFile(root / "a.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.png", b"\0" * 10**6)
    content = bytearray((root / "a.zip").read_bytes())
    place = content.index(b"PK\1\2") + 24
    content[place : place + 4] = (10).to_bytes(4, "little")
    (root / "a.zip").write_bytes(content)
    return f"zip:{root}/a.zip"


def damaged_rows(root):
    with h5py.File(root / "a.h5", "w") as file:
        file.create_dataset("images", data=TRAIN, chunks=TRAIN.shape, fletcher32=True)
    content = (root / "a.h5").read_bytes()
    (root / "a.h5").write_bytes(content.replace(TRAIN[:1].tobytes(), bytes(TRAIN[0].size)))
    return f"hdf5:{root}/a.h5"


def few_labels(root):
    with h5py.File(root / "a.h5", "w") as file:
        file["images"], file["labels"] = TRAIN, LABELS[:3]
    return f"hdf5:{root}/a.h5"


def archive(*members):
    def write(root):
        with zipfile.ZipFile(root / "a.zip", "w") as opened:
            for member in members:
                opened.writestr(member, b"")
        return f"zip:{root}/a.zip"

    return write


def bomb(root):
    source = archive("a/b.png")(root)
    content = bytearray((root / "a.zip").read_bytes())
    place = content.index(b"PK\1\2") + 24
    content[place : place + 4] = (2**31).to_bytes(4, "little")
    (root / "a.zip").write_bytes(content)
    return source


def records(*examples):
    def write(root):
        with tf.io.TFRecordWriter(str(root / "a")) as writer:
            for example in examples:
                writer.write(example)
        return f"tfrecord:{root}/a"

    return write


def some_labels(root):
    images = [png(image) for image in TRAIN[:2]]
    write_records(root / "a", [{"image": images[0]}, {"image": images[1], "class": 1}])
    return f"tfrecord:{root}/a"


def test_the_name_is_as_typed(tmp_path, monkeypatch):
    """Records of the same data compare, wherever the project lies."""
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x_train=np.zeros((4, 2), np.float32))
    assert data.load("npz:a.npz").name == "npz:a.npz"


@pytest.mark.parametrize("in_memory", [True, False])
def test_zeros_and_ones_are_refused_but_not_single_rows_of_them(tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(capacity, "fits_in_memory", lambda size: in_memory)
    rows = np.full((2000, 3), 200, np.uint8)
    rows[:1100] = 1
    for name, content in (("vectors", rows), ("ones", rows[:1100])):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["images"] = content
    first = data.load(f"hdf5:{tmp_path}/vectors.h5").rows(tf.constant([0, 1999])).numpy()
    np.testing.assert_allclose(first.max(axis=1), [1 / 127.5 - 1, 200 / 127.5 - 1], rtol=1e-6)
    with pytest.raises(ValueError, match="zeros and ones"):
        data.load(f"hdf5:{tmp_path}/ones.h5")


def test_samples_of_a_webdataset_end_at_the_first_dot(tmp_path):
    image = png(SETS["train"][0])
    tar(tmp_path / "a.tar", {"a.png": image, "photo.1.png": image, "photo.2.png": image})
    with pytest.warns(UserWarning, match=r"because of their names: 2 \.png\. .*first dot"):
        assert data.load(f"webdataset:{tmp_path}/a.tar").num_examples == 1


def tarred(**members):
    def write(root):
        tar(root / "a.tar", {name.replace("_", "."): value for name, value in members.items()})
        return f"webdataset:{root}/a.tar"

    return write


def no_array(root):
    with zipfile.ZipFile(root / "a.npz", "w") as archive:
        archive.writestr("images.npy", b"no array")
    return f"npz:{root}/a.npz"


def linked(root):
    with tarfile.open(root / "a.tar", "w") as archive:
        info = tarfile.TarInfo("a.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return f"webdataset:{root}/a.tar"


def some_images(root):
    write_records(root / "a", [{"image": png(TRAIN[0]), "label": 1}, {"label": 1}])
    return f"tfrecord:{root}/a"


def no_split(root):
    (root / "a-extra.tfrecord-0").write_bytes(b"")
    return tfrecord(root)


OTHER = tf.train.Example(features=tf.train.Features(feature={"photo": feature(b"x")}))
IMAGES, TRAIN = "train-images-idx3-ubyte", SETS["train"]


@pytest.mark.parametrize(
    ("write", "options", "message"),
    [
        (cut(idx, IMAGES, lambda c: c[:-1]), {}, r"must hold 576 bytes, .*Received: 575. Download"),
        (cut(idx, IMAGES, lambda c: b"\x1f" + c), {}, "must begin with 00 00 08 03. Received: "),
        (cut(idx, IMAGES, lambda c: b""), {}, "begins with nothing"),
        (cut(idx, "train-labels-idx1-ubyte", lambda c: c[:4] + idx_bytes(LABELS[:3])[4:8] + b"abc"),
         {}, r"shape \(12,\), one for each"),
        (cut(ROWS["idx.gz"][0], f"{IMAGES}.gz", lambda c: c[:-20]), {}, "is damaged .*Download"),
        (idx, {"split": "val"}, "must contain images of the split 'val'"),
        (of_npz(images=np.array([{}], object)), {}, "numbers. Received: 'images' .*Object"),
        (no_array, {}, r"must hold uint8 .*Received: \|S8"),
        (of_npz(images=TRAIN), {"background": "black"}, "has no transparency"),
        (of_npz(images=TRAIN), {"background": "alpha"}, "has no transparency"),
        (of_npz(images=np.array([[0.0, np.nan]])), {}, "1 NaN or infinite values"),
        (of_npz(images=TRAIN.astype(int)), {}, r"must hold uint8 .*Received: int64"),
        (of_npz(images=TRAIN / 255 + 1), {}, r"must lie in \[-1, 1\]"),
        (of_npz(images=TRAIN / 255), {"image_size": 3}, "`image_size` is for uint8"),
        (of_npz(images=TRAIN.transpose(0, 3, 1, 2)), {}, "channels must come last"),
        (of_npz(images=TRAIN[:0]), {}, r"at least one. Received: shape \(0, 6, 8, 3\)"),
        (of_npz(images=TRAIN, labels=LABELS[:3]), {}, r"shape \(12,\), one for each"),
        (of_npz(images=TRAIN, labels=LABELS / 2), {}, "must be integers"),
        (of_npz(a=TRAIN, b=TRAIN), {}, "with the keys a, b. Name the key by `image_key`"),
        (npz, {"label_key": "y"}, "must be one of the keys .*: x_test, .*Received: 'y'"),
        (cut(npz, "a.npz", lambda c: c[: len(c) // 2]), {}, "must name an archive of"),
        (hdf5, {"image_key": "a"}, "keys .*test/images, test/labels, .*Received: 'a'"),
        (ROWS["hdf5 by key"][0], {"image_key": "a"}, "must be named once"),
        (cut(hdf5, "a.h5", lambda c: b"no" + c), {}, "must name an HDF5 file"),
        (external, {}, "'images' in .*reads other files"),
        (external, {"image_key": "link"}, "must be one of the keys .*: images. Received: 'link'"),
        (archive("../a.png"), {}, r"must lie in it. Received: '../a.png'"),
        (archive("/a.png"), {}, "must lie in it"),
        (archive("c:\\a.png"), {}, "must lie in it"),
        (archive("a.txt", "b.SVG", "c.svg"), {}, "must hold images. .*2 .svg, 1 .txt"),
        (archive("a.png"), {}, r"a.png: cannot identify .*None is left"),
        (archive("a.png", "test/b.png"), {}, "must be splits .*test beside images in no folder"),
        (archive("a.png", "dataset.json"), {}, "dataset.json in .*must hold"),
        (expanding, {}, "a.png: Bad CRC-32"),
        (damaged_rows, {}, "must name an HDF5 file that is whole. Received: .*a.h5"),
        (few_labels, {}, r"shape \(12,\), one for each"),
        (bomb, {}, r"bytes at most. Received: 'a/b.png'"),
        (cut(zipped, "a.zip", lambda c: c[:-50]), {}, "must name a zip archive"),
        (records(OTHER.SerializeToString()), {}, "Received: None with .*whose features are photo"),
        (records(b"\xff\xff"), {}, "must be of `tf.train.Example`"),
        (records(), {}, "must hold a record"),
        (cut(tfrecord, "a-train.tfrecord-0-of-2", lambda c: c[:-3]), {}, "must be whole"),
        (cut(tfrecord, "a-train.tfrecord-0-of-2", gzip.compress), {}, "Decompress it"),
        (some_images, {}, "record 1 of .*/a with the features label and 0 byte strings there"),
        (some_labels, {}, "must hold a label, or none. Received: record 1 of .* feature 'class'"),
        (no_split, {}, r"must say their split .*a-extra.tfrecord-0 beside .*Narrow the pattern"),
        (cut(webdataset, "a-train-0.tar", lambda c: c[:2600]), {}, "must lie in the file"),
        (cut(webdataset, "a-train-0.tar", lambda c: b"x" * 900), {}, "must match whole tar files"),
        (cut(webdataset, "a-train-0.tar", gzip.compress), {}, "Decompress it"),
        (cut(webdataset, "a-train-0.tar", lambda c: c[:2048] + b"x" + c[2049:]), {},
         "no header and no end at byte 2048"),
        (cut(webdataset, "a-train-0.tar", lambda c: c[:2100]), {}, "no end at byte 2048"),
        (cut(webdataset, "a-train-0.tar", lambda c: c[:2048]), {}, "no end at byte 2048"),
        (cut(webdataset, "a-train-0.tar", lambda c: c + c), {}, "more than zeros after the end"),
        (tarred(a_png=b"x", a_cls=b"1", b_png=b"x"), {}, "2 images and 1 labels"),
        (tarred(a_png=b"x", a_cls=b"cat"), {}, "9 digits at most. Received: b'cat' as a.cls in"),
        (tarred(a_png=b"x", a_cls=b"1" * 10), {}, "Received: b'1111111111' as a.cls"),
        (tarred(a_png=b"x"), {"image_key": "jpg"}, r"with 1 .png"),
        (linked, {}, "must be plain files"),
        (archive("test/a/1.png"), {}, r"must be one of 'test' in .*Received: 'train'"),
        (tfrecord, {"label_key": "image"}, "integer label in the feature 'image'"),
    ],
)  # fmt: skip
def test_faults_are_reported_before_training(tmp_path, write, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(write(tmp_path), **options)


def test_zip_of_style_gan_without_labels(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("a.png", png(TRAIN[0]))
        opened.writestr("dataset.json", '{"labels": null}')
    assert data.load(f"zip:{tmp_path}/a.zip").labels is None


@pytest.mark.parametrize("place", ["name/", "train/", "name/train/", "name/.train/"])
def test_labels_of_style_gan_below_the_top_folder(tmp_path, place):
    """In the folder that was packed, in that of the split, or, with a dot, above it."""
    prefix = place.replace(".", "")
    labels = place.partition(".")[0]
    names = [f"{prefix}00000/{number}.png" for number in (1, 2)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        for name in names:
            opened.writestr(name, png(TRAIN[0]))
        pairs = [[name.removeprefix(labels), 4 + index] for index, name in enumerate(names)]
        opened.writestr(f"{labels}dataset.json", json.dumps({"labels": pairs}))
    source = data.load(f"zip:{tmp_path}/a.zip")
    np.testing.assert_array_equal(source.labels, [4, 5])
    assert source.class_names is None


def test_each_split_has_a_cache(tmp_path):
    options = {"image_size": 6, "cache": "disk", "cache_dir": tmp_path / "cache"}
    name = zipped(tmp_path)
    for split in ("train", "test", "train[:2]"):
        data.load(name, split=split, **options).raw(np.arange(2))
    assert len(list((tmp_path / "cache").glob("*.rows"))) == 2


def test_a_row_of_hf_without_an_image_is_named(tmp_path):
    datasets = pytest.importorskip("datasets")
    images = [Image.fromarray(SETS["train"][0]), None]
    features = datasets.Features({"image": datasets.Image()})
    made = datasets.Dataset.from_dict({"image": images}, features=features)
    datasets.DatasetDict({"train": made}).save_to_disk(str(tmp_path / "hf"))
    with pytest.raises(ValueError, match=r"row 1.* no image"):
        data.load(f"hf:{tmp_path}/hf")
    with pytest.warns(UserWarning, match="row 1"):
        assert data.load(f"hf:{tmp_path}/hf", skip_bad=True).num_examples == 1


def test_a_file_may_have_brackets_in_its_name(tmp_path):
    write_records(tmp_path / "run[1]", [{"image": png(TRAIN[0])}])
    assert data.load(f"tfrecord:{tmp_path}/run[1]").num_examples == 1


def test_images_of_another_key_have_another_cache(tmp_path):
    image, mask = TRAIN[:2]
    write_records(tmp_path / "a", [{"image": png(image), "mask": png(mask)}])
    for key, expected in (("image", image), ("mask", mask)):
        source = data.load(
            f"tfrecord:{tmp_path}/a",
            image_key=key,
            image_size=(6, 8),
            cache="disk",
            cache_dir=tmp_path / "cache",
        )
        np.testing.assert_array_equal(source.raw(np.arange(1))[0], expected)


def test_a_value_out_of_range_is_reported_when_its_turn_comes(tmp_path, monkeypatch):
    values = np.zeros((4, 2))
    values[2, 1] = np.inf
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values
    monkeypatch.setattr(capacity, "fits_in_memory", lambda size: False)
    source = data.load(f"hdf5:{tmp_path}/a.h5")
    assert source.raw(np.array([3, 0])).dtype == np.float32
    with pytest.raises(data.ReadError, match="1 NaN or infinite"), data.plain_errors():
        next(iter(source.batches(4)))
