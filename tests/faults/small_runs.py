"""A run of a few steps in this process, and what is left of it."""

import keras
import tiny

import tfgans
from tfgans import training

STEPS = 6


def source():
    return tfgans.data.from_array(tiny.digits(64))


def model():
    """A new mixture with an average, compiled without the time that a graph takes."""
    small = {"width": 4, "depth": 1, "normalization": "none"}
    made = [
        tfgans.networks.mlp_generator((8, 8, 1), latent_dim=2, seed=seed, **small)
        for seed in range(2)
    ]
    judge = tfgans.networks.mlp_discriminator((8, 8, 1), seed=2, **small)
    gan = tfgans.NonSaturatingGAN(tfgans.MixtureGenerator(made), judge, ema=0.9)
    gan.compile(run_eagerly=True)
    return gan


def train(run_dir, *, steps=STEPS, gan=None, **options):
    gan = model() if gan is None else gan
    sizes = {"batch_size": 8, "steps_per_epoch": 2, "backup_every": 2, "grid_every": 3, **options}
    training.Run(run_dir, gan, source(), steps=steps, **sizes).train()
    return gan


def names(run_dir):
    """All files of a run, but for the checksums of backups and the files of TensorBoard."""
    names = (str(path.relative_to(run_dir)) for path in run_dir.rglob("*"))
    plain = (name for name in names if not name.startswith("tensorboard/"))
    return sorted(name.split("-")[1] if name.startswith("backups/") else name for name in plain)


def final(run_dir):
    return keras.saving.load_model(run_dir / "final.keras")
