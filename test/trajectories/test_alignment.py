"""Homographies and epipoles of many windows at once."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.trajectories.alignment import (
    apply_homographies,
    fit_epipoles,
    fit_homographies,
    split_along,
)
from motionseg_ros.trajectories.features import FINEST, NOISE

HOMOGRAPHY = np.array([[1.02, 0.03, 0.05], [-0.02, 0.99, -0.03], [0.01, -0.02, 1.0]], np.float32)


def scene(rng, n=200, gaps=3, outliers=0.0, noise=NOISE):
    """Points on a plane, gap by gap farther away; outliers all go one way, as an object does."""
    start = rng.uniform(-0.9, 0.9, (1, n, 2)).astype(np.float32)
    truth = np.stack([np.eye(3) + (k + 1) * (HOMOGRAPHY - np.eye(3)) for k in range(gaps)])[None]
    ends, _ = apply_homographies(truth.astype(np.float32), start)
    moving = np.arange(n) < outliers * n
    ends = ends + moving[:, None] * np.float32(0.04) * np.arange(1, gaps + 1)[:, None, None]
    ends = ends + rng.normal(0, noise, ends.shape)
    return start, ends.astype(np.float32), truth, moving


def error(found, truth, start):
    """Largest distance of the aligned points."""
    first, _ = apply_homographies(found, start)
    second, _ = apply_homographies(truth.astype(np.float32), start)
    return np.linalg.norm(first - second, axis=-1).max()


class TestHomographies:
    @pytest.mark.parametrize("outliers", [0.0, 0.2, 0.4])
    @pytest.mark.parametrize("reference", [0, 1, 2])
    def test_of_the_majority(self, outliers, reference):
        start, ends, truth, _ = scene(np.random.default_rng(0), outliers=outliers)
        common = np.ones(ends.shape[:-1], bool)
        found = fit_homographies(start, ends, common, np.array([reference]), FINEST)
        assert found.shape == (1, 3, 3, 3)
        assert error(found, truth, start) < 2 * NOISE

    def test_what_is_not_common_has_no_say(self):
        rng = np.random.default_rng(1)
        start, ends, truth, _ = scene(rng)
        common = rng.random(ends.shape[:-1]) < 0.6
        ends[~common] = rng.uniform(-1, 1, ((~common).sum(), 2))
        found = fit_homographies(start, ends, common, np.array([1]), FINEST)
        assert error(found, truth, start) < 2 * NOISE

    def test_a_window_does_not_depend_on_the_others_of_the_batch(self):
        rng = np.random.default_rng(2)
        parts = [scene(rng, outliers=share)[:2] for share in (0.0, 0.3, 0.5)]
        start, ends = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        common = np.ones(ends.shape[:-1], bool)
        together = fit_homographies(start, ends, common, np.array([0, 1, 2]), FINEST)
        for k in range(3):
            part = slice(k, k + 1)
            alone = fit_homographies(start[part], ends[part], common[part], np.array([k]), FINEST)
            np.testing.assert_allclose(alone[0], together[k], atol=1e-4)

    def test_the_order_of_the_points_does_not_matter(self):
        rng = np.random.default_rng(3)
        start, ends, _, _ = scene(rng, outliers=0.45)
        common = rng.random(ends.shape[:-1]) < 0.9
        order = rng.permutation(start.shape[1])
        found = fit_homographies(start, ends, common, np.array([1]), FINEST)
        again = fit_homographies(
            start[:, order], ends[:, :, order], common[:, :, order], np.array([1]), FINEST
        )
        np.testing.assert_allclose(again, found, atol=1e-4)

    @pytest.mark.parametrize("points", [0, 1, 3])
    def test_too_few_points_give_something_finite(self, points):
        start, ends, _, _ = scene(np.random.default_rng(4), n=20)
        common = np.zeros(ends.shape[:-1], bool)
        common[..., :points] = True
        assert np.isfinite(fit_homographies(start, ends, common, np.array([0]), FINEST)).all()

    def test_points_on_a_line_and_points_all_at_one_place(self):
        rng = np.random.default_rng(5)
        start, ends, _, _ = scene(rng, n=40)
        common = np.ones(ends.shape[:-1], bool)
        start[..., 1] = 0.3
        assert np.isfinite(fit_homographies(start, ends, common, np.array([0]), FINEST)).all()
        start[:] = 0.1
        assert np.isfinite(fit_homographies(start, ends, common, np.array([0]), FINEST)).all()


class TestEpipoles:
    @pytest.mark.parametrize("epipole", [(0.2, -0.1, 1.0), (3.0, 1.0, 1.0), (1.0, 0.2, 0.0), (0.0, 1.0, 0.0)])
    def test_residuals_lead_to_it(self, epipole):
        rng = np.random.default_rng(6)
        e = np.array(epipole, np.float32)
        points = rng.uniform(-0.9, 0.9, (1, 1, 300, 2)).astype(np.float32)
        direction = e[:2] - e[2] * points
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        parallax = rng.uniform(0, 0.05, (1, 1, 300, 1))
        residual = (direction * parallax + rng.normal(0, NOISE, points.shape)).astype(np.float32)
        moving = np.arange(300) < 60
        residual[:, :, moving] = (0.01, 0.03)
        found = fit_epipoles(points, residual, np.ones((1, 1, 300), bool), 3 * NOISE)
        across, along = split_along(found, points, residual)
        assert np.median(np.abs(across[0, 0, ~moving])) < 1.5 * NOISE
        assert np.median(np.abs(across[0, 0, moving])) > 4 * NOISE
        np.testing.assert_allclose(np.hypot(across, along), np.linalg.norm(residual, axis=-1), atol=1e-6)

    def test_without_any_residual(self):
        points = np.random.default_rng(7).uniform(-1, 1, (2, 3, 50, 2)).astype(np.float32)
        found = fit_epipoles(points, np.zeros_like(points), np.ones((2, 3, 50), bool), 3 * NOISE)
        assert np.isfinite(found).all()
        assert np.linalg.norm(found, axis=-1) == pytest.approx(1, abs=1e-4)
