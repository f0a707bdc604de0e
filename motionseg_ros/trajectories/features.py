"""What the learned classifier is told about each trajectory.

Besides where a point is and how it went, its motion beside the window's dominant homography and beside the epipolar
geometry that goes with it, over several gaps before the newest frame: lengths in units of the tracking noise, on a
logarithmic scale, and relative to what the other trajectories do. Depth, where there is any, is given relative to
the window's median, so that neither a scale nor an offset of a monocular estimate matters.

All functions take batches of windows; the same code serves training and the robot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .alignment import apply_homographies, fit_epipoles, fit_homographies, split_along

#: Frames between the newest one and those that it is compared with.
GAPS = (1, 2, 3, 4, 6, 8, 11, 15)
#: The gap over which the majority's motion is looked for.
REFERENCE_GAP = 4
#: Accuracy of a tracked position and reach of the homography's consensus, in half longer sides.
NOISE, FINEST = 7e-4, 4.6e-3
PER_GAP = 13
PER_POINT = 7
PER_WINDOW_GAP = 4
NUM_FEATURES = len(GAPS) * (PER_GAP + PER_WINDOW_GAP) + PER_POINT


@dataclass(frozen=True, eq=False)
class WindowFeatures:
    """B windows of N trajectories.

    Args:
        values: (B, N, NUM_FEATURES) float32, about -2..2.
        points: (B, N, 2) float32, normalised newest (or last visible) position: half the longer side is 1.
        excess: (B, N) float32, mean over the gaps of log(residual / typical residual) beside the homographies: what
            a classifier without learning would go by.
        known: (B, N) bool, visible in two frames at least: something can be said.
    """

    values: np.ndarray
    points: np.ndarray
    excess: np.ndarray
    known: np.ndarray

    def __len__(self) -> int:
        return len(self.values)


def window_features(
    positions: np.ndarray,
    visible: np.ndarray,
    confidence: np.ndarray,
    sizes: np.ndarray,
    inverse_depth: np.ndarray | None = None,
) -> WindowFeatures:
    """Features of B windows.

    Args:
        positions: (B, N, T, 2) float32 px; anything, NaN too, where not visible.
        visible: (B, N, T) bool.
        confidence: (B, N, T) float32, 0..1.
        sizes: (B, 2), (height, width) px.
        inverse_depth: (B, N, T) float32, larger is nearer, any scale; NaN where there is none; or None.
    """
    visible = visible & np.isfinite(positions).all(-1)
    half = sizes.max(1)[:, None, None, None] / 2
    centre = ((sizes[:, ::-1] - 1) / 2)[:, None, None]
    paths = np.where(visible[..., None], (positions - centre) / half, 0).astype(np.float32)
    # Points outside the image by far are tracking failures; they must not spoil the sums.
    visible = visible & (np.abs(paths) < 3).all(-1)
    paths = np.where(visible[..., None], paths, 0)
    num_frames = visible.shape[2]
    newest, seen = _query(visible)
    start = np.take_along_axis(paths, newest[..., None, None], 2)[:, :, 0]

    frames = np.array([max(num_frames - 1 - gap, 0) for gap in GAPS])
    exists = np.array([gap < num_frames for gap in GAPS])
    common = (visible[:, :, frames] & exists & visible[:, :, -1:]).transpose(0, 2, 1)
    ends = np.where(common[..., None], paths[:, :, frames].transpose(0, 2, 1, 3), start[:, None])
    geometry = _geometry(start, ends, common)

    per_gap = [*geometry.channels, _signed_log(ends - start[:, None]), common[..., None]]
    per_gap.append(np.where(common, confidence[:, :, frames].transpose(0, 2, 1), 0)[..., None])
    per_gap.append(_depth_changes(inverse_depth, visible, frames, common)[..., None])
    values = np.concatenate(per_gap, -1).transpose(0, 2, 1, 3)  # (B, N, G, C)
    b, n = seen.shape
    context = np.broadcast_to(geometry.context.reshape(b, 1, -1), (b, n, len(GAPS) * PER_WINDOW_GAP))
    point = np.stack(
        [
            start[..., 0],
            start[..., 1],
            np.minimum(visible.sum(-1) / (GAPS[-1] + 1), 1),
            visible[..., -1],
            np.where(visible, confidence, 0).sum(-1) / np.maximum(visible.sum(-1), 1),
            *_depth_now(inverse_depth, visible),
        ],
        -1,
    )
    features = np.concatenate([values.reshape(b, n, -1), context, point], -1).astype(np.float32)
    known = seen & (visible.sum(-1) >= 2)
    return WindowFeatures(np.where(known[..., None], features, 0), start, geometry.excess, known)


@dataclass(frozen=True, eq=False)
class _Geometry:
    """`channels`: arrays (B, G, N, C); `context` (B, G, PER_WINDOW_GAP); `excess` (B, N)."""

    channels: list[np.ndarray]
    context: np.ndarray
    excess: np.ndarray


def _geometry(start: np.ndarray, ends: np.ndarray, common: np.ndarray) -> _Geometry:
    counts = common.sum(-1)  # (B, G)
    # A window too short for the usual gap is searched over the shortest.
    usual = GAPS.index(REFERENCE_GAP)
    reference = np.where(counts[:, usual] > 0, usual, 0)
    homography = fit_homographies(start, ends, common, reference, FINEST)
    aligned, _ = apply_homographies(homography, start)
    residual = np.where(common[..., None], ends - aligned, 0)
    length = np.linalg.norm(residual, axis=-1)
    epipole = fit_epipoles(aligned, residual, common, 3 * NOISE)
    across, along = split_along(epipole, aligned, residual)
    spread = _masked_median(length, common)
    width = _masked_median(np.abs(across), common)
    flow = _masked_median(np.linalg.norm(ends - start[:, None], axis=-1), common)
    relative = np.where(common, _relative(length, spread), 0)
    excess = relative.sum(1) / np.maximum(common.sum(1), 1)
    channels = [
        _signed_log(residual),
        (relative / 2)[..., None],
        (_relative(np.abs(across), width) / 2)[..., None],
        (_relative(np.abs(across), spread) / 2)[..., None],
        _signed_log(across[..., None]),
        _signed_log(along[..., None]),
    ]
    channels.append((np.log1p(length / NOISE) / 3)[..., None])
    channels = [np.where(common[..., None], channel, 0) for channel in channels]
    context = [np.log1p(value / NOISE) / 3 for value in (spread, width, flow)]
    context.append(counts / max(start.shape[1], 1))
    return _Geometry(channels, np.stack(context, -1), excess.astype(np.float32))


def _query(visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The newest frame in which each trajectory is visible (B, N), and whether there is one."""
    last = visible.shape[2] - 1 - visible[..., ::-1].argmax(-1)
    return last, visible.any(-1)


def _signed_log(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., C) with their length on a logarithmic scale: 0 for none, about 1 for 20 times the noise."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors * (np.log1p(length / NOISE) / (3 * np.maximum(length, 1e-9)))


def _relative(length: np.ndarray, typical: np.ndarray) -> np.ndarray:
    return np.log((length + NOISE) / (typical[..., None] + NOISE))


def _masked_median(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Median over the last axis where `mask`; 0 where nothing is."""
    ordered = np.sort(np.where(mask, values, np.inf), axis=-1)
    middle = np.maximum(mask.sum(-1) - 1, 0) // 2
    median = np.take_along_axis(ordered, middle[..., None], -1)[..., 0]
    return np.where(np.isfinite(median), median, 0)


def _depth_changes(inverse_depth, visible, frames, common) -> np.ndarray:
    """(B, G, N): how much nearer each point has come since, beside the window's median; 0 without depth."""
    if inverse_depth is None:
        return np.zeros(common.shape, np.float32)
    log = _log_depth(inverse_depth, visible)
    change = (log[:, :, -1:] - log[:, :, frames]).transpose(0, 2, 1)
    usable = common & np.isfinite(change)
    change = np.where(usable, change, 0)
    return np.where(usable, np.clip((change - _masked_median(change, usable)[..., None]) * 4, -3, 3), 0)


def _depth_now(inverse_depth, visible) -> tuple[np.ndarray, np.ndarray]:
    """(B, N) log inverse depth beside the window's median, and whether it is known."""
    if inverse_depth is None:
        zero = np.zeros(visible.shape[:2], np.float32)
        return zero, zero
    log = _log_depth(inverse_depth, visible)[:, :, -1]
    known = np.isfinite(log)
    median = _masked_median(np.where(known, log, 0), known)
    return np.where(known, np.clip(log - median[:, None], -3, 3), 0), known.astype(np.float32)


def _log_depth(inverse_depth: np.ndarray, visible: np.ndarray) -> np.ndarray:
    good = visible & np.isfinite(inverse_depth)
    return np.where(good, np.log(np.maximum(np.where(good, inverse_depth, 1), 0.01)), np.nan)
