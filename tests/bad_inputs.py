"""What a user may get wrong: files for it, and one table of calls and of what each is told."""

import contextlib
import fcntl
import json
import shutil
import socket
import struct
import zipfile
import zlib

import keras
import numpy as np
import tiny
from PIL import Image

import tfgans


def files_for_it(root):
    """Makes a finished run and its exports, and beside them damaged, empty and foreign things."""
    _runs(root)
    _damaged_runs(root)
    _models(root)
    _arrays(root)
    _folders(root)
    _records(root)


def _runs(root):
    settings = {"dataset": "digits", "split": "train", "image_size": None, "seed": 0}
    gan, sizes = tiny.gan(), {"steps": 2, "batch_size": 16}
    source = tfgans.data.load("digits")
    tfgans.training.train(gan, source, run_dir=root / "run", settings=settings, **sizes)
    gan.export(root / "export", verify=False)
    # As a run that was not started by the script.
    (root / "python").mkdir()
    shutil.copy(root / "run" / "final.keras", root / "python")
    record = json.loads((root / "run" / "run.json").read_text())
    del record["settings"]["dataset"]
    (root / "python" / "run.json").write_text(json.dumps(record))


def _damaged_runs(root):
    run = (root / "run" / "run.json").read_text()
    records = {
        "garbage": "{",
        "list": "[]",
        "deep": "[" * 100_000,
        "parts": '{"settings": [], "versions": {}}',
        "bytes": "\udcff\udcfe",
    }
    for name, text in records.items():
        (root / f"json-{name}").mkdir()
        shutil.copy(root / "run" / "final.keras", root / f"json-{name}")
        (root / f"json-{name}" / "run.json").write_text(text, errors="surrogateescape")
    whole = (root / "run" / "final.keras").read_bytes()
    for name, content in {"cut": whole[:1000], "text": b"no model", "empty": b""}.items():
        (root / f"model-{name}").mkdir()
        (root / f"model-{name}" / "run.json").write_text(run)
        (root / f"model-{name}" / "final.keras").write_bytes(content)
    for name in ("lambda", "plain", "folder", "foreign"):
        (root / f"model-{name}").mkdir()
        (root / f"model-{name}" / "run.json").write_text(run)
    program = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: 2 * x)])
    program.save(root / "model-lambda" / "final.keras")
    plain = keras.Sequential([keras.Input((64,)), keras.layers.Dense(3, name="features")])
    plain.save(root / "model-plain" / "final.keras")
    (root / "model-folder" / "final.keras").mkdir()
    with zipfile.ZipFile(root / "model-foreign" / "final.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")


def _models(root):
    (root / "not-a-model").mkdir()
    (root / "not-a-model" / "saved_model.pb").write_bytes(b"graph")
    (root / "broken-versions" / "1").mkdir(parents=True)
    (root / "broken-versions" / "1" / "saved_model.pb").write_bytes(b"graph")
    (root / "graph.pb").write_bytes(b"graph")
    (root / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")


def _arrays(root):
    real = tiny.digits(300)
    np.save(root / "a.npy", real)
    np.savez(root / "two.npz", a=real, b=real)
    np.save(root / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(root / "objects.npz", a=np.array([{}]), allow_pickle=True)
    np.save(root / "nan.npy", np.full([50, 8, 8, 1], np.nan))
    np.save(root / "none.npy", real[:0])
    np.save(root / "scalar.npy", np.float32(1))
    np.save(root / "int64.npy", ((real + 1) * 127.5).astype(np.int64))
    np.save(root / "pixels.npy", (real + 1) * 127.5)
    (root / "text.npz").write_text("no array")
    (root / "cut.npy").write_bytes((root / "a.npy").read_bytes()[:500])
    with (root / "huge.npy").open("wb") as file:
        says = {"descr": "<f4", "fortran_order": False, "shape": (2**38, 8, 8, 1)}
        np.lib.format.write_array_header_1_0(file, says)


def _folders(root):
    for name in ("empty", "corrupt", "mixed", "other", "good", "cut", "bomb", "splits"):
        (root / name).mkdir()
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    for index in range(3):
        image.save(root / "corrupt" / f"{index}.png")
        image.save(root / "good" / f"{index}.png")
    (root / "corrupt" / "bad.png").write_bytes(b"no image")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(root / "cut" / "one.png")
    (root / "cut" / "one.png").write_bytes((root / "cut" / "one.png").read_bytes()[:2000])
    image.save(root / "mixed" / "one.png")
    image.resize((9, 8)).save(root / "mixed" / "two.png")
    for split in ("train", "test"):
        (root / "splits" / split).mkdir()
        image.save(root / "splits" / split / "one.png")
    (root / "bomb" / "one.png").write_bytes(_huge_png())
    (root / "other" / "thesis.txt").write_text("")
    (root / "file").write_text("")
    (root / "folder.npy").mkdir()
    (root / "folder.png").mkdir()
    (root / "loop").symlink_to(root / "loop")


def _huge_png():
    """A file of 100 bytes that says it is an image of 10 gigapixels."""

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _records(root):
    (root / "garbage.json").write_text("{")
    (root / "list.json").write_text("[]")
    (root / "deep.json").write_text("[" * 100_000)
    (root / "parts.json").write_text(json.dumps({"format": 1, "metrics": [], "fake": 3}))
    source = tfgans.data.from_array(tiny.digits(60), name="few")
    options = {"metrics": ["near_copies"], "path": root / "of-others.json"}
    tfgans.evaluation.evaluate(tiny.digits(50), source, **options)


@contextlib.contextmanager
def trained_by_another(root):
    """Holds the lock of the run as a process that trains in it does."""
    with (root / "run" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def taken_port():
    """Yields a port that another process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]
