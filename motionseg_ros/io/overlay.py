"""Draw results on images, for eyes."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from ..core.types import FrameResult, Instance, ObjectState

_FILL = {ObjectState.MOVING: 0.45, ObjectState.STOPPED: 0.2}
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@lru_cache(maxsize=1024)
def color_of(object_id: int) -> tuple[int, int, int]:
    """The object's colour, BGR; always the same for an id, and far apart for neighbouring ids."""
    hue = (
        object_id * 0.6180339887
    ) % 1.0  # steps of the golden ratio never come close to an earlier hue soon
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85 if object_id % 2 else 0.6, 1.0)
    return round(blue * 255), round(green * 255), round(red * 255)


def draw_overlay(image: np.ndarray, result: FrameResult) -> np.ndarray:
    """The image with a translucent fill, a contour and "id state" on every visible object.

    Args:
        image: (H, W, 3) uint8, BGR; left as it is.
        result: the result for that image; objects that stand still are filled more faintly.

    Returns:
        (H, W, 3) uint8, BGR.
    """
    if image.shape[:2] != result.size:
        raise ValueError(f"image must be {result.size}, but got {image.shape[:2]}")
    drawn = image.copy()
    visible = [i for i in result.instances if i.state != ObjectState.OCCLUDED and i.mask.size]
    scale = max(0.4, image.shape[0] / 1000)
    for instance in visible:
        _draw_mask(drawn, instance, max(1, round(2 * scale)))
    for instance in visible:
        _draw_label(drawn, instance, scale)
    return drawn


def contact_sheet(images: Sequence[np.ndarray], columns: int = 4, gap: int = 4) -> np.ndarray:
    """Images of one size side by side, row by row, on black.

    Args:
        images: (H, W, 3) uint8 each; others than the first are scaled to the first one's size.
        columns: images per row.
        gap: black pixels between images.

    Returns:
        (rows * H + gaps, columns * W + gaps, 3) uint8.
    """
    if not images or columns < 1:
        raise ValueError(f"sheet needs images and columns, but got {len(images)} images, {columns} columns")
    height, width = images[0].shape[:2]
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    for number, image in enumerate(images):
        top, left = (number // columns) * (height + gap), (number % columns) * (width + gap)
        if image.shape[:2] != (height, width):
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        sheet[top : top + height, left : left + width] = image
    return sheet


def _draw_mask(drawn: np.ndarray, instance: Instance, thickness: int) -> None:
    x, y, width, height = instance.roi
    region = drawn[y : y + height, x : x + width]
    mask = instance.mask.view(np.uint8)
    color = color_of(instance.id)
    fill = _FILL[instance.state]
    tinted = cv2.addWeighted(region, 1 - fill, np.full_like(region, color), fill, 0)
    cv2.copyTo(tinted, mask, region)
    # A border of zeros closes the contours of objects that touch the box, which all do.
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    contours, _ = cv2.findContours(padded, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(x - 1, y - 1))
    cv2.drawContours(drawn, contours, -1, color, thickness, cv2.LINE_AA)


def _draw_label(drawn: np.ndarray, instance: Instance, scale: float) -> None:
    text = f"{instance.id} {instance.state.name.lower()}"
    (width, height), below = cv2.getTextSize(text, _FONT, scale, 1)
    x = min(max(instance.roi[0], 0), max(drawn.shape[1] - width - 4, 0))
    y = max(instance.roi[1] - 2, height + below + 2)
    color = color_of(instance.id)
    luminance = 0.114 * color[0] + 0.587 * color[1] + 0.299 * color[2]
    ink = (0, 0, 0) if luminance > 110 else (255, 255, 255)
    cv2.rectangle(drawn, (x, y - height - below - 2), (x + width + 4, y), color, cv2.FILLED)
    cv2.putText(drawn, text, (x + 2, y - below), _FONT, scale, ink, 1, cv2.LINE_AA)
