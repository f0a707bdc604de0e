"""From a network's logits to probabilities that mean what they say."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

_LIMIT = 30.0


#: A simulator cannot have all of the world in it. Where the network is in doubt, what stands out of the homography
#: by more rather moves; chosen on real video with movers and without, anything from 0.3 to 1 is
#: about as good.
EXCESS_WEIGHT = 0.6


@dataclass(frozen=True)
class Calibration:
    """P = sigmoid(slope * (logit + excess_weight * excess) + offset).

    Slope and offset as in Platt, "Probabilistic Outputs for Support Vector Machines", 1999; for the excess see
    `features.WindowFeatures`.
    """

    slope: float = 1.0
    offset: float = 0.0
    excess_weight: float = 0.0

    def shifted(self, log_odds: float) -> Calibration:
        """The same for a world in which moving is more likely by `log_odds` than where it was fitted."""
        return replace(self, offset=self.offset + log_odds)

    def __call__(self, logits: np.ndarray, excess: np.ndarray) -> np.ndarray:
        """Probabilities, float32, of logits and excesses of any one shape."""
        scaled = self.slope * (logits + self.excess_weight * excess) + self.offset
        return (1 / (1 + np.exp(-np.clip(scaled, -_LIMIT, _LIMIT)))).astype(np.float32)


def fit_calibration(
    logits: np.ndarray, excess: np.ndarray, positive: np.ndarray, excess_weight: float = EXCESS_WEIGHT
) -> Calibration:
    """The calibration under which labels are most probable, given the weight of the excess.

    Args:
        logits: (M,) float.
        excess: (M,) float.
        positive: (M,) bool.
        excess_weight: see `Calibration`.

    Raises:
        ValueError: the labels are all alike: there is nothing to fit.
    """
    if positive.all() or not positive.any():
        raise ValueError("positive must have both labels")
    # As Platt does: targets a little inside 0 and 1, so that the fit is finite where logits separate the labels.
    number = int(positive.sum())
    target = np.where(positive, (number + 1) / (number + 2), 1 / (len(positive) - number + 2))
    x = logits.astype(np.float64) + excess_weight * excess

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        z = parameters[0] * x + parameters[1]
        error = 1 / (1 + np.exp(-np.clip(z, -_LIMIT, _LIMIT))) - target
        return float(np.mean(np.logaddexp(0, z) - target * z)), np.array([np.mean(error * x), np.mean(error)])

    slope, offset = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    return Calibration(float(slope), float(offset), excess_weight)


def calibration_error(probability: np.ndarray, positive: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean over equally wide bins, by their size, of |share of positives - mean P|."""
    place = np.minimum((probability * bins).astype(np.int64), bins - 1)
    number = np.bincount(place, minlength=bins)
    gap = np.bincount(place, probability - positive, minlength=bins)
    return float(np.abs(gap).sum() / max(number.sum(), 1))
