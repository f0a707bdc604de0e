from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.trajectories.inputs import check_samples

GOOD = np.array([[0, 0.5, 1], [np.nan, 0.25, np.nan]], np.float32)


def changed(value: float) -> np.ndarray:
    """`GOOD` with one number that is not."""
    depth = GOOD.copy()
    depth[0, 1] = value
    return depth


class TestCheckSamples:
    @pytest.mark.parametrize(
        "depth", [GOOD, np.zeros((2, 3), np.float32), np.full((2, 3), np.nan, np.float32)]
    )
    def test_good(self, depth):
        check_samples(depth, 2, 3)

    @pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
    def test_empty(self, shape):
        check_samples(np.zeros(shape, np.float32), *shape)

    @pytest.mark.parametrize(
        ("depth", "message"),
        [
            (GOOD[:1], r"depth must be \(N, T\) = \(2, 3\), a value per .*, but got \(1, 3\)$"),
            (GOOD[:, :2], r"depth must be \(N, T\) = \(2, 3\), .*, but got \(2, 2\)$"),
            (GOOD.T, r"depth must be \(N, T\) = \(2, 3\), .*, but got \(3, 2\)$"),
            (GOOD[..., None], r"depth must be \(N, T\) = \(2, 3\), .*, but got \(2, 3, 1\)$"),
            (GOOD.tolist(), r"depth must be \(N, T\) = \(2, 3\), .*, but got list$"),
            (GOOD.astype(np.float64), "depth must be float32, but got float64$"),
            (changed(1.5), r"depth must be in 0\.\.1, or NaN, but got 1\.5$"),
            (changed(-0.25), r"depth must be in 0\.\.1, or NaN, but got -0\.25$"),
            (changed(np.inf), r"depth must be in 0\.\.1, or NaN, but got inf$"),
            (changed(-np.inf), r"depth must be in 0\.\.1, or NaN, but got -inf$"),
        ],
    )
    def test_bad(self, depth, message):
        with pytest.raises(ValueError, match=message) as caught:
            check_samples(depth, 2, 3)
        assert "\n" not in str(caught.value)
