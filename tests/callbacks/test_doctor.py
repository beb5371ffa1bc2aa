"""Doctor: what it finds in failing trainings, that it is silent otherwise, and rollbacks."""

import re
import warnings
from pathlib import Path

import commands
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
    accuracy_limit=0.99,
    gradient_drop=0.01,
    diversity_drop=0.1,
    penalty_growth=100.0,
    memorization_limit=0.75,
    sign_limit=0.95,
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
        "real_sign": None,
        "memorization": None,
        "generator_weights": (),
        "discriminator_weights": (),
        "generator_diversities": (),
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
        ("discriminator_overfits", [], {"memorization": 0.76}, True),
        ("discriminator_overfits", [1.0] * 4, {"memorization": 0.74, "real_sign": 1.0}, False),
        # Without held-out examples: five sure readings in a row, of a discriminator that is right.
        ("discriminator_overfits", [0.96] * 4, {"real_sign": 0.96, "accuracy": 0.96}, True),
        ("discriminator_overfits", [0.96] * 3, {"real_sign": 0.96, "accuracy": 0.96}, False),
        ("discriminator_overfits", [0.94, *[1.0] * 3], {"real_sign": 1.0, "accuracy": 1.0}, False),
        ("discriminator_overfits", [1.0] * 4, {"real_sign": 1.0, "accuracy": 0.5}, False),
    ],
)
def test_where_symptoms_begin(check, earlier, now, found):
    before = {
        "discriminator_won": [reading(gradient_norm=value) for value in earlier],
        "samples_collapsed": [reading(diversity=value) for value in earlier],
        "penalty_exploded": earlier,
        "discriminator_overfits": [reading(real_sign=sure, accuracy=sure) for sure in earlier],
    }
    advice = {"advice": "do this"} if check == "discriminator_overfits" else {}
    finding = getattr(symptoms, check)(reading(**now), before[check], LIMITS, **advice)
    assert (finding is not None) == found


def test_dead_components():
    (finding,) = symptoms.dead_components("generator", [0.976, 0.024], advice="do this")
    assert finding.symptom == "dead component 1 of the generator"
    assert finding.description.endswith("so do this")
    assert symptoms.dead_components("generator", [0.974, 0.026], advice="") == []


def test_advice_names_flags_of_the_command():
    flags = set(re.findall(r"--(?:\[no\])?(\w+)", commands.run("train", "--help").stdout))
    names = ["NOT_FINITE", "WON", "COLLAPSE", "PENALTY", "OVERFITS", "DEAD", "COLLAPSED"]
    for name in names:
        advice = re.findall(r"--(\w+)", symptoms.cure(getattr(symptoms, name)))
        assert advice
        assert set(advice) <= flags


@pytest.mark.parametrize(
    ("objective", "cure"),
    [
        (tfgans.objectives.NonSaturating(), r"AdaptiveAugment\(\).*--augmentation=ada"),
        pytest.param(
            *(tfgans.objectives.Wasserstein(), r"\.DiffAugment\(\).*--augmentation=diffaugment"),
            marks=slow,
        ),
    ],
)
def test_a_discriminator_that_knows_its_examples_is_told_of_with_the_cure(
    objective, cure, tmp_path
):
    """A logit that is the brightness: the training images are dark, the held-out images bright."""
    images = tiny.digits(64)
    dark, bright = (
        tfgans.data.from_array(images[np.argsort(images.mean(axis=(1, 2, 3)))[rows]])
        for rows in (slice(24), slice(40, 64))
    )
    inputs = keras.Input((8, 8, 1))
    mean = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(-1 / 64))
    critic = keras.Model(inputs, mean(keras.layers.Flatten()(inputs)))
    gan = tfgans.GAN(tiny.generator(), critic, objective=objective)
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    path = tmp_path / "doctor.csv"
    doctor = callbacks.Doctor(dark, path=path, every_steps=1, num=32, held_out=bright)
    with pytest.warns(UserWarning, match=f"the discriminator overfits.*{cure}") as caught:
        fit(gan, 1, doctor, source=dark)
    assert "more than a held-out example in 1 of all pairs" in messages(caught)[0]
    assert "0,0,discriminator overfits,1,0.75,warned" in path.read_text()


@pytest.mark.parametrize(
    ("name", "values", "begun", "healthy_step"),
    [
        # Once, and again after it was gone.
        ("diversity", [1.0, 0.01, 0.02, 0.5, 0.01], [0, 1, 0, 0, 1], 3),
        # An exploded penalty does not become usual.
        ("penalty", [1.0, *[1e4] * 9], [0, 1, *[0] * 8], 0),
        # A rollback does not revive a component.
        ("generator_weights", [(0.5, 0.5), (0.99, 0.01)], [0, 1], 1),
        # Of two components that are hardly more than constant at first, one spreads and collapses.
        ("generator_diversities", [(0.01, 0.01), (0.8, 0.01), (0.19, 0.4)], [0, 0, 1], 2),
        # A single component is the whole generator; others come after a split.
        ("generator_diversities", [(0.8,), (0.01,), (0.01, 0.02)], [0, 0, 0], 2),
    ],
)
def test_diagnosis(name, values, begun, healthy_step):
    diagnosis = Diagnosis(LIMITS, {"generator": ""})
    added = [diagnosis.add(reading(step, **{name: value})) for step, value in enumerate(values)]
    assert [len(findings) for findings in added] == begun
    assert diagnosis.healthy_step == healthy_step


@pytest.mark.parametrize("missing", [{}, {"accuracy": None}, {"gradient_norm": None}])
def test_rows_keep_every_bit(missing):
    weights = {"discriminator_weights": (1 / 3, 2 / 3), "generator_diversities": (0.1 + 0.2, 1.0)}
    original = reading(3, diversity=0.1 + 0.2, penalty=1 / 3, **weights, **missing)
    assert Reading.from_cells(original.to_row().rstrip("\n").split(",")) == original


def test_a_component_that_makes_a_single_example_is_named(tmp_path):
    generator = tfgans.MixtureGenerator(
        [tiny.generator(seed=seed, normalization=False) for seed in (1, 2)]
    )
    gan = tfgans.NonSaturatingGAN(generator, tiny.discriminator())
    gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    source = tfgans.data.from_array(tiny.digits(64))
    path = tmp_path / "doctor.csv"
    fit(gan, 1, callbacks.Doctor(source, path=path, every_steps=1), source=source)
    collapsed = generator.components[1]
    collapsed.set_weights([np.zeros_like(weight) for weight in collapsed.get_weights()])
    doctor = callbacks.Doctor(source, path=path, every_steps=1)
    with pytest.warns(UserWarning, match="component 1 of the generator has collapsed") as caught:
        fit(gan, 1, doctor, source=source)
    assert len(messages(caught)) == 1
    assert "2,0,collapsed component 1 of the generator,0," in path.read_text()
    assert "use fewer generators" in symptoms.cure("collapsed component 1 of the generator")


def test_readings_in_closed_form():
    """Linear networks: fake = w z, logit = x; the loss is -mean(w z)."""
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
    fake_distance = np.abs(fake[:, np.newaxis] - fake).sum() / 12
    assert measured.diversity == pytest.approx(fake_distance / np.mean([2, 6, 2, 4, 4, 8]))
    assert measured.penalty is None


def test_diversity_is_that_within_a_class():
    """All samples of a class are equal; those of the two classes are not."""
    latents, labels = keras.Input((1,)), keras.Input((), dtype="int32")
    offset, judged = (
        keras.layers.Reshape((1,))(keras.layers.Embedding(2, 1)(labels)) for _ in range(2)
    )
    generator = keras.Model([latents, labels], keras.layers.Add()([0 * latents, offset]))
    examples = keras.Input((1,))
    joined = keras.layers.Concatenate()([examples, judged])
    discriminator = keras.Model([examples, labels], keras.layers.Dense(1)(joined))
    gan = tfgans.NonSaturatingGAN(generator, discriminator, num_classes=2)
    gan.compile()
    gan.generator.set_weights([np.array([[0.0], [100.0]])])
    real = np.array([0.0, 1.0, 100.0, 101.0, 2.0, 102.0], np.float32)[:, np.newaxis]
    source = tfgans.data.from_array(real, labels=[0, 0, 1, 1, 0, 1])
    assert Probe(gan, source, num=6, seed=0).read().diversity == 0.0


def test_a_check_changes_no_bit():
    gans, logs = [], []
    for used in ([callbacks.Doctor(RING, every_steps=1)], []):
        keras.utils.set_random_seed(3)
        generators, discriminators = zip(*(toy.points() for _ in range(2)), strict=True)
        networks = (
            tfgans.MixtureGenerator(generators),
            tfgans.MixtureDiscriminator(discriminators),
        )
        penalty, seen = tfgans.penalties.R1Penalty(), []
        gan = tfgans.NonSaturatingGAN(*networks, penalty=penalty, ema=0.9)
        gan.compile(run_eagerly=True)
        record = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda _, logs, seen=seen: seen.append(
                {name: float(value) for name, value in logs.items()}
            )
        )
        fit(gan, 1, *used, record)
        gans.append(gan)
        logs.append(seen)
    tiny.assert_same_state(*gans)
    assert logs[0] == logs[1]


def test_gradients_in_float16_do_not_vanish():
    norms = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        gan = toy.gan()
        last = gan.discriminator.layers[-1]
        last.set_weights([weight * 1e-7 for weight in last.get_weights()])
        norms.append(Probe(gan, RING, num=16, seed=0).read().gradient_norm)
    assert 0 < norms[1] == pytest.approx(norms[0], rel=0.05)


def shrink(gan, factor=0.7):
    """Makes the generator's outputs more alike."""
    kernel = gan.generator.trainable_variables[-2]
    kernel.assign(factor * kernel)


SGD, ADAM = keras.optimizers.SGD, keras.optimizers.Adam
FAR = tfgans.data.GaussianMixture(name="far", modes=[[9.0, 9.0]], std=0.1)


@pytest.mark.parametrize(
    ("method", "rates", "source", "act", "symptom", "text"),
    [
        (tfgans.WGANGP, (SGD(1e30), SGD(1e30)), RING, None, "not finite", "lower the learning ra"),
        (
            *(tfgans.MinimaxGAN, (SGD(1e-6), ADAM(0.3)), FAR, None),
            *("discriminator has won", "its accuracy is 1, at least 0.99, .*non-saturating"),
        ),
        (
            *(tfgans.LeastSquaresGAN, (SGD(1e-6), SGD(1e-6)), RING, shrink),
            *("collapse", "mean distance .* under 0.1 of the earlier .* lower the learning"),
        ),
        pytest.param(
            *(tfgans.WGANGP, (ADAM(1e-4), ADAM(3.0)), RING, None),
            *("exploding penalty", "over 100 times the usual 1.* lower the discriminator's"),
            marks=slow,
        ),
    ],
)
def test_a_failing_training_gives_a_single_warning(
    method, rates, source, act, symptom, text, tmp_path
):
    options = {"discriminator_steps": 1} if method is tfgans.WGANGP else {}
    gan, stops = method(*toy.points(), **options), symptom == "not finite"
    gan.compile(*(type(rate).from_config(rate.get_config()) for rate in rates), run_eagerly=True)
    logs = {"log_dir": tmp_path / "tb"} if symptom == "exploding penalty" else {}
    doctor = callbacks.Doctor(source, path=tmp_path / "d.csv", every_steps=5, **logs)
    with pytest.warns(RuntimeWarning if stops else UserWarning, match=rf"Step \d+: .*{text}") as w:
        fit(gan, 10, *([toy.Act(act)] if act else []), doctor, source=source)
    assert len(messages(w)) == 1
    (row,) = toy.table(tmp_path / "d.csv")
    assert (row["symptom"], row["action"]) == (symptom, "stopped" if stops else "warned")
    assert (doctor.message is not None) == (gan.step < 10) == stops
    if logs:
        tags = {f"doctor/{name}" for name in ("gradient_norm", "diversity", "penalty")}
        assert {tag for _, tag in toy.scalars(tmp_path / "tb")} == tags


def test_a_dead_component_gives_a_warning_and_no_rollback(tmp_path):
    components = [toy.points()[0], toy.points()[0]]
    mixture = tfgans.MixtureGenerator(components, entropy_weight=0.0, weight_learning_rate=0.0)
    mixture.set_probabilities([0.97, 0.03])
    gan = toy.gan(networks=(mixture, toy.points()[1]))
    backup = callbacks.Backup(tmp_path / "b", every_steps=2)
    table = {"path": tmp_path / "d.csv", "every_steps": 2}
    doctor = callbacks.Doctor(RING, backup=backup, rollbacks=1, **table)
    kill = toy.Act(lambda gan: gan.step == 3 and gan.generator.set_probabilities([0.98, 0.02]))
    with pytest.warns(UserWarning, match=r"Step 4: .*component 1 .*raise `entropy_weight`"):
        toy.fit(gan, 6, kill, doctor, backup)
    assert [list(row.values()) for row in toy.table(tmp_path / "d.csv")] == [
        ["4", "0", "dead component 1 of the generator", "0.02", "0.025", "warned"]
    ]
    assert (gan.step, gan.rollbacks) == (6, 0)


HEALTHY = {
    "WGAN-GP": lambda *networks: tfgans.WGANGP(*networks, discriminator_steps=1),
    "non-saturating with R1": lambda *networks: tfgans.GAN(
        *networks,
        objective=tfgans.objectives.NonSaturating(),
        penalty=tfgans.penalties.R1Penalty(weight=5.0),
    ),
    "R3GAN": tfgans.R3GAN,
}


@pytest.mark.parametrize(("name", "seed"), [("ring", 0), ("digits", 0), ("digits", 1)])
@pytest.mark.parametrize("game", HEALTHY)
@slow
def test_silent_in_a_healthy_training(game, name, seed):
    source = tfgans.data.load(name, seed=seed)
    keras.utils.set_random_seed(seed)
    gan = HEALTHY[game](
        tfgans.networks.mlp_generator(source.data_shape, latent_dim=8, width=32, depth=2),
        tfgans.networks.mlp_discriminator(source.data_shape, width=32, depth=2),
    )
    gan.compile(*(keras.optimizers.Adam(5e-4, beta_1=0.5) for _ in range(2)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(gan, 300, callbacks.Doctor(source, every_steps=50), source=source, batch_size=64)
    assert messages(caught) == []
    assert gan.step == 300


def sicken(gan):
    """Collapses the samples after step 6, and after the rollback breaks step 7."""
    if (gan.rollbacks, gan.step) == (0, 6):
        shrink(gan, 0.0)
    if (gan.rollbacks, gan.step) == (1, 7):
        gan.discriminator.weights[0].assign(gan.discriminator.weights[0] * np.nan)


class WeightProbe:
    """Stands in for `Probe`, with a number that moves with the weights."""

    def __init__(self, gan, source, **options):
        self.gan = gan

    def read(self):
        spread = float(np.abs(self.gan.generator.trainable_variables[-2].numpy()).sum())
        return reading(self.gan.step, rollbacks=self.gan.rollbacks, diversity=spread)


def run(folder, *, stop_after=None, act=sicken, rollbacks=2, keep=1):
    """Starts, or resumes, a run of 11 steps as `tfgans.training` does, and may stop it early."""
    gan, steps = toy.gan(), 11
    backup = callbacks.Backup(folder / "backups", every_steps=4, keep=keep)
    tables = {"path": folder / "doctor.csv", "every_steps": 2}
    doctor = callbacks.Doctor(RING, backup=backup, rollbacks=rollbacks, **tables)
    seen = []

    def stop(gan):
        seen.append(gan.step)
        gan.stop_training |= len(seen) == stop_after

    backup.restore(gan)
    while gan.step < steps and doctor.message is None and len(seen) != stop_after:
        toy.fit(gan, steps - gan.step, toy.Act(act), doctor, backup, toy.Act(stop))
    return gan


def state_of(folder):
    """The tables, and the names of the backups without checksums."""
    names = [path.name for path in (folder / "backups").glob("step-*")]
    backups = {"backups": sorted(name.rpartition("-")[0] for name in names)}
    return backups | {path.name: path.read_text() for path in folder.glob("doctor*.csv")}


class Uninterrupted:
    """A run, and the content of its folder before each write or removal."""

    def __init__(self, folder):
        self.folder, self.snapshots = folder / "run", []
        writes = [(files, "move_into_place"), (Path, "unlink"), (StepTable, "append")]
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            patch.setattr("tfgans.callbacks.doctor.Probe", WeightProbe)
            for owner, name in writes:
                patch.setattr(owner, name, self._recording(getattr(owner, name)))
            self.gan = run(self.folder)
        self.messages = messages(caught)

    def _recording(self, original):
        def write(*args, **options):
            paths = [path for path in self.folder.rglob("*") if path.is_file()]
            content = {path.relative_to(self.folder): path.read_bytes() for path in paths}
            if content not in self.snapshots:
                self.snapshots.append(content)
            return original(*args, **options)

        return write


def is_in_first_rollback(snapshot):
    """Returns whether the collapse is written, but no check after the rollback."""
    tables = "".join(text.decode() for name, text in snapshot.items() if name.suffix == ".csv")
    return "6,0,collapse" in tables and "\n6,1," not in tables


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return Uninterrupted(tmp_path_factory.mktemp("uninterrupted"))


@pytest.mark.filterwarnings("ignore:Step")
class TestRollback:
    @pytest.fixture(autouse=True)
    def _probe(self, monkeypatch):
        monkeypatch.setattr("tfgans.callbacks.doctor.Probe", WeightProbe)

    def test_goes_back_twice_at_half_the_rates(self, uninterrupted):
        gan, folder = uninterrupted.gan, uninterrupted.folder
        assert (gan.step, gan.rollbacks) == (11, 2)
        for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
            assert float(optimizer.learning_rate) == pytest.approx(0.0025)
        assert [message.rpartition("; ")[2] for message in uninterrupted.messages] == [
            "rolled back to step 4 with 0.5 of the learning rates (1 of 2)",
            "rolled back to step 4 with 0.5 of the learning rates (2 of 2)",
        ]
        rows = [list(row.values()) for row in toy.table(folder / "doctor.csv")]
        assert [row[:3] for row in rows] == [["6", "0", "collapse"], ["8", "1", "not finite"]]
        assert {row[-1] for row in rows} == {"rolled back to step 4"}
        readings = [list(row.values())[:2] for row in toy.table(folder / "doctor-readings.csv")]
        assert readings == [*([step, "0"] for step in "024"), *([s, "2"] for s in ("6", "8", "10"))]
        assert state_of(folder)["backups"] == ["step-00000008-r2", "step-00000011-r2"]

    @pytest.mark.parametrize("which", ["in a rollback", pytest.param("all", marks=slow)])
    def test_killed_at_any_write_ends_with_the_same_bits(self, uninterrupted, tmp_path, which):
        snapshots = uninterrupted.snapshots
        assert len(snapshots) >= 25
        if which == "in a rollback":
            snapshots = [next(filter(is_in_first_rollback, snapshots))]
        for index, snapshot in enumerate(snapshots):
            folder = tmp_path / str(index)
            for name, content in snapshot.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            tiny.assert_same_state(run(folder), uninterrupted.gan)
            assert state_of(folder) == state_of(uninterrupted.folder), index

    @pytest.mark.parametrize("numbers", [[7], pytest.param(range(1, 16), marks=slow)])
    def test_stopped_at_any_step_ends_with_the_same_bits(self, uninterrupted, tmp_path, numbers):
        for number in numbers:
            folder = tmp_path / str(number)
            run(folder, stop_after=number)
            tiny.assert_same_state(run(folder), uninterrupted.gan)
            state, expected = state_of(folder), state_of(uninterrupted.folder)
            # A stop leaves a further backup.
            assert set(expected.pop("backups")) <= set(state.pop("backups"))
            assert state == expected, number

    @pytest.mark.parametrize(
        ("act", "damaged", "options", "end", "actions"),
        [
            # The backup before the first rollback has neither its count nor its rates.
            (
                *(sicken, (1, 6, "step-00000004-r1-*"), {"keep": 2}, (11, 2)),
                ["rolled back to step 4", "rolled back to step 4"],
            ),
            # There is no good backup.
            (sicken, (0, 6, "step-00000004-*"), {"rollbacks": 1}, (11, 0), ["warned"]),
            # Rollbacks are used up.
            (sicken, None, {"rollbacks": 1}, (8, 1), ["rolled back to step 4", "stopped"]),
            # It breaks before the first backup is due.
            (
                lambda gan: shrink(gan, np.nan) if (gan.rollbacks, gan.step) == (0, 1) else None,
                *(None, {}, (11, 1), ["rolled back to step 0"]),
            ),
        ],
    )
    def test_damaged_missing_and_used_up(self, act, damaged, options, end, actions, tmp_path):
        def damage(gan):
            act(gan)
            if damaged is not None and (gan.rollbacks, gan.step) == damaged[:2]:
                (saved,) = (tmp_path / "backups").glob(damaged[2])
                saved.write_bytes(b"cut")

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gan = run(tmp_path, act=damage, **options)
        assert any("is damaged" in str(w.message) for w in caught) == (damaged is not None)
        assert (gan.step, gan.rollbacks) == end
        assert float(gan.generator_optimizer.learning_rate) == pytest.approx(0.01 / 2 ** end[1])
        assert [row["action"] for row in toy.table(tmp_path / "doctor.csv")] == actions

    def test_a_run_continues(self, tmp_path):
        gan = toy.gan()
        ruin = toy.Act(lambda gan: (gan.rollbacks, gan.step) == (0, 3) and shrink(gan, np.nan))
        with pytest.warns(RuntimeWarning, match="rolled back to step 2 "):
            tfgans.training.Run(
                tmp_path / "run",
                gan,
                RING,
                steps=6,
                batch_size=4,
                steps_per_epoch=3,
                backup_every=2,
                grid_every=100,
                doctor_every=2,
                rollbacks=1,
                extra_callbacks=[ruin],
            ).train()
        assert (gan.step, gan.rollbacks) == (6, 1)
        rows = toy.table(tmp_path / "run" / "log.csv")
        assert [row["epoch"] for row in rows] == ["0", "1"]
        tiny.assert_same_state(tfgans.training.load_checkpoint(tmp_path / "run"), gan)


def test_schedules_are_refused_with_rollbacks(tmp_path):
    gan = tfgans.NonSaturatingGAN(*toy.points())
    gan.compile("adam", ADAM(keras.optimizers.schedules.PolynomialDecay(0.1, 9)))
    backup = callbacks.Backup(tmp_path / "b")
    doctor = callbacks.Doctor(RING, path=tmp_path / "d.csv", backup=backup, rollbacks=1)
    with pytest.raises(ValueError, match=r"must be a number, not a schedule. Received: 'adam'"):
        toy.fit(gan, 1, doctor)
    toy.fit(gan, 1, callbacks.Doctor(RING))


def test_a_backup_of_another_fit_is_refused(tmp_path):
    """There would be no backup to roll back to but that of the first step."""
    backup = callbacks.Backup(tmp_path / "b")
    doctor = callbacks.Doctor(RING, path=tmp_path / "d.csv", backup=backup, rollbacks=1)
    with pytest.raises(ValueError, match=r"must be among the callbacks of the same `fit`"):
        toy.fit(toy.gan(), 1, doctor)
    assert not list(tmp_path.iterdir())


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
def test_invalid_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        callbacks.Doctor(RING, **options)
