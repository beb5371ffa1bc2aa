"""Evaluations while a model trains: when, what the logs see, and the best model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.callbacks import Evaluation
from tfgans.evaluation import Evaluator

NAME = "frechet_distance[identity]"
STEPS = {"batch_size": 16, "steps_per_epoch": 2, "verbose": 0}


def perceptrons():
    small = {"width": 8, "depth": 1}
    return (
        tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, **small),
        tfgans.networks.mlp_discriminator((8, 8, 1), **small),
    )


def eager(networks=None, **options):
    """A model of which a few steps take less time than the tracing of a graph."""
    gan = tfgans.NonSaturatingGAN(*(networks or perceptrons()), **options)
    gan.compile(run_eagerly=True)
    return gan


def evaluator(**options):
    source = tfgans.data.from_array(tiny.digits(100))
    return Evaluator(source, metrics=["frechet_distance"], **options)


def rows(path):
    header, *lines = path.read_text().splitlines()
    assert header == "step,metric,value,low,high"
    return [(int(line.split(",")[0]), float(line.split(",")[2])) for line in lines]


def test_every_second_epoch_of_which_the_logs_see_the_numbers(tmp_path):
    gan = eager()
    evaluation = Evaluation(evaluator(), every_epochs=2, path=tmp_path / "a.csv")
    stopping = keras.callbacks.EarlyStopping(NAME, mode="min", patience=100)
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    callbacks = [evaluation, stopping, board]
    with pytest.warns(UserWarning, match="Early stopping conditioned on metric"):
        history = gan.fit(tiny.digits(), epochs=4, callbacks=callbacks, **STEPS)
    values = history.history[NAME]
    assert rows(tmp_path / "a.csv") == [(4, values[0]), (8, values[1])]
    # The numbers are those of the model at that step.
    assert evaluation.record == evaluator().evaluate(gan)
    assert evaluation.record.metrics[NAME].value == values[1]
    assert stopping.best == evaluation.best == min(values)
    events = b"".join(path.read_bytes() for path in (tmp_path / "board").rglob("events*"))
    assert b"epoch_frechet_distance" in events


@pytest.mark.parametrize(
    "mode", ["auto", *(pytest.param(mode, marks=pytest.mark.slow) for mode in ("min", "max"))]
)
def test_best_model_is_kept(tmp_path, mode):
    gan = eager()
    options = {"path": tmp_path / "a.csv", "best_model": tmp_path / "best.keras", "mode": mode}
    gan.fit(tiny.digits(), epochs=3, callbacks=[Evaluation(evaluator(), **options)], **STEPS)
    values = dict(rows(tmp_path / "a.csv"))
    best = (max if mode == "max" else min)(values, key=values.get)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    assert loaded.step == best
    assert evaluator().evaluate(loaded).metrics[NAME].value == pytest.approx(values[best])
    note = json.loads((tmp_path / "best.keras.json").read_text())
    assert note == {"step": best, "metric": NAME, "value": values[best]}


@pytest.mark.slow
def test_larger_is_better_of_a_metric_that_says_so(tmp_path):
    """A better model replaces the kept one, by the direction of the metric."""
    source = tfgans.data.from_array(tiny.digits(100))
    measured = Evaluator(source, metrics=["precision_recall"])
    gan, kept = eager(), []
    gan.fit(tiny.digits(), **STEPS)
    for value in ("-1.0", "2.0"):
        path, best_model = tmp_path / f"{value}.csv", tmp_path / f"{value}.keras"
        path.write_text(f"step,metric,value,low,high\n2,precision[identity],{value},,\n")
        evaluation = Evaluation(measured, path=path, best_model=best_model)
        gan.fit(tiny.digits(), callbacks=[evaluation], **STEPS)
        kept.append(best_model.exists())
    assert kept == [True, False]


def test_best_model_stays_that_of_steps_rolled_back(tmp_path):
    """A rollback drops rows; the model that is kept must still be the best of all."""
    options = {"path": tmp_path / "a.csv", "best_model": tmp_path / "best.keras", "monitor": NAME}
    gan = eager()
    gan.fit(tiny.digits(), epochs=1, callbacks=[Evaluation(evaluator(), **options)], **STEPS)
    note = {"step": 4, "metric": NAME, "value": 1e-9}
    (tmp_path / "best.keras.json").write_text(json.dumps(note))
    kept = (tmp_path / "best.keras").read_bytes()
    gan.count_rollback()
    evaluation = Evaluation(evaluator(), **options)
    gan.fit(tiny.digits(), initial_epoch=1, epochs=2, callbacks=[evaluation], **STEPS)
    assert evaluation.best == 1e-9
    assert (tmp_path / "best.keras").read_bytes() == kept
    (tmp_path / "best.keras.json").write_text("[]")
    with pytest.raises(ValueError, match=r"best\.keras\.json is damaged: it holds \[\]. Remove it"):
        gan.fit(tiny.digits(), initial_epoch=2, epochs=3, callbacks=[evaluation], **STEPS)


def test_resumed_training_replaces_rows_and_remembers_the_best(tmp_path):
    path, best_model = tmp_path / "a.csv", tmp_path / "best.keras"
    gan = eager()
    gan.fit(tiny.digits(), epochs=2, callbacks=[Evaluation(evaluator(), path=path)], **STEPS)
    before = rows(path)
    # What a kill left: rows after the backup, the last of them cut.
    with path.open("a") as file:
        file.write(f"6,{NAME},0.001,0,0\n8,{NAME},0.0")
    evaluation = Evaluation(evaluator(), path=path, best_model=best_model, monitor=NAME)
    gan.fit(tiny.digits(), initial_epoch=2, epochs=3, callbacks=[evaluation], **STEPS)
    after = rows(path)
    assert after[:2] == before
    assert [step for step, _ in after] == [2, 4, 6]
    assert evaluation.best == min(value for _, value in after)
    assert best_model.exists() == (after[2][1] < min(value for _, value in before))


class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = True


def test_an_epoch_cut_short_and_a_broken_model_are_not_evaluated():
    gan, evaluation = eager(), Evaluation(evaluator())
    gan.fit(tiny.digits(), epochs=2, callbacks=[Stop(), evaluation], **STEPS)
    assert gan.step == 1
    assert evaluation.record is None
    weights = gan.generator.get_weights()
    gan.generator.set_weights([np.full_like(array, np.nan) for array in weights])
    with pytest.warns(UserWarning, match="not evaluated"):
        gan.fit(tiny.digits(), callbacks=[evaluation], **STEPS)
    assert evaluation.record is None


def test_a_model_whose_samples_overflow_is_not_evaluated():
    gan = eager(
        (
            tfgans.networks.mlp_generator((2,), latent_dim=2),
            tfgans.networks.mlp_discriminator((2,)),
        )
    )
    gan.generator.set_weights([np.full_like(x, 1e30) for x in gan.generator.get_weights()])
    evaluation = Evaluation(Evaluator(tfgans.data.Ring(), num_samples=50, num_real=50))
    evaluation.set_model(gan)
    evaluation.last_step = 0
    with pytest.warns(UserWarning, match=r"Step 0 is not evaluated: `generated examples` must be"):
        evaluation.on_epoch_end(0)
    assert evaluation.record is None


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_data_of_unknown_length(steps_per_execution):
    """The last call takes a single step."""

    def batches():
        for _ in range(3):
            yield tiny.digits(16)

    data = tf.data.Dataset.from_generator(
        batches, output_signature=tf.TensorSpec([16, 8, 8, 1], tf.float32)
    )
    gan = eager()
    gan.compile(run_eagerly=True, steps_per_execution=steps_per_execution)
    history = gan.fit(data, verbose=0, callbacks=[Evaluation(evaluator())])
    assert gan.step == 3
    assert len(history.history[NAME]) == 1


def test_a_table_of_other_settings_is_refused_before_training(tmp_path):
    path = tmp_path / "a.csv"
    gan = eager()
    gan.fit(tiny.digits(), callbacks=[Evaluation(evaluator(), path=path)], **STEPS)
    step, text = gan.step, path.read_text()
    other = Evaluator(evaluator().source, metrics=["near_copies"], num_samples=50, seed=1)
    evaluation = Evaluation(other, path=path)
    with pytest.raises(ValueError, match=r"other settings \(metrics, num_samples, seed differ"):
        gan.fit(tiny.digits(), callbacks=[evaluation], **STEPS)
    assert gan.step == step
    assert path.read_text() == text
    path.unlink()
    gan.fit(tiny.digits(), callbacks=[evaluation], **STEPS)
    assert evaluation.record is not None


@pytest.mark.slow
def test_the_rule_of_the_classes_is_a_setting(tmp_path):
    networks = tiny.conditional_generator(), tiny.conditional_discriminator()
    gan = eager(networks, num_classes=10)
    images, labels = tiny.digits(100), tiny.digit_labels(100)

    def fit(source):
        measured = Evaluator(source, metrics=["frechet_distance"])
        evaluation = Evaluation(measured, path=tmp_path / "a.csv")
        gan.fit(images, labels, callbacks=[evaluation], **STEPS)

    fit(tfgans.data.from_array(images, labels=labels))
    with pytest.raises(ValueError, match=r"other settings \(.*classes"):
        fit(tfgans.data.from_array(images))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"evaluator": "digits"}, "Evaluator"),
        ({"every_epochs": 0}, "every_epochs"),
        ({"mode": "most"}, "'auto', 'min', 'max'"),
        ({"best_model": "best.h5"}, ".keras"),
        ({"monitor": "FID"}, "must be one of 'frechet_distance"),
        ({"monitor": 3}, "`monitor` must be"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Evaluation(**{"evaluator": evaluator(), **options})


def test_a_number_without_a_better_direction_decides_only_with_a_mode():
    source = tfgans.data.from_array(tiny.digits(130))
    images = tfgans.evaluation.Evaluator(source, metrics=["ms_ssim"])
    with pytest.raises(ValueError, match="of which more, or less, is better"):
        Evaluation(images, monitor="ms_ssim(real)")
    with pytest.raises(ValueError, match=r"`monitor` and `mode` must be set .* ms_ssim, ms_ssim"):
        Evaluation(images, best_model="best.keras")
    assert Evaluation(images, monitor="ms_ssim", mode="min").monitor == "ms_ssim"
    assert Evaluation(images).monitor is None
    both = tfgans.evaluation.Evaluator(source, metrics=["ms_ssim", "near_copies"])
    assert Evaluation(both).monitor == "near_copies"
