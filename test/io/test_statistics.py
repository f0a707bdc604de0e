from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.io.statistics import Durations


def test_percentiles_agree_with_numpy():
    values = np.random.default_rng(0).lognormal(2, 1, 5000)
    durations = Durations()
    for value in values:
        durations.add(value)
    summary = durations.summary()
    assert summary["mean"] == pytest.approx(values.mean(), rel=1e-3)
    assert summary["median"] == pytest.approx(np.median(values), rel=0.02)
    assert summary["p95"] == pytest.approx(np.percentile(values, 95), rel=0.02)


@pytest.mark.parametrize("value", [0.0, 1e-9, 1e9])
def test_extremes_are_counted(value):
    durations = Durations()
    durations.add(value)
    assert durations.summary()["mean"] == pytest.approx(value, abs=1e-3)


def test_without_any_there_is_zero():
    assert Durations().summary() == {"mean": 0.0, "median": 0.0, "p95": 0.0}
