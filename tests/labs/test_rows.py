"""The file of a lab's results outlives kills, and gives back what was put in."""

import math

import numpy as np
import pytest

from tfgans.labs.rows import Rows

COLUMNS = ["arm", "scale", "seed", "status", "error", "value", "path"]


def rows(folder):
    keys = ["arm", "scale", "seed"]
    return Rows(folder / "rows.csv", keys=keys, columns=COLUMNS, lists=["value", "path"])


def row(seed=0, **changes):
    return {"arm": "none", "scale": 0.1, "seed": seed, "status": "ok", **changes}


def test_values_come_back_as_they_were(tmp_path):
    values = [0.1 + 0.2, 1e-300, float("nan"), float("inf"), -0.0]
    for seed, value in enumerate(values):
        rows(tmp_path).append(row(seed, value=value, path=[value, 1.0], error='a, "b"'))
    rows(tmp_path).append(row(9, value=np.float64(0.5)))
    # In the order that is asked for, and no others.
    wanted = [row(seed) for seed in (*reversed(range(len(values))), 10)]
    frame = rows(tmp_path).frame(wanted)[::-1]
    assert rows(tmp_path).frame([row(9)])["value"][0] == 0.5
    assert [repr(one) for one in frame["value"]] == [repr(one) for one in values]
    assert repr(frame["path"].tolist()) == repr([[one, 1.0] for one in values])
    assert set(frame["arm"]) == {"none"}
    assert set(frame["error"]) == {'a, "b"'}


def test_missing_values_are_nan(tmp_path):
    rows(tmp_path).append(row(value=None))
    assert math.isnan(rows(tmp_path).frame([row()])["value"][0])


def test_keys_know_what_is_done(tmp_path):
    ours = rows(tmp_path)
    assert ours.done() == set()
    ours.append(row(0))
    ours.append(row(1, status="failed"))
    assert ours.done() == {ours.key(row(0))}
    # A run that failed may be tried again: its newest row counts.
    ours.append(row(1, value=2.0))
    assert ours.done() == {ours.key(row(0)), ours.key(row(1))}
    frame = ours.frame([row(0), row(1)])
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["value"][1] == 2.0


@pytest.mark.parametrize("cut", range(1, 200, 7))
def test_what_a_kill_left_is_removed(tmp_path, cut):
    ours = rows(tmp_path)
    for seed in range(4):
        ours.append(row(seed, path=[1.0, 2.0], error="of no use"))
    whole = ours.path.read_bytes()
    ours.path.write_bytes(whole[:-cut])
    ours.mend()
    left = ours.path.read_bytes() if ours.path.exists() else b""
    assert whole.startswith(left)
    assert left.endswith(b"\n") or not left
    # Only rows that were cut are gone.
    assert len(ours.done()) == max(whole[:-cut].count(b"\n") - 1, 0)
    ours.append(row(9))
    assert ours.key(row(9)) in ours.done()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other columns.*Choose another"):
        rows(tmp_path).mend()
    with pytest.raises(ValueError, match="Unknown columns: what"):
        rows(tmp_path).append(row(what=1))
