"""How well single trajectories are classified, before anything is grouped or masked.

The project's tracker runs over a sequence with known truth, and its windows are kept (on disk, too): a classifier
is then scored on them within seconds. A trajectory is positive if its newest position lies on something that
moves in the newest frame.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..core.background import INLIER, MIN_TRAJECTORIES
from ..core.beliefs import TrajectoryBeliefs
from ..core.config import ClassifierConfig, Config
from ..core.errors import EvaluationError
from ..core.pipeline import MIN_VISIBLE
from ..core.protocols import Classifier
from ..core.types import Frame, Tracks
from ..core.window import SlidingWindow
from ..io.atomic import part_path, writing
from .label_images import read_labels
from .layout import find_sequences

# Trajectories this close to an object's outline say more about the tracker's window than about the classifier.
RING = 12.0
RECALL = 0.8
# To be raised when what is collected changes in a way that no key below shows.
_FORMAT = 1
_PACKAGE = Path(__file__).resolve().parents[1]
_TRACKING = ("tracking/lucas_kanade.py", "core/image.py", "core/window.py")
# px; what a homography sends to infinity.
_FAR = 1e4
_ARRAYS = ("positions", "visible", "visibility", "confidence", "birth", "ids")


@dataclass(frozen=True, eq=False)
class LabelledWindow:
    """One window as a classifier gets it, and the truth.

    Args:
        frame: index of the newest frame in its sequence.
        size: (height, width) of the image, px.
        tracks: N trajectories that have been seen in `MIN_VISIBLE` frames or more.
        moving: (N,) bool, the newest position lies on something that moves.
        distance: (N,) float32, px of the full image from the newest position to the truth's outline, on either
            side; infinite where the truth has none.
    """

    frame: int
    size: tuple[int, int]
    tracks: Tracks
    moving: np.ndarray
    distance: np.ndarray


class Labelled(Protocol):
    """A sequence of images with a truth mask each."""

    group: str
    name: str

    def __len__(self) -> int:
        """Number of frames."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Image (H, W, 3) uint8 BGR, and (H, W) bool, what moves in it."""

    def at(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of one frame."""

    def identity(self) -> dict[str, object]:
        """What decides the frames, ready for JSON."""


class RecordedSequence:
    """A folder with ``frames/`` and ``masks/``, files of the same names.

    Raises:
        EvaluationError: no frames, or a frame without a mask.
    """

    def __init__(self, group: str, folder: Path, frames: int | None = None) -> None:
        from ..io.folder_source import image_files

        self.group, self.name = group, folder.name
        pictures = folder / "frames"
        self._images = image_files(pictures)[:frames] if pictures.is_dir() else []
        if not self._images:
            raise EvaluationError(f"{pictures}: holds no images; a sequence has frames/ and masks/")
        self._masks = [folder / "masks" / f"{image.stem}.png" for image in self._images]
        lacking = next((mask for mask in self._masks if not mask.is_file()), None)
        if lacking is not None:
            raise EvaluationError(f"{lacking}: no such mask; every frame needs one of its name")

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.at(index) for index in range(len(self)))

    def at(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        image = cv2.imread(str(self._images[index]), cv2.IMREAD_COLOR)
        if image is None:
            raise EvaluationError(f"{self._images[index]}: cannot be read as an image; copy the set again")
        truth = read_labels(self._masks[index]) > 0
        if truth.shape != image.shape[:2]:
            raise EvaluationError(
                f"{self._masks[index]}: is {truth.shape[1]}x{truth.shape[0]}, its frame "
                f"{image.shape[1]}x{image.shape[0]}; they must have one size"
            )
        return image, truth

    def identity(self) -> dict[str, object]:
        files = [
            (file.name, file.stat().st_size, file.stat().st_mtime_ns)
            for file in (*self._images, *self._masks)
        ]
        return {"folder": self.name, "files": files}


class RenderedSequence:
    """A scene of the library, rendered; objects that stand in a frame are background in its truth.

    Args:
        scene: name in `synthesis.SCENES`.
        size: (width, height), px.
        frames: all of the scene's where None.

    Raises:
        ValueError: no such scene.
    """

    group = "rendered"

    def __init__(
        self,
        scene: str,
        seed: int = 0,
        size: tuple[int, int] = (640, 480),
        frames: int | None = None,
        fps: float = 10.0,
    ) -> None:
        from ..synthesis import get_scene

        self.name = f"{scene}-{seed}"
        self._scene = get_scene(scene, seed, *size, fps)
        self._length = min(self._scene.num_frames, frames or self._scene.num_frames)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return self._render(range(len(self)))

    def at(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return next(self._render([index]))

    def _render(self, indices: Iterable[int]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        from ..synthesis import Renderer

        renderer = Renderer(self._scene)  # not kept: textures are large, and sequences many
        ids = [item.object_id for item in self._scene.objects]
        for index in indices:
            frame = renderer.render(index)
            moving = [object_id for object_id in ids if self._scene.is_moving(object_id, frame.time)]
            yield frame.image, np.isin(frame.labels, moving)

    def identity(self) -> dict[str, object]:
        # The scene's description and the renderer's code: another scene in the library changes neither.
        return {
            "scene": hashlib.sha256(pickle.dumps(self._scene, 4)).hexdigest(),
            "frames": len(self),
            "renderer": _digest(_imports(_PACKAGE / "synthesis" / "renderer.py")),
        }


def find_labelled(
    name: str,
    data: Path,
    seeds: int = 2,
    size: tuple[int, int] = (640, 480),
    frames: int | None = None,
) -> list[Labelled]:
    """The sequences that `name` stands for.

    Args:
        name: a folder of sequences under `data`, one sequence in it (``set/sequence``), a rendered scene, or
            ``rendered`` for all scenes of the library.
        data: where the recorded sets lie.
        seeds: rendered scenes come with the seeds 0 to `seeds` - 1.
        size: of rendered scenes, (width, height), px.
        frames: at most that many of each sequence, from the first; all where None.

    Raises:
        EvaluationError: nothing has that name.
    """
    from ..synthesis import SCENES

    scenes = list(SCENES) if name == "rendered" else [name] if name in SCENES else []
    if scenes:
        return [RenderedSequence(scene, seed, size, frames) for scene in scenes for seed in range(seeds)]
    group, _, wanted = name.strip("/").partition("/")
    if not name.strip("/") or not (data / group).is_dir():
        raise EvaluationError(
            f"{name}: is neither a folder in {data} (set MOTIONSEG_DATA) nor rendered, nor one of the scenes "
            f"{', '.join(SCENES)}"
        )
    found = {
        key: masks.parent
        for key, masks in find_sequences(data / group, "ground truth").items()
        if wanted in ("", key)
    }
    if not found:
        raise EvaluationError(f"{data / group}: holds no sequence {wanted}; check the name")
    return [RecordedSequence(group, folder, frames) for folder in found.values()]


def label_points(points: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which points (N, 2) px lie in the mask (H, W) bool, and how far each is from the mask's outline.

    Points are rounded to pixels, and those outside the image moved to its border. The distance is that to the
    nearest pixel on the other side, 1 for pixels that touch it.

    Returns:
        (N,) bool and (N,) float32 px, infinite for an empty mask and for one that covers the image.
    """
    height, width = truth.shape
    x, y = np.clip(np.rint(points), 0, (width - 1, height - 1)).astype(np.int64).T
    inside = truth[y, x]
    if not truth.any() or truth.all():
        return inside, np.full(len(points), np.inf, np.float32)
    mask = truth.astype(np.uint8)
    within, outside = (
        cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for part in (mask, 1 - mask)
    )
    return inside, np.where(inside, within[y, x], outside[y, x]).astype(np.float32)


def collect_windows(
    frames: Iterable[tuple[np.ndarray, np.ndarray]], config: Config
) -> Iterator[LabelledWindow]:
    """Track as the pipeline does, and label every full window that it would classify.

    Args:
        frames: image (H, W, 3) uint8 BGR and truth (H, W) bool, in order.
        config: image, window and tracker; a window each `config.window.stride` frames.
    """
    from ..assembly import build_tracker

    window = SlidingWindow(config.window.length, config.image.working_size)
    tracker = build_tracker(config)
    for index, (image, truth) in enumerate(frames):
        window.push(Frame(image, index=index))
        tracker.push(window)
        if len(window) < config.window.length or index % config.window.stride:
            continue
        tracks = tracker.window()
        tracks = tracks[tracks.visible.sum(1) >= MIN_VISIBLE]
        moving, distance = label_points(tracks.positions[:, -1], truth)
        yield LabelledWindow(index, truth.shape, tracks, moving, distance)


def cache_key(sequence: Labelled, config: Config) -> str:
    """Hexadecimal digest of all that decides a sequence's windows: frames, options, the tracker's code."""
    decides = {
        "format": _FORMAT,
        "frames": sequence.identity(),
        "image": config.image.model_dump(),
        "window": config.window.model_dump(),
        "tracker": config.tracker.model_dump(),
        "least_visible": MIN_VISIBLE,
        "code": _digest(_PACKAGE / name for name in _TRACKING),
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:20]


def cached_windows(
    sequence: Labelled,
    config: Config,
    cache: Path,
    on_frame: Callable[[], object] = lambda: None,
) -> list[LabelledWindow]:
    """The sequence's windows, from the folder `cache`, or collected and put there.

    `on_frame` is called for each frame that has to be tracked.

    Raises:
        EvaluationError: the sequence cannot be read.
        OutputError: the folder cannot be written.
    """
    path = cache / f"{sequence.group}-{sequence.name}-{cache_key(sequence, config)}.npz"
    windows = load_windows(path) if path.is_file() else None
    if windows is None:
        windows = list(collect_windows(_counted(sequence, on_frame), config))
        save_windows(path, windows)
    return windows


def save_windows(path: Path, windows: Sequence[LabelledWindow]) -> None:
    """Write windows of one length as an .npz file; folders are made.

    Raises:
        OutputError: it cannot be written.
    """
    arrays = {
        "frame": np.array([window.frame for window in windows], np.int64),
        "size": np.array([window.size for window in windows], np.int64).reshape(-1, 2),
        "count": np.array([len(window.tracks) for window in windows], np.int64),
    }
    if windows:
        arrays |= {
            name: np.concatenate([getattr(window.tracks, name) for window in windows]) for name in _ARRAYS
        }
        arrays["moving"] = np.concatenate([window.moving for window in windows])
        arrays["distance"] = np.concatenate([window.distance for window in windows])
    part = part_path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)


def load_windows(path: Path) -> list[LabelledWindow] | None:
    """What `save_windows` wrote, or None where the file is damaged."""
    try:
        with np.load(path) as file:
            arrays = dict(file)
        counts = arrays["count"]
        if not len(counts):
            return []
        at = np.cumsum(counts)[:-1]
        fields = [np.split(arrays[name], at) for name in (*_ARRAYS, "moving", "distance")]
        return [
            LabelledWindow(int(frame), (int(size[0]), int(size[1])), Tracks(*rows[:6]), *rows[6:])
            for frame, size, *rows in zip(arrays["frame"], arrays["size"], *fields, strict=True)
        ]
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def seen_for(windows: Iterable[LabelledWindow], least: int) -> list[LabelledWindow]:
    """The windows with those trajectories only that are visible in `least` frames or more."""
    chosen = [(window, window.tracks.visible.sum(1) >= least) for window in windows]
    return [
        LabelledWindow(w.frame, w.size, w.tracks[rows], w.moving[rows], w.distance[rows])
        for w, rows in chosen
    ]


class HomographyClassifier:
    """The best classical rule known: mean residual to homographies that align each frame with the newest.

    One homography per frame, by MAGSAC; what a trajectory moves beside it, averaged over the frames in which it
    is seen. No threshold is part of the rule: the answer is residual / (residual + 2 px at 854 px), which keeps
    the order.
    """

    def __call__(
        self,
        tracks: Tracks,
        size: tuple[int, int],
        depth: np.ndarray | None = None,
        semantics: np.ndarray | None = None,
    ) -> np.ndarray:
        """(N,) float32 in 0..1; 0 where nothing could be aligned. `depth` and `semantics` are not used."""
        tolerance = INLIER * max(size)
        total, count = np.zeros(len(tracks)), np.zeros(len(tracks))
        for frame in range(tracks.num_frames - 1):
            common = tracks.visible[:, frame] & tracks.visible[:, -1]
            if common.sum() < MIN_TRAJECTORIES:
                continue
            residual = _residual(tracks.positions[common, frame], tracks.positions[common, -1], tolerance)
            if residual is not None:
                total[common] += residual
                count[common] += 1
        residual = total / np.maximum(count, 1)
        return (residual / (residual + tolerance)).astype(np.float32)


def _residual(start: np.ndarray, end: np.ndarray, tolerance: float) -> np.ndarray | None:
    """(N,) px between `end` (N, 2) and `start` moved by their robust homography; None where there is none."""
    try:
        homography, _ = cv2.findHomography(
            start, end, cv2.USAC_MAGSAC, tolerance, maxIters=1000, confidence=0.999
        )
    except cv2.error:  # some degenerate point sets trip an assertion instead of giving no model
        return None
    if homography is None:
        return None
    residual = np.linalg.norm(cv2.perspectiveTransform(start[None], homography)[0] - end, axis=1)
    return np.minimum(np.nan_to_num(residual, nan=_FAR, posinf=_FAR), _FAR)


@dataclass(frozen=True, eq=False)
class Classified:
    """A sequence's windows and what a classifier says of them.

    Args:
        group, name: of the sequence.
        windows: a window each time the pipeline would classify.
        probabilities: (N,) float32 per window.
        milliseconds: time per window that has trajectories.
        step: every how many windows the unsmoothed scores use.
    """

    group: str
    name: str
    windows: list[LabelledWindow]
    probabilities: list[np.ndarray]
    milliseconds: list[float]
    step: int = 1

    def pooled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probability, label and distance of every trajectory of every `step`-th window, (M,) each."""
        chosen = slice(None, None, self.step)
        windows = self.windows[chosen]
        return (
            _joined(self.probabilities[chosen], np.float32),
            _joined([window.moving for window in windows], bool),
            _joined([window.distance for window in windows], np.float32),
        )


def classify(
    sequence: Labelled, windows: list[LabelledWindow], classifier: Classifier, step: int = 1
) -> Classified:
    """Ask a classifier about every window that has trajectories, and take the time.

    Raises:
        ValueError: its answer is not one finite number per trajectory.
    """
    probabilities, milliseconds = [], []
    for window in windows:
        count = len(window.tracks)
        if not count:
            probabilities.append(np.zeros(0, np.float32))
            continue
        start = time.perf_counter()
        probability = np.asarray(classifier(window.tracks, window.size))
        milliseconds.append(1e3 * (time.perf_counter() - start))
        if probability.shape != (count,) or not np.isfinite(probability).all():
            raise ValueError(
                f"answer must be ({count},) and finite, but got {probability.shape} with "
                f"{np.count_nonzero(~np.isfinite(probability))} others in frame {window.frame} of {sequence.name}"
            )
        probabilities.append(probability.astype(np.float32))
    return Classified(sequence.group, sequence.name, windows, probabilities, milliseconds, step)


def average_precision(probability: np.ndarray, moving: np.ndarray) -> float | None:
    """Area under precision over recall as a step function: sum over thresholds n of (R_n - R_(n-1)) P_n.

    Trajectories of one probability share one threshold, so that their order does not matter.

    Args:
        probability: (M,), larger for what rather moves.
        moving: (M,) bool.

    Returns:
        0..1, or None without a positive.
    """
    if not moving.any():
        return None
    order = np.argsort(-probability, kind="stable")
    values, hits = probability[order], np.cumsum(moving[order])
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)
    recall, precision = hits[last] / hits[-1], hits[last] / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def threshold_at_recall(pools: Sequence[tuple[np.ndarray, np.ndarray]], recall: float) -> float | None:
    """The highest threshold at or above which lies the share `recall` of the positives.

    Args:
        pools: (probability (M,), moving (M,) bool) per sequence. Each sequence has the same weight, however many
            positives it has.

    Returns:
        the threshold, or None without a positive.
    """
    positives = [probability[moving] for probability, moving in pools if moving.any()]
    if not positives:
        return None
    values = np.concatenate(positives)
    weights = np.concatenate([np.full(len(part), 1 / len(part)) for part in positives]) / len(positives)
    order = np.argsort(-values, kind="stable")
    reached = np.cumsum(weights[order]) >= recall - 1e-9
    return float(values[order][reached.argmax()]) if reached.any() else float(values.min())


def share(flags: np.ndarray) -> float | None:
    """Share of True, or None of an empty array."""
    return float(flags.mean()) if len(flags) else None


def smoothed(classified: Classified, config: ClassifierConfig) -> list[np.ndarray]:
    """What the pipeline decides after each window: (N,) bool per window, called moving or not."""
    beliefs = TrajectoryBeliefs(1.0 - config.memory, config.moving, config.resting)
    answers = []
    for window, probability in zip(classified.windows, classified.probabilities, strict=True):
        beliefs.follow(window.tracks.ids)
        beliefs.update(np.arange(len(probability)), probability)
        answers.append(beliefs.movers.copy())
    return answers


@dataclass(frozen=True)
class TrajectoryScore:
    """How one sequence was classified; None for what the sequence does not show.

    Args:
        group, name: of the sequence.
        trajectories: how many the unsmoothed scores are made of.
        moving: share of positives among them.
        ap: average precision over all of them.
        ap_off_ring: the same without those within `RING` px of an outline.
        alarms: share of the negatives at or above the threshold.
        precision, recall: of trajectories called moving, after smoothing.
        called: share of the negatives called moving, after smoothing.
    """

    group: str
    name: str
    trajectories: int
    moving: float | None
    ap: float | None
    ap_off_ring: float | None
    alarms: float | None
    precision: float | None
    recall: float | None
    called: float | None

    @property
    def rigid(self) -> bool:
        """Nothing moves in any window."""
        return self.recall is None


FIGURES = ("ap", "ap_off_ring", "alarms", "precision", "recall", "called")


def score(classified: Classified, config: Config, threshold: float | None) -> TrajectoryScore:
    """All figures of a sequence.

    Args:
        config: memory and thresholds of smoothing.
        threshold: that of unsmoothed alarms; None where there is none.
    """
    probability, moving, distance = classified.pooled()
    off_ring = distance > RING
    called = _joined(smoothed(classified, config.classifier), bool)
    truth = _joined([window.moving for window in classified.windows], bool)
    return TrajectoryScore(
        group=classified.group,
        name=classified.name,
        trajectories=len(moving),
        moving=share(moving),
        ap=average_precision(probability, moving),
        ap_off_ring=average_precision(probability[off_ring], moving[off_ring]),
        alarms=None if threshold is None else share(probability[~moving] >= threshold),
        precision=share(truth[called]) if truth.any() else None,
        recall=share(called[truth]),
        called=share(called[~truth]),
    )


@dataclass(frozen=True)
class Summary:
    """Means over the sequences of a group: alarms and calls over the rigid ones, the rest over the others."""

    group: str
    sequences: int
    ap: float | None
    ap_off_ring: float | None
    precision: float | None
    recall: float | None
    alarms: float | None
    called: float | None


def summarise(scores: Sequence[TrajectoryScore]) -> list[Summary]:
    """One summary per group, in the order in which groups occur."""
    summaries = []
    for group in dict.fromkeys(item.group for item in scores):
        members = [item for item in scores if item.group == group]
        rigid = [item for item in members if item.rigid]
        means = {name: mean(getattr(item, name) for item in members) for name in FIGURES}
        means |= {name: mean(getattr(item, name) for item in rigid) for name in ("alarms", "called")}
        summaries.append(Summary(group, len(members), **means))
    return summaries


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the known values, or None without any."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def document(scores: Sequence[TrajectoryScore]) -> dict[str, object]:
    """Figures per group and per sequence, ready for JSON."""
    return {
        "groups": [asdict(item) for item in summarise(scores)],
        "sequences": [asdict(item) for item in scores],
    }


def _joined(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *parts])


def _counted(sequence: Labelled, on_frame: Callable[[], object]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for item in sequence:
        yield item
        on_frame()


def _digest(files: Iterable[Path]) -> str:
    """Of the files' contents, in the order of their names."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(files))).hexdigest()


def _imports(path: Path) -> set[Path]:
    """A module's file and those of its own folder that it imports, directly or not."""
    found, todo = set(), [path]
    while todo:
        file = todo.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        names = re.findall(r"^\s*from \.(\w+) import", file.read_text(encoding="utf-8"), re.MULTILINE)
        todo += [path.with_name(f"{name}.py") for name in names]
    return found
