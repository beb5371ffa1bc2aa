"""Times a training step of DCGAN with and without augmentation, in alternation.

benchmarks/augmentation.py --rounds=3 --steps=3

The same networks, data and batch of 64; the augmentations change every image, so their cost does
not depend on p. The goal: `AdaptiveAugment("bg")` costs less than 10 % of a step, by CPU time.
"""

import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import timing
from absl import app, flags

import tfgans

FLAGS = flags.FLAGS
flags.DEFINE_integer("rounds", 3, "rounds of each comparison", lower_bound=1)
flags.DEFINE_integer("steps", 3, "training steps in a round", lower_bound=1)

BATCH, GOAL = 64, 1.1
SHAPES = [(28, 28, 1), (32, 32, 3)]


def augmentations() -> dict[str, tfgans.augmentation.Augmentation | None]:
    """Returns the augmentations to compare, the first of which is none."""
    adaptive = tfgans.augmentation.AdaptiveAugment
    return {
        "none": None,
        "bg": adaptive("bg", initial_p=0.8),
        "bgc": adaptive("bgc", initial_p=0.8),
        "DiffAugment": tfgans.augmentation.DiffAugment(),
    }


def runner(
    shape: tuple[int, int, int], augmentation: tfgans.augmentation.Augmentation | None
) -> Callable[[], timing.Cost]:
    """Returns a runner of the steps of a model, with an untimed step before them."""
    gan = tfgans.NonSaturatingGAN(
        tfgans.networks.dcgan_generator(shape, seed=0),
        tfgans.networks.dcgan_discriminator(shape, seed=0),
        augmentation=augmentation,
    )
    gan.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (1024, *shape)).astype(np.float32)

    def run() -> timing.Cost:
        clock = timing.StepClock()
        gan.fit(
            images,
            batch_size=BATCH,
            steps_per_epoch=1 + FLAGS.steps,
            callbacks=[clock],
            verbose=0,
        )
        return clock.cost()

    return run


def main(argv: list[str]) -> None:
    """Prints the cost of a step relative to that without augmentation."""
    if len(argv) > 1:
        raise app.UsageError(f"Flags only. Received: {argv[1:]}")
    print(timing.environment())
    for shape in SHAPES:
        runners = {name: runner(shape, made) for name, made in augmentations().items()}
        costs = timing.alternate(runners, FLAGS.rounds)
        plain = timing.Spread.of([1e3 * cost.cpu for cost in costs["none"]])
        print(f"\nDCGAN {shape}, batch {BATCH}: {plain} CPU ms a step without augmentation")
        for name in list(costs)[1:]:
            ratio = timing.speed_ratio(costs["none"], costs[name], "cpu")
            verdict = ""
            if name == "bg":
                verdict = f"  goal <= {GOAL}: {'met' if ratio.median <= GOAL else 'MISSED'}"
            print(f"  {name:12} {ratio} of its CPU time{verdict}")


if __name__ == "__main__":
    app.run(main)
