"""Finds objects without a mask model's help: trajectories that are near each other and move alike carry one object."""

from __future__ import annotations

import warnings

import numpy as np

from .association import Associator, lies_beside, nearness
from .beliefs import log_odds
from .company import Company
from .config import Config
from .protocols import Grouper
from .situation import Situation
from .types import Prompts

# Votes of a near neighbour that the mask under a trajectory is worth, and at most the colours seen there.
UNDER_VOTES = 1.0
LOOK_VOTES = 2.0


class LinkedObjects:
    """Links the moving trajectories and lets them add, grow, split and merge objects, which their points prompt.

    State: what earlier classifications said (see `association` and `company`).
    """

    def __init__(self, config: Config, grouper: Grouper) -> None:
        self._reach = config.grouping.reach
        self._grouper = grouper
        self._associator = Associator(
            config.objects.patience, config.grouping.min_trajectories, config.objects.min_evidence
        )
        self._company = Company()

    def reset(self) -> None:
        """Forget what earlier classifications said."""
        self._associator.reset()
        self._company.clear()

    def __call__(self, situation: Situation) -> np.ndarray:
        """(M,) int64: the object that each moving trajectory carries from now on, 0 for none."""
        rows, size = situation.movers, situation.size
        positions, evidence = situation.positions, situation.evidence
        motions = evidence.background.motions(len(evidence.positions))[rows]
        reach = self._reach * max(size)

        def differ(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
            with warnings.catch_warnings():  # a gap over which no trajectory of a part is known
                warnings.simplefilter("ignore", RuntimeWarning)
                medians = [np.nanmedian(motions[part], axis=0)[None] for part in (one, other)]
            return bool(self._grouper.differ(*medians, size, tolerance)[0])

        def apart(one: np.ndarray, other: np.ndarray) -> bool:
            return bool(self._grouper.differ(one[None], other[None], size)[0])

        self._company.note(situation.attached, situation.owners, motions)
        links = self._grouper.links(positions, motions, size)
        ids = np.array(sorted(situation.registry.ids), np.int64)
        decisions = self._associator(
            links,
            nearness(positions, links, reach),
            situation.owners,
            ids,
            favour(situation, ids),
            log_odds(evidence.moving[rows]),
            situation.masker.unclaimed(positions),
            lambda owners: lies_beside(positions, owners, reach),
            differ,
            situation.attached,
            self._company.together(apart),
        )
        owners = decisions.owners
        # What the user has chosen is one object, however its parts move.
        parts = [members for whole, members in decisions.split if whole not in situation.registry.chosen]
        for members in [*decisions.new, *parts]:
            owners[members] = situation.begin(positions[members], owners)
        for keeper, goes in decisions.merge:
            situation.join(keeper, goes, owners)
        for object_id in np.unique(owners[(owners > 0) & (owners != situation.owners)]).tolist():
            situation.masker.add(object_id, Prompts.on(positions[owners == object_id]))
        return owners


def favour(situation: Situation, ids: np.ndarray) -> np.ndarray:
    """(M, K) votes for objects (K,) at the moving trajectories: the mask that each was on, and what is seen there."""
    votes = UNDER_VOTES * (situation.under[:, None] == ids)
    if len(ids) < 2 or len(situation.movers) == 0:
        return votes
    points = situation.image.to_working(situation.positions)
    likelihood = situation.colours.at(situation.image.lab, points, ids.tolist())
    return votes + np.clip(likelihood - likelihood.mean(1, keepdims=True), -LOOK_VOTES, LOOK_VOTES)
