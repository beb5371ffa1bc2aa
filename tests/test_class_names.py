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


@pytest.mark.parametrize(
    ("label", "names", "expected"),
    [
        ("cat", ["dog", "cat"], 1),
        ("1", ["1", "0"], 0),
        ("7", ["cat"], 7),
        ("\xfc", ["a", "u\u0308"], 1),  # One code, and two.
        ("u\u0308", ["a", "\xfc"], 1),
    ],
)
def test_a_class_is_a_name_or_a_number(label, names, expected):
    assert class_names.number(label, names) == expected


@pytest.mark.parametrize(
    ("label", "names", "message"),
    [
        (
            "cats",
            ["a, b", "cat"],
            r"or a name: 'a, b', cat\. Rec.*'cats'\. Did you mean 'cat'\?$",
        ),
        ("x", None, "have no names. Received: 'x'$"),
        (None, ["a"], "a name: a. Received: None$"),
        ("x", [f"name {index}" for index in range(1000)], r"name 19, \.\.\.\. Received: 'x'$"),
    ],
)
def test_other_classes_are_refused(label, names, message):
    with pytest.raises(ValueError, match=message):
        class_names.number(label, names)
