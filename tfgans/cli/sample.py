"""`tfgans sample`: samples from a run or from a server, as a picture, as files or as an array."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tfgans.cli.command import Command
from tfgans.cli.options import output, refinement, runs
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    import numpy as np

_FLOAT = 4  # Bytes of a number.
# Arguments of the library that errors name, and their flags.
_ARGUMENTS = {"n": "num", "labels": "label"}
# The samples; if their classes are known, the class of each and the name of each class.
_Samples: TypeAlias = "tuple[np.ndarray, tuple[np.ndarray, tuple[str, ...]] | None]"


def define(parser: Parser) -> None:
    """Declares the flags."""
    runs.define(parser.group("Run"))
    group = parser.group("Server")
    group.string("server", None, "http://HOST:PORT or grpc://HOST:PORT, instead of a run")
    group.string("name", None, "name of the served model")
    group.integer("version", None, "version of the model; default: the newest", at_least=0)
    group.number("timeout", 30.0, "seconds to wait for an answer", at_least=0.001)
    group = parser.group("Samples")
    group.integer("num", 64, "number of samples", at_least=1)
    group.integer("seed", 0, "the same seed gives the same samples, from a run or a server")
    group.integer("component", None, "component of a mixture; default: drawn by weight", at_least=0)
    group.string(
        "label",
        None,
        "class of the samples, by name or by number; default: drawn with the class shares of the "
        "run's data; uniformly from a server",
        value="CLASS",
    )
    group.number(
        "truncation",
        None,
        "restrict the values of the latents to [-TRUNCATION, TRUNCATION]; default: as drawn",
        at_least=0.01,
    )
    refinement.define(parser)
    group = parser.group("Output")
    group.path(
        "out",
        None,
        "file to write, .png or .npy, or a new folder, for a PNG file of each image (required)",
    )
    group.integer("show", 0, "number of images to print on the terminal", at_least=0)
    parser.require("out")
    parser.require_exactly_one("run_dir", "server")
    parser.check(
        ["server", "name"],
        lambda values: (values["server"] is None) == (values["name"] is None),
        "--server and --name go together",
    )
    parser.check_companions(
        "server", ["version", "timeout"], "--version and --timeout need --server"
    )
    parser.check_companions("run_dir", ["checkpoint"], "--checkpoint needs --run_dir")


def sample(parser: Parser, _: Sequence[str]) -> int:
    """Samples and writes the file."""
    import numpy as np

    from tfgans import files

    values = parser.values
    out = Path(values.out)
    is_folder = _is_folder(values.out)
    if is_folder:
        _check_new_folder(values.out)
    elif out.suffix in (".png", ".npy"):
        output.check_file("out", out)
    else:
        raise ValueError(
            "--out must end in .png or .npy, or be a folder (with a / at the end if its name has a "
            f"dot). Received: {values.out}"
        )
    samples, classes = _of_run(parser) if values.server is None else _of_server(parser)
    if values.show and samples.ndim != 4:
        raise ValueError(f"--show prints images. Received: samples of shape {samples.shape[1:]}")
    if is_folder or out.suffix == ".png" or values.show:
        from tfgans import pictures
    if is_folder:
        pictures.save_files(out, samples)
    elif out.suffix == ".png" and classes is not None:
        pictures.write_png(out, pictures.class_rows(samples, *classes))
    elif out.suffix == ".png":
        pictures.save_png(out, samples)
    else:
        with files.atomic_write(out) as temporary:
            np.save(temporary, samples, allow_pickle=False)
    if values.show:
        print(pictures.text(samples[: values.show]))
    print(f"{out}: {len(samples)} samples of shape {samples.shape[1:]}")
    return 0


def _is_folder(out: str) -> bool:
    """Returns whether the samples go into a folder, a file each."""
    return not Path(out).suffix or out.endswith(os.sep)


def _check_new_folder(out: str) -> None:
    output.check_folder("out", out)
    if Path(out).is_dir() and any(Path(out).iterdir()):
        raise ValueError(
            "--out must be a new or an empty folder: other files would be among the samples. "
            f"Received: {out}"
        )


def _of_run(parser: Parser) -> _Samples:
    import numpy as np

    from tfgans import class_names, training

    values = parser.values
    gan, run = runs.load_gan(parser), training.RunDirectory(values.run_dir)
    if _is_folder(values.out) and (len(gan.data_shape) != 3 or (gan.data_shape[-1] or 1) > 4):
        raise ValueError(
            "--out must be a file that ends in .npy: only images of up to 4 channels are written "
            f"as PNG files. Received: {values.out}, and samples of shape {gan.data_shape}"
        )
    _check_memory(values.num, [size or 1 for size in gan.data_shape])
    labels, names = None, run.class_names()
    if values.label is not None:
        if gan.num_classes is None:
            raise ValueError(f"--label={values.label}: the model of {run.path} is not conditional")
        label = class_names.number(values.label, names)
        if label >= gan.num_classes:
            raise ValueError(
                f"--label must be a class from 0 to {gan.num_classes - 1}, or the name of a class. "
                f"Received: {values.label}"
            )
        labels = np.full(values.num, label)
    elif gan.num_classes is not None:
        labels = training.draw_labels(values.run_dir, values.num, values.seed)
        labels = gan.sample_labels(values.num, values.seed) if labels is None else labels
    langevin = refinement.langevin(parser)
    with errors_in_flags(_ARGUMENTS):
        samples = gan.sample(
            values.num,
            seed=values.seed,
            labels=labels,
            component=values.component,
            truncation=values.truncation,
            refine=langevin,
        )
    if labels is None or gan.num_classes is None:
        return samples, None
    return samples, (labels, class_names.fill(gan.num_classes, names))


def _check_memory(num: int, shape: Sequence[int]) -> None:
    from tfgans.data.capacity import available_memory

    needed, available = num * math.prod(shape) * _FLOAT, available_memory()
    if needed > available:
        raise ValueError(
            f"--num={num} needs {needed / 1e9:.3g} GB of memory, and {available / 1e9:.3g} GB are "
            "available. Draw fewer at a time, with several values of --seed"
        )


def _of_server(parser: Parser) -> _Samples:
    from tfgans.serving import Client

    values = parser.values
    if values.refine:
        raise ValueError("--refine needs --run_dir: a server has no discriminator")
    with (
        errors_in_flags({**_ARGUMENTS, "address": "server", "model": "name"}),
        Client(
            values.server, model=values.name, version=values.version, timeout=values.timeout
        ) as client,
    ):
        # A picture has no titles: which classes a server draws is not in its reply.
        return client.generate(
            values.num,
            values.seed,
            labels=values.label,
            component=values.component,
            truncation=values.truncation,
        ), None


def _uses_tensorflow(parser: Parser) -> bool:
    """Returns whether the samples are of a run, come over gRPC, or are drawn."""
    values = parser.values
    draws = values.show > 0 or not values.out.endswith(".npy")
    return values.server is None or values.server.startswith("grpc:") or draws


COMMAND = Command(
    name="sample",
    summary="Samples from a run or from a server, as a picture, as files or as an array.",
    examples=(
        "--run_dir=runs/digits --out=samples.png",
        "--run_dir=runs/digits --checkpoint=best --num=1000 --seed=1 --out=samples",
        "--server=http://localhost:8501 --name=digits --out=samples.npy",
    ),
    define=define,
    run=sample,
    tensorflow=_uses_tensorflow,
)
main = COMMAND.main
