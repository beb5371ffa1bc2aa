"""What the commands do, from training to an export, in this process."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import psutil
import pytest
import tiny
from commands import ROOT, command, run
from PIL import Image
from waiting import wait_for

import tfgans
from tfgans import pictures, training
from tfgans.cli import main
from tfgans.cli.options import data, method
from tfgans.cli.parser import Parser

from .conftest import RUN

FRECHET = "frechet_distance[digits_classifier]"


def ok(name, flags, **paths):
    done = run(name, flags, **paths)
    assert done.returncode == 0, done.stderr
    return done


def final(path):
    return keras.saving.load_model(path / "final.keras")


def size_of(picture):
    with Image.open(picture) as image:
        return image.size


def write_images(folder, images, size):
    """Writes images in [-1, 1] as files of another size."""
    folder.mkdir()
    for index, image in enumerate(images[..., 0]):
        pixels = Image.fromarray(((image + 1) * 127.5).astype(np.uint8))
        pixels.resize(size).save(folder / f"{index}.png")


def record_of(path, name="evaluation.json"):
    return tfgans.evaluation.Record.load(path / name).to_dict()


class TestTrain:
    def test_run_directory_is_complete(self, finished):
        listed = re.findall(r"\| `([\w.-]+)/?`", training.RunDirectory.__doc__)
        assert {path.name for path in finished.iterdir()} >= {*listed, "flags.txt"}
        rows = (finished / "evaluation.csv").read_text().splitlines()
        assert [row.split(",")[0] for row in rows] == ["step", "20", "40", "60"]
        assert len((finished / "log.csv").read_text().splitlines()) == 1 + 3
        width, height = size_of(finished / "grids" / "step-00000060.png")
        # Two rows of 32 images, and the weights beside them.
        assert height == 2 * 50 + 2
        assert 32 * 50 + 2 < width < 33 * 50 + 2

    def test_flag_file_describes_the_same_run(self, finished):
        flags = "--run_dir={path} --dry_run --steps=80 --flagfile={file}"
        done = ok("train", flags, path=finished, file=finished / "flags.txt")
        assert "80 steps; 60 steps are done" in done.stdout
        assert "evaluation  frechet_distance" in done.stdout
        assert re.search(r"every 20 steps\. The first takes about \d+ s: real", done.stdout)
        assert "2 components" in done.stdout

    def test_a_finished_run_stays_as_it_is(self, finished, tmp_path):
        path = shutil.copytree(finished, tmp_path / "run")
        before = {name: (path / name).read_text() for name in ("flags.txt", "run.json", "log.csv")}
        done = ok("train", f"{RUN} --run_dir={{path}} --resume", path=path)
        assert f"{path} is finished: it stays at step 60\n" in done.stderr
        for flags in ("--grid_every=7", "--grid_every=7 --dry_run", "--minutes=1"):
            assert run("train", f"{RUN} {flags} --run_dir={{path}}", path=path).returncode == 1
        assert {name: (path / name).read_text() for name in before} == before

    def test_a_dry_run_makes_no_folder(self, tmp_path):
        flags = "--dataset=digits --dry_run --run_dir={at}/run"
        assert "1437 examples" in ok("train", flags, at=tmp_path).stdout
        assert not list(tmp_path.iterdir())

    def test_the_report_of_the_files_counts_the_examples_that_are_loaded(self, tmp_path):
        rng = np.random.default_rng(0)
        for index in range(70):
            pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{index:02}.jpg")
        # Its header is good.
        (tmp_path / "11.jpg").write_bytes((tmp_path / "11.jpg").read_bytes()[:-200])
        flags = "--dataset=folder:{at} --skip_bad --network=mlp --width=4 --depth=1 --dry_run"
        done = ok("train", flags + " --image_size=8 --run_dir={at}-run", at=tmp_path)
        assert re.search(r"examples +69, of shape \(8, 8, 3\)", done.stdout)
        assert re.search("unreadable +1, such as 11.jpg: image file is truncated", done.stdout)
        assert "69 examples of shape (8, 8, 3)" in done.stdout

    @pytest.mark.slow
    def test_dry_run_builds_the_evaluator_too(self, tmp_path):
        done = ok("train", "--run_dir={path} --dry_run", path=tmp_path / "run")
        for text in ("1437 examples of shape (8, 8, 1)", method.METHODS[method.DEFAULT].name):
            assert text in done.stdout
        # Images of more than 16 pixels have narrower networks by default.
        wide = ok("train", "--run_dir={path} --dry_run --width=64", path=tmp_path / "run")
        assert done.stdout.splitlines() == wide.stdout.splitlines()
        large = "--run_dir={path} --dry_run --image_size=17"
        told = [
            ok("train", large + more, path=tmp_path / "run").stdout for more in ("", " --width=32")
        ]
        assert told[0] == told[1]
        flags = RUN.replace("frechet_distance", "mode_coverage") + " --run_dir={path} --dry_run"
        done = run("train", flags, path=tmp_path / "run")
        assert done.returncode == 1
        assert "mode_coverage" in done.stderr
        assert not list(tmp_path.iterdir())

    def test_objective_with_penalty_and_bfloat16_on_vectors(self, tmp_path):
        flags = "--objective=hinge --penalty=dragan --dragan_noise=gaussian --dataset=ring"
        flags += " --dtype_policy=mixed_bfloat16 --num_discriminators=2 --minutes=2 --dry_run"
        done = ok("train", flags + " --run_dir={path}", path=tmp_path)
        for text in ("objective Hinge, penalty DRAGANPenalty", "shape (2,)", "2 minutes"):
            assert text in done.stdout
        assert keras.config.dtype_policy().name == "float32"

    def test_vectors_are_not_written_as_image_files(self, tmp_path):
        path, out = tmp_path / "ring", tmp_path / "samples"
        flags = "--dataset=ring --width=4 --latent_dim=2 --steps=2 --steps_per_epoch=2"
        ok("train", flags + " --batch_size=8 --run_dir={path}", path=path)
        done = run("sample", "--run_dir={path} --num=5 --out={out}", path=path, out=out)
        assert done.returncode == 1
        assert "--out must be a file that ends in .npy: only images" in done.stderr
        assert not out.exists()

    @pytest.mark.slow
    def test_conditional_residual_run_and_dcd_on_top(self, tmp_path):
        """Labels from the data to the picture; then DCD tunes the discriminator of the run."""
        path, tuned, out = tmp_path / "classes", tmp_path / "tuned", tmp_path / "s.npy"
        flags = (
            "--dataset=digits --model=sngan --network=resnet --width=4 --depth=1 --latent_dim=4 "
            "--conditional --discriminator_steps=1 --steps=4 --steps_per_epoch=2 --batch_size=16 "
            "--instance_noise=0.1 --noise_decay_steps=4 --run_dir={path}"
        )
        ok("train", flags, path=path)
        gan = final(path)
        assert (type(gan), gan.num_classes) == (tfgans.SNGAN, 10)
        assert float(gan.instance_noise.level) == 0
        ok("sample", "--run_dir={path} --num=5 --seed=3 --label=7 --out={out}", path=path, out=out)
        np.testing.assert_allclose(np.load(out), gan.sample(5, seed=3, labels=7), atol=1e-6)
        flags = "--model=dcd --pretrained={path} --refine=latent --refine_steps=2 --steps=2"
        ok("train", flags + " --steps_per_epoch=2 --run_dir={tuned}", path=path, tuned=tuned)
        dcd = final(tuned)
        assert dcd.langevin == tfgans.refinement.Langevin(steps=2)
        for weight, before in zip(
            dcd.generator.get_weights(), gan.ema_generator.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(weight, before)

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stopped_run_and_the_same_command_again_give_the_same_bits(
        self, finished, tmp_path, number
    ):
        path = tmp_path / "run"
        arguments = command("train", RUN + " --run_dir={path}", path=path)
        process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: list((path / "backups").glob("step-*")), process=process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        assert not (path / "final.keras").exists()
        assert process.returncode == 128 + number
        last = errors.strip().splitlines()[-1]
        assert re.search(
            r"stopped at step \d+, everything is saved\. To continue: .*--run_dir", last
        )
        again = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
        assert again.returncode == 0, again.stderr
        assert re.search(r"Continuing .* at step \d+ of 60", again.stderr)
        tiny.assert_same_state(final(path), final(finished))
        assert (path / "evaluation.csv").read_text() == (finished / "evaluation.csv").read_text()
        best = (keras.saving.load_model(folder / "best.keras") for folder in (path, finished))
        tiny.assert_same_state(*best)


class TestSampleAndExport:
    def test_sample_and_export(self, finished, tmp_path):
        gan, paths = final(finished), {"run": finished, "at": tmp_path}
        assert (gan.generator.num_components, gan.num_classes) == (2, None)
        flags = "--run_dir={run} --num=9 --seed=1 --show=1 --out={at}/out.png"
        assert "9 samples of shape (8, 8, 1)" in ok("sample", flags, **paths).stdout
        samples = gan.sample(9, seed=1)
        with Image.open(tmp_path / "out.png") as picture:
            grid = pictures.image_grid(samples)[..., 0].astype(int)
            np.testing.assert_allclose(np.asarray(picture), grid, atol=1)
        flags = "--run_dir={run} --num=5 --seed=3 --component=1 --truncation=0.5 --out={at}/s.npy"
        ok("sample", flags, **paths)
        expected = gan.sample(5, seed=3, component=1, truncation=0.5)
        np.testing.assert_allclose(np.load(tmp_path / "s.npy"), expected, atol=1e-6)
        ok("sample", "--run_dir={run} --num=3 --seed=1 --out={at}/files", **paths)
        assert sorted(path.name for path in (tmp_path / "files").iterdir()) == [
            f"0000{index}.png" for index in range(3)
        ]
        loaded = tfgans.data.load(f"folder:{tmp_path}/files").array
        np.testing.assert_allclose(loaded, (samples[:3] + 1) * 127.5, atol=1.01)
        folder = tmp_path / "digits"
        done = ok("export", "--run_dir={run} --out={at}/digits --license=MIT --noverify", **paths)
        assert done.stdout.strip() == str(folder / "1")
        assert "exported without a check" in run("verify", "{at}/digits", **paths).stderr
        card = ok("card", "{at}/digits/1", **paths).stdout
        assert card == (folder / "1" / "assets.extra" / "model_card.md").read_text()
        for text in ("# Model card: digits", "MIT", "- num_examples: 1437", "- step: 60"):
            assert text in card
        assert "(samples.png)" in card
        assert str(tmp_path) not in card

    @pytest.mark.slow
    def test_a_changed_export_is_noticed(self, tmp_path):
        version = tiny.gan().export(tmp_path / "digits", verify=False)
        weights = version / "variables" / "variables.data-00000-of-00001"
        weights.write_bytes(weights.read_bytes() + b"x")
        done = run("verify", "{at}", at=tmp_path / "digits")
        assert "new files: variables/variables.data-00000-of-00001" in done.stderr
        (version / "assets.extra" / "model_card.json").write_text("{")
        for name in ("card", "verify"):
            done = run(name, "{at}", at=version)
            assert (done.returncode, "is damaged" in done.stderr) == (1, True)

    @pytest.mark.slow
    def test_while_it_trains(self, tmp_path):
        """The files of the run are what another process would see in the same moment."""
        path, out, seen = tmp_path / "run", tmp_path / "s.npy", {}
        flags = "--run_dir={run} --num=4 --out={out}"
        gan = tiny.gan(tfgans.NonSaturatingGAN, run_eagerly=True)

        def look(batch, logs):
            if gan.step == 4:
                seen["backed up"] = gan.sample(4, seed=0)
            if gan.step == 5:
                seen["said"] = ok("sample", flags, run=path, out=out)

        looks = [keras.callbacks.LambdaCallback(on_train_batch_end=look)]
        options = {"steps": 6, "batch_size": 16, "backup_every": 2, "doctor_every": None}
        source = tfgans.data.load("digits")
        training.Run(path, gan, source, extra_callbacks=looks, **options).train()
        assert seen["said"].stderr == f"{path} has not ended: using its step 4\n"
        np.testing.assert_allclose(np.load(out), seen["backed up"], atol=1e-6)


class TestEvaluate:
    def test_run_gives_a_table_and_a_record_that_grows(self, finished, tmp_path):
        flags = "--run_dir={run} --out={out} --num_samples=300"
        done = ok("evaluate", flags, run=finished, out=tmp_path)
        record = record_of(tmp_path)
        assert (record["real"]["source"], record["real"]["split"]) == ("digits", "train")
        assert (record["fake"]["model"], record["fake"]["step"]) == ("NonSaturatingGAN", 60)
        for name, measured in record["metrics"].items():
            row = rf"^{re.escape(name)} +{measured['value']:.4g} "
            assert re.search(row, done.stdout, re.MULTILINE)
        assert size_of(tmp_path / "neighbors.png")[1] > 400
        metrics = record["metrics"]
        flags += " --metrics=near_copies"
        ok("evaluate", flags, run=finished, out=tmp_path)
        assert record_of(tmp_path)["metrics"] == metrics
        # Another model is another record; that of more metrics keeps its content.
        done = ok("evaluate", flags + " --checkpoint=best --seed=1", run=finished, out=tmp_path)
        assert "is now evaluation-1.json" in done.stderr
        assert record_of(tmp_path, "evaluation-1.json")["metrics"] == metrics
        assert list(record_of(tmp_path)["metrics"]) == ["near_copies"]
        best = json.loads((finished / "best.keras.json").read_text())
        assert record_of(tmp_path)["fake"]["step"] == best["step"] < 60

    def test_samples_of_other_origins(self, tmp_path):
        real = tiny.digits(300)
        np.save(tmp_path / "a.npy", real)
        np.savez(tmp_path / "a.npz", images=((real + 1) * 127.5).astype(np.uint8))
        write_images(tmp_path / "images", real[:100], (16, 16))
        for origin in ("a.npy", "a.npz", "images"):
            flags = f"--samples={{at}}/{origin} --metrics=frechet_distance --num_samples=100"
            ok("evaluate", flags + " --out={at}/out", at=tmp_path)
            record = record_of(tmp_path / "out")
            # Real digits are near real digits; 16x16 pixels are made 8x8 again.
            assert record["metrics"][FRECHET]["value"] < 60
        assert record["fake"]["path"] == str(tmp_path / "images")
        assert record["fake"]["samples_resizing"].endswith("bicubic, to (8, 8)")

    def test_samples_are_resized_as_the_real_images(self, tmp_path):
        write_images(tmp_path / "images", tiny.digits(40), (24, 16))
        flags = "--samples={at}/images --dataset=folder:{at}/images --image_size=8 --fit=pad"
        flags += " --background=black --metrics=frechet_distance --extractor=identity"
        ok("evaluate", flags + " --out={at}/out", at=tmp_path)
        record = record_of(tmp_path / "out")
        assert record["metrics"]["frechet_distance[identity]"]["value"] < 1e-6
        assert record["fake"]["samples_resizing"] == "padding (black), bicubic, to (8, 8)"

    def test_images_without_an_extractor_have_the_metrics_of_pixels(self, tmp_path):
        real = tiny.digits(100)
        np.save(tmp_path / "a.npy", real.repeat(2, axis=1).repeat(2, axis=2))
        flags = "--samples={at}/a.npy --image_size=16 --num_real=100 --out={at}/out"
        done = ok("evaluate", flags, at=tmp_path)
        assert "--extractor=classifier trains a classifier" in done.stderr
        metrics = record_of(tmp_path / "out")["metrics"]
        names = {"sliced_wasserstein_distance", "ms_ssim", "ms_ssim(real)", "near_copies"}
        assert metrics.keys() == names
        # Uniform noise is 0.63 away from the real digits, their negatives are 1.2 away.
        assert metrics["sliced_wasserstein_distance"]["value"] < 0.3

    def test_images_too_small_for_a_metric_have_the_others(self, tmp_path):
        pixels = np.random.default_rng(0).integers(0, 256, [40, 4, 4, 1], np.uint8)
        np.savez(tmp_path / "a.npz", x=pixels)
        flags = "--dataset=npz:{at}/a.npz --samples={at}/a.npz --out={at}/out"
        ok("evaluate", flags, at=tmp_path)
        names = {"sliced_wasserstein_distance", "near_copies"}
        assert record_of(tmp_path / "out")["metrics"].keys() == names

    def test_a_damaged_record_is_refused_before_the_work(self, tmp_path, monkeypatch):
        (tmp_path / "evaluation.json").write_text("{}")
        monkeypatch.setattr(tfgans.data, "load", None)
        done = run("evaluate", "--samples=a.npy --out={out}", out=tmp_path)
        assert done.returncode == 1
        assert "is no record" in done.stderr
        assert "another folder as --out" in done.stderr

    @pytest.mark.slow
    def test_saved_model(self, tmp_path):
        tiny.gan(compiled=False).export(tmp_path / "export", verify=False)
        flags = "--saved_model={at}/export/1 --metrics=frechet_distance --num_samples=100"
        ok("evaluate", flags + " --out={at}/out", at=tmp_path)
        assert record_of(tmp_path / "out")["fake"]["model"] == "SavedModel 1"


def test_report_of_a_run_that_has_ended_and_of_one_that_has_not(finished, tmp_path):
    path = shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("evaluation"))
    description = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**description, "finished": False}))
    done = ok("report", "{run_dir} --out={out}", run_dir=finished, out=tmp_path / "out")
    assert "| state | finished |" in done.stdout
    assert "No finding in 3 checks, the last at step 60." in done.stdout
    assert "| generator.mixture.components | 2 |" in done.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    # Curves of losses, metrics, weights and the doctor's readings; samples, and the last of them.
    counts = {"svg+xml": 4, "webp": 1, "png": 1}
    assert {kind: page.count(f"data:image/{kind}") for kind in counts} == counts
    assert "| state | unfinished: step 60 of 60 |" in ok("report", "{path}", path=path).stdout
    done = ok("compare", "{run_dir}", run_dir=path)
    last = (path / "evaluation.csv").read_text().splitlines()[-1].split(",")
    assert f"| {float(last[2]):.3g} [{float(last[3]):.3g}, {float(last[4]):.3g}] |" in done.stdout
    assert "Measured by the last evaluation of the training" in done.stdout


@pytest.mark.slow
def test_data_are_remembered(tmp_path, monkeypatch):
    """By a relative path, from another folder, with links and a damaged file; `~` is the home."""
    rng = np.random.default_rng(0)
    (tmp_path / "home" / "images").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for index in range(30):
        pixels = rng.integers(0, 255, (10 + index % 3, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "elsewhere" / f"{index}.jpg")
        (tmp_path / "home" / "images" / f"{index}.jpg").symlink_to(
            tmp_path / "elsewhere" / f"{index}.jpg"
        )
    (tmp_path / "home" / "images" / "bad.jpg").write_bytes(b"no image")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")
    flags = "--dataset=folder:images --follow_links --skip_bad --image_size=8,12 --steps=2"
    flags += " --batch_size=8 --model=non_saturating --network=mlp --width=4 --doctor_every=0"
    flags += " --run_dir=~/run"
    done = ok("train", flags + " --cache=disk --cache_dir=~/cache")
    assert re.search(r"resized +30 of 30 to 8x12 by crop\n", done.stderr)
    assert re.search(r"unreadable +1, such as bad.jpg: cannot identify image file", done.stderr)
    assert "BytesIO" not in done.stderr
    again = ok("train", flags + " --cache=disk --cache_dir=~/cache")
    assert "resized" not in again.stderr
    monkeypatch.chdir(tmp_path)
    names = {path.name for path in (tmp_path / "home").iterdir()}
    assert names == {"images", "run", "cache"}
    flags = "--run_dir=~/run --extractor=identity --metrics=near_copies"
    ok("evaluate", flags)
    record = record_of(tmp_path / "home" / "run" / "evaluation")
    assert record["real"]["data_shape"] == [8, 12, 3]
    assert record["real"]["num_examples"] == 30
    shown = ok("equilibrium", "--run_dir=~/run --num=8").stdout
    assert re.search(r"epsilon .*\n.*split train; seed 0", shown)
    assert "bad.jpg" in run("evaluate", flags + " --noskip_bad").stderr


def test_a_dataset_by_the_name_of_the_training_is_loaded_as_trained(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    for index in range(4):
        Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(tmp_path / "photos" / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    source = tfgans.data.load("folder:photos", image_size=8, fit="pad", split="train[:3]")
    settings = {"source_seed": 3}
    with training.RunDirectory("run").open(settings, resume=True, data=source.load_options):
        pass

    def loaded(*words):
        parser = Parser()
        parser.group("Run").integer("seed", 0, "of the order")
        data.define(parser, remembers=True)
        parser.parse(words)
        return data.load_run_source(parser, "run")

    same = loaded("--dataset=folder:photos")
    assert (same.load_options, same.seed) == (source.load_options, 3)
    assert loaded("--dataset=folder:photos", "--fit=crop").load_options["fit"] == "crop"
    assert loaded("--dataset=folder:./photos/../photos").data_shape == (8, 8, 3)
    # Another dataset has nothing of the run.
    (tmp_path / "photos").rename(tmp_path / "others")
    assert loaded("--dataset=folder:others").data_shape == (10, 12, 3)


@pytest.mark.slow
def test_labels_are_drawn_as_in_the_data(tmp_path):
    labels = np.repeat(np.arange(4), [32, 0, 24, 8])
    names = ["red", "green", "0", "blue"]
    source = tfgans.data.from_array(tiny.digits(64), labels=labels, class_names=names)
    gan = tfgans.NonSaturatingGAN(
        tiny.conditional_generator(num_classes=5),
        tiny.conditional_discriminator(num_classes=5),
        num_classes=5,
    )
    gan.compile(run_eagerly=True)
    path, out = tmp_path / "run", tmp_path / "s.npy"
    training.Run(path, gan, source, steps=1, batch_size=8, doctor_every=None).train()
    drawn = training.draw_labels(path, 2000, seed=3)
    counts = np.bincount(drawn, minlength=4) / 2000
    # Five standard deviations of a share.
    np.testing.assert_allclose(counts, [0.5, 0, 0.375, 0.125], atol=5 * 0.5 / 2000**0.5)
    np.testing.assert_array_equal(training.draw_labels(path, 20, seed=3), drawn[:20])
    ok("sample", "--run_dir={path} --num=9 --seed=3 --out={out}", path=path, out=out)
    expected = gan.sample(9, seed=3, labels=drawn[:9])
    np.testing.assert_allclose(np.load(out), expected, atol=1e-6)
    assert not np.allclose(expected, gan.sample(9, seed=3), atol=1e-3)
    # A name comes before a number, and stands in the picture.
    flags, out = "--run_dir={path} --num=4 --label=0 --out={out}", out.with_suffix(".png")
    ok("sample", flags, path=path, out=out)
    with Image.open(out) as image:
        titled = pictures.class_rows(gan.sample(4, seed=0, labels=2), [2] * 4, [*names, "4"])
        np.testing.assert_allclose(np.asarray(image), titled[..., 0], atol=1)
    for label, message in [
        ("pink", "or a name: red, green, 0, blue. Received: 'pink'"),
        ("7", "error: --label must be a class from 0 to 4, or the name of a class. Received: 7"),
    ]:
        done = run("sample", f"--run_dir={path} --label={label} --out={out}")
        assert message in done.stderr


@pytest.mark.slow
def test_layers_of_a_keras_model_give_features_and_probabilities(finished, tmp_path):
    layers = [keras.layers.Dense(4, name="features"), keras.layers.Softmax(name="classes")]
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), *layers])
    model.save(tmp_path / "net:1.keras")
    flags = "--run_dir={run} --out={out} --metrics=inception_score --num_samples=100"
    flags += " --extractor=keras:{out}/net:1.keras:features"
    ok("evaluate", f"{flags}:classes", run=finished, out=tmp_path)
    ((name, score),) = record_of(tmp_path)["metrics"].items()
    assert name == f"inception_score[{model.name}/features]"
    assert 1 <= score["value"] <= 4
    done = run("evaluate", flags, run=finished, out=tmp_path)
    assert "probabilities" in done.stderr


class TestProcesses:
    """What needs a process of its own."""

    def test_help_of_the_installed_command_needs_no_tensorflow(self):
        installed = Path(sys.executable).with_name("tfgans")
        start = [installed] if installed.exists() else [sys.executable, "-m", "tfgans"]
        done = subprocess.run([*start, "train", "--help"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "--dataset=NAME" in done.stdout
        look = "import sys; from tfgans.cli import main; codes = [main.main([name, '--help']) for "
        look += "name in main.COMMANDS]; print(codes, {'tensorflow', 'keras', 'numpy', 'aiohttp'} "
        look += "& set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == f"{[0] * len(main.COMMANDS)} set()", done.stderr

    def test_samples_of_a_server_and_a_launcher_need_no_tensorflow(self, tmp_path):
        look = "import sys; from tfgans.cli import main; print([main.main(line.split()) for line "
        look += "in sys.argv[1:]], {'tensorflow', 'keras'} & set(sys.modules))"
        lines = [
            f"sample --server=http://127.0.0.1:1 --name=x --out={tmp_path}/x.npy",
            "launch --strategy=mirrored",
        ]
        done = subprocess.run([sys.executable, "-c", look, *lines], capture_output=True, text=True)
        assert "cannot be reached" in done.stderr
        assert done.stdout == "[1, 1] set()\n"

    def test_every_command_has_a_script(self):
        names = {path.stem.removesuffix("_local") for path in (ROOT / "bin").glob("*.py")}
        assert names == set(main.COMMANDS)

    @pytest.mark.slow
    @pytest.mark.parametrize("script", sorted((ROOT / "bin").glob("*.py")), ids=lambda p: p.stem)
    def test_scripts_are_executable(self, script):
        done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
        assert done.stdout.splitlines()[2].startswith("Usage: tfgans ")
        assert script.stat().st_mode & 0o111 == 0o111

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_the_runs_of_a_lab_too(self, tmp_path, number):
        flags, out = "--lab=many_paths --quick --seeds=1 --out={out}", tmp_path / "lab"
        arguments = command("experiment", flags, out=out)
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as lab:
            wait_for((out / "rows.csv").exists, process=lab)
            runs = psutil.Process(lab.pid).children(recursive=True)
            lab.send_signal(number)
            said = lab.communicate()[1]
        assert lab.returncode == 128 + number
        assert re.search(r"interrupted. To continue: .* experiment --lab=many_paths", said)
        assert psutil.wait_procs(runs, timeout=30)[1] == []
        assert (out / "rows.csv").read_bytes().endswith(b"\n")

    @pytest.mark.slow
    def test_launcher_trains_and_passes_on_what_a_worker_says(self, tmp_path):
        flags = "--workers=2 --network=mlp --width=4 --latent_dim=2 --batch_size=16 --steps=12"
        arguments = command("launch", flags + " --run_dir={path}", path=tmp_path / "run")
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "[worker 1] " in done.stdout
        assert (tmp_path / "run" / "final.keras").exists()
        arguments = command("launch", "--restarts=3 --step=3")
        done = subprocess.run(arguments, capture_output=True, text=True)
        assert done.returncode == 2
        assert "starting all again" not in done.stderr
        assert re.search(r"\[worker 1\] tfgans train: error: .*flag 'step'", done.stderr)
