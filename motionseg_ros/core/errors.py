"""The errors a user may see. Each message is one line that names the thing and the remedy."""

from __future__ import annotations


class MotionSegError(Exception):
    """Base of every error that is the input's or the user's to mend; commands print it and exit with status 2."""


class ConfigError(MotionSegError):
    """An option, profile, parameter or stage name that cannot be used."""


class SourceError(MotionSegError):
    """A recording, video, folder or stream that cannot be read."""


class FrameError(SourceError):
    """One frame or image message that cannot be used (bad step, unknown encoding, changed size, ...)."""


class OutputError(MotionSegError):
    """A result that cannot be written (no permission, disk full, folder in use, ...)."""


class EvaluationError(MotionSegError):
    """Predictions and ground truth that cannot be compared."""


class PromptError(MotionSegError):
    """A choice of an object (points, a mask) that cannot be used."""


class ModelError(MotionSegError):
    """Model weights that cannot be loaded, or a device or library that is missing to run them."""
