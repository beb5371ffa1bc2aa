"""Bad input, one table: the error names what to do, and no file is left behind."""

import types

import bad_inputs
import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans.serving.client.client import Client
from tfgans.serving.server.served_model import ModelFolder
from tfgans.serving.server.server import Limits, Server


def parameters(row):
    name, *values = row
    return pytest.param(*values, id=name)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    bad_inputs.files_for_it(root)
    return root


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


SOURCE = tfgans.data.from_array(tiny.digits(64))


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
        r"integers of shape \(9,\), one an example",
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
        lambda made, new: tfgans.evaluation.read(made / "garbage.json"),
        "is no record of `tfgans.evaluation.evaluate`",
    ),
    *(
        (f"record: {name}", lambda made, new, name=name: tfgans.evaluation.read(made / name), told)
        for name, told in {
            "list.json": "must have the format 1",
            "deep.json": "is no record of",
            "parts.json": "must have the parts extractor, fake, metrics, real, versions",
        }.items()
    ),
    (
        "record of other things",
        lambda made, new: tfgans.evaluation.compare({}, {}),
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
        "must have a layer of that name, one of",
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
        "`version` must be an int of at least",
    ),
    ("label above", lambda made, new: client(label=".."), "`label` must be a version label"),
    ("version and label", lambda made, new: client(version=1, label="x"), "not both"),
    ("no time", lambda made, new: client(timeout=0), "`timeout` must be seconds above 0"),
    (
        "retries below 0",
        lambda made, new: client(retries=-1),
        "`retries` must be an int of at least",
    ),
    ("no rows", lambda made, new: client().generate(0, 1), "`n` must be an int of at least 1"),
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
