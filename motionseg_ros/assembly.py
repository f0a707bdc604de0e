"""Puts the pipeline together: stage names of the configuration become objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .core.config import Config, Sam2Config
from .core.errors import ModelError
from .core.pipeline import MotionSegmenter
from .core.protocols import ChosenObjects, Classifier, PointTracker, VideoMasker
from .core.situation import ObjectFinder


def build_segmenter(config: Config | None = None) -> MotionSegmenter:
    """A pipeline with the stages that `config` names (the `cpu` defaults without it).

    Stages are imported only when chosen, so that one that is not in use costs neither time nor a dependency.
    """
    config = config or Config()
    return MotionSegmenter(
        config, _tracker(config), _classifier(config), _finder(config), _masker(config), _chosen(config)
    )


def _tracker(config: Config) -> PointTracker:
    if config.tracker.name == "tapir":
        return _tapir(config)
    from .tracking.lucas_kanade import LucasKanadeTracker

    return LucasKanadeTracker(config.tracker, config.window.length, config.window.stride)


def _classifier(config: Config) -> Classifier:
    options = config.classifier
    if options.name == "geometric":
        from .trajectories.geometric import GeometricClassifier

        return GeometricClassifier(options)
    from .trajectories.classifier import TrajectoryClassifier
    from .trajectories.learned import SHIPPED

    return TrajectoryClassifier.from_checkpoint(
        options.weights or SHIPPED, options.device, options.depth_mode
    )


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


def _masker(config: Config) -> VideoMasker:
    if config.masker.name == "sam2":
        return _sam2(config.sam2)
    from .masks.guided import GuidedMasker

    return GuidedMasker(config.masker)


def _tapir(config: Config) -> PointTracker:
    from .io.weights import locate

    options = config.tapir
    weights = Path(options.weights) if options.weights else locate("bootstapir_causal")
    with _needs("tracker.name tapir", "torch git+https://github.com/google-deepmind/tapnet"):
        from .tracking.tapir.tracker import build_tracker

        return build_tracker(options, weights, config.window.length, config.window.stride)


def _sam2(options: Sam2Config) -> VideoMasker:
    from .io.weights import locate

    weights = Path(options.weights) if options.weights else locate(options.model)
    with _needs("masker.name sam2", "'motionseg_ros[sam2]'"):
        from .masks.sam2.masker import build_masker

        return build_masker(options, weights)


@contextmanager
def _needs(choice: str, install: str) -> Iterator[None]:
    """Turn the absence of a package into an error that says what to `install` for this `choice`."""
    try:
        yield
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        raise ModelError(f"{choice} needs the package {package}: pip install {install}") from error
