"""Bad input to evaluation, exports and servers: the error says what to do, and leaves no file."""

import numpy as np
import pytest
import tiny

import tfgans
from tfgans import data, evaluation
from tfgans.serving.client import Client
from tfgans.serving.server.models_config import ModelConfig
from tfgans.serving.server.served_model import ModelSet
from tfgans.serving.server.server import Limits, Server

SOURCE = data.from_array(tiny.digits(64))


def evaluate(samples=None, source=SOURCE, **options):
    samples = tiny.digits(50) if samples is None else samples
    return evaluation.evaluate(samples, source, **options)


def client(address="http://localhost:1", model="digits", **options):
    return Client(address, model=model, **options)


def server(**limits):
    # The check comes before the server uses the models.
    return Server(None, limits=Limits(**limits))


def model_set(path, name="digits"):
    return ModelSet([ModelConfig(name, path)])


# A call by the names of `tfgans` and of this module, and its ValueError. `made` holds the files
# of the fixture, `new` does not exist.
CALLS = {
    # Evaluation.
    "evaluate(source=tiny.digits(9))": "say `tfgans.data.load",
    "evaluate(np.zeros([9, 4], np.float32))": "shape",
    "evaluate(tiny.digits(50) * np.nan)": "finite",
    "evaluate(metrics=['fid'])": "must be one of 'frechet",
    "evaluate(num_samples=1)": "an integer of at least 2",
    "evaluate(num_real=99)": "`num_real` must be at most.*64",
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
    "client(model='..')": "`model` must be the name",
    "client(model='a\\nb')": "`model` must be the name",
    "client(version=-1)": "`version` must be an int",
    "client(label='..')": "`label` must be a version label",
    "client(timeout=0)": "`timeout` must be seconds above 0",
    "client(retries=-1)": "`retries` must be an int",
    "client().generate(0, 1)": "`n` must be an int",
    "client().generate(1, 0.5)": "`seed` must be ints",
    "model_set(made / 'empty')": "expected folders named 1, 2",
    "model_set(made, name='..')": "name of a model must be plain text",
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
