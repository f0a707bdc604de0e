"""The forward pass, in both array libraries."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.trajectories.network import NetworkConfig, forward, initial_parameters

CONFIG = NetworkConfig(inputs=10, width=16, hidden=24, layers=2)


@pytest.fixture
def parameters():
    return initial_parameters(CONFIG, np.random.default_rng(0))


def some_input(b=3, n=20, seed=1):
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (b, n, 10)).astype(np.float32)
    return values, rng.uniform(-1, 1, (b, n, 2)).astype(np.float32), rng.random((b, n)) < 0.8


def test_numpy_and_torch_agree(parameters):
    torch = pytest.importorskip("torch", reason="needs torch: pip install motionseg_ros[train]")
    arrays = some_input()
    expected = forward(parameters, CONFIG, *arrays, 12)
    tensors = {name: torch.from_numpy(value) for name, value in parameters.items()}
    found = forward(tensors, CONFIG, *map(torch.from_numpy, arrays), 12, torch)
    assert expected.dtype == np.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_windows_do_not_mix(parameters):
    values, points, known = some_input()
    together = forward(parameters, CONFIG, values, points, known, 12)
    for k in range(3):
        part = slice(k, k + 1)
        alone = forward(parameters, CONFIG, values[part], points[part], known[part], 12)
        np.testing.assert_allclose(alone, together[part], atol=1e-5)


def test_only_known_anchors_have_influence(parameters):
    values, points, known = some_input()
    known[:, :4] = True
    known[:, 5] = False
    before = forward(parameters, CONFIG, values, points, known, 8)

    def without(row):
        """The other answers when what is known of one trajectory changes."""
        changed = values.copy()
        changed[:, row] += 3
        return np.delete(forward(parameters, CONFIG, changed, points, known, 8) - before, row, axis=1)

    assert np.abs(without(2)).max() > 1e-4  # an anchor
    assert np.abs(without(5)).max() < 1e-6  # among the anchors, but unknown
    assert np.abs(without(15)).max() < 1e-6  # no anchor


def test_near_ones_are_heard_more(parameters):
    values, points, known = some_input(1, 30)
    known[:] = True
    points[0, 0] = (0, 0)

    def influence(place):
        points[0, 1] = place
        changed = values.copy()
        changed[0, 1] += 3
        answers = [forward(parameters, CONFIG, v, points, known, 30)[0, 0] for v in (values, changed)]
        return abs(answers[1] - answers[0])

    assert influence((0.01, 0.0)) > influence((0.9, 0.9))


def test_nothing_known_gives_something_finite(parameters):
    values, points, known = some_input()
    assert np.isfinite(forward(parameters, CONFIG, values, points, np.zeros_like(known), 12)).all()


def test_width_must_be_a_multiple_of_the_heads():
    with pytest.raises(ValueError, match="multiple of 4"):
        NetworkConfig(width=30)
