"""A bit or an end that is lost on the disk is noticed, or does no harm."""

import random
import shutil

import pytest
from faults import small_runs

from tfgans import callbacks, training
from tfgans.callbacks.step_table import StepTable
from tfgans.evaluation import Evaluator
from tfgans.training.settings import describe

FLIPS, CUTS = 16, 6


def damaged(content, *, seed):
    """Yields copies with one bit flipped, and copies that end early."""
    rng = random.Random(seed)
    for _ in range(FLIPS):
        flipped = bytearray(content)
        flipped[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        yield bytes(flipped)
    for _ in range(CUTS):
        yield content[: rng.randrange(len(content))]


def refusal(call):
    """The message of a call's ValueError; None if there is none."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return None


@pytest.fixture(scope="module")
def evaluator():
    return Evaluator(small_runs.source(), metrics=["frechet_distance"])


@pytest.fixture(scope="module")
def finished(tmp_path_factory, evaluator):
    path = tmp_path_factory.mktemp("runs") / "run"
    small_runs.train(path, evaluator=evaluator)
    return path


@pytest.fixture
def run(finished, tmp_path):
    return training.RunDirectory(shutil.copytree(finished, tmp_path / "run"))


class Loads:
    """In the place of a model, which takes much longer: the files that it is to load."""

    rollbacks = 0
    compiled = True

    def __init__(self):
        self.loaded = []

    def load_weights(self, path):
        self.loaded.append(path)


@pytest.mark.slow
def test_backups(run):
    older, newest = sorted(run.backups.iterdir())
    model, backup = Loads(), callbacks.Backup(run.backups)
    for copy in damaged(newest.read_bytes(), seed=0):
        newest.write_bytes(copy)
        with pytest.warns(UserWarning, match=r"step-0+6.* is damaged .* using the one before"):
            assert backup.restore(model) == small_runs.STEPS - 2
        (aside,) = run.backups.glob("damaged-*")
        assert aside.read_bytes() == copy
        aside.unlink()
    assert set(model.loaded) == {older}


@pytest.mark.slow
def test_all_backups(run):
    """Nothing is lost by it: neither the damaged files nor the rest of the run."""
    backups = {path.name: path.read_bytes()[:-1] for path in run.backups.iterdir()}
    for name, content in backups.items():
        (run.backups / name).write_bytes(content)
    others = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(ValueError, match=r"All backups in .* next start begins at step 0"),
    ):
        small_runs.train(run.path)
    kept = {path.name.removeprefix("damaged-"): path for path in run.backups.iterdir()}
    assert {name: path.read_bytes() for name, path in kept.items()} == backups
    assert all(path.read_bytes() == content for path, content in others.items())


def test_record_of_the_run(run):
    record = run.path / "run.json"
    settings = describe(small_runs.model(), small_runs.source(), batch_size=8)
    run.check(settings, resume=True)
    content, outcomes = record.read_bytes(), [0, 0]
    for copy in damaged(content, seed=1):
        record.write_bytes(copy)
        message = refusal(lambda: run.check(settings, resume=True))
        outcomes[message is None] += 1
        assert message is None or str(run.path) in message
        assert record.read_bytes() == copy
    # Harmless are those in the versions, which decide nothing.
    assert min(outcomes) > 0, outcomes


def test_log(run):
    content = run.log.read_bytes()
    rows = content.splitlines()
    for copy in damaged(content, seed=2):
        run.log.write_bytes(copy)
        run.drop_log_rows(2)
        if not run.log.exists():
            assert b"\n" not in copy
            continue
        left = run.log.read_bytes().splitlines()
        assert len(left) <= 3
        # A flip takes one row at most, or two where it joins them.
        whole = [row for row in copy.splitlines()[1:3] if row in rows]
        assert set(whole[:-1]) <= set(left)


@pytest.mark.parametrize("name", ["mixture.csv", "evaluation.csv", "evaluation.csv.json"])
def test_tables(run, evaluator, name):
    """A damaged row is lost alone, or the file is refused by name."""
    path = run.path / name
    gan = small_runs.model()
    gan._step.assign(small_runs.STEPS)
    content, refused = path.read_bytes(), 0
    evaluation = callbacks.Evaluation(evaluator, path=run.evaluation_log)
    evaluation.set_model(gan)

    def begin():
        if name == "mixture.csv":
            header = content.decode().splitlines()[0]
            StepTable(path, header, writer=name).begin(small_runs.STEPS + 1)
        else:
            evaluation.on_train_begin()

    for copy in damaged(content, seed=3):
        path.write_bytes(copy)
        message = refusal(begin)
        left = path.read_bytes()
        if message is not None:
            assert str(run.path) in message
            refused += 1
        elif name.endswith(".json"):
            assert left == content
        else:
            lost = [row for row in content.splitlines() if row not in left.splitlines()]
            assert len(lost) <= 2 or len(copy) < len(content)
    assert refused
