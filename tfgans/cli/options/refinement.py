"""Flags of Langevin refinement."""

from typing import TYPE_CHECKING

from tfgans.cli.parser import Parser
from tfgans.cli.wording import errors_in_flags

if TYPE_CHECKING:
    from tfgans.refinement import Langevin

SPACES = ("latent", "data", "images")
_ARGUMENTS = {
    "steps": "refine_steps",
    "step_size": "refine_step_size",
    "noise_scale": "refine_noise",
}
FLAGS = ("refine", *_ARGUMENTS.values(), "refine_prior")


def define(parser: Parser) -> None:
    """Declares the flags."""
    group = parser.group("Langevin refinement")
    group.choice(
        "refine",
        None,
        SPACES,
        "space in which samples climb the discriminator's logit; images: data space, with the "
        "settings for pixels in [-1, 1]",
    )
    group.integer("refine_steps", None, "Langevin steps; default: 20", at_least=0)
    group.number("refine_step_size", None, "size of a step; default: 1")
    group.number("refine_noise", None, "scale of the noise; default: 0.005", at_least=0)
    group.boolean("refine_prior", None, "add the normal prior of latents to the energy")
    parser.check_companions("refine", FLAGS[1:], f"--{', --'.join(FLAGS[1:])} need --refine")


def langevin(parser: Parser) -> "Langevin | None":
    """Returns the refinement that the flags describe; None without `--refine`."""
    values = parser.values
    if values.refine is None:
        return None
    from tfgans.refinement import Langevin

    options = {
        argument: values[flag].value
        for argument, flag in _ARGUMENTS.items()
        if values[flag].value is not None
    }
    if values.refine_prior and values.refine != "latent":
        raise ValueError(
            f"--refine_prior needs --refine=latent. Received: --refine={values.refine}"
        )
    with errors_in_flags(_ARGUMENTS):
        if values.refine == "images":
            return Langevin.for_images(**options)
        return Langevin(space=values.refine, prior=bool(values.refine_prior), **options)
