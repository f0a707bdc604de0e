"""Finds objects with the mask model's help: what one mask explains is one object (Segment Any Motion, section 3.3).

The paper groups the trajectories of a whole video and then prompts each object in every 16th frame. On a stream, each
time trajectories are classified those that no living object explains are grouped in the newest frame, living objects
are prompted again at intervals, and objects whose masks cover each other become one. All prompts of a frame share
its one pass through the image encoder.
"""

from __future__ import annotations

import numpy as np

from ..core.config import PromptingConfig
from ..core.observe import compose, sample
from ..core.protocols import PromptableMasker
from ..core.situation import Situation
from ..core.types import MaskLogits, Prompts
from .iterative import dilate, group_by_prompting, object_points
from .merging import OverlapHistory


class PromptedObjects:
    """See the module's text; the situation's masker must be a `PromptableMasker`.

    State: when each object was prompted last, and which masks overlapped of late.
    """

    def __init__(self, config: PromptingConfig) -> None:
        self._config = config
        self._overlaps = OverlapHistory(config.merge_overlap, config.merge_share, config.merge_window)
        self.reset()

    def reset(self) -> None:
        """Forget all objects."""
        self._overlaps.clear()
        self._prompted: dict[int, int] = {}

    def __call__(self, situation: Situation) -> np.ndarray:
        """(M,) int64: the object that each moving trajectory carries from now on, 0 for none."""
        masks = situation.masker.masks()
        labels, _ = compose(masks, situation.size)
        under = sample(labels, situation.positions)
        # One that its object's mask has missed in this frame is still its own, and will prompt it.
        owners = np.where(under > 0, under, situation.owners)
        self._merge(situation, masks, owners)
        self._prompt_again(situation, owners)
        self._find_new(situation, masks, labels > 0, owners)
        return owners

    def _merge(self, situation: Situation, masks: dict[int, MaskLogits], owners: np.ndarray) -> None:
        self._overlaps.note(situation.registry.ids, masks)
        for keeper, goes in self._overlaps.merges():
            if keeper in situation.registry:  # else it has gone into a third one that the user has chosen
                situation.join(keeper, goes, owners)
                if keeper in self._prompted:  # at once: its mask may be that of a part
                    self._prompted[keeper] = situation.frame - self._config.interval

    def _prompt_again(self, situation: Situation, owners: np.ndarray) -> None:
        living = situation.registry.ids
        self._prompted = {i: frame for i, frame in self._prompted.items() if i in living}
        for object_id, frame in self._prompted.items():
            mine = (owners == object_id) & self._usable(situation)
            if situation.frame - frame >= self._config.interval and mine.any():
                self._prompt(situation, object_id, situation.positions[mine])

    def _find_new(
        self, situation: Situation, masks: dict[int, MaskLogits], explained: np.ndarray, owners: np.ndarray
    ) -> None:
        masker: PromptableMasker = situation.masker
        near = sample(dilate(explained, self._config).view(np.uint8), situation.positions) > 0
        free = np.flatnonzero((owners == 0) & ~near & self._usable(situation))
        positions = situation.positions[free]
        groups = group_by_prompting(
            positions[:, None],
            np.ones((len(free), 1), bool),
            situation.size,
            lambda _, point: masker.probe(Prompts.on(point[None])),
            self._config,
        )
        in_sight = set(masks)
        for group in groups:
            object_id = situation.begin(positions[group.members], owners, in_sight)
            if object_id:
                in_sight.add(object_id)
                owners[free[group.members]] = object_id
                self._prompt(situation, object_id, positions[group.members])

    def _prompt(self, situation: Situation, object_id: int, positions: np.ndarray) -> None:
        radius = self._config.density_radius * max(situation.size)
        situation.masker.add(object_id, Prompts.on(object_points(positions, radius)))
        self._prompted[object_id] = situation.frame

    def _usable(self, situation: Situation) -> np.ndarray:
        return situation.confidence > self._config.min_confidence
