"""Backup, SampleGrid, StopOnNaN, GracefulStop and Progress: what they write, when, and say."""

import os
import signal
import types

import keras
import numpy as np
import pytest
import tiny
import toy
from PIL import Image

import tfgans
from tfgans import callbacks, files, pictures
from tfgans.callbacks.epoch_log import EpochLog
from tfgans.callbacks.step_table import StepTable


def steps_of(folder):
    return sorted(int(path.name.split("-")[1].split(".")[0]) for path in folder.iterdir())


def nan_weights(gan):
    gan.discriminator.weights[0].assign(gan.discriminator.weights[0] * np.nan)


def with_dropout():
    inputs = keras.Input((2,))
    hidden = keras.layers.Dropout(0.3)(keras.layers.Dense(8, "tanh")(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


class TestBackup:
    def test_every_steps_and_the_end_keeping_the_last_two(self, tmp_path):
        dead = f"{files.temporary_prefix()}999999999-backup.weights.h5"
        (tmp_path / dead).write_text("half")  # What a killed process leaves.
        toy.fit(toy.gan(), 7, callbacks.Backup(tmp_path, every_steps=3))
        assert steps_of(tmp_path) == [6, 7]

    def test_steps_per_execution_does_not_hide_a_multiple(self, tmp_path):
        gan = toy.gan()
        gan.compile("adam", "adam", steps_per_execution=4)
        toy.fit(gan, 12, callbacks.Backup(tmp_path, every_steps=5, keep=9))
        assert steps_of(tmp_path) == [8, 12]  # After 5 and after 10.

    def test_backups_of_another_training_are_not_overwritten(self, tmp_path):
        toy.fit(toy.gan(), 6, callbacks.Backup(tmp_path, every_steps=3))
        before = sorted(tmp_path.iterdir())
        begun = []
        first = keras.callbacks.LambdaCallback(on_train_begin=begun.append)
        with pytest.raises(ValueError, match="up to step 6, and the model is at step 0"):
            toy.fit(toy.gan(), 3, first, callbacks.Backup(tmp_path, every_steps=3))
        assert not begun  # Other callbacks have lost nothing, either.
        assert sorted(tmp_path.iterdir()) == before

    def test_training_continues_from_a_step_that_was_restored(self, tmp_path):
        """As `EarlyStopping(restore_best_weights=True)` does."""
        gan, early = toy.gan(), toy.gan()
        toy.fit(early, 3)
        backup = callbacks.Backup(tmp_path, every_steps=2)
        restore = keras.callbacks.LambdaCallback(
            on_train_end=lambda logs: gan.set_weights(early.get_weights())
        )
        toy.fit(gan, 6, restore, backup)
        assert steps_of(tmp_path) == [3]
        toy.fit(gan, 2, backup)
        assert steps_of(tmp_path) == [4, 5]

    def test_a_backup_that_was_removed_is_missing_and_of_no_other_model(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            callbacks.Backup(tmp_path).load(toy.gan(), tmp_path / "step-3-x.weights.h5")

    def test_damaged_backup_gives_way_to_the_backup_before(self, tmp_path):
        toy.fit(toy.gan(), 6, callbacks.Backup(tmp_path, every_steps=3))
        newest = max(tmp_path.iterdir())
        newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
        # Another worker of a cluster leaves the file to the chief.
        assert callbacks.Backup(tmp_path).restore(toy.gan(), rename_damaged=False) == 3
        assert newest.exists()
        gan = toy.gan()
        with pytest.warns(UserWarning, match=r"step-00000006.* is damaged .* the one before"):
            assert callbacks.Backup(tmp_path).restore(gan) == gan.step == 3
        toy.fit(gan, 3, callbacks.Backup(tmp_path))
        assert callbacks.Backup(tmp_path).restore(toy.gan()) == 6

    @pytest.mark.filterwarnings("ignore:Skipping nested container")
    def test_what_cannot_be_restored(self, tmp_path):
        assert callbacks.Backup(tmp_path / "none").restore(toy.gan()) is None
        with pytest.raises(ValueError, match="Compile the model before"):
            callbacks.Backup(tmp_path).restore(tfgans.NonSaturatingGAN(*toy.points()))
        backup = callbacks.Backup(tmp_path)
        path = backup.save(toy.gan())
        other = toy.gan()
        other.compile("sgd", "sgd")
        dropout = toy.gan(networks=(toy.points()[0], with_dropout()))
        for model in (other, dropout):
            with pytest.raises(ValueError, match="does not fit this model"):
                backup.load(model, path)

    def test_broken_weights_do_not_replace_good_weights(self, tmp_path):
        gan = toy.fit(toy.gan(), 1, callbacks.Backup(tmp_path))
        nan_weights(gan)
        with pytest.warns(UserWarning, match="Step 1 is not backed up"):
            assert callbacks.Backup(tmp_path).save(gan) is None
        assert steps_of(tmp_path) == [1]


def grid_of(folder, step):
    with Image.open(folder / f"step-{step:08d}.png") as image:
        return np.asarray(image.convert("RGB"))


def rgb(pixels):
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


class TestSampleGrid:
    def test_real_images_as_the_discriminator_sees_them(self, tmp_path):
        source, augment = tfgans.data.from_array(tiny.digits(9)), tfgans.augmentation.DiffAugment()
        gan = tfgans.NonSaturatingGAN(tiny.generator(), tiny.discriminator(), augmentation=augment)
        gan.compile(run_eagerly=True)
        grid = callbacks.SampleGrid(tmp_path, num=16, every_steps=1, augmented=source)
        toy.fit(gan, 0, grid)
        key = tfgans.random.key(0, tfgans.random.ReservedStep.SHOWN_EXAMPLES)
        images = augment(next(iter(source.batches(9))), key)
        expected = tfgans.pictures.picture(np.clip(images, -1, 1))
        with Image.open(tmp_path / "augmented-00000000.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), rgb(expected))
        grid = callbacks.SampleGrid(tmp_path, augmented=source)
        with pytest.raises(ValueError, match="Received: a model without"):
            toy.fit(tiny.gan(run_eagerly=True), 0, grid)
        with pytest.raises(ValueError, match=r"`augmented` must be a tfgans\.data\.Source"):
            callbacks.SampleGrid(tmp_path, augmented=tiny.digits(9))

    def test_pictures_of_the_same_latents(self, tmp_path):
        gan = toy.gan(networks=(tiny.generator(), tiny.discriminator()))
        grid = callbacks.SampleGrid(
            tmp_path / "g", num=9, every_steps=2, seed=4, log_dir=tmp_path / "tb"
        )
        toy.fit(gan, 5, grid)
        assert steps_of(tmp_path / "g") == [0, 2, 4, 5]
        expected = pictures.image_grid(gan.sample(9, seed=4))
        np.testing.assert_array_equal(grid_of(tmp_path / "g", 5), rgb(expected))
        events = toy.scalars(tmp_path / "tb")
        assert events.keys() == {(step, "samples") for step in (0, 2, 4, 5)}

    def test_a_row_for_each_component(self, tmp_path):
        gan = toy.gan(networks=tiny.mixtures(3, 1), ema=0.9)
        gan.generator.set_probabilities([0.5, 0.3, 0.2])  # The average has others.
        for num, a_row in [(10, 3), (2, 1)]:
            folder = tmp_path / str(num)
            toy.fit(gan, 0, callbacks.SampleGrid(folder, num=num, seed=4))
            rows = np.stack([gan.sample(a_row, seed=4, component=index) for index in range(3)])
            expected = pictures.component_rows(rows, gan.ema_generator.probabilities)
            np.testing.assert_array_equal(grid_of(folder, 0), rgb(expected))


def test_stop_on_nan_says_whose_and_which_step():
    guard = callbacks.StopOnNaN()
    poison = toy.Act(lambda gan: nan_weights(gan) if gan.step == 2 else None)
    with pytest.warns(RuntimeWarning, match="step 3: the discriminator broke"):
        gan = toy.fit(toy.gan(), 9, poison, guard)
    assert gan.step == 3
    assert "discriminator_loss is nan" in guard.message
    assert toy.fit(toy.gan(), 2, guard).step == 2
    assert guard.message is None


def kick(number):
    """Sends a signal to this process after the second step."""
    return toy.Act(lambda gan: os.kill(os.getpid(), number) if gan.step == 2 else None)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda path, ring: callbacks.Doctor(ring), "source"),
        (lambda path, ring: callbacks.Doctor(tiny.digits(16), held_out=ring), "held_out"),
        (lambda path, ring: callbacks.SampleGrid(path / "grids", augmented=ring), "augmented"),
        (
            lambda path, ring: callbacks.Evaluation(
                tfgans.evaluation.Evaluator(ring, num_real=100), path=path / "table.csv"
            ),
            "evaluator",
        ),
    ],
)
def test_examples_of_another_shape_are_refused_before_training(make, name, tmp_path):
    gan = toy.gan(networks=(tiny.generator(), tiny.discriminator()))
    callback = make(tmp_path, tfgans.data.Ring())
    expected = rf"`{name}` must have .* takes, \(8, 8, 1\). Received: 'ring' of shape \(2,\)"
    with pytest.raises(ValueError, match=expected):
        toy.fit(gan, 1, callback)
    assert gan.step == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_graceful_stop_finishes_the_step_and_others_save(tmp_path, number, capsys):
    before = signal.getsignal(number)
    with callbacks.GracefulStop() as stop:
        gan = toy.fit(toy.gan(), 9, kick(number), stop, callbacks.Backup(tmp_path))
    assert (stop.signal, gan.step, steps_of(tmp_path)) == (number, 2, [2])
    assert "stopping after this step" in capsys.readouterr().err
    assert signal.getsignal(number) == before
    with pytest.raises(ValueError, match="only as a context manager"):
        toy.fit(gan, 1, stop)


def test_a_second_signal_acts_at_once():
    # A process that a shell starts in the background ignores SIGINT.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), callbacks.GracefulStop() as stop:
            toy.fit(toy.gan(), 9, kick(signal.SIGINT), kick(signal.SIGINT), stop)
    finally:
        signal.signal(signal.SIGINT, before)


class Closed:
    """A terminal that has ended."""

    def write(self, text):
        raise BrokenPipeError


def test_a_signal_stops_once_and_needs_no_terminal(monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    monkeypatch.setattr("sys.stderr", Closed())
    try:
        stop = callbacks.GracefulStop()
        for _ in range(2):  # A stop is forgotten when it begins again.
            with stop:
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
                gan = toy.fit(
                    toy.gan(), 5, toy.Act(lambda gan: signal.raise_signal(signal.SIGTERM)), stop
                )
            assert (gan.step, stop.signal) == (1, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_epoch_log_has_the_columns_of_its_first_row(tmp_path):
    path = tmp_path / "log.csv"
    log = EpochLog(path)
    for epoch, logs in enumerate([{"loss": 1.5, "a": 2.0}, {"b": 0.0, "loss": 2.5}]):
        log.on_train_begin()
        log.on_epoch_end(epoch, logs)
        log.on_train_end()
    assert path.read_text().splitlines() == ["epoch,a,loss", "0,2.0,1.5", "1,NA,2.5"]


@pytest.mark.parametrize("row", ["3,1", "x,1,2", "3,1,2,3"])
def test_a_damaged_row_is_refused_and_half_of_the_last_is_dropped(tmp_path, row):
    path = tmp_path / "table.csv"
    table = StepTable(path, "step,a,b", writer="Writer")
    path.write_text("step,a,b\n1,2,3\n2,3")
    assert table.rows() == [["1", "2", "3"]]
    path.write_text(f"step,a,b\n1,2,3\n{row}\n4,5,6\n")
    with pytest.raises(ValueError, match=f"table.csv is damaged: line 3 is '{row}'"):
        table.begin(9)
    # Of some tables, the cells are numbers.
    path.write_text("step,a,b\n1,2,3\n2,3,x\n")
    assert table.parsed(len) == [3, 3]
    with pytest.raises(ValueError, match="line 3 is '2,3,x'"):
        table.parsed(lambda cells: float(cells[2]))


def test_progress_counts_the_whole_run(capsys):
    progress, gan = callbacks.Progress(5), toy.gan()
    toy.fit(gan, 2, progress)
    assert not capsys.readouterr().err
    toy.fit(gan, 3, progress)
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "step 5/5, discriminator_loss " in shown
    progress.close()
    assert not capsys.readouterr().err
    # Another callback ends the training.
    toy.fit(gan, 2, toy.Act(lambda gan: setattr(gan, "stop_training", True)), callbacks.Progress(9))
    assert "step 6/9, " in capsys.readouterr().err


def test_progress_leaves_the_first_call_out_of_the_speed(capsys, monkeypatch):
    gan = toy.gan()
    # The first step takes 101 seconds, the others a second each.
    clock = types.SimpleNamespace(monotonic=lambda: gan.step + 100.0 * (gan.step > 0))
    monkeypatch.setattr(callbacks.progress, "time", clock)
    toy.fit(gan, 40, callbacks.Progress(40))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["step 1/40", "step 31/40", "step 40/40"]
    assert "steps/s" not in lines[0]
    assert lines[1].endswith("1 steps/s, 9 s left")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: callbacks.Backup(path, every_steps=0), "`every_steps` must be"),
        (lambda path: callbacks.Backup(path, keep=0), "`keep` must be"),
        (lambda path: callbacks.SampleGrid(path, num=-1), "`num` must be"),
        (lambda path: callbacks.SampleGrid(path, last_step="end"), "`last_step` must be"),
        (lambda path: callbacks.Progress(0), "`total_steps` must be"),
        (lambda path: callbacks.MixtureMonitor(path, every_steps=0), "`every_steps` must be"),
        (lambda path: callbacks.MixtureMonitor(path, num=0), "`num` must be"),
        (lambda path: callbacks.MixtureMonitor(path, seed=0.5), "`seed` must be"),
    ],
)
def test_invalid_arguments(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(tmp_path)
