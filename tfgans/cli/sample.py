"""`tfgans sample`: samples from a run or from a server, as a picture or as an array."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfgans.cli.command import Command
from tfgans.cli.options import refinement, runs
from tfgans.cli.parser import Parser

if TYPE_CHECKING:
    import numpy as np


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
    group.integer(
        "label",
        None,
        "class of the samples; default: drawn as often as in the run's data, from a server all "
        "alike",
        at_least=0,
    )
    refinement.define(parser)
    group = parser.group("Output")
    group.path("out", None, "file to write, .png or .npy (required)", value="FILE")
    group.integer("show", 0, "number of images to print on the terminal", at_least=0)
    parser.require("out")
    parser.require_exactly_one("run_dir", "server")
    parser.check(
        ["server", "name"],
        lambda values: (values["server"] is None) == (values["name"] is None),
        "--server and --name go together",
    )
    parser.check_companions("server", ["version"], "--version needs --server")
    parser.check_companions("run_dir", ["checkpoint"], "--checkpoint needs --run_dir")


def sample(parser: Parser, _: Sequence[str]) -> int:
    """Samples and writes the file."""
    import numpy as np

    from tfgans import files, pictures

    values = parser.values
    out = Path(values.out)
    if out.suffix not in (".png", ".npy"):
        raise ValueError(f"--out must end in .png or .npy. Received: {values.out}")
    samples = _of_run(parser) if values.server is None else _of_server(parser)
    if values.show and samples.ndim != 4:
        raise ValueError(f"--show prints images. Received: samples of shape {samples.shape[1:]}")
    if out.suffix == ".png":
        pictures.save_png(out, samples)
    else:
        with files.atomic_write(out) as temporary:
            np.save(temporary, samples, allow_pickle=False)
    if values.show:
        print(pictures.text(samples[: values.show]))
    print(f"{out}: {len(samples)} samples of shape {samples.shape[1:]}")
    return 0


def _of_run(parser: Parser) -> "np.ndarray":
    from tfgans import training

    values = parser.values
    gan, labels = runs.load_gan(parser), values.label
    if labels is None:
        labels = training.draw_labels(values.run_dir, values.num, values.seed)
    return gan.sample(
        values.num,
        seed=values.seed,
        labels=labels,
        component=values.component,
        refine=refinement.langevin(parser),
    )


def _of_server(parser: Parser) -> "np.ndarray":
    from tfgans.serving import Client

    values = parser.values
    if values.refine:
        raise ValueError("--refine needs --run_dir: a server has no discriminator")
    with Client(
        values.server, model=values.name, version=values.version, timeout=values.timeout
    ) as client:
        return client.generate(
            values.num, values.seed, labels=values.label, component=values.component
        )


COMMAND = Command(
    name="sample",
    summary="Samples from a run or from a server, as a picture or as an array.",
    examples=(
        "--run_dir=runs/digits --out=samples.png",
        "--run_dir=runs/digits --checkpoint=best --num=1000 --seed=1 --out=samples.npy",
        "--server=http://localhost:8501 --name=digits --out=samples.png",
    ),
    define=define,
    run=sample,
)
main = COMMAND.main
