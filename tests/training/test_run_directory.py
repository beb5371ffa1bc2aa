"""What is in the folder of a run, and what is refused: another run, damaged and malicious files."""

import contextlib
import fcntl
import functools
import itertools
import json
import shutil
import types
import zipfile

import keras
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import step_clock, training
from tfgans.training import time_limit

SOURCE = tfgans.data.from_array(tiny.digits(64))
SIZES = {"steps": 4, "batch_size": 16, "steps_per_epoch": 2}


def discriminator():
    return tfgans.networks.mlp_discriminator((8, 8, 1), width=8, depth=1, seed=2)


def model(judge=discriminator, accumulate_steps=1, **options):
    generator = tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, width=8, depth=1, seed=1)
    gan = tfgans.NonSaturatingGAN(generator, judge(), **options)
    gan.compile(run_eagerly=True, accumulate_steps=accumulate_steps)
    return gan


@functools.cache
def untrained():
    """A model for runs that are refused: it takes longer to make than to refuse."""
    return model()


def with_adam(rate=1e-3, *, options=None, **compiled):
    gan = model()
    pair = [keras.optimizers.Adam(rate, 0.5, **(options or {})) for _ in range(2)]
    gan.compile(*pair, **compiled)
    return gan


def run(path, gan=None, source=SOURCE, **changed):
    options = {"doctor_every": None, "grid_every": 100, **SIZES, **changed}
    return training.Run(path, untrained() if gan is None else gan, source, **options)


class StopAt(keras.callbacks.Callback):
    """Stops the training, as `EarlyStopping` does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.epoch


def test_a_callback_that_stops_training_ends_the_run(tmp_path):
    evaluator = tfgans.evaluation.Evaluator(SOURCE, metrics=["near_copies"])
    options = {"steps": 9, "evaluator": evaluator, "evaluate_every": 8}
    stopped = run(tmp_path, model(), extra_callbacks=[StopAt(1)], **options)
    stopped.train()
    directory = stopped.directory
    assert directory.is_finished
    assert [number.step for number in directory.evaluations()] == [4]
    assert [spent.step for spent in directory.time_spent()][-1] == 4
    assert (directory.grids / "step-00000004.png").exists()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    # The same run again stays as it is; without the callback, it continues.
    again = run(tmp_path, model(), extra_callbacks=[StopAt(1)], notes={"note.txt": ""}, **options)
    assert again.is_complete
    assert not run(tmp_path, **options).is_complete
    assert not run(tmp_path / "new", **options).is_complete
    again.train()
    assert not (tmp_path / "note.txt").exists()
    assert directory.is_finished
    assert [number.step for number in directory.evaluations()] == [4]
    run(tmp_path, model(), **options).train()
    assert [number.step for number in directory.evaluations()] == [4, 8, 9]


def test_a_refused_continuation_changes_nothing(tmp_path):
    def evaluated(metrics, steps, note):
        evaluator = tfgans.evaluation.Evaluator(SOURCE, metrics=metrics)
        options = {"evaluator": evaluator, "evaluate_every": 4, "notes": {"flags.txt": note}}
        return run(tmp_path / "run", model(), steps=steps, **options)

    evaluated(["ms_ssim"], 4, "first").train()  # No number decides which model is the best.
    before = everything(tmp_path / "run")
    refused = evaluated(["near_copies"], 8, "second")
    for act in (refused.plan, refused.train):
        with pytest.raises(ValueError, match=r"evaluations of other settings \(metrics differ\)"):
            act()
    assert (tmp_path / "run" / "final.keras").exists()
    assert (tmp_path / "run" / "flags.txt").read_text() == "first"
    assert refused.directory.is_finished
    assert everything(tmp_path / "run").keys() == before.keys()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "run"
    run(path, model()).train()
    return path


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "`steps` must be an integer of at least 1"),
        ({"steps": None}, "needs `steps`, `minutes` or `cpu_seconds`"),
        ({"cpu_seconds": -1}, "`cpu_seconds` must be"),
        ({"cpu_seconds": 0}, "`cpu_seconds` must be above 0"),
        ({"minutes": 0}, "`minutes` must be above 0"),
        ({"batch_size": 65}, "Use a smaller batch"),
        ({"max_generators": 2}, "`max_generators` needs `adapt_every`"),
        ({"adapt_every": 5}, "Only a mixture has components"),
        ({"rollbacks": 1}, "`rollbacks` need `doctor_every`"),
        ({"rollbacks": 1, "doctor_every": 3, "backup_every": 4}, "must divide `backup_every` = 4"),
        ({"notes": {"backups/x": ""}}, "without folders"),
        ({"notes": {"final.keras": ""}}, "`notes` must not replace a file of the run"),
        ({"notes": {"doctor-readings.csv": ""}}, "`notes` must not replace a file of the run"),
        ({"evaluate_every": 2}, "`evaluate_every` needs `evaluator`"),
        ({"held_out": SOURCE}, "`held_out` is for the doctor"),
        ({"source": tiny.digits(64)}, "`source` must be a tfgans.data.Source"),
        ({"gan": tiny.discriminator}, "`gan` must be a tfgans.GAN"),
        ({"evaluator": "digits"}, r"`evaluator` must be a tfgans\.evaluation\.Evaluator"),
        (
            {"evaluator": tfgans.evaluation.Evaluator(tfgans.data.Ring(), num_real=9)},
            r"`evaluator` must have examples of the shape that the model takes, \(8, 8, 1\)",
        ),
        (
            {"held_out": tfgans.data.Ring(), "doctor_every": 2},
            r"`held_out` must have examples of the shape that the model takes, \(8, 8, 1\)",
        ),
        ({"batch_size": "16"}, "`batch_size` must be an integer"),
        ({"backup_every": 0}, "`backup_every` must be an integer of at least 1"),
        ({"grid_every": 0}, "`grid_every` must be an integer of at least 1"),
        ({"adapt_every": 0}, "`adapt_every` must be an integer of at least 1"),
        ({"notes": {"note.txt": 3}}, "`notes` must be a "),
        (
            {"extra_callbacks": [keras.callbacks.EarlyStopping(restore_best_weights=True)]},
            "each call would end with the weights of an earlier step",
        ),
        ({"extra_callbacks": [keras.callbacks.CSVLogger("x.csv")]}, "Pass `append=True`"),
        (
            {
                "gan": lambda: with_adam(keras.optimizers.schedules.PolynomialDecay(1e-3, 10)),
                **{"rollbacks": 1, "doctor_every": 2, "backup_every": 2},
            },
            "must be a number, not a schedule",
        ),
        (
            {"gan": lambda: tfgans.WGANGP(tiny.generator(), tiny.discriminator())},
            "Compile the model",
        ),
        (
            {"gan": lambda: with_adam(steps_per_execution=3)},
            "multiples of `steps_per_execution` = 3",
        ),
        (
            {"gan": lambda: with_adam(options={"use_ema": True})},
            r"use_ema=True\. Use `ema=0\.999` of the model",
        ),
        (
            {"evaluator": tfgans.evaluation.Evaluator(SOURCE), "evaluate_every": 3},
            "must be a multiple of `steps_per_epoch` = 2",
        ),
    ],
)
def test_bad_arguments(changed, message, tmp_path):
    make = changed.get("gan")
    arguments = changed if make is None else {**changed, "gan": make()}
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "new", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("routing", "is_refused"), [("slices", True), ("all", False)])
def test_slices_bound_the_number_of_generators(tmp_path, routing, is_refused):
    components = [
        tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, width=8, depth=1, seed=seed)
        for seed in range(2)
    ]
    gan = tfgans.NonSaturatingGAN(
        tfgans.MixtureGenerator(components, routing=routing), discriminator()
    )
    gan.compile(run_eagerly=True)
    expected = contextlib.nullcontext()
    if is_refused:
        expected = pytest.raises(ValueError, match="up to 17 components, and micro-batches of 16")
    with expected:
        run(tmp_path / "new", gan, adapt_every=4, max_generators=17)


def test_a_run_without_a_last_step_finishes_an_epoch_and_goes_on(tmp_path):
    first, second, third = itertools.islice(training.segments.segments(7, None, 5), 3)
    assert first == (1, 2, 3)
    assert (second.initial_epoch, second.steps_per_epoch) == (2, 5)
    assert third.initial_epoch == second.epochs > 100
    plan = training.Run(tmp_path / "new", untrained(), SOURCE, batch_size=16, minutes=1).plan()
    assert "1 minutes; 0 steps are done" in plan


def test_cpu_time_of_kept_steps_ends_a_run(tmp_path, monkeypatch):
    # Each look at the clock takes half a second, each step two looks.
    clock = itertools.count(0, 0.5).__next__
    monkeypatch.setattr(step_clock, "time", types.SimpleNamespace(process_time=clock))

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.step == 7:
                raise KeyboardInterrupt

    options = {"steps": None, "steps_per_epoch": 4, "backup_every": 6}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, model(), cpu_seconds=5, extra_callbacks=[Kill()], **options).train()
    spent = training.RunDirectory(tmp_path).time_spent
    # The first step of a process counts as the mean of the others.
    assert [(row.step, row.cpu_seconds) for row in spent()] == [(0, 0), (4, 2), (6, 3)]
    run(tmp_path, model(), cpu_seconds=5, **options).train()
    assert spent()[-1][::2] == (10, 5)
    assert training.RunDirectory(tmp_path).description()["length"]["cpu_seconds"] == 5
    (tmp_path / "time.csv").write_text("step\n")
    with pytest.raises(ValueError, match=r"time\.csv must be a table of `TimeLimit`"):
        run(tmp_path, model(), cpu_seconds=7, **options).train()


def test_the_time_between_two_trainings_of_a_run_does_not_count(tmp_path, monkeypatch):
    """Say in a notebook, whose cell is interrupted and executed again an hour later."""
    now = [0.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(time_limit, "time", clock)

    class StepOfASecond(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now[0] += 1
            if self.model.step == 3 and now[0] == 3:
                raise KeyboardInterrupt

    options = {"steps": None, "minutes": 0.1, "backup_every": 2}
    job = run(tmp_path, model(), extra_callbacks=[StepOfASecond()], **options)
    with pytest.raises(KeyboardInterrupt):
        job.train()
    now[0] += 3600
    job.train()
    last = job.directory.time_spent()[-1]
    assert 6 <= last.seconds < 8
    assert last.step >= 6


@pytest.mark.slow
def test_minutes_end_a_run_and_more_minutes_continue_it(tmp_path, monkeypatch):
    clock = itertools.count(0, 0.5).__next__  # Each look at it takes half a second.
    monkeypatch.setattr(time_limit, "time", types.SimpleNamespace(monotonic=clock))
    options = {"steps_per_epoch": 10**6, "evaluate_every": 10**6, "grid_every": 10**6}
    options["evaluator"] = tfgans.evaluation.Evaluator(SOURCE, metrics=["frechet_distance"])
    steps = []
    for minutes in (0.1, 0.1, 0.2):
        run(tmp_path, model(), steps=None, minutes=minutes, **options).train()
        steps.append(training.load_checkpoint(tmp_path, "final").step)
    assert 3 < steps[0] == steps[1] < steps[2]
    spent = training.RunDirectory(tmp_path).time_spent()
    assert [row.step for row in spent] == [0, *steps[::2]]
    assert 12 <= spent[-1].seconds < 15
    rows = (tmp_path / "evaluation.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == [steps[0], steps[2]]
    assert (tmp_path / "grids" / f"step-{steps[2]:08d}.png").exists()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 2
    with pytest.raises(ValueError, match=f"has done {steps[2]} steps already"):
        run(tmp_path, model(), steps=1, **options).train()


def test_a_finished_run_without_backups_is_not_begun_anew(copied):
    before = (copied / "final.keras").read_bytes()
    shutil.rmtree(copied / "backups")
    for act in (training.Run.plan, training.Run.train):
        with pytest.raises(ValueError, match="a finished run without backups"):
            act(run(copied, model(), steps=6))
    assert (copied / "final.keras").read_bytes() == before
    for path in copied.glob("*.keras"):
        path.unlink()
    assert training.RunDirectory(copied).is_finished
    with pytest.raises(ValueError, match="its models have been removed"):
        training.load_checkpoint(copied)
    with pytest.raises(ValueError, match="a finished run without backups"):
        run(copied, model(), steps=6).train()
    assert not list(copied.glob("*.keras"))


@pytest.mark.slow
def test_a_kill_in_the_last_evaluation_of_a_limited_run_repeats_it(tmp_path, monkeypatch):
    clock = itertools.count(0, 0.5).__next__
    monkeypatch.setattr(time_limit, "time", types.SimpleNamespace(monotonic=clock))
    options = {"steps": None, "minutes": 0.1, "steps_per_epoch": 10**6, "backup_every": 1}
    options |= {"evaluator": tfgans.evaluation.Evaluator(SOURCE, metrics=["near_copies"])}

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tfgans.evaluation.Evaluator, "evaluate", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, model(), **options).train()
    run(tmp_path, model(), **options).train()
    (row,) = training.RunDirectory(tmp_path).evaluations()
    assert row.step == training.load_checkpoint(tmp_path, "final").step


def test_the_last_step_is_evaluated_due_or_not(tmp_path):
    evaluator = tfgans.evaluation.Evaluator(SOURCE, metrics=["near_copies"])
    run(tmp_path / "x", model(), evaluator=evaluator, evaluate_every=100).train()
    assert {row.step for row in training.RunDirectory(tmp_path / "x").evaluations()} == {4}
    assert (tmp_path / "x" / "best.keras").exists()


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda path: run(path, batch_size=8), "batch_size is 16 there and 8 here"),
        (lambda path: run(path, model(seed=1)), "seed is 0 there and 1 here"),
        (
            lambda path: run(path, model(accumulate_steps=2)),
            "accumulate_steps is 1 there and 2 here",
        ),
        (
            lambda path: run(path, source=tfgans.data.from_array(tiny.digits(64)[::-1])),
            "holds another run: data differs. Use",
        ),
        (
            lambda path: run(path, model(label_smoothing=0.1)),
            " label_smoothing is 0 there and 0.1 here",
        ),
        (lambda path: run(path, settings={"more": 1}), "more is None there and 1 here"),
        (
            lambda path: run(path, source=tfgans.data.from_array(tiny.digits(60))),
            "num_examples is 64 there and 60 here",
        ),
        (
            lambda path: run(path, model(tiny.spectral_discriminator)),
            "discriminator.architecture differs; discriminator.seeds differs",
        ),
        (
            lambda path: run(path, with_adam(), batch_size=8, settings={"more": 1}),
            r"run: more is None there and 1 here; .*; discriminator_optimizer.learning_rate is "
            r"0.0002 there and 0.001 here; .*; and 1 more\. Use its settings",
        ),
        (lambda path: run(path, resume=False), "resuming is off. Choose another run directory"),
        (lambda path: run(path, model(), steps=2), "has done 4 steps already. Received: steps=2"),
        (
            lambda path: run(path, model(), steps=8, steps_per_epoch=4),
            r"log.csv is the mean over `steps_per_epoch` steps, .* Received: 4 here and 2 there",
        ),
    ],
)
def test_another_run_is_refused(other, message, copied):
    before = everything(copied)
    for act in (training.Run.plan, training.Run.train):
        with pytest.raises(ValueError, match=message):
            act(other(copied))
    assert everything(copied) == before


def test_held_out_classes_are_those_of_the_training_data(tmp_path):
    networks = (
        tiny.conditional_generator(num_classes=2),
        tiny.conditional_discriminator(num_classes=2),
    )
    gan = tfgans.NonSaturatingGAN(*networks, num_classes=2)
    gan.compile()
    cats, dogs = (
        tfgans.data.from_array(tiny.digits(64), labels=[0, 1] * 32, class_names=names)
        for names in (("cat", "dog"), ("dog", "emu"))
    )
    with pytest.raises(
        ValueError, match=r"in the same order.*'cat', 'dog'.*Received.*'dog', 'emu'"
    ):
        run(tmp_path / "new", gan, cats, held_out=dogs, doctor_every=2)
    only_cats = tfgans.data.from_array(tiny.digits(64), labels=[0] * 64, class_names=["cat"])
    run(tmp_path / "new", gan, cats, held_out=only_cats, doctor_every=2)


@pytest.mark.slow
def test_when_a_run_goes_back_is_a_setting(tmp_path):
    options = {"rollbacks": 1, "doctor_every": 2, "backup_every": 2}
    run(tmp_path, model(), **options).train()
    with pytest.raises(ValueError, match="backup_every is 2 there and 4 here"):
        run(tmp_path, model(), **{**options, "backup_every": 4}).plan()
    for rollbacks in (0, 2):
        run(tmp_path, model(), **{**options, "rollbacks": rollbacks}).plan()


def test_rollbacks_can_be_added_to_a_run(copied):
    run(copied, rollbacks=1, doctor_every=2, backup_every=2).plan()


def test_a_run_that_is_killed_before_it_is_called_finished_ends_again(tmp_path, monkeypatch):
    def kill(directory, finished):
        if finished:
            raise KeyboardInterrupt

    job = run(tmp_path / "run", model())
    with monkeypatch.context() as patch:
        patch.setattr(training.RunDirectory, "write_finished", kill)
        with pytest.raises(KeyboardInterrupt):
            job.train()
    directory = training.RunDirectory(tmp_path / "run")
    assert directory.final_model.exists()
    assert (directory.is_finished, directory.newest_checkpoint()) == (False, "last")
    run(tmp_path / "run", model()).train()
    assert directory.is_finished
    assert training.load_checkpoint(tmp_path / "run", "final").step == SIZES["steps"]


def test_a_final_model_alone_can_be_loaded(finished, tmp_path):
    shutil.copy(finished / "final.keras", tmp_path)
    assert training.load_checkpoint(tmp_path).step == SIZES["steps"]


class Columns(tfgans.data.DrawnSource):
    """Data of a user, whose seed is its first argument."""

    def __init__(self, seed, shade=0.5):
        super().__init__(name="columns", data_shape=(8, 8, 1), seed=seed)
        self.shade = shade

    def draw(self, n, key):
        return tfgans.random.uniform([n, 8, 8, 1], key)


class Table(keras.layers.Layer):
    """A layer of which the config has keys that are no strings."""

    def call(self, inputs):
        return inputs

    def get_config(self):
        return {**super().get_config(), "table": {0: 1.0, 1: 2.0}}


def test_seeds_are_apart_from_the_architecture(tmp_path):
    def judge(seed):
        kernel = keras.initializers.GlorotUniform(seed=seed)
        layers = [keras.layers.Flatten(), Table(), keras.layers.Dense(1, kernel_initializer=kernel)]
        return keras.Sequential([keras.Input((8, 8, 1)), *layers])

    first, second = (
        run(tmp_path / "new", model(lambda seed=seed: judge(seed))).settings["discriminator"]
        for seed in (1, 2)
    )
    assert first["architecture"] == second["architecture"]
    assert first["seeds"] != second["seeds"]


@pytest.mark.parametrize(
    "source",
    [lambda seed: tfgans.data.from_array(tiny.digits(64), seed=seed), lambda s: Columns(s)],
)
def test_the_seed_of_the_data_is_apart_from_the_data(source, tmp_path):
    """Runs that differ by it alone are compared as seeds of a group."""
    first, second = (run(tmp_path / "new", source=source(seed)).settings for seed in (1, -23))
    assert first.pop("source_seed") == 1
    assert second.pop("source_seed") == -23
    assert first == second


def test_settings_beside_the_metrics_name_classes_and_their_arguments(tmp_path):
    penalty = tfgans.penalties.R1Penalty(weight=0.5)
    gan = model(penalty=penalty, regularizers=[tfgans.regularizers.LeCam(weight=0.25)])
    shown = training.settings.hyperparameters(run(tmp_path / "new", gan).settings)
    assert shown["penalty.class"] == "R1Penalty"
    assert shown["penalty.weight"] == 0.5
    assert shown["regularizers.0.weight"] == 0.25
    assert shown["generator_optimizer.learning_rate"] == pytest.approx(2e-4)
    assert {"class", "epsilon"}.isdisjoint(
        key.rpartition(".")[2] for key in shown if key.startswith("generator_optimizer")
    )
    wrapped = {
        "generator_optimizer": {
            "class_name": "X",
            "config": {
                "inner_optimizer": {
                    "class_name": "Adam",
                    "config": {"learning_rate": 0.5, "epsilon": 1e-7},
                }
            },
        }
    }
    assert training.settings.hyperparameters(wrapped) == {"generator_optimizer.learning_rate": 0.5}


def test_architecture_does_not_depend_on_names(tmp_path):
    """Keras counts layers: the second network of a process has other names than the first."""
    first, second = (run(tmp_path / "new", model()).settings for _ in range(2))
    assert first == second
    json.dumps(first)


def test_folders_of_other_things_are_refused(copied, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.txt").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for place in ("thesis", "thesis/thesis.txt"):
        with pytest.raises(ValueError, match="Choose a new or an empty folder"):
            run(tmp_path / place).train()
    for place in ("thesis/thesis.txt/run", "loop", "x" * 300):
        with pytest.raises(OSError, match=r"loop|too long|Choose another place"):
            run(tmp_path / place).train()
    with (copied / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="Another process is training in"):
            run(copied).train()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "[" * 100_000, '{"settings": [], "data": null, "versions": {}}', "\udcff\udcfe"],
    ids=["garbage", "list", "deep", "parts", "bytes"],
)
def test_damaged_records(text, copied):
    (copied / "run.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"is damaged\. Restore it"):
        run(copied).plan()


@pytest.mark.parametrize("shares", ["half", [0.5, "half"], [0.5, 0.2], [2, -1], [float("nan")], []])
def test_damaged_shares(copied, shares):
    description = json.loads((copied / "run.json").read_text())
    description["settings"] = {"class_shares": shares}
    (copied / "run.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=r"`class_shares`.*damaged"):
        training.draw_labels(copied, 3, seed=0)


def test_run_without_classes_has_no_labels(finished):
    assert training.draw_labels(finished, 3, seed=0) is None


class TestCheckpoints:
    def test_default_is_final_else_last(self, copied):
        final = training.load_checkpoint(copied)
        assert final.step == 4
        (copied / "final.keras").unlink()
        last = training.load_checkpoint(copied)
        tiny.assert_same_state(final, last)
        with pytest.raises(ValueError, match=r"no best model.*without evaluations"):
            training.load_checkpoint(copied, "best")
        newest = max((copied / "backups").iterdir())
        newest.write_bytes(newest.read_bytes()[:1000])
        with pytest.raises(ValueError, match="no whole backup"):
            training.load_checkpoint(copied, "last")
        assert newest.exists()  # The run itself decides what to do with it.

    @pytest.mark.parametrize(
        ("checkpoint", "message"),
        [
            ("final", "no final model.*Give the train command again, or use checkpoint='last'"),
            ("best", "no best model.*without evaluations"),
            ("last", "no last model.*nothing is saved yet"),
            ("first", "`checkpoint` must be one of 'last', 'best', 'final'"),
        ],
    )
    def test_what_is_not_there(self, checkpoint, message, tmp_path):
        with training.RunDirectory(tmp_path).open({}, resume=True):
            pass
        with pytest.raises(ValueError, match=message):
            training.load_checkpoint(tmp_path, checkpoint)

    def test_folders_that_hold_no_run(self, tmp_path):
        with pytest.raises(ValueError, match="not a run directory: there is no such folder"):
            training.load_checkpoint(tmp_path / "none")
        with pytest.raises(ValueError, match=r"not a run directory: run\.json is missing"):
            training.load_checkpoint(tmp_path, "last")

    def test_damaged_and_foreign_models(self, copied):
        path = copied / "final.keras"
        for content in (path.read_bytes()[:1000], b"no model", b""):
            path.write_bytes(content)
            expected = rf"damaged or cut off. Received: {len(content)} bytes\. Restore"
            with pytest.raises(ValueError, match=expected):
                training.load_checkpoint(copied)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "no model")
        with pytest.raises(ValueError, match="cannot be loaded"):
            training.load_checkpoint(copied)
        keras.Sequential([keras.Input((64,)), keras.layers.Dense(3)]).save(path)
        with pytest.raises(ValueError, match=r"must be a tfgans\.GAN\. Received: Sequential"):
            training.load_checkpoint(copied)


def test_errors_of_tensorboard_on_the_disk_are_os_errors_and_others_are_not(tmp_path):
    directory = training.RunDirectory(tmp_path / "run")

    def fail(message):
        with directory.open({}, resume=True):
            raise tf.errors.ResourceExhaustedError(None, None, message)

    with pytest.raises(OSError, match="tensorboard cannot be written"):
        fail(f"{directory.tensorboard}/events.out; No space left on device")
    with pytest.raises(tf.errors.ResourceExhaustedError):
        fail("OOM when allocating tensor")


def test_plan_refuses_what_does_not_fit_into_memory(monkeypatch, tmp_path):
    plan = run(tmp_path / "new", batch_size=32).plan()
    assert "64 examples of shape (8, 8, 1)" in plan
    monkeypatch.setattr(training.run, "available_memory", lambda: 2**20)
    with pytest.raises(ValueError, match=r"MB of memory, and 1.0 MB are available. Use a smaller"):
        run(tmp_path / "new").plan()
    assert not list(tmp_path.iterdir())


def test_memory_counts_what_grows():
    gan = tiny.gan(tfgans.NonSaturatingGAN)

    def estimated(batch_size, **options):
        gan.compile(**options)
        return training.memory.estimate(gan, SOURCE, batch_size=batch_size)

    whole = estimated(32)
    assert estimated(64).update == 2 * whole.update
    divided = estimated(32, accumulate_steps=4)
    assert divided.update == whole.update / 4
    count = gan.generator.count_params() + gan.discriminator.count_params()
    assert divided.weights - whole.weights == 4 * count  # The sum of the gradients.
    averages = 0 if gan.ema is None else gan.generator.count_params()
    assert whole.weights == 4 * (4 * count + averages)
