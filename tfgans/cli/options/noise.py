"""Flags of instance noise."""

from typing import TYPE_CHECKING

from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.layers import InstanceNoise

SCHEDULES = ("constant", "linear", "exponential", "adaptive")
_ARGUMENTS = {
    "stddev": "instance_noise",
    "schedule": "noise_schedule",
    "decay_steps": "noise_decay_steps",
    "target_accuracy": "noise_target_accuracy",
}
_OPTIONS = ("noise_schedule", "noise_decay_steps", "noise_target_accuracy")


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Instance noise")
    group.number(
        "instance_noise", None, "initial standard deviation of noise on real and generated examples"
    )
    group.choice("noise_schedule", None, SCHEDULES, "schedule of the noise; default: linear")
    group.integer(
        "noise_decay_steps",
        None,
        "training steps until linear noise is 0, or exponential noise has fallen to 1/e",
        at_least=1,
    )
    group.number(
        "noise_target_accuracy",
        None,
        "accuracy of the discriminator that adaptive noise aims at; default: 0.75",
    )
    parser.check_companions(
        "instance_noise", _OPTIONS, f"--{', --'.join(_OPTIONS)} need --instance_noise"
    )


def instance_noise(parser: Parser) -> "InstanceNoise | None":
    """Returns the layer that the flags describe; None without `--instance_noise`."""
    values = parser.values
    if values.instance_noise is None:
        return None
    schedule = values.noise_schedule or "linear"
    if values.noise_decay_steps is None and schedule in ("linear", "exponential"):
        # Not --steps: a run may be continued with more of them.
        raise ValueError(f"--noise_decay_steps is needed with --noise_schedule={schedule}")
    import tfgans

    with errors_in_flags(_ARGUMENTS):
        return tfgans.layers.InstanceNoise(
            values.instance_noise,
            schedule=schedule,
            decay_steps=values.noise_decay_steps,
            target_accuracy=values.noise_target_accuracy,
        )
