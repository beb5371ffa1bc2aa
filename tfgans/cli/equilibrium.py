"""`tfgans equilibrium`: measures how far a run is from an equilibrium of its components."""

from collections.abc import Sequence

from tfgans.cli.command import Command
from tfgans.cli.options import data, runs
from tfgans.cli.parser import Parser


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Run")
    runs.define(group)
    group.integer("num", 10_000, "real examples, at most as many as there are", at_least=2)
    group.integer("seed", 0, "seed of the generated examples", at_least=0)
    data.define(parser, remembers=True)
    parser.require("run_dir")


def equilibrium(parser: Parser, _: Sequence[str]) -> int:
    """Prints the payoff of each pair, the weights, and the gain of the best reply."""
    import tfgans

    values = parser.values
    gan = runs.load_gan(parser)
    source = data.load_run_source(parser, values.run_dir)
    num = values.num if source.num_examples is None else min(values.num, source.num_examples)
    with tfgans.data.plain_errors():
        examples = next(iter(source.batches(num, labels=gan.num_classes is not None)))
    print(tfgans.games.equilibrium(gan, examples, seed=values.seed).table())
    split = (source.load_options or {}).get("split", "unknown")
    print(f"real examples of {source.name}, split {split}; seed {values.seed} of the latents")
    return 0


COMMAND = Command(
    name="equilibrium",
    summary="Measures how far a run's mixture is from an equilibrium of its components.",
    examples=(
        "--run_dir=runs/mix",
        "--run_dir=runs/mix --split=test",
        "--run_dir=runs/mix --checkpoint=best --num=2000",
    ),
    define=define,
    run=equilibrium,
)
main = COMMAND.main
