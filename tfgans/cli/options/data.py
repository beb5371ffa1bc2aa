"""Flags that name the real data."""

import os
from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

from tfgans.cli.parser import Group, Parser

if TYPE_CHECKING:
    from tfgans.data import DataReport, Source

NAMES = (
    *("digits", "stacked_digits", "mnist", "stacked_mnist", "color_mnist", "fashion_mnist"),
    *("kmnist", "cifar10", "celeb_a"),
    *("ring", "grid", "swiss_roll", "parallel_lines", "low_rank_gaussian"),
    *("folder:PATH", "idx:DIR", "npz:FILE", "hdf5:FILE[/key]", "tfrecord:GLOB", "zip:FILE"),
    *("webdataset:GLOB", "hf:NAME"),
)
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
    group.choice(
        "fit", "crop", FITS, "how to fit images with another aspect ratio: crop, pad or stretch"
    )
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

    return tfgans.data.inspect(parser.values.dataset, **_options(parser, tfgans.data.inspect))


def describe_files(parser: Parser) -> str | None:
    """Returns what a folder or an archive of images holds, as text; None for other data."""
    kind = parser.values.dataset.partition(":")[0]
    return inspect(parser).text() if kind in ("folder", "zip", "webdataset") else None


def load_source(parser: Parser) -> "Source":
    """Returns the source that the flags name."""
    import tfgans

    return _load(parser, parser.values.dataset, _options(parser, tfgans.data.load))


def check_outside(parser: Parser, run_dir: str) -> None:
    """Raises ValueError if a run would write its pictures into its folder of images."""
    from tfgans import files

    kind, _, place = parser.values.dataset.partition(":")
    if kind == "folder" and files.path(run_dir).resolve().is_relative_to(
        files.path(place).resolve()
    ):
        raise ValueError(
            "--run_dir must lie outside of the folder of images, since a run writes pictures. "
            f"Received: --run_dir={run_dir} in --dataset=folder:{place}"
        )


def load_split(parser: Parser, flag: str) -> "Source":
    """Returns another split of the dataset that the flags name: that of `--flag`.

    Raises:
        ValueError: If it shares examples with that of `--split`.
    """
    import tfgans
    from tfgans.data.splits import parse_split

    split, present = parser.values[flag].value, parser.values.split
    if parse_split(split).overlaps(parse_split(present)):
        raise ValueError(
            f"--{flag} must share no example with --split. Received: --{flag}={split} and "
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
    words = parser.values.image_size or ()
    if len(words) > 2 or not all(word.isdecimal() for word in words):
        raise ValueError(
            f"--image_size takes a side, or height,width, in pixels. Received: {','.join(words)}"
        )
    size = [int(length) for length in words]
    if not size:
        return None
    return size[0] if len(size) == 1 else (size[0], size[1])


def _load(
    parser: Parser, name: str, options: dict[str, Any], *, seed: int | None = None
) -> "Source":
    import tfgans

    if isinstance(options["image_size"], list):  # From JSON.
        options["image_size"] = tuple(options["image_size"])
    return tfgans.data.load(name, seed=parser.values.seed if seed is None else seed, **options)


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
