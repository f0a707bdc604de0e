"""What the default pipeline would score if some of its answers were the truth: which stage sets the limit.

python tools/measure_limits.py --cache ~/.cache/motionseg_bench

Three rows: the pipeline as it is (nothing known); the classifier replaced by the truth (a trajectory moves if it lies
on a moving object now); and each moving trajectory given to its true object as well. What the last row lacks, only
better trajectories and masks can bring.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.association import Decisions
from motionseg_ros.core.config import Config
from motionseg_ros.core.observe import sample
from motionseg_ros.core.pipeline import MotionSegmenter
from motionseg_ros.core.types import Frame, ObjectState, Tracks
from motionseg_ros.evaluation.measures import region_similarity
from motionseg_ros.evaluation.quality import QualityTally, SceneQuality
from motionseg_ros.evaluation.rendered import frames_of
from motionseg_ros.io.workers import map_in_order
from motionseg_ros.synthesis import get_scene
from motionseg_ros.synthesis.benchmark import BENCHMARK

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "davis16-dev"
SURE = 0.98
"""What the true classifier says of a trajectory that moves; of the others, what is left to 1."""


class Known(Enum):
    """What the pipeline is told."""

    NOTHING = "nothing"
    MOVING = "what moves"
    OBJECTS = "and which object"


class Truth:
    """The newest frame's true labels of what moves, (H, W) uint16, for the stages that are replaced."""

    def __init__(self) -> None:
        self.labels = np.zeros((1, 1), np.uint16)


class TrueClassifier:
    """P(moving) by the truth."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def __call__(self, tracks: Tracks, size: tuple[int, int], depth: Any = None, semantics: Any = None):
        on = sample(self._truth.labels, tracks.positions[:, -1])
        return np.where(on > 0, SURE, 1 - SURE).astype(np.float32)


class TrueAssociator:
    """Gives moving trajectories to their true objects; `on` tells which true object each one lies on."""

    def __init__(self, on: Callable[[], np.ndarray], min_trajectories: int) -> None:
        self._on = on
        self._min_trajectories = min_trajectories
        self.reset()

    def reset(self) -> None:
        self._ids: dict[int, int] = {}

    def __call__(self, _links: Any, _weights: Any, owners: np.ndarray, ids: np.ndarray, *_others: Any):
        on = self._on()
        decisions = Decisions(np.zeros_like(owners))
        for true_id in np.unique(on[on > 0]).tolist():
            members = np.flatnonzero(on == true_id)
            if self._ids.get(true_id) not in ids.tolist():
                self._ids.pop(true_id, None)
                carried = owners[members]
                carried = carried[(carried > 0) & ~np.isin(carried, list(self._ids.values()))]
                if len(carried):  # that is the object which was begun for it
                    self._ids[true_id] = int(np.bincount(carried).argmax())
            if true_id in self._ids:
                decisions.owners[members] = self._ids[true_id]
            elif len(members) >= self._min_trajectories:
                decisions.new.append(members)
        return decisions


def build(config: Config, truth: Truth, known: Known) -> MotionSegmenter:
    """The default pipeline, with the truth in the place of what is `known`."""
    segmenter = build_segmenter(config)
    if known is not Known.NOTHING:
        segmenter._classifier = TrueClassifier(truth)
    if known is Known.OBJECTS:

        def on() -> np.ndarray:
            newest = segmenter._tracker.window().positions[:, -1]
            return sample(truth.labels, newest[segmenter._beliefs.movers])

        segmenter._finder._associator = TrueAssociator(on, config.grouping.min_trajectories)
    return segmenter


@dataclass(frozen=True)
class Rendered:
    """Scores one scene of the rendered benchmark."""

    names: tuple[str, ...]
    known: Known
    cache: Path | None

    def __call__(self, index: int) -> tuple[SceneQuality, float]:
        """The scene's scores, and J of all that moves as one, mean over the frames in which something does."""
        scene, truth, config = get_scene(self.names[index]), Truth(), Config()
        segmenter = build(config, truth, self.known)
        movers = [item.object_id for item in scene.objects if scene.moving_intervals(item.object_id)]
        tally, together = QualityTally(movers), []
        for number, (image, labels) in enumerate(frames_of(scene, self.cache)):
            time = scene.time_of(number)
            moving = [i for i in movers if scene.is_moving(i, time)]
            truth.labels = _only(labels, moving)
            result = segmenter.push(Frame(image, round(time * 1e9), "camera", number))
            tally.add(
                labels,
                moving,
                result.labels,
                [i.id for i in result.instances if i.state is ObjectState.MOVING],
            )
            if truth.labels.any():
                together.append(region_similarity(truth.labels > 0, result.labels > 0))
        return tally.score(scene.name), float(np.mean(together)) if together else float("nan")


@dataclass(frozen=True)
class Filmed:
    """Scores one sequence of DAVIS 2016: one annotated object, one mask."""

    folders: tuple[Path, ...]
    known: Known

    def __call__(self, index: int) -> tuple[float, float]:
        """Mean J over all frames, and over all but the first eight."""
        truth = Truth()
        segmenter = build(Config(), truth, self.known)
        scores = []
        for number, (image, mask) in enumerate(_davis(self.folders[index])):
            truth.labels = mask.astype(np.uint16)
            result = segmenter.push(Frame(image, number * 10**9 // 24, "camera", number))
            scores.append(region_similarity(mask, result.labels > 0))
        return float(np.mean(scores)), float(np.mean(scores[8:]))


def _only(labels: np.ndarray, ids: Collection[int]) -> np.ndarray:
    return np.where(np.isin(labels, list(ids)), labels, 0).astype(np.uint16)


def _davis(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for image, mask in zip(
        sorted((folder / "frames").iterdir()), sorted((folder / "masks").iterdir()), strict=True
    ):
        yield cv2.imread(str(image)), cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0


def main(
    data: Annotated[Path, typer.Option(help="Folder of sequences with frames/ and masks/.")] = DATA,
    cache: Annotated[Path | None, typer.Option(help="Keep rendered scenes here.")] = None,
    scene: Annotated[list[str] | None, typer.Option(help="Only these rendered scenes.")] = None,
    workers: Annotated[int, typer.Option(help="Processes.", min=0)] = 2,
) -> None:
    """Measure and print."""
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
    names = tuple(scene or BENCHMARK)
    folders = tuple(sorted(p for p in data.iterdir() if (p / "masks").is_dir())) if data.is_dir() else ()
    table = Table("known", "filmed: J", "after 8 frames", "rendered: J per object", box=SIMPLE_HEAD)
    for column in ("J of all as one", "switches per object"):
        table.add_column(column)
    for known in Known:
        row = [known.value, "-", "-"]
        if folders and known is not Known.OBJECTS:
            filmed = list(map_in_order(Filmed(folders, known), range(len(folders)), workers))
            row[1:] = (f"{value:.3f}" for value in np.mean(filmed, 0))
        scores = list(map_in_order(Rendered(names, known, cache), range(len(names)), workers))
        objects = [item for quality, _ in scores for item in quality.objects]
        row += [f"{np.mean([item.region for item in objects]):.3f}"] if objects else ["-"]
        row += [f"{np.nanmean([together for _, together in scores]):.3f}"] if objects else ["-"]
        row += [f"{np.mean([item.switches for item in objects]):.2f}"] if objects else ["-"]
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
