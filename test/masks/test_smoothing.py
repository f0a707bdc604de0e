from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import diags, eye
from scipy.sparse.linalg import spsolve

from motionseg_ros.masks.smoothing import EdgeAwareSmoother

FLAT = np.full((40, 60, 3), 120, np.uint8)


def noise(h: int, w: int, k: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (k, h, w)).astype(np.float32)


@pytest.mark.parametrize("size", [(40, 60), (1, 30), (30, 1), (1, 1), (2, 2)])
@pytest.mark.parametrize("strength", [1.0, 900.0])
def test_a_constant_field_is_not_changed(size, strength):
    lab = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    fields = np.stack([np.full(size, 3.0), np.full(size, -0.5)]).astype(np.float32)
    np.testing.assert_allclose(EdgeAwareSmoother(lab, 6.0)(fields, strength), fields, rtol=2e-3)


def test_keeps_the_mean_and_the_range():
    field = noise(40, 60)
    smooth = EdgeAwareSmoother(FLAT, 6.0)(field, 100.0)
    assert smooth.shape == field.shape
    assert smooth.dtype == np.float32
    assert smooth.mean() == pytest.approx(field.mean(), abs=1e-3)
    assert smooth.std() < 0.1 * field.std()
    assert field.min() <= smooth.min() <= smooth.max() <= field.max()


@pytest.mark.parametrize("strength", [4.0, 36.0])
def test_strength_is_the_squared_reach(strength):
    """The variance of an impulse's answer along each axis, in a flat image."""
    impulse = np.zeros((1, 121, 121), np.float32)
    impulse[0, 60, 60] = 1.0
    answer = EdgeAwareSmoother(np.full((121, 121, 3), 90, np.uint8), 6.0)(impulse, strength)[0]
    offset = np.arange(121) - 60
    for axis in (0, 1):
        assert (answer.sum(axis) * offset**2).sum() / answer.sum() == pytest.approx(strength, rel=0.03)


def test_an_edge_stops_it():
    lab = FLAT.copy()
    lab[:, 30:] = 200
    field = np.zeros((1, 40, 60), np.float32)
    field[:, :, 30:] = 1.0
    kept = EdgeAwareSmoother(lab, 6.0)(field, 900.0)[0]
    assert kept[:, :30].max() < 0.02
    assert kept[:, 30:].min() > 0.98
    washed = EdgeAwareSmoother(FLAT, 6.0)(field, 900.0)[0]
    assert washed[:, 29].max() > 0.3


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_any_channel_makes_an_edge(channel):
    lab = FLAT.copy()
    lab[:20, :, channel] = 180
    field = np.zeros((1, 40, 60), np.float32)
    field[:, :20] = 1.0
    assert EdgeAwareSmoother(lab, 6.0)(field, 900.0)[0, 20:].max() < 0.02


@pytest.mark.parametrize("direction", ["row", "column"])
def test_one_line_is_the_least_squares_solution(direction):
    """Minimise (x - f)^2 + strength / 2 * sum of w (x_i - x_i+1)^2 with w = exp(-|colour step| / edge)."""
    rng = np.random.default_rng(2)
    n, strength, edge = 50, 40.0, 10.0
    lab = np.clip(rng.normal(120, 15, (1, n, 3)), 0, 255).astype(np.uint8)
    field = rng.normal(0, 1, (1, 1, n)).astype(np.float32)
    weight = np.exp(-np.abs(np.diff(lab[0].astype(float), axis=0)).max(1) / edge)
    difference = diags([np.full(n - 1, -1.0), np.full(n - 1, 1.0)], [0, 1], (n - 1, n))
    system = eye(n) + strength / 2 * difference.T @ diags(weight) @ difference
    expected = spsolve(system.tocsc(), field[0, 0].astype(float))
    if direction == "column":
        lab, field = lab.transpose(1, 0, 2), field.transpose(0, 2, 1)
    found = EdgeAwareSmoother(np.ascontiguousarray(lab), edge)(field, strength, passes=1)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-4)


def test_fields_do_not_mix():
    lab = np.random.default_rng(3).integers(0, 256, (20, 30, 3), np.uint8)
    fields = noise(20, 30, 3)
    smoother = EdgeAwareSmoother(lab, 30.0)
    together = smoother(fields, 50.0)
    for k in range(3):
        np.testing.assert_allclose(together[k : k + 1], smoother(fields[k : k + 1], 50.0), atol=1e-5)


def test_rows_do_not_run_into_each_other():
    """The last pixel of a row is no neighbour of the first one of the next."""
    field = np.zeros((1, 2, 30), np.float32)
    field[0, 0, -1] = 1.0
    lab = np.full((2, 30, 3), 90, np.uint8)
    lab[1] = 250  # nothing goes down to the second row
    assert np.abs(EdgeAwareSmoother(lab, 6.0)(field, 100.0)[0, 1]).max() < 1e-4


def test_does_not_change_its_input():
    field = noise(40, 60)
    before = field.copy()
    EdgeAwareSmoother(FLAT, 6.0)(field, 100.0)
    np.testing.assert_array_equal(field, before)


@pytest.mark.parametrize("box", [np.s_[5:35, 10:50], np.s_[0:40, 0:60], np.s_[7:8, 20:45], np.s_[3:9, 59:60]])
def test_a_part_is_smoothed_as_an_image_of_its_own(box):
    lab = np.random.default_rng(1).integers(100, 120, (40, 60, 3), np.uint8)
    fields = noise(40, 60, 2)[:, box[0], box[1]]
    part = EdgeAwareSmoother(lab, 6.0).crop(box)
    np.testing.assert_allclose(part(fields, 50.0), EdgeAwareSmoother(lab[box], 6.0)(fields, 50.0), atol=1e-5)
