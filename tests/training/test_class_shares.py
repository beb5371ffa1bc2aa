"""A run remembers how often each class occurs, and its samples are of classes drawn so."""

import json

import numpy as np
import pytest
import tiny
from commands import run as run_script
from scipy import stats

import tfgans
from tfgans import training

SHARES = [0.5, 0.0, 0.375, 0.125]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "unequal"
    labels = np.repeat(np.arange(4), (64 * np.array(SHARES)).astype(int))
    source = tfgans.data.from_array(tiny.digits(64), labels=labels)
    gan = tfgans.NonSaturatingGAN(
        tiny.conditional_generator(num_classes=5),
        tiny.conditional_discriminator(num_classes=5),
        num_classes=5,
    )
    gan.compile(run_eagerly=True)
    training.train(gan, source, run_dir=path, steps=1, batch_size=8, doctor_every=None)
    return path


def test_classes_are_drawn_by_them(finished):
    assert json.loads((finished / "run.json").read_text())["settings"]["class_shares"] == SHARES
    labels = training.draw_labels(finished, 2000, seed=3)
    counts = np.bincount(labels, minlength=4)
    assert counts[1] == 0
    likely = np.array(SHARES) > 0
    assert stats.chisquare(counts[likely], 2000 * np.array(SHARES)[likely]).pvalue > 1e-3
    np.testing.assert_array_equal(training.draw_labels(finished, 20, seed=3), labels[:20])


def test_the_script_samples_by_them(finished, tmp_path):
    flags = "--run_dir={path} --num=9 --seed=3 --out={out}"
    done = run_script("sample.py", flags, path=finished, out=tmp_path / "s.npy")
    assert done.returncode == 0, done.stderr
    gan = training.load_final(finished)
    expected = gan.sample(9, seed=3, labels=training.draw_labels(finished, 9, seed=3))
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), expected, atol=1e-6)
    assert not np.allclose(expected, gan.sample(9, seed=3), atol=1e-3)


@pytest.mark.parametrize("shares", ["half", [0.5, "half"], [0.5, 0.2], [2, -1], [float("nan")], []])
def test_damaged_shares(tmp_path, shares):
    record = {"settings": {"class_shares": shares}, "versions": {}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"`class_shares`.*damaged"):
        training.draw_labels(tmp_path, 3, seed=0)


def test_a_run_without_classes_has_none(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"settings": {}, "versions": {}}))
    assert training.draw_labels(tmp_path, 3, seed=0) is None
