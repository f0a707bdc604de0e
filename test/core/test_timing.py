from __future__ import annotations

import time

import pytest

from motionseg_ros.core.timing import StageTimer


def test_stages_add_up_and_total_covers_them():
    timer = StageTimer()
    for _ in range(2):
        with timer("track"):
            time.sleep(0.01)
    with timer("mask"):
        pass
    found = timer.finish()
    assert list(found) == ["track", "mask", "total"]
    assert found["track"] >= 20
    assert 0 <= found["mask"] < found["track"]
    assert found["total"] >= found["track"] + found["mask"]


def test_a_stage_that_fails_is_counted_and_its_error_goes_on():
    timer = StageTimer()
    with pytest.raises(RuntimeError, match="broken"), timer("track"):
        raise RuntimeError("broken")
    assert "track" in timer.finish()
