"""The lab of refinement: its measures, and what it says of rows that are known."""

import numpy as np
import pandas as pd
import pytest

from tfgans import data
from tfgans.labs import dcd, verdicts


def test_scores_of_real_and_of_far_points():
    ring = data.Ring()
    real = ring.sample(500, seed=-1)
    near, far = (dcd.score(one, real, ring) for one in (real, real + 10.0))
    assert (near["distance"], near["sliced"]) == (0, 0)
    assert near["high_quality"] > 0.95
    assert far["high_quality"] == 0
    assert far["distance"] > 10
    assert "high_quality" not in dcd.score(real, real, data.SwissRoll())


def test_report_of_rows_that_are_known():
    better = dict(zip(dcd.STAGES, (0.3, 0.2, 0.1), strict=True))
    frame = pd.DataFrame(
        {**cell, "seed": seed, **{name: better[name.split("_")[-1]] for name in dcd.MEASURES}}
        for cell in dcd.cells(False)
        for seed in range(5)
    )
    for name in dcd.MEASURES:
        if name[:2] in ("x_", "y_"):
            frame[name] = [[0.0, 1.0]] * len(frame)
    found = [verdicts.decide(claim, frame) for claim in dcd.CLAIMS]
    assert [one.word for one in found] == ["reproduced"] * 5 + ["not testable here"]
    assert found[0].median == pytest.approx(-0.2)
    for drawing in dcd.LAB.drawings.values():
        drawing.draw(frame).canvas.draw()
    for make in dcd.LAB.tables.values():
        assert len(make(frame))
    assert np.isfinite(found[0].p_value)
