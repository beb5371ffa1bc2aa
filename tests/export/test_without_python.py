"""Exports run in the loader of TensorFlow Serving, with XLA off, and in `saved_model_cli`."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import served
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

# What an input of each name gets; of rank 0 the first value. Latents are drawn.
VALUES = {
    "seed": [5, -3, 5],
    "seed_a": [5, -3, 2**40],
    "seed_b": [9, 5, -7],
    "index": [0, 1, 7],
    "t": [0.25, 0.0, 1.0],
    "labels": [4, 9, 0],
    "probe": [0.0, 1.0, 2.0],
    "truncation": [0.5, 1.0, 2.0],
    "num": [3],
}


def definitions(folder):
    content = (folder / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    return {name: one for name, one in graph.signature_def.items() if not name.startswith("__")}


def value(name, info, components):
    shape = [3 if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
    if name == "latents":
        return np.random.default_rng(0).normal(size=shape).astype("float32")
    array = np.array({**VALUES, "components": components}[name])
    return (array if shape else array[0]).astype(tf.as_dtype(info.dtype).as_numpy_dtype)


class Calls:
    """Calls of signatures, all run in a single process by the C API."""

    def __init__(self, folder):
        self.folder, self.jobs, self.arrays = folder, [], {}

    def add(self, version, signature, definition, inputs):
        number, names = len(self.jobs), sorted(inputs)
        self.arrays |= {f"{number}/{index}": inputs[name] for index, name in enumerate(names)}
        self.jobs.append(
            {
                "model": str(version),
                "feeds": [definition.inputs[name].name for name in names],
                "fetches": [info.name for _, info in sorted(definition.outputs.items())],
            }
        )

    def run(self):
        """Returns an error or None for each call, and their outputs by CALL/OUTPUT."""
        names = [self.folder / name for name in ("jobs.json", "inputs.npz", "outputs.npz")]
        names[0].write_text(json.dumps(self.jobs))
        np.savez(names[1], **self.arrays)
        script = Path(__file__).with_name("c_api.py")
        command = [sys.executable, "-P", script, tf.sysconfig.get_lib(), *names]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1]), np.load(names[2])


class Compiled(tf.Module):
    """Must be compiled by XLA: runs nowhere where XLA is off."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "t")], jit_compile=True)
    def doubled(self, t):
        return {"doubled": 2 * t}


@pytest.mark.slow
def test_every_signature_gives_the_same_as_in_python(tmp_path):
    calls, expected = Calls(tmp_path), []
    for kind in ("plain", "mixture", "conditional"):
        export = served.export(kind)
        for signature, definition in definitions(export.version).items():
            components = [2, 0, 1] if kind == "mixture" else [0, 0, 0]
            inputs = {
                name: value(name, info, components) for name, info in definition.inputs.items()
            }
            calls.add(export.version, signature, definition, inputs)
            expected.append((f"{kind}: {signature}", export(signature, **inputs)))
    errors, outputs = calls.run()
    assert errors == [None] * len(expected)
    assert len(expected) == 31
    for number, (message, arrays) in enumerate(expected):
        for index, (_, array) in enumerate(sorted(arrays.items())):
            received = outputs[f"{number}/{index}"]
            assert received.shape == array.shape, message
            if array.dtype == np.float32:
                np.testing.assert_allclose(received, array, atol=1e-6, err_msg=message)
            else:
                np.testing.assert_array_equal(received, array, err_msg=message)


def test_refused_calls_end_in_an_error(tmp_path):
    module, folder = Compiled(), tmp_path / "compiled"
    tf.saved_model.save(module, str(folder), signatures={"doubled": module.doubled})
    calls = Calls(tmp_path)
    calls.add(folder, "doubled", definitions(folder)["doubled"], {"t": np.float32([1])})
    version = served.export("mixture").version
    component = definitions(version)["component"]
    for components in ([0, 3, 0], [0, 2, 0]):
        inputs = {name: value(name, info, components) for name, info in component.inputs.items()}
        calls.add(version, "component", component, inputs)
    (compiled, refused, fine), _ = calls.run()
    assert "XLA compilation disabled" in compiled
    assert "from 0 to 2" in refused
    assert fine is None


@pytest.mark.slow
def test_saved_model_cli(tmp_path):
    export = served.export("mixture")
    command = [Path(sys.executable).with_name("saved_model_cli"), "run", "--dir", export.version]
    command += ["--tag_set", "serve", "--signature_def", "sample"]
    command += ["--input_exprs", "seed=[1, 2, 3]", "--outdir", tmp_path]
    subprocess.run(command, check=True, capture_output=True)
    for output, array in export("sample", seed=np.array([1, 2, 3])).items():
        np.testing.assert_allclose(np.load(tmp_path / f"{output}.npy"), array, atol=1e-6)
