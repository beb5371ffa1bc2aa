"""Small generators and their exports, each made once in a run of tests by one of its processes."""

import functools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tiny

import tfgans
from tfgans import files

ROOT = Path(__file__).parents[1]
CLASS_NAMES = ["zero", "one", "zwölf", "three", "4", "five"]  # Four fewer than classes.
# The folder of the exports, which `conftest.py` sets.
shared_folder = Path()
NUM_COMPONENTS = {"plain": 1, "mixture": 3, "conditional": 1, "points": 1}


def make(kind):
    """Returns a model of a kind, with an average of its generator where it has one."""
    keras.config.set_dtype_policy("float32")
    if kind == "conditional":
        players = tiny.conditional_generator(), tiny.conditional_discriminator()
        gan = tfgans.NonSaturatingGAN(*players, num_classes=10)
    elif kind == "points":
        networks = tfgans.networks
        players = networks.mlp_generator((2,), latent_dim=3), networks.mlp_discriminator((2,))
        gan = tfgans.NonSaturatingGAN(*players)
    elif kind == "plain":
        gan = tiny.gan(ema=0.9, compiled=False)
    else:
        gan = tfgans.NonSaturatingGAN(*tiny.mixtures(3, 2), ema=0.9)
    gan.compile()
    if kind in ("plain", "mixture"):
        # As after training: the average is not the generator, and normalization has statistics.
        for variable in gan.ema_generator.weights:
            variable.assign(1.1 * variable + 0.1)
    if kind == "mixture":
        gan.ema_generator.set_probabilities([0.5, 0.3, 0.2])
    return gan


class Labeled(tf.Module):
    """A model of another library, which returns its inputs."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, 2], name="z"), tf.TensorSpec([None], tf.int64, "y")]
    )
    def make(self, z, y):
        return {"out": tf.concat([z, tf.cast(y, tf.float32)[:, tf.newaxis]], axis=1)}


class Export:
    """A live model and its first version, which was not compared in a new process."""

    def __init__(self, kind):
        self.kind, self.live = kind, make(kind)

    @functools.cached_property
    def version(self):
        version = shared_folder / self.kind / "1"
        names = CLASS_NAMES if self.kind == "conditional" else None
        with files.locked(shared_folder):
            if not version.exists():
                self.live.export(version.parent, class_names=names, verify=False)
        return version

    @functools.cached_property
    def loaded(self):
        return tf.saved_model.load(str(self.version))

    def __call__(self, signature, **inputs):
        """Returns the outputs of a signature as arrays."""
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        outputs = self.loaded.signatures[signature](**tensors)
        return {name: value.numpy() for name, value in outputs.items()}

    def labels(self, values):
        """Returns the input of classes, empty if the model is not conditional."""
        return {"labels": np.asarray(values, np.int32)} if self.kind == "conditional" else {}


@functools.cache
def export(kind):
    """Returns the export of a kind; its folder of versions has the kind as name."""
    return Export(kind)
