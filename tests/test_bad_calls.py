"""Bad input to the library: the error says what to do, and no file is left behind."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tiny

import tfgans
from tfgans import data, evaluation
from tfgans.serving.client import Client
from tfgans.serving.server.served_model import ModelFolder
from tfgans.serving.server.server import Limits, Server

SOURCE = data.from_array(tiny.digits(64))


def evaluate(samples=None, source=SOURCE, **options):
    samples = tiny.digits(50) if samples is None else samples
    return evaluation.evaluate(samples, source, **options)


def client(address="http://localhost:1", model="digits", **options):
    return Client(address, model=model, **options)


def server(made, name="digits", **limits):
    # The check comes before the server reads the folder.
    return Server(types.SimpleNamespace(path=made), name=name, limits=Limits(**limits))


def model_folder(path):
    return ModelFolder(path)


def dataset(array):
    return tf.data.Dataset.from_tensor_slices(array).batch(8)


# A call by the names of `tfgans` and of this module, and its ValueError. `made` holds the files
# of the fixture, `new` does not exist.
CALLS = {
    # Data.
    "data.load('digit')": "must be one of digits",
    "data.load(None)": "must be one of digits",
    "data.load('ring', split='test')": "Leave it out",
    "data.load('ring', seed='1')": "must be an integer",
    "data.from_array([[1, 2], [3, 4]])": r"array.astype\('uint8'",
    "data.from_array(np.zeros(9))": r"Reshape scalars to \[n, 1",
    "data.from_array(tiny.digits(0))": "none of them empty",
    "data.from_array(np.full([3, 2], np.nan))": "6 NaN or infinite values of 6. Remove or replace",
    "data.from_array(np.full([3, 2], 1e99))": "Remove or replace",
    "data.from_array(np.full([3, 8, 8, 1], 255.0))": "Pass uint8, or rescale: `x / 127.5 - 1`",
    "data.from_array(tiny.digits(9), labels=np.zeros(8, int))": r"integers of shape \(9,\)",
    "data.from_array(tiny.digits(2), labels=['a', 'b'])": r"integers of shape \(2,\)",
    "SOURCE.batches(0)": "`batch_size` must be an integer of at least 1",
    "SOURCE.batches(0.5)": "`batch_size` must be an integer",
    "SOURCE.batches(True)": "`batch_size` must be an integer",
    "SOURCE.batches(65)": "64.*smaller batch or more da",
    "SOURCE.batches(8, start_step=-1)": "`start_step` must be",
    "SOURCE.batches(8, labels=True)": "take a source with labels",
    # Networks, layers, games.
    "MixtureGenerator([])": "at least one component",
    "MixtureGenerator(tiny.generator())": "list",
    "MixtureGenerator([tiny.generator()] * 2)": "[Bb]uild|weights",
    "MixtureGenerator([tiny.generator(), tiny.generator(latent_dim=5)])": "same input shape",
    "layers.InstanceNoise(-1.0)": "finite number of at least 0",
    "penalties.R1Penalty(weight=-1)": "`weight` must be a",
    "penalties.PenaltySum(3)": "terms",
    "objectives.FDivergence('l2')": "one of 'kl'",
    "networks.mlp_generator('8')": "tuple of positive",
    "networks.mlp_generator((2,), width=0)": "`width` must be",
    "refinement.Langevin(space='x')": "`space` must be one",
    # Models.
    "WGAN(tiny.discriminator(), tiny.generator())": "generator output.*discriminator input",
    "tiny.gan(GAN, objective='hinge')": "must be a tfgans.objectives.Objective, say",
    "tiny.gan().fit(tiny.digits(32).astype(int))": "uint8",
    "tiny.gan().fit(dataset(tiny.digits(32) * np.nan))": "NaN",
    "tiny.gan().evaluate(SOURCE.batches(16))": "pass `steps`",
    "tiny.gan().sample(0.5)": "`n` must be an integer of at least",
    "tiny.gan().sample(2, labels=1)": "is not conditional",
    "tiny.gan().sample(2, component=1)": "must be from 0 to 0",
    # Metrics.
    "evaluate(source=tiny.digits(9))": "say `tfgans.data.load",
    "evaluate(np.zeros([9, 4], np.float32))": "shape",
    "evaluate(tiny.digits(50) * np.nan)": "finite",
    "evaluate(metrics=['fid'])": "must be one of 'frechet",
    "evaluate(num_samples=1)": "an integer of at least 2",
    "evaluate(num_real=99)": "`num_real` must be at most.*64",
    "metrics.FeatureStatistics.load(made / 'x.npz')": "no statistics `mu` and `sigma`",
    "metrics.FeatureStatistics().save(new / 'x.txt')": r"must end in \.npz",
    "evaluation.keras_model(3, 'x')": "keras.saving.load",
    "evaluation.keras_model(tiny.discriminator(), 'x')": "must have a layer of that name: input_",
    "evaluation.inception_2015(made / 'graph.pb')": "pass that if you trust the file",
    # Exports and servers.
    "tiny.gan().export(new / 'a*', verify=False)": r"must be without \*",
    "tiny.gan().export(made / 'file')": "is a folder, say",
    "tiny.gan().export(new, keep=0)": "`keep` must be an integer",
    "tiny.gan().export(new, card={'fid': float('nan')})": "`card` must hold JSON values",
    "export.SavedGenerator(made / 'empty')": "no saved_model.pb",
    "export.SavedGenerator(made / 'empty', value_range=(1, 0))": r"must be \(low, high\)",
    "client('localhost')": "http://HOST:PORT",
    "client(3)": "http://HOST:PORT",
    "client('grpc://x')": "grpc://HOST:PORT",
    "client(model='..')": "`model` must be the name",
    "client(model='a\\nb')": "`model` must be the name",
    "client(version=-1)": "`version` must be an int",
    "client(label='..')": "`label` must be a version label",
    "client(version=1, label='x')": "not both",
    "client(timeout=0)": "`timeout` must be seconds above 0",
    "client(retries=-1)": "`retries` must be an int",
    "client().generate(0, 1)": "`n` must be an int",
    "client().generate(1, 0.5)": "`seed` must be ints",
    "client().sample(['1'])": "`seeds` must be ints",
    "model_folder(made / 'empty')": "expected folders named 1, 2",
    "server(made, name='..')": "`name` must be plain text",
    "server(made, waiting_rows=1)": "able to wait",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    (root / "empty").mkdir()
    (root / "file").write_text("")
    (root / "graph.pb").write_bytes(b"graph")
    np.savez(root / "x.npz", a=np.array([{}]), allow_pickle=True)
    return root


def everything(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("call", CALLS)
def test_error_says_what_to_do_and_nothing_is_left(call, made, tmp_path):
    public = {name: getattr(tfgans, name) for name in tfgans.__all__}
    before = everything(made)
    with pytest.raises(ValueError, match=CALLS[call]):
        eval(call, {**public, **globals(), "made": made, "new": tmp_path / "new"})
    assert everything(made) == before
    assert not list(tmp_path.iterdir())
