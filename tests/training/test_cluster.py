"""Clusters on loopback: one model, noise of its own in each process, and nothing lost by a kill."""

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from waiting import wait_for

import tfgans
from tfgans.cli import local_cluster

WORKER = Path(__file__).with_name("cluster_worker.py")
STEPS = 50


def train(run_dir, capfd, *dies, restarts=0):
    """What each of two workers ended with: (weights, noise)."""
    command = [sys.executable, str(WORKER), str(run_dir), str(STEPS), *map(str, dies)]
    code = local_cluster.launch(command, num_workers=2, restarts=restarts)
    out, err = capfd.readouterr()
    assert code == 0, err
    found = re.findall(r"worker (\d): weights (\w+) noise (\w+)", out)
    assert [worker for worker, *_ in sorted(found)] == ["0", "1"]
    return [tuple(rest) for _, *rest in sorted(found)], err


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster") / "run"


@pytest.mark.slow
def test_two_workers_are_one_model(undisturbed, tmp_path, capfd):
    ((weights, noise), (other_weights, other_noise)), err = train(undisturbed, capfd)
    assert weights == other_weights
    assert noise != other_noise
    assert f"{STEPS}/{STEPS}" in err
    # The same batches, noise and updates as in one process, up to the order of summation.
    alone = [sys.executable, str(WORKER), str(tmp_path / "alone"), str(STEPS)]
    subprocess.run(alone, check=True, timeout=300, capture_output=True)
    ours, theirs = (
        keras.saving.load_model(path / "final.keras").get_weights()
        for path in (undisturbed, tmp_path / "alone")
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    curves = [
        np.loadtxt(path / "log.csv", delimiter=",", skiprows=1, usecols=range(7))
        for path in (undisturbed, tmp_path / "alone")
    ]
    assert curves[0].shape[0] == STEPS // 10
    np.testing.assert_allclose(*curves, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("worker", [0, 1])
def test_killed_worker_and_a_restart_give_the_same_bits(undisturbed, tmp_path, capfd, worker):
    if not (undisturbed / "final.keras").exists():
        train(undisturbed, capfd)
    _, err = train(tmp_path / "run", capfd, worker, 27, restarts=1)
    assert re.search(rf"error: worker {worker} \(127\.0\.0\.1:\d+\) of the cluster has ended", err)
    assert "starting all again" in err
    assert "at step 20 of 50" in err
    ours, theirs = (
        sorted(path.name for path in (one / "backups").iterdir())
        for one in (tmp_path / "run", undisturbed)
    )
    assert ours == theirs  # The names hold the checksums.


class TestLaunch:
    """The launcher alone, with commands that take no time."""

    def launch(self, code, tmp_path, capfd, *, restarts=0, workers=2):
        head = "import json, os, signal, sys, time; from pathlib import Path\n"
        head += "index = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
        head += f"folder = Path({str(tmp_path)!r})\n"
        result = local_cluster.launch(
            [sys.executable, "-c", head + code], num_workers=workers, restarts=restarts
        )
        return result, *capfd.readouterr()

    def test_each_finds_the_same_cluster(self, tmp_path, capfd):
        code, out, _ = self.launch("print(os.environ['TF_CONFIG'])", tmp_path, capfd, workers=3)
        assert code == 0
        lines = sorted(out.splitlines(), key=lambda line: line[-3:])
        assert [line.startswith(f"[worker {i}] ") for i, line in enumerate(lines)] == [
            *(False, True, True)
        ]
        assert len({line[line.index("{") : line.rindex("]")] for line in lines}) == 1

    def test_killed_worker_starts_all_again(self, tmp_path, capfd):
        kill = "mark = folder / 'mark'\nif index == 1 and not mark.exists():\n"
        kill += "    mark.touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
        kill += "(folder / f'{index}-{os.getpid()}').touch()"
        code, _, err = self.launch(kill, tmp_path, capfd, restarts=2)
        assert code == 0
        assert err.count("starting all again") == 1
        assert len(list(tmp_path.glob("0-*"))) == 2
        assert len(list(tmp_path.glob("1-*"))) == 1

    def test_restarts_come_to_an_end(self, tmp_path, capfd):
        code, _, err = self.launch("os.kill(os.getpid(), 9)", tmp_path, capfd, restarts=2)
        assert code == 128 + signal.SIGKILL
        assert err.count("starting all again") == 2

    @pytest.mark.parametrize("code", [1, 2])
    def test_mistakes_are_not_repeated(self, tmp_path, capfd, code):
        exits = f"sys.exit({code} if index else {local_cluster.TRY_AGAIN})"
        assert self.launch(exits, tmp_path, capfd, restarts=5)[0] == code

    def test_who_does_not_end_is_ended(self, tmp_path, capfd, monkeypatch):
        monkeypatch.setattr(local_cluster, "_GRACE", 0.3)
        begun = time.monotonic()
        code, *_ = self.launch("time.sleep(60 * (1 - index)); sys.exit(75)", tmp_path, capfd)
        assert code == 128 + signal.SIGKILL
        assert time.monotonic() - begun < 30

    def test_signal_reaches_all_once(self, tmp_path, capfd):
        waits = "signal.signal(2, lambda *_: open(folder / 'got', 'a').write(f'{index}'))\n"
        waits += "(folder / f'ready{index}').touch()\n"
        waits += "while len((folder / 'got').read_text() if (folder / 'got').exists() else '') < 2:"
        waits += " time.sleep(0.01)\nsys.exit(130)"

        def interrupt():
            wait_for(lambda: len(list(tmp_path.glob("ready*"))) == 2)
            signal.raise_signal(signal.SIGINT)

        # A signal handler runs in the main thread, wherever the signal was raised.
        threading.Thread(target=interrupt).start()
        code, _, err = self.launch(waits, tmp_path, capfd, restarts=3)
        assert code == 130
        assert sorted((tmp_path / "got").read_text()) == ["0", "1"]
        assert "again" not in err


class TestStrategies:
    @pytest.mark.parametrize(
        ("name", "options", "message"),
        [
            ("parameter_server", {}, "must be one of 'default', 'mirrored', 'multi_worker'"),
            ("default", {"num_replicas": 2}, "goes with strategy='mirrored'"),
            ("mirrored", {"num_replicas": 0}, "integer of at least 1"),
            ("mirrored", {"num_replicas": 64}, "Make the strategy first"),
        ],
    )
    def test_bad_arguments(self, name, options, message):
        tf.config.list_logical_devices()  # TensorFlow has begun: the CPU cannot be divided again.
        with pytest.raises(ValueError, match=message):
            tfgans.training.make_strategy(name, **options)

    @pytest.mark.parametrize(
        "config",
        [
            None,
            "{",
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}',
            '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, '
            '"task": {"type": "worker", "index": 0}}',
        ],
    )
    def test_bad_clusters(self, config, monkeypatch):
        monkeypatch.delenv("TF_CONFIG", raising=False)
        if config is not None:
            monkeypatch.setenv("TF_CONFIG", config)
        with pytest.raises(ValueError, match=r"needs TF_CONFIG .* `tfgans launch`"):
            tfgans.training.make_strategy("multi_worker")

    def test_mirrored_divides_the_cpu(self):
        assert tfgans.training.make_strategy("mirrored", num_replicas=2).num_replicas_in_sync == 2
        assert tfgans.training.make_strategy("default").num_replicas_in_sync == 1
