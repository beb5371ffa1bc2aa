"""Flags of Langevin refinement, for bin/sample.py and for DCD."""

from absl import flags

from tfgans.refinement import Langevin

SPACES = ("latent", "data", "images")
FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "refine", None, SPACES, "where samples climb the discriminator; images: data in [-1, 1]"
)
flags.DEFINE_integer("refine_steps", None, "Langevin steps; default: 20", lower_bound=0)
flags.DEFINE_float("refine_step_size", None, "of a step; default: 1")
flags.DEFINE_float("refine_noise", None, "noise scale; default: 0.005", lower_bound=0)
flags.DEFINE_bool("refine_prior", None, "of latent: whether the normal prior counts too")
_NAMES = {"steps": "refine_steps", "step_size": "refine_step_size", "noise_scale": "refine_noise"}
# What a resumed run must have the same.
DECISIVE = ("refine", *_NAMES.values(), "refine_prior")

flags.register_multi_flags_validator(
    DECISIVE,
    lambda given: given["refine"] or all(value is None for value in given.values()),
    f"--{', --'.join(DECISIVE[1:])} are of refinement: give --refine",
)


def langevin() -> Langevin | None:
    """Returns the refinement that the flags describe; None without --refine."""
    if FLAGS.refine is None:
        return None
    given = {name: FLAGS[flag].value for name, flag in _NAMES.items()}
    given = {name: value for name, value in given.items() if value is not None}
    if FLAGS.refine == "images" and FLAGS.refine_prior:
        raise ValueError("--refine_prior is of --refine=latent. Received: --refine=images")
    if FLAGS.refine == "images":
        return Langevin.for_images(**given)
    return Langevin(space=FLAGS.refine, prior=bool(FLAGS.refine_prior), **given)
