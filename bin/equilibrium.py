"""How far a trained run is from an equilibrium among its own components, on held-out examples.

bin/equilibrium.py --run_dir=runs/x --dataset=digits --split=test
"""

import cli

import data_flags
from absl import flags

import tfgans

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(data_flags)
flags.DEFINE_string("run_dir", None, "folder of a finished run", required=True)
flags.DEFINE_integer("num", 10_000, "held-out examples, at most as many as there are", 2)


def main() -> None:
    """Prints the payoff of every pair, the weights, and what the best reply would gain."""
    gan = tfgans.training.load_final(FLAGS.run_dir)
    source = data_flags.load_source()
    num = FLAGS.num if source.num_examples is None else min(FLAGS.num, source.num_examples)
    with tfgans.data.plain_errors():
        examples = next(iter(source.batches(num, labels=gan.num_classes is not None)))
    print(tfgans.games.equilibrium(gan, examples, seed=FLAGS.seed).table())


if __name__ == "__main__":
    cli.run(main)
