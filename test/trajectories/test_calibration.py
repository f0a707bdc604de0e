"""Calibrated probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.trajectories.calibration import Calibration, calibration_error, fit_calibration


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, -1.0), (2.5, 0.7)])
def test_finds_what_the_labels_were_drawn_from(slope, offset):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, 40_000)
    excess = rng.normal(0, 1, 40_000)
    truth = Calibration(slope, offset, 0.5)
    positive = rng.random(40_000) < truth(logits, excess)
    fitted = fit_calibration(logits, excess, positive, 0.5)
    assert fitted.excess_weight == 0.5
    assert fitted.slope == pytest.approx(slope, rel=0.05)
    assert fitted.offset == pytest.approx(offset, abs=0.05)
    assert calibration_error(fitted(logits, excess), positive) < 0.01


def test_separable_labels_have_a_finite_fit():
    fitted = fit_calibration(
        np.array([-3.0, -2.0, 2.0, 3.0]), np.zeros(4), np.array([False, False, True, True])
    )
    assert np.isfinite([fitted.slope, fitted.offset]).all()
    assert fitted.slope > 0


@pytest.mark.parametrize("label", [True, False])
def test_labels_all_alike(label):
    with pytest.raises(ValueError, match="both labels"):
        fit_calibration(np.zeros(5), np.zeros(5), np.full(5, label))


def test_probabilities_of_extreme_logits():
    answer = Calibration()(np.array([-1e9, 0, 1e9]), np.zeros(3))
    assert answer.dtype == np.float32
    assert answer == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_calibration_error_of_known_bins():
    probability = np.array([0.9, 0.9, 0.1, 0.1], np.float32)
    assert calibration_error(probability, np.array([1, 1, 0, 0])) == pytest.approx(0.1, abs=1e-6)
    assert calibration_error(probability, np.array([0, 0, 1, 1])) == pytest.approx(0.9, abs=1e-6)
    assert calibration_error(np.zeros(0), np.zeros(0)) == 0


def test_more_excess_is_more_probable():
    answer = Calibration(excess_weight=0.6)(np.zeros(3), np.array([-1.0, 0.0, 2.0]))
    assert answer[0] < answer[1] < answer[2]


def test_shifted_log_odds():
    logits = np.array([-2.0, 0.0, 1.0])
    before, after = (
        Calibration(0.7, -0.5)(logits, logits),
        Calibration(0.7, -0.5).shifted(1.0)(logits, logits),
    )
    assert np.log(after / (1 - after)) - np.log(before / (1 - before)) == pytest.approx(1.0, abs=1e-4)
