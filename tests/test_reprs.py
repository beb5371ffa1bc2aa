"""One line says what an object is and how it is set, without its data."""

import numpy as np
import pytest
import tiny

import tfgans
from tfgans import callbacks, evaluation
from tfgans.data import GaussianMixture, Source, from_array, load
from tfgans.evaluation import Extractor


def digits():
    return from_array(tiny.digits(64), labels=tiny.digit_labels(64))


def test_settings_come_by_name():
    assert repr(tfgans.data.Ring(num_modes=3, radius=1.0, std=0.5, seed=7)) == (
        "Ring(num_modes=3, radius=1.0, std=0.5, seed=7, name='ring')"
    )
    assert repr(callbacks.Progress(20)) == "Progress(total_steps=20)"
    assert repr(callbacks.StopOnNaN()) == "StopOnNaN()"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (digits(), ["array of shape (64, 8, 8, 1), float32", "array of shape (64,), int64"]),
        (load("digits"), ["(1437, 8, 8, 1), uint8", "'digits'"]),
        (tfgans.data.StackedImages(digits()), ["StackedImages(images=ArraySource(", "seed=0"]),
        (GaussianMixture(np.zeros([30, 2]), std=0.1), ["array of shape (30, 2)", "std=0.1"]),
        (GaussianMixture([[0, 1]], std=0.1), ["modes=array([[0., 1.]]"]),
        (tfgans.data.LowRankGaussian(rank=2), ["dim=10", "rank=2", "basis_seed=0"]),
        (evaluation.Identity(), ["Identity(name='identity'"]),
        (evaluation.keras_model(tiny.discriminator(), "flatten"), ["KerasExtractor", "checksum='"]),
        (evaluation.FunctionExtractor(np.ravel), ["name='ravel'"]),
        (evaluation.Evaluator(digits(), seed=3), ["source=ArraySource(", "num_real=64", "seed=3"]),
        (callbacks.Backup("backups", every_steps=7), ["directory='backups'", "every_steps=7"]),
        (callbacks.Doctor(digits(), every_steps=7), ["every_steps=7", "penalty_growth=100.0"]),
        (callbacks.SampleGrid("samples"), ["directory='samples'", "num=64", "every_steps=500"]),
        (callbacks.MixtureMonitor("m.csv"), ["path='m.csv'", "warn=True"]),
        (
            callbacks.Evaluation(evaluation.Evaluator(digits()), best_model="best.keras"),
            ["Evaluator(", "every_epochs=1", "best_model='best.keras'"],
        ),
        (
            tfgans.penalties.PenaltySum(
                [tfgans.penalties.R1Penalty(), tfgans.penalties.R2Penalty()]
            ),
            ["PenaltySum(terms=(R1Penalty(weight=5.0", "R2Penalty(weight=5.0"],
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_a_line_tells_the_settings_and_no_data(value, parts):
    text = repr(value)
    assert "\n" not in text
    assert len(text) < 600
    for part in parts:
        assert part in text


def test_what_users_write_is_shown_too():
    class Constant(Source):
        def __init__(self, level, *, seed=0):
            super().__init__(name="constant", data_shape=(2,), seed=seed)
            self.level = level

        def _batch(self, step, batch_size):
            return np.full([batch_size, 2], self.level, np.float32)

    class Mean(Extractor):
        def extract(self, examples):
            return examples.mean(axis=1)

    assert repr(Constant(0.5)) == "Constant(level=0.5, seed=0)"
    assert repr(Mean("mean", checksum="a" * 64)) == (
        "Mean(name='mean', checksum='aaaaaaaaaaaaaaaa', resizing='none')"
    )
