"""Records: files, text, what two of them say of each other, and the union of two."""

import copy
import dataclasses
import json
import pickle
import warnings

import numpy as np
import pytest
import tiny
from scipy import stats

import tfgans
from tfgans.evaluation import Difference, Record, evaluate
from tfgans.versions import versions

RING = tfgans.data.load("ring")
NAME = "frechet_distance[identity]"
WITHOUT_SCIPY = {name: version for name, version in versions().items() if name != "scipy"}
OPTIONS = {"metrics": ["frechet_distance"], "split": "train"}


def number(**entries):
    """A number of a record as JSON values."""
    common = {"value": 1.0, "interval": None, "standard_error": None, "bias": None, "method": ""}
    return {**common, "num_real": 9, "num_fake": 9, **entries}


@pytest.fixture(scope="module")
def digits():
    return tfgans.data.from_array(tiny.digits(300), name="digits300")


@pytest.fixture(scope="module")
def record(digits):
    return evaluate(tiny.digits(300) * 0.9, digits, **OPTIONS)


def changed(record, *path, value):
    values = record.to_dict()
    part = values = copy.deepcopy(values)
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return Record.from_dict(values)


def test_is_a_value_that_files_keep(record, digits, tmp_path):
    record.save(tmp_path / "a.json")
    evaluate(tiny.digits(300) * 0.9, digits, path=tmp_path / "b.json", **OPTIONS)
    for path in tmp_path.iterdir():
        assert Record.load(path) == record
    assert pickle.loads(pickle.dumps(record)) == record
    expected = {"name": "identity", "checksum": "none", "resizing": "none", "dim": 64}
    assert record.extractor == expected
    assert record.versions["tfgans"] == tfgans.__version__
    text = record.table()
    assert all(
        part in text for part in ("digits300", "array", NAME, "95% interval", "seed       0")
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "must have the format 1. Received: "),
        ({"format": 2}, "must have the format 1. Received: "),
        ({"format": 1, "metrics": []}, "must have the parts extractor, fake, metrics, real"),
        ({"metrics": {NAME: {"value": 1.0}}}, "record is damaged: KeyError"),
        ({"metrics": {NAME: 3}}, "record is damaged: TypeError"),
        *(
            ({"metrics": {NAME: number(**{name: value})}}, f"damaged: .*`{name}` must be")
            for name, value in [
                *[("value", "high"), ("value", True), ("bias", float("nan")), ("degrees", 0)],
                *[("interval", [2, 1]), ("interval", "ab"), ("standard_error", -1.0)],
                *[("num_fake", 2.5), ("num_real", -1), ("method", None), ("parameters", [])],
            ]
        ),
        ({"metrics": {NAME: number(interval=[1])}}, "damaged: .*not enough values"),
        ({"metrics": {NAME: number(value=10**400)}}, "damaged: OverflowError"),
        ({"seed": "a"}, "damaged: .*`seed` must be"),
        ({"confidence": None}, "damaged: .*`confidence` must be"),
        ({"extractor": {"name": "a", "checksum": None}}, "the parts extractor.resizing"),
        *(
            (
                {"extractor": {"name": "a", "checksum": "b", "resizing": "none", name: 3}},
                f"`{name}`",
            )
            for name in ("name", "checksum")
        ),
    ],
)
def test_files_that_are_no_records(values, message, record, tmp_path):
    if values and "format" not in values:
        values = record.to_dict() | values
    (tmp_path / "a.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=rf"a\.json is no record of .*{message}"):
        Record.load(tmp_path / "a.json")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(ValueError, match=r"a\.json is no record"):
        Record.load(tmp_path / "a.json")


def test_difference_of_records(record, digits):
    other = evaluate(tiny.digits(300) * 0.5, digits, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        difference = record.compare(other)[NAME]
    numbers = [each.metrics[NAME] for each in (record, other)]
    errors = [number.standard_error for number in numbers]
    values = [number.value for number in numbers]
    assert difference[:3] == (*values, pytest.approx(np.hypot(*errors)))
    assert difference.is_clear
    assert record.compare(record)[NAME].is_clear is False
    unknown = changed(record, "metrics", NAME, "standard_error", value=None)
    assert record.compare(unknown)[NAME].is_clear is None


def test_errors_of_few_degrees_of_freedom_need_a_larger_difference(record):
    """Welch's degrees of freedom, as of SciPy's test of two means of ten numbers."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=10), 3 * rng.normal(size=10)
    records = [
        dataclasses.replace(
            record,
            metrics={
                NAME: dataclasses.replace(
                    record.metrics[NAME], standard_error=stats.sem(sample), degrees=9
                )
            },
        )
        for sample in samples
    ]
    difference = records[0].compare(records[1])[NAME]
    expected = stats.ttest_ind(*samples, equal_var=False).df
    assert difference.degrees == pytest.approx(expected)
    # Student's quantile at 10 degrees is 2.228, the normal one 1.960.
    assert not Difference(0.0, 2.1, 1.0, degrees=10.0).is_clear
    assert Difference(0.0, 2.3, 1.0, degrees=10.0).is_clear
    assert Difference(0.0, 2.1, 1.0).is_clear


def test_the_table_tells_the_accuracy_only_if_all_of_it_is_known(record):
    some = dataclasses.replace(record, extractor={**record.extractor, "accuracy": 0.97})
    assert "97.00%" not in some.table()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("extractor", "name"), "other", "extractor name is identity in the first and other in th"),
        (("extractor", "checksum"), "0", "extractor checksum"),
        (("extractor", "resizing"), "nearest", "resizing"),
        (("real", "source"), "mnist", "real source"),
        (("real", "split"), "test", "real split is train in the first and test in the second"),
        (("real", "num_examples"), 7, "num_examples"),
        (("real", "checksum"), "0", "real checksum"),
        (("metrics", NAME, "num_fake"), 7, r"\(300, 300\) and of \(300, 7\)"),
        (("versions", "tfgans"), "0.1.0", "version of tfgans, of which the metrics are, is "),
        (("metrics",), {}, "no metric in common"),
    ],
)
def test_records_that_do_not_compare(record, path, value, message):
    with pytest.raises(ValueError, match=message):
        record.compare(changed(record, *path, value=value))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("versions", "numpy"), "1.0", "numpy"),
        (("versions",), WITHOUT_SCIPY, "scipy is .* and None in the second"),
        (("fake", "samples_resizing"), "stretched", "resizing of the samples is none in the f"),
        (("fake", "ema"), 0.9, "averaged"),
        (("real", "split"), "unknown", "which split"),
        (("extractor", "checksum"), None, "no checksum"),
    ],
)
def test_records_that_may_not_compare(record, path, value, message):
    other = changed(record, *path, value=value)
    with pytest.warns(UserWarning, match=message):
        (other if path[0] in ("real", "extractor") else record).compare(other)


def test_checksum_of_the_data_is_of_the_distribution():
    rng = np.random.default_rng(0)
    arrays = [tfgans.data.from_array(rng.normal(size=(300, 2)) + shift) for shift in (0, 9)]
    rings = [tfgans.data.Ring(), tfgans.data.Ring(num_modes=25, std=0.5)]
    seeds = [tfgans.data.Ring(seed=seed) for seed in (0, 1)]
    for sources, same in ((arrays, False), (rings, False), (seeds, True)):
        first, second = (
            evaluate(RING.sample(300, 1), source, num_real=300, **OPTIONS) for source in sources
        )
        assert (first.real["checksum"] == second.real["checksum"]) == same


def test_merged_records_lose_no_number(record, digits):
    fuller = evaluate(
        tiny.digits(300) * 0.9, digits, metrics=["near_copies", "ms_ssim"], split="train"
    )
    merged = fuller.merge(record)
    assert merged.metrics == {**fuller.metrics, **record.metrics}
    assert dataclasses.replace(merged, metrics=record.metrics) == record
    assert merged.merge(record) == record.merge(merged).merge(fuller) == merged
    value = dataclasses.replace(record.metrics[NAME], value=3.0)
    newer = dataclasses.replace(
        record, metrics={NAME: value}, versions={**record.versions, "commit": "of later"}
    )
    assert merged.merge(newer).metrics[NAME].value == 3


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("fake", "checksum"), "0", "fake checksum is .* in the first and 0 in the second"),
        (("fake", "checksum"), None, "the samples have no checksum"),
        (("fake", "num_examples"), 9, "fake num_examples is 300 in the first and 9"),
        (("fake", "class_shares"), [1.0], "fake class_shares"),
        (("real", "split"), "test", "real split"),
        (("extractor", "resizing"), "nearest", "extractor resizing"),
        (("extractor", "checksum"), None, "the extractor identity has no checksum"),
        (("versions", "numpy"), "1.0", "numpy is .* in the first and 1.0"),
        (("seed",), 1, "seed is 0 in the first and 1"),
    ],
)
def test_records_of_different_evaluations_do_not_merge(record, path, value, message):
    other = changed(record, *path, value=value)
    with pytest.raises(ValueError, match=message):
        (record if value is not None else other).merge(other)
