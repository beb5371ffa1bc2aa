"""Each check passes good values, and names the argument and the value that it refuses."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import checks


@pytest.mark.parametrize(
    ("check", "value", "result"),
    [
        (checks.positive_int, np.int32(3), 3),
        (checks.integer, -(2**63), -(2**63)),
        (checks.non_negative, 0, 0.0),
        (checks.non_negative, np.float32(0.5), 0.5),
        (checks.positive, 1e-12, 1e-12),
        (checks.shape, [8, np.int64(8), 1], (8, 8, 1)),
        (lambda name, value: checks.choice(name, value, ("a", "b")), "a", "a"),
    ],
)
def test_good_values_pass(check, value, result):
    assert check("size", value) == result


BAD = {
    checks.positive_int: [0, True, 2.0, "3"],
    checks.integer: [2**63, None],
    checks.non_negative: [-1e-9, float("nan"), float("inf"), True],
    checks.positive: [0.0],
    checks.shape: [(8, 0), (), 8, (8, None)],
}


@pytest.mark.parametrize(
    ("check", "value"), [(check, value) for check, values in BAD.items() for value in values]
)
def test_bad_values_are_named(check, value):
    with pytest.raises(ValueError, match=r"`size` must .*Received: ") as caught:
        check("size", value)
    assert repr(value) in str(caught.value)


def test_errors_list_the_options_and_the_rank():
    with pytest.raises(ValueError, match=r"`mode` must be one of 'a', 'b'. Received: 'c'"):
        checks.choice("mode", "c", ("a", "b"))
    with pytest.raises(ValueError, match="3 positive integers"):
        checks.shape("image_shape", (8, 8), rank=3)


LARGE = np.zeros([1000, 28, 28], np.float32)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LARGE, "array of shape (1000, 28, 28), float32"),
        (tf.zeros([3, 5]), "array of shape (3, 5), float32"),
        ([LARGE, 1], "[array of shape (1000, 28, 28), float32, 1]"),
        ({"x": LARGE}, "{'x': array of shape (1000, 28, 28), float32}"),
        (np.array([[1, 2], [3, 4]]), "array([[1, 2], [3, 4]])"),
        (np.float32(0.5), repr(np.float32(0.5))),
        ("a  b", "'a  b'"),
        ((8, None), "(8, None)"),
    ],
)
def test_short_values(value, text):
    assert checks.short(value) == text


@pytest.mark.parametrize(
    "value",
    [list(range(10**6)), LARGE.tolist(), "x" * 10**6, [LARGE] * 1000, {i: i for i in range(1000)}],
    ids=["list", "nested", "string", "arrays", "dict"],
)
def test_long_values_are_cut(value):
    assert len(checks.short(value)) <= 400


@pytest.mark.parametrize(
    "check",
    [
        *(functools.partial(check, "x") for check in (*BAD, checks.boolean, checks.file_name)),
        lambda value: checks.choice("x", value, {"a": 1}),
        lambda value: checks.instance("x", value, str, "'a'"),
        tfgans.evaluation.FunctionExtractor,
        lambda value: tfgans.penalties.R1Penalty(fraction=value),
        lambda value: tfgans.objectives.LeastSquares(label_smoothing=value),
        lambda value: tfgans.refinement.Langevin(clamp=value),
        lambda value: tfgans.refinement.Langevin(prior=value),
        lambda value: tfgans.data.GaussianMixture([[0.0]], std=0.1, proportions=value),
        lambda value: tfgans.data.ParallelLines(offset=value),
        lambda value: tfgans.data.Ring().batches(4, part=value),
        lambda value: tfgans.games.exploitability(np.eye(3), value, value),
        lambda value: tfgans.serving.Client("http://localhost:1", model=value),
        lambda value: tfgans.layers.InstanceNoise(value),
    ],
)
@pytest.mark.parametrize("value", [np.arange(1000.0), tf.range(1000)], ids=["array", "tensor"])
def test_no_error_prints_an_array(check, value):
    with pytest.raises(ValueError, match="Received") as caught:
        check(value)
    assert "1000" in str(caught.value)
    assert len(str(caught.value)) < 500
