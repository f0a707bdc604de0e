"""What the pipeline asks of its stages. `core` knows them only by these."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .background import BackgroundMotion
from .evidence import MotionEvidence
from .image import WorkingImage
from .types import MaskLogits, Prompts, Tracks
from .window import SlidingWindow


class PointTracker(Protocol):
    """Follows points through the newest frames."""

    def reset(self) -> None:
        """Forget everything but the ids already given."""

    def push(self, window: SlidingWindow) -> None:
        """Extend every trajectory into the window's newest frame; seed new ones where coverage was lost."""

    def window(self) -> Tracks:
        """The living trajectories over the newest frames (at most the window's length)."""


class QueryTracker(Protocol):
    """Follows points of the caller's choice; lost ones stay, as occluded."""

    def reset(self) -> None:
        """Forget all points."""

    def add(self, window: SlidingWindow, points: np.ndarray, back: int = 0) -> list[int]:
        """Take points (K, 2) px of the frame `back` frames before the newest, into that; an id for each."""

    def push(self, window: SlidingWindow) -> None:
        """Follow all points into the window's newest frame."""

    def remove(self, ids: list[int]) -> None:
        """Forget points."""

    def at(self, ids: list[int], image: WorkingImage) -> tuple[np.ndarray, np.ndarray]:
        """Positions (K, 2) px in the newest frame, and whether each is visible (K,) bool."""


class Classifier(Protocol):
    """Tells which trajectories move on their own."""

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """P(moving) per trajectory, (N,) float32.

        `size` is (height, width) of the image, px; `depth` (N, T) float32 relative inverse depth at the trajectories'
        points, in 0..1, NaN unknown (see `core.depth`); `semantics` (N, C) float32.
        """


class Grouper(Protocol):
    """Tells which moving trajectories carry the same object.

    `positions` (N, 2) px; `motions` (N, G, 2) px per frame beside the background over G gaps, NaN unknown; `size`
    (height, width) of the image, px.
    """

    def links(self, positions: np.ndarray, motions: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """(L, 2) int64, pairs of trajectories that are near each other and move alike."""

    def differ(
        self, one: np.ndarray, other: np.ndarray, size: tuple[int, int], tolerance: float = 1.0
    ) -> np.ndarray:
        """(K,) bool: whether the motions (K, G, 2) of two things differ by more than `tolerance` times what parts of
        one object do."""


class VideoMasker(Protocol):
    """Turns prompts into one dense mask per object, frame by frame."""

    def reset(self) -> None:
        """Forget all objects and frames."""

    def watch(self, window: SlidingWindow, background: BackgroundMotion) -> None:
        """Take the window's newest frame as far as that is possible without the classifier's answer."""

    def push(self, window: SlidingWindow, evidence: MotionEvidence) -> None:
        """Carry all masks to the window's newest frame, which `watch` has been given."""

    def add(self, object_id: int, prompts: Prompts) -> None:
        """Add an object, or prompt a known one again, in the newest frame."""

    def choose(self, object_id: int, prompts: Prompts) -> None:
        """Take an object of the user's choice in the newest frame, and keep it whether it moves or not.

        Raises:
            PromptError: these prompts are not enough for this masker.
        """

    def remove(self, object_id: int) -> None:
        """Forget an object."""

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        """Number (N,) int64 of the region that moves but has no object at each position (N, 2) px, 0 for none."""

    def masks(self) -> dict[int, MaskLogits]:
        """Mask logits per object that has pixels in the newest frame."""

    def field(self) -> np.ndarray | None:
        """(h, w) float32 logits that each pixel moves, of any object or none, at any size; None without such."""

    def warning(self) -> str | None:
        """What was left undone in the newest frame for want of means, in one line, or None."""


class PromptableMasker(VideoMasker, Protocol):
    """A mask model that can be asked what it would answer to a prompt."""

    def probe(self, prompts: Prompts) -> np.ndarray:
        """(H, W) bool: the mask that a new object would get in the newest frame, without adding one."""


class ChosenObjects(Protocol):
    """Keeps the objects that the user has pointed at."""

    def reset(self) -> None:
        """Forget all objects."""

    def keep(self, ids: frozenset[int]) -> None:
        """Forget all objects but these."""

    def begin(
        self, object_id: int, prompts: Prompts, window: SlidingWindow, masker: VideoMasker, back: int = 0
    ) -> np.ndarray:
        """Let the masker take an object that `prompts` show `back` frames before the newest.

        Returns:
            (H, W) bool: the pixels that it is taken to have in the newest frame.

        Raises:
            PromptError: they cannot be used.
        """

    def step(self, window: SlidingWindow, masker: VideoMasker) -> None:
        """Prompt the masker, which has carried all objects to the newest frame, with what is known of the chosen."""

    def note(self, masks: dict[int, MaskLogits], window: SlidingWindow) -> None:
        """Take the newest frame's masks."""
