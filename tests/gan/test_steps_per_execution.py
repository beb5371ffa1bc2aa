"""Several training steps in a call of TensorFlow, as many as `steps_per_execution="auto"` likes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.steps_per_execution import StepsPerExecutionTuner, intervals

POINTS = np.random.default_rng(0).uniform(-1, 1, (640, 2)).astype("float32")


class Ends(keras.callbacks.Callback):
    """Notes the model's step at the end of each call, and the logs of the epochs."""

    def __init__(self, every_steps=None):
        super().__init__()
        self.steps, self.curve = [], []
        self.every_steps = every_steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.model.step)

    def on_epoch_end(self, epoch, logs=None):
        self.curve.append(logs)


def fit(steps_per_execution, ends, cls=tfgans.NonSaturatingGAN, **options):
    gan = cls(
        tfgans.networks.mlp_generator((2,), latent_dim=2, width=8, depth=1, seed=0),
        tfgans.networks.mlp_discriminator((2,), width=8, depth=1, seed=0),
        discriminator_steps=2,
        ema=0.9,
    )
    gan.compile(steps_per_execution=steps_per_execution)
    data = tf.data.Dataset.from_tensor_slices(POINTS).batch(4)
    if options.pop("unknown_length", False):
        data = data.filter(lambda _: True)
    gan.fit(data, callbacks=[ends], verbose=0, **options)
    return gan


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"epochs": 3, "steps_per_epoch": 71, "cls": tfgans.WGANGP}, 213),
        pytest.param({"epochs": 2, "unknown_length": True}, 160, marks=pytest.mark.slow),
    ],
)
def test_auto_is_a_step_at_a_time_to_the_bit(options, steps):
    chosen, each = Ends(every_steps=20), Ends()
    gan = fit("auto", chosen, **options)
    tiny.assert_same_state(gan, fit(1, each, **options))
    assert chosen.curve == each.curve
    assert each.steps == list(range(1, steps + 1))
    assert len(chosen.steps) < steps
    epoch = steps // options["epochs"]
    assert {*range(20, steps, 20), *range(epoch, steps + 1, epoch)} <= {*chosen.steps}
    restored = gan.get_compile_config()
    assert restored["steps_per_execution"] == "auto"


@pytest.mark.parametrize(
    ("seconds_of_a_step", "counts"),
    [
        (0.2, [1, 1, 1, 1]),
        (0.01, [1, 1, 2, 4, 8, 8]),
        (0.001, [1, 1, 2, 4, 8, 16, 32, 36, 64, 36, 64]),
    ],
)
def test_calls_approach_a_tenth_of_a_second(seconds_of_a_step, counts):
    """And end at the multiples of 100."""
    executions, step, chosen = StepsPerExecutionTuner([100]), 0, []
    for _ in counts:
        chosen.append(executions.choose(step, None))
        step += chosen[-1]
        executions.record(seconds_of_a_step * chosen[-1])
    assert chosen == counts
    executions.record(10.0)
    assert executions.choose(step, None) <= max(1, counts[-1] // 2)
    assert executions.choose(step, 1) == 1


@pytest.mark.parametrize("every_steps", [0, -1, 2.5, "10"])
def test_intervals_are_whole_numbers_of_steps(every_steps):
    with pytest.raises(ValueError, match=r"`Ends.every_steps` must be an integer of at least 1"):
        intervals([Ends(every_steps)])


def test_intervals_of_callbacks(tmp_path):
    keras_callbacks = keras.callbacks
    idle = [
        keras_callbacks.History(),
        keras_callbacks.ProgbarLogger(),
        keras_callbacks.ModelCheckpoint(tmp_path / "x.keras"),
        keras_callbacks.TensorBoard(tmp_path),
        keras_callbacks.LearningRateScheduler(lambda epoch: 1e-3),
        tfgans.callbacks.StopOnNaN(),
        keras_callbacks.LambdaCallback(on_epoch_end=print),
    ]
    assert intervals(idle) == intervals(None) == []
    grid = tfgans.callbacks.SampleGrid(tmp_path, every_steps=40)
    backup = tfgans.callbacks.Backup(tmp_path, every_steps=50)
    assert intervals([*idle, grid, backup]) == [40, 50]
    for busy in (
        keras_callbacks.ModelCheckpoint(tmp_path / "x.keras", save_freq=10),
        keras_callbacks.TensorBoard(tmp_path, update_freq="batch"),
        keras_callbacks.TensorBoard(tmp_path, profile_batch=(2, 3)),
        keras_callbacks.LambdaCallback(on_train_batch_end=print),
    ):
        assert intervals([*idle, grid, busy]) == [1, 40]
        # As Keras takes them: alone, and nested.
        assert intervals(busy) == [1]
        assert intervals([[*idle], [grid, busy]]) == [1, 40]
