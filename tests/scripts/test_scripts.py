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
    }
    rows = (finished / "evaluation.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "120", "240"]
    assert len((finished / "log.csv").read_text().splitlines()) == 1 + 8
    assert size_of(finished / "grids" / "step-00000300.png") == (402, 402)


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
)
def test_stopped_run_and_the_same_command_again_give_the_same_bits(finished, tmp_path, number):
    path = tmp_path / "run"
    arguments = command("train.py", RUN + " --run_dir={path}", path=path)
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list((path / "backups").glob("step-*")), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert not (path / "final.keras").exists()
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
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


def test_half_a_backup_is_said_and_the_one_before_used(finished, tmp_path):
    path = tmp_path / "run"
    done = run("train.py", RUN + " --run_dir={path} --steps=40", path=path)
    assert done.returncode == 0, done.stderr
    newest = max((path / "backups").iterdir())
    newest.write_bytes(newest.read_bytes()[:1000])
    again = run("train.py", RUN + " --run_dir={path}", path=path)
    assert "warning: The backup" in again.stderr
    assert "at step 20 of 300" in again.stderr
    tiny.assert_same_state(final(path), final(finished))


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
        "--dataset=folder:{images} --image_size=8,12" + flags,
        images=tmp_path / "images",
        path=tmp_path / "folder",
    )
    assert done.returncode == 0, done.stderr
    assert final(tmp_path / "folder").sample(2).shape == (2, 8, 12, 3)
    done = run(
        "train.py", "--dataset=ring --dtype_policy=mixed_bfloat16" + flags, path=tmp_path / "ring"
    )
    assert done.returncode == 0, done.stderr
    assert final(tmp_path / "ring").sample(2).shape == (2, 2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders that a user may name by mistake."""
    root = tmp_path_factory.mktemp("folders")
    for name in ("empty", "corrupt", "mixed", "other", "good"):
        (root / name).mkdir()
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    for index in range(3):
        image.save(root / "corrupt" / f"{index}.png")
        image.save(root / "good" / f"{index}.png")
    (root / "corrupt" / "bad.png").write_bytes(b"no image")
    image.save(root / "mixed" / "one.png")
    image.resize((9, 8)).save(root / "mixed" / "two.png")
    (root / "other" / "thesis.txt").write_text("")
    (root / "file").write_text("")
    return root


BAD = {
    "unknown dataset": ("--dataset=digit --run_dir={new}", "digits, stacked_digits"),
    "missing folder": ("--dataset=folder:{root}/none --run_dir={new}", "none"),
    "empty folder": ("--dataset=folder:{root}/empty --run_dir={new}", "empty"),
    "corrupt image": ("--dataset=folder:{root}/corrupt --run_dir={new}", r"bad\.png.*skip_bad"),
    "mixed sizes": ("--dataset=folder:{root}/mixed --run_dir={new}", "image_size"),
    "absent dataset": ("--dataset=mnist --data_dir={root}/empty --run_dir={new}", "--download"),
    "batch too large": (SMALL + " --batch_size=5000 --run_dir={new}", "1437.*5000"),
    "no steps": ("--steps=0 --run_dir={new}", "--steps"),
    "another run": ("--run_dir={finished} --model=minimax", "holds another run"),
    "plan of another run": ("--run_dir={finished} --model=minimax --dry_run", "another run"),
    "folder of something else": (SMALL + " --run_dir={root}/other", "not a run directory"),
    "below a file": (SMALL + " --run_dir={root}/file/run", "file"),
    "unknown flag": ("--run_dir={new} --step=3", "flag 'step'"),
    "steps that would overrun": (
        "--run_dir={new} --steps=7 --steps_per_execution=2 --dry_run",
        "multiples of --steps_per_execution",
    ),
    "no run directory": (SMALL, "run_dir"),
    "stray word": (SMALL + " --run_dir={new} digits", "Received: digits"),
    "flag of another model": (
        "--model=minimax --penalty_weight=1 --run_dir={new}",
        "--penalty_weight does not apply to this --model=minimax: it is of --model=wgan_gp",
    ),
    "refining in training": ("--model=wgan --refine=latent --run_dir={new}", "it is of dcd"),
    "dcd of nothing": ("--model=dcd --run_dir={new}", "needs --pretrained"),
    "dcd with networks": (
        "--model=dcd --pretrained={finished} --width=8 --run_dir={new}",
        "--width does not apply to --model=dcd",
    ),
    "dcd with a policy": (
        "--model=dcd --pretrained={finished} --dtype_policy=mixed_float16 --run_dir={new}",
        "--dtype_policy does not apply to --model=dcd",
    ),
    "no clipping": (
        "--model=wgan --weight_clip=0 --run_dir={new}",
        "`weight_clip` must be above 0",
    ),
    "noise without a level": ("--noise_schedule=constant --run_dir={new}", "give --instance_noise"),
    "noise without an end": (
        "--instance_noise=0.1 --run_dir={new}",
        "--noise_decay_steps is needed",
    ),
    "classes of none": (
        "--dataset=swiss_roll --conditional --run_dir={new}",
        "--conditional needs classes, and 'swiss_roll'",
    ),
    "label of no class": (
        "sample.py --run_dir={finished} --out={new}.png --label=1",
        "is not conditional",
    ),
    "batch norm and penalty": (
        "--discriminator_normalization=batch --run_dir={new}",
        "BatchNormalization. Use Layer",
    ),
    "metrics of no evaluation": (
        "--metrics=near_copies --run_dir={new}",
        "are of evaluations: give --evaluate_every",
    ),
    "uneven evaluations": (
        SMALL + " --evaluate_every=150 --epoch_steps=100 --dry_run --run_dir={new}",
        "--evaluate_every of --epoch_steps",
    ),
    "routing of no mixture": ("--routing=exact --run_dir={new}", "are of mixtures"),
    "more components than examples": (
        SMALL + " --num_generators=17 --batch_size=16 --run_dir={new}",
        "17 components.*Received: a batch of 16",
    ),
    "component out of range": (
        "sample.py --run_dir={finished} --out={new}.png --component=1",
        "from 0 to 0",
    ),
    "image size of vectors": ("--dataset=ring --image_size=8 --run_dir={new}", "image_size"),
    "image size of words": ("--image_size=big --run_dir={new}", "big"),
    "sample of no run": ("sample.py --run_dir={root}/none --out={new}.png", "no such folder"),
    "sample to nowhere": ("sample.py --run_dir={finished} --out={new}.gif", ".png or .npy"),
    "no samples": ("sample.py --run_dir={finished} --out={new}.png --num=0", "--num"),
    "export of no run": ("export.py --run_dir={root}/other --out={new}", "no finished run"),
    "export to a file": ("export.py --run_dir={finished} --out={root}/file", "Received the file"),
}


# Their errors are tested in the rooms they come from; here, that the script passes them on.
SLOW = {
    "no steps",
    "stray word",
    "sample to nowhere",
    "folder of something else",
    "steps that would overrun",
    "dcd of nothing",
    "refining in training",
    "component out of range",
    "empty folder",
    "mixed sizes",
    "more components than examples",
    "routing of no mixture",
    "batch norm and penalty",
    "image size of vectors",
    "image size of words",
    "plan of another run",
    "no samples",
    "export to a file",
    "below a file",
    "dcd with networks",
    "dcd with a policy",
    "no clipping",
    "noise without a level",
    "noise without an end",
    "classes of none",
    "label of no class",
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] if case in SLOW else []) for case in BAD],
)
def test_bad_input_is_one_line_and_leaves_nothing(case, finished, folders, tmp_path):
    flags, message = BAD[case]
    script, _, rest = flags.partition(" ") if flags[0] != "-" else ("train.py", "", flags)
    before = sorted(folders.rglob("*"))
    done = run(script, rest, root=folders, new=tmp_path / "new", finished=finished)
    assert done.returncode in (1, 2)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith(f"{script}: error: ")
    assert re.search(message, lines[0]), lines[0]
    assert os.listdir(tmp_path) == []
    assert sorted(folders.rglob("*")) == before


def test_help_names_the_flags():
    done = run("train.py", "--helpshort")
    for name in ("--run_dir", "--dataset", "--model", "--dry_run", "--skip_bad", "--ema"):
        assert name.lstrip("-") in done.stdout
    told = " ".join(done.stdout.split())
    assert "- wgan: weight_clip=0.01, discriminator_steps=5, critic_warmup=False; RMSprop" in told
    assert "- dcd: penalty=None, weight_clip=None, updates_per_batch=5; Adam 2e-4" in told
    assert tfgans.data.NAMES[0] in done.stdout
