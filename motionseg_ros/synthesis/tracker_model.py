"""What the Lucas-Kanade tracker does to true trajectories.

The constants were measured on the tracker itself, on rendered scenes with known truth and, for what needs no truth,
on real video (``tools/measure_tracking_errors.py``). Lengths are px of the working image (432 px longer side).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Frames after which a trajectory counts as of any age.
_OLDEST = 60


@dataclass(frozen=True)
class TrackerModel:
    """Error model of a tracker.

    A position's error has a part that is new in every frame (jitter), one that adds up (walk) and one that goes on
    in one direction (bias); the sum of their variances over one step is the square of a step's length. Steps are
    longer along the direction in which the corner is weak. A point near the outline of a nearer surface is carried
    along by it: at a distance d with probability ``carried / (1 + exp((d - reach) / softness))``, decided once.

    Args:
        step_weak, step_strong: px, along and across a corner's weak direction.
        weak_spread: sd of the logarithm of `step_weak` over corners.
        per_point, per_window: sd of the logarithm of a factor on all steps, by corner and by video.
        typical_window: median of the latter factor.
        per_speed: px/frame of image motion that doubles the steps.
        bias, jitter, walk: shares of the variance of a step.
        slide_share, slide: share of points on edges, and how much of the motion along the edge they miss at most.
        birth_jump, jump: probability of a gross error in a trajectory's first frame, and per later frame.
        jump_px: px, its median length.
        carried, reach, reach_per_octave, softness: see above; `reach` is for surfaces that part by 1 px/frame, and
            `reach_per_octave` is added for each doubling.
        carried_back: probability that a point on the nearer side goes with the farther surface, within 2 px.
        captured: share of carried points that were tracked rightly at first, until the outline came near.
        outline_density: how many times as many points are seeded near outlines, where corners are.
        loss, loss_decay, crowding: hazard per frame of a point of age a: loss * a^-loss_decay + crowding * e^(1 - a).
        loss_speed: px/frame of image motion that doubles the hazard.
    """

    step_weak: float = 0.085
    step_strong: float = 0.054
    weak_spread: float = 0.25
    per_point: float = 0.55
    per_window: float = 0.5
    typical_window: float = 1.0
    per_speed: float = 22.0
    bias: float = 0.03
    jitter: float = 0.5
    walk: float = 0.28
    slide_share: float = 0.05
    slide: float = 0.3
    birth_jump: float = 0.013
    jump: float = 0.0004
    jump_px: float = 5.0
    carried: float = 0.82
    reach: float = 2.0
    reach_per_octave: float = 1.0
    softness: float = 1.4
    carried_back: float = 0.1
    captured: float = 0.3
    outline_density: float = 2.5
    loss: float = 0.03
    loss_decay: float = 0.536
    crowding: float = 0.15
    loss_speed: float = 4.9

    def draw_reach(self, windows: int, points: int, rng: np.random.Generator) -> np.ndarray:
        """(B, N) px: within which distance each point would be carried along by a nearer surface.

        How fast the two surfaces part is not known yet; it is drawn for each window.
        """
        octaves = rng.normal(1.0, 1.3, (windows, 1))
        u = rng.random((windows, points)).clip(1e-3, 1 - 1e-3)
        distance = self.reach + self.reach_per_octave * octaves + self.softness * np.log(u / (1 - u))
        return np.clip(distance, 0.3, 14).astype(np.float32)

    def draw_ages(self, speed: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
        """Ages of living trajectories in frames, from 1; `frames` stands for that and more.

        In the long run as many trajectories have age a as survive to it.

        Args:
            speed: (B, N) image motion, px/frame.
        """
        age = np.arange(1, frames + 1, dtype=np.float32)
        hazard = self.loss * age**-self.loss_decay + self.crowding * np.exp(1 - age)
        rate = (1 + speed / self.loss_speed) * np.exp(0.35 + 0.7 * rng.standard_normal((len(speed), 1)))
        hazard = np.clip(hazard * rate[..., None].astype(np.float32), 0, 0.8)
        survive = np.cumprod(1 - hazard, axis=-1)
        survive[..., -1] /= np.maximum(hazard[..., -1], 1 / _OLDEST)  # all the older ones: a geometric series
        below = np.cumsum(survive, axis=-1)
        draw = rng.random((*speed.shape, 1), np.float32) * below[..., -1:]
        return np.minimum((draw >= below).sum(-1) + 1, frames)


@dataclass(frozen=True, eq=False)
class Observed:
    """`positions` (B, N, T, 2) px, `visible` (B, N, T), `confidence` (B, N, T) in 0..1."""

    positions: np.ndarray
    visible: np.ndarray
    confidence: np.ndarray


def perturb(
    model: TrackerModel, paths: np.ndarray, visible: np.ndarray, rng: np.random.Generator
) -> Observed:
    """Trajectories as the tracker would hand them out.

    Args:
        paths: (B, N, T, 2) px, true positions.
        visible: (B, N, T) bool; a run that ends at the newest frame.

    Errors are told from the newest position, where the label is read: they grow into the past, which is the drift
    since birth seen from its other end.
    """
    b, n, t = visible.shape
    steps = np.diff(paths, axis=2, prepend=paths[:, :, :1])
    speed = np.minimum(np.sqrt((steps**2).sum(-1)), 40.0)
    factor = np.exp(
        model.per_point * rng.standard_normal((b, n, 1), np.float32)
        + model.per_window * rng.standard_normal((b, 1, 1), np.float32)
    )
    factor = factor * np.float32(model.typical_window) * (1 + speed / np.float32(model.per_speed))
    angle = rng.random((b, n, 1), np.float32) * np.float32(np.pi)
    weak = np.stack([np.cos(angle), np.sin(angle)], -1)
    strong = np.stack([-weak[..., 1], weak[..., 0]], -1)
    weak_step = model.step_weak * np.exp(model.weak_spread * rng.standard_normal((b, n, 1, 1), np.float32))

    def spread(frames: int, variance: float) -> np.ndarray:
        along = rng.standard_normal((b, n, frames, 2), np.float32) * np.float32(np.sqrt(variance))
        return along[..., :1] * weak * weak_step + along[..., 1:] * strong * np.float32(model.step_strong)

    walk = (spread(t, model.walk) + spread(1, model.bias)) * factor[..., None]
    edge = rng.random((b, n, 1, 1), np.float32) < model.slide_share
    if edge.any():
        # The tracker's first guess goes with the others, so along an edge only the rest of the motion is missed.
        rest = ((steps - np.median(steps, axis=1, keepdims=True)) * weak).sum(-1, keepdims=True)
        walk -= (
            np.where(edge, rng.random((b, n, 1, 1), np.float32) * np.float32(model.slide), 0) * rest * weak
        )

    ages = model.draw_ages(speed[..., t // 2 :].mean(-1), t, rng)
    alive = visible & (np.arange(t) >= t - ages[..., None])
    first = alive & ~np.concatenate([np.zeros((b, n, 1), bool), alive[..., :-1]], -1)
    first[..., 0] = False  # those are older than the window
    chance = np.where(np.roll(first, 1, axis=-1), model.birth_jump, model.jump)
    row, column, frame = np.nonzero(rng.random((b, n, t), np.float32) < chance)
    length = model.jump_px * np.exp(0.6 * rng.standard_normal(len(row)))
    turn = rng.uniform(0, 2 * np.pi, len(row))
    walk[row, column, frame] += np.stack([np.cos(turn), np.sin(turn)], -1) * length[:, None]

    drift = np.cumsum(walk, axis=2)
    error = drift - drift[:, :, -1:] + spread(t, model.jitter / 2) * factor[..., None]
    error[:, :, -1] = 0
    trip = 0.0095 + 0.011 / np.maximum(ages[..., None] - np.arange(t - 1, -1, -1), 1)
    tail = 0.9 * rng.standard_normal((b, n, 1), np.float32) + 1.1 * rng.standard_normal((b, n, t), np.float32)
    confidence = np.exp(-np.minimum(trip * np.exp(tail), 0.7) / 0.7) * alive
    confidence[first] = 1  # a point is trusted where it is seeded
    return Observed((paths + error).astype(np.float32), alive, confidence.astype(np.float32))
