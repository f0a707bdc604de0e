from __future__ import annotations

import dataclasses
import json

import cv2
import numpy as np
import pytest

from motionseg_ros.synthesis import render, write_truth


def test_write_truth(room, tmp_path):
    short = dataclasses.replace(room, duration=0.5)
    frames = list(render(short))
    folder = write_truth(short, tmp_path / "a" / "truth", frames)
    files = sorted((folder / "masks").iterdir())
    assert [path.name for path in files] == [f"{i:05d}.png" for i in range(5)]
    for path, frame in zip(files, frames, strict=True):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, frame.labels)

    truth = json.loads((folder / "scene.json").read_text())
    assert truth["camera"]["width"] == 160
    assert truth["objects"] == [{"id": 1, "name": "cart", "moving_frames": [[0, 4]]}]
    assert len(truth["frames"]) == 5
    record = truth["frames"][3]
    np.testing.assert_array_equal(record["camera_to_world"], room.camera_pose(0.3))
    np.testing.assert_array_equal(record["objects"][0]["object_to_world"], room.object_pose(1, 0.3))
    assert record["objects"][0]["pixels"] == int((frames[3].labels == 1).sum())
    assert record["objects"][0]["moving"] is True


def test_renders_by_itself(room, tmp_path):
    short = dataclasses.replace(room, duration=0.2)
    folder = write_truth(short, tmp_path)
    given = write_truth(short, tmp_path / "given", render(short))
    for name in ("00000.png", "00001.png"):
        assert (folder / "masks" / name).read_bytes() == (given / "masks" / name).read_bytes()


def test_refuses_missing_frames(room, tmp_path):
    with pytest.raises(ValueError, match="has 24 frames but got 1"):
        write_truth(room, tmp_path, [next(render(room))])
