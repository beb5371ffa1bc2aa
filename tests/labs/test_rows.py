"""The file of a lab's results survives kills, and returns the stored values."""

import math

import numpy as np
import pytest

from tfgans.labs.rows import Rows

COLUMNS = ["arm", "scale", "seed", "status", "error", "commit", "value", "path"]


def rows(folder):
    keys = ["arm", "scale", "seed"]
    return Rows(folder / "rows.csv", keys=keys, columns=COLUMNS)


def row(seed=0, **changes):
    return {"arm": "none", "scale": 0.1, "seed": seed, "status": "ok", **changes}


def test_values_come_back_as_they_were(tmp_path):
    values = [0.1 + 0.2, 1e-300, float("nan"), float("inf"), -0.0]
    for seed, value in enumerate(values):
        rows(tmp_path).append(row(seed, value=value, path=[value, 1.0], error='a, "b"'))
    rows(tmp_path).append(row(8, value=None))
    rows(tmp_path).append(row(9, value=np.float64(0.5)))
    # In the order of the wanted rows, and no others.
    wanted = [row(seed) for seed in (*reversed(range(len(values))), 10)]
    frame = rows(tmp_path).frame(wanted)[::-1]
    assert [repr(value) for value in frame["value"]] == [repr(value) for value in values]
    assert repr(frame["path"].tolist()) == repr([[value, 1.0] for value in values])
    assert set(frame["arm"]) == {"none"}
    assert set(frame["error"]) == {'a, "b"'}
    missing, number = rows(tmp_path).frame([row(8), row(9)])["value"]
    assert math.isnan(missing)
    assert number == 0.5


@pytest.mark.parametrize("arm", ["1", "nan", "true", "a  b", 1, 1.0, True, 1e-12])
def test_settings_keep_their_values(tmp_path, arm):
    rows(tmp_path).append(row(arm=arm))
    (received,) = rows(tmp_path).frame([row(arm=arm)])["arm"]
    assert (received, isinstance(received, str)) == (arm, isinstance(arm, str))


@pytest.mark.parametrize("commit", ["12e4567", "0123456", "nan"])
def test_a_commit_is_text(tmp_path, commit):
    rows(tmp_path).append(row(commit=commit, error=commit))
    frame = rows(tmp_path).frame([row()])
    assert (frame["commit"].tolist(), frame["error"].tolist()) == ([commit], [commit])


def test_keys_tell_which_runs_are_done(tmp_path):
    ours = rows(tmp_path)
    assert ours.done() == set()
    ours.append(row(0))
    ours.append(row(1, status="failed"))
    assert ours.done() == {ours.key(row(0))}
    # The newest row of a run that failed counts.
    ours.append(row(1, value=2.0))
    assert ours.done() == {ours.key(row(0)), ours.key(row(1))}
    frame = ours.frame([row(0), row(1)])
    assert frame["status"].tolist() == ["ok", "ok"]
    assert frame["value"][1] == 2.0


@pytest.mark.parametrize("cut", range(1, 200, 23))
def test_an_unfinished_row_is_removed(tmp_path, cut):
    ours = rows(tmp_path)
    for seed in range(4):
        ours.append(row(seed, path=[1.0, 2.0], error="of no use"))
    whole = ours.path.read_bytes()
    ours.path.write_bytes(whole[:-cut])
    ours.repair()
    left = ours.path.read_bytes() if ours.path.exists() else b""
    assert whole.startswith(left)
    assert left.endswith(b"\n") or not left
    assert len(ours.done()) == max(whole[:-cut].count(b"\n") - 1, 0)
    ours.append(row(9))
    assert ours.key(row(9)) in ours.done()


def test_another_file_is_refused(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"other columns.*Choose another"):
        rows(tmp_path).repair()
    with pytest.raises(ValueError, match="Unknown columns: what"):
        rows(tmp_path).append(row(what=1))
