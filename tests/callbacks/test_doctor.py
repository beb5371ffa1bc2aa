"""Doctor: what it finds in trainings made to fail, that it is silent otherwise, and rollbacks."""

import csv
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import callbacks, files
from tfgans.callbacks import symptoms
from tfgans.callbacks.chart import Chart
from tfgans.callbacks.readings import Probe, Reading
from tfgans.callbacks.step_table import StepTable

LIMITS = symptoms.Limits(
    accuracy_limit=0.99, gradient_drop=0.01, diversity_drop=0.1, penalty_growth=100.0
)
RING = tfgans.data.Ring()


def reading(step=0, **values):
    default = {
        "rollbacks": 0,
        "accuracy": 0.5,
        "gradient_norm": 1.0,
        "diversity": 1.0,
        "penalty": None,
        "generator_weights": (),
        "discriminator_weights": (),
    }
    return Reading(step=step, **{**default, **values})


def points(**options):
    """Small networks for examples in the plane."""
    keras.utils.set_random_seed(1)
    return (
        tfgans.networks.mlp_generator((2,), latent_dim=4, width=16, depth=1),
        tfgans.networks.mlp_discriminator((2,), width=16, depth=1, **options),
    )


def fit(gan, steps, *used, source=RING, batch_size=16):
    gan.fit(
        source.batches(batch_size, start_step=gan.step * gan.discriminator_steps),
        steps_per_epoch=steps,
        verbose=0,
        callbacks=list(used),
    )
    return gan


def said(caught):
    """What the doctor said, without what Keras does."""
    return [str(one.message) for one in caught if str(one.message).startswith("Step ")]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Act(keras.callbacks.Callback):
    """Calls a function of the model after each step."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        self.function(self.model)


class Logs(keras.callbacks.Callback):
    """Keeps the logs of each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append({name: float(value) for name, value in logs.items()})


class TestSymptoms:
    @pytest.mark.parametrize(
        ("now", "found"),
        [
            ({"accuracy": 0.99, "gradient_norm": 0.0099}, True),
            ({"accuracy": 0.98, "gradient_norm": 0.0099}, False),
            ({"accuracy": 1.0, "gradient_norm": 0.011}, False),
            ({"accuracy": None, "gradient_norm": 0.0}, False),
            ({"accuracy": 1.0, "gradient_norm": None}, False),
        ],
    )
    def test_won(self, now, found):
        earlier = [reading(gradient_norm=0.5), reading(gradient_norm=1.0)]
        assert (symptoms.won(reading(**now), earlier, LIMITS) is not None) == found

    @pytest.mark.parametrize(
        ("earlier", "now", "found"),
        [
            ([0.5, 0.2], 0.049, True),
            ([0.5, 0.2], 0.051, False),
            ([20.0], 0.11, False),  # It began wider than the data.
            ([20.0], 0.09, True),
            ([], 0.0, False),
            ([0.001], 0.0011, False),  # It has never been diverse: it has not fallen.
        ],
    )
    def test_collapsed(self, earlier, now, found):
        before = [reading(diversity=value) for value in earlier]
        assert (symptoms.collapsed(reading(diversity=now), before, LIMITS) is not None) == found

    @pytest.mark.parametrize(
        ("calm", "now", "found"),
        [
            ([2.0, 3.0, 900.0], 301.0, True),
            ([2.0, 3.0, 900.0], 299.0, False),
            ([0.001], 99.0, False),
            ([0.001], 101.0, True),
            ([], 1e9, False),
        ],
    )
    def test_exploded(self, calm, now, found):
        assert (symptoms.exploded(reading(penalty=now), calm, LIMITS) is not None) == found

    def test_dead_components(self):
        found = symptoms.dead_components("generator", [0.976, 0.024], advice="do this")
        assert [one.symptom for one in found] == ["dead component 1 of the generator"]
        assert found[0].clause.endswith("so do this")
        assert symptoms.dead_components("generator", [0.974, 0.026], advice="") == []

    def test_sentence_has_step_number_limit_and_advice(self):
        found = symptoms.collapsed(reading(diversity=0.03), [reading(diversity=0.6)], LIMITS)
        assert found.say(5) == (
            "Step 5: the samples have collapsed (their mean distance is 0.03 of that of real "
            "examples, under 0.1 of the 0.6 that it was), so lower the learning rates, add a "
            "gradient penalty, or take a mixture of generators"
        )

    def test_begins_once_and_again_after_it_was_gone(self):
        chart = Chart(LIMITS, {})
        values = [1.0, 0.01, 0.02, 0.5, 0.01]
        begun = [chart.add(reading(step, diversity=value)) for step, value in enumerate(values)]
        assert [len(one) for one in begun] == [0, 1, 0, 0, 1]
        assert chart.healthy_step == 3

    def test_exploded_penalty_does_not_become_the_rule(self):
        chart = Chart(LIMITS, {})
        for step, value in enumerate([1.0, *[1e4] * 9]):
            chart.add(reading(step, penalty=value))
        assert chart.healthy_step == 0

    def test_dead_component_leaves_the_model_worth_going_back_to(self):
        chart = Chart(LIMITS, {"generator": ""})
        assert len(chart.add(reading(7, generator_weights=(0.99, 0.01)))) == 1
        assert chart.healthy_step == 7


class TestReadings:
    @pytest.mark.parametrize("lost", [{}, {"accuracy": None}, {"gradient_norm": None}])
    def test_row_keeps_every_bit(self, lost):
        one = reading(
            3, diversity=0.1 + 0.2, penalty=1 / 3, discriminator_weights=(1 / 3, 2 / 3), **lost
        )
        assert Reading.from_cells(one.to_row().rstrip("\n").split(",")) == one

    def test_closed_forms(self):
        """Linear networks: fake = w z, logit = v x; the loss is -mean(v w z)."""
        latents, outputs = keras.Input((1,)), keras.Input((1,))
        one = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        generator = keras.Model(latents, keras.layers.Dense(1, use_bias=False)(latents))
        gan = tfgans.GAN(
            generator, keras.Model(outputs, one(outputs)), objective=tfgans.objectives.Hinge()
        )
        gan.compile()
        gan.generator.set_weights([np.array([[2.0]])])
        real = np.array([[1.0], [3.0], [7.0], [-1.0]], np.float32)
        probe = Probe(gan, tfgans.data.from_array(real), num=99, seed=0)
        found = probe.read()
        fake = gan.generate(4, stream=probe._stream, training=False).values.numpy()[:, 0]
        assert found.gradient_norm == pytest.approx(abs(fake.mean() / 2))
        assert found.accuracy == pytest.approx((0.75 + np.mean(fake <= 0)) / 2)
        of_real = np.mean([2, 6, 2, 4, 4, 8])
        of_fake = np.abs(fake[:, np.newaxis] - fake).sum() / 12
        assert found.diversity == pytest.approx(of_fake / of_real)
        assert found.penalty is None

    def test_diversity_within_a_class(self):
        def network(inputs, outputs):
            return keras.Model(inputs, outputs)

        latents, labels = keras.Input((1,)), keras.Input((), dtype="int32")
        by_class = keras.layers.Embedding(2, 1, embeddings_initializer="ones")(labels)
        generator = network([latents, labels], keras.layers.Add()([latents, 0 * by_class]))
        examples = keras.Input((1,))
        joined = keras.layers.Concatenate()([examples, by_class])
        discriminator = network([examples, labels], keras.layers.Dense(1)(joined))
        gan = tfgans.NonSaturatingGAN(generator, discriminator, num_classes=2)
        gan.compile()
        real = np.array([0.0, 1.0, 100.0, 101.0, 2.0, 102.0], np.float32)[:, np.newaxis]
        source = tfgans.data.from_array(real, labels=[0, 0, 1, 1, 0, 1])
        probe = Probe(gan, source, num=6, seed=0)
        assert probe._real_distance == pytest.approx(4 / 3)

    def test_looking_changes_no_bit(self, tmp_path):
        watched, alone = (
            tfgans.R3GAN(*tiny.mixtures(2, 2, normalization=False), ema=0.9) for _ in range(2)
        )
        logs = []
        for gan in (watched, alone):
            gan.compile(run_eagerly=True)
            record = Logs()
            doctor = [callbacks.Doctor(tiny.digits(), every_steps=1)] if gan is watched else []
            gan.fit(
                tiny.digits(),
                batch_size=16,
                steps_per_epoch=2,
                verbose=0,
                callbacks=[*doctor, record],
            )
            logs.append(record.seen)
        tiny.assert_same_state(watched, alone)
        assert logs[0] == logs[1]

    def test_float16_gradient_is_not_taken_for_vanished(self):
        norms = []
        for policy in ("float32", "mixed_float16"):
            keras.config.set_dtype_policy(policy)
            gan = tiny.gan(tfgans.NonSaturatingGAN)
            last = gan.discriminator.layers[-1]
            last.set_weights([weight * 1e-5 for weight in last.get_weights()])
            source = tfgans.data.from_array(tiny.digits())
            norms.append(Probe(gan, source, num=16, seed=0).read().gradient_norm)
        assert 0 < norms[1] == pytest.approx(norms[0], rel=0.05)


def compiled(gan, generator_optimizer, discriminator_optimizer):
    gan.compile(generator_optimizer, discriminator_optimizer, run_eagerly=True)
    return gan


def nan():
    gan = tfgans.WGANGP(*points(), discriminator_steps=1)
    return compiled(gan, keras.optimizers.SGD(1e30), keras.optimizers.SGD(1e30)), RING


def won():
    """The minimax game on data far from the samples, with a fast discriminator."""
    far = tfgans.data.GaussianMixture(name="far", modes=[[9.0, 9.0]], std=0.1)
    gan = tfgans.MinimaxGAN(*points())
    return compiled(gan, keras.optimizers.SGD(1e-6), keras.optimizers.Adam(0.3)), far


def collapse():
    """What the generator makes of a latent shrinks to nothing."""
    gan = tfgans.LeastSquaresGAN(*points())
    return compiled(gan, keras.optimizers.SGD(1e-6), keras.optimizers.SGD(1e-6)), RING


def shrink(gan, factor=0.7):
    """Makes the generator's outputs more alike."""
    kernel = gan.generator.trainable_variables[-2]
    kernel.assign(factor * kernel)


def exploding():
    gan = tfgans.WGANGP(*points(), discriminator_steps=1)
    return compiled(gan, keras.optimizers.Adam(1e-4), keras.optimizers.Adam(3.0)), RING


def dead():
    first, second = points()[0], points()[0]
    second.set_weights([weight + 0.1 for weight in second.get_weights()])
    mixture = tfgans.MixtureGenerator([first, second], entropy_weight=0.0)
    mixture.set_probabilities([0.97, 0.03])
    mixture.weight_learning_rate = 0.0
    gan = tfgans.NonSaturatingGAN(mixture, points()[1])
    return compiled(gan, "adam", "adam"), RING


FAILURES = {
    nan: (symptoms.NOT_FINITE, "broke .* lower the learning rates"),
    won: ("discriminator has won", "its accuracy is 1, at least 0.99, .*non-saturating"),
    collapse: ("collapse", "mean distance .* under 0.1 of the 0.6.* lower the learning"),
    exploding: ("exploding penalty", "over 100 times the 1 .* lower the discriminator's"),
}


@pytest.mark.parametrize("make", FAILURES, ids=lambda make: make.__name__)
def test_failing_training_is_noticed_once(make, tmp_path):
    symptom, sentence = FAILURES[make]
    gan, source = make()
    doctor = callbacks.Doctor(source, path=tmp_path / "d.csv", every_steps=5)
    kind = RuntimeWarning if make is nan else UserWarning
    acts = [Act(shrink)] if make is collapse else []
    with pytest.warns(kind, match=rf"Step \d+: .*{sentence}") as caught:
        fit(gan, 10, *acts, doctor, source=source)
    assert len(said(caught)) == 1
    (row,) = table(tmp_path / "d.csv")
    assert row["symptom"] == symptom
    assert row["action"] == ("stopped" if make is nan else "warned")
    assert (doctor.message is not None) == (make is nan)
    assert (gan.step < 10) == (make is nan)


def test_dead_component_is_noticed_and_no_reason_to_go_back(tmp_path):
    gan, source = dead()
    doctor = callbacks.Doctor(
        source,
        path=tmp_path / "d.csv",
        every_steps=2,
        backup=callbacks.Backup(tmp_path / "b", every_steps=2),
        rollbacks=1,
    )
    kill = Act(lambda gan: gan.step == 3 and gan.generator.set_probabilities([0.98, 0.02]))
    with pytest.warns(UserWarning, match=r"Step 4: .*component 1 .*raise `entropy_weight`"):
        fit_toy(gan, 6, kill, doctor, doctor.backup)
    assert [list(row.values()) for row in table(tmp_path / "d.csv")] == [
        ["4", "0", "dead component 1 of the generator", "0.02", "0.025", "warned"]
    ]
    assert (gan.step, gan.rollbacks) == (6, 0)


HEALTHY = {
    "WGAN-GP": lambda *nets: tfgans.WGANGP(*nets, discriminator_steps=1),
    "non-saturating with R1": lambda *nets: tfgans.GAN(
        *nets,
        objective=tfgans.objectives.NonSaturating(),
        penalty=tfgans.penalties.R1Penalty(weight=5.0),
    ),
    "R3GAN": tfgans.R3GAN,
}
slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("game", "name", "seed"),
    [
        ("WGAN-GP", "ring", 0),
        ("R3GAN", "ring", 0),
        pytest.param("non-saturating with R1", "ring", 0, marks=slow),
        *(
            pytest.param(game, *data, marks=slow)
            for game in HEALTHY
            for data in [("ring", 1), ("digits", 0), ("digits", 1)]
        ),
    ],
)
def test_silent_while_all_is_well(game, name, seed):
    source = tfgans.data.load(name, seed=seed)
    keras.utils.set_random_seed(seed)
    build = tfgans.networks
    gan = HEALTHY[game](
        build.mlp_generator(source.data_shape, latent_dim=8, width=32, depth=2),
        build.mlp_discriminator(source.data_shape, width=32, depth=2),
    )
    gan.compile(*(keras.optimizers.Adam(5e-4, beta_1=0.5) for _ in range(2)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(gan, 300, callbacks.Doctor(source, every_steps=50), source=source, batch_size=64)
    assert said(caught) == []
    assert gan.step == 300


def sicken(gan):
    """Collapses the first timeline after step 6, and breaks the second one after step 7."""
    if (gan.rollbacks, gan.step) == (0, 6):
        shrink(gan, 0.0)
    if (gan.rollbacks, gan.step) == (1, 7):
        weight = gan.discriminator.weights[0]
        weight.assign(weight * np.nan)


class Glance:
    """Stands in for a probe: a number that moves with the weights, at no cost."""

    def __init__(self, gan, source, **options):
        self.gan = gan

    def read(self):
        spread = float(np.abs(self.gan.generator.trainable_variables[-2].numpy()).sum())
        return reading(self.gan.step, rollbacks=self.gan.rollbacks, diversity=spread)


def step_of_the_toy(gan):
    """Moves all weights by their optimizers' rates, in a direction that the step decides."""
    rng = np.random.default_rng(gan.step)
    for player in ("generator", "discriminator"):
        optimizer = getattr(gan, f"{player}_optimizer")
        rate = float(optimizer.learning_rate)
        for variable in [*getattr(gan, player).trainable_variables, *optimizer._momentums]:
            variable.assign_add(rate * rng.normal(size=variable.shape))
        optimizer.iterations.assign_add(1)
    gan.after_step()
    loss = sum(float(tf.reduce_sum(one)) for one in gan.discriminator.trainable_variables)
    return {"discriminator_loss": loss}


def fit_toy(gan, steps, *used):
    """Calls callbacks in the order of `keras.Model.fit`, around steps that cost nothing."""
    every = keras.callbacks.CallbackList(list(used), model=gan, steps=steps, epochs=1)
    gan.stop_training = False
    every.on_train_begin()
    every.on_epoch_begin(0)
    for batch in range(steps):
        every.on_train_batch_begin(batch)
        every.on_train_batch_end(batch, step_of_the_toy(gan))
        if gan.stop_training:
            break
    every.on_epoch_end(0)
    every.on_train_end()


def go_on(folder, *, stop_after=None, act=sicken, steps=11, rollbacks=2, keep=1):
    """Starts, or resumes, a run of few steps as `tfgans.training.Run` does.

    With `stop_after`, a signal comes in so many steps.
    """
    keras.utils.set_random_seed(3)
    gan = tfgans.NonSaturatingGAN(*points())
    gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    backup = callbacks.Backup(folder / "backups", every_steps=4, keep=keep)
    doctor = callbacks.Doctor(
        RING, path=folder / "doctor.csv", every_steps=2, backup=backup, rollbacks=rollbacks
    )
    seen = []

    def signal(gan):
        seen.append(gan.step)
        gan.stop_training |= len(seen) == stop_after

    backup.restore(gan)
    while gan.step < steps and doctor.message is None and len(seen) != stop_after:
        fit_toy(gan, steps - gan.step, Act(act), doctor, backup, Act(signal))
    return gan


def files_of(folder):
    """The tables, and which backups there are."""
    tables = {path.name: path.read_text() for path in folder.glob("doctor*.csv")}
    return tables | {"backups": backups_of(folder)}


def backups_of(folder):
    names = [path.name for path in (folder / "backups").glob("step-*")]
    return sorted(name.rpartition("-")[0] for name in names)


def is_in_first_rollback(snapshot):
    """Whether the collapse is written and the check after the rollback is not."""
    rows = [content.decode() for name, content in snapshot.items() if name.suffix == ".csv"]
    tables = "".join(rows)
    return "6,0,collapse" in tables and "\n6,1," not in tables


class Undisturbed:
    """A run that no one disturbed, and what lay on the disk before each of its writes."""

    def __init__(self, folder):
        self.folder, self.snapshots = folder / "run", []
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for owner, name in [
                (files, "move_into_place"),
                (Path, "unlink"),
                (StepTable, "append"),
            ]:
                patch.setattr(owner, name, self._remembering(getattr(owner, name)))
            self.gan = go_on(self.folder)
        self.said = said(caught)

    def _remembering(self, original):
        def operation(*args, **options):
            here = {
                path.relative_to(self.folder): path.read_bytes()
                for path in self.folder.rglob("*")
                if path.is_file()
            }
            if here not in self.snapshots:
                self.snapshots.append(here)
            return original(*args, **options)

        return operation


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfgans.callbacks.doctor.Probe", Glance)
        return Undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.filterwarnings("ignore:Step")
class TestRollback:
    @pytest.fixture(autouse=True)
    def _glance(self, monkeypatch):
        monkeypatch.setattr("tfgans.callbacks.doctor.Probe", Glance)

    def test_goes_back_twice_at_half_the_rate_and_says_so(self, undisturbed):
        gan = undisturbed.gan
        assert (gan.step, gan.rollbacks) == (11, 2)
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            assert float(optimizer.learning_rate) == pytest.approx(0.0025)
        assert [sentence.rpartition("; ")[2] for sentence in undisturbed.said] == [
            "rolled back to step 4 with 0.5 of the learning rates (1 of 2)",
            "rolled back to step 4 with 0.5 of the learning rates (2 of 2)",
        ]
        rows = table(undisturbed.folder / "doctor.csv")
        assert [(row["step"], row["rollbacks"], row["symptom"]) for row in rows] == [
            ("6", "0", "collapse"),
            ("8", "1", "not finite"),
        ]
        assert {row["action"] for row in rows} == {"rolled back to step 4"}
        readings = table(undisturbed.folder / "doctor-readings.csv")
        assert [(row["step"], row["rollbacks"]) for row in readings] == [
            *[("0", "0"), ("2", "0"), ("4", "0")],
            *[("6", "2"), ("8", "2"), ("10", "2")],
        ]
        assert backups_of(undisturbed.folder) == ["step-00000008-r2", "step-00000011-r2"]

    def test_counts_on_where_the_backup_of_the_first_rollback_is_damaged(self, tmp_path):
        """The one before it is of before the first rollback: it knows neither count nor rates."""

        def act(gan):
            sicken(gan)
            if (gan.rollbacks, gan.step) == (1, 6):
                (saved,) = (tmp_path / "backups").glob("step-00000004-r1-*")
                saved.write_bytes(b"cut")

        with pytest.warns(UserWarning, match="is damaged"):
            gan = go_on(tmp_path, act=act, keep=2)
        assert (gan.step, gan.rollbacks) == (11, 2)
        assert float(gan.generator_optimizer.learning_rate) == pytest.approx(0.0025)

    @pytest.mark.parametrize("which", ["first rollback", pytest.param("all", marks=slow)])
    def test_killed_before_in_or_after_it_ends_with_the_same_bits(
        self, undisturbed, tmp_path, which
    ):
        """A kill leaves what lay on the disk before some write or removal."""
        snapshots = undisturbed.snapshots
        if which == "first rollback":
            snapshots = [one for one in snapshots if is_in_first_rollback(one)]
        assert len(snapshots) >= (6 if which == "first rollback" else 25)
        for index, snapshot in enumerate(snapshots):
            folder = tmp_path / str(index)
            for name, content in snapshot.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            tiny.assert_same_state(go_on(folder), undisturbed.gan)
            assert files_of(folder) == files_of(undisturbed.folder), index

    @pytest.mark.parametrize("numbers", [[5, 7], pytest.param(range(1, 16), marks=slow)])
    def test_stopped_after_any_step_ends_with_the_same_bits(self, undisturbed, tmp_path, numbers):
        for number in numbers:
            folder = tmp_path / str(number)
            go_on(folder, stop_after=number)
            tiny.assert_same_state(go_on(folder), undisturbed.gan)
            found, expected = files_of(folder), files_of(undisturbed.folder)
            # A stop leaves a backup of its own.
            assert set(expected.pop("backups")) <= set(found.pop("backups"))
            assert found == expected, number

    def test_used_up_warns_and_stops_at_broken_numbers(self, tmp_path):
        gan = go_on(tmp_path, rollbacks=1)
        assert (gan.step, gan.rollbacks) == (8, 1)
        assert [row["action"] for row in table(tmp_path / "doctor.csv")] == [
            "rolled back to step 4",
            "stopped",
        ]

    def test_damaged_backup_is_not_gone_back_to(self, tmp_path):
        def damage(gan):
            sicken(gan)
            if gan.step == 6:
                (newest,) = (tmp_path / "backups").glob("step-00000004-*")
                newest.write_bytes(b"half")

        with pytest.warns(UserWarning, match="damaged"):
            gan = go_on(tmp_path, act=damage, rollbacks=1)
        assert (gan.step, gan.rollbacks) == (11, 0)
        (row,) = table(tmp_path / "doctor.csv")
        assert (row["step"], row["action"]) == ("6", "warned")

    def test_breaking_before_the_first_backup_goes_back_to_the_beginning(self, tmp_path):
        def break_early(gan):
            if (gan.rollbacks, gan.step) == (0, 1):
                gan.discriminator.weights[0].assign(gan.discriminator.weights[0] * np.nan)

        gan = go_on(tmp_path, act=break_early)
        assert (gan.step, gan.rollbacks) == (11, 1)
        (row,) = table(tmp_path / "doctor.csv")
        assert row["action"] == "rolled back to step 0"


def test_run_goes_on_after_a_rollback(tmp_path):
    """`tfgans.training.Run`: one log, one model, and the rates as the doctor left them."""
    gan = tfgans.NonSaturatingGAN(*points())
    compiled(gan, keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    with pytest.warns(UserWarning, match="rolled back to step 2 "):
        tfgans.training.Run(
            tmp_path / "run",
            gan,
            RING,
            steps=6,
            batch_size=4,
            epoch_steps=3,
            backup_every=2,
            grid_every=100,
            doctor_every=2,
            rollbacks=1,
            extra_callbacks=[Collapse()],
        ).train()
    assert (gan.step, gan.rollbacks) == (6, 1)
    rows = table(tmp_path / "run" / "log.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    final = tfgans.training.load_checkpoint(tmp_path / "run")
    assert (final.step, final.rollbacks) == (6, 1)
    tiny.assert_same_state(final, gan)


class Collapse(keras.callbacks.Callback):
    """Collapses the samples before step 4, once."""

    def on_train_batch_begin(self, batch, logs=None):
        if (self.model.rollbacks, self.model.step) == (0, 3):
            shrink(self.model, 0.0)


def test_tensorboard_shows_the_readings(tmp_path):
    gan, _ = exploding()
    fit(gan, 1, callbacks.Doctor(RING, log_dir=tmp_path))
    tags = {
        value.tag
        for path in tmp_path.iterdir()
        for record in tf.data.TFRecordDataset(str(path))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    assert tags == {f"doctor/{name}" for name in ("gradient_norm", "diversity", "penalty")}


def test_schedules_are_refused_with_rollbacks(tmp_path):
    gan = tfgans.NonSaturatingGAN(*points())
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 9)
    compiled(gan, "adam", keras.optimizers.Adam(schedule))
    backup = callbacks.Backup(tmp_path / "b")
    doctor = callbacks.Doctor(RING, path=tmp_path / "d.csv", backup=backup, rollbacks=1)
    with pytest.raises(ValueError, match=r"must be a number: a schedule .* Received: 'adam'"):
        fit_toy(gan, 1, doctor)
    fit_toy(gan, 1, callbacks.Doctor(RING))  # Without rollbacks a schedule is none of its business.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every_steps": 0}, "`every_steps` must be"),
        ({"num": 1}, "`num` must be an integer of at least 2"),
        ({"rollbacks": -1}, "`rollbacks` must be"),
        ({"rollbacks": 1}, "`rollbacks` need `backup`, .* and `path`"),
        ({"backup": "runs/x"}, "`backup` must be a tfgans.callbacks"),
        ({"learning_rate_factor": 1.0}, "`learning_rate_factor` must be below 1"),
        ({"accuracy_limit": 1.5}, "`accuracy_limit` must be at most 1"),
        ({"diversity_drop": 0}, "`diversity_drop` must be above 0"),
        ({"penalty_growth": 1.0}, "`penalty_growth` must be above 1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        callbacks.Doctor(RING, **options)
