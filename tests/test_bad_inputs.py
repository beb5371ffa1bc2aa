"""Bad input, one table: the error names what to do, and no file is left behind."""

import re
import types

import bad_inputs
import numpy as np
import pytest
import tensorflow as tf
import tiny
from commands import run

import tfgans
from tfgans.serving.client.client import Client
from tfgans.serving.server.served_model import ModelFolder
from tfgans.serving.server.server import Limits, Server

SMALL = "--dataset=digits --network=mlp --width=8 --depth=1 --latent_dim=4"
RING = "--dataset=ring --width=8 --depth=1"
NEW = " --run_dir={new}"
OF_RUN = " --run_dir={made}/run --out={new}"
OF_ARRAY = " --samples={made}/a.npy --out={new}"
NOISE = "train.py" + NEW + " --instance_noise=0.1"

# Name, the command, what its one line on stderr must say.
SCRIPTS = [
    # Flags, of any script.
    ("unknown flag", "train.py --step=3" + NEW, "flag 'step'. Did you mean: steps.*--helpshort"),
    ("stray word", "train.py digits" + NEW, "flags only, as --name=value. Received: digits"),
    ("flag without value", "train.py --run_dir", "Missing value for flag --run_dir.*--helpshort"),
    ("flag file that is not there", "train.py --flagfile={made}/none" + NEW, "none.*--helpshort"),
    ("words for a number", "train.py --steps=many" + NEW, "invalid literal.*'many'"),
    ("number and unit", "sample.py --num=1e3" + OF_RUN + ".npy", "--num.*invalid literal.*'1e3'"),
    ("no bool", "train.py --conditional=perhaps" + NEW, "Non-boolean argument"),
    ("unknown choice", "train.py --network=vgg" + NEW, "one of <dcgan|mlp|resnet>"),
    ("unknown policy", "train.py --dtype_policy=float8" + NEW, "one of <float32|mixed_bf"),
    ("no steps", "train.py --steps=0" + NEW, "--steps=0: 0 is not a positive integer"),
    ("no batch", "train.py --batch_size=0" + NEW, "--batch_size=0: 0 is not a positive integer"),
    ("negative width", "train.py --width=-1" + NEW, "--width=-1: -1 is not a positive integer"),
    ("negative seed", "train.py --seed=-1" + NEW, "--seed=-1: -1 is not a non-negative integer"),
    ("seed of 80 bits", f"train.py --seed={2**80}" + NEW, "`seed` must fit in 64 bits"),
    ("ema of 2", "train.py --ema=2" + NEW, r"--ema=2: 2.0 is not a number in the range \[0, 1\]"),
    ("ema of 1", f"train.py {RING} --ema=1" + NEW, r"`ema` must be None or a float in \[0, 1\)"),
    (
        "rate of nan",
        "train.py --learning_rate=nan" + NEW,
        "`learning_rate` must be a finite number",
    ),
    ("no run directory", f"train.py {SMALL}", "--run_dir must have a value"),
    # What does not go together.
    (
        "flag of another model",
        "train.py --model=minimax --penalty_weight=1" + NEW,
        "--penalty_weight does not apply to this --model=minimax: it is of --model=wgan_gp",
    ),
    ("refining in training", "train.py --model=wgan --refine=latent" + NEW, "it is of dcd"),
    ("dcd of nothing", "train.py --model=dcd" + NEW, "needs --pretrained"),
    (
        "dcd with networks",
        "train.py --model=dcd --pretrained={made}/run --width=8" + NEW,
        "--width does not apply to --model=dcd",
    ),
    (
        "dcd with a policy",
        "train.py --model=dcd --pretrained={made}/run --dtype_policy=mixed_float16" + NEW,
        "--dtype_policy does not apply to --model=dcd",
    ),
    (
        "dcd of other data",
        "train.py --model=dcd --pretrained={made}/run --dataset=ring --batch_size=8" + NEW,
        "discriminator's input shape",
    ),
    (
        "pretrained nowhere",
        "train.py --model=dcd --pretrained={made}/empty" + NEW,
        "empty holds no finished run.*Give the train command again",
    ),
    (
        "no clipping",
        f"train.py {RING} --model=wgan --weight_clip=0" + NEW,
        "`weight_clip` must be above 0",
    ),
    (
        "endless penalty",
        f"train.py {RING} --penalty_weight=inf" + NEW,
        "`weight` must be a finite number",
    ),
    (
        "part of no batch",
        "train.py --objective=hinge --penalty=r1 --penalty_fraction=0" + NEW,
        "`fraction` must be above 0",
    ),
    ("noise without a level", "train.py --noise_schedule=constant" + NEW, "give --instance_noise"),
    ("noise without an end", NOISE, "--noise_decay_steps is needed"),
    (
        "noise that hopes for chance",
        NOISE + " --noise_schedule=adaptive --noise_target_accuracy=0.4",
        "`target_accuracy` must lie above 0.5",
    ),
    (
        "batch norm and penalty",
        f"train.py {RING} --discriminator_normalization=batch" + NEW,
        "Use Layer",
    ),
    ("metrics of no evaluation", "train.py --metrics=near_copies" + NEW, "give --evaluate_every"),
    (
        "uneven evaluations",
        f"train.py {SMALL} --evaluate_every=150 --epoch_steps=100 --dry_run" + NEW,
        "--evaluate_every of --epoch_steps",
    ),
    (
        "steps that would overrun",
        "train.py --steps=7 --steps_per_execution=2 --dry_run" + NEW,
        "multiples of --steps_per_execution",
    ),
    ("routing of no mixture", "train.py --routing=exact" + NEW, "are of mixtures: give --num_gen"),
    (
        "more components than examples",
        f"train.py {RING} --num_generators=3 --batch_size=2" + NEW,
        "3 components.*Received: a batch of 2",
    ),
    # Data.
    ("unknown dataset", "train.py --dataset=digit" + NEW, "one of digits, stacked_digits"),
    ("no folder's name", "train.py --dataset=folder:" + NEW, "one of digits.*folder:PATH"),
    ("missing folder", "train.py --dataset=folder:{made}/none" + NEW, "must be a folder.*nothing"),
    (
        "file for a folder",
        "train.py --dataset=folder:{made}/file" + NEW,
        "must be a folder.*a file",
    ),
    ("empty folder", "train.py --dataset=folder:{made}/empty" + NEW, "must contain files that end"),
    ("corrupt image", "train.py --dataset=folder:{made}/corrupt" + NEW, r"bad\.png.*--skip_bad"),
    ("image cut short", "train.py --dataset=folder:{made}/cut" + NEW, "None is left: check the"),
    ("image of 10 gigapixels", "train.py --dataset=folder:{made}/bomb" + NEW, "pixels.*check the"),
    ("mixed sizes", "train.py --dataset=folder:{made}/mixed" + NEW, "Pass `image_size`"),
    (
        "split above the folder",
        "train.py --dataset=folder:{made}/splits --split=../good" + NEW,
        r"one of the folders \['test', 'train'\]",
    ),
    (
        "unknown split",
        "train.py --split=validation" + NEW,
        "`split` must be one of 'train', 'test'",
    ),
    ("absent dataset", "train.py --dataset=mnist --data_dir={made}/empty" + NEW, "--download"),
    ("file for the data folder", "train.py --data_dir={made}/file" + NEW, "file"),
    ("image size of vectors", "train.py --dataset=ring --image_size=8" + NEW, "Leave it out"),
    ("image size of words", "train.py --image_size=big" + NEW, "'big'"),
    ("image size of three", "train.py --image_size=8,8,8" + NEW, "takes one side or two"),
    (
        "image size of nothing",
        "train.py --image_size=0" + NEW,
        "`image_size` must be an integer of at least 1",
    ),
    (
        "classes of none",
        "train.py --dataset=swiss_roll --conditional" + NEW,
        "--conditional needs classes, and 'swiss_roll'",
    ),
    (
        "folder without classes",
        "train.py --dataset=folder:{made}/good --conditional" + NEW,
        "--conditional needs classes",
    ),
    (
        "batch too large",
        f"train.py {SMALL} --batch_size=5000" + NEW,
        "at most.*1437.*smaller batch",
    ),
    # Run directories.
    ("another run", f"train.py {RING} --run_dir={{made}}/run", "or choose another run dir"),
    (
        "plan of another run",
        f"train.py {RING} --run_dir={{made}}/run --dry_run",
        "holds another run",
    ),
    (
        "no resuming",
        f"train.py {RING} --run_dir={{made}}/run --noresume",
        "Choose another run directory",
    ),
    (
        "folder of something else",
        f"train.py {RING} --run_dir={{made}}/other",
        "Choose a new or an empty",
    ),
    (
        "file for a run",
        f"train.py {RING} --run_dir={{made}}/file",
        "Choose a new or an empty folder",
    ),
    ("below a file", f"train.py {RING} --run_dir={{made}}/file/run", "Choose another place"),
    ("where nothing can be", f"train.py {RING} --run_dir=/proc/self/x", "Choose another place"),
    ("link to itself", f"train.py {RING} --run_dir={{made}}/loop", "loop"),
    (
        "name of 300 letters",
        f"train.py {RING} --run_dir={{made}}/{'x' * 300}",
        "File name too long",
    ),
    *(
        (
            f"run.json: {name}",
            f"train.py {RING} --run_dir={{made}}/json-{name}",
            "is damaged. Choose ano",
        )
        for name in ("garbage", "list", "deep", "parts", "bytes")
    ),
    # Models of runs.
    ("sample of no run", "sample.py --run_dir={made}/none --out={new}.npy", "no such folder"),
    *(
        (f"model: {name}", f"sample.py --run_dir={{made}}/model-{name} --out={{new}}.npy", told)
        for name, told in {
            "cut": "cannot be loaded",
            "text": "cannot be loaded",
            "empty": "cannot be loaded",
            "foreign": "cannot be loaded",
            "folder": "must be a file that ends in .keras",
            "lambda": "cannot be loaded.*Lambda",
            "plain": "must be a tfgans.GAN. Received: Sequential",
        }.items()
    ),
    ("no samples", "sample.py --num=0" + OF_RUN + ".npy", "--num=0: 0 is not a positive integer"),
    ("samples to nowhere", "sample.py" + OF_RUN + ".gif", "must end in .png or .npy"),
    ("samples to a folder", "sample.py --run_dir={made}/run --out={made}/folder.npy", "folder.npy"),
    ("picture to a folder", "sample.py --run_dir={made}/run --out={made}/folder.png", "folder.png"),
    ("samples below a file", "sample.py --run_dir={made}/run --out={made}/file/s.npy", "file"),
    ("label of no class", "sample.py --label=1" + OF_RUN + ".png", "is not conditional"),
    ("component out of range", "sample.py --component=1" + OF_RUN + ".png", "from 0 to 0"),
    ("seed of 80 bits in sampling", f"sample.py --seed={2**80}" + OF_RUN + ".npy", "64 bits"),
    (
        "two origins",
        "sample.py --server=http://x --name=x" + OF_RUN + ".npy",
        "Exactly one of|mutual",
    ),
    ("server without a name", "sample.py --server=http://x --out={new}.npy", "belong together"),
    ("version of a run", "sample.py --version=1" + OF_RUN + ".npy", "--version is of --server"),
    ("refinement of no kind", "sample.py --refine_steps=3" + OF_RUN + ".npy", "give --refine"),
    (
        "step of nan",
        "sample.py --refine=data --refine_step_size=nan" + OF_RUN + ".npy",
        "step_size",
    ),
    *(
        (f"server: {name}", f"sample.py --server={address} --out={{new}}.npy", told)
        for name, (address, told) in {
            "no scheme": ("localhost:8501 --name=x", "must be http://HOST:PORT"),
            "unknown scheme": ("ftp://localhost --name=x", "must be http://HOST:PORT"),
            "name of two dots": ("http://localhost --name=..", "`model` must be the name"),
            "name of a path": ("http://localhost --name=a/b", "`model` must be the name"),
            "no one there": ("http://127.0.0.1:1 --name=x", "cannot be reached"),
            "no time": ("http://127.0.0.1:1 --name=x --timeout=0", "--timeout=0"),
            "refined": ("http://127.0.0.1:1 --name=x --refine=data", "--refine is of --run_dir"),
        }.items()
    ),
    # Exports.
    ("export of no run", "export.py --run_dir={made}/other --out={new}", "Give the train command"),
    (
        "export to a file",
        "export.py --run_dir={made}/run --out={made}/file",
        "is a folder, say",
    ),
    ("export below a file", "export.py --run_dir={made}/run --out={made}/file/x", "file"),
    ("export to a pattern", "export.py" + OF_RUN + "[1]", r"must be without \*"),
    ("nothing to keep", "export.py --keep=0" + OF_RUN, "--keep=0: 0 is not a positive integer"),
    ("best of none", "export.py --best" + OF_RUN, "--evaluate_every"),
    *(
        (f"evaluation: {name}", f"export.py --evaluation={{made}}/{name}.json" + OF_RUN, told)
        for name, told in {
            "none": "must be a record of bin/evaluate.py",
            "garbage": "is no record of",
            "list": "must have the format 1",
            "deep": "is no record of",
            "parts": "must have the parts extractor, fake, metrics, real, versions",
            "of-others": "is of another model",
        }.items()
    ),
    # Evaluations.
    ("nothing to measure", "evaluate.py", "run_dir.*saved_model.*samples"),
    ("two things", "evaluate.py --run_dir={made}/run" + OF_ARRAY, "run_dir.*saved_model.*samples"),
    ("nowhere to write", "evaluate.py --samples={made}/a.npy", "--out is needed"),
    ("evaluation of no run", "evaluate.py --run_dir={made}/empty", "no finished run"),
    (
        "run of unknown data",
        "evaluate.py --run_dir={made}/python --out={new}",
        "not known by name. Say what to measure against: --dataset",
    ),
    *(
        (f"samples: {name}", f"evaluate.py --samples={{made}}/{name} --out={{new}}", told)
        for name, told in {
            "empty": "must contain files that end in",
            "none.npy": r"`samples`|at least|shape|empty",
            "nothere.npy": "No such file",
            "two.npz": "2 arrays instead of one",
            "objects.npy": "is no array of numbers",
            "objects.npz": "is no array of numbers",
            "text.npz": "is no array of numbers",
            "cut.npy": "is no array of numbers",
            "huge.npy": "is no array of numbers|memory",
            "nan.npy": "finite",
            "scalar.npy": "shape",
            "int64.npy": r"\[-1, 1\]",
            "pixels.npy": r"\[-1, 1\]",
        }.items()
    ),
    ("no model", "evaluate.py --saved_model={made}/empty --out={new}", "no SavedModel"),
    ("garbage", "evaluate.py --saved_model={made}/not-a-model --out={new}", "cannot be loaded"),
    (
        "folder of versions",
        "evaluate.py --saved_model={made}/export --out={new}",
        "Pass one of its versions: 1",
    ),
    (
        "classes of ours",
        "evaluate.py --saved_model={made}/export/1 --num_classes=10 --out={new}",
        "`num_classes` must be None for an export",
    ),
    ("range of an array", "evaluate.py --value_range=0,1" + OF_ARRAY, "are of --saved_model"),
    ("best of an array", "evaluate.py --best" + OF_ARRAY, "--best is of a run"),
    *(
        (
            f"range {given}",
            f"evaluate.py --saved_model={{made}}/export/1 --value_range={given} --out={{new}}",
            told,
        )
        for given, told in {"1,0": r"must be \(low, high\)", "0": "low, high", "a,b": "'a'"}.items()
    ),
    ("unknown metric", "evaluate.py --metrics=fid" + OF_ARRAY, "one of .*'frechet_distance'"),
    ("too few", "evaluate.py --num_samples=4 --metrics=precision_recall" + OF_ARRAY, "at least"),
    ("one sample", "evaluate.py --num_samples=1" + OF_ARRAY, "--num_samples=1.*2"),
    (
        "more than there are",
        "evaluate.py --num_real=99999" + OF_ARRAY,
        "`num_real` must be at most.*1437",
    ),
    (
        "no extractor for large images",
        "evaluate.py --image_size=16" + OF_ARRAY,
        "--extractor=incept",
    ),
    ("unknown extractor", "evaluate.py --extractor=vgg" + OF_ARRAY, "keras:FILE:LAYER"),
    ("checksum of no file", "evaluate.py --extractor_sha256=0" + OF_ARRAY, "is of --extractor=inc"),
    (
        "absent Inception",
        "evaluate.py --extractor=inception:{made}/no.pb --extractor_sha256=0" + OF_ARRAY,
        "inception-2015-12-05",
    ),
    (
        "wrong checksum",
        "evaluate.py --extractor=inception:{made}/graph.pb --extractor_sha256=0" + OF_ARRAY,
        "must have the SHA-256 0.*Download it again",
    ),
    ("no Keras model", "evaluate.py --extractor=keras:{made}/file:x" + OF_ARRAY, "ends in .keras"),
    ("old Keras model", "evaluate.py --extractor=keras:{made}/model.h5:x" + OF_ARRAY, "in .keras"),
    ("model of the web", "evaluate.py --extractor=keras:hf://a/b:x" + OF_ARRAY, "ends in .keras"),
    (
        "no such layer",
        "evaluate.py --extractor=keras:{made}/model-plain/final.keras:x" + OF_ARRAY,
        "a layer of that name: .*features",
    ),
    ("shape of others", "evaluate.py --dataset=ring" + OF_ARRAY, "shape"),
    (
        "results below a file",
        "evaluate.py --samples={made}/a.npy --out={made}/file/x",
        "file is a file",
    ),
    ("equilibrium of no run", "equilibrium.py --run_dir={made}/none", "no such folder"),
    ("equilibrium of one", "equilibrium.py --run_dir={made}/run --num=1", "--num=1.*2"),
    ("equilibrium of others", "equilibrium.py --run_dir={made}/run --dataset=ring", "shape"),
    # Servers.
    *(
        (f"serving {name}", f"serve.py --model_dir={{made}}/{name}", told)
        for name, told in {
            "none": "must be the folder of a model's versions",
            "file": "must be the folder of a model's versions",
            "empty": "expected folders named 1, 2",
            "export/1": "give the folder above it",
            "broken-versions": "cannot be served",
        }.items()
    ),
    *(
        (f"server with {flags}", f"serve.py --model_dir={{made}}/export {flags}", told)
        for flags, told in {
            "--port=70000": "--port=70000.*65535",
            "--port={port}": "Choose another port or host",
            "--host=256.1.1.1": "Choose another port or host",
            "--name=a/b": "`name` must be plain text",
            "--name=..": "`name` must be plain text",
            "--max_rows=0": "--max_rows=0: 0 is not a positive integer",
            "--max_waiting_rows=9": "must be able to wait",
            "--poll_seconds=0": "--poll_seconds=0",
            "--poll_seconds=nan": "`poll_seconds` must be",
            "--max_body_mb=nan": "--max_body_mb must be a number",
        }.items()
    ),
]


# What starts a model and is told by the same code as a row beside it.
SLOW = {
    *("server with --host=256.1.1.1", "server with --name=..", "server with --poll_seconds=nan"),
    *("server with --max_waiting_rows=9", "range 0", "range a,b", "equilibrium of others"),
    *("samples: none.npy", "samples: int64.npy", "samples: scalar.npy", "samples: objects.npy"),
    *("picture to a folder", "evaluation: list", "evaluation: garbage", "plan of another run"),
}


def parameters(row):
    name, *values = row
    return pytest.param(*values, id=name, marks=[pytest.mark.slow] if name in SLOW else [])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    bad_inputs.files_for_it(root)
    return root


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(("command", "message"), [*map(parameters, SCRIPTS)])
def test_script_ends_with_one_line_and_leaves_nothing(command, message, made, tmp_path):
    script, _, flags = command.partition(" ")
    before = everything(made)
    with bad_inputs.taken_port() as port:
        done = run(script, flags, made=made, new=tmp_path / "new", port=port)
    assert done.returncode in (1, 2), done.stdout
    *others, last = done.stderr.rstrip("\n").split("\n")
    assert re.match(rf"{script}: error: .*({message})", last), last
    # A progress bar may have been shown before, and a warning.
    shown = [line for line in others if line and not re.search(r"\d%\|", line)]
    assert all(line.startswith(f"{script}: warning: ") for line in shown), done.stderr
    assert everything(made) == before
    assert not list(tmp_path.iterdir())


SOURCE = tfgans.data.from_array(tiny.digits(64))
RUN = {"steps": 4, "batch_size": 16, "epoch_steps": 2}


def train(new, gan=None, **changed):
    gan = tiny.gan() if gan is None else gan
    tfgans.training.train(gan, changed.pop("source", SOURCE), run_dir=new, **{**RUN, **changed})


def train_beside_another(made):
    run = tfgans.training.RunDirectory(made / "run")
    with bad_inputs.trained_by_another(made), run.open(run.settings(), resume=True):
        pass


def evaluate(samples=None, source=SOURCE, **options):
    samples = tiny.digits(50) if samples is None else samples
    return tfgans.evaluation.evaluate(samples, source, **options)


def client(**changed):
    options = {"address": "http://localhost:1", "model": "digits", **changed}
    return Client(options.pop("address"), **options)


def server(made, **options):
    # Refused before the folder is looked at.
    return Server(types.SimpleNamespace(path=made), **{"name": "digits", **options})


def dataset(array):
    return tf.data.Dataset.from_tensor_slices(array).batch(8)


# Name, the call of (made, new), what its ValueError must say.
CALLS = [
    # Data.
    ("source that is none", lambda made, new: tfgans.data.load("digit"), "must be one of digits"),
    ("source without a name", lambda made, new: tfgans.data.load(None), "must be one of digits"),
    ("split of a ring", lambda made, new: tfgans.data.load("ring", split="test"), "Leave it out"),
    ("seed of text", lambda made, new: tfgans.data.load("ring", seed="1"), "must be an integer"),
    ("lists", lambda made, new: tfgans.data.from_array([[1, 2], [3, 4]]), r"array.astype\('uint8'"),
    (
        "scalars",
        lambda made, new: tfgans.data.from_array(np.zeros(9)),
        r"Reshape scalars to \[n, 1",
    ),
    ("no examples", lambda made, new: tfgans.data.from_array(tiny.digits(0)), "none of them empty"),
    (
        "array with a nan",
        lambda made, new: tfgans.data.from_array(np.full([3, 2], np.nan)),
        "6 NaN or infinite values of 6. Remove or replace them",
    ),
    (
        "too large for float32",
        lambda made, new: tfgans.data.from_array(np.full([3, 2], 1e99)),
        "Remo",
    ),
    (
        "floats of pixels",
        lambda made, new: tfgans.data.from_array(np.full([3, 8, 8, 1], 255.0)),
        "Pass uint8, or rescale: `x / 127.5 - 1`",
    ),
    (
        "too few labels",
        lambda made, new: tfgans.data.from_array(tiny.digits(9), labels=np.zeros(8, int)),
        r"integers of shape \(9,\), one for each example",
    ),
    (
        "labels of text",
        lambda made, new: tfgans.data.from_array(tiny.digits(2), labels=["a", "b"]),
        r"integers of shape \(2,\)",
    ),
    ("batch of 0", lambda made, new: SOURCE.batches(0), "`batch_size` must be an integer of at le"),
    ("batch of a half", lambda made, new: SOURCE.batches(0.5), "`batch_size` must be an integer"),
    ("batch of true", lambda made, new: SOURCE.batches(True), "`batch_size` must be an integer"),
    ("batch larger than all", lambda made, new: SOURCE.batches(65), "64.*smaller batch or more da"),
    (
        "start before all",
        lambda made, new: SOURCE.batches(8, start_step=-1),
        "`start_step` must be",
    ),
    (
        "labels of none",
        lambda made, new: SOURCE.batches(8, labels=True),
        "take a source with labels",
    ),
    # Networks, layers, games.
    ("component of none", lambda made, new: tfgans.MixtureGenerator([]), "at least one component"),
    ("one component", lambda made, new: tfgans.MixtureGenerator(tiny.generator()), "a list of one"),
    (
        "the same twice",
        lambda made, new: tfgans.MixtureGenerator([tiny.generator()] * 2),
        "Build each anew|of its own|weights of its own",
    ),
    (
        "components that differ",
        lambda made, new: tfgans.MixtureGenerator([tiny.generator(), tiny.generator(latent_dim=5)]),
        "same input shape",
    ),
    (
        "noise below 0",
        lambda made, new: tfgans.layers.InstanceNoise(-1.0),
        "finite number of at lea",
    ),
    (
        "weight below 0",
        lambda made, new: tfgans.penalties.R1Penalty(weight=-1),
        "`weight` must be a",
    ),
    (
        "penalty of one",
        lambda made, new: tfgans.penalties.PenaltySum(3),
        "PenaltySum|`terms`|terms",
    ),
    ("unknown divergence", lambda made, new: tfgans.objectives.FDivergence("l2"), "one of 'kl'"),
    ("shape of text", lambda made, new: tfgans.networks.mlp_generator("8"), "tuple of positive"),
    ("no width", lambda made, new: tfgans.networks.mlp_generator((2,), width=0), "`width` must be"),
    (
        "space of none",
        lambda made, new: tfgans.refinement.Langevin(space="x"),
        "`space` must be one",
    ),
    # Models. Many more are in models/test_bad_input.py.
    (
        "networks in the wrong order",
        lambda made, new: tfgans.WGAN(tiny.discriminator(), tiny.generator()),
        "generator output.*discriminator input",
    ),
    (
        "no game",
        lambda made, new: tfgans.GAN(tiny.generator(), tiny.discriminator(), objective="hinge"),
        "must be a tfgans.objectives.Objective, say",
    ),
    ("pixels", lambda made, new: tiny.gan().fit(tiny.digits(32).astype(int)), "uint8"),
    ("data with a nan", lambda made, new: tiny.gan().fit(dataset(tiny.digits(32) * np.nan)), "NaN"),
    (
        "an evaluation without an end",
        lambda made, new: tiny.gan().evaluate(SOURCE.batches(16)),
        "pass `steps`",
    ),
    (
        "half a sample",
        lambda made, new: tiny.gan().sample(0.5),
        "`n` must be an integer of at least",
    ),
    ("classes of none", lambda made, new: tiny.gan().sample(2, labels=1), "is not conditional"),
    (
        "component of one",
        lambda made, new: tiny.gan().sample(2, component=1),
        "must be from 0 to 0",
    ),
    # Runs.
    ("no steps", lambda made, new: train(new, steps=0), "`steps` must be an integer of at least 1"),
    ("steps of text", lambda made, new: train(new, steps="4"), "`steps` must be an integer"),
    ("batch larger than data", lambda made, new: train(new, batch_size=65), "Use a smaller batch"),
    (
        "model not compiled",
        lambda made, new: train(new, tiny.gan(compiled=False)),
        "Compile the mod",
    ),
    (
        "backups never",
        lambda made, new: train(new, backup_every=0),
        "must be an integer of at least",
    ),
    (
        "evaluations within epochs",
        lambda made, new: train(
            new,
            evaluator=tfgans.evaluation.Evaluator(SOURCE, metrics=["near_copies"]),
            evaluate_every=3,
        ),
        "must be a multiple of `epoch_steps` = 2",
    ),
    (
        "note above the run",
        lambda made, new: train(new, notes={"../x": ""}),
        "`notes` must be the na",
    ),
    ("note in a folder", lambda made, new: train(new, notes={"backups/x": ""}), "without folders"),
    ("hidden note", lambda made, new: train(new, notes={".lock": ""}), "no hidden one"),
    ("note on the model", lambda made, new: train(new, notes={"final.keras": ""}), "`notes` must"),
    ("run of two", lambda made, new: train_beside_another(made), "Another process is training in"),
    ("longer run", lambda made, new: train(made / "run", steps=2), "holds another run"),
    (
        "run that is none",
        lambda made, new: tfgans.training.load_final(made / "other"),
        "no finished run",
    ),
    (
        "best of no evaluations",
        lambda made, new: tfgans.training.load_final(made / "run", best=True),
        "eva",
    ),
    (
        "model of another kind",
        lambda made, new: tfgans.training.load_model(made / "model.h5"),
        r"in \.ker",
    ),
    # Metrics.
    (
        "array for a source",
        lambda made, new: evaluate(source=tiny.digits(9)),
        "say `tfgans.data.load",
    ),
    ("samples of a shape", lambda made, new: evaluate(np.zeros([9, 4], np.float32)), "shape"),
    ("samples with a nan", lambda made, new: evaluate(tiny.digits(50) * np.nan), "finite"),
    ("metric that is none", lambda made, new: evaluate(metrics=["fid"]), "must be one of 'frechet"),
    ("one sample", lambda made, new: evaluate(num_samples=1), "an integer of at least 2"),
    (
        "more than there are",
        lambda made, new: evaluate(num_real=99),
        "`num_real` must be at most.*64",
    ),
    (
        "record below a file",
        lambda made, new: tfgans.evaluation.Record.load(made / "garbage.json"),
        "is no record of `tfgans.evaluation.evaluate`",
    ),
    (
        "record of other things",
        lambda made, new: tfgans.evaluation.Record.from_dict({}),
        "have the format 1",
    ),
    (
        "statistics of objects",
        lambda made, new: tfgans.metrics.FeatureStatistics.load(made / "objects.npz"),
        "no statistics `mu` and `sigma`",
    ),
    (
        "statistics as text",
        lambda made, new: tfgans.metrics.FeatureStatistics().save(new / "x.txt"),
        r"must end in \.npz",
    ),
    (
        "layer of no model",
        lambda made, new: tfgans.evaluation.keras_model(3, "x"),
        "keras.saving.load",
    ),
    (
        "layer that is not there",
        lambda made, new: tfgans.evaluation.keras_model(tiny.discriminator(), "x"),
        "must have a layer of that name: ",
    ),
    (
        "graph without a checksum",
        lambda made, new: tfgans.evaluation.inception_2015(made / "graph.pb"),
        "pass that if you trust the file",
    ),
    # Exports and servers.
    (
        "export to a pattern",
        lambda made, new: tiny.gan().export(new / "a*", verify=False),
        r"must be without \*",
    ),
    (
        "export to a file",
        lambda made, new: tiny.gan().export(made / "file"),
        "is a folder, say",
    ),
    ("keeping none", lambda made, new: tiny.gan().export(new, keep=0), "`keep` must be an integer"),
    (
        "card with a nan",
        lambda made, new: tiny.gan().export(new, card={"fid": float("nan")}),
        "`card` must hold JSON values",
    ),
    (
        "no model",
        lambda made, new: tfgans.export.SavedGenerator(made / "empty"),
        "no saved_model.pb",
    ),
    (
        "range upside down",
        lambda made, new: tfgans.export.SavedGenerator(made / "export" / "1", value_range=(1, 0)),
        r"must be \(low, high\)",
    ),
    ("address of none", lambda made, new: client(address="localhost"), "http://HOST:PORT"),
    ("address of a number", lambda made, new: client(address=3), "http://HOST:PORT"),
    ("grpc without a port", lambda made, new: client(address="grpc://x"), "grpc://HOST:PORT"),
    ("model above", lambda made, new: client(model=".."), "`model` must be the name"),
    ("model of lines", lambda made, new: client(model="a\nb"), "`model` must be the name"),
    (
        "version below 0",
        lambda made, new: client(version=-1),
        "`version` must be an integer of at least",
    ),
    ("label above", lambda made, new: client(label=".."), "`label` must be a version label"),
    ("version and label", lambda made, new: client(version=1, label="x"), "not both"),
    ("no time", lambda made, new: client(timeout=0), "`timeout` must be seconds above 0"),
    (
        "retries below 0",
        lambda made, new: client(retries=-1),
        "`retries` must be an integer of at least",
    ),
    ("no rows", lambda made, new: client().generate(0, 1), "`n` must be an integer of at least 1"),
    ("seed of a half", lambda made, new: client().generate(1, 0.5), "`seed` must be ints"),
    ("seeds of text", lambda made, new: client().sample(["1"]), "`seeds` must be ints"),
    ("no versions", lambda made, new: ModelFolder(made / "empty"), "expected folders named 1, 2"),
    ("served name above", lambda made, new: server(made, name=".."), "`name` must be plain text"),
    ("few may wait", lambda made, new: server(made, limits=Limits(waiting_rows=1)), "able to wait"),
]


@pytest.mark.parametrize(("call", "message"), [*map(parameters, CALLS)])
def test_call_says_what_to_do_and_leaves_nothing(call, message, made, tmp_path):
    before = everything(made)
    with pytest.raises(ValueError, match=message):
        call(made, tmp_path / "new")
    assert everything(made) == before
    assert not list(tmp_path.iterdir())


def test_table_is_long_enough():
    assert len(SCRIPTS) >= 60
    assert len(CALLS) >= 60
    assert len({row[0] for row in SCRIPTS}) == len(SCRIPTS)
    assert {row[0] for row in SCRIPTS} >= SLOW
