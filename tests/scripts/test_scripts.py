"""The commands, as a user types them: each runs in a process of its own."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny
from commands import command, run, run_alone
from PIL import Image

import tfgans

ROOT = Path(__file__).parents[2]
SMALL = "--dataset=digits --model=wgan_gp --network=mlp --width=8 --depth=1 --latent_dim=4"
RUN = f"{SMALL} --steps=300 --batch_size=16 --epoch_steps=40 --backup_every=20 --grid_every=100"
RUN += " --evaluate_every=120 --metrics=frechet_distance"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run directory that no one disturbed."""
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    done = run("train.py", RUN + " --run_dir={path}", path=path)
    assert done.returncode == 0, done.stderr
    assert "300/300" in done.stderr
    return path


def size_of(picture):
    with Image.open(picture) as image:
        return image.size


def final(path):
    return keras.saving.load_model(path / "final.keras")


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_run_directory_is_complete(finished):
    assert {path.name for path in finished.iterdir()} >= {
        "run.json",
        "flags.txt",
        "log.csv",
        "backups",
        "grids",
        "tensorboard",
        "final.keras",
        "evaluation.csv",
        "best.keras",
        "best.keras.json",
    }
    rows = (finished / "evaluation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "120", "240"]
    assert len((finished / "log.csv").read_text().splitlines()) == 1 + 8
    assert size_of(finished / "grids" / "step-00000300.png") == (402, 402)


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_stopped_run_and_the_same_command_again_give_the_same_bits(finished, tmp_path, number):
    path = tmp_path / "run"
    arguments = command("train.py", RUN + " --run_dir={path}", path=path)
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list((path / "backups").glob("step-*")), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert not (path / "final.keras").exists()
    assert process.returncode == 128 + number
    last = errors.strip().splitlines()[-1]
    assert re.search(r"stopped at step \d+, everything is saved\. To go on: .*--run_dir", last)
    again = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert re.search(r"Going on with .* at step \d+ of 300", again.stderr)
    tiny.assert_same_state(final(path), final(finished))
    for name in ("evaluation.csv", "log.csv"):
        assert (path / name).read_text().count("\n") == (finished / name).read_text().count("\n")
    rows, expected = ((one / "evaluation.csv").read_text() for one in (path, finished))
    assert rows == expected
    best = (keras.saving.load_model(one / "best.keras") for one in (path, finished))
    tiny.assert_same_state(*best)


def test_flagfile_reruns_the_run(finished, tmp_path):
    done = run(
        "train.py",
        "--flagfile={file} --run_dir={path}",
        file=finished / "flags.txt",
        path=tmp_path / "again",
    )
    assert done.returncode == 0, done.stderr
    tiny.assert_same_state(final(tmp_path / "again"), final(finished))


def test_sample_and_export(finished, tmp_path):
    picture, array = tmp_path / "out.png", tmp_path / "out.npy"
    flags = "--run_dir={run} --num=9 --seed=1 --out={out}"
    for out, way in ((picture, run), (array, run_alone)):
        done = way("sample.py", flags, run=finished, out=out)
        assert done.returncode == 0, done.stderr
    samples = np.load(array)
    np.testing.assert_allclose(samples, final(finished).sample(9, seed=1), atol=1e-6)
    assert size_of(picture) == (152, 152)
    flags = "--run_dir={run} --out={out}"
    done = run_alone("export.py", flags, run=finished, out=tmp_path / "digits")
    assert done.stdout.strip() == str(tmp_path / "digits" / "1")
    model = tf.saved_model.load(done.stdout.strip())
    images = model.signatures["sample"](seed=tf.constant([1], tf.int64))["images"]
    np.testing.assert_allclose(images[0], samples[0], atol=1e-6)


def test_dry_run_prints_the_plan_and_writes_nothing(tmp_path):
    done = run("train.py", RUN + " --run_dir={path} --dry_run", path=tmp_path / "run")
    assert done.returncode == 0
    assert "1437 examples of shape (8, 8, 1)" in done.stdout
    assert "parameters" in done.stdout
    assert os.listdir(tmp_path) == []


def test_mixture_from_training_to_equilibrium(tmp_path):
    path = tmp_path / "mixture"
    flags = SMALL + " --num_generators=3 --num_discriminators=2 --routing=slices --steps=4"
    done = run("train.py", flags + " --epoch_steps=2 --batch_size=16 --run_dir={path}", path=path)
    assert done.returncode == 0, done.stderr
    gan = final(path)
    assert (gan.generator.num_components, gan.discriminator.num_components) == (3, 2)
    rows = [line.split(",") for line in (path / "mixture.csv").read_text().splitlines()[1:]]
    assert [int(row[0]) for row in rows] == [0] * 5 + [2] * 5 + [4] * 5
    flags = "--run_dir={path} --num=5 --seed=3 --component=2 --out={out}"
    done = run("sample.py", flags, path=path, out=tmp_path / "s.npy")
    assert done.returncode == 0, done.stderr
    expected = gan.sample(5, seed=3, component=2)
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), expected, atol=1e-6)
    done = run_alone("equilibrium.py", "--run_dir={path} --split=test --num=100", path=path)
    assert done.returncode == 0, done.stderr
    assert "epsilon" in done.stdout


@pytest.mark.slow
def test_conditional_residual_run_and_dcd_on_top(tmp_path):
    """Labels from the data to the picture; then DCD tunes the finished run's discriminator."""
    path, tuned = tmp_path / "classes", tmp_path / "tuned"
    flags = (
        "--dataset=digits --model=sngan --network=resnet --width=4 --depth=1 --latent_dim=4 "
        "--conditional --discriminator_steps=1 --steps=4 --epoch_steps=2 --batch_size=16 "
        "--instance_noise=0.1 --noise_decay_steps=4 --run_dir={path}"
    )
    done = run("train.py", flags, path=path)
    assert done.returncode == 0, done.stderr
    gan = final(path)
    assert (type(gan), gan.num_classes) == (tfgans.SNGAN, 10)
    assert float(gan.instance_noise.level) == 0
    settings = json.loads((path / "run.json").read_text())["settings"]
    assert settings["num_classes"] == 10
    assert settings["conditional"]
    flags = "--run_dir={path} --num=5 --seed=3 --label=7 --out={out}"
    done = run("sample.py", flags, path=path, out=tmp_path / "s.npy")
    assert done.returncode == 0, done.stderr
    sevens = gan.sample(5, seed=3, labels=7)
    np.testing.assert_allclose(np.load(tmp_path / "s.npy"), sevens, atol=1e-6)
    flags = "--model=dcd --pretrained={path} --refine=latent --refine_steps=2 --run_dir={tuned}"
    done = run("train.py", flags + " --steps=2 --epoch_steps=2", path=path, tuned=tuned)
    assert done.returncode == 0, done.stderr
    dcd = final(tuned)
    assert dcd.langevin == tfgans.refinement.Langevin(steps=2)
    for weight, before in zip(
        dcd.generator.get_weights(), gan.ema_generator.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, before)


CELL = SMALL.replace(
    "--model=wgan_gp", "--objective=hinge --penalty=dragan --dragan_noise=gaussian"
)


def test_a_cell_of_the_grid(tmp_path):
    flags = CELL + " --penalty_every=2 --penalty_weight=3 --steps=4 --epoch_steps=2 --batch_size=8"
    done = run("train.py", flags + " --run_dir={path}", path=tmp_path / "cell")
    assert done.returncode == 0, done.stderr
    gan = final(tmp_path / "cell")
    assert gan.objective == tfgans.objectives.Hinge()
    assert gan.penalty == tfgans.penalties.DRAGANPenalty(noise="gaussian", every=2, weight=3.0)


def test_folder_of_images_of_any_size_and_a_synthetic_distribution(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for index in range(40):
        pixels = rng.integers(0, 255, (10 + index % 3, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.jpg")
    flags = " --run_dir={path} --steps=2 --batch_size=8 --width=4 --model=non_saturating"
    done = run(
        "train.py",
        "--dataset=folder:{images} --image_size=8,12 --cache=disk --cache_dir={cache}" + flags,
        images=tmp_path / "images",
        cache=tmp_path / "cache",
        path=tmp_path / "folder",
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert final(tmp_path / "folder").sample(2).shape == (2, 8, 12, 3)
    done = run(
        "train.py", "--dataset=ring --dtype_policy=mixed_bfloat16" + flags, path=tmp_path / "ring"
    )
    assert done.returncode == 0, done.stderr
    assert final(tmp_path / "ring").sample(2).shape == (2, 2)


@pytest.mark.slow
def test_an_image_that_turns_out_to_be_damaged_ends_the_run_with_one_line(tmp_path):
    (tmp_path / "images").mkdir()
    for index in range(40):
        pixels = np.random.default_rng(index).integers(0, 255, (90, 90), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
    damaged = tmp_path / "images" / "7.png"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    flags = "--dataset=folder:{images} --image_size=8 --cache=none --run_dir={path}"
    flags += " --model=non_saturating --network=mlp --width=4 --batch_size=8"
    done = run("train.py", flags, images=tmp_path / "images", path=tmp_path / "run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert re.match(r"train\.py: error: 7\.png in .*truncated.*`--skip_bad`", last), last


def test_help_names_the_flags():
    done = run("train.py", "--helpshort")
    for name in ("--run_dir", "--dataset", "--model", "--dry_run", "--skip_bad", "--ema"):
        assert name.lstrip("-") in done.stdout
    told = " ".join(done.stdout.split())
    assert "- wgan: weight_clip=0.01, discriminator_steps=5, critic_warmup=False; RMSprop" in told
    assert "- dcd: penalty=None, weight_clip=None, updates_per_batch=5; Adam 2e-4" in told
    assert tfgans.data.NAMES[0] in done.stdout
