"""From groups of moving trajectories to objects: which are new, grow, part or are one.

Groups are found afresh at every classification; objects live on. What a single classification says may be chance,
so objects are split or merged only when several in a row agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.spatial import cKDTree

# A group speaks for an object that owns at least this share of its trajectories.
MAIN_SHARE = 0.3
# An object is one with another when this share of its moving trajectories goes with the other's.
MERGE_SHARE = 0.5
# An object has parts only where each holds at least this share of its moving trajectories, or this many.
PART_SHARE = 0.3
PART_COUNT = 12


@dataclass(frozen=True, eq=False)
class Decisions:
    """What to do, as index arrays into the trajectories given.

    Args:
        grow: object id -> trajectories that belong to it.
        new: trajectories of each new object.
        split: (object id, trajectories that leave it and become a new object).
        merge: (id that stays, id that goes).
    """

    grow: dict[int, np.ndarray] = field(default_factory=dict)
    new: list[np.ndarray] = field(default_factory=list)
    split: list[tuple[int, np.ndarray]] = field(default_factory=list)
    merge: list[tuple[int, int]] = field(default_factory=list)


class Associator:
    """See the module's text. State: how many classifications in a row said the same of an object (or a pair)."""

    def __init__(self, patience: int, min_trajectories: int) -> None:
        self._patience = patience
        self._min_trajectories = min_trajectories
        self.reset()

    def reset(self) -> None:
        """Forget what earlier classifications said."""
        self._splits: dict[int, int] = {}
        self._merges: dict[tuple[int, int], int] = {}

    def __call__(self, groups: np.ndarray, owners: np.ndarray, beside: np.ndarray) -> Decisions:
        """Decide for M moving trajectories.

        A group that no object owns is a new object, unless it lies right beside one: then it joins that one, and
        is split off when it keeps on moving differently. Limbs and outlines would be objects otherwise.

        Args:
            groups: (M,) int64, group number, -1 for none.
            owners: (M,) int64, id of the object that each carries now, 0 for none.
            beside: (M,) int64, id of the object that each lies on or right beside, 0 for none.
        """
        decisions = Decisions()
        parts: dict[int, list[np.ndarray]] = {}
        joined: set[tuple[int, int]] = set()
        totals = dict(zip(*np.unique(owners, return_counts=True), strict=True))
        for number in range(int(groups.max(initial=-1)) + 1):
            members = np.flatnonzero(groups == number)
            ids, counts = np.unique(owners[members][owners[members] > 0], return_counts=True)
            keeper = int(ids[np.argmax(counts)]) if len(ids) else 0
            if not keeper or counts.max() < max(2, MAIN_SHARE * len(members)):
                self._place(members[owners[members] == 0], beside, decisions)
                continue
            _grow(decisions, keeper, members[owners[members] == 0])
            parts.setdefault(keeper, []).append(members[owners[members] == keeper])
            absorbed = ids[(ids != keeper) & (counts >= MERGE_SHARE * np.array([totals[i] for i in ids]))]
            joined.update((min(keeper, int(i)), max(keeper, int(i))) for i in absorbed)
        self._decide_splits(parts, owners, decisions)
        self._decide_merges(joined, decisions)
        return decisions

    def _place(self, free: np.ndarray, beside: np.ndarray, decisions: Decisions) -> None:
        """A group without an owner: a new object, or part of the one that most of it lies beside."""
        if len(free) < self._min_trajectories:
            return
        ids, counts = np.unique(beside[free], return_counts=True)
        neighbour = int(ids[np.argmax(counts)])
        if neighbour:
            _grow(decisions, neighbour, free)
        else:
            decisions.new.append(free)

    def _decide_splits(
        self, parts: dict[int, list[np.ndarray]], owners: np.ndarray, decisions: Decisions
    ) -> None:
        parted = {}
        for object_id, pieces in parts.items():
            share = min(PART_SHARE * np.count_nonzero(owners == object_id), PART_COUNT)
            least = max(2 * self._min_trajectories, share)
            large = sorted((p for p in pieces if len(p) >= least), key=len)
            if len(large) >= 2:
                parted[object_id] = large[0]
        self._splits = {i: self._splits.get(i, 0) + 1 for i in parted}
        for object_id, count in list(self._splits.items()):
            if count >= self._patience:
                decisions.split.append((object_id, parted[object_id]))
                del self._splits[object_id]

    def _decide_merges(self, joined: set[tuple[int, int]], decisions: Decisions) -> None:
        self._merges = {pair: self._merges.get(pair, 0) + 1 for pair in joined}
        gone: set[int] = set()
        for (older, younger), count in sorted(self._merges.items()):
            if count >= self._patience and not {older, younger} & gone:
                decisions.merge.append((older, younger))
                gone.add(younger)
        self._merges = {pair: n for pair, n in self._merges.items() if not set(pair) & gone}


def _grow(decisions: Decisions, object_id: int, members: np.ndarray) -> None:
    before = decisions.grow.get(object_id, np.zeros(0, np.int64))
    decisions.grow[object_id] = np.concatenate([before, members])


def lies_beside(positions: np.ndarray, owners: np.ndarray, reach: float) -> np.ndarray:
    """(M,) int64: the owner of the nearest owned trajectory within `reach` px of each position (M, 2), else 0."""
    owned = np.flatnonzero(owners > 0)
    if len(owned) == 0:
        return np.zeros(len(positions), np.int64)
    distance, nearest = cKDTree(positions[owned]).query(positions, distance_upper_bound=reach)
    near = np.isfinite(distance)
    return np.where(near, owners[owned][np.where(near, nearest, 0)], 0)
