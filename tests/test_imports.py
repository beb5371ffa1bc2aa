"""What an import of tfgans brings with it, in new processes: TensorFlow, classes, errors."""

import os
import subprocess
import sys

import pytest

BACKENDS = """
import json, os, pathlib, sys

home = pathlib.Path(sys.argv[1])

def error(statement):
    try:
        exec(statement, {})
    except ImportError as error:
        return str(error)

def expected(name, place):
    return (
        f"tfgans needs the TensorFlow backend of Keras. Received: {name!r} from {place}. Set "
        "KERAS_BACKEND=tensorflow before importing keras"
    )

def configure(text):
    home.mkdir(exist_ok=True)
    (home / "keras.json").write_text(text)

statements = ["from tfgans import GAN", "import tfgans; tfgans.GAN", "import tfgans.data",
              "import tfgans.shapes", "from tfgans.serving.server import server"]
for name in ("jax", "torch", "numpy"):
    os.environ["KERAS_BACKEND"] = name
    assert {error(statement) for statement in statements} == {expected(name, "KERAS_BACKEND")}
del os.environ["KERAS_BACKEND"]
configure(json.dumps({"backend": "jax"}))
file = str(home / "keras.json")
assert {error(statement) for statement in statements} == {expected("jax", file)}

# The client works with any backend, and imports none.
assert error("from tfgans.serving.client import Client; Client('http://x', model='m')") is None
assert error("from tfgans.serving import Client") is None
assert not {"keras", "tensorflow"} & set(sys.modules)

# The variable precedes the file. An empty variable and a broken file count as missing.
from tfgans import backend
os.environ["KERAS_BACKEND"] = "tensorflow"
backend.check()
os.environ["KERAS_BACKEND"] = ""
assert backend.chosen() == ("jax", file)
configure("{")
assert backend.chosen()[0] == "tensorflow"
del os.environ["KERAS_BACKEND"]

# The backend of the imported Keras, here of a package that stands for it, precedes both.
(home / "keras").mkdir()
(home / "keras" / "__init__.py").write_text("class config: backend = lambda: 'jax'")
sys.path.insert(0, str(home))
import keras
os.environ["KERAS_BACKEND"] = "tensorflow"
assert {error(statement) for statement in statements} == {expected("jax", "the imported keras")}
assert error("from tfgans.serving import Client") is None
"""

REGISTERED = """
import keras
for name in ("WGANGP", "MixtureGenerator", "SpectralNormalization", "R1Penalty"):
    assert keras.saving.get_registered_object(f"tfgans>{name}") is not None, name
"""


def run(code, *arguments, **environment):
    inherited = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**inherited, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_every_way_to_choose_another_backend(tmp_path):
    home = str(tmp_path / "keras")
    run(BACKENDS, home, KERAS_HOME=home)


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "import tfgans",
        # A package that imports Keras, and one that packages above it import.
        "import tfgans.layers",
        "from tfgans.gan import GAN",
        "import keras; import tfgans",
    ],
)
def test_keras_loads_the_classes_after(statement):
    run(f"{statement}\n{REGISTERED}")
