"""Flags that name the real data."""

import contextlib
import difflib
import errno
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgans.cli.parser import Group, Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.data import DataReport, Source

NAMES = (
    *("digits", "stacked_digits", "mnist", "stacked_mnist", "color_mnist", "fashion_mnist"),
    *("kmnist", "cifar10", "celeb_a"),
    *("ring", "grid", "swiss_roll", "parallel_lines", "low_rank_gaussian"),
    *("folder:PATH", "idx:DIR", "npz:FILE", "hdf5:FILE[/key]", "tfrecord:GLOB", "zip:FILE"),
    *("webdataset:GLOB", "hf:NAME"),
)
# Errors of the folder of prepared data whose remedy is another folder.
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC)
# The kind of data in a file with this suffix.
_KINDS = {
    ".zip": "zip",
    ".npz": "npz",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".tfrecord": "tfrecord",
    ".tar": "webdataset",
}
CACHES = ("auto", "memory", "disk", "none")
FITS = ("crop", "pad", "stretch")


def define(parser: Parser, *, remembers: bool = False) -> None:
    """Declares the flags.

    Args:
        parser: Where to.
        remembers: Whether flags that are left out take their values from the run.
    """
    title = "Data (left out: as the run was trained)" if remembers else "Data"
    group = _define_place(parser, title)
    group.boolean(
        "flip", False, "in training, mirror each image left to right with probability 1/2"
    )
    group.boolean("skip_bad", False, "leave out the unreadable images of a folder")
    group.choice(
        "cache", "auto", CACHES, "where decoded images of a folder are kept; auto picks by size"
    )
    group.path(
        "cache_dir",
        None,
        "folder of cached images; default: $TFGANS_CACHE_DIR, or ~/.cache/tfgans/folders",
        value="FOLDER",
    )
    parser.check(
        ["cache", "cache_dir"],
        lambda values: values["cache_dir"] is None or values["cache"] in ("auto", "disk"),
        "--cache_dir needs --cache=disk or --cache=auto",
    )


def define_place(parser: Parser) -> None:
    """Declares the flags that name the data and the form of their images."""
    _define_place(parser, "Data")


def _define_place(parser: Parser, title: str) -> Group:
    group = parser.group(title)
    group.string("dataset", "digits", f"what to learn: {', '.join(NAMES)}", value="NAME")
    group.string(
        "split", "train", "part of the dataset, such as train, test or train[:90%]", value="NAME"
    )
    group.words("image_size", "side, or height,width, to which images are resized", value="SIZE")
    group.choice("fit", "crop", FITS, "how to fit images with another aspect ratio")
    group.string(
        "background",
        "white",
        "color behind transparent pixels and of margins: white, black or #rrggbb; alpha keeps "
        "transparency as a fourth channel",
        value="COLOR",
    )
    group.string("image_key", None, "name of the images in a file of several arrays", value="NAME")
    group.string("label_key", None, "name of the labels there", value="NAME")
    group.path("data_dir", None, "folder of tensorflow-datasets", value="FOLDER")
    group.boolean("download", False, "download a dataset that is missing")
    group.boolean("follow_links", False, "follow links that lead out of a folder of images")
    return group


def inspect(parser: Parser) -> "DataReport":
    """Returns the report of the data that the flags of `define_place` name."""
    import tfgans

    dataset, options = parser.values.dataset, _options(parser, tfgans.data.inspect)
    _check_name(dataset)
    with _errors_in_flags(dataset):
        return tfgans.data.inspect(dataset, **options)


def describe_files(parser: Parser) -> str | None:
    """Returns what a folder or an archive of images holds, as text; None for other data."""
    if parser.values.dataset.partition(":")[0] not in ("folder", "zip", "webdataset"):
        return None
    return inspect(parser).text()


def load_source(parser: Parser) -> "Source":
    """Returns the source that the flags name."""
    import tfgans

    return _load(parser, parser.values.dataset, _options(parser, tfgans.data.load))


def check_outside(parser: Parser, place: str, flag: str = "run_dir") -> None:
    """Raises ValueError if pictures would be written into the folder of images.

    Args:
        parser: The parser.
        place: Where the pictures are written.
        flag: The flag that says so.
    """
    from tfgans import files

    kind, _, folder = parser.values.dataset.partition(":")
    images = files.path(folder).resolve()
    if (
        kind in ("folder", "hf")
        and folder
        and images.is_dir()
        and files.path(place).resolve().is_relative_to(images)
    ):
        raise ValueError(
            f"--{flag} must lie outside of the folder of images: pictures that are written there "
            f"would become data. Received: --{flag}={place} in --dataset={kind}:{folder}"
        )


def load_split(parser: Parser, flag: str) -> "Source":
    """Returns another split of the dataset that the flags name: that of `--flag`.

    Raises:
        ValueError: If it may share examples with that of `--split`.
    """
    import tfgans
    from tfgans.data.splits import parse_split

    split, present = parser.values[flag].value, parser.values.split
    if parse_split(split).may_overlap(parse_split(present)):
        raise ValueError(
            f"--{flag} may share examples with --split. Received: --{flag}={split} and "
            f'--split={present}. Use parts that do not overlap, such as "--split=train[:90%]" and '
            f'"--{flag}=train[90%:]"'
        )
    options = {**_options(parser, tfgans.data.load), "split": split}
    return _load(parser, parser.values.dataset, options)


def load_run_source(parser: Parser, run_dir: str) -> "Source":
    """Returns the source that a run was trained on; flags on the command line have priority."""
    import tfgans
    from tfgans.data.loading import absolute_name
    from tfgans.training import RunDirectory

    run = RunDirectory(run_dir)
    remembered = dict(run.data() or {})
    name = remembered.pop("name", None)
    if not parser.is_set("dataset") and name is None:
        raise ValueError(
            f"The data of {run_dir} ({run.settings().get('source')}) were not loaded by name, so "
            "they cannot be loaded again. Name the data to compare with: --dataset"
        )
    options, seed = _options(parser, tfgans.data.load), None
    if not parser.is_set("dataset") or absolute_name(parser.values.dataset) == name:
        # Of some data the seed decides the examples, too.
        seed = run.settings().get("source_seed")
        options |= {
            option: value
            for option, value in remembered.items()
            if option in options and not parser.is_set(option)
        }
    chosen = parser.values.dataset if parser.is_set("dataset") else name
    source = _load(parser, chosen, options, seed=seed)
    before = run.settings().get("num_examples")
    same = not any(parser.is_set(flag) for flag in ("dataset", "split"))
    if same and source.num_examples != before:
        raise ValueError(
            f"{source.name!r} has {source.num_examples} examples, and the run was trained on "
            f"{before}: the data have changed. Pass --dataset to compare with the present data"
        )
    return source


def _options(parser: Parser, function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the arguments of `tfgans.data.load` or `inspect` that are flags of the same name."""
    arguments = signature(function).parameters.keys() - {"name", "seed"}
    return {
        name: _size(parser) if name == "image_size" else parser.values[name].value
        for name in sorted(arguments)
    }


def _size(parser: Parser) -> int | tuple[int, int] | None:
    words = parser.values.image_size
    if words is None:
        return None
    if len(words) not in (1, 2) or not all(word.isdecimal() for word in words):
        received = ",".join(words) or "nothing"
        raise ValueError(
            f"--image_size takes a side, or height,width, in pixels. Received: {received}"
        )
    size = [int(length) for length in words]
    return size[0] if len(size) == 1 else (size[0], size[1])


def _load(
    parser: Parser, name: str, options: dict[str, Any], *, seed: int | None = None
) -> "Source":
    import tfgans

    if isinstance(options["image_size"], list):  # From JSON.
        options["image_size"] = tuple(options["image_size"])
    _check_name(name)
    with _errors_in_flags(name):
        return tfgans.data.load(name, seed=parser.values.seed if seed is None else seed, **options)


def _check_name(name: str) -> None:
    """Refuses an unknown name."""
    names = [known for known in NAMES if ":" not in known]
    if ":" not in name and name not in names:
        raise ValueError(f"--dataset must be one of {', '.join(NAMES)}. {_hint(name, names)}")


@contextlib.contextmanager
def _errors_in_flags(name: str) -> Iterator[None]:
    """Puts errors on the data `name` into terms of flags; see also `_UNWRITABLE`."""
    try:
        with errors_in_flags({"name": "dataset"}):
            yield
    except OSError as error:
        if ":" in name or error.errno not in _UNWRITABLE:
            raise
        raise OSError(
            f"{name!r} cannot be prepared: {error}. Pass a folder that can be written as "
            "--data_dir, or in the environment as TFGANS_DATA_DIR"
        ) from error


def _hint(name: str, names: Sequence[str]) -> str:
    path = Path(name).expanduser()
    kind = "folder" if path.is_dir() else _KINDS.get(path.suffix) if path.is_file() else None
    close = [f"{kind}:{name}"] if kind else difflib.get_close_matches(name, names, n=1)
    hint = f". Did you mean {shlex.quote('--dataset=' + close[0])}?" if close else ""
    return f"Received: {name!r}{hint}"


def load_folder(parser: Parser, path: str, like: "Source") -> "Source":
    """Returns the images below a folder, all of them in memory, in the form of those of `like`."""
    import tfgans

    options = like.load_options or {}
    return tfgans.data.load(
        f"folder:{os.path.expanduser(path)}",
        image_size=like.data_shape[:2] if len(like.data_shape) == 3 else None,
        fit=options.get("fit", "crop"),
        background=options.get("background", "white"),
        skip_bad=parser.values.skip_bad,
        cache="memory",
        follow_links=parser.values.follow_links,
    )
