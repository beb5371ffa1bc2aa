"""Evaluations while a model trains: when, what the logs see, and what is kept of the best."""

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


def evaluator(**options):
    source = tfgans.data.from_array(tiny.digits(100))
    return Evaluator(source, metrics=["frechet_distance"], **options)


def rows(path):
    header, *found = path.read_text().splitlines()
    assert header == "step,metric,value,low,high"
    return [(int(row.split(",")[0]), float(row.split(",")[2])) for row in found]


def test_every_second_epoch(tmp_path):
    gan = tiny.gan()
    evaluation = Evaluation(evaluator(), every_epochs=2, path=tmp_path / "a.csv")
    history = gan.fit(tiny.digits(), epochs=5, callbacks=[evaluation], **STEPS)
    values = history.history[NAME]
    assert rows(tmp_path / "a.csv") == [(4, values[0]), (8, values[1])]
    assert evaluation.record["metrics"][NAME]["value"] == values[1]


def test_the_logs_see_it(tmp_path):
    gan = tiny.gan()
    evaluation = Evaluation(evaluator())
    stopping = keras.callbacks.EarlyStopping(NAME, mode="min", patience=100)
    saving = keras.callbacks.ModelCheckpoint(
        tmp_path / "keras.keras", NAME, mode="min", save_best_only=True
    )
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    history = gan.fit(
        tiny.digits(), epochs=3, callbacks=[evaluation, stopping, saving, board], **STEPS
    )
    assert len(history.history[NAME]) == 3
    assert stopping.best == saving.best == evaluation.best == min(history.history[NAME])
    assert (tmp_path / "keras.keras").exists()
    events = b"".join(path.read_bytes() for path in (tmp_path / "board").rglob("events*"))
    assert b"epoch_frechet_distance" in events


def test_numbers_are_of_the_model_at_that_step():
    gan = tiny.gan()
    evaluation = Evaluation(evaluator())
    gan.fit(tiny.digits(), epochs=2, callbacks=[evaluation], **STEPS)
    assert evaluation.record == evaluator().evaluate(gan)


@pytest.mark.parametrize("mode", ["auto", "min", "max"])
def test_best_model_is_kept(tmp_path, mode):
    gan = tiny.gan()
    how = {"path": tmp_path / "a.csv", "best_model": tmp_path / "best.keras", "mode": mode}
    evaluation = Evaluation(evaluator(), **how)
    gan.fit(tiny.digits(), epochs=4, callbacks=[evaluation], **STEPS)
    values = dict(rows(tmp_path / "a.csv"))
    best = (max if mode == "max" else min)(values, key=values.get)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    assert loaded.step == best
    assert evaluator().evaluate(loaded)["metrics"][NAME]["value"] == pytest.approx(values[best])
    note = json.loads((tmp_path / "best.keras.json").read_text())
    assert note == {"step": best, "metric": NAME, "value": values[best]}


def test_best_model_stays_that_of_steps_gone_back_from(tmp_path):
    """A rollback drops rows; the model that is kept must still be the best by what is compared."""
    how = {"path": tmp_path / "a.csv", "best_model": tmp_path / "best.keras", "monitor": NAME}
    gan = tiny.gan()
    gan.fit(tiny.digits(), epochs=1, callbacks=[Evaluation(evaluator(), **how)], **STEPS)
    note = {"step": 4, "metric": NAME, "value": 1e-9}
    (tmp_path / "best.keras.json").write_text(json.dumps(note))
    kept = (tmp_path / "best.keras").read_bytes()
    gan.lower_learning_rates(0.5)
    evaluation = Evaluation(evaluator(), **how)
    gan.fit(tiny.digits(), initial_epoch=1, epochs=2, callbacks=[evaluation], **STEPS)
    assert evaluation.best == 1e-9
    assert (tmp_path / "best.keras").read_bytes() == kept
    (tmp_path / "best.keras.json").write_text("[]")
    with pytest.raises(ValueError, match=r"best\.keras\.json is damaged: it holds \[\]. Remove it"):
        gan.fit(tiny.digits(), initial_epoch=2, epochs=3, callbacks=[evaluation], **STEPS)


def test_resumed_training_replaces_rows_and_remembers_the_best(tmp_path):
    path, best_model = tmp_path / "a.csv", tmp_path / "best.keras"
    gan = tiny.gan()
    gan.fit(tiny.digits(), epochs=2, callbacks=[Evaluation(evaluator(), path=path)], **STEPS)
    before = rows(path)
    # What a kill left: rows after the backup, one of them cut.
    with path.open("a") as file:
        file.write(f"6,{NAME},0.001,0,0\n8,{NAME},0.0")
    evaluation = Evaluation(evaluator(), path=path, best_model=best_model, monitor=NAME)
    gan.fit(
        tiny.digits(),
        initial_epoch=2,
        epochs=3,
        callbacks=[evaluation],
        **STEPS,
    )
    after = rows(path)
    assert after[:2] == before
    assert [step for step, _ in after] == [2, 4, 6]
    assert evaluation.best == min(value for _, value in after)
    improved = after[2][1] < min(value for _, value in before)
    assert best_model.exists() == improved


def test_an_epoch_cut_short_is_not_evaluated():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    gan = tiny.gan()
    evaluation = Evaluation(evaluator())
    gan.fit(tiny.digits(), epochs=2, callbacks=[Stop(), evaluation], **STEPS)
    assert gan.step == 1
    assert evaluation.record is None


def test_a_broken_model_is_not_evaluated():
    gan = tiny.gan()
    gan.generator.set_weights([np.full_like(one, np.nan) for one in gan.generator.get_weights()])
    evaluation = Evaluation(evaluator())
    with pytest.warns(UserWarning, match="not evaluated"):
        gan.fit(tiny.digits(), callbacks=[evaluation], **STEPS)
    assert evaluation.record is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_epochs": 0}, "every_epochs"),
        ({"mode": "most"}, "'auto', 'min', 'max'"),
        ({"best_model": "best.h5"}, ".keras"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Evaluation(evaluator(), **options)


def test_bad_evaluator_monitor_and_file(tmp_path):
    with pytest.raises(ValueError, match="Evaluator"):
        Evaluation("digits")
    gan = tiny.gan()
    with pytest.raises(ValueError, match="FID"):
        gan.fit(tiny.digits(), callbacks=[Evaluation(evaluator(), monitor="FID")], **STEPS)
    (tmp_path / "a.csv").write_text("epoch,loss\n")
    with pytest.raises(ValueError, match="table of `Evaluation`"):
        gan.fit(
            tiny.digits(), callbacks=[Evaluation(evaluator(), path=tmp_path / "a.csv")], **STEPS
        )


def test_data_of_unknown_length(tmp_path):
    def batches():
        for _ in range(3):
            yield tiny.digits(16)

    spec = tf.TensorSpec([16, 8, 8, 1], tf.float32)
    gan = tiny.gan(tfgans.NonSaturatingGAN)
    evaluation = Evaluation(evaluator())
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    history = gan.fit(data, verbose=0, callbacks=[evaluation])
    assert gan.step == 3
    assert len(history.history[NAME]) == 1


def test_a_table_of_other_settings_is_refused_before_training(tmp_path):
    path = tmp_path / "a.csv"
    gan = tiny.gan()
    gan.fit(tiny.digits(), callbacks=[Evaluation(evaluator(), path=path)], **STEPS)
    step, text = gan.step, path.read_text()
    others = {
        "num_samples": evaluator(num_samples=50),
        "metrics": Evaluator(evaluator().source, metrics=["near_copies"]),
        "seed": evaluator(seed=1),
    }
    for name, other in others.items():
        with pytest.raises(ValueError, match=f"other settings .*{name}"):
            gan.fit(tiny.digits(), callbacks=[Evaluation(other, path=path)], **STEPS)
    assert gan.step == step
    assert path.read_text() == text
    path.unlink()
    gan.fit(tiny.digits(), callbacks=[Evaluation(others["seed"], path=path)], **STEPS)
