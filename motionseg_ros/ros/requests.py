"""From a service's request to what the pipeline takes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.errors import PromptError
from ..core.types import Prompts
from ..io.image_messages import message_to_bgr
from .messages import stamp_to_ns


def prompts_from_request(request: Any) -> tuple[Prompts, int | None]:
    """Prompts of a `TrackObject` request, and the stamp (ns) of the image that they are about, None for the newest.

    Raises:
        PromptError: points and labels do not fit together, or there is no point on the object and no mask.
        FrameError: the mask is not a usable image.
    """
    points = np.array([(point.x, point.y) for point in request.points], np.float32).reshape(-1, 2)
    labels = np.array(request.labels, np.uint8) if len(request.labels) else np.ones(len(points), np.uint8)
    if len(labels) != len(points):
        raise PromptError(
            f"labels must be one per point or none, but got {len(labels)} for {len(points)} points"
        )
    if (labels > 1).any():
        raise PromptError(f"labels must be POSITIVE (1) or NEGATIVE (0), but got {labels[labels > 1][0]}")
    mask = None
    if request.mask.height and request.mask.width:
        mask = message_to_bgr(request.mask).any(axis=-1)
    if mask is None and not (labels == 1).any():
        raise PromptError("there must be a point on the object, or a mask, but got neither")
    stamp = stamp_to_ns(request.header.stamp)
    return Prompts(points, labels.astype(np.int8), mask=mask), stamp or None
