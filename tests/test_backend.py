"""Another backend of Keras than TensorFlow is refused in one sentence; the client needs none."""

import os
import subprocess
import sys

CASES = """
import json, os, pathlib, sys

home = pathlib.Path(sys.argv[1])
needs = "tfgans needs the TensorFlow backend of Keras, received {!r} from {}: set "
needs += "KERAS_BACKEND=tensorflow before importing keras"

def told(statement):
    try:
        exec(statement, {})
    except ImportError as error:
        return str(error)

def configure(name):
    home.mkdir(exist_ok=True)
    (home / "keras.json").write_text(json.dumps({"backend": name}))

statements = ["from tfgans import GAN", "import tfgans; tfgans.GAN", "import tfgans.data",
              "import tfgans.shapes", "from tfgans.export import export_generator"]
for name in ("jax", "torch", "numpy"):
    os.environ["KERAS_BACKEND"] = name
    for statement in statements:
        assert told(statement) == needs.format(name, "KERAS_BACKEND"), told(statement)
del os.environ["KERAS_BACKEND"]
configure("jax")
for statement in statements:
    assert told(statement) == needs.format("jax", home / "keras.json"), told(statement)

# The client, and what imports it, work all the same.
assert told("from tfgans.serving.client import Client; Client('http://x', model='m')") is None
assert told("from tfgans.serving import Client") is None
assert not {"keras", "tensorflow"} & set(sys.modules)

# The variable counts more than the file; an empty one is as none; a broken file as none.
from tfgans import backend
os.environ["KERAS_BACKEND"] = "tensorflow"
backend.check()
os.environ["KERAS_BACKEND"] = ""
assert backend.chosen() == ("jax", str(home / "keras.json"))
(home / "keras.json").write_text("{")
assert backend.chosen()[0] == "tensorflow"
del os.environ["KERAS_BACKEND"]

# Keras runs on another one, played here by a package that says so: its import goes well, and what
# is set now comes too late.
(home / "keras").mkdir()
(home / "keras" / "__init__.py").write_text("class config: backend = lambda: 'jax'")
sys.path.insert(0, str(home))
import keras
os.environ["KERAS_BACKEND"] = "tensorflow"
for statement in statements:
    assert told(statement) == needs.format("jax", "the imported keras"), told(statement)
assert told("from tfgans.serving import Client") is None
"""


def test_every_way_to_choose_another_backend(tmp_path):
    home = tmp_path / "keras"
    environment = {**os.environ, "KERAS_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("KERAS_BACKEND", None)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CASES, str(home)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
