"""The default masker: dense masks from trajectories, optical flow and colour, with no weights.

Per frame one field of logits says which pixels move on their own (dense motion and photometric test, trajectories
spread along image edges, colour models learned from its own answers), smoothed along edges. The moving pixels are
then given to objects (see `ownership`). A region that no object and no prompt claims is not shown.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree

from ..core.background import BackgroundMotion
from ..core.beliefs import log_odds
from ..core.config import MaskerConfig
from ..core.errors import PromptError
from ..core.evidence import MotionEvidence
from ..core.image import WorkingImage
from ..core.types import MaskLogits, Prompts
from ..core.window import SlidingWindow
from .appearance import ColourModel, LocalColourModel, centre_of
from .chosen import ChosenMasks
from .dense_motion import DenseMotion, DenseMotionEstimator
from .labels import carry, drop_fragments, free_regions
from .ownership import Anchors, share_out
from .smoothing import EdgeAwareSmoother

# Logit that a resting object's carried mask gets, since motion no longer speaks for it.
STILL_LOGIT = 4.0
# Logit against motion where nothing moved before and no trajectory says that it does.
NEW_LOGIT = -1.5
# How far from an object's carried mask its colours are looked for, px.
NEAR = 20
TRAJECTORY_LIMIT = 2.5
TRAJECTORY_REACH = 60.0


class GuidedMasker:
    """See the module's text. State: colour models, the masks of the objects that the user has chosen; of the newest
    frame the dense motion, the logits, the labels, and the points at which trajectories carry objects."""

    def __init__(self, config: MaskerConfig) -> None:
        self._config = config
        self._motion = DenseMotionEstimator(config.steepness, config.threshold, config.colour_tolerance)
        self.reset()

    def reset(self) -> None:
        """Forget all objects, colours and frames."""
        self._motion.reset()
        self._colour = ColourModel()
        self._motion_now: DenseMotion | None = None
        self._objects: dict[int, LocalColourModel] = {}
        self._chosen = ChosenMasks()
        self._labels: np.ndarray | None = None
        self._settled = True
        self._logit: np.ndarray | None = None
        self._image: WorkingImage | None = None

    def watch(self, window: SlidingWindow, background: BackgroundMotion) -> None:
        """Learn from what the frame before was in the end; find the newest frame's dense motion and its edges."""
        if self._labels is not None:
            self._settle()
            self._learn()
            self._chosen.note(self._labels)
        image = window.newest
        self._smoother = EdgeAwareSmoother(image.lab, self._config.edge)
        self._motion_now = self._motion(window, background)
        self._carried = self._carry(image.size, self._motion_now.flow)
        self._chosen.carry(image, self._motion_now.flow, background, self._carried)
        self._seen_colours = self._colour(image.lab)
        self._seen_places = self._look_for_objects(image.lab)

    def push(self, window: SlidingWindow, evidence: MotionEvidence) -> None:
        """Update the field of logits for the newest frame and carry all objects to it.

        Raises:
            ValueError: `watch` has not been called yet.
        """
        if self._motion_now is None:
            raise ValueError("push needs the frame's motion; call watch first")
        image, motion, smoother = window.newest, self._motion_now, self._smoother
        self._image = image
        points = self._to_working(evidence.positions)
        known = evidence.known
        field = trajectory_field(points[known], evidence.moving[known], smoother, image.size)
        # Where trajectories say that something moves, that the background looks alike is no argument.
        logit = motion.logit + motion.explained / (1.0 + np.exp(3.0 * (field - 1.5)))
        logit += self._config.trajectory_weight * field
        moves = logit > self._config.caution  # colours do not count here: they are learned from what is held
        if self._seen_colours is not None:
            logit += self._seen_colours
        logit -= self._config.caution
        places = self._places(field)
        if evidence.still:
            logit[np.isin(self._carried, list(evidence.still))] += STILL_LOGIT
        logit = smoother((logit + places)[None], self._config.smoothness)[0]

        self._points, self._owners = points, evidence.owners.copy()
        self._motions = evidence.background.step(len(points), motion.beside_gap) * image.scale
        self._logit, self._field = logit, field
        # The models of places learn from what all else says: taught by themselves they would never let go.
        self._taught = logit - places
        self._chosen.hold(moves, self._carried, self._logit)
        self._look = lambda object_id, box: evidence.colours.log_likelihood(image.lab[box], object_id)
        self._labels = np.zeros(image.size, np.int32)
        self._settled = False

    def _anchors(self) -> Anchors:
        return Anchors(self._points, self._owners, self._motions).of(list(self._objects))

    def _carried_alive(self) -> np.ndarray:
        return np.where(np.isin(self._carried, list(self._objects)), self._carried, 0)

    def add(self, object_id: int, prompts: Prompts) -> None:
        """Let the object take the moving pixels that are nearer to its positive points than to other objects'.

        Raises:
            ValueError: no frame has been pushed yet.
        """
        if self._labels is None:
            raise ValueError("add needs a frame; push one first")
        self._objects.setdefault(object_id, LocalColourModel())
        points = self._to_working(prompts.points[prompts.labels == 1])
        # A point that is a trajectory's of the window brings the trajectory's motion along.
        known = np.zeros(len(points), bool)
        self._owners[self._owners == object_id] = 0
        if len(self._points):
            distance, nearest = cKDTree(self._points).query(points)
            known = distance < 1.0
            self._owners[nearest[known]] = object_id
        self._points = np.concatenate([self._points, points[~known]])
        self._owners = np.concatenate([self._owners, np.full(np.count_nonzero(~known), object_id)])
        self._motions = np.concatenate([self._motions, np.full((np.count_nonzero(~known), 2), np.nan)])
        self._settled = False

    def choose(self, object_id: int, prompts: Prompts) -> None:
        """Take an object of the user's choice by its mask, and carry that on whether it moves or not.

        Raises:
            PromptError: there is no mask, and nothing here that could make one of points; or it is too small.
        """
        if prompts.mask is None:
            raise PromptError(
                "points alone are not enough for masker.name guided: give a mask, or choose sam2"
            )
        size = self._image.size[::-1]
        share = cv2.resize(prompts.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        if not (share > 0.5).any():
            raise PromptError(
                "the mask fills no pixel of the working image: choose a larger image.working_size"
            )
        self.add(object_id, prompts)
        self._chosen.add(object_id, share, self._carried, self._logit)

    def remove(self, object_id: int) -> None:
        """Forget the object; its pixels are free to be claimed by others."""
        self._objects.pop(object_id, None)
        self._chosen.remove(object_id)
        if self._labels is not None:
            self._labels[self._labels == object_id] = 0

    def masks(self) -> dict[int, MaskLogits]:
        """Logits of every object that has pixels now, in its part of the full image."""
        if self._labels is None or self._logit is None:
            return {}
        self._settle()
        masks = {}
        for object_id in self._objects:
            mine = self._labels == object_id
            x, y, width, height = cv2.boundingRect(mine.view(np.uint8))
            if width == 0:
                continue
            # A pixel around it, for the outline lies between pixels.
            x, y, width, height = max(x - 1, 0), max(y - 1, 0), width + 2, height + 2
            box = np.s_[y : y + height, x : x + width]
            mine, logit, labels = mine[box], self._logit[box], self._labels[box]
            field = np.where(mine, np.maximum(logit, 0.05), np.minimum(logit, -0.05))
            other = (labels > 0) & ~mine
            field[other] = -np.abs(logit[other]) - 0.05
            masks[object_id] = self._enlarge(field, (x, y))
        return masks

    def _enlarge(self, field: np.ndarray, corner: tuple[int, int]) -> MaskLogits:
        """Logits (h, w) of the working image's part that begins at `corner` (x, y), at full size."""
        full_size = self._image.full_size[::-1]
        scale = np.array(full_size) / self._image.size[::-1]
        start = np.floor(corner * scale).astype(int)
        end = np.ceil((corner + np.array(field.shape[::-1])) * scale).astype(int)
        end = np.minimum(end, full_size)
        offset = (start + 0.5) / scale - 0.5 - corner
        back = np.array([[1 / scale[0], 0, offset[0]], [0, 1 / scale[1], offset[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (end - start).tolist()
        logits = cv2.warpAffine(field, back, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return MaskLogits(logits, tuple(start.tolist()))

    def field(self) -> np.ndarray | None:
        """(h, w) float32 logits at working size that each pixel moves."""
        return self._logit

    def warning(self) -> str | None:
        """None: it needs no more than it has."""
        return None

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        """Number of the region without an object that each position (N, 2) px lies in, 0 for none."""
        if self._labels is None or self._logit is None:
            return np.zeros(len(positions), np.int64)
        seeds = self._anchors().seeds(self._labels.shape)
        region = free_regions(self._logit > 0, np.where(seeds > 0, seeds, self._carried_alive()))
        x, y = self._to_working(positions).T
        return region[y, x].astype(np.int64)

    def _carry(self, size: tuple[int, int], flow: np.ndarray | None) -> np.ndarray:
        if self._labels is None or flow is None:
            return np.zeros(size, np.int32)
        return carry(self._labels, flow)

    def _to_working(self, positions: np.ndarray) -> np.ndarray:
        """(N, 2) int64 pixels of the working image for positions (N, 2) px of the full one."""
        points = np.rint(self._image.to_working(positions)).astype(np.int64)
        return np.clip(points, 0, np.array(self._image.size[::-1]) - 1)

    def _settle(self) -> None:
        """Give the moving pixels to the living objects, once all of this frame's prompts are known."""
        if self._settled:
            return
        motion = self._motion_now
        labels = share_out(
            self._logit > 0,
            self._carried_alive(),
            self._anchors(),
            motion.beside,
            motion.beside_gap,
            self._smoother,
            self._look,
        )
        self._labels = drop_fragments(labels, self._min_pixels())
        if self._chosen.held:  # however small
            held = np.isin(labels, list(self._chosen.held))
            self._labels[held] = labels[held]
        self._settled = True

    def _min_pixels(self) -> int:
        return round(self._config.min_area * self._logit.size)

    def _look_for_objects(self, lab: np.ndarray) -> np.ndarray | None:
        """(h, w) logits near the objects that each pixel is one of them, NaN elsewhere; None before any is known."""
        known = {object_id: model for object_id, model in self._objects.items() if model.taught}
        if not known:
            return None
        best = np.full(self._carried.shape, -np.inf, np.float32)
        for object_id, model in known.items():
            mine = (self._carried == object_id).view(np.uint8)
            x, y, width, height = cv2.boundingRect(mine)
            if width == 0:
                continue
            top, left = max(y - NEAR, 0), max(x - NEAR, 0)
            box = np.s_[top : y + height + NEAR, left : x + width + NEAR]
            np.maximum(best[box], model(lab[box], centre_of(mine), (left, top)), out=best[box])
        around = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
        near = cv2.dilate((self._carried > 0).view(np.uint8), around) > 0
        return np.where(near & (best > -np.inf), best, np.nan)

    def _places(self, field: np.ndarray) -> np.ndarray:
        """(h, w) logits by what is known of each place: an object's colours near it, and that nothing moved yet."""
        if self._seen_places is None:
            return np.zeros(field.shape, np.float32)
        # Away from all objects their models know nothing: what moves there is new.
        new = NEW_LOGIT / (1.0 + np.exp(3.0 * (field - 0.5)))
        return np.where(np.isnan(self._seen_places), new, self._seen_places)

    def _learn(self) -> None:
        """Teach the colour models what the newest frame pushed was in the end."""
        if not self._motion_now.known.any():
            return
        probability = logistic(self._taught)
        # What moves but belongs to no object is taught neither as moving nor as static, and where trajectories
        # move the mask's "static" is not believed: a model that has once learned an object as static never lets go.
        moving = np.where(self._labels > 0, probability, 0)
        if self._chosen.held:  # nothing says that it moves
            moving[np.isin(self._labels, list(self._chosen.held))] = 0
        static = 1.0 - np.maximum(probability, logistic(2.0 * self._field))
        self._colour.learn(self._image.lab, moving, static)
        for object_id, model in self._objects.items():
            model.learn(self._image.lab, self._labels == object_id, moving, static)


def logistic(logit: np.ndarray) -> np.ndarray:
    """Probability of a logit, elementwise."""
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -15, 15)))


def trajectory_field(
    points: np.ndarray, moving: np.ndarray, smoother: EdgeAwareSmoother, size: tuple[int, int]
) -> np.ndarray:
    """Spread the trajectories' beliefs over the image along its edges.

    Args:
        points: (N, 2) int, x and y in working px.
        moving: (N,) belief that each moves, 0..1.
        size: (h, w) of the working image.

    Returns:
        (h, w) float32 logits: a weighted mean of the near trajectories' logits, 0 far from all of them.
    """
    logits = log_odds(moving)
    sparse = np.zeros((2, *size), np.float32)
    sparse[0, points[:, 1], points[:, 0]] = np.clip(logits, -TRAJECTORY_LIMIT, TRAJECTORY_LIMIT)
    sparse[1, points[:, 1], points[:, 0]] = 1.0
    total, weight = smoother(sparse, TRAJECTORY_REACH, passes=1)
    return total / (weight + 0.002)
