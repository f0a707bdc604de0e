"""Short, small versions of benchmark scenes through the whole pipeline."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.evaluation import rendered
from motionseg_ros.evaluation.rendered import RenderedBenchmark
from motionseg_ros.synthesis import get_scene


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(rendered, "SUPERSAMPLING", 1)
    monkeypatch.setattr(
        rendered, "get_scene", lambda name, seed: get_scene(name, seed, 320, 240, duration=3.0)
    )


def test_the_dominant_object_is_found(tmp_path):
    """A regression bound, not what is wanted: J is that of all 36 frames, the first window included."""
    work = RenderedBenchmark(("dominant", "still"), Config(), sheets=tmp_path, cache=tmp_path)
    result = work(0)
    assert (result.name, result.frames, [item.id for item in result.objects]) == ("dominant", 36, [1, 2])
    assert result.objects[0].region > 0.4
    assert result.objects[0].moving_iou > 0.5
    assert result.false_objects < 0.2
    sheet = cv2.imread(str(tmp_path / "dominant.jpg"))
    assert sheet.shape == (3 * 240 + 8, 4 * 320 + 12, 3)

    assert work(0) == result  # from the cache
    assert len(list(tmp_path.glob("dominant-0-*.npz"))) == 1


def test_where_nothing_moves_little_is_found():
    result = RenderedBenchmark(("still",), Config())(0)
    assert result.objects == ()
    assert result.mtiou is None
    assert result.false_objects < 0.5


def test_cached_frames_are_the_rendered_ones(tmp_path):
    scene = get_scene("far", 0, 64, 48, duration=0.5)
    fresh = list(rendered.frames_of(scene, None))
    stored = [*rendered.frames_of(scene, tmp_path)], [*rendered.frames_of(scene, tmp_path)]
    for again in stored:
        for (image, labels), (one, other) in zip(fresh, again, strict=True):
            np.testing.assert_array_equal(image, one)
            np.testing.assert_array_equal(labels, other)
