"""Generators that the tests of serving export, small and trained for an instant."""

from pathlib import Path

import keras
import numpy as np
import tiny

import tfgans

ROOT = Path(__file__).parents[1]


def make(kind):
    """Returns a model of the kind, with an average of its generator where it has one."""
    keras.config.set_dtype_policy("float32")
    if kind == "conditional":
        players = tiny.conditional_generator(), tiny.conditional_discriminator()
        gan = tfgans.NonSaturatingGAN(*players, num_classes=10)
        gan.compile()
        return gan
    if kind == "points":
        networks = tfgans.networks
        players = networks.mlp_generator((2,), latent_dim=3), networks.mlp_discriminator((2,))
        gan = tfgans.NonSaturatingGAN(*players)
        gan.compile()
        return gan
    if kind == "plain":
        gan = tiny.gan(ema=0.9)
        gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=2, verbose=0)
        return gan
    gan = tfgans.NonSaturatingGAN(*tiny.mixtures(3, 2), ema=0.9)
    gan.compile()
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=1, verbose=0)
    gan.ema_generator.set_probabilities([0.5, 0.3, 0.2])
    return gan


def num_components(kind):
    return 3 if kind == "mixture" else 1


def labels(kind, values, name="labels"):
    """The input of classes, of a conditional model."""
    return {name: np.asarray(values, np.int32)} if kind == "conditional" else {}
