"""What is known of each living trajectory over time: does it move, and which object does it carry."""

from __future__ import annotations

import numpy as np

from .by_id import find

# A trajectory starts as probably static, so that one classification alone makes no mover.
PRIOR = 0.3
# Trajectories without which their survival tells nothing.
LEAST_POPULATION = 30


def log_odds(belief: np.ndarray) -> np.ndarray:
    """Log odds of beliefs (0..1), within about 4 of zero: no trajectory is beyond doubt."""
    return np.log((belief + 0.02) / (1.02 - belief))


class TrajectoryBeliefs:
    """Low-passed P(moving), the decision made of it, and the owning object per trajectory id.

    The decision has hysteresis: a trajectory moves from the time its belief reaches `enter` until it falls below
    `leave`. Memory: the living trajectories only.
    """

    def __init__(self, weight: float, enter: float, leave: float) -> None:
        """`weight` of the newest classification, `enter` and `leave`: 0..1.

        Raises:
            ValueError: `leave` above `enter`.
        """
        if leave > enter:
            raise ValueError(f"leave must be at most enter, but got {leave} and {enter}")
        self._weight, self._enter, self._leave = weight, enter, leave
        self.reset()

    def reset(self) -> None:
        """Forget all trajectories."""
        self._ids = np.zeros(0, np.int64)
        self._moving = np.zeros(0, np.float32)
        self._known = np.zeros(0, bool)
        self._movers = np.zeros(0, bool)
        self._owners = np.zeros(0, np.int64)
        self._under = np.zeros(0, np.int64)

    @property
    def count(self) -> int:
        """Living trajectories."""
        return len(self._ids)

    def survival(self, ids: np.ndarray) -> float:
        """Share of the trajectories known so far that are among `ids`; 1 while there are too few to tell."""
        if len(self._ids) < LEAST_POPULATION:
            return 1.0
        return float(np.isin(self._ids, ids).mean())

    def knows(self, ids: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each of the trajectories `ids` is one of those known so far."""
        return np.isin(ids, self._ids)

    def follow(self, ids: np.ndarray) -> None:
        """Keep just the trajectories `ids` (N,), in this order; new ones are unknown and own nothing."""
        known, rows = find(ids, self._ids)

        def carry(values: np.ndarray, new: float) -> np.ndarray:
            carried = np.full(len(ids), new, values.dtype)
            carried[known] = values[rows]
            return carried

        self._moving = carry(self._moving, PRIOR)
        self._known = carry(self._known, False)
        self._movers = carry(self._movers, False)
        self._owners = carry(self._owners, 0)
        self._under = carry(self._under, 0)
        self._ids = ids.copy()

    def update(self, rows: np.ndarray, probability: np.ndarray, first_window: bool = False) -> None:
        """Blend new probabilities (M,) into the trajectories `rows`, an index or boolean array selecting M.

        In the `first_window` there is nothing yet that a new trajectory could be presumed to belong to: it is
        believed at once.
        """
        weight = np.where(self._known[rows] | (not first_window), self._weight, 1.0)
        self._moving[rows] += weight * (probability - self._moving[rows])
        self._known[rows] = True
        moving = self._moving[rows]
        self._movers[rows] = (moving >= self._enter) | (self._movers[rows] & (moving >= self._leave))

    def own(self, owners: np.ndarray) -> None:
        """Set the owning object of every trajectory, (N,) ids, 0 for none."""
        self._owners = owners.astype(np.int64)

    def lie_on(self, labels: np.ndarray) -> None:
        """Note the object in whose mask every trajectory lies, (N,) ids, 0 for none."""
        self._under = labels.astype(np.int64)

    @property
    def under(self) -> np.ndarray:
        """(N,) int64, the object in whose mask each trajectory lay last, or 0."""
        return self._under

    @property
    def moving(self) -> np.ndarray:
        """(N,) float32, belief that each trajectory moves."""
        return self._moving

    @property
    def known(self) -> np.ndarray:
        """(N,) bool, classified at least once."""
        return self._known

    @property
    def movers(self) -> np.ndarray:
        """(N,) bool, decided to move."""
        return self._movers

    @property
    def owners(self) -> np.ndarray:
        """(N,) int64, object id or 0."""
        return self._owners
