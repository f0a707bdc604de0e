"""What the learned classifier is told."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.trajectories.features import GAPS, NUM_FEATURES, PER_GAP, window_features

SIZES = np.array([[240, 432]])


def some_window(frames=16, n=80, seed=0, depth=False):
    rng = np.random.default_rng(seed)
    start = rng.uniform((10, 10), (420, 230), (1, n, 1, 2))
    time = (np.arange(frames) - (frames - 1))[:, None]
    positions = start + time * (1.3, -0.4) + rng.normal(0, 0.05, (1, n, frames, 2))
    positions[:, :10] += time * (0.0, 2.0)
    visible = np.ones((1, n, frames), bool)
    confidence = np.full((1, n, frames), 0.97, np.float32)
    inverse = rng.uniform(0.1, 1, (1, n, 1)) * np.ones((1, n, frames)) if depth else None
    return positions.astype(np.float32), visible, confidence, inverse


def per_gap(values):
    """(B, N, G, PER_GAP)."""
    return values[..., : len(GAPS) * PER_GAP].reshape(*values.shape[:2], len(GAPS), PER_GAP)


@pytest.mark.parametrize("depth", [False, True])
@pytest.mark.parametrize("frames", [1, 2, 5, 16, 30])
def test_shapes_and_ranges(frames, depth):
    positions, visible, confidence, inverse = some_window(frames, depth=depth)
    found = window_features(positions, visible, confidence, SIZES, inverse)
    assert found.values.shape == (1, 80, NUM_FEATURES)
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() < 6
    assert found.known.all() == (frames > 1)


def test_movers_stand_out_of_the_homography():
    found = window_features(*some_window()[:3], SIZES)
    relative = per_gap(found.values)[0, :, :, 2]
    assert relative[:10].min() > relative[10:].max() > 0
    np.testing.assert_allclose(found.excess[0], 2 * relative.mean(1), atol=1e-5)


def test_nothing_depends_on_the_scale_of_the_image():
    positions, visible, confidence, _ = some_window()
    small = window_features(positions, visible, confidence, SIZES)
    centre = (SIZES[0, ::-1] - 1) / 2
    large = (positions - centre) * 2 + SIZES[0, ::-1] - 0.5
    twice = window_features(large.astype(np.float32), visible, confidence, SIZES * 2)
    np.testing.assert_allclose(twice.values, small.values, atol=5e-3)


def test_hidden_positions_are_not_looked_at():
    positions, visible, confidence, _ = some_window()
    visible[0, :30, :9] = False
    clean = window_features(positions, visible, confidence, SIZES)
    positions[0, :30, :9] = np.nan
    confidence[0, :30, :9] = np.nan
    np.testing.assert_array_equal(window_features(positions, visible, confidence, SIZES).values, clean.values)


def test_a_window_of_a_batch_is_as_if_alone():
    parts = [some_window(seed=k)[:3] for k in range(3)]
    parts[1][1][:, :, :13] = False  # a short one among long ones
    batch = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    together = window_features(*batch, np.repeat(SIZES, 3, axis=0))
    for k, part in enumerate(parts):
        np.testing.assert_allclose(window_features(*part, SIZES).values[0], together.values[k], atol=2e-3)


def test_a_short_window_is_as_a_long_one_that_saw_nothing_before():
    positions, visible, confidence, _ = some_window()
    visible[:, :, :11] = False
    long = window_features(positions, visible, confidence, SIZES)
    short = window_features(positions[:, :, 11:], visible[:, :, 11:], confidence[:, :, 11:], SIZES)
    np.testing.assert_allclose(short.values, long.values, atol=1e-5)


def test_scale_of_depth_does_not_matter_and_missing_depth_is_marked():
    positions, visible, confidence, inverse = some_window(depth=True)
    found = window_features(positions, visible, confidence, SIZES, inverse)
    half = window_features(positions, visible, confidence, SIZES, inverse / 2)
    np.testing.assert_allclose(half.values, found.values, atol=1e-5)
    none = window_features(positions, visible, confidence, SIZES, np.full_like(inverse, np.nan))
    np.testing.assert_array_equal(none.values, window_features(positions, visible, confidence, SIZES).values)
    assert (found.values[..., -1] == 1).all()
    assert (none.values[..., -1] == 0).all()


def test_what_comes_nearer_says_so():
    positions, visible, confidence, inverse = some_window(depth=True)
    inverse[:, :10] *= np.geomspace(0.5, 1, 16)
    change = per_gap(window_features(positions, visible, confidence, SIZES, inverse).values)[0, :, -1, -1]
    assert change[:10].min() > change[10:].max()
