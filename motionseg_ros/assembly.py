"""Puts the pipeline together: stage names of the configuration become objects."""

from __future__ import annotations

from .core.config import Config
from .core.pipeline import MotionSegmenter
from .core.protocols import Classifier, Grouper, PointTracker, VideoMasker


def build_segmenter(config: Config | None = None) -> MotionSegmenter:
    """A pipeline with the stages that `config` names (the `cpu` defaults without it).

    Stages are imported only when chosen, so that one that is not in use costs neither time nor a dependency.
    """
    config = config or Config()
    return MotionSegmenter(config, _tracker(config), _classifier(config), _grouper(config), _masker(config))


def _tracker(config: Config) -> PointTracker:
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


def _grouper(config: Config) -> Grouper:
    from .prompting.grouping import ProximityGrouper

    return ProximityGrouper(config.grouping)


def _masker(config: Config) -> VideoMasker:
    from .masks.guided import GuidedMasker

    return GuidedMasker(config.masker)
