"""What TensorBoard shows of a run is what log.csv and evaluation.csv hold."""

import json
import os
import time
import urllib.request
from pathlib import Path

import keras
import pytest
import tiny
import toy
from tensorboard import program

import tfgans
from tfgans import training

EPOCH_STEPS = 2
METRIC = "frechet_distance[identity]"


def train(run_dir, *, steps, **options):
    sizes = {"width": 8, "depth": 1}
    generator = tfgans.networks.mlp_generator((8, 8, 1), latent_dim=4, seed=1, **sizes)
    discriminator = tfgans.networks.mlp_discriminator((8, 8, 1), seed=2, **sizes)
    gan = toy.gan(networks=(generator, discriminator))
    source = tfgans.data.from_array(tiny.digits(64))
    intervals = {"steps_per_epoch": EPOCH_STEPS, "backup_every": 100, "grid_every": 100}
    measured = tfgans.evaluation.Evaluator(source, metrics=["frechet_distance"])
    options |= {"batch_size": 8, "evaluator": measured, **intervals}
    training.Run(run_dir, gan, source, steps=steps, **options).train()


def logged(run_dir):
    """The losses by (epoch, name)."""
    return {
        (int(row["epoch"]), f"epoch_{name}"): float(value)
        for row in toy.table(run_dir / "log.csv")
        for name, value in row.items()
        if name != "epoch"
    }


def evaluated(run_dir):
    """The metrics by (epoch, name); of an epoch that was measured twice, the last."""
    return {
        ((int(row["step"]) - 1) // EPOCH_STEPS, f"epoch_{row['metric']}"): float(row["value"])
        for row in toy.table(run_dir / "evaluation.csv")
    }


def shown(run_dir):
    """The scalars by (step, tag)."""
    values = toy.scalars(run_dir / "tensorboard" / "train")
    return {key: float(value) for key, value in values.items()}


def test_losses_and_evaluations_are_shown_and_go_on_after_a_resume(tmp_path):
    # An epoch and half of the next are two calls of `fit`; going on takes two more.
    for steps, epochs in ((3, 2), (6, 3)):
        train(tmp_path / "run", steps=steps)
        losses, distances = logged(tmp_path / "run"), evaluated(tmp_path / "run")
        assert sorted({epoch for epoch, _ in losses}) == list(range(epochs))
        assert sorted(distances) == [(epoch, f"epoch_{METRIC}") for epoch in range(epochs)]
        # TensorBoard holds float32.
        assert shown(tmp_path / "run") == pytest.approx(losses | distances, rel=1e-6)


def test_a_run_that_fails_has_written_what_came_before_and_closed_it(tmp_path):
    class Fail(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone") as _held:
        train(tmp_path / "run", steps=4, extra_callbacks=[Fail()])
    everything = logged(tmp_path / "run") | evaluated(tmp_path / "run")
    first = {key: value for key, value in everything.items() if key[0] == 0}
    assert len(first) > 1
    assert shown(tmp_path / "run") == pytest.approx(first, rel=1e-6)
    opened = [os.path.realpath(descriptor) for descriptor in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.startswith(f"{tmp_path}/run/tensorboard/train")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_hyperparameters_stand_beside_the_metrics_of_the_runs(tmp_path):
    for seed in (0, 1):
        train(tmp_path / f"run{seed}", steps=4, settings={"more": {"deep": seed}})
    server = program.TensorBoard()
    server.configure(argv=["", f"--logdir={tmp_path}", "--port=0", "--load_fast=false"])
    address = f"{server.launch()}data/plugin/hparams/"

    def ask(name, **question):
        body = json.dumps({"experimentName": "", **question}).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(address + name, body, headers)
        ) as answer:
            return json.load(answer)

    deadline = time.monotonic() + 60
    while len(ask("experiment").get("hparamInfos", [])) == 0 and time.monotonic() < deadline:
        time.sleep(0.5)
    told = ask("experiment")
    columns = [{"hparam": info["name"], "includeInResult": True} for info in told["hparamInfos"]]
    columns += [{"metric": info["name"], "includeInResult": True} for info in told["metricInfos"]]
    statuses = [f"STATUS_{name}" for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    groups = ask(
        "session_groups", allowedStatuses=statuses, colParams=columns, startIndex=0, sliceSize=9
    )["sessionGroups"]
    values = {group["name"]: group["hparams"]["more.deep"] for group in groups}
    assert values == {"run0": 0, "run1": 1}
    for group in groups:
        told = {value["name"]["tag"]: value["value"] for value in group["metricValues"]}
        last = {tag: value for (_, tag), value in shown(tmp_path / group["name"]).items()}
        assert {tag: told[tag] for tag in last} == pytest.approx(last, rel=1e-6)
