"""Claims about CIFAR-10, CelebA and MNIST: recipes for users who have the data and a GPU.

`recipes/*.flags` are flag files of `tfgans train`, one for each paper and data set:

tfgans train --flagfile=tfgans/labs/recipes/cifar10_sngan.flags --run_dir=runs/cifar10_sngan
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfgans.labs.lab import Claim, Lab

RECIPES = Path(__file__).parent / "recipes"

PROTOCOL = """
No run here: images of this size ask for a GPU, and the data for a download. Each claim has a flag
file with the paper's settings, as far as they are known to us; what is ours is said at its top:

    tfgans train --flagfile=tfgans/labs/recipes/NAME.flags --run_dir=runs/NAME
    tfgans evaluate --run_dir=runs/NAME --extractor=inception:PATH --metrics=frechet_distance

`cifar10_dcd` starts from `runs/cifar10_sngan`. Tests run every recipe for a few steps, on made-up
images of the right size: that is all that is known of them.
"""

_REASON = "it needs the data and a GPU: not run. Recipe: {}"
_CLAIMS = (
    ("DCGAN learns natural images", "Radford et al. 2016", "cifar10_dcgan"),
    (
        "WGAN-GP with a residual network has a higher Inception Score than DCGAN on CIFAR-10",
        "Gulrajani et al. 2017",
        "cifar10_wgan_gp, cifar10_dcgan",
    ),
    (
        "SNGAN has a higher Inception Score than WGAN-GP on CIFAR-10",
        "Miyato et al. 2018",
        "cifar10_sngan, cifar10_wgan_gp",
    ),
    (
        "DCD improves Inception Score and FID of SNGAN on CIFAR-10",
        "Song et al. 2020",
        "cifar10_dcd after cifar10_sngan",
    ),
    (
        "KL-WGAN has a lower FID than the hinge loss on CIFAR-10",
        "Song & Ermon 2020",
        "cifar10_kl_wgan",
    ),
    (
        "MIX + DCGAN has a higher Inception Score than DCGAN on CIFAR-10",
        "Arora et al. 2017",
        "cifar10_mix_dcgan, cifar10_mix_single",
    ),
    (
        "MIX + DCGAN has no larger support than DCGAN on CelebA, by the birthday paradox",
        "Arora & Zhang 2017",
        "celeb_a_mix_dcgan, celeb_a_dcgan",
    ),
    (
        "A gradient penalty improves the non-saturating GAN on CelebA",
        "Fedus et al. 2018",
        "celeb_a_gan_gp, celeb_a_dcgan",
    ),
    ("WGAN-GP is best on Color MNIST", "Fedus et al. 2018", "color_mnist_wgan_gp"),
    (
        "With R1 and R2 the relativistic game covers all 1000 modes of Stacked MNIST",
        "Huang et al. 2024",
        "stacked_mnist_r3gan",
    ),
)


def cells(quick: bool) -> Sequence[Mapping[str, Any]]:
    """Returns nothing to run."""
    del quick
    return []


def measure(*, seed: int) -> dict[str, Any]:
    """Never called: there are no cells."""
    raise NotImplementedError(f"There is no run {seed}: train with a flag file of {RECIPES}")


LAB = Lab(
    name="real_images",
    title="What waits for data and a GPU",
    protocol=PROTOCOL,
    measures={},
    cells=cells,
    measure=measure,
    claims=tuple(Claim(text, paper, _REASON.format(files)) for text, paper, files in _CLAIMS),
)
