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
from ..core.evidence import MotionEvidence
from ..core.types import Prompts
from ..core.window import SlidingWindow
from .appearance import ColourModel, LocalColourModel
from .dense_motion import DenseMotion, DenseMotionEstimator
from .labels import carry, drop_fragments
from .ownership import Anchors, share_out
from .smoothing import EdgeAwareSmoother

# Logit that a resting object's carried mask gets, since motion no longer speaks for it.
STILL_LOGIT = 4.0
# Logit against motion where nothing moved before and no trajectory says that it does.
NEW_LOGIT = -1.5
_NEIGHBOURHOOD = np.ones((41, 41), np.uint8)
TRAJECTORY_LIMIT = 2.5
TRAJECTORY_REACH = 60.0


class GuidedMasker:
    """See the module's text. State: colour models; of the newest frame the dense motion, the logits, the labels, and
    the points at which trajectories carry objects."""

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
        self._labels: np.ndarray | None = None
        self._added: set[int] = set()
        self._logit: np.ndarray | None = None
        self._full_size = (0, 0)
        self._lab: np.ndarray | None = None

    def watch(self, window: SlidingWindow, background: BackgroundMotion) -> None:
        """Find the newest frame's dense motion and its edges."""
        self._motion_now = self._motion(window, background)
        self._smoother = EdgeAwareSmoother(window.newest.lab, self._config.edge)

    def push(self, window: SlidingWindow, evidence: MotionEvidence) -> None:
        """Update the field of logits for the newest frame and carry all objects to it.

        Raises:
            ValueError: `watch` has not been called yet.
        """
        if self._motion_now is None:
            raise ValueError("push needs the frame's motion; call watch first")
        image, motion, smoother = window.newest, self._motion_now, self._smoother
        points = np.rint(image.to_working(evidence.positions)).astype(np.int64)
        points = np.clip(points, 0, np.array(image.size[::-1]) - 1)
        carried = self._carry(image.size, motion.flow)

        known = evidence.known
        field = trajectory_field(points[known], evidence.moving[known], smoother, image.size)
        # Where trajectories say that something moves, that the background looks alike is no argument.
        logit = motion.logit + motion.explained / (1.0 + np.exp(3.0 * (field - 1.5)))
        logit += self._config.trajectory_weight * field
        colour = self._colour(image.lab)
        if colour is not None:
            logit += colour
        logit -= self._config.caution
        places = self._places(image.lab, carried, field)
        if evidence.still:
            logit[np.isin(carried, list(evidence.still))] += STILL_LOGIT
        logit = smoother((logit + places)[None], self._config.smoothness)[0]
        # The models of places learn from what all else says: taught by themselves they would never let go.
        taught = logit - places

        self._added.clear()
        self._points, self._owners = points, evidence.owners.copy()
        self._motions = evidence.background.step(len(points), motion.beside_gap) * image.scale
        self._logit, self._lab, self._full_size = logit, image.lab, image.full_size
        self._carried = carried
        self._look = lambda object_id, box: evidence.colours.log_likelihood(image.lab[box], object_id)
        self._share_out()
        self._learn(taught, motion.known, field)

    def _share_out(self) -> None:
        """Give the moving pixels to the living objects."""
        living = list(self._objects)
        carried = np.where(np.isin(self._carried, living), self._carried, 0)
        anchors = Anchors(self._points, self._owners, self._motions).of(living)
        motion = self._motion_now
        labels = share_out(
            self._logit > 0, carried, anchors, motion.beside, motion.beside_gap, self._smoother, self._look
        )
        self._labels = drop_fragments(labels, self._min_pixels())

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
        self._added.add(object_id)

    def remove(self, object_id: int) -> None:
        """Forget the object; its pixels are free to be claimed by others."""
        self._objects.pop(object_id, None)
        self._added.discard(object_id)
        if self._labels is not None:
            self._labels[self._labels == object_id] = 0

    def masks(self) -> dict[int, np.ndarray]:
        """Logits (H, W) float32 at the image's full size for every object that has pixels now."""
        if self._labels is None or self._logit is None:
            return {}
        self._settle()
        height, width = self._full_size
        masks = {}
        for object_id in self._objects:
            mine = self._labels == object_id
            if mine.any():
                field = np.where(mine, np.maximum(self._logit, 0.05), np.minimum(self._logit, -0.05))
                other = (self._labels > 0) & ~mine
                field[other] = -np.abs(self._logit[other]) - 0.05
                masks[object_id] = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)
        return masks

    def field(self) -> np.ndarray | None:
        """(h, w) float32 logits at working size that each pixel moves."""
        return self._logit

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        """Number of the region without an object that each position (N, 2) px lies in, 0 for none."""
        if self._labels is None or self._logit is None:
            return np.zeros(len(positions), np.int64)
        self._settle()
        free = ((self._logit > 0) & (self._labels == 0)).astype(np.uint8)
        _, region = cv2.connectedComponents(free, connectivity=8)
        x, y = self._to_working(positions).T
        return region[y, x].astype(np.int64)

    def _carry(self, size: tuple[int, int], flow: np.ndarray | None) -> np.ndarray:
        if self._labels is None or flow is None:
            return np.zeros(size, np.int32)
        return carry(self._labels, flow)

    def _to_working(self, positions: np.ndarray) -> np.ndarray:
        """(N, 2) int64 pixels of the working image for positions (N, 2) px of the full one."""
        h, w = self._logit.shape
        scale = np.array([w / self._full_size[1], h / self._full_size[0]])
        points = np.rint((positions + 0.5) * scale - 0.5).astype(np.int64)
        return np.clip(points, 0, (w - 1, h - 1))

    def _settle(self) -> None:
        """Give the objects added or prompted with this frame their pixels, all at once."""
        if self._added:
            self._share_out()
            self._added.clear()

    def _min_pixels(self) -> int:
        return round(self._config.min_area * self._logit.size)

    def _local_colour(self, lab: np.ndarray, carried: np.ndarray) -> np.ndarray | None:
        """The best that any object's local model says of each pixel."""
        best = None
        for object_id, model in self._objects.items():
            field = model(lab, shift_of(self._labels, carried, object_id))
            if field is not None:
                best = field if best is None else np.maximum(best, field)
        return best

    def _places(self, lab: np.ndarray, carried: np.ndarray, field: np.ndarray) -> np.ndarray:
        """(h, w) logits by what is known of each place: an object's colours near it, and that nothing moved yet."""
        local = self._local_colour(lab, carried)
        if local is None:
            return np.zeros(field.shape, np.float32)
        near = cv2.dilate((carried > 0).astype(np.uint8), _NEIGHBOURHOOD) > 0
        # Away from all objects their models know nothing: what moves there is new.
        return np.where(near, local, NEW_LOGIT / (1.0 + np.exp(3.0 * (field - 0.5))))

    def _learn(self, logit: np.ndarray, known: np.ndarray, field: np.ndarray) -> None:
        """Teach the colour models `logit`; `field` (h, w) is the trajectories' own opinion."""
        if not known.any():
            return
        probability = logistic(logit)
        # What moves but belongs to no object is taught neither as moving nor as static, and where trajectories
        # move the mask's "static" is not believed: a model that has once learned an object as static never lets go.
        moving = np.where(self._labels > 0, probability, 0)
        static = 1.0 - np.maximum(probability, logistic(2.0 * field))
        self._colour.learn(self._lab, moving, static)
        for object_id, model in self._objects.items():
            mine = self._labels == object_id
            model.learn(self._lab, mine, moving, static)


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


def shift_of(before: np.ndarray | None, after: np.ndarray, object_id: int) -> tuple[float, float]:
    """How far an object's centre went between two label images, x and y in px; 0 where it is in neither."""
    if before is None:
        return 0.0, 0.0
    old, new = np.nonzero(before == object_id), np.nonzero(after == object_id)
    if len(old[0]) == 0 or len(new[0]) == 0:
        return 0.0, 0.0
    return float(new[1].mean() - old[1].mean()), float(new[0].mean() - old[0].mean())
