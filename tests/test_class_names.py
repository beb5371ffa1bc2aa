"""The names of classes, completed by their numbers."""

import pytest

from tfgans import class_names


@pytest.mark.parametrize(
    ("num_classes", "names", "expected"),
    [
        (3, None, ("0", "1", "2")),
        (3, ["cat"], ("cat", "1", "2")),
        (2, ["1", "0"], ("1", "0")),
        (3, ["0", "5"], ("0", "5", "2")),
    ],
)
def test_classes_without_a_name_have_their_number(num_classes, names, expected):
    assert class_names.fill(num_classes, names) == expected


@pytest.mark.parametrize(
    ("num_classes", "names", "message"),
    [
        (2, "ab", "different strings"),
        (2, ["a", "a"], "different strings"),
        (2, ["a", "b", "c"], "at most as many as the 2"),
        (4, ["3"], r"'3' is the name of class 0.*\['3'\]\. Name all 4 classes"),
        (3, ["a", "2"], "'2' is the name of class 1"),
    ],
)
def test_names_must_differ(num_classes, names, message):
    with pytest.raises(ValueError, match=message):
        class_names.fill(num_classes, names)
