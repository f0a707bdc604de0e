"""Puts the pipeline together: stage names of the configuration become objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .core.config import Config
from .core.cues import Cues, NoCue, TrajectoryCue
from .core.depth import BY_MODE, OWN
from .core.errors import ModelError
from .core.pipeline import MotionSegmenter
from .core.protocols import ChosenObjects, Classifier, PointTracker, VideoMasker
from .core.situation import ObjectFinder

if TYPE_CHECKING:
    from .cues.depth import DepthSource


def build_segmenter(
    config: Config | None = None, *, offline: bool = False, random_weights: bool = False
) -> MotionSegmenter:
    """A pipeline with the stages that `config` names (the `cpu` defaults without it).

    Stages are imported only when chosen, so that one that is not in use costs neither time nor a dependency.

    Args:
        offline: for one of the passes of an offline run, which may look at more frames at a time.
        random_weights: for measurements: no weights are read from files but those that are shipped.

    Raises:
        ModelError: a stage's weights, device or package is missing, and what to do about it.
    """
    config = config or Config()
    files = weights_of(config, offline)
    paths: Paths = dict.fromkeys(files) if random_weights else _find(files)
    if random_weights and files:
        import torch

        torch.manual_seed(0)
    return MotionSegmenter(
        config,
        _tracker(config, paths, offline),
        _classifier(config, paths),
        _finder(config),
        _masker(config, paths),
        _chosen(config),
        Cues(_depth(config, paths), _semantics(config, paths)),
    )


def build_tracker(config: Config) -> PointTracker:
    """Only the tracker of the pipeline that `config` describes; see `build_segmenter`."""
    return _tracker(config, _find(weights_of(config), "tapir"), offline=False)


def build_classifier(config: Config) -> Classifier:
    """Only the trajectory classifier of the pipeline that `config` describes; see `build_segmenter`."""
    return _classifier(config, _find(weights_of(config), "classifier"))


@dataclass(frozen=True)
class StageWeights:
    """Where a stage has its weights from: the file `given` by an option, or `name` in the store where that is empty."""

    name: str
    given: str


_TAPNET = "'motionseg_ros[tapir]' && pip install --no-deps git+https://github.com/google-deepmind/tapnet"

Paths = dict[str, Path | None]
"""The file of each stage's weights by option group; None for random ones."""


def weights_of(config: Config, offline: bool = False) -> dict[str, StageWeights]:
    """The weights that the stages which `config` names need, by option group; none for the defaults."""
    needed = {}
    if config.tracker.name == "tapir":
        needed["tapir"] = (
            StageWeights("bootstapir", config.tapir.offline_weights)
            if _whole_window(config, offline)
            else StageWeights("bootstapir_causal", config.tapir.weights)
        )
    if config.depth.name == "depth_anything":
        needed["depth"] = StageWeights("depth_anything_v2_small", config.depth.weights)
    if config.semantics.name == "dinov2":
        needed["semantics"] = StageWeights("dinov2_base", config.semantics.weights)
    if config.classifier.name == "seganymo":
        needed["classifier"] = StageWeights("seganymo", config.classifier.weights)
    if config.masker.name == "sam2":
        needed["sam2"] = StageWeights(config.sam2.model, config.sam2.weights)
    return needed


def _find(files: dict[str, StageWeights], only: str | None = None) -> Paths:
    """The files, or only that of one stage.

    Raises:
        ModelError: those of the store that are not there, all of them.
    """
    from .io.weights import locate_all

    files = {stage: file for stage, file in files.items() if only in (None, stage)}
    stored = locate_all([file.name for file in files.values() if not file.given])
    return {stage: Path(file.given) if file.given else stored[file.name] for stage, file in files.items()}


def _whole_window(config: Config, offline: bool) -> bool:
    return offline and config.tapir.offline == "whole_window"


def _tracker(config: Config, paths: Paths, offline: bool) -> PointTracker:
    length, stride = config.window.length, config.window.stride
    if config.tracker.name == "tapir":
        with _needs("tracker.name tapir", _TAPNET):
            from .tracking.tapir.tracker import build_tracker as build_tapir_tracker

            return build_tapir_tracker(
                config.tapir, paths["tapir"], length, stride, whole_window=_whole_window(config, offline)
            )
    from .tracking.lucas_kanade import LucasKanadeTracker

    return LucasKanadeTracker(config.tracker, length, stride)


def _depth(config: Config, paths: Paths) -> TrajectoryCue:
    options = config.depth
    if options.name == "none":
        return NoCue()
    from .cues.trajectory_depth import TrajectoryDepth

    source: DepthSource
    if options.name == "sensor":
        from .cues.depth import SensorDepth

        source = SensorDepth()
    else:
        with _needs("depth.name depth_anything", "'motionseg_ros[cues]'"):
            from .cues.depth_anything import build_source

            source = build_source(options, paths["depth"])
    reading = BY_MODE[config.classifier.depth_mode] if config.classifier.name == "seganymo" else OWN
    return TrajectoryDepth(source, reading)


def _semantics(config: Config, paths: Paths) -> TrajectoryCue:
    if config.semantics.name == "none":
        return NoCue()
    from .cues.semantics import TrajectorySemantics

    with _needs("semantics.name dinov2", "'motionseg_ros[cues]'"):
        from .cues.dinov2 import build_encoder

        return TrajectorySemantics(build_encoder(config.semantics, paths["semantics"]))


def _classifier(config: Config, paths: Paths) -> Classifier:
    options = config.classifier
    if options.name == "geometric":
        from .trajectories.geometric import GeometricClassifier

        return GeometricClassifier(options)
    if options.name == "seganymo":
        with _needs("classifier.name seganymo", "'motionseg_ros[models]'"):
            from .trajectories.checkpoint import load_released
            from .trajectories.released import SegAnyMoClassifier

            return SegAnyMoClassifier(load_released(paths["classifier"], options.device))
    from .trajectories.learned import SHIPPED, NetworkClassifier

    return NetworkClassifier.load(options.weights or SHIPPED)


def _chosen(config: Config) -> ChosenObjects:
    from .prompting.chosen_objects import ChosenObjects
    from .tracking.query_points import QueryPoints

    return ChosenObjects(config.points, QueryPoints(config.tracker.max_round_trip))


def _finder(config: Config) -> ObjectFinder:
    if config.grouping.name == "prompting":
        from .prompting.prompted_objects import PromptedObjects

        return PromptedObjects(config.prompting)
    from .core.linking import LinkedObjects
    from .prompting.grouping import ProximityGrouper

    return LinkedObjects(config, ProximityGrouper(config.grouping))


def _masker(config: Config, paths: Paths) -> VideoMasker:
    if config.masker.name == "sam2":
        with _needs("masker.name sam2", "'motionseg_ros[sam2]'"):
            from .masks.sam2.masker import build_masker

            return build_masker(config.sam2, paths["sam2"])
    from .masks.guided import GuidedMasker

    return GuidedMasker(config.masker)


@contextmanager
def _needs(choice: str, install: str) -> Iterator[None]:
    """Turn the absence of a package into an error that says what to `install` for this `choice`."""
    try:
        yield
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise ModelError(f"{choice} needs the package {package}: pip install {install}") from error
