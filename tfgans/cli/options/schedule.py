"""Flags of the schedule of R3GAN."""

from typing import TYPE_CHECKING

from tfgans.cli.options import method
from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.schedules import R3GANSchedule

# What the authors end at, as a part of the start.
_LEARNING_RATE_END, _GAMMA_END = 0.25, 0.1
_ARGUMENTS = {
    "num_images": "schedule_images",
    "ema_half_life": "ema_images",
    "augmentation": "augmentation_p",
}


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Schedule of r3gan")
    group.integer(
        "schedule_images",
        None,
        "length of the schedule in real images, repeated ones included; at its end the learning "
        "rate is a quarter and gamma a tenth of the start, beta_2 is 0.99, the half-life of the "
        "average is --ema_images, and p has risen from 0 to --augmentation_p",
        at_least=1,
    )
    group.number(
        "ema_images",
        None,
        "half-life of the generator's average at the end; default: a fortieth of --schedule_images",
        at_least=0,
    )
    parser.check_companions(
        "schedule_images", ["ema_images"], "--ema_images needs --schedule_images"
    )


def schedule(parser: Parser) -> "R3GANSchedule | None":
    """Returns the schedule that the flags describe; None without `--schedule_images`.

    Raises:
        ValueError: If the method has no schedule, or a flag sets what the schedule does.
    """
    values, model = parser.values, method.name(parser)
    if values.schedule_images is None:
        return None
    if model != "r3gan":
        raise ValueError(
            f"--schedule_images does not apply to {method.flag_in_words(parser)}: use r3gan"
        )
    if values.ema is not None:
        raise ValueError("--ema does not go with --schedule_images: use --ema_images")
    if values.rollbacks:
        raise ValueError(
            "--rollbacks lowers the learning rates, which --schedule_images sets: use one of them"
        )
    from tfgans.schedules import R3GANSchedule

    gamma = 1.0 if values.gamma is None else values.gamma
    rate = 2e-4 if values.learning_rate is None else values.learning_rate
    with errors_in_flags(_ARGUMENTS):
        return R3GANSchedule(
            num_images=values.schedule_images,
            learning_rate=(rate, _LEARNING_RATE_END * rate),
            gamma=(gamma, _GAMMA_END * gamma),
            ema_half_life=None if values.ema_images is None else (0.0, values.ema_images),
            augmentation=None if values.augmentation_p is None else (0.0, values.augmentation_p),
        )
