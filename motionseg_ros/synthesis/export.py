"""Ground truth as files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from .renderer import RenderedFrame, Renderer
from .scene import Scene


def write_truth(scene: Scene, folder: str | Path, frames: Iterable[RenderedFrame] | None = None) -> Path:
    """Write the truth of a scene and return the folder.

    masks/00000.png: one label image per frame, 0 background, value = object id (8 bits, or 16 for ids above
    255), all objects, also while they stand. scene.json: camera, poses, objects, when they move and how many
    pixels show. `frames`: the scene's rendered frames, in order, where they exist already; else they are
    rendered here. Raises ValueError where their number is not the scene's, OSError where a file cannot be
    written.
    """
    folder = Path(folder)
    (folder / "masks").mkdir(parents=True, exist_ok=True)
    kind = np.uint8 if len(scene.objects) <= 255 else np.uint16
    records = []
    for index, frame in enumerate(Renderer(scene, supersampling=1) if frames is None else frames):
        path = folder / "masks" / f"{index:05d}.png"
        if not cv2.imwrite(str(path), frame.labels.astype(kind)):
            raise OSError(f"could not write {path}")
        records.append(_frame_record(scene, frame))
    if len(records) != scene.num_frames:
        raise ValueError(f"scene {scene.name!r} has {scene.num_frames} frames but got {len(records)}")
    (folder / "scene.json").write_text(json.dumps(describe(scene) | {"frames": records}, indent=1) + "\n")
    return folder


def describe(scene: Scene) -> dict:
    """The scene's camera, timing and objects, ready for JSON. Frames of motion are (first, last), both
    included.
    """
    camera = scene.camera
    return {
        "name": scene.name,
        "seed": scene.seed,
        "fps": scene.fps,
        "num_frames": scene.num_frames,
        "camera": {key: getattr(camera, key) for key in ("fx", "fy", "cx", "cy", "width", "height")},
        "conventions": "poses: row-major 4x4, m; camera: x right, y down, z forward; world: x forward, y left, z up",
        "objects": [
            {"id": item.object_id, "name": item.name, "moving_frames": scene.moving_intervals(item.object_id)}
            for item in scene.objects
        ],
    }


def _frame_record(scene: Scene, frame: RenderedFrame) -> dict:
    pixels = np.bincount(frame.labels.ravel(), minlength=len(scene.objects) + 1)
    return {
        "time": frame.time,
        "camera_to_world": frame.camera_to_world.tolist(),
        "objects": [
            {
                "id": item.object_id,
                "object_to_world": scene.object_pose(item.object_id, frame.time).tolist(),
                "moving": scene.is_moving(item.object_id, frame.time),
                "pixels": int(pixels[item.object_id]),
            }
            for item in scene.objects
        ],
    }
