"""MixtureMonitor and SampleGrid over mixtures: what they write, and what they warn of."""

import csv
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from PIL import Image

import tfgans
from tfgans import callbacks, players

HEADER = "step,player,component,weight,share,entropy\n"


def generators(num=3, **options):
    components = [tiny.generator(seed=index) for index in range(num)]
    return tfgans.MixtureGenerator(components, **options)


def discriminators(num=2, **options):
    components = [tiny.discriminator(seed=index) for index in range(num)]
    return tfgans.MixtureDiscriminator(components, **options)


def make(generator=None, discriminator=None, **options):
    gan = tfgans.NonSaturatingGAN(
        generator or tiny.generator(), discriminator or tiny.discriminator(), **options
    )
    gan.compile()
    return gan


def train(gan, steps, *used):
    gan.fit(tiny.digits(), batch_size=16, steps_per_epoch=steps, callbacks=list(used), verbose=0)
    return gan


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def shown(folder, tag_start):
    """What TensorBoard shows: values by (step, tag)."""
    return {
        (event.step, value.tag): tf.make_ndarray(value.tensor)
        for path in folder.iterdir()
        for record in tf.data.TFRecordDataset(str(path))
        for event in [tf.compat.v1.Event.FromString(record.numpy())]
        for value in event.summary.value
        if value.tag.startswith(tag_start)
    }


class Untrained:
    """Stands in for a model between steps, so that a test can set step and weights at will."""

    def __init__(self, generator=None, discriminator=None):
        self.generator = generator or tiny.generator()
        self.discriminator = discriminator or tiny.discriminator()
        self.players = {
            "generator": players.GeneratorPlayer(self.generator),
            "discriminator": players.DiscriminatorPlayer(self.discriminator),
        }
        self.step = 0

    def sample_components(self, num, seed):
        return np.zeros(num, np.int32)


def watch(callback, model):
    callback.set_model(model)
    callback.on_train_begin()
    return callback


def walk(monitor, model, *weights):
    """One batch for each of the weights that the mixture is to have after it."""
    for values in weights:
        model.step += 1
        model.generator.set_probabilities(values)
        monitor.on_train_batch_end(0)


class TestRows:
    def test_closed_forms_while_nothing_moves_the_weights(self, tmp_path):
        gan = make(generators(weight_learning_rate=0.0), discriminators(weight_learning_rate=0.0))
        gan.generator.set_probabilities([0.5, 0.25, 0.25])
        train(gan, 5, callbacks.MixtureMonitor(tmp_path / "new" / "m.csv", every_steps=2, seed=7))
        rows = table(tmp_path / "new" / "m.csv")
        assert len(rows) == 4 * 5
        drawn = np.bincount(gan.sample_components(256, 7), minlength=3) / 256
        for step, at_step in zip([0, 2, 4, 5], np.split(np.array(rows), 4), strict=True):
            assert {int(row["step"]) for row in at_step} == {step}
            of_generator, of_discriminator = at_step[:3], at_step[3:]
            assert [row["player"] for row in at_step] == ["generator"] * 3 + ["discriminator"] * 2
            assert [int(row["component"]) for row in at_step] == [0, 1, 2, 0, 1]
            weights = [float(row["weight"]) for row in at_step]
            np.testing.assert_allclose(weights, [0.5, 0.25, 0.25, 0.5, 0.5], rtol=1e-5)
            entropies = [float(row["entropy"]) for row in at_step]
            # H(1/2, 1/4, 1/4) = 3/2 log 2; H(1/2, 1/2) = log 2.
            np.testing.assert_allclose(entropies, np.log(2) * np.repeat([1.5, 1], [3, 2]), 1e-5)
            np.testing.assert_allclose([float(row["share"]) for row in of_generator], drawn, 1e-5)
            assert [row["share"] for row in of_discriminator] == ["", ""]

    def test_one_component_has_no_entropy(self, tmp_path):
        watch(callbacks.MixtureMonitor(tmp_path / "m.csv"), Untrained(generators(1)))
        assert (tmp_path / "m.csv").read_text() == f"{HEADER}0,generator,0,1,1,0\n"

    def test_discriminator_alone_and_the_weights_it_learned(self, tmp_path):
        gan = make(discriminator=discriminators(weight_learning_rate=0.5))
        train(gan, 3, callbacks.MixtureMonitor(tmp_path / "m.csv"))
        rows = table(tmp_path / "m.csv")
        assert [(row["step"], row["player"]) for row in rows] == [
            *[("0", "discriminator")] * 2,
            *[("3", "discriminator")] * 2,
        ]
        written = [float(row["weight"]) for row in rows]
        np.testing.assert_allclose(written[:2], 0.5)
        np.testing.assert_allclose(written[2:], gan.discriminator.probabilities, rtol=1e-5)
        assert abs(written[2] - 0.5) > 1e-3

    def test_network_itself_is_watched_not_the_average(self, tmp_path):
        gan = make(generators(weight_learning_rate=0.0), ema=0.99)
        gan.generator.set_probabilities([0.6, 0.2, 0.2])
        watch(callbacks.MixtureMonitor(tmp_path / "m.csv"), gan)
        written = [float(row["weight"]) for row in table(tmp_path / "m.csv")]
        np.testing.assert_allclose(written, [0.6, 0.2, 0.2], rtol=1e-5)

    def test_tensorboard_shows_weights_and_entropies(self, tmp_path):
        monitor = callbacks.MixtureMonitor(tmp_path / "m.csv", log_dir=tmp_path / "tb")
        model = Untrained(generators(2), discriminators(3))
        watch(monitor, model)
        walk(monitor, model, [0.75, 0.25])
        monitor.on_train_end()
        values = shown(tmp_path / "tb", "mixture/")
        tags = {f"generator/weight_{index}" for index in range(2)}
        tags |= {f"discriminator/weight_{index}" for index in range(3)}
        tags |= {"generator/entropy", "discriminator/entropy"}
        tags |= {"generator/share_0", "generator/share_1"}
        assert values.keys() == {(step, f"mixture/{tag}") for step in (0, 1) for tag in tags}
        assert values[1, "mixture/generator/weight_0"] == pytest.approx(0.75)
        assert values[0, "mixture/generator/entropy"] == pytest.approx(np.log(2))
        assert values[1, "mixture/discriminator/entropy"] == pytest.approx(np.log(3))


class TestResume:
    def test_rows_from_the_begin_on_are_written_again(self, tmp_path):
        path = tmp_path / "m.csv"
        kept = "0,generator,0,0.9,1,0.3\n0,generator,1,0.1,0,0.3\n"
        # Killed in the middle of a row, at step 100; the backup is of step 5.
        path.write_text(f"{HEADER}{kept}5,generator,0,9,9,9\n100,generator,0,9,9,9\n100,gen")
        model = Untrained(generators(2))
        model.step = 5
        monitor = watch(callbacks.MixtureMonitor(path), model)
        now = "5,generator,0,0.5,1,0.693147\n5,generator,1,0.5,0,0.693147\n"
        assert path.read_text() == f"{HEADER}{kept}{now}"
        monitor.on_train_end()  # Nothing was trained: the step has its rows.
        assert path.read_text() == f"{HEADER}{kept}{now}"

    def test_row_cut_at_an_earlier_step_is_dropped(self, tmp_path):
        path = tmp_path / "m.csv"
        path.write_text(f"{HEADER}2,generator,0,0.5,1,0.693147\n2,generator,1,0.5,0,0.69")
        model = Untrained(generators(2))
        model.step = 3
        watch(callbacks.MixtureMonitor(path), model)
        # Step 3 is not due: a run that was not stopped would have no rows of it.
        assert [row["step"] for row in table(path)] == ["2"]

    @pytest.mark.parametrize("before", ["", "step,pla", HEADER[:-1], HEADER])
    def test_header_is_written_once_wherever_it_was_cut(self, tmp_path, before):
        path = tmp_path / "m.csv"
        path.write_text(before)
        watch(callbacks.MixtureMonitor(path), Untrained(generators(1)))
        assert path.read_text() == f"{HEADER}0,generator,0,1,1,0\n"

    @pytest.mark.parametrize("content", [b"epoch,loss\n0,1\n", b"\x89PNG\r\n\x1a\n", b"\n"])
    def test_file_of_another_kind_is_refused_and_stays(self, tmp_path, content):
        path = tmp_path / "m.csv"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"must be a table of `MixtureMonitor`.* Choose"):
            watch(callbacks.MixtureMonitor(path), Untrained(generators(1)))
        assert path.read_bytes() == content

    def test_killed_run_ends_with_the_table_of_an_undisturbed_one(self, tmp_path):
        weights = [[0.5 + 0.05 * step, 0.5 - 0.05 * step] for step in range(1, 7)]

        def run(name, start, stop):
            model = Untrained(generators(2))
            model.step = start
            if start:
                model.generator.set_probabilities(weights[start - 1])
            monitor = watch(callbacks.MixtureMonitor(tmp_path / name, every_steps=2), model)
            walk(monitor, model, *weights[start:stop])
            return monitor

        run("whole", 0, 6).on_train_end()
        run("killed", 0, 5)
        assert len(table(tmp_path / "killed")) == 2 * 3  # Nothing waits in a buffer.
        run("killed", 2, 6).on_train_end()
        assert (tmp_path / "killed").read_text() == (tmp_path / "whole").read_text()


class TestWarning:
    # 1 / (20 k) for two components.
    LOW, HIGH = [0.976, 0.024], [0.974, 0.026]

    def test_once_each_time_a_weight_falls(self, tmp_path):
        model = Untrained(generators(2))
        monitor = watch(callbacks.MixtureMonitor(tmp_path / "m.csv", every_steps=1), model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            walk(monitor, model, self.HIGH, self.LOW, self.LOW, self.HIGH, self.LOW, self.LOW)
            monitor.on_train_end()
            monitor.on_train_begin()  # The next segment of a run.
        messages = [str(warning.message) for warning in caught]
        assert [message.split(":")[0] for message in messages] == ["Step 2", "Step 5"]
        assert all(warning.category is UserWarning for warning in caught)

    def test_says_who_how_low_and_what_to_change(self, tmp_path):
        model = Untrained(generators(2, entropy_weight=0.25, weight_learning_rate=0.5))
        monitor = watch(callbacks.MixtureMonitor(tmp_path / "m.csv", every_steps=1), model)
        expected = (
            r"Step 1: the generator's component 1 .*weight is 0\.024, under 1 / \(20 k\) = 0\.025\)"
            r".*raise `entropy_weight` \(it is 0\.25\), or lower `weight_learning_rate` \(it is 0\."
        )
        with pytest.warns(UserWarning, match=expected):
            walk(monitor, model, self.LOW)
        assert [row["step"] for row in table(tmp_path / "m.csv")] == ["0", "0", "1", "1"]

    def test_softmax_weights_move_at_the_optimizers_rate(self, tmp_path):
        model = Untrained(discriminator=discriminators(weight_update="softmax"))
        model.discriminator.set_probabilities([0.01, 0.99])
        with pytest.warns(UserWarning, match=r"Step 0: the discriminator's component 0 .*optimize"):
            watch(callbacks.MixtureMonitor(tmp_path / "m.csv"), model)

    def test_only_when_rows_are_due(self, tmp_path):
        model = Untrained(generators(2))
        monitor = watch(callbacks.MixtureMonitor(tmp_path / "m.csv", every_steps=3), model)
        walk(monitor, model, self.LOW, self.LOW)
        with pytest.warns(UserWarning, match="Step 3"):
            walk(monitor, model, self.LOW)


def test_model_without_a_mixture_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"needs a mixture.* Received: Functional and Functional"):
        train(make(), 1, callbacks.MixtureMonitor(tmp_path / "m.csv"))
    assert not (tmp_path / "m.csv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_steps": 0}, "`every_steps` must be"),
        ({"num": 0}, "`num` must be"),
        ({"seed": 0.5}, "`seed` must be"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        callbacks.MixtureMonitor(tmp_path / "m.csv", **options)


class TestSampleGridOfAMixture:
    def test_row_of_the_same_latents_a_component(self, tmp_path):
        gan = make(generators(), ema=0.9)
        grid = callbacks.SampleGrid(tmp_path / "g", num=10, seed=4, log_dir=tmp_path / "tb")
        gan.generator.set_probabilities([0.5, 0.3, 0.2])  # The average has other ones.
        watch(grid, gan).on_train_end()
        rows = np.stack([gan.sample(3, seed=4, component=index) for index in range(3)])
        weights = gan.ema_generator.probabilities
        expected = tfgans.pictures.component_rows(rows, weights)
        last = np.asarray(Image.open(tmp_path / "g" / "step-00000000.png"))
        np.testing.assert_array_equal(last, expected[..., 0])
        assert shown(tmp_path / "tb", "samples").keys() == {(0, "samples")}

    def test_fewer_examples_than_components(self, tmp_path):
        gan = make(generators())
        watch(callbacks.SampleGrid(tmp_path, num=2), gan)
        rows = np.stack([gan.sample(1, seed=0, component=index) for index in range(3)])
        expected = tfgans.pictures.component_rows(rows, gan.generator.probabilities)
        last = np.asarray(Image.open(tmp_path / "step-00000000.png"))
        np.testing.assert_array_equal(last, expected[..., 0])

    def test_one_component_gives_a_plain_grid(self, tmp_path):
        gan = make(generators(1))
        watch(callbacks.SampleGrid(tmp_path, num=9), gan)
        last = np.asarray(Image.open(tmp_path / "step-00000000.png"))
        expected = tfgans.pictures.image_grid(gan.sample(9, seed=0))
        np.testing.assert_array_equal(last, expected[..., 0])

    def test_vectors_become_one_plot(self, tmp_path):
        def network(num_outputs):
            return keras.Sequential([keras.Input((2,)), keras.layers.Dense(num_outputs)])

        mixture = tfgans.MixtureGenerator.from_builder(lambda: network(2), 2)
        gan = make(mixture, network(1))
        watch(callbacks.SampleGrid(tmp_path, num=16), gan)
        rows = np.stack([gan.sample(8, seed=0, component=index) for index in range(2)])
        expected = tfgans.pictures.component_rows(rows, gan.generator.probabilities)
        last = np.asarray(Image.open(tmp_path / "step-00000000.png"))
        np.testing.assert_array_equal(last, expected)
