"""What is refused by the commands themselves: a line on stderr, an exit code, and no file."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import warnings
from unittest import mock

import keras
import numpy as np
import pytest
import tiny
from commands import run

import tfgans
from tfgans import training
from tfgans.cli import command, local_cluster, main
from tfgans.cli.options import devices
from tfgans.data import tfds_images

NEW = " --run_dir={new}"
OF_RUN = " --run_dir={run} --out={new}"
OF_ARRAY = " --samples={made}/a.npy --out={new}"
NOISE = "train" + NEW + " --instance_noise=0.1"

# The command line, and what the line on stderr must say; code 2.
FLAGS = [
    ("trian", r"unknown command 'trian'. Did you mean train\?"),
    ("x\x1b[2J", r"unknown command 'x\\x1b\[2J'. Commands: data, train"),
    ("train --step=3" + NEW, "flag 'step'. Did you mean: steps.*--help"),
    ("train digits" + NEW, "flags only, as --name=value, .*if the value holds spaces. Received: d"),
    ("train --flagfile={made}/none" + NEW, "none.*--help"),
    ("train --network=vgg" + NEW, r"one of <dcgan\|mlp\|r3gan\|resnet>"),
    ("train --steps=1e4" + NEW, "--steps=1e4: expected an integer, in digits"),
    ("train --ema=x" + NEW, "--ema=x: expected a number"),
    ("train --flip=3" + NEW, "--flip=3: expected true or false; the name alone means true"),
    ("train --run_dir=", "--run_dir=: expected a path, received nothing"),
    ("train --steps=0" + NEW, "--steps=0: 0 is not a positive integer"),
    ("train --ema=2" + NEW, r"--ema=2: 2.0 is not a number in the range \[0, 1\]"),
    ("train", "--run_dir is required, as in: tfgans train --dataset=digits --run_dir="),
    ("train --minutes=0" + NEW, "--minutes must be a number above 0.* Received: --minutes=0"),
    (
        "train --cpu_seconds=nan" + NEW,
        "--cpu_seconds must be .* Received: --cpu_seconds=nan",
    ),
    ("train --cache=memory --cache_dir={new}" + NEW, "--cache_dir needs --cache=disk or"),
    ("train --noise_schedule=constant" + NEW, "need --instance_noise"),
    ("train --metrics=near_copies" + NEW, "need --evaluate_every"),
    (
        "train --evaluate_every=150" + NEW,
        "--evaluate_every must be a multiple of --steps_per_epoch",
    ),
    ("train --steps=7 --steps_per_execution=2" + NEW, "_execution. Received: --steps=7 --steps_p"),
    ("train --weight_update=softmax" + NEW, "need a mixture: pass --num_generators"),
    (
        "train --num_generators=2 --discriminator_routing=all" + NEW,
        "--discriminator_routing needs a mixture: pass --num_discriminators",
    ),
    ("train --adapt_every=9" + NEW, "--adapt_every needs a mixture: pass --num_generators"),
    ("train --num_generators=2 --max_generators=4" + NEW, "--max_generators needs --adapt_every"),
    ("train --ema_images=9" + NEW, "--ema_images needs --schedule_images"),
    ("train --doctor_every=0 --rollbacks=1" + NEW, "--rollbacks needs --doctor_every"),
    ("train --augmentation_policy=bg" + NEW, "--augmentation_policy.* need --augmentation"),
    ("train --augmentation=diffaugment --augmentation_p=0.3" + NEW, "need --augmentation=ada"),
    ("train --consistency_policy=flip" + NEW, "--consistency_policy needs --consistency"),
    ("train --augmentation=ada --augmentation_p=.3 --augmentation_kimg=9" + NEW, "leave out --aug"),
    ("train --augmentation=ada --augmentation_p=.3 --augmentation_target=0" + NEW, "fixes the p"),
    ("train --lecam_start=5" + NEW, "--lecam_start needs --lecam_weight"),
    ("train --doctor_every=0 --held_out=test" + NEW, "--held_out needs --doctor_every"),
    ("sample --server=http://x --name=x" + OF_RUN, "one of --run_dir, --server. Received: --run_d"),
    ("sample --server=http://x --out={new}.npy", "go together"),
    ("sample --version=1" + OF_RUN, "--version and --timeout need --server"),
    ("sample --timeout=5" + OF_RUN, "--version and --timeout need --server"),
    ("serve --model_dir={made} --max_rows=20000", "--max_waiting_rows must be at least"),
    ("sample --refine_steps=0" + OF_RUN, "need --refine"),
    ("data", "expected `tfgans data inspect --flag=value.*Received: nothing.*--help"),
    ("sample --server=http://x --name=x --checkpoint=last --out={new}", "needs --run_dir"),
    ("evaluate", "exactly one of --run_dir, --saved_model, --samples, --samples_split, as in"),
    ("evaluate --run_dir={run}" + OF_ARRAY, "run_dir.*saved_model.*samples"),
    ("evaluate --value_range=0,1" + OF_ARRAY, "need --saved_model"),
    ("evaluate --saved_model={made} --value_range=a,b", "--value_range must be two numbers"),
    ("evaluate --saved_model={made} --value_range=1,0", "--value_range must be two numbers"),
    ("evaluate --saved_model={made} --value_range=0", "--value_range must be two numbers"),
    ("evaluate --checkpoint=best" + OF_ARRAY, "--checkpoint needs --run_dir"),
    ("export --format=onnx --keep=2" + OF_RUN, "--keep, --evaluation and --license need"),
    ("export --format=onnx --noverify" + OF_RUN, "--noverify needs --format=tf_saved_model"),
    ("export --evaluation=x --component=0" + OF_RUN, "of the whole mixture: leave out --component"),
    ("card", "expected `tfgans card EXPORT`. Received: nothing"),
    ("serve --port=0", "model_dir.*models_config"),
    ("serve --models_config={made}/x --labels=a:1", "need --model_dir"),
    ("serve --model_dir={made} --port=70000", "--port=70000.*65535"),
    ("experiment --lab=alchemy --out={new}", "--lab must be all, many_paths, .* ends in .py"),
    ("experiment", "--lab, --out are required, as in: tfgans experiment --lab=.* --out="),
    ("experiment --lab=all --only=size=2 --out={new}", "settings of a single lab: name it"),
    ("experiment --lab=mix --report_only --workers=3 --out={new}", "do nothing with --report_only"),
    ("experiment --lab=all --seconds=9 --out={new}", "settings of a single lab: name it"),
    ("train --flagfile={made}/a.npy", "--flagfile must name a file of text. Received: 'utf-8'"),
    ("data inspect --dataset=digits --out={new}.jpg", "--out must be a .png file"),
]
# Code 1: what is wrong shows when the command runs.
WORK = [
    ("train --held_out=train[90%:]" + NEW, "--held_out may share examples with --split"),
    ("evaluate --samples_split=train --out={new}", "--samples_split may share examples with"),
    (
        "train --dataset=folder:{made} --run_dir={made}/run",
        "--run_dir must lie outside of the folder of images",
    ),
    (
        "data inspect --dataset=folder:{made} --out={made}/sheet.png",
        "--out must lie outside of the folder of images",
    ),
    ("train --augmentation=ada --gamma=2" + NEW, r"default with --augmentation=ada\). It applies"),
    ("train --model=wgan --refine=latent" + NEW, "--refine does not apply.*use dcd"),
    ("train --preset=cifar10" + NEW, "--preset needs --network=r3gan"),
    ("train --network=r3gan --generator_normalization=batch" + NEW, "does not apply to --network"),
    ("train --network=r3gan --model=sngan" + NEW, "--model=sngan needs spectral normalization"),
    ("train --network=r3gan --preset=cifar10 --dataset=digits" + NEW, "images of 32x32 pixels"),
    ("train --model=wgan --schedule_images=9" + NEW, "does not apply to --model=wgan: use r3gan"),
    (
        "train --num_generators=2 --adapt_every=9 --weight_learning_rate=0" + NEW,
        "--adapt_every decides by the weights of a mixture, which must learn",
    ),
    ("train --schedule_images=9 --ema=0.9" + NEW, "use --ema_images"),
    ("train --schedule_images=9 --rollbacks=1" + NEW, "--rollbacks lowers the learning rates"),
    ("train --model=dcd" + NEW, "needs --pretrained"),
    (
        "sample --run_dir={run} --out={new}v0.2",
        r"a folder \(with a / at the end",
    ),
    ("train --model=dcd --pretrained={run} --width=8" + NEW, "--width does not apply to --model="),
    ("train --model=dcd --pretrained={made}" + NEW, "not a run directory: run.json is missing"),
    (NOISE, "--noise_decay_steps is needed"),
    ("train --image_size=8,8,8" + NEW, "takes a side, or height,width"),
    ("train --image_size=" + NEW, "takes a side, or height,width, in pixels. Received: nothing"),
    ("train --image_size=8x8" + NEW, "takes a side, or height,width, in pixels. Received: 8x8"),
    (
        "train --dataset=swiss_roll --conditional" + NEW,
        "--conditional needs classes, and 'swiss_roll' has none. Leave it out; the classes of a f",
    ),
    (
        "train --dataset=ring --width=9 --latent_dim=4 --run_dir={run}",
        "another run: --dataset=digits there and --dataset=ring here; --width=8 there and "
        "--width=9 here; .*choose another --run_dir",
    ),
    ("train --dataset=ring --steps=40 --run_dir={run}", "another run: --dataset=digits there and"),
    (
        "train --steps=40 --flagfile={run}/flags.txt --run_dir={run}",
        "has done 60 steps already. Received: --steps=40. .* choose another run directory",
    ),
    (
        "train --learning_rate=3e-4 --flagfile={run}/flags.txt --run_dir={run}",
        "another run: no --learning_rate there and --learning_rate=0.0003 here. Use the flags of",
    ),
    (
        "train --evaluate_every=60 --flagfile={run}/flags.txt --run_dir={run}",
        r"finished, .* would do nothing: --evaluate_every=60 \(--evaluate_every=20 there\)",
    ),
    ("train --dataset={made}" + NEW, "--dataset must be one of .*mean --dataset=folder:/.*/made"),
    ("train --dataset=folder:" + NEW, "--dataset must be one of .* Received: 'folder:'"),
    (
        "train '--dataset={made}/my photos'" + NEW,
        "Did you mean '--dataset=folder:/.*/my photos'",
    ),
    ("train --dataset={made}/two.npz" + NEW, r"Did you mean --dataset=npz:/.*/two.npz\?"),
    ("data inspect --dataset=digit", r"Received: 'digit'. Did you mean --dataset=digits\?"),
    ("train --cache=memory" + NEW, "--cache cannot be used with .* Received: --cache=memory. L"),
    ("train --download" + NEW, "--download cannot be used with 'digits': .* Received: --download"),
    ("train --num_replicas=2" + NEW, "goes with --strategy=mirrored.*: --strategy=default, --nu"),
    (NOISE + " --noise_schedule=constant --noise_decay_steps=3", "--noise_decay_steps is of"),
    ("train --augmentation=diffaugment --augmentation_policy=x" + NEW, "--augmentation_policy mu"),
    ("train --augmentation=ada --augmentation_kimg=0" + NEW, "--augmentation_kimg must be above"),
    ("train --consistency=cr --consistency_policy=x" + NEW, "--consistency_policy must name"),
    ("train --lecam_weight=nan" + NEW, "--lecam_weight must be a finite number"),
    ("train --model=wgan_gp --penalty_weight=nan" + NEW, "--penalty_weight must be a finite"),
    ("train --objective=hinge --penalty=r1 --penalty_fraction=2" + NEW, "--penalty_fraction must"),
    ("train --schedule_images=9 --ema_images=nan" + NEW, "--ema_images must be a finite number"),
    (
        "train --model=hinge --augmentation=diffaugment --augmentation_penalty=raw" + NEW,
        "--augmentation_penalty needs a penalty. Received: --model=hinge, without",
    ),
    (
        "train --model=sngan --network=mlp --discriminator_normalization=none" + NEW,
        "of --model=sngan must.* Build it with --discriminator_normalization=spectral, or use",
    ),
    (
        "train --dataset=ring --evaluate_every=100 --extractor=digits" + NEW,
        "--extractor=digits takes images .* Use --extractor=inception:PATH or --extractor=keras:",
    ),
    ("sample --num=1000000000000" + OF_RUN + ".npy", "needs 2.56e.05 GB of memory, and .* avail"),
    ("sample --component=7" + OF_RUN + ".png", "--component must be from 0 to 1"),
    ("sample --refine=data --refine_prior" + OF_RUN + ".npy", "Received: --refine=data"),
    ("sample --refine=latent --refine_step_size=-1" + OF_RUN + ".npy", "--refine_step_size must"),
    ("sample --server=x --name=x --out={new}.npy", "--server must be http://HOST:PORT"),
    ("sample --run_dir={run} --out={made}/folder.png", "--out must be a file.* which is a folder"),
    ("compare {run} --out={made}/a.npy", "--out=/.*/a.npy: .* must be a folder, .*a.npy is"),
    ("sample" + OF_RUN + ".gif", "must end in .png or .npy, or be a folder"),
    ("sample --run_dir={run} --out={made}", "a new or an empty folder"),
    ("sample --refine=latent --server=http://x --name=x --out={new}.npy", "--refine needs --run_d"),
    ("sample --refine=images --refine_prior" + OF_RUN + ".npy", "needs --refine=latent"),
    ("sample --label=1" + OF_RUN + ".png", "is not conditional"),
    ("export --format=onnx" + OF_RUN + ".x", "--out must end in .onnx for --format=onnx. Received"),
    ("export --evaluation={made}/none.json" + OF_RUN, "must be a record of tfgans evaluate"),
    ("evaluate --samples={made}/a.npy", "--out is needed"),
    ("evaluate --samples={made}/two.npz --out={new}", "2 arrays instead of a single"),
    ("evaluate --samples={made}/text.npz --out={new}", "is not an array of numbers"),
    ("evaluate --samples={made}/damaged.npz --out={new}", "is not an array of numbers: Error -3"),
    ("data inspect --dataset=ring --out={new}.png", "--out is for a data set of images"),
    ("evaluate --image_size=16 --metrics=frechet_distance" + OF_ARRAY, "--extractor=classifier"),
    ("evaluate --extractor=vgg" + OF_ARRAY, r"keras:FILE:LAYER\[:PROBABILITIES\]"),
    ("evaluate --extractor=keras:a.h5:x" + OF_ARRAY, "of a file that ends in .keras"),
    ("evaluate --flip" + OF_ARRAY, "--flip mirrors images in training only"),
    ("evaluate --extractor_sha256=0" + OF_ARRAY, "goes with --extractor=inception"),
    ("evaluate --samples={made}/a.npy --out={made}/a.npy/x", "a.npy is a file"),
    ("evaluate --run_dir={python} --out={new}", "not loaded by name.*--dataset"),
    ("evaluate --run_dir={changed} --out={new}", "the data have changed"),
    ("experiment --lab=none.py --out={new}", "must be a Python file. Received: .*none.py"),
    ("experiment --lab=mix --only=color=red --out={new}", "the settings are task, game"),
    ("serve --model_dir={made}/none", "must be the folder of a model's versions"),
    ("launch --strategy=mirrored" + NEW, "sets --strategy=multi_worker. Received: .*mirrored"),
    ("card {made}", "must be an export"),
    ("serve --model_dir={made} --max_body_mb=nan", "--max_body_mb must be a number"),
    ("serve --model_dir={made} --versions=new", "--versions must be latest.* Received: 'new'"),
    ("serve --model_dir={made} --labels=stable", "--labels must be as stable:1"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    real = tiny.digits(100)
    np.save(root / "a.npy", real)
    (root / "folder.png").mkdir()
    (root / "my photos").mkdir()
    np.savez(root / "two.npz", a=real, b=real)
    (root / "text.npz").write_text("no array")
    np.savez_compressed(root / "damaged.npz", a=real)
    content = bytearray((root / "damaged.npz").read_bytes())
    content[200:220] = b"x" * 20
    (root / "damaged.npz").write_bytes(content)
    return root


@pytest.fixture(scope="module")
def others(finished, tmp_path_factory):
    """Runs like the finished one, whose data have no name, or are fewer than they were."""
    folders = {}
    for name in ("python", "changed"):
        folders[name] = folder = tmp_path_factory.mktemp(name)
        shutil.copy(finished / "final.keras", folder)
        record = json.loads((finished / "run.json").read_text())
        if name == "python":
            record["data"] = None
        record["settings"]["num_examples"] = 1
        (folder / "run.json").write_text(json.dumps(record))
    return folders


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("code", "line", "message"), [(2, *row) for row in FLAGS] + [(1, *row) for row in WORK]
)
def test_ends_with_a_line_and_leaves_nothing(code, line, message, made, others, finished, tmp_path):
    name, _, flags = line.partition(" ")
    before = everything(made), everything(finished)
    done = run(name, flags, made=made, run=finished, new=tmp_path / "new", **others)
    assert done.returncode == code, done.stderr
    *_, last = done.stderr.rstrip("\n").split("\n")
    assert re.match(rf"tfgans[\w ]*: error: .*({message})", last), last
    assert last.isprintable()
    assert not re.search(r"`\w+`|\bNone\b", last), "flags are meant, not arguments"
    assert (everything(made), everything(finished)) == before
    assert not list(tmp_path.iterdir())


def test_an_error_on_the_model_of_an_extractor_is_one_of_its_flag(made, tmp_path):
    inputs = keras.Input((1,)), keras.Input((1,))
    keras.Model(inputs, keras.layers.Add()(inputs), name="two").save(tmp_path / "two.keras")
    flags = "--extractor=keras:{at}/two.keras:add --samples={made}/a.npy --out={at}/new"
    done = run("evaluate", flags, made=made, at=tmp_path)
    assert "error: --extractor=keras:FILE:LAYER must be a built functional" in done.stderr
    assert "Received: <Functional name=two, " in done.stderr


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ("train --dataset=digits" + NEW, "run_dir"),
        ("sweep --model=wgan,r3gan" + NEW, "run_dir"),
        ("sample --run_dir={run} --out={new}.png", "out"),
        ("evaluate" + OF_RUN, "out"),
        ("export" + OF_RUN, "out"),
        ("export --format=onnx --run_dir={run} --out={new}.onnx", "out"),
        ("compare {run} --out={new}", "out"),
        ("report {run} --out={new}", "out"),
        ("data inspect --out={new}.png", "out"),
        ("experiment --lab=mix --out={new}", "out"),
    ],
)
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    line, flag, finished, tmp_path, monkeypatch
):
    def denied(**options):
        raise PermissionError(13, "Permission denied", f"{options['dir']}/.tmp-1")

    for module, function in ((tfgans.data, "load"), (training, "load_checkpoint")):
        monkeypatch.setattr(module, function, None)
    monkeypatch.setattr(tempfile, "TemporaryFile", denied)
    name, _, flags = line.partition(" ")
    done = run(name, flags, run=finished, new=tmp_path / "new")
    assert (done.returncode, done.stdout) == (1, "")
    place = rf"--{flag}=\S+/new\S*: \S+ cannot be written: Permission denied in {tmp_path}\. Choose"
    assert re.search(place, done.stderr), done.stderr


def test_an_unwritable_home_names_the_remedy_and_other_errors_do_not(tmp_path, monkeypatch):
    for error, message in [
        (PermissionError(13, "denied"), "denied. Pass .* as --data_dir, or .*TFGANS_DATA_DIR"),
        (urllib.error.URLError("no network"), "error: <urlopen error no network>\n$"),
    ]:
        monkeypatch.setattr(tfds_images, "load_prepared", mock.Mock(side_effect=error))
        done = run("train", "--dataset=mnist --download --run_dir={new}", new=tmp_path / "new")
        assert re.search(message, done.stderr)


@pytest.mark.slow
def test_port_that_is_taken(made, tmp_path):
    tiny.gan().export(tmp_path / "export", verify=False)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        flags = f"--model_dir={{made}}/export --port={port}"
        done = run("serve", flags, made=tmp_path)
    assert done.returncode == 1
    assert "Choose another port or host" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines \x1b[2J"), 1, r"tfgans x: error: two lines \x1b[2J"),
        (
            MemoryError("1 GB"),
            1,
            "tfgans x: error: out of memory: 1 GB. Use smaller batches, "
            "smaller networks or, in training, --accumulate_steps",
        ),
        (KeyboardInterrupt(), 130, "tfgans x: error: interrupted"),
        (command.Exit("stopped", 130), 130, "tfgans x: stopped"),
    ],
)
def test_errors_of_the_work_are_a_line(error, code, line, capsys):
    def work(*_):
        raise error

    failing = command.Command("x", "", (), lambda _: None, work)
    assert failing.main([]) == code
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt, 130), (ImportError("no TensorFlow"), 1)]
)
def test_a_start_that_fails_is_a_line(error, code, monkeypatch, capsys):
    def start():
        raise error

    monkeypatch.setattr(command.quiet, "start_tensorflow", start)
    failing = command.Command("x", "", (), lambda _: None, lambda *_: 0)
    assert failing.main([]) == code
    assert capsys.readouterr().err.startswith("tfgans x: error: ")


def test_the_same_warning_is_a_single_line(capsys):
    def work(*_):
        for text in ("first", "second", "first"):
            with warnings.catch_warnings():  # Python forgets what was shown.
                warnings.simplefilter("always")
                warnings.warn(f"`width` is {text}", stacklevel=1)
        return 0

    command.Command("x", "", (), lambda _: None, work, tensorflow=lambda _: False).main([])
    told = [f"tfgans x: warning: `width` is {text}\n" for text in ("first", "second")]
    assert capsys.readouterr().err == "".join(told)


def test_a_worker_that_is_lost_before_the_training_is_one_to_start_again(monkeypatch, tmp_path):
    def lose(_):
        raise training.WorkerLost("worker 1 has ended")

    monkeypatch.setattr(devices, "scope", lose)
    said = run("train", "--dataset=ring --run_dir={new}", new=tmp_path / "new")
    assert said.returncode == local_cluster.TRY_AGAIN
    assert said.stderr == "tfgans train: error: worker 1 has ended\n"


def test_an_early_end_says_how_to_continue(monkeypatch, tmp_path):
    def stop(_):
        raise training.Interrupted(signal.SIGINT, 3)

    monkeypatch.setattr(training.Run, "train", stop)
    flags = "--dataset=ring --network=mlp --width=4 --run_dir={new}"
    said = run("train", flags + " --noresume", new=tmp_path / "new")
    assert said.returncode == 130
    assert said.stderr.endswith(" --noresume --resume\n")
    assert "resume" not in run("train", flags, new=tmp_path / "new").stderr
    # The workers of a cluster leave the advice to the launcher.
    monkeypatch.setattr(devices, "scope", lambda _: contextlib.nullcontext())
    said = run("train", flags + " --strategy=multi_worker", new=tmp_path / "new")
    assert said.stderr == "tfgans train: SIGINT: stopped at step 3, everything is saved\n"
    for code in (130, local_cluster.TRY_AGAIN):
        monkeypatch.setattr(local_cluster, "launch", lambda *_, code=code, **__: code)
        said = run("launch", "--workers=2 --noresume " + flags, new=tmp_path / "new")
        assert said.returncode == code
        assert re.search(r"To continue: .* launch --workers=2 .*--resume\n", said.stderr)


def test_overview(capsys):
    assert main.main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {name} " in told for name in main.COMMANDS)
    assert main.main([]) == 2
    assert capsys.readouterr().out == told
    assert main.main(["help", "sample"]) == 0
    assert capsys.readouterr().out.startswith(main.load("sample").summary)
    assert main.main(["--version"]) == 0


def test_a_reader_that_stops_reading_ends_a_command_without_a_word():
    arguments = [sys.executable, "-m", "tfgans", "train", "--help"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE
