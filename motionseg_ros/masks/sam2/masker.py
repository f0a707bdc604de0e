"""SAM 2 as the pipeline's masker, with MoSAM's motion-guided prompts and memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from ...core.background import BackgroundMotion
from ...core.config import Sam2Config
from ...core.errors import ModelError, PromptError
from ...core.evidence import MotionEvidence
from ...core.flow import FlowEstimator
from ...core.image import WorkingImage
from ...core.types import MaskLogits, Prompts
from ...core.window import SlidingWindow
from ...device.choice import is_half
from ...prompting.iterative import object_points
from ...prompting.motion_guided import KeyPointHistory, warped_box
from .memory import MemoryPolicy
from .model import build_predictor, keep_in_sight
from .predictor import StreamingPredictor

# Holes up to this many pixels of the model's mask (a quarter of its resolution) are filled, as `sam2` does on a GPU.
HOLE_AREA = 8
# Positive points that are given to SAM 2 at most, and the radius (share of the longer side) in which they are dense.
MOST_CLICKS = 8
CLICK_RADIUS = 0.05
# Frames for which no object is added after memory has run out: room for as many again is not there at once.
RELIEF = 30


def build_masker(config: Sam2Config, weights: Path | None) -> Sam2Masker:
    """A masker with the model that `config` names.

    Args:
        weights: its checkpoint; None for random weights, with which all objects seem to be in sight.

    Raises:
        ModelError: see `model.build_predictor`.
    """
    model = build_predictor(config.model, weights, config.device, config.resolution, config.compile)
    if weights is None:
        keep_in_sight(model)
    half = is_half(config.precision, model.device)
    return Sam2Masker(config, StreamingPredictor(model, memory_policy(config), config.confident, half))


def memory_policy(config: Sam2Config) -> MemoryPolicy:
    """What the options say about memory."""
    return MemoryPolicy(
        selective=config.memory == "reliable",
        slots=config.memory_length - 1,
        span=config.memory_span,
        interval=config.memory_interval,
        min_iou=config.min_iou,
        min_occlusion=config.min_occlusion,
        fallback_iou=config.fallback_iou,
        prompted=config.prompted_frames,
    )


class Sam2Masker:
    """See the module's text; memory is bounded by the number of objects.

    When the device runs out of memory the objects that were added last go, until the others fit; for a while none
    is added.
    """

    def __init__(self, config: Sam2Config, predictor: StreamingPredictor) -> None:
        self._config = config
        self._predictor = predictor
        self._flow = FlowEstimator()
        self.reset()

    def reset(self) -> None:
        """Forget all objects and frames."""
        self._predictor.reset()
        self._size = (0, 0)
        self._image: WorkingImage | None = None
        self._logits: dict[int, np.ndarray] | None = None
        self._paths: dict[int, KeyPointHistory] = {}
        self._shapes: dict[int, np.ndarray] = {}
        self._expected: dict[int, Prompts] = {}
        self._relief = 0
        self._warning: str | None = None

    def watch(self, window: SlidingWindow, background: BackgroundMotion) -> None:
        """Run the image encoder on the newest frame, and find out where the objects should be in it.

        Raises:
            ModelError: the device has not enough memory for a single frame.
        """
        if self._image is not None:  # the frame before, with what its prompts came to
            self._remember_shapes()
            self._expected = self._expect(window)
        self._relief = max(0, self._relief - 1)
        self._warning = None
        self._size = window.frame.size
        self._image = window.newest
        self._logits = None
        self._within_memory(lambda: self._predictor.see(window.frame))

    def push(self, window: SlidingWindow, evidence: MotionEvidence) -> None:
        """Carry all objects to the newest frame.

        Raises:
            ValueError: `watch` has not been called yet.
            ModelError: as `watch`.
        """
        if self._image is None:
            raise ValueError("push needs the frame's features; call watch first")
        self._within_memory(lambda: self._predictor.track(self._expected))
        self._logits = None

    def add(self, object_id: int, prompts: Prompts) -> None:
        """Add an object, or prompt a known one again, in the newest frame.

        Raises:
            ValueError: no frame has been pushed yet, or a prompt that says nothing about the image.
        """
        known = object_id in self._predictor.ids
        if not known and self._relief:
            self._warn(f"{self._predictor.device} has no memory for more objects")
            return
        try:
            self._predictor.prompt(object_id, few_clicks(prompts, self._size), self._config.prompt_afresh)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if not known:
                self._predictor.remove(object_id)
            self._run_short()
        self._logits = None

    def choose(self, object_id: int, prompts: Prompts) -> None:
        """Take an object of the user's choice in the newest frame; SAM 2 keeps all objects, moving or not.

        Raises:
            PromptError: the device has no memory for one more.
        """
        self.add(object_id, prompts)
        if object_id not in self._predictor.ids:
            raise PromptError(f"{self._predictor.device} has no memory for more objects")

    def probe(self, prompts: Prompts) -> np.ndarray:
        """(H, W) bool: the mask that a new object would get in the newest frame, without adding one."""
        try:
            return self._full(self._filled(self._predictor.probe(prompts).logits.cpu().numpy())) > 0
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            self._run_short()
            return np.zeros(self._size, bool)

    def remove(self, object_id: int) -> None:
        """Forget an object."""
        self._predictor.remove(object_id)
        self._paths.pop(object_id, None)
        self._shapes.pop(object_id, None)
        self._logits = None

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        """(N,) zeros: SAM 2 knows of no region but those of its objects."""
        return np.zeros(len(positions), np.int64)

    def masks(self) -> dict[int, MaskLogits]:
        """Mask logits per object in sight, for the box that its mask fills; quality as SAM 2 predicts it."""
        found = {}
        predictions = self._predictor.predictions
        for object_id, low in self._low_res().items():
            if not (low > 0).any():
                continue
            logits = self._full(low)
            x, y, width, height = cv2.boundingRect((logits > 0).view(np.uint8))
            if width:
                part = np.ascontiguousarray(logits[y : y + height, x : x + width])
                quality = min(max(predictions[object_id].iou, 0.0), 1.0)
                found[object_id] = MaskLogits(part, (x, y), quality)
        return found

    def field(self) -> None:
        """None: SAM 2 tells objects, not motion."""

    def warning(self) -> str | None:
        """That memory has run out in the newest frame, or None."""
        return self._warning

    # Masks

    def _low_res(self) -> dict[int, np.ndarray]:
        """(h, w) float32 logits per object at a quarter of the model's resolution, small holes filled."""
        if self._logits is None:
            predictions = self._predictor.predictions
            stack = torch.stack([p.logits for p in predictions.values()]) if predictions else []
            arrays = stack.cpu().numpy() if len(predictions) else []
            self._logits = {i: self._filled(a) for i, a in zip(predictions, arrays, strict=True)}
        return self._logits

    @staticmethod
    def _filled(logits: np.ndarray) -> np.ndarray:
        return fill_holes(logits, HOLE_AREA)

    def _full(self, logits: np.ndarray) -> np.ndarray:
        return cv2.resize(logits, self._size[::-1], interpolation=cv2.INTER_LINEAR)

    # Motion-guided prompts

    def _remember_shapes(self) -> None:
        """Note the objects' masks at working size, for where they should be in the next frame."""
        if not (self._config.sparse_prompts or self._config.dense_prompts):
            return
        size = self._image.size
        shapes = {
            object_id: cv2.resize(low, size[::-1], interpolation=cv2.INTER_LINEAR) > 0
            for object_id, low in self._low_res().items()
        }
        self._shapes = {object_id: shape for object_id, shape in shapes.items() if shape.any()}
        self._paths = {i: self._paths.get(i, KeyPointHistory()) for i in shapes}
        for object_id, shape in shapes.items():
            self._paths[object_id].add(shape)

    def _expect(self, window: SlidingWindow) -> dict[int, Prompts]:
        """Prompts for the window's newest frame from the objects' masks in the frame before and their motion."""
        motion = None
        before = window.back(2)
        if self._config.dense_prompts and self._shapes and before is not None:
            # From the frame before to that before it: turned round, it is what goes on.
            motion = -self._flow(self._image, before)
        expected = {}
        for object_id, shape in self._shapes.items():
            points = self._paths[object_id].ahead() if self._config.sparse_prompts else None
            box = warped_box(shape, motion) if motion is not None else None
            prompts = self._to_full(points, box)
            if prompts is not None:
                expected[object_id] = prompts
        return expected

    def _to_full(self, points: np.ndarray | None, box: np.ndarray | None) -> Prompts | None:
        """Prompts in image pixels of what lies in the image; None when that is nothing."""
        height, width = self._size
        last = np.array([width - 1, height - 1], np.float32)
        points = np.zeros((0, 2), np.float32) if points is None else self._image.to_full(points)
        points = points[((points >= 0) & (points <= last)).all(1)]
        if box is not None:
            # The box's sides are edges of pixels, not centres.
            box = np.clip(box.reshape(2, 2) / self._image.scale, 0, last + 1).ravel()
        if not len(points) and box is None:
            return None
        return Prompts(
            np.ascontiguousarray(points, np.float32),
            np.ones(len(points), np.int8),
            None if box is None else box.astype(np.float32),
        )

    # Memory of the device

    def _within_memory(self, step: Callable[[], None]) -> None:
        """Run a step of the predictor, with fewer objects if need be."""
        while True:
            try:
                return step()
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                if not self._predictor.ids:
                    raise ModelError(
                        f"{self._predictor.device} has not enough memory for {self._config.model} at "
                        f"{self._config.resolution} px: choose a smaller sam2.model or sam2.resolution"
                    ) from None
                self.remove(self._predictor.ids[-1])
                self._run_short()

    def _run_short(self) -> None:
        self._relief = RELIEF
        count = len(self._predictor.ids)
        self._warn(f"{self._predictor.device} is out of memory: {count} objects are left")

    def _warn(self, text: str) -> None:
        self._warning = text


def few_clicks(prompts: Prompts, size: tuple[int, int]) -> Prompts:
    """Prompts with as many positive points as SAM 2 was trained with; of more, the densest and the two farthest.

    Groups of linked trajectories prompt with all their points. `size`: (height, width) of the image, px.
    """
    on = prompts.labels == 1
    if np.count_nonzero(on) <= MOST_CLICKS:
        return prompts
    few = object_points(prompts.points[on], CLICK_RADIUS * max(size))
    return Prompts(
        np.concatenate([few, prompts.points[~on]]),
        np.repeat(np.array([1, 0], np.int8), [len(few), np.count_nonzero(~on)]),
        prompts.box,
        prompts.mask,
    )


def fill_holes(logits: np.ndarray, area: int) -> np.ndarray:
    """Mask logits (h, w) with holes of up to `area` pixels filled (8-connected, as in `sam2`)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((logits <= 0).view(np.uint8), connectivity=8)
    small = stats[1:count, cv2.CC_STAT_AREA] <= area
    if not small.any():
        return logits
    holes = np.concatenate([[False], small])[labels]
    return np.where(holes, np.float32(0.1), logits)
