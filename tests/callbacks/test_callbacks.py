"""Callbacks over real training: what they write, when, and what they say."""

import os
import signal

import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

import tfgans
from tfgans import callbacks


def train(gan, steps, *used, **options):
    gan.fit(
        tiny.digits(),
        batch_size=16,
        steps_per_epoch=steps,
        callbacks=list(used),
        verbose=0,
        **options,
    )
    return gan


def steps_of(folder):
    return sorted(int(path.name.split("-")[1].split(".")[0]) for path in folder.iterdir())


class TestBackup:
    def test_every_steps_and_the_end_keeping_the_last_two(self, tmp_path):
        train(tiny.gan(), 7, callbacks.Backup(tmp_path / "b", every_steps=3))
        assert steps_of(tmp_path / "b") == [6, 7]

    def test_steps_per_execution_does_not_hide_a_multiple(self, tmp_path):
        gan = tiny.gan(compiled=False)
        gan.compile(steps_per_execution=4)
        train(gan, 12, callbacks.Backup(tmp_path, every_steps=5, keep=9))
        assert steps_of(tmp_path) == [8, 12]  # After 5 and after 10.

    def test_restored_model_trains_on_to_the_same_bits(self, tmp_path):
        everything = {"ema": 0.9, "dropout": 0.3}
        undisturbed = train(tiny.gan(**everything), 6)
        train(tiny.gan(**everything), 4, callbacks.Backup(tmp_path, every_steps=4))
        resumed = tiny.gan(**everything)
        assert callbacks.Backup(tmp_path).restore(resumed) == resumed.step == 4
        tiny.assert_same_state(train(resumed, 2), undisturbed)

    def test_damaged_backup_gives_way_to_the_one_before(self, tmp_path):
        train(tiny.gan(), 6, callbacks.Backup(tmp_path, every_steps=3))
        newest = max(tmp_path.iterdir())
        newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
        # Another worker of a cluster passes by what the chief will rename.
        assert callbacks.Backup(tmp_path).restore(tiny.gan(), mend=False) == 3
        assert newest.exists()
        gan = tiny.gan()
        with pytest.warns(UserWarning, match=r"step-00000006.* is damaged .* the one before"):
            assert callbacks.Backup(tmp_path).restore(gan) == 3
        assert gan.step == 3
        train(gan, 3, callbacks.Backup(tmp_path))
        assert callbacks.Backup(tmp_path).restore(tiny.gan()) == 6

    def test_other_optimizers_are_refused(self, tmp_path):
        train(tiny.gan(), 1, callbacks.Backup(tmp_path))
        gan = tiny.gan(compiled=False)
        gan.compile("sgd", "sgd")
        with pytest.raises(ValueError, match="does not fit this model"):
            callbacks.Backup(tmp_path).restore(gan)

    def test_one_flipped_bit_is_noticed(self, tmp_path):
        train(tiny.gan(), 2, callbacks.Backup(tmp_path, every_steps=1, keep=1))
        (only,) = tmp_path.iterdir()
        content = bytearray(only.read_bytes())
        content[len(content) // 3] ^= 1
        only.write_bytes(content)
        with (
            pytest.warns(UserWarning, match="damaged"),
            pytest.raises(ValueError, match=r"Every backup in .* was damaged"),
        ):
            callbacks.Backup(tmp_path).restore(tiny.gan())

    def test_nothing_to_restore(self, tmp_path):
        assert callbacks.Backup(tmp_path / "none").restore(tiny.gan()) is None

    def test_uncompiled_model_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="Compile the model before"):
            callbacks.Backup(tmp_path).restore(tiny.gan(compiled=False))

    @pytest.mark.filterwarnings("ignore:Skipping nested container")
    def test_backup_of_another_model_is_refused(self, tmp_path):
        train(tiny.gan(dropout=0.3), 1, callbacks.Backup(tmp_path))
        with pytest.raises(ValueError, match="does not fit this model"):
            callbacks.Backup(tmp_path).restore(tiny.gan())

    def test_broken_weights_do_not_push_out_good_ones(self, tmp_path):
        gan = train(tiny.gan(), 1, callbacks.Backup(tmp_path))
        gan.generator.weights[0].assign(gan.generator.weights[0] * np.nan)
        with pytest.warns(UserWarning, match="Step 1 is not backed up"):
            assert callbacks.Backup(tmp_path).save(gan) is None
        assert steps_of(tmp_path) == [1]

    def test_killed_writers_leave_nothing(self, tmp_path):
        backup = callbacks.Backup(tmp_path)
        dead = f".tmp-{os.uname().nodename}.999999999-backup.weights.h5"
        (tmp_path / dead).write_text("half")
        train(tiny.gan(), 1, backup)
        assert len(list(tmp_path.iterdir())) == 1


class TestSampleGrid:
    def test_pictures_of_the_same_latents(self, tmp_path):
        gan = train(
            tiny.gan(), 5, callbacks.SampleGrid(tmp_path / "g", num=9, every_steps=2, seed=4)
        )
        assert steps_of(tmp_path / "g") == [0, 2, 4, 5]
        last = np.asarray(Image.open(tmp_path / "g" / "step-00000005.png"))
        expected = tfgans.pictures.image_grid(gan.sample(9, seed=4))
        np.testing.assert_array_equal(last, expected[..., 0])

    def test_tensorboard_shows_them(self, tmp_path):
        grid = callbacks.SampleGrid(tmp_path / "g", num=4, log_dir=tmp_path / "tb")
        train(tiny.gan(), 1, grid)
        shown = [
            (event.step, value.tag)
            for path in (tmp_path / "tb").iterdir()
            for record in tf.data.TFRecordDataset(str(path))
            for event in [tf.compat.v1.Event.FromString(record.numpy())]
            for value in event.summary.value
        ]
        assert sorted(shown) == [(0, "samples"), (1, "samples")]


class TestStopOnNaN:
    def test_says_whose_and_which_step(self):
        gan = tiny.gan()
        guard = callbacks.StopOnNaN()

        class Poison(tf.keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if self.model.step == 2:
                    weight = self.model.discriminator.weights[0]
                    weight.assign(weight * np.nan)

        with pytest.warns(RuntimeWarning, match="step 3: the discriminator broke"):
            train(gan, 9, Poison(), guard)
        assert gan.step == 3
        assert "discriminator_loss is nan" in guard.message

    def test_silent_on_good_numbers(self):
        guard = callbacks.StopOnNaN()
        assert train(tiny.gan(), 2, guard).step == 2
        assert guard.message is None


class Kick(tf.keras.callbacks.Callback):
    """Sends a signal to this process after the second step."""

    def __init__(self, number):
        super().__init__()
        self.number = number

    def on_train_batch_end(self, batch, logs=None):
        if self.model.step == 2:
            os.kill(os.getpid(), self.number)


class TestGracefulStop:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_step_is_finished_and_others_save(self, tmp_path, number, capsys):
        before = signal.getsignal(number)
        with callbacks.GracefulStop() as stop:
            gan = train(tiny.gan(), 9, Kick(number), stop, callbacks.Backup(tmp_path))
        assert stop.signal == number
        assert gan.step == 2
        assert steps_of(tmp_path) == [2]
        assert "stopping after this step" in capsys.readouterr().err
        assert signal.getsignal(number) == before

    def test_second_signal_acts_at_once(self):
        # What a shell starts in the background ignores it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)

        def interrupt_twice():
            with callbacks.GracefulStop() as stop:
                train(tiny.gan(), 9, Kick(signal.SIGINT), Kick(signal.SIGINT), stop)

        try:
            with pytest.raises(KeyboardInterrupt):
                interrupt_twice()
        finally:
            signal.signal(signal.SIGINT, before)


def test_progress_counts_the_whole_run(capsys):
    progress = callbacks.Progress(5)
    gan = tiny.gan()
    train(gan, 2, progress)
    train(gan, 3, progress)
    progress.close()
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "discriminator_loss " in shown


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: callbacks.Backup(path, every_steps=0), "`every_steps` must be"),
        (lambda path: callbacks.Backup(path, keep=0), "`keep` must be"),
        (lambda path: callbacks.SampleGrid(path, num=-1), "`num` must be"),
        (lambda path: callbacks.Progress(0), "`total_steps` must be"),
    ],
)
def test_bad_arguments(make, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make(tmp_path)
