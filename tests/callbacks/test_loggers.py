"""MLflow and Weights & Biases log a training through their callbacks, as the docs say."""

import re
from pathlib import Path

import pytest
import tiny

import tfgans

PAGE = Path(__file__).parents[2] / "docs" / "train.md"
LOSSES = {"discriminator_loss", "generator_loss", "real_logits", "fake_logits", "penalty"}


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """Runs the example of a package in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")

    def execute(package, *more):
        blocks = re.findall(r"```py\n(.*?)```", PAGE.read_text(), re.DOTALL)
        (block,) = (block for block in blocks if f"import {package}\n" in block)
        names = {"gan": tiny.gan(), "source": tfgans.data.from_array(tiny.digits(64))}
        exec("".join([block, *more]), names)
        return names

    return execute


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow(documented):
    mlflow = pytest.importorskip("mlflow", reason="needs the extra `loggers`")
    run = mlflow.get_run(documented("mlflow")["run"].info.run_id)
    assert run.data.metrics.keys() >= LOSSES
    assert float(run.data.params["optimizer_discriminator_learning_rate"]) > 0
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "generator_loss")
    assert [metric.step for metric in history] == [0, 1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_weights_and_biases(documented):
    pytest.importorskip("wandb", reason="needs the extra `loggers`")
    summary = documented("wandb", "    summary = dict(run.summary)\n")["summary"]
    assert {name.removeprefix("epoch/") for name in summary} >= LOSSES
    assert summary["epoch/learning_rate"] > 0
