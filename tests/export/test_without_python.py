"""Exports run without Python: by TF Serving's loader from C, and by `saved_model_cli`.

The C program switches XLA off as TF Serving does, so an endpoint that must be compiled fails in it.
"""

import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

# What an input of the name gets; one of rank 0 gets the first value. Latents are drawn.
VALUES = {
    "seed": [5, -3, 5],
    "seed_a": [5, -3, 2**40],
    "seed_b": [9, 5, -7],
    "index": [0, 1, 7],
    "t": [0.25, 0.0, 1.0],
    "labels": [4, 9, 0],  # -1 is tested in Python
    "label": [7],
    "components": [0, 0, 0],
    "num": [3],
}


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C program, built against the wheel's own headers and libraries."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is missing")
    built = tmp_path_factory.mktemp("built") / "run_saved_model"
    library = tf.sysconfig.get_lib()
    # GNU ld takes 14 s to read TensorFlow, the others 2 s.
    fast = [name for name in ("mold", "lld", "gold") if shutil.which(f"ld.{name}")]
    subprocess.run(
        [
            *("gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror"),
            *("-isystem", tf.sysconfig.get_include()),
            *(Path(__file__).with_name("run_saved_model.c"), "-o", built),
            *(f"{library}/libtensorflow_{name}.so.2" for name in ("cc", "framework")),
            *(f"-Wl,-rpath,{library}", *(f"-fuse-ld={name}" for name in fast[:1])),
        ],
        check=True,
    )
    return built


def run(program, jobs):
    return subprocess.run(
        [program, *jobs],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},  # Its log would repeat the errors.
        timeout=300,
    )


class Exported:
    """A SavedModel, and the jobs of the C program on it; `values` are other ones for its inputs."""

    def __init__(self, path, **values):
        self.path = path
        self.values = VALUES | values
        (graph,) = loader_impl.parse_saved_model(str(path)).meta_graphs
        self.definitions = dict(graph.signature_def)
        self.definitions.pop("__saved_model_init_op", None)

    def inputs(self, signature, **given):
        """Arrays by the name of the input: of the values given, else of the model's."""
        return {
            name: np.asarray(
                given[name] if name in given else self._value(signature, name, info),
                tf.as_dtype(info.dtype).as_numpy_dtype,
            )
            for name, info in self.definitions[signature].inputs.items()
        }

    def _value(self, signature, name, info):
        assert not info.tensor_shape.unknown_rank
        shape = [3 if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
        if name == "latents":
            return np.random.default_rng(0).normal(size=shape)
        if name not in self.values:
            pytest.fail(f"The input {name!r} of the signature {signature!r} is not in `VALUES`.")
        return self.values[name] if shape else self.values[name][0]

    def job(self, folder, signature, **given):
        """Writes a job into the new `folder`, which it returns."""
        folder.mkdir(parents=True)
        definition, lines = self.definitions[signature], [str(self.path)]
        for index, (name, array) in enumerate(self.inputs(signature, **given).items()):
            info = definition.inputs[name]
            header = " ".join(map(str, [info.dtype, array.ndim, *array.shape]))
            (folder / f"feed.{index}").write_bytes(f"{header}\n".encode() + array.tobytes())
            lines.append(f"feed {info.name}")
        lines += [f"fetch {info.name}" for info in definition.outputs.values()]
        (folder / "job").write_text("\n".join(lines) + "\n")
        return folder

    def fetched(self, folder, signature):
        """The outputs of the job by name, once it has run."""
        names = self.definitions[signature].outputs
        return {name: read(folder / f"fetch.{index}") for index, name in enumerate(names)}


def read(path):
    header, _, data = path.read_bytes().partition(b"\n")
    dtype, rank, *dims = map(int, header.split())
    assert rank == len(dims)
    if tf.as_dtype(dtype) != tf.string:
        return np.frombuffer(data, tf.as_dtype(dtype).as_numpy_dtype).reshape(dims)
    strings = np.empty(math.prod(dims), object)
    for index in range(strings.size):
        size = int.from_bytes(data[:8], sys.byteorder)
        strings[index], data = data[8 : 8 + size], data[8 + size :]
    assert not data
    return strings.reshape(dims)


class Module(tf.Module):
    """What no generator has, to see that the program takes the one and refuses the other."""

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64, "num")])
    def words(self, num):
        words = tf.constant([["short", ""], ["a\0zero", "more than fits into a TF_TString"]])
        return {"words": words, "word": words[0, 0], "next": num + 1, "none": tf.zeros([0, num])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "t")], jit_compile=True)
    def compiled(self, t):
        return {"doubled": 2 * t}


@pytest.fixture(scope="module")
def exports(exported, tmp_path_factory):
    """By name: three generators, of every kind of export, and the module."""
    found = {name: Exported(exported(name).version) for name in ("plain", "conditional")}
    found["mixture"] = Exported(exported("mixture").version, components=[2, 0, 1])
    module, folder = Module(), tmp_path_factory.mktemp("module")
    signatures = {"words": module.words, "compiled": module.compiled}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return {**found, "module": Exported(folder)}


@pytest.fixture(scope="module")
def ran(program, exports, tmp_path_factory):
    """By the names of the model and the signature: the folder of the job, which has run."""
    folder = tmp_path_factory.mktemp("jobs")
    jobs = {
        (name, signature): exported.job(folder / name / signature, signature)
        for name, exported in exports.items()
        for signature in sorted(exported.definitions)
        if signature != "compiled"
    }
    done = run(program, jobs.values())
    assert done.returncode == 0, done.stderr
    return jobs


@pytest.mark.parametrize("name", ["plain", "mixture", "conditional", "module"])
def test_every_signature_gives_the_same_as_in_python(name, exports, ran):
    exported = exports[name]
    model = tf.saved_model.load(str(exported.path))
    assert set(model.signatures) == set(exported.definitions)
    assert name == "module" or {"serving_default", "sample"} <= set(exported.definitions)
    for signature in exported.definitions.keys() - {"compiled"}:
        inputs = exported.inputs(signature)
        given = {key: tf.constant(array) for key, array in inputs.items()}
        expected = model.signatures[signature](**given)
        made = exported.fetched(ran[name, signature], signature)
        assert made.keys() == expected.keys()
        for output, tensor in expected.items():
            assert_same(made[output], tensor, f"{signature}: {output}")


def assert_same(made, tensor, message):
    assert made.shape == tensor.shape, message
    assert made.dtype == tensor.dtype.as_numpy_dtype, message
    if tensor.dtype.is_floating:
        np.testing.assert_allclose(made, tensor, rtol=0, atol=1e-6, err_msg=message)
    else:
        np.testing.assert_array_equal(made, tensor.numpy(), err_msg=message)


def test_refused_calls_tell_why_and_end_in_an_error(program, exports, tmp_path):
    mixture, conditional, module = (exports[name] for name in ("mixture", "conditional", "module"))
    refused = {
        mixture.job(tmp_path / "component", "component", components=[0, 3, 0]): "from 0 to 2",
        conditional.job(
            tmp_path / "label", "serving_default", labels=[0, 9, 10]
        ): "`labels` must be classes from 0 to 9",
        module.job(tmp_path / "compiled", "compiled"): "XLA compilation disabled",
    }
    fine = module.job(tmp_path / "words", "words")
    done = run(program, [*refused, fine])
    assert done.returncode == 1
    _, *told = re.split(rf"^{re.escape(str(tmp_path))}/(\w+): ", done.stderr, flags=re.MULTILINE)
    messages = dict(zip(told[::2], told[1::2], strict=True))
    assert messages.keys() == {folder.name for folder in refused}
    for folder, message in refused.items():
        assert message in messages[folder.name]
        assert not (folder / "fetch.0").exists()
    assert module.fetched(fine, "words")["next"] == VALUES["num"][0] + 1


@pytest.mark.slow
def test_saved_model_cli(exports, tmp_path):
    """Both commands at once, since either spends seconds on its start."""
    mixture = exports["mixture"]
    given = mixture.inputs("sample", seed=[1, 2, 3])
    exprs = ";".join(f"{name}={array.tolist()}" for name, array in given.items())
    sample = ["--tag_set", "serve", "--signature_def", "sample"]
    commands = {
        "show": ["--all"],
        "run": [*sample, "--input_exprs", exprs, "--outdir", tmp_path],
    }
    cli = Path(sys.executable).with_name("saved_model_cli")
    started = [
        subprocess.Popen(
            [cli, command, "--dir", mixture.path, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command, options in commands.items()
    ]
    told = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    shown = set(re.findall(r"^signature_def\['(\w+)'\]", told[0][0], re.M))
    assert shown - {"__saved_model_init_op"} == set(mixture.definitions)
    model = tf.saved_model.load(str(mixture.path))
    expected = model.signatures["sample"](
        **{name: tf.constant(array) for name, array in given.items()}
    )
    for output, tensor in expected.items():
        assert_same(np.load(tmp_path / f"{output}.npy"), tensor, output)
