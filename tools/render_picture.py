"""Draws the README's picture: a rendered scene as its camera sees it, and what the pipeline says about it.

python tools/render_picture.py   (some seconds; run it again when the pipeline has changed)
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.types import Frame
from motionseg_ros.io.overlay import contact_sheet, draw_overlay
from motionseg_ros.synthesis import get_scene, render

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "masks.jpg"
SHOWN = (8, 20, 32)
"""Frames, one per column."""
SIZE = (426, 320)
"""Width and height of one panel, px."""


def panels(frames: tuple[int, ...]) -> list[np.ndarray]:
    """Camera images, then the overlays on them, for the chosen frames of the scene."""
    segmenter = build_segmenter()
    seen, drawn = [], []
    for index, rendered in enumerate(render(get_scene("crossing"))):
        result = segmenter.push(Frame(rendered.image, round(rendered.time * 1e9), "camera", index))
        if index in frames:
            seen.append(rendered.image)
            drawn.append(draw_overlay(rendered.image, result))
        if index == max(frames):
            break
    return [cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA) for image in (*seen, *drawn)]


def main() -> int:
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    sheet = contact_sheet(panels(SHOWN), columns=len(SHOWN))
    if not cv2.imwrite(str(PICTURE), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        print(f"cannot write {PICTURE}", file=sys.stderr)
        return 1
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
