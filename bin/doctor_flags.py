"""Flags of the doctor, which watches a training, for bin/train.py."""

from typing import Any

from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("doctor_every", 500, "steps between the doctor's checks; 0: none", 0)
flags.DEFINE_integer(
    "rollbacks", 0, "how often it may go back to the last good backup at half the learning rates", 0
)
flags.register_multi_flags_validator(
    ["doctor_every", "rollbacks"],
    lambda given: given["doctor_every"] or not given["rollbacks"],
    "--rollbacks are the doctor's: give --doctor_every",
)


def options() -> dict[str, Any]:
    """Returns what `tfgans.training.train` takes."""
    return {"doctor_every": FLAGS.doctor_every or None, "rollbacks": FLAGS.rollbacks}
