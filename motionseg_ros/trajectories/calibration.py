"""From a network's logits to probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

_LIMIT = 30.0


@dataclass(frozen=True)
class Calibration:
    """P = sigmoid(slope * logit + offset) (Platt, "Probabilistic Outputs for Support Vector Machines", 1999)."""

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities of logits of any shape, float32."""
        scaled = np.clip(self.slope * logits + self.offset, -_LIMIT, _LIMIT)
        return (1 / (1 + np.exp(-scaled))).astype(np.float32)


def fit_calibration(logits: np.ndarray, positive: np.ndarray) -> Calibration:
    """The calibration under which labels are most probable.

    Args:
        logits: (M,) float.
        positive: (M,) bool.

    Raises:
        ValueError: the labels are all alike: there is nothing to fit.
    """
    if positive.all() or not positive.any():
        raise ValueError("positive must have both labels")
    # As Platt does: targets a little inside 0 and 1, so that the fit is finite where logits separate the labels.
    number = int(positive.sum())
    target = np.where(positive, (number + 1) / (number + 2), 1 / (len(positive) - number + 2))
    x = logits.astype(np.float64)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * x + parameters[1]
        error = 1 / (1 + np.exp(-np.clip(z, -_LIMIT, _LIMIT))) - target
        return float(np.mean(np.logaddexp(0, z) - target * z)), np.array([np.mean(error * x), np.mean(error)])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return Calibration(float(slope), float(offset))


def calibration_error(probability: np.ndarray, positive: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean over equally wide bins, by their size, of |share of positives - mean P|."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    number = np.bincount(place, minlength=bins)
    gap = np.bincount(place, probability - positive, minlength=bins)
    return float(np.abs(gap).sum() / max(number.sum(), 1))
