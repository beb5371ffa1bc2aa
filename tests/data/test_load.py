"""Names, options, and a cheap import."""

import subprocess
import sys

import pytest

from tfgans import data


def test_names():
    assert data.NAMES[-1] == "folder:PATH"
    assert len(set(data.NAMES)) == len(data.NAMES) == 13


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ring", data.Ring),
        ("grid", data.Grid),
        ("swiss_roll", data.SwissRoll),
        ("parallel_lines", data.ParallelLines),
        ("low_rank_gaussian", data.LowRankGaussian),
        ("digits", data.ArraySource),
        ("stacked_digits", data.StackedImages),
    ],
)
def test_load_by_name(name, kind):
    source = data.load(name, seed=7)
    assert type(source) is kind
    assert isinstance(source, data.Source)
    assert (source.name, source.seed) == (name, 7)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("minst", {}, r"must be one of digits, .*folder:PATH. Received: 'minst'"),
        ("folder:", {}, "must be one of .*Received: 'folder:'"),
        (None, {}, "Received: None"),
        ("digits", {"split": "val"}, "`split` must be one of 'train', 'test'. Received: 'val'"),
        ("celeb_a", {"split": "t"}, "'train', 'validation', 'test'. Received: 't'"),
        ("stacked_digits", {"split": "val"}, "`split` must be one of 'train', 'test'"),
        ("ring", {"split": "test"}, "`split` cannot be used with 'ring': it has the split 'train'"),
        ("ring", {"image_size": 8}, "'ring': its examples are vectors.*image_size=8. Leave it out"),
        ("ring", {"data_dir": "x"}, "`data_dir` cannot be used with 'ring'"),
        ("folder:x", {"data_dir": "x"}, "`data_dir` cannot be used with 'folder:x'"),
        ("ring", {"download": True}, "there is nothing to download"),
        ("digits", {"download": True}, "there is nothing to download"),
        ("folder:x", {"download": True}, "there is nothing to download"),
        ("digits", {"skip_bad": True}, "it applies to files of 'folder:PATH' only"),
        ("digits", {"cache": "disk"}, "`cache` cannot be used with 'digits': it applies to files"),
        ("ring", {"cache_dir": "x"}, "`cache_dir` cannot be used with 'ring'"),
        ("folder:x", {"cache": "ram"}, "`cache` must be one of 'auto', 'memory', 'disk', 'none'"),
        ("ring", {"skip_bad": True}, "`skip_bad` cannot be used with 'ring'"),
        ("digits", {"image_size": 0}, "`image_size` must be an integer of at least 1"),
        ("digits", {"image_size": (8, 8, 1)}, "`image_size` must be a tuple of 2 positive int"),
        ("digits", {"image_size": "8"}, "`image_size` must be an integer"),
        ("digits", {"seed": "a"}, "`seed` must be an integer. Received: 'a'"),
        ("stacked_digits", {"seed": 0.5}, "`seed` must be an integer"),
    ],
)
def test_bad_requests(name, options, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **options)


def test_import_is_cheap():
    """What the room itself imports, beyond what TensorFlow brings: nothing heavy."""
    script = (
        "import sys, tensorflow; before = set(sys.modules); import tfgans.data;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'tensorflow_datasets', 'sklearn', 'PIL', 'scipy', 'pandas'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"
