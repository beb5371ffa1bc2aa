"""MLflow, Weights & Biases and Optuna work as the docs say."""

import re
from pathlib import Path

import pytest
import tiny

import tfgans

DOCS = Path(__file__).parents[1] / "docs"
LOSSES = {"discriminator_loss", "generator_loss", "real_logits", "fake_logits", "penalty"}


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """Runs the example of a package in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")

    def execute(package, *more, page="train.md"):
        blocks = re.findall(r"```py\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_optuna(documented):
    pytest.importorskip("optuna", reason="needs the extra `search`")
    study = documented("optuna", page="many-runs.md")["study"]
    values = [trial.value for trial in study.trials]
    assert (len(values), study.best_value) == (3, min(values))
    for trial in study.trials:
        gan = tfgans.training.load_checkpoint(f"runs/search/{trial.number}", "final")
        rate = float(gan.generator_optimizer.learning_rate)
        assert rate == pytest.approx(trial.params["rate"])
