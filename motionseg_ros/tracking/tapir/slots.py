"""A fixed number of points that causal TAPIR follows, each seeded when and where the caller wants.

A point is what its query features are (taken from the frame that it was seeded in) and what TAPIR's causal
convolutions remember of it. Both lie in tensors with a row per slot, so that a slot can be given to another point at
any time without the others noticing. The features of a frame are computed once, for all slots and all seeds.

Positions here are TAPIR's: pixels of its square image, the corner of the first pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...core.types import Frame
from .answers import SlotAnswers, read_answers
from .features import QueryTable, describe_points, encode_frame, select_rows

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR


class SlotPool:
    """See the module's text. Memory: about 1 MB per slot and resolution.

    Args:
        model: see `model.build_tapir`; its device is where all runs.
        slots: how many.
        resolution: side of the square that frames are scaled to, px: 256, or 512 with a second refinement.
        chunk: slots that are computed at a time.
        half: compute the frames' features in bfloat16; positions are always float32.
    """

    def __init__(
        self, model: TAPIR, slots: int, resolution: int = 256, chunk: int = 512, half: bool = False
    ) -> None:
        self._model = model
        self._slots = slots
        self._resolution = resolution
        self._chunk = chunk
        self._half = half
        self._device = next(model.parameters()).device
        self.reset()

    def reset(self) -> None:
        """Forget the frame and all points."""
        self._grids = None
        self._queries = QueryTable(self._slots)
        self._memory: list[dict[str, Tensor]] | None = None

    def see(self, frame: Frame) -> None:
        """Compute the features of the next frame."""
        with torch.inference_mode():
            self._grids = encode_frame(self._model, frame, self._resolution, self._half)

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        """Give slots to new points in the frame seen last, and follow them through it.

        Args:
            rows: (R,) int64, which slots.
            points: (R, 2) float32, x and y.
        """
        with self._computing():
            given = torch.from_numpy(np.asarray(points, np.float32)).to(self._device)
            features = describe_points(self._model, self._grids, given, self._resolution)
            index = torch.from_numpy(rows).to(self._device)
            self._queries.put(index, features)
            if self._memory is None:
                self._memory = self._no_memory(len(features.resolutions) - 1)
            for state in self._memory:
                for values in state.values():
                    values[:, index] = 0
        return self.step(rows)

    def step(self, rows: np.ndarray) -> SlotAnswers:
        """Follow the points of slots `rows` (R,) int64 into the frame seen last."""
        with self._computing():
            index = select_rows(rows, self._slots, self._device)
            found = self._model.estimate_trajectories(
                (self._resolution, self._resolution),
                is_training=False,
                feature_grids=self._grids,
                query_features=self._queries.take(index),
                query_points_in_video=None,
                query_chunk_size=self._chunk,
                causal_context=[{k: v[:, index] for k, v in state.items()} for state in self._memory],
                get_causal_context=True,
            )
            for state, new in zip(self._memory, found["causal_context"], strict=True):
                for name, values in new.items():
                    state[name][:, index] = values
            answers = read_answers(found, self._model.num_pips_iter)
        return SlotAnswers(answers.positions[:, 0], answers.occlusion[:, 0], answers.distance[:, 0])

    @contextmanager
    def _computing(self) -> Iterator[None]:
        if self._grids is None:
            raise ValueError("there is no frame yet; call see first")
        with torch.inference_mode():
            yield

    def _no_memory(self, resolutions: int) -> list[dict[str, Tensor]]:
        """What the convolutions remember, for all slots, of points that are new."""
        states = self._model.construct_initial_causal_state(self._slots, resolutions)
        # They are all one and the same dictionary there.
        return [{k: v.to(self._device, copy=True) for k, v in state.items()} for state in states]
