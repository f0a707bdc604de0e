"""The whole method, one frame in and one result out."""

from __future__ import annotations

import numpy as np

from .association import Associator, Decisions, lies_beside
from .background import fit_background
from .beliefs import TrajectoryBeliefs
from .config import Config
from .evidence import MotionEvidence
from .objects import ObjectRegistry
from .observe import compose, observe, sample
from .protocols import Classifier, Grouper, PointTracker, VideoMasker
from .timing import StageTimer
from .types import Frame, FrameResult, Prompts, Tracks
from .window import SlidingWindow

# Frame gaps over which the background's motion is given to the masker.
BACKGROUND_GAPS = (1, 2, 4, 8)
# A trajectory is classified once it has been seen in this many frames.
MIN_VISIBLE = 3


class MotionSegmenter:
    """Frames in, moving objects out; causal, in bounded memory.

    Two rates: every frame is tracked and masked; every `window.stride` frames the window's trajectories are
    classified, grouped and turned into prompts, which may add, grow, split, merge or retire objects.
    """

    def __init__(
        self,
        config: Config,
        tracker: PointTracker,
        classifier: Classifier,
        grouper: Grouper,
        masker: VideoMasker,
    ) -> None:
        self.config = config
        self._tracker = tracker
        self._classifier = classifier
        self._grouper = grouper
        self._masker = masker
        self._window = SlidingWindow(config.window.length, config.image.working_size)
        options = config.classifier
        self._beliefs = TrajectoryBeliefs(1.0 - options.memory, options.moving, options.resting)
        self._registry = ObjectRegistry(config.objects)
        self._associator = Associator(config.objects.patience, config.grouping.min_trajectories)
        self._restart: str | None = None
        self._since_restart = 0
        self._stamp: int | None = None

    def reset(self, reason: str = "reset") -> None:
        """Begin a fresh window with the next frame; all objects are let go. Its result carries `reason`."""
        self._window.clear()
        self._tracker.reset()
        self._beliefs.reset()
        self._registry.clear()
        self._associator.reset()
        self._masker.reset()
        self._since_restart = 0
        self._stamp = None
        self._restart = reason

    def push(self, frame: Frame) -> FrameResult:
        """Process the next frame.

        A frame of another size, one with an earlier stamp, or one after a long pause begins a fresh window.

        Returns:
            the objects in this frame; its `restart` says why a fresh window was begun, if one was.
        """
        timer = StageTimer()
        restart = self._check_continuity(frame)
        period = 0.0 if self._stamp is None else (frame.stamp - self._stamp) / 1e9
        with timer("prepare"):
            self._window.push(frame)
        with timer("track"):
            self._tracker.push(self._window)
            tracks = self._tracker.window()
            self._beliefs.follow(tracks.ids)
        due = self._since_restart % self.config.window.stride == 0
        if due:
            with timer("classify"):
                self._classify(tracks, frame.size)
        with timer("background"):
            evidence = self._weigh(tracks, frame.size)
        with timer("mask"):
            self._masker.push(self._window, evidence)
        if due:
            with timer("group"):
                self._update_objects(evidence, frame)
        with timer("report"):
            labels = self._report(tracks, evidence, frame, period)
        self._stamp = frame.stamp
        self._since_restart += 1
        return FrameResult(
            index=frame.index,
            stamp=frame.stamp,
            frame_id=frame.frame_id,
            labels=labels,
            instances=self._registry.instances(),
            timings_ms=timer.finish(),
            restart=restart,
        )

    def _check_continuity(self, frame: Frame) -> str | None:
        """Begin a fresh window where the stream was broken; the reason for it, or None."""
        reason = None
        if len(self._window):
            size = self._window.frame.size
            if frame.size != size:
                reason = f"image size changed from {size[1]}x{size[0]} to {frame.size[1]}x{frame.size[0]}"
            elif frame.stamp < self._stamp:
                reason = f"stamp jumped back by {(self._stamp - frame.stamp) / 1e9:.3f} s"
            elif frame.stamp - self._stamp > self.config.source.max_gap * 1e9:
                reason = f"no frame for {(frame.stamp - self._stamp) / 1e9:.3f} s"
        if reason is not None:
            self.reset(reason)
        reason, self._restart = self._restart, None
        return reason

    def _classify(self, tracks: Tracks, size: tuple[int, int]) -> None:
        """Renew the beliefs in the trajectories that have been seen for long enough."""
        old_enough = tracks.visible.sum(1) >= MIN_VISIBLE
        if old_enough.any():
            self._beliefs.update(old_enough, self._classifier(tracks[old_enough], size))

    def _weigh(self, tracks: Tracks, size: tuple[int, int]) -> MotionEvidence:
        """What all trajectories say about the newest frame; the background is fitted to the static ones."""
        static = ~self._beliefs.movers
        background = fit_background(tracks, size, BACKGROUND_GAPS, static)
        return MotionEvidence(
            positions=tracks.positions[:, -1],
            moving=self._beliefs.moving,
            known=self._beliefs.known,
            owners=self._beliefs.owners,
            background=background,
            still=self._registry.still,
        )

    def _update_objects(self, evidence: MotionEvidence, frame: Frame) -> None:
        """Group the moving trajectories and let the groups add, grow, split and merge objects."""
        rows = np.flatnonzero(self._beliefs.movers)
        positions = evidence.positions[rows]
        motions = evidence.background.motions(len(evidence.positions))[rows]
        groups = self._grouper(positions, motions, frame.size)
        owners = evidence.owners[rows]
        reach = self.config.grouping.reach * max(frame.size)
        decisions = self._associator(groups, owners, lies_beside(positions, owners, reach))
        for members, object_id in self._prompted(decisions, positions, frame.stamp):
            owners[members] = object_id
            self._masker.add(object_id, _point_prompts(positions[members]))
        for keeper, goes in decisions.merge:
            owners[owners == goes] = keeper
            self._masker.remove(goes)
            self._registry.remove(goes)
            self._masker.add(keeper, _point_prompts(positions[owners == keeper]))
        all_owners = evidence.owners.copy()
        all_owners[rows] = owners
        self._beliefs.own(all_owners)

    def _prompted(
        self, decisions: Decisions, positions: np.ndarray, stamp: int
    ) -> list[tuple[np.ndarray, int]]:
        """The groups that prompt the masker, each with the id of a living, recalled or new object."""
        prompted = [(members, object_id) for object_id, members in decisions.grow.items() if len(members)]
        for members in [*decisions.new, *(members for _, members in decisions.split)]:
            object_id = self._registry.recall(positions[members], stamp) or self._registry.create(stamp)
            if object_id is not None:
                prompted.append((members, object_id))
        return prompted

    def _report(self, tracks: Tracks, evidence: MotionEvidence, frame: Frame, period: float) -> np.ndarray:
        """Compose the label image, bring the registry and the trajectories' owners up to this frame."""
        labels, logits = compose(self._masker.masks(), frame.size)
        under = sample(labels, evidence.positions)
        relative = evidence.background.velocity(len(tracks))
        observed = observe(labels, logits, under, evidence.moving, _velocities(tracks), relative)
        gone = self._registry.update(observed, frame.stamp, period, max(frame.size))
        for object_id in gone:
            self._masker.remove(object_id)
        labels[np.isin(labels, gone)] = 0
        # A moving trajectory keeps its object where the mask missed it, and so calls the mask back.
        owners = np.where(under > 0, under, self._beliefs.owners)
        carries = self._beliefs.movers | ((under > 0) & (self._beliefs.owners == under))
        self._beliefs.own(np.where(carries & ~np.isin(owners, gone), owners, 0))
        return labels


def _point_prompts(positions: np.ndarray) -> Prompts:
    """Positive points (K, 2) px."""
    return Prompts(np.ascontiguousarray(positions, np.float32), np.ones(len(positions), np.int8))


def _velocities(tracks: Tracks) -> np.ndarray:
    """(N, 2) px per frame between the two newest frames, NaN for trajectories that have just begun."""
    if tracks.num_frames < 2:
        return np.full((len(tracks), 2), np.nan, np.float32)
    step = tracks.positions[:, -1] - tracks.positions[:, -2]
    return np.where(tracks.visible[:, -2, None], step, np.nan)
