"""A fixed number of points that causal TAPIR follows, each seeded when and where the caller wants.

A point is what its query features are (taken from the frame that it was seeded in) and what TAPIR's causal
convolutions remember of it. Both lie in tensors with a row per slot, so that a slot can be given to another point at
any time without the others noticing. The features of a frame are computed once, for all slots and all seeds.

Positions here are TAPIR's: pixels of its square image, the corner of the first pixel at (0, 0).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR


@dataclass(frozen=True, eq=False)
class SlotAnswers:
    """What TAPIR says of R points in one frame.

    Args:
        positions: (R, 2) float32, x and y.
        occlusion: (R,) float32, logit that the point is hidden.
        distance: (R,) float32, logit that the position is far off.
    """

    positions: np.ndarray
    occlusion: np.ndarray
    distance: np.ndarray


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
        self._queries: tuple[list[Tensor], list[Tensor]] | None = None
        self._memory: list[dict[str, Tensor]] | None = None

    def see(self, image: np.ndarray) -> None:
        """Compute the features of the next frame, (H, W, 3) uint8 BGR."""
        with torch.inference_mode():
            rgb = torch.from_numpy(np.ascontiguousarray(image[..., ::-1])).to(self._device)
            pixels = rgb.permute(2, 0, 1)[None].float()
            side = (self._resolution, self._resolution)
            pixels = F.interpolate(pixels, size=side, mode="bilinear", antialias=True, align_corners=False)
            video = (pixels / 255.0 * 2.0 - 1.0).permute(0, 2, 3, 1)[None]
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                grids = self._model.get_feature_grids(video, is_training=False)
            self._grids = grids._replace(
                lowres=tuple(level.float() for level in grids.lowres),
                hires=tuple(level.float() for level in grids.hires),
            )

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        """Give slots to new points in the frame seen last, and follow them through it.

        Args:
            rows: (R,) int64, which slots.
            points: (R, 2) float32, x and y.
        """
        with self._computing():
            given = torch.from_numpy(np.asarray(points, np.float32)).to(self._device)
            queries = torch.cat([torch.zeros_like(given[:, :1]), given.flip(1)], dim=1)[None]  # t, y, x
            side = self._resolution
            shape = torch.empty(1, 1, side, side, 3, device="meta")
            features = self._model.get_query_features(
                shape, is_training=False, query_points=queries, feature_grids=self._grids
            )
            self._make_room(features)
            index = torch.from_numpy(rows).to(self._device)
            for kept, new in zip(self._queries, (features.lowres, features.hires), strict=True):
                for level, values in zip(kept, new, strict=True):
                    level[:, index] = values
            for state in self._memory:
                for values in state.values():
                    values[:, index] = 0
        return self.step(rows)

    def step(self, rows: np.ndarray) -> SlotAnswers:
        """Follow the points of slots `rows` (R,) int64 into the frame seen last."""
        with self._computing():
            every = len(rows) == self._slots and np.array_equal(rows, np.arange(self._slots))
            index = slice(None) if every else torch.from_numpy(rows).to(self._device)
            found = self._model.estimate_trajectories(
                (self._resolution, self._resolution),
                is_training=False,
                feature_grids=self._grids,
                query_features=self._rows_of_queries(index),
                query_points_in_video=None,
                query_chunk_size=self._chunk,
                causal_context=[{k: v[:, index] for k, v in state.items()} for state in self._memory],
                get_causal_context=True,
            )
            for state, new in zip(self._memory, found["causal_context"], strict=True):
                for name, values in new.items():
                    state[name][:, index] = values
            # As TAPIR itself does with several resolutions: the mean of what each has come to in the end.
            last = self._model.num_pips_iter
            positions, occlusion, distance = (
                torch.stack(found[name][last::last]).mean(0)[0, :, 0]
                for name in ("tracks", "occlusion", "expected_dist")
            )
            packed = (
                torch.cat([positions, occlusion[:, None], distance[:, None]], dim=1).float().cpu().numpy()
            )
        return SlotAnswers(packed[:, :2], packed[:, 2], packed[:, 3])

    @contextmanager
    def _computing(self) -> Iterator[None]:
        if self._grids is None:
            raise ValueError("there is no frame yet; call see first")
        with torch.inference_mode():
            yield

    def _make_room(self, features: object) -> None:
        """Tensors for all slots, like those of some."""
        if self._queries is not None:
            return
        self._queries = tuple(
            [values.new_zeros(1, self._slots, values.shape[-1]) for values in levels]
            for levels in (features.lowres, features.hires)
        )
        states = self._model.construct_initial_causal_state(self._slots, len(features.resolutions) - 1)
        # They are all one and the same dictionary there.
        self._memory = [{k: v.to(self._device, copy=True) for k, v in state.items()} for state in states]

    def _rows_of_queries(self, index: slice | Tensor) -> object:
        from tapnet.torch.tapir_model import QueryFeatures

        low, high = ([level[:, index] for level in levels] for levels in self._queries)
        return QueryFeatures(tuple(low), tuple(high), self._grids.resolutions)
