"""A fixed number of points that TAPIR follows through the whole window at once, forward and backward.

This is TAPIR as it was published first (arXiv 2306.08637), not causal: a point's answer in one frame depends on all
frames of the window. So every answer is about all of them, and what is said of a frame changes as others come.
A point is what its query features are (taken from the frame that it was seeded in), and where it was then. As long as
the window has that frame, the trajectory is drawn through the point in it; later on, the features alone tell.

The features of a frame are computed once and kept while the window has it. Positions here are TAPIR's: pixels of its
square image, the corner of the first pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...core.types import Frame
from .answers import SlotAnswers, read_answers
from .features import QueryTable, describe_points, encode_frame, select_rows

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR, FeatureGrids

# Frame of a query that is in no frame of the window: TAPIR looks which frame has this number, and none has.
NOWHERE = -1


class WindowPool:
    """See the module's text. Memory: 3 MB per frame of the window (15 MB at 512 px), and about 0.2 MB per frame and
    slot of a chunk while it is computed.

    Args:
        model: see `model.build_tapir`, not causal; its device is where all runs.
        slots: how many.
        length: most frames that the window has.
        resolution: side of the square that frames are scaled to, px: 256, or 512 with a second refinement.
        chunk: slots that are computed at a time.
        half: compute the frames' features in bfloat16; positions are always float32.

    Raises:
        ValueError: `length` is less than 1, or the model is causal.
    """

    def __init__(
        self,
        model: TAPIR,
        slots: int,
        length: int,
        resolution: int = 256,
        chunk: int = 512,
        half: bool = False,
    ) -> None:
        if length < 1:
            raise ValueError(f"length must be at least 1, but got {length}")
        if model.use_casual_conv:
            raise ValueError("the model must not be causal; build it with causal=False")
        self._model = model
        self._slots = slots
        self._length = length
        self._resolution = resolution
        self._chunk = chunk
        self._half = half
        self._device = next(model.parameters()).device
        self.reset()

    def reset(self) -> None:
        """Forget all frames and all points."""
        self._frames = 0
        self._newest: FeatureGrids | None = None
        self._grids: FeatureGrids | None = None
        self._queries = QueryTable(self._slots)
        self._points = np.zeros((self._slots, 2), np.float32)
        self._born = np.zeros(self._slots, np.int64)  # counted from the first frame seen

    def see(self, frame: Frame) -> None:
        """Compute the features of the next frame; the oldest one's are dropped when the window is full."""
        with torch.inference_mode():
            self._newest = encode_frame(self._model, frame, self._resolution, self._half)
            self._grids = extend(self._grids, self._newest, self._length)
        self._frames += 1

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        """Give slots to new points in the frame seen last, and follow them through the window.

        Args:
            rows: (R,) int64, which slots.
            points: (R, 2) float32, x and y.

        Returns:
            As `step`.
        """
        with self._computing():
            given = torch.from_numpy(np.asarray(points, np.float32)).to(self._device)
            features = describe_points(self._model, self._newest, given, self._resolution)
            self._queries.put(torch.from_numpy(rows).to(self._device), features)
        self._points[rows] = points
        self._born[rows] = self._frames - 1
        return self.step(rows)

    def step(self, rows: np.ndarray) -> SlotAnswers:
        """Follow the points of slots `rows` (R,) int64 through the window.

        Returns:
            Of all K frames that the window has, oldest first: positions (R, K, 2), the others (R, K).
        """
        with self._computing():
            found = self._model.estimate_trajectories(
                (self._resolution, self._resolution),
                is_training=False,
                feature_grids=self._grids,
                query_features=self._queries.take(select_rows(rows, self._slots, self._device)),
                query_points_in_video=self._queries_in_window(rows),
                query_chunk_size=self._chunk,
                causal_context=self._no_context(len(rows)),
            )
            return read_answers(found, self._model.num_pips_iter)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        if self._grids is None:
            raise ValueError("there is no frame yet; call see first")
        with torch.inference_mode():
            yield

    def _queries_in_window(self, rows: np.ndarray) -> Tensor:
        """(1, R, 3) float32: the frame of the window that each point was seeded in, or `NOWHERE`, then y and x."""
        oldest = max(0, self._frames - self._length)
        frame = np.where(self._born[rows] >= oldest, self._born[rows] - oldest, NOWHERE)
        queries = np.column_stack([frame, self._points[rows, ::-1]]).astype(np.float32)
        return torch.from_numpy(queries)[None].to(self._device)

    def _no_context(self, count: int) -> list[dict[str, Tensor]]:
        """A causal context of no frames for `count` points, which changes nothing but their order.

        Without any context TAPIR shuffles the points before it cuts them into chunks, by torch's global generator; so
        two runs would differ in the last digits.
        """
        states = self._model.construct_initial_causal_state(1, len(self._grids.resolutions) - 1)
        return [
            {k: v[:, :, :0].expand(-1, count, -1, -1).to(self._device) for k, v in state.items()}
            for state in states
        ]


def extend(window: FeatureGrids | None, newest: FeatureGrids, length: int) -> FeatureGrids:
    """The grids of the `length` newest frames, (1, K, h, w, C) each, of a window's and those of the frame after it."""
    if window is None:
        window = newest._replace(lowres=[None] * len(newest.lowres), hires=[None] * len(newest.hires))
    return newest._replace(
        lowres=_extend(window.lowres, newest.lowres, newest.resolutions, length),
        hires=_extend(window.hires, newest.hires, newest.resolutions, length),
    )


def _extend(
    window: Sequence[Tensor | None],
    newest: Sequence[Tensor],
    resolutions: Sequence[tuple[int, int]],
    length: int,
) -> tuple[Tensor, ...]:
    """TAPIR starts, and refines first, at one and the same resolution: its grids are kept once."""
    levels: list[Tensor] = []
    for number, (old, new) in enumerate(zip(window, newest, strict=True)):
        if number and resolutions[number] == resolutions[number - 1]:
            levels.append(levels[-1])
        elif old is None:
            levels.append(new)
        else:
            kept = old[:, max(0, old.shape[1] + 1 - length) :]
            levels.append(torch.cat([kept, new], dim=1))
    return tuple(levels)
