"""Each check lets good values through, and names the argument and the value it refuses."""

import numpy as np
import pytest

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
    ],
)
def test_good_values_pass(check, value, result):
    assert check("size", value) == result


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (checks.positive_int, 0),
        (checks.positive_int, True),
        (checks.positive_int, 2.0),
        (checks.positive_int, "3"),
        (checks.integer, 2**63),
        (checks.integer, None),
        (checks.non_negative, -1e-9),
        (checks.non_negative, float("nan")),
        (checks.non_negative, float("inf")),
        (checks.non_negative, True),
        (checks.positive, 0.0),
        (checks.shape, (8, 0)),
        (checks.shape, ()),
        (checks.shape, 8),
        (checks.shape, (8, None)),
    ],
)
def test_bad_values_are_named(check, value):
    with pytest.raises(ValueError, match=r"`size` must .*Received: ") as caught:
        check("size", value)
    assert repr(value) in str(caught.value)


def test_rank_and_choice():
    assert checks.choice("mode", "a", ("a", "b")) == "a"
    with pytest.raises(ValueError, match=r"`mode` must be one of 'a', 'b'. Received: 'c'"):
        checks.choice("mode", "c", ("a", "b"))
    with pytest.raises(ValueError, match="3 positive integers"):
        checks.shape("image_shape", (8, 8), rank=3)
