"""From linked moving trajectories to objects: which are new, grow, part or are one.

Links are found afresh at every classification; objects live on, because trajectories remember which object they
carry. What a single classification says may be chance, so objects are split or merged only when several in a row
agree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

# A trajectory changes its object when the other one has so many votes more.
OUTVOTED = 2.0
# Neighbours vote by nearness: a Gaussian of the distance with this share of the grouping's reach.
VOTE_REACH = 0.33
# Steps along links over which an object spreads to trajectories of no object.
SPREAD_STEPS = 3
# An object is one with another when this share of its moving trajectories is linked with the other's.
MERGE_SHARE = 0.5
# An object has parts only where each holds at least this share of its moving trajectories, or this many.
PART_SHARE = 0.3
PART_COUNT = 12
# Factor on the tolerated difference of motions where fragments are put together: limbs swing.
LIMB_TOLERANCE = 1.5
# Share of a part's links that may lead to the other part where an object is cut in two, and the least part.
LOOSE = 0.12
LEAST_CUT = 5
# Trajectories up to which it is tried: its time grows with the third power.
MOST_CUT = 80
# A group right beside an object is part of it (a limb, an outline) when it is smaller than this share of it.
LIMB_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class Decisions:
    """What to do, as index arrays into the trajectories given.

    Args:
        owners: (M,) int64, id of the object that each trajectory carries from now on, 0 for none.
        new: trajectories of each new object.
        split: (object id, trajectories that leave it and become a new object).
        merge: (id that stays, id that goes).
    """

    owners: np.ndarray
    new: list[np.ndarray] = field(default_factory=list)
    split: list[tuple[int, np.ndarray]] = field(default_factory=list)
    merge: list[tuple[int, int]] = field(default_factory=list)


class Associator:
    """See the module's text. State: how many classifications in a row said the same of an object (or a pair)."""

    def __init__(self, patience: int, min_trajectories: int, min_evidence: float) -> None:
        self._patience = patience
        self._min_trajectories = min_trajectories
        self._min_evidence = min_evidence
        self.reset()

    def reset(self) -> None:
        """Forget what earlier classifications said."""
        self._splits: dict[int, int] = {}
        self._merges: dict[tuple[int, int], int] = {}

    def __call__(
        self,
        links: np.ndarray,
        weights: np.ndarray,
        owners: np.ndarray,
        ids: np.ndarray,
        favour: np.ndarray,
        evidence: np.ndarray,
        regions: np.ndarray,
        beside: Callable[[np.ndarray], np.ndarray],
        differ: Callable[[np.ndarray, np.ndarray, float], bool],
        attached: Collection[tuple[int, int]] = (),
        together: Collection[tuple[int, int]] = (),
    ) -> Decisions:
        """Decide for M moving trajectories.

        A group that no object owns is a new object, unless it is small and lies right beside one: then it joins
        that one, and is split off when it grows and keeps on moving differently.

        Args:
            links: (L, 2) int64, pairs of trajectories that are near each other and move alike.
            weights: (L,) nearness of each pair, 0..1.
            owners: (M,) int64, id of the object that each carries now, 0 for none.
            ids: (K,) int64, the living objects, ascending.
            favour: (M, K) what else speaks for each object at each trajectory, in votes of a near neighbour.
            evidence: (M,) log odds that each moves.
            regions: (M,) int64, number of the region without an object that each lies in, 0 for none.
            beside: given the owners, (M,) int64: the object that each lies right beside, 0 for none.
            differ: whether two groups of trajectories (index arrays) as wholes move differently, with a factor on
                what is tolerated.
            attached: pairs of objects whose masks touch and of which one has touched others all its life.
            together: those of them that go the same way in the long run.
        """
        owners = follow_neighbours(links, weights, owners, ids, favour)
        decisions = Decisions(owners)
        provisional = owners.copy()
        loose = np.concatenate([links, links_within(np.where(owners == 0, regions, 0))])
        for members in components(loose, owners == 0):
            if len(members) < self._min_trajectories:
                break  # the groups come by falling size
            neighbour = _main(beside(provisional)[members])
            if neighbour and len(members) < LIMB_SHARE * np.count_nonzero(provisional == neighbour):
                provisional[members] = neighbour
            elif evidence[members].sum() >= self._min_evidence:
                provisional[members] = -1 - len(decisions.new)
                decisions.new.append(members)
        owners[:] = np.maximum(provisional, 0)
        decisions.new[:] = [np.flatnonzero(provisional == -1 - n) for n in range(len(decisions.new))]
        self._decide_splits(links, owners, differ, decisions)
        joined = {pair for pair in _joined(links, owners) if not _part(owners, pair, differ, 1.0)}
        pieces = {p for p in _fragments(owners, attached) if not _part(owners, p, differ, LIMB_TOLERANCE)}
        self._decide_merges(joined | pieces | set(together), decisions)
        return decisions

    def _decide_splits(
        self,
        links: np.ndarray,
        owners: np.ndarray,
        differ: Callable[[np.ndarray, np.ndarray, float], bool],
        decisions: Decisions,
    ) -> None:
        parted = {}
        for object_id in np.unique(owners[owners > 0]).tolist():
            mine = owners == object_id
            least = max(2 * self._min_trajectories, min(PART_SHARE * np.count_nonzero(mine), PART_COUNT))
            large = [part for part in _loosely_joined(links, mine) if len(part) >= least]
            # What something thin in front cuts in two goes on as one.
            leaving = [part for part in large[1:] if differ(large[0], part, 1.0)]
            if leaving:
                parted[object_id] = leaving[0]
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


def follow_neighbours(
    links: np.ndarray, weights: np.ndarray, owners: np.ndarray, ids: np.ndarray, favour: np.ndarray
) -> np.ndarray:
    """(M,) owners after each trajectory has looked at its linked neighbours.

    Those of no object join the one that has most votes. One of an object changes only when outvoted: that is a
    point which has slipped from one object onto another that passes by.

    Args:
        links: (L, 2) pairs, of `weights` (L,).
        owners: (M,) ids, 0 for none.
        ids: (K,) the objects.
        favour: (M, K) votes for each object that do not come from neighbours.
    """
    if len(ids) == 0 or len(owners) == 0:
        return owners.copy()
    ends, weights = np.concatenate([links, links[:, ::-1]]), np.concatenate([weights, weights])
    owners, rows = owners.copy(), np.arange(len(owners))
    for step in range(SPREAD_STEPS):
        column = np.searchsorted(ids, owners)
        votes = np.zeros((len(owners), len(ids) + 1))
        carried = owners[ends[:, 1]] > 0
        np.add.at(votes, (ends[carried, 0], column[ends[carried, 1]]), weights[carried])
        near = votes[:, :-1] > 0  # what is far from an object does not join it for its look
        total = np.where(near | (ids == owners[:, None]), votes[:, :-1] + favour, -np.inf)
        best = total.argmax(1)
        own = np.where(owners > 0, total[rows, np.minimum(column, len(ids) - 1)], 0.0)
        joins = (owners == 0) & (total[rows, best] > 0)
        # Only in the first step, or a change would run along the links.
        changes = (owners > 0) & (total[rows, best] > np.maximum(own, 0) + OUTVOTED) & (step == 0)
        owners = np.where(joins | changes, ids[best], owners)
    return owners


def components(links: np.ndarray, among: np.ndarray) -> list[np.ndarray]:
    """Connected groups of the trajectories `among` (M,) bool, as ascending index arrays, by falling size."""
    rows = np.flatnonzero(among)
    if len(rows) == 0:
        return []
    place = np.cumsum(among) - 1
    inner = links[among[links].all(1)]
    a, b = place[inner].T
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(len(rows), len(rows)))
    count, number = connected_components(graph, directed=False)
    order = np.argsort(-np.bincount(number, minlength=count), kind="stable")
    return [rows[number == n] for n in order]


def links_within(regions: np.ndarray) -> np.ndarray:
    """(L, 2) pairs that chain together the trajectories of each region; `regions` (M,) numbers, 0 for none.

    What rolls or folds has parts that move differently, but the image moves as one region there.
    """
    order = np.argsort(regions, kind="stable")
    same = (regions[order[1:]] == regions[order[:-1]]) & (regions[order[1:]] > 0)
    return np.column_stack([order[:-1][same], order[1:][same]]).astype(np.int64)


def nearness(positions: np.ndarray, links: np.ndarray, reach: float) -> np.ndarray:
    """(L,) 0..1: the weight of each pair's votes, by the distance of positions (M, 2) px."""
    distance = np.linalg.norm(positions[links[:, 0]] - positions[links[:, 1]], axis=1)
    return np.exp(-0.5 * (distance / (VOTE_REACH * reach)) ** 2)


def _loosely_joined(links: np.ndarray, among: np.ndarray) -> list[np.ndarray]:
    """The connected groups of the trajectories `among` (M,) bool, by falling size; one group is cut in two where few
    links hold it together (a chain of accidental neighbours between two objects).

    Groups of more than `MOST_CUT` are left as they are. The cut is the normalised one of Shi and Malik, "Normalized
    Cuts and Image Segmentation" (PAMI 2000).
    """
    parts = components(links, among)
    if not parts or not 2 * LEAST_CUT <= len(parts[0]) <= MOST_CUT:
        return parts
    rows, rest = parts[0], parts[1:]
    inner = np.searchsorted(rows, links[np.isin(links, rows).all(1)])
    weight = np.zeros((len(rows), len(rows)))
    weight[inner[:, 0], inner[:, 1]] = weight[inner[:, 1], inner[:, 0]] = 1.0
    degree = weight.sum(1)
    scaled = weight / np.sqrt(degree[:, None] * degree)
    _, vectors = eigh(scaled, subset_by_index=(len(rows) - 2, len(rows) - 2))
    if not vectors.size:  # of values that are all alike LAPACK may find none; such a group holds together
        return parts
    side = vectors[:, 0] / np.sqrt(degree) > 0
    across = weight[side][:, ~side].sum()
    if min(side.sum(), (~side).sum()) < LEAST_CUT:
        return parts
    if across > LOOSE * min(degree[side].sum(), degree[~side].sum()):
        return parts
    return sorted([rows[side], rows[~side], *rest], key=len, reverse=True)


def lies_beside(positions: np.ndarray, owners: np.ndarray, reach: float) -> np.ndarray:
    """(M,) int64: the owner of the nearest owned trajectory within `reach` px of each position (M, 2), else 0."""
    owned = np.flatnonzero(owners != 0)
    if len(owned) == 0:
        return np.zeros(len(positions), np.int64)
    distance, nearest = cKDTree(positions[owned]).query(positions, distance_upper_bound=reach)
    near = np.isfinite(distance)
    return np.where(near, owners[owned][np.where(near, nearest, 0)], 0)


def _main(ids: np.ndarray) -> int:
    """The most frequent id, 0 where that is none."""
    values, counts = np.unique(ids, return_counts=True)
    return int(values[np.argmax(counts)])


def _joined(links: np.ndarray, owners: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of objects, the older first, of which one has most of its trajectories linked with the other's."""
    totals = dict(zip(*np.unique(owners, return_counts=True), strict=True))
    ends = np.concatenate([links, links[:, ::-1]])
    across = ends[(owners[ends] > 0).all(1) & (owners[ends[:, 0]] != owners[ends[:, 1]])]
    found = np.unique(np.column_stack([across[:, 0], owners[across[:, 1]]]), axis=0)
    pairs, counts = np.unique(np.column_stack([owners[found[:, 0]], found[:, 1]]), axis=0, return_counts=True)
    return {
        (int(min(pair)), int(max(pair)))
        for pair, count in zip(pairs, counts, strict=True)
        if count >= MERGE_SHARE * totals[pair[0]]
    }


def _fragments(owners: np.ndarray, attached: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Pairs of attached objects, the older first, of which one carries few trajectories beside the other."""
    totals = dict(zip(*(a.tolist() for a in np.unique(owners, return_counts=True)), strict=True))
    found = set()
    for one, other in attached:
        few, many = sorted((totals.get(one, 0), totals.get(other, 0)))
        if few < LIMB_SHARE * many:
            found.add((min(one, other), max(one, other)))
    return found


def _part(
    owners: np.ndarray,
    pair: tuple[int, int],
    differ: Callable[[np.ndarray, np.ndarray, float], bool],
    tolerance: float,
) -> bool:
    """Whether two objects move differently; one without trajectories goes along with the other."""
    one, other = (np.flatnonzero(owners == object_id) for object_id in pair)
    return len(one) > 0 and len(other) > 0 and differ(one, other, tolerance)
