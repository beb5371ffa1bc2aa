"""Doctor: what it finds in failing trainings, that it is silent otherwise, and rollbacks."""

import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny
import toy

import tfgans
from tfgans import callbacks, files, random
from tfgans.callbacks import symptoms
from tfgans.callbacks.diagnosis import Diagnosis
from tfgans.callbacks.readings import Probe, Reading
from tfgans.callbacks.step_table import StepTable

LIMITS = symptoms.Limits(
    accuracy_limit=0.99, gradient_drop=0.01, diversity_drop=0.1, penalty_growth=100.0
)
RING = tfgans.data.Ring()
slow = pytest.mark.slow


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


def fit(gan, steps, *used, source=RING, batch_size=16):
    data = source.batches(batch_size, start_step=gan.step * gan.discriminator_steps)
    gan.fit(data, steps_per_epoch=steps, verbose=0, callbacks=list(used))
    return gan


def messages(caught):
    """The warnings of the doctor, without those of Keras."""
    return [str(w.message) for w in caught if str(w.message).startswith("Step ")]


@pytest.mark.parametrize(
    ("check", "earlier", "now", "found"),
    [
        ("discriminator_won", [1.0, 0.5], {"accuracy": 0.99, "gradient_norm": 0.0099}, True),
        ("discriminator_won", [1.0, 0.5], {"accuracy": 0.98, "gradient_norm": 0.0099}, False),
        ("discriminator_won", [1.0, 0.5], {"accuracy": 1.0, "gradient_norm": 0.011}, False),
        ("discriminator_won", [1.0, 0.5], {"accuracy": None, "gradient_norm": 0.0}, False),
        ("discriminator_won", [1.0, 0.5], {"accuracy": 1.0, "gradient_norm": None}, False),
        ("samples_collapsed", [0.5, 0.2], {"diversity": 0.049}, True),
        ("samples_collapsed", [0.5, 0.2], {"diversity": 0.051}, False),
        # It began wider than the data.
        ("samples_collapsed", [20.0], {"diversity": 0.11}, False),
        ("samples_collapsed", [20.0], {"diversity": 0.09}, True),
        ("samples_collapsed", [], {"diversity": 0.0}, False),
        # It has never been diverse, so it has not fallen.
        ("samples_collapsed", [0.001], {"diversity": 0.0011}, False),
        ("penalty_exploded", [2.0, 3.0, 900.0], {"penalty": 301.0}, True),
        ("penalty_exploded", [2.0, 3.0, 900.0], {"penalty": 299.0}, False),
        ("penalty_exploded", [0.001], {"penalty": 99.0}, False),
        ("penalty_exploded", [0.001], {"penalty": 101.0}, True),
        ("penalty_exploded", [], {"penalty": 1e9}, False),
    ],
)
def test_where_symptoms_begin(check, earlier, now, found):
    before = {
        "discriminator_won": [reading(gradient_norm=value) for value in earlier],
        "samples_collapsed": [reading(diversity=value) for value in earlier],
        "penalty_exploded": earlier,
    }
    finding = getattr(symptoms, check)(reading(**now), before[check], LIMITS)
    assert (finding is not None) == found


def test_dead_components_and_messages():
    (finding,) = symptoms.dead_components("generator", [0.976, 0.024], advice="do this")
    assert finding.symptom == "dead component 1 of the generator"
    assert finding.description.endswith("so do this")
    assert symptoms.dead_components("generator", [0.974, 0.026], advice="") == []
    finding = symptoms.samples_collapsed(reading(diversity=0.03), [reading(diversity=0.6)], LIMITS)
    assert finding.message(5) == (
        "Step 5: the samples have collapsed (their mean distance is 0.03 of that of real "
        "examples, under 0.1 of the earlier 0.6), so lower the learning rates, add a "
        "gradient penalty, or take a mixture of generators"
    )


@pytest.mark.parametrize(
    ("name", "values", "begun", "healthy_step"),
    [
        # Once, and again after it was gone.
        ("diversity", [1.0, 0.01, 0.02, 0.5, 0.01], [0, 1, 0, 0, 1], 3),
        # An exploded penalty does not become usual.
        ("penalty", [1.0, *[1e4] * 9], [0, 1, *[0] * 8], 0),
        # A rollback does not revive a component.
        ("generator_weights", [(0.5, 0.5), (0.99, 0.01)], [0, 1], 1),
    ],
)
def test_diagnosis(name, values, begun, healthy_step):
    diagnosis = Diagnosis(LIMITS, {"generator": ""})
    added = [diagnosis.add(reading(step, **{name: value})) for step, value in enumerate(values)]
    assert [len(findings) for findings in added] == begun
    assert diagnosis.healthy_step == healthy_step


class TestReadings:
    @pytest.mark.parametrize("lost", [{}, {"accuracy": None}, {"gradient_norm": None}])
    def test_row_keeps_every_bit(self, lost):
        weights = {"discriminator_weights": (1 / 3, 2 / 3)}
        original = reading(3, diversity=0.1 + 0.2, penalty=1 / 3, **weights, **lost)
        assert Reading.from_cells(original.to_row().rstrip("\n").split(",")) == original

    def test_closed_forms(self):
        """Linear networks: fake = w z, logit = v x; the loss is -mean(v w z)."""
        latents, outputs = keras.Input((1,)), keras.Input((1,))
        ones = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        generator = keras.Model(latents, keras.layers.Dense(1, use_bias=False)(latents))
        gan = tfgans.GAN(
            generator, keras.Model(outputs, ones(outputs)), objective=tfgans.objectives.Hinge()
        )
        gan.compile()
        gan.generator.set_weights([np.array([[2.0]])])
        real = np.array([[1.0], [3.0], [7.0], [-1.0]], np.float32)
        measured = Probe(gan, tfgans.data.from_array(real), num=99, seed=0).read()
        stream = random.Stream(random.key(0, random.ReservedStep.DOCTOR))
        fake = gan.generate(4, stream=stream, training=False).values.numpy()[:, 0]
        assert measured.gradient_norm == pytest.approx(abs(fake.mean() / 2))
        assert measured.accuracy == pytest.approx((0.75 + np.mean(fake <= 0)) / 2)
        real_distance = np.mean([2, 6, 2, 4, 4, 8])
        fake_distance = np.abs(fake[:, np.newaxis] - fake).sum() / 12
        assert measured.diversity == pytest.approx(fake_distance / real_distance)
        assert measured.penalty is None

    def test_diversity_within_a_class(self):
        """Samples of class 1 are 100 away from those of class 0, as the real examples are."""
        latents, labels = keras.Input((1,)), keras.Input((), dtype="int32")
        embed = keras.layers.Embedding(2, 1, embeddings_initializer="ones")
        offset = keras.layers.Reshape((1,))(embed(labels))
        generator = keras.Model([latents, labels], keras.layers.Add()([latents, offset]))
        examples = keras.Input((1,))
        joined = keras.layers.Concatenate()([examples, offset])
        discriminator = keras.Model([examples, labels], keras.layers.Dense(1)(joined))
        gan = tfgans.NonSaturatingGAN(generator, discriminator, num_classes=2)
        gan.compile()
        gan.generator.set_weights([np.array([[0.0], [100.0]])])
        real = np.array([0.0, 1.0, 100.0, 101.0, 2.0, 102.0], np.float32)[:, np.newaxis]
        source = tfgans.data.from_array(real, labels=[0, 0, 1, 1, 0, 1])
        # Distances of real examples within a class are 4/3; those of N(0, 1) are about 1.1.
        assert 0.2 < Probe(gan, source, num=6, seed=0).read().diversity < 3

    def test_looking_changes_no_bit(self, tmp_path):
        states, logs = [], []
        for watched in (True, False):
            gan = tfgans.R3GAN(*tiny.mixtures(2, 2, normalization=False), ema=0.9)
            gan.compile(run_eagerly=True)
            used, seen = [], []
            if watched:
                used = [callbacks.Doctor(tiny.digits(32), every_steps=1)]
            record = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs, seen=seen: seen.append(
                    {name: float(value) for name, value in logs.items()}
                )
            )
            toy.train(gan, 2, *used, record)
            states.append(gan)
            logs.append(seen)
        tiny.assert_same_state(*states)
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
    gan = tfgans.WGANGP(*toy.points(), discriminator_steps=1)
    return compiled(gan, keras.optimizers.SGD(1e30), keras.optimizers.SGD(1e30)), RING


def won():
    """The minimax game on data far from the samples, with a fast discriminator."""
    far = tfgans.data.GaussianMixture(name="far", modes=[[9.0, 9.0]], std=0.1)
    gan = tfgans.MinimaxGAN(*toy.points())
    return compiled(gan, keras.optimizers.SGD(1e-6), keras.optimizers.Adam(0.3)), far


def collapse():
    """What the generator makes of a latent shrinks to nothing."""
    gan = tfgans.LeastSquaresGAN(*toy.points())
    return compiled(gan, keras.optimizers.SGD(1e-6), keras.optimizers.SGD(1e-6)), RING


def shrink(gan, factor=0.7):
    """Makes the generator's outputs more alike."""
    kernel = gan.generator.trainable_variables[-2]
    kernel.assign(factor * kernel)


def exploding():
    gan = tfgans.WGANGP(*toy.points(), discriminator_steps=1)
    return compiled(gan, keras.optimizers.Adam(1e-4), keras.optimizers.Adam(3.0)), RING


def dead():
    first, second = toy.points()[0], toy.points()[0]
    second.set_weights([weight + 0.1 for weight in second.get_weights()])
    mixture = tfgans.MixtureGenerator([first, second], entropy_weight=0.0)
    mixture.set_probabilities([0.97, 0.03])
    mixture.weight_learning_rate = 0.0
    gan = tfgans.NonSaturatingGAN(mixture, toy.points()[1])
    return compiled(gan, "adam", "adam"), RING


FAILURES = {
    nan: (symptoms.NOT_FINITE, "broke .* lower the learning rates"),
    won: ("discriminator has won", "its accuracy is 1, at least 0.99, .*non-saturating"),
    collapse: ("collapse", "mean distance .* under 0.1 of the earlier .* lower the learning"),
    exploding: ("exploding penalty", "over 100 times the usual 1.* lower the discriminator's"),
}


@pytest.mark.parametrize("make", FAILURES, ids=lambda make: make.__name__)
def test_failing_training_is_noticed_once(make, tmp_path):
    symptom, sentence = FAILURES[make]
    gan, source = make()
    doctor = callbacks.Doctor(source, path=tmp_path / "d.csv", every_steps=5)
    kind = RuntimeWarning if make is nan else UserWarning
    acts = [toy.Act(shrink)] if make is collapse else []
    with pytest.warns(kind, match=rf"Step \d+: .*{sentence}") as caught:
        fit(gan, 10, *acts, doctor, source=source)
    assert len(messages(caught)) == 1
    (row,) = toy.table(tmp_path / "d.csv")
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
    kill = toy.Act(lambda gan: gan.step == 3 and gan.generator.set_probabilities([0.98, 0.02]))
    with pytest.warns(UserWarning, match=r"Step 4: .*component 1 .*raise `entropy_weight`"):
        toy.fit(gan, 6, kill, doctor, doctor.backup)
    assert [list(row.values()) for row in toy.table(tmp_path / "d.csv")] == [
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


@pytest.mark.parametrize(
    ("game", "name", "seed"),
    [
        ("R3GAN", "ring", 1),
        *(
            pytest.param(game, *data, marks=slow)
            for game in HEALTHY
            for data in [("ring", 0), ("digits", 0), ("digits", 1)]
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
    assert messages(caught) == []
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


def go_on(folder, *, stop_after=None, act=sicken, steps=11, rollbacks=2, keep=1):
    """Starts, or resumes, a run of few steps as `tfgans.training.train` does.

    With `stop_after`, a signal comes in so many steps.
    """
    gan = toy.gan()
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
        toy.fit(gan, steps - gan.step, toy.Act(act), doctor, backup, toy.Act(signal))
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
        self.messages = messages(caught)

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
        assert [sentence.rpartition("; ")[2] for sentence in undisturbed.messages] == [
            "rolled back to step 4 with 0.5 of the learning rates (1 of 2)",
            "rolled back to step 4 with 0.5 of the learning rates (2 of 2)",
        ]
        rows = toy.table(undisturbed.folder / "doctor.csv")
        assert [(row["step"], row["rollbacks"], row["symptom"]) for row in rows] == [
            ("6", "0", "collapse"),
            ("8", "1", "not finite"),
        ]
        assert {row["action"] for row in rows} == {"rolled back to step 4"}
        readings = toy.table(undisturbed.folder / "doctor-readings.csv")
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
        assert [row["action"] for row in toy.table(tmp_path / "doctor.csv")] == [
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
        (row,) = toy.table(tmp_path / "doctor.csv")
        assert (row["step"], row["action"]) == ("6", "warned")

    def test_breaking_before_the_first_backup_goes_back_to_the_beginning(self, tmp_path):
        def break_early(gan):
            if (gan.rollbacks, gan.step) == (0, 1):
                gan.discriminator.weights[0].assign(gan.discriminator.weights[0] * np.nan)

        gan = go_on(tmp_path, act=break_early)
        assert (gan.step, gan.rollbacks) == (11, 1)
        (row,) = toy.table(tmp_path / "doctor.csv")
        assert row["action"] == "rolled back to step 0"


def test_run_goes_on_after_a_rollback(tmp_path):
    """`tfgans.training.train`: one log, one model, and the rates as the doctor left them."""
    gan = tfgans.NonSaturatingGAN(*toy.points())
    compiled(gan, keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    with pytest.warns(UserWarning, match="rolled back to step 2 "):
        tfgans.training.train(
            gan,
            RING,
            run_dir=tmp_path / "run",
            steps=6,
            batch_size=4,
            epoch_steps=3,
            backup_every=2,
            grid_every=100,
            doctor_every=2,
            rollbacks=1,
            extra_callbacks=[Collapse()],
        )
    assert (gan.step, gan.rollbacks) == (6, 1)
    rows = toy.table(tmp_path / "run" / "log.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    final = tfgans.training.load_final(tmp_path / "run")
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
    tags = {f"doctor/{name}" for name in ("gradient_norm", "diversity", "penalty")}
    assert {tag for _, tag in toy.scalars(tmp_path)} == tags


def test_schedules_are_refused_with_rollbacks(tmp_path):
    gan = tfgans.NonSaturatingGAN(*toy.points())
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 9)
    compiled(gan, "adam", keras.optimizers.Adam(schedule))
    backup = callbacks.Backup(tmp_path / "b")
    doctor = callbacks.Doctor(RING, path=tmp_path / "d.csv", backup=backup, rollbacks=1)
    with pytest.raises(ValueError, match=r"must be a number: a schedule .* Received: 'adam'"):
        toy.fit(gan, 1, doctor)
    toy.fit(gan, 1, callbacks.Doctor(RING))  # Without rollbacks a schedule is none of its business.


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
