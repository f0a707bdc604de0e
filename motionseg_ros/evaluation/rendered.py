"""The rendered benchmark: scenes with exact truth, through the whole pipeline, one process per scene."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..assembly import build_segmenter
from ..core.config import Config
from ..core.errors import OutputError
from ..core.types import Frame, FrameResult, Instance, ObjectState
from ..io.atomic import write_atomic
from ..io.overlay import contact_sheet, draw_overlay
from ..synthesis import Renderer, get_scene
from ..synthesis.scene import Scene
from .quality import QualityTally, SceneQuality

SUPERSAMPLING = 2
"""Colour samples per pixel and axis; one where an open shutter smooths the edges anyway."""
SHEET_FRAMES = 6
"""Frames on a contact sheet, evenly over the scene, each as truth beside prediction."""


@dataclass(frozen=True)
class RenderedBenchmark:
    """Scores the scenes of `names`; calls can be made in other processes.

    Args:
        names: scenes of `synthesis.benchmark.BENCHMARK`.
        config: the pipeline's.
        seed: of textures, clutter and sensor noise.
        sheets: folder for one contact sheet per scene, or None.
        cache: folder in which rendered scenes are kept, or None. They are rendered anew when the scenes' code changes.
    """

    names: tuple[str, ...]
    config: Config
    seed: int = 0
    sheets: Path | None = None
    cache: Path | None = None

    def __call__(self, index: int) -> SceneQuality:
        """The scores of scene `index`. Raises OutputError where a sheet or the cache cannot be written."""
        scene = get_scene(self.names[index], self.seed)
        movers = [item.object_id for item in scene.objects if scene.moving_intervals(item.object_id)]
        tally, segmenter, tiles = QualityTally(movers), build_segmenter(self.config), []
        shown = set(np.linspace(0, scene.num_frames - 1, SHEET_FRAMES).astype(int).tolist())
        for number, (image, truth) in enumerate(frames_of(scene, self.cache)):
            time = scene.time_of(number)
            result = segmenter.push(Frame(image, round(time * 1e9), "camera", number))
            moving = [i for i in movers if scene.is_moving(i, time)]
            reported = [i.id for i in result.instances if i.state is ObjectState.MOVING]
            tally.add(truth, moving, result.labels, reported)
            if self.sheets is not None and number in shown:
                tiles += [draw_overlay(image, _as_result(truth, moving)), draw_overlay(image, result)]
        if self.sheets is not None:
            _write_image(self.sheets / f"{scene.name}.jpg", contact_sheet(tiles))
        return tally.score(scene.name)


def frames_of(scene: Scene, cache: Path | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images (H, W, 3) uint8 BGR and labels (H, W) uint8 of a scene, in order."""
    if cache is None:
        for frame in Renderer(scene, 1 if scene.sensor.shutter else SUPERSAMPLING):
            yield frame.image, frame.labels.astype(np.uint8)
        return
    path = cache / f"{scene.name}-{scene.seed}-{_code_digest()}.npz"
    if not path.exists():
        images, labels = (np.stack(arrays) for arrays in zip(*frames_of(scene, None), strict=True))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=images, labels=labels)
        write_atomic(path, buffer.getvalue())
    with np.load(path) as stored:
        yield from zip(stored["images"], stored["labels"], strict=True)


def _code_digest() -> str:
    """Changes with every change of the code that makes the scenes."""
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted((Path(__file__).parents[1] / "synthesis").glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _as_result(truth: np.ndarray, moving: list[int]) -> FrameResult:
    """The truth as if it had been predicted, to be drawn in the same way."""
    instances = []
    for object_id in np.unique(truth[truth > 0]).tolist():
        mask = truth == object_id
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        state = ObjectState.MOVING if object_id in moving else ObjectState.STOPPED
        part = mask[y : y + height, x : x + width]
        instances.append(Instance(object_id, state, 1.0, 1.0, (x, y, width, height), part, (0.0, 0.0), 0, 0))
    return FrameResult(0, 0, "camera", truth.astype(np.uint16), tuple(instances))


def _write_image(path: Path, image: np.ndarray) -> None:
    encoded, data = cv2.imencode(path.suffix, image)
    if not encoded:
        raise OutputError(f"{path}: cannot be encoded")
    write_atomic(path, data.tobytes())
