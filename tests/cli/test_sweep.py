"""`tfgans sweep`: which runs a command line means, what becomes of them, and what is refused."""

import json
import os
import re
import shlex
import signal
import subprocess

import pytest
import toy
from commands import command, run
from waiting import wait_for

from tfgans import engines
from tfgans.cli import sweep
from tfgans.sweep import failures

SMALL = "--dataset=digits --network=mlp --width=8 --depth=1 --latent_dim=4 --batch_size=16"
SMALL += " --doctor_every=0 --model=non_saturating"
RUNS = f"--run_dir={{path}} -- {SMALL} --steps=6 --steps_per_epoch=6 --evaluate_every=6"
RUNS += " --metrics=frechet_distance --extractor=identity"
# What a run that has begun says about itself.
DESCRIPTION = json.dumps(
    {
        "settings": {},
        "length": None,
        "finished": False,
        "data": None,
        "class_names": None,
        "versions": {},
    }
)


def replace_runs(monkeypatch, ended):
    """Instead of being run, each task ends as a function of it says."""
    monkeypatch.setattr(
        engines, "run_tasks", lambda tasks, **_: ((i, ended(task)) for i, task in enumerate(tasks))
    )


@pytest.fixture
def unchecked(monkeypatch):
    replace_runs(monkeypatch, lambda task: engines.TaskResult({"error": ""}))


def rows(path):
    return toy.table(path / "table.csv")


@pytest.mark.parametrize(
    ("flags", "names", "shared"),
    [
        ("--model=dcd,r3gan --seeds=2 --seed=5", ["model=dcd,seed=5", "model=dcd,seed=6"], ""),
        ("--depth=1,2 --width=8,9", ["depth=1,width=8,seed=0", "depth=1,width=9,seed=0"], ""),
        ("--width=8,9 --depth=1,2", ["width=8,depth=1,seed=0", "width=8,depth=2,seed=0"], ""),
        ("--conditional --noconditional", ["conditional=true,seed=0", "conditional=false,s"], ""),
        ("--metrics=a,b --width=8", ["seed=0"], "--metrics=a,b --width=8"),
        ("--augmentation_policy=color,flip", ["seed=0"], "--augmentation_policy=color,flip"),
        ("--image_size=8,9 --image_size=7", ["image_size=8,9,seed=0", "image_size=7,seed=0"], ""),
        ("--dataset=folder:a/b,ring", ["dataset=folder:a-b,seed=0", "dataset=ring,seed=0"], ""),
        ("--width=8,9 -- --dataset=folder:a,b", ["width=8,seed=0", "wi"], "--dataset=folder:a,b"),
        ("--width=8,9 -- --noflip --depth 2", ["width=8,seed=0", "wi"], "--depth=2 --noflip"),
        ("--width=8,9 -- --flagfile={file}", ["width=8,seed=0", "wi"], "--depth=3 --width=8"),
    ],
)
def test_the_runs_of_a_command_line(flags, names, shared, tmp_path, unchecked):
    (tmp_path / "flags.txt").write_text("--width=5\n--depth=3\n--seed=9\n--run_dir=x\n")
    line = f"--run_dir={{path}} --dry_run {flags}"
    done = run("sweep", line, path=tmp_path / "new", file=tmp_path / "flags.txt")
    assert done.returncode == 0, done.stderr
    first, its_command, second, *_ = [*done.stdout.splitlines(), ""]
    assert first == names[0]
    assert second.startswith("".join(names[1:]))
    assert shared in its_command
    assert its_command.endswith(f"--run_dir={tmp_path / 'new' / first}")
    assert not (tmp_path / "new").exists()


def test_a_failed_run_is_a_row_and_more_runs_may_follow(tmp_path, here, eager, monkeypatch):
    flags = f"--learning_rate=1e-3,1e30 {RUNS}"
    done = run("sweep", flags, path=tmp_path)
    assert done.returncode == 1
    assert "1 of 2 runs failed: learning_rate=1e30,seed=0; see" in done.stderr
    good, bad = rows(tmp_path)
    assert (good["state"], good["step"], good["evaluated_step"]) == ("finished", "6", "6")
    assert float(good["frechet_distance[identity]"]) > 0
    assert bad["state"] == "failed"
    assert "generator_loss is nan" in bad["error"]
    assert "generator_loss is nan" in (tmp_path / "logs" / f"{bad['run']}.txt").read_text()
    # The error stands below the table, whose columns it would widen.
    table, errors, *_ = done.stdout.split("\n\n")
    assert re.search(r"^1e30 +0 +failed +\d", table, re.M)
    assert errors == f"{bad['run']}: {bad['error']}"
    # The error stays until the run is tried again.
    assert failures(tmp_path) == {bad["run"]: bad["error"]}
    # The command of a row makes this run: of another it would refuse the folder.
    words = shlex.split(good["command"])
    again = run("train", shlex.join([*words[words.index("train") + 1 :], "--dry_run"]))
    assert "6 steps are done" in again.stdout, again.stderr
    # A finished run stays, and the failed run is tried again.
    tried = []
    monkeypatch.setattr(
        engines, "run_tasks", lambda tasks, **_: tried.extend(tasks) or (x for x in ())
    )
    assert "2 runs, 1 of them finished" in run("sweep", flags, path=tmp_path).stderr
    words = [task.arguments["words"] for task in tried]
    assert [bad["run"] in str(each) for each in words if "--dry_run" not in each] == [True]


def test_values_and_seeds_may_be_added_and_nothing_else_may_change(tmp_path, unchecked):
    def added(flags):
        return run("sweep", f"--run_dir={{path}} {flags}", path=tmp_path)

    assert added("--width=8,9").returncode == 0
    assert added("--width=7,8,9 --seeds=3 --seed=0").returncode == 0
    runs = [(row["width"], row["seed"], row["state"]) for row in rows(tmp_path)]
    assert runs == [(width, seed, "waiting") for width in "789" for seed in "012"]
    for flags, message in (
        ("--width=8,9,10 --seeds=3", "--width has the value 7 there. More values"),
        ("--width=7,8,9 --seeds=2 --seed=1", "the seeds are 0 to 2 there and 1 to 2 here"),
        ("--width=7,8,9 --seeds=3 -- --ema=0", "no --ema for all runs there and --ema=0.0 here"),
        ("--width=7,8,9 --seeds=3 --depth=1,2", "vary are width there and width, depth here"),
    ):
        done = added(flags)
        assert done.returncode == 1
        assert message in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--model=vgg --model=wgan_gp", "model=vgg,seed=0 cannot be trained: .*one of <"),
        (f"--weight_update=softmax --num_generators=2,1 -- {SMALL}", "num_generators=1,.*mix"),
        ("--modle=wgan_gp", "Did you mean: model"),
        ("--width=8 digits", "expected flags only"),
        ("--width=8 -- digits", "expected flags after --.* digits"),
        ("--width=8 -- --widht=3", "Did you mean: width"),
        ("--width=8,8", "values of --width must differ"),
        ("--dataset=folder:a/b,folder:a?b", "differ in letters and digits"),
        ("--width=8,9 -- --width=3", "on one side of --. Received --width on both"),
        ("--equal_cpu_seconds=9 -- --steps=3", "the --steps of its runs, .* Received --steps as"),
        ("--equal_cpu_seconds=9 --adapt_every=5", "and be trained once. Received --adapt_every"),
        ("--equal_cpu_seconds=0", "--equal_cpu_seconds must be above 0"),
        ("-- --seed=3", "The sweep sets --seed of each run"),
        ("-- --noresume", "The sweep sets --resume of each run"),
    ],
)
def test_refused(flags, message, tmp_path, here):
    done = run("sweep", f"--run_dir={{path}} {flags}", path=tmp_path / "new")
    assert done.returncode in (1, 2)
    assert re.search(message, done.stderr), done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("seconds", ["--cpu_seconds=1,2", "--width=8,9 -- --cpu_seconds=1"])
def test_runs_that_end_by_cpu_time_are_alone(seconds, tmp_path, unchecked, monkeypatch):
    monkeypatch.setattr(engines, "num_cpus", lambda: 4)
    done = run("sweep", f"--run_dir={{path}} {seconds}", path=tmp_path)
    assert "1 at a time" in done.stderr


def test_runs_of_equal_cpu_time_have_the_steps_that_take_it(tmp_path, monkeypatch):
    costs = iter([0.01, 0.03, 0.04, 0.02, 0.01, 0.09, *[1.0] * 3])

    def ended(task):
        timed = task.measure is sweep.time_steps
        return engines.TaskResult({"step_seconds": next(costs)} if timed else {"error": ""})

    replace_runs(monkeypatch, ended)

    def steps():
        """The steps of the runs by the varied flag and the seed."""
        words = {(row["ema"], row["seed"]): row["command"].split() for row in rows(tmp_path)}
        return {cell: [w for w in line if w.startswith("--steps=")] for cell, line in words.items()}

    flags = "--ema=0,.8 --equal_cpu_seconds=.1 --run_dir={path} -- --steps_per_execution=3"
    assert run("sweep", flags, path=tmp_path).returncode == 0
    # The median of the timings, which take turns: .01, .02 and .01 CPU seconds a step.
    assert steps() == {("0", "0"): ["--steps=9"], (".8", "0"): ["--steps=3"]}
    # More seeds have the same steps, and only what is new is timed.
    more = f"--seeds=2 {flags.replace('0,.8', '0,.8,.9')}"
    assert run("sweep", more, path=tmp_path).returncode == 0
    numbers = {"0": 9, ".8": 3, ".9": 3}
    assert steps() == {(e, s): [f"--steps={numbers[e]}"] for e in numbers for s in "01"}
    # Nor do runs that have begun with fewer timings change theirs.
    definition = json.loads((tmp_path / "sweep.json").read_text())
    definition["step_seconds"]["ema=0"].pop()
    (tmp_path / "sweep.json").write_text(json.dumps(definition))
    (tmp_path / "ema=0,seed=0").mkdir()
    assert run("sweep", more, path=tmp_path).returncode == 0
    assert json.loads((tmp_path / "sweep.json").read_text()) == definition
    other = run("sweep", more.replace("seconds=.1", "seconds=1234567"), path=tmp_path)
    assert "--equal_cpu_seconds=0.1 there and --equal_cpu_seconds=1234567 here" in other.stderr


def test_a_combination_that_cannot_be_timed_is_a_failed_row(tmp_path, monkeypatch):
    def ended(task):
        if task.measure is not sweep.time_steps:
            return engines.TaskResult({"error": ""})
        if "--learning_rate=1e30" in task.arguments["words"]:
            return engines.TaskResult(None, "FloatingPointError: generator_loss is nan")
        return engines.TaskResult({"step_seconds": 0.01})

    replace_runs(monkeypatch, ended)
    flags = "--learning_rate=1e-3,1e30 --equal_cpu_seconds=.1 --run_dir={path}"
    assert run("sweep", flags, path=tmp_path).returncode == 1
    good, bad = rows(tmp_path)
    assert (good["state"], bad["state"]) == ("waiting", "failed")
    assert bad["error"] == "cannot be timed: FloatingPointError: generator_loss is nan"


def test_a_step_is_timed_without_what_is_not_training(tmp_path, eager):
    words = f"{SMALL} --steps_per_epoch=5 --evaluate_every=5 --steps_per_execution=5".split()
    log = tmp_path / "log.txt"
    timed = sweep.time_steps(words=words, seconds=0.2, log=str(log))
    assert 0 < timed["step_seconds"] < 0.2
    assert "frechet" not in log.read_text()
    assert os.listdir(tmp_path) == ["log.txt"]


def test_runs_are_where_the_sweep_is_on_every_machine(tmp_path, monkeypatch):
    """Workers of a cluster do not begin in the folder of the command."""
    told = []

    def ended(task):
        told.extend(word for word in task.arguments["words"] if word.startswith("--run_dir"))
        return engines.TaskResult({"error": ""})

    replace_runs(monkeypatch, ended)
    monkeypatch.chdir(tmp_path)
    assert run("sweep", "--run_dir=table --width=8").returncode == 0
    assert set(told) == {f"--run_dir={tmp_path}/table/seed=0"}


@pytest.mark.parametrize(
    ("flag", "is_fresh"), [("strategy=default,mirrored", True), ("ema=0,.9", 0)]
)
def test_devices_are_checked_in_processes_of_their_own(flag, is_fresh, tmp_path, monkeypatch):
    freshness = []

    def run_tasks(tasks, *, fresh=False, **_):
        freshness.append(fresh)
        return ((i, engines.TaskResult({"error": ""})) for i, _ in enumerate(tasks))

    monkeypatch.setattr(engines, "run_tasks", run_tasks)
    assert run("sweep", f"--run_dir={{path}} --dry_run --{flag}", path=tmp_path).returncode == 0
    assert freshness == [is_fresh]


def test_an_interrupted_sweep_writes_what_its_runs_have_done(tmp_path, monkeypatch):
    def run_tasks(tasks, **_):
        if "--dry_run" in tasks[0].arguments["words"]:
            return ((i, engines.TaskResult({"error": ""})) for i, _ in enumerate(tasks))
        return interrupted()

    def interrupted():
        folder = tmp_path / "ema=.9,seed=0"
        folder.mkdir()
        (folder / "run.json").write_text(DESCRIPTION)
        signal.raise_signal(signal.SIGTERM)
        yield

    monkeypatch.setattr(engines, "run_tasks", run_tasks)
    done = run("sweep", "--run_dir={path} --ema=0,.9", path=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert "To continue: " in done.stderr
    assert [row["state"] for row in rows(tmp_path)] == ["waiting", "stopped"]


@pytest.mark.parametrize("text", [b"run;state;error\na;failed;x\n", b"run,state,error\na,\xff,\n"])
def test_a_table_of_another_program_is_named(text, tmp_path, unchecked):
    assert run("sweep", "--run_dir={path} --width=8", path=tmp_path).returncode == 0
    (tmp_path / "table.csv").write_bytes(text)
    done = run("sweep", "--run_dir={path} --width=8", path=tmp_path)
    assert done.returncode == 1
    assert "table.csv must be the table that the sweep wrote" in done.stderr
    (tmp_path / "table.csv").unlink()
    assert run("sweep", "--run_dir={path} --width=8", path=tmp_path).returncode == 0


@pytest.mark.parametrize("file", ["run.json", "time.csv", "evaluation.csv"])
def test_a_damaged_run_is_a_row(file, tmp_path, unchecked):
    flags = "--run_dir={path} --width=8,9"
    assert run("sweep", flags, path=tmp_path).returncode == 0
    folder = tmp_path / "width=8,seed=0"
    folder.mkdir()
    (folder / "run.json").write_text(DESCRIPTION)
    (folder / file).write_text("step,?\n1\n")
    done = run("sweep", flags, path=tmp_path)
    assert [row["state"] for row in rows(tmp_path)] == ["failed", "waiting"]
    assert file in rows(tmp_path)[0]["error"], done.stderr


def test_folders_of_something_else_are_refused(tmp_path, unchecked):
    (tmp_path / "mine.txt").write_text("dear")
    done = run("sweep", "--run_dir={path} --width=8,9", path=tmp_path)
    assert "must be the folder of a sweep" in done.stderr
    assert os.listdir(tmp_path) == ["mine.txt"]


@pytest.mark.slow
def test_a_killed_sweep_ends_its_runs_and_continues(tmp_path):
    flags = f"--ema=0,.9 --workers=2 --run_dir={{path}} -- {SMALL} --steps=20000"
    line = command("sweep", flags, path=tmp_path)
    with subprocess.Popen(line, stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_for(
            lambda: len(list(tmp_path.glob("ema=*/backups/step-*"))) >= 2,
            process=process,
            seconds=300,
        )
        process.send_signal(signal.SIGKILL)
    # The folders are free once the runs have ended.
    done = subprocess.run(line, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert [(row["state"], row["step"]) for row in rows(tmp_path)] == [("finished", "20000")] * 2
    for log in (tmp_path / "logs").iterdir():
        assert "everything is saved" in log.read_text()
        assert "Continuing" in log.read_text()
