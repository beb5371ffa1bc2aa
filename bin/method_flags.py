"""Flags of the game: which method, or which objective with which penalty, and their arguments."""

from collections.abc import Callable
from typing import Any

import methods
from absl import flags

from tfgans.objectives.f_divergence import NAMES
from tfgans.objectives.kl_wasserstein import FORMS
from tfgans.penalties.dragan_penalty import NOISES

FLAGS = flags.FLAGS
_DEFAULTS = "\n".join(methods.describe())
_MODEL = (
    f"the method; default: wgan_gp, or gan with --objective. Their own defaults:\n{_DEFAULTS}\n"
)
flags.DEFINE_enum("model", None, list(methods.MODELS), _MODEL)
flags.DEFINE_enum("objective", None, list(methods.OBJECTIVES), "the game of --model=gan")
flags.DEFINE_enum("penalty", None, list(methods.PENALTIES), "with any method that takes one")
flags.DEFINE_integer("discriminator_steps", None, "updates a training step", lower_bound=1)
flags.DEFINE_float("penalty_weight", None, "the factor before the mean penalty", lower_bound=0)
flags.DEFINE_float("penalty_target", None, "the gradient norm that costs nothing", lower_bound=0)
flags.DEFINE_bool("penalty_one_sided", None, "whether only a norm above the target costs")
flags.DEFINE_integer("penalty_every", None, "approximation: in every n-th update only", 1)
flags.DEFINE_float("penalty_fraction", None, "approximation: on this part of the batch only")
flags.DEFINE_enum("dragan_noise", None, NOISES, "where the points of DRAGAN lie")
flags.DEFINE_float("dragan_scale", None, "how far they lie", lower_bound=0)
flags.DEFINE_bool("minimax", None, "of dragan: the generator plays the minimax game")
flags.DEFINE_float("weight_clip", None, "largest parameter of the discriminator")
flags.DEFINE_bool("critic_warmup", None, "of wgan: 100 critic updates now and then")
flags.DEFINE_float("label_smoothing", None, "the real target is 1 less this")
flags.DEFINE_enum("divergence", None, NAMES, "of f-GAN")
flags.DEFINE_bool("non_saturating", None, "of f-GAN: the generator's practical form")
flags.DEFINE_enum("form", None, FORMS, "of KL-WGAN")
flags.DEFINE_float("temperature", None, "of KL-WGAN's weights")
flags.DEFINE_bool("weight_gradient", None, "of KL-WGAN: whether it passes through the weights")
flags.DEFINE_float("gamma", None, "of r3gan: twice the weight of R1 and of R2", lower_bound=0)
flags.DEFINE_integer("updates_per_batch", None, "of dcd", lower_bound=1)

# What a flag is called where it is taken, if not by its own name: by a method, or by a penalty.
_OTHER_NAMES = {"penalty_weight": "weight", "dragan_noise": "noise", "dragan_scale": "scale"}
_OTHER_NAMES |= {f"penalty_{name}": name for name in ("target", "one_sided", "every", "fraction")}
_ARGUMENTS = ("penalty", "discriminator_steps", *_OTHER_NAMES, "minimax", "weight_clip")
_ARGUMENTS += ("critic_warmup", "label_smoothing", "divergence", "non_saturating", "form")
_ARGUMENTS += ("temperature", "weight_gradient", "gamma", "updates_per_batch")
DECISIVE = ("model", "objective", *_ARGUMENTS)


def model_name() -> str:
    """Returns the name of the method that the flags ask for."""
    return FLAGS.model or ("gan" if FLAGS.objective else "wgan_gp")


def options() -> dict[str, Any]:
    """Returns the arguments of the method; raises ValueError on a flag that nothing here takes."""
    name, left = model_name(), {flag for flag in _ARGUMENTS if FLAGS[flag].value is not None}
    if (FLAGS.objective is None) == (name == "gan"):
        raise ValueError(f"--objective is of --model=gan, which needs it. Received: --model={name}")
    own = _taken(methods.MODELS[name], left)
    if FLAGS.objective:
        make = methods.OBJECTIVES[FLAGS.objective]
        own["objective"] = make(**_taken(make, left))
    if "penalty" in own:
        make_penalty = methods.PENALTIES[FLAGS.penalty]
        own["penalty"] = make_penalty(**_taken(make_penalty, left))
    for flag in sorted(left):
        known = ", ".join(methods.takers({flag, _OTHER_NAMES.get(flag, flag)}))
        raise ValueError(f"--{flag} does not apply to this --model={name}: it is of {known}")
    return own


def _taken(make: Callable[..., Any], left: set[str]) -> dict[str, Any]:
    """Returns the given flags that `make` takes as arguments, and removes them from `left`."""
    taken = {}
    for flag in sorted(left):
        for argument in {flag, _OTHER_NAMES.get(flag, flag)} & methods.arguments(make).keys():
            taken[argument] = FLAGS[flag].value
            left.discard(flag)
    return taken
