"""MixtureMonitor: what it writes and what it warns of."""

import warnings

import numpy as np
import pytest
import toy

import tfgans
from tfgans import callbacks

HEADER = "step,player,component,weight,share,entropy\n"
# Around 1 / (20 k) for two components.
LOW, HIGH = [0.976, 0.024], [0.974, 0.026]


def generators(num=2, **options):
    return tfgans.MixtureGenerator([toy.points()[0] for _ in range(num)], **options)


def discriminators(num=2, **options):
    return tfgans.MixtureDiscriminator([toy.points()[1] for _ in range(num)], **options)


class Untrained(tfgans.NonSaturatingGAN):
    """A model whose step a test can set."""

    step = 0

    def __init__(self, generator=None, discriminator=None, step=0):
        super().__init__(generator or toy.points()[0], discriminator or toy.points()[1])
        self.step = step

    def sample_components(self, num, seed):
        return np.zeros(num, np.int32)


def begin(path, model, **options):
    monitor = callbacks.MixtureMonitor(path, **options)
    monitor.set_model(model)
    monitor.on_train_begin()
    return monitor


def walk(monitor, *weights):
    """Runs a batch for each of the weights that the mixture has after it."""
    for values in weights:
        monitor.model.step += 1
        monitor.model.generator.set_probabilities(values)
        monitor.on_train_batch_end(0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "new" / "m.csv"


def test_rows_of_a_training(path):
    # The average, whose weights are not written, has others.
    networks = generators(3, weight_learning_rate=0.0), discriminators(weight_learning_rate=0.5)
    gan = toy.gan(networks=networks, ema=0.99)
    gan.generator.set_probabilities([0.5, 0.25, 0.25])
    monitor = callbacks.MixtureMonitor(path, every_steps=2, seed=7)
    gan.fit(tfgans.data.Ring().batches(8), steps_per_epoch=2, callbacks=[monitor], verbose=0)
    rows = toy.table(path)
    assert len(rows) == 2 * 5
    shares = np.bincount(gan.sample_components(256, 7), minlength=3) / 256
    for step, at_step in zip([0, 2], np.split(np.array(rows), 2), strict=True):
        assert {int(row["step"]) for row in at_step} == {step}
        assert [row["player"] for row in at_step] == ["generator"] * 3 + ["discriminator"] * 2
        assert [int(row["component"]) for row in at_step] == [0, 1, 2, 0, 1]
        weights = [float(row["weight"]) for row in at_step[:3]]
        np.testing.assert_allclose(weights, [0.5, 0.25, 0.25], rtol=1e-5)
        # H(1/2, 1/4, 1/4) = 3/2 log 2.
        assert float(at_step[0]["entropy"]) == pytest.approx(1.5 * np.log(2), rel=1e-5)
        assert [row["share"] for row in at_step[3:]] == ["", ""]
    np.testing.assert_allclose([float(row["share"]) for row in at_step[:3]], shares, 1e-5)
    learned = [float(row["weight"]) for row in at_step[3:]]
    np.testing.assert_allclose(learned, gan.discriminator.probabilities, rtol=1e-5)
    assert abs(learned[0] - 0.5) > 1e-3


def test_tensorboard_shows_weights_and_entropies(path, tmp_path):
    model = Untrained(generators(2), discriminators(3))
    monitor = begin(path, model, log_dir=tmp_path / "tb")
    walk(monitor, [0.75, 0.25])
    monitor.on_train_end()
    values = toy.scalars(tmp_path / "tb")
    tags = {f"generator/{kind}_{index}" for kind in ("weight", "share") for index in range(2)}
    tags |= {f"discriminator/weight_{index}" for index in range(3)}
    tags |= {"generator/entropy", "discriminator/entropy"}
    assert values.keys() == {(step, f"mixture/{tag}") for step in (0, 1) for tag in tags}
    assert values[1, "mixture/generator/weight_0"] == pytest.approx(0.75)
    assert values[1, "mixture/discriminator/entropy"] == pytest.approx(np.log(3))


FIRST = "0,generator,0,0.9,1,0.3\n0,generator,1,0.1,0,0.3\n"
NOW = "{0},generator,0,0.5,1,0.693147\n{0},generator,1,0.5,0,0.693147\n"


@pytest.mark.parametrize(
    ("before", "step", "after"),
    [
        # Killed in a row of step 100; the backup is of step 5.
        (
            f"{HEADER}{FIRST}5,generator,0,9,9,9\n100,generator,0,9,9,9\n100,gen",
            5,
            HEADER + FIRST + NOW.format(5),
        ),
        # Step 3 is not due: an uninterrupted run would have no rows of it.
        (HEADER + FIRST + NOW.format(2)[:-9], 3, HEADER + FIRST + NOW.format(2).split("\n")[0]),
        *((text, 0, HEADER + NOW.format(0)) for text in ("", "step,pla", HEADER[:-1], HEADER)),
        *((text, 0, None) for text in ("epoch,loss\n0,1\n", "\x89PNG\r\n\x1a\n", "\n")),
    ],
)
def test_a_resumed_run_continues_the_table(before, step, after, path):
    path.parent.mkdir()
    path.write_bytes(before.encode("latin1"))
    model = Untrained(generators(), step=step)
    if after is None:
        with pytest.raises(ValueError, match=r"must be a table of `MixtureMonitor`.* Choose"):
            begin(path, model)
        assert path.read_bytes() == before.encode("latin1")
        return
    monitor = begin(path, model)
    assert path.read_text().strip() == after.strip()
    if step != 3:
        monitor.on_train_end()  # The step has its rows.
        assert path.read_text() == after


def test_warns_once_each_time_a_weight_falls(path):
    monitor = begin(path, Untrained(generators()), every_steps=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        walk(monitor, HIGH, LOW, LOW, HIGH, LOW, LOW)
        monitor.on_train_end()
        monitor.on_train_begin()  # The next segment of a run.
    assert [str(w.message).split(":")[0] for w in caught] == ["Step 2", "Step 5"]
    assert all(w.category is UserWarning for w in caught)


def test_warning_says_who_how_low_and_what_to_change(path):
    mixture = generators(entropy_weight=0.25, weight_learning_rate=0.5)
    monitor = begin(path, Untrained(mixture), every_steps=3)
    walk(monitor, LOW, LOW)
    expected = (
        r"Step 3: the generator's component 1 .*weight is 0\.024, under 1 / \(20 k\) = 0\.025\)"
        r".*raise `entropy_weight` \(it is 0\.25\), or lower `weight_learning_rate` \(it is 0\."
    )
    with pytest.warns(UserWarning, match=expected):
        walk(monitor, LOW)
    model = Untrained(discriminator=discriminators(weight_update="softmax"))
    model.discriminator.set_probabilities([0.01, 0.99])
    with pytest.warns(UserWarning, match=r"Step 0: the discriminator's component 0 .*optimizer"):
        begin(path.with_name("softmax.csv"), model)


def test_model_without_a_mixture_is_refused(path):
    with pytest.raises(ValueError, match=r"needs a mixture.* Received: Functional and Functional"):
        begin(path, Untrained())
    assert not path.exists()
