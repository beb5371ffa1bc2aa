"""Errors of the library in terms of flags."""

import pytest

from tfgans.cli.wording import errors_in_flags, in_flags

FLAGS = {name: name for name in ("cache", "cache_dir", "download", "seed", "steps", "width")}
FLAGS |= {"name": "dataset", "DiffAugment": "augmentation=diffaugment"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("`cache` is of folders. Received: cache='disk'", "--cache is of folders. Received: --cac"),
        ("Use `download=True` to fetch it", "Use --download to fetch it"),
        (
            "Received: download=False and cache_dir=None",
            "Received: --nodownload and no --cache_dir",
        ),
        ("cache='disk' needs space", "--cache=disk needs space"),
        ("`name` must be one of a, b", "--dataset must be one of a, b"),
        ("`DiffAugment` changes images", "--augmentation=diffaugment changes images"),
        ("`steps` must be None here", "--steps must be left out here"),
        ("steps: 3, as `steps=3`, or steps=3.", "steps: 3, as --steps=3, or --steps=3."),
    ],
)
def test_arguments_become_flags(text, expected):
    assert in_flags(text, FLAGS).startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "seed=0 cannot be trained",
        "Received: width=8,seed=0",
        "runs/seed=0 holds another run",
        "--steps=3 and --cache",
        "Use `Dense(1)` or `fit`. Received: MLP(width=3, seed=0)",
        "`depth` must be 3. Received: depth=2",
        "`tfgans evaluate` and `data.width`",
        "pass `cache=memory(3)`",
    ],
)
def test_other_words_stay(text):
    assert in_flags(text, FLAGS) == text


def test_an_error_keeps_its_cause():
    with pytest.raises(ValueError, match="--cache is wrong") as caught, errors_in_flags(FLAGS):
        raise ValueError("`cache` is wrong")
    assert str(caught.value.__cause__) == "`cache` is wrong"
