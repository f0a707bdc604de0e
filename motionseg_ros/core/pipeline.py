"""The whole method, one frame in and one result out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .appearance import ObjectColours
from .background import BackgroundMotion, agreement, fit_background
from .beliefs import TrajectoryBeliefs
from .config import Config
from .cues import Cues
from .errors import PromptError
from .evidence import MotionEvidence
from .image import likeness
from .objects import ObjectRegistry
from .observe import compose, compress, observe, sample, touching
from .positions import ObjectPositions
from .protocols import ChosenObjects, Classifier, PointTracker, VideoMasker
from .situation import ObjectFinder, Situation
from .threads import begin
from .timing import StageTimer
from .types import Frame, FrameResult, Prompts, Tracks
from .window import SlidingWindow

# Frame gaps over which the background's motion is given to the masker.
BACKGROUND_GAPS = (1, 2, 4, 8)
# Correlation of two frames' layouts from which they show the same view.
SAME_VIEW = 0.5
# Share of the trajectories that go on with one homography, from which they were really followed.
SAME_MOTION = 0.5
# Frames after a restart in which trajectories are believed at once.
FIRST_WINDOW = 8
# A trajectory is classified once it has been seen in this many frames.
MIN_VISIBLE = 3


@dataclass(frozen=True)
class Workload:
    """How much a pipeline has to do in a frame.

    Args:
        trajectories: living ones.
        objects: those that have a mask or may get one again, shown or not.
    """

    trajectories: int
    objects: int


class MotionSegmenter:
    """Frames in, moving objects out; causal, in bounded memory.

    The cues and the classifier work beside the masker's look at the newest image: these two take longest.

    Two rates: every frame is tracked and masked; every `window.stride` frames the window's trajectories are
    classified, grouped and turned into prompts, which may add, grow, split, merge or retire objects.
    """

    def __init__(
        self,
        config: Config,
        tracker: PointTracker,
        classifier: Classifier,
        finder: ObjectFinder,
        masker: VideoMasker,
        chosen: ChosenObjects,
        cues: Cues | None = None,
    ) -> None:
        self.config = config
        self._tracker = tracker
        self._classifier = classifier
        self._finder = finder
        self._masker = masker
        self._chosen = chosen
        self._cues = cues or Cues()
        self._positions = ObjectPositions()
        self._window = SlidingWindow(config.window.length, config.image.working_size)
        options = config.classifier
        self._beliefs = TrajectoryBeliefs(1.0 - options.memory, options.moving, options.resting)
        self._registry = ObjectRegistry(config.objects)
        self._colours = ObjectColours()
        self._attached: set[tuple[int, int]] = set()
        self._restart: str | None = None
        self._since_restart = 0
        self._stamp: int | None = None

    def reset(self, reason: str = "reset") -> None:
        """Begin a fresh window with the next frame; all objects are let go. Its result carries `reason`."""
        self._window.clear()
        self._tracker.reset()
        self._cues.reset()
        self._positions.reset()
        self._beliefs.reset()
        self._registry.clear()
        self._finder.reset()
        self._colours.clear()
        self._attached.clear()
        self._masker.reset()
        self._chosen.reset()
        self._since_restart = 0
        self._stamp = None
        self._restart = reason

    @property
    def workload(self) -> Workload:
        """What is being followed."""
        return Workload(self._beliefs.count, len(self._registry.ids))

    def warm_up(self, size: tuple[int, int]) -> None:
        """Let every stage do its work once, on a made-up scene, so that the first frames take no longer than others.

        A GPU loads what it computes with when it is used first. Nothing of it stays.

        Args:
            size: (height, width) of the images to come, px, as far as that is known.

        Raises:
            ModelError: a stage cannot work, e.g. for want of memory: better now than at the first frame.
        """
        height, width = size
        image = cv2.resize(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8), (width, height))
        mask = np.zeros(size, bool)
        mask[height // 4 : -height // 4, width // 4 : -width // 4] = True
        prompts = Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), mask=mask)
        self.reset()
        for index in range(2 * max(MIN_VISIBLE, self.config.window.stride) + 1):
            self.push(Frame(image, index), [prompts] if index == 1 else ())
        self.reset()
        self._registry = ObjectRegistry(self.config.objects)
        self._restart = None

    def choose(self, prompts: Prompts, stamp: int | None = None) -> int:
        """Track an object of the user's choice from now on, whether it moves or not (SAM-PT).

        Args:
            prompts: points, a mask, or both, in the frame with `stamp`.
            stamp: ns, of a frame that is still in the window; None is the newest.

        Returns:
            the object's id; it is in the results from the next frame on.

        Raises:
            PromptError: there is no such frame, or the prompts cannot be used.
        """
        if not len(self._window):
            raise PromptError("there is no image yet: try again when images come")
        back = 0 if stamp is None else self._window.back_to(stamp)
        if back is None:
            raise PromptError(
                f"the image with stamp {stamp / 1e9:.3f} s is not among the last {len(self._window)}: "
                "choose a newer one"
            )
        try:
            prompts.check(self._window.frame.size)
        except ValueError as error:
            raise PromptError(str(error)) from None
        object_id = self._registry.create(self._window.frame.stamp, chosen=True)
        if object_id is None:
            raise PromptError(
                f"there are objects.max_objects = {self.config.objects.max_objects} objects already"
            )
        try:
            shape = self._chosen.begin(object_id, prompts, self._window, self._masker, back)
        except Exception:  # whatever it is, nothing is left of it
            self._registry.remove(object_id)
            self._masker.remove(object_id)
            raise
        self._take_in(object_id, shape)
        return object_id

    def _take_in(self, chosen: int, shape: np.ndarray) -> None:
        """Let an object of the user's choice with the mask `shape` (H, W) have those found before that it covers."""
        owners = self._beliefs.owners.copy()
        for object_id in self._registry.covered(shape):
            owners[owners == object_id] = chosen
            self._masker.remove(object_id)
            self._registry.remove(object_id)
        self._beliefs.own(owners)

    def push(self, frame: Frame, choices: Sequence[Prompts] = ()) -> FrameResult:
        """Process the next frame.

        Args:
            choices: objects of the user's choice in this very frame; see `choose`.

        A frame of another size, one with an earlier stamp, one after a long pause, or one into which hardly any
        trajectory goes on (a scene cut, a camera that jumps) begins a fresh window.

        Returns:
            the objects in this frame; its `restart` says why a fresh window was begun, if one was.

        Raises:
            PromptError: a choice that cannot be used.
        """
        timer = StageTimer()
        restart = self._check_continuity(frame)
        period = 0.0 if self._stamp is None else (frame.stamp - self._stamp) / 1e9
        with timer("prepare"):
            self._window.push(frame)
        with timer("track"):
            tracks = self._track()
            if self._is_cut(tracks):
                self.reset()
                restart = restart or "scene cut"
                self._restart = None
                self._window.push(frame)
                tracks = self._track()
            self._beliefs.follow(tracks.ids)
        due = self._since_restart % self.config.window.stride == 0
        studied = begin(lambda: self._study(tracks, frame, due, timer))
        try:
            with timer("background"):
                background = fit_background(tracks, frame.size, BACKGROUND_GAPS, ~self._beliefs.movers)
            with timer("motion"):
                self._masker.watch(self._window, background)
        finally:  # whatever happens, nothing works on when this returns
            answer = studied.result()
        if answer is not None:
            self._believe(*answer)
        with timer("mask"):
            evidence = self._weigh(tracks, background)
            self._masker.push(self._window, evidence)
            self._chosen.step(self._window, self._masker)
            for prompts in choices:
                self.choose(prompts)
            if choices:
                evidence = self._weigh(tracks, background)
        if due:
            with timer("group"):
                self._update_objects(tracks, evidence, frame)
        with timer("report"):
            labels = self._report(tracks, evidence, frame, period)
            instances = self._positions.locate(self._registry.instances(), frame)
        self._stamp = frame.stamp
        self._since_restart += 1
        return FrameResult(
            index=frame.index,
            stamp=frame.stamp,
            frame_id=frame.frame_id,
            labels=labels,
            instances=instances,
            timings_ms=timer.finish(),
            restart=restart,
            field=compress(self._masker.field()),
            warning=self._masker.warning(),
        )

    def _track(self) -> Tracks:
        self._tracker.push(self._window)
        return self._tracker.window()

    def _is_cut(self, tracks: Tracks) -> bool:
        """Whether the newest frame shows another scene, or the camera has jumped.

        Hardly any trajectory goes on, and those that do go anywhere; where too few are left to tell, the view is
        another one. So a fast pan is none, nor is a step of the exposure.
        """
        before = self._window.back(1)
        seen = tracks.ids[tracks.visible[:, -1]]
        if before is None or self._beliefs.survival(seen) >= self.config.source.min_survival:
            return False
        agreed = agreement(tracks[self._beliefs.knows(tracks.ids)], self._window.frame.size)
        if agreed is None:
            return likeness(before, self._window.newest) < SAME_VIEW
        return agreed < SAME_MOTION

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

    def _study(
        self, tracks: Tracks, frame: Frame, due: bool, timer: StageTimer
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Bring the cues up to the newest frame, and classify if that is `due`.

        Returns:
            Which trajectories have been seen for long enough, (N,) bool, and P(moving) of these; None if not due.
        """
        cues = self._cues.update(tracks, frame, timer)
        if not due:
            return None
        with timer("classify"):
            old_enough = tracks.visible.sum(1) >= MIN_VISIBLE
            if not old_enough.any():
                return old_enough, np.zeros(0, np.float32)
            depth, semantics = (None if cue is None else cue[old_enough] for cue in cues)
            return old_enough, self._classifier(tracks[old_enough], frame.size, depth, semantics)

    def _believe(self, old_enough: np.ndarray, probability: np.ndarray) -> None:
        """Renew the beliefs in the trajectories that were classified."""
        if len(probability):
            self._beliefs.update(old_enough, probability, self._since_restart < FIRST_WINDOW)

    def _weigh(self, tracks: Tracks, background: BackgroundMotion) -> MotionEvidence:
        """What all trajectories say about the newest frame; those that are hidden in it say nothing."""
        seen = tracks.visible[:, -1]
        return MotionEvidence(
            positions=tracks.positions[:, -1],
            moving=self._beliefs.moving,
            known=self._beliefs.known & seen,
            owners=np.where(seen, self._beliefs.owners, 0),
            background=background,
            still=self._registry.still,
            colours=self._colours,
        )

    def _update_objects(self, tracks: Tracks, evidence: MotionEvidence, frame: Frame) -> None:
        """Let the moving trajectories add, grow, split and merge objects."""
        rows = np.flatnonzero(self._beliefs.movers & tracks.visible[:, -1])
        situation = Situation(
            image=self._window.newest,
            frame=self._since_restart,
            stamp=frame.stamp,
            evidence=evidence,
            movers=rows,
            confidence=tracks.confidence[rows, -1],
            under=self._beliefs.under[rows],
            attached=self._attached,
            registry=self._registry,
            masker=self._masker,
        )
        owners = self._beliefs.owners.copy()
        owners[rows] = self._finder(situation)
        self._beliefs.own(owners)

    def _report(self, tracks: Tracks, evidence: MotionEvidence, frame: Frame, period: float) -> np.ndarray:
        """Compose the label image, bring the registry and the trajectories' owners up to this frame."""
        masks = self._masker.masks()
        self._chosen.note(masks, self._window)
        labels, logits = compose(masks, frame.size)
        boxes = {object_id: mask.box for object_id, mask in sorted(masks.items())}
        seen = tracks.visible[:, -1]
        under = np.where(seen, sample(labels, evidence.positions), 0)
        relative = evidence.background.velocity(len(tracks))
        beliefs = self._beliefs
        observed = observe(
            labels, logits, boxes, under, beliefs.moving, beliefs.known, _velocities(tracks), relative
        )
        for object_id, observation in observed.items():
            if masks[object_id].quality is not None:
                observed[object_id] = replace(observation, mask_score=masks[object_id].quality)
        gone = self._registry.update(observed, frame.stamp, period, max(frame.size))
        for object_id in gone:
            self._masker.remove(object_id)
        labels[np.isin(labels, gone)] = 0
        self._chosen.keep(self._registry.ids)
        self._note_looks(labels)
        labels[np.isin(labels, list(self._registry.tentative))] = 0
        # A moving trajectory keeps its object where the mask missed it, and so calls the mask back; a hidden one, too.
        owners = beliefs.owners
        keeps = (beliefs.movers | (under == owners) | ~seen) & ~np.isin(owners, gone)
        beliefs.own(np.where(keeps, owners, 0))
        beliefs.lie_on(np.where(seen, under, beliefs.under))
        return labels

    def _note_looks(self, labels: np.ndarray) -> None:
        """Take the objects' colours and contacts from the label image (H, W)."""
        lab = self._window.newest.half.lab
        small = cv2.resize(labels, lab.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        self._colours.keep(self._registry.ids)
        self._colours.learn(lab, small)
        self._attached = self._registry.note_contacts(touching(small))


def _velocities(tracks: Tracks) -> np.ndarray:
    """(N, 2) px per frame between the two newest frames, NaN for trajectories that have just begun."""
    if tracks.num_frames < 2:
        return np.full((len(tracks), 2), np.nan, np.float32)
    step = tracks.positions[:, -1] - tracks.positions[:, -2]
    return np.where(tracks.visible[:, -2:].all(1)[:, None], step, np.nan)
