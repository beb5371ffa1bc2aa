"""Flags of instance noise."""

from absl import flags

import tfgans
from tfgans.layers.instance_noise import SCHEDULES

FLAGS = flags.FLAGS
flags.DEFINE_float("instance_noise", None, "standard deviation of noise on real and fake, at first")
flags.DEFINE_enum("noise_schedule", None, SCHEDULES, "how it changes; default: linear")
flags.DEFINE_integer("noise_decay_steps", None, "of linear (to 0) and exponential (to 1/e)", 1)
flags.DEFINE_float("noise_target_accuracy", None, "of adaptive; default: 0.75")
OPTIONS = ("noise_schedule", "noise_decay_steps", "noise_target_accuracy")
# What a resumed run must have the same.
DECISIVE = ("instance_noise", *OPTIONS)

flags.register_multi_flags_validator(
    DECISIVE,
    lambda given: given["instance_noise"] or all(given[name] is None for name in OPTIONS),
    f"--{', --'.join(OPTIONS)} are of instance noise: give --instance_noise",
)


def instance_noise() -> tfgans.layers.InstanceNoise | None:
    """Returns the layer that the flags describe."""
    if FLAGS.instance_noise is None:
        return None
    schedule = FLAGS.noise_schedule or "linear"
    if FLAGS.noise_decay_steps is None and schedule in ("linear", "exponential"):
        # Not --steps: a run may be trained on with more of them.
        raise ValueError(f"--noise_decay_steps is needed with a schedule that is {schedule}")
    return tfgans.layers.InstanceNoise(
        FLAGS.instance_noise,
        schedule=schedule,
        decay_steps=FLAGS.noise_decay_steps,
        target_accuracy=FLAGS.noise_target_accuracy,
    )
