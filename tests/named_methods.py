"""Every named method, a row each, with networks that fit it: for all tests that go through them."""

import dataclasses
from typing import Any

import keras
import tiny

import tfgans

NON_SATURATING = tfgans.objectives.NonSaturating()


@dataclasses.dataclass(frozen=True)
class Method:
    """How a test makes one: options that differ from the defaults so that it is small and fast."""

    name: str
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    penalized: bool = False
    label: str = ""

    @property
    def cls(self):
        return getattr(tfgans, self.name)

    @property
    def logs(self):
        names = {"discriminator_loss", "real_logits", "fake_logits"}
        names |= {"penalty"} if self.penalized else set()
        return names | (set() if self.name == "DCD" else {"generator_loss"})

    def make(self, generator, discriminator, **options):
        model = self.cls(generator, discriminator, **{**self.options, **options})
        model.compile()
        return model

    def make_tiny(self, *, dropout=0.0, **options):
        judge = tiny.spectral_discriminator() if self.name == "SNGAN" else None
        return self.make(tiny.generator(), judge or tiny.discriminator(dropout=dropout), **options)

    def __str__(self):
        return self.label or self.name


TWO = {"discriminator_steps": 2}
SHORT = tfgans.refinement.Langevin(steps=3, step_size=0.1)
METHODS = [
    Method("GAN", {"objective": NON_SATURATING, "ema": 0.9, "weight_clip": 0.5}),
    Method("MinimaxGAN", {"label_smoothing": 0.1}),
    Method("NonSaturatingGAN", {"ema": 0.5}),
    Method("LeastSquaresGAN"),
    Method("HingeGAN", {"penalty": tfgans.penalties.R1Penalty(every=2)}, penalized=True),
    Method("WGAN", TWO),
    Method("WGAN", {**TWO, "critic_warmup": True}, label="WGAN, warm-up"),
    Method("WGANGP", {**TWO, "penalty_weight": 3.0}, penalized=True),
    Method("GANGP", penalized=True),
    Method("DRAGAN", {"noise": "symmetric", "minimax": True}, penalized=True),
    Method("FGAN", {"divergence": "kl"}),
    Method("KLWGAN", {**TWO, "form": "linear", "temperature": 2.0}),
    Method("R3GAN", {"gamma": 0.5}, penalized=True),
    Method(
        "R3GAN",
        {"schedule": tfgans.schedules.R3GANSchedule(num_images=100, ema_half_life=(0.0, 50.0))},
        penalized=True,
        label="R3GAN, scheduled",
    ),
    Method("SNGAN", TWO),
    Method("DCD", {"langevin": SHORT, "updates_per_batch": 2, "objective": NON_SATURATING}),
]


def small_networks(source, method, *, components=1):
    """A generator and a discriminator for any source; mixtures if there are several components."""
    shape, spectral = source.data_shape, method.name in ("SNGAN", "KLWGAN")
    normalization = "spectral" if spectral else "none"
    networks = tfgans.networks

    def generator(seed):
        return networks.mlp_generator(shape, latent_dim=4, width=32, depth=2, seed=seed)

    def discriminator(seed):
        return networks.mlp_discriminator(
            shape, width=32, depth=2, seed=100 + seed, normalization=normalization
        )

    if components == 1:
        return generator(0), discriminator(0)
    # At ten times this rate a payoff without a bound, say of a hinge, starves a component.
    slow = {"weight_learning_rate": 1e-3}
    return (
        tfgans.MixtureGenerator([generator(seed) for seed in range(components)], **slow),
        tfgans.MixtureDiscriminator([discriminator(seed) for seed in range(components)], **slow),
    )


def adam(rate=1e-3):
    return keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9)
