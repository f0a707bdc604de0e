from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.core.types import Frame, Tracks
from motionseg_ros.synthesis import Renderer, get_scene


@pytest.fixture(scope="module")
def tool(load_tool):
    return load_tool("measure_limits")


def test_a_trajectory_moves_where_the_truth_does(tool):
    truth = tool.Truth()
    truth.labels = np.array([[0, 0, 7, 7]], np.uint16)
    positions = np.float32([[[3, 0], [0, 0]], [[0, 0], [3, 0]]])  # in the frame before, and now
    seen = np.ones((2, 2), bool)
    one = seen.astype(np.float32)
    tracks = Tracks(positions, seen, one, one, np.zeros(2, np.int64), np.arange(2))
    np.testing.assert_allclose(tool.TrueClassifier(truth)(tracks, (1, 4)), [0.02, 0.98])


def test_each_true_object_is_one_object(tool):
    on = np.array([4, 4, 9, 9, 0, 5])
    associate = tool.TrueAssociator(lambda: on, 2)
    nothing = np.zeros(0)
    first = associate(nothing, nothing, np.zeros(6, np.int64), np.zeros(0, np.int64))
    assert [members.tolist() for members in first.new] == [[0, 1], [2, 3]]  # one trajectory makes none
    owners = np.array([1, 1, 2, 1, 1, 0])  # one has slipped from an object onto the other, one off both
    second = associate(nothing, nothing, owners, np.array([1, 2]))
    assert second.owners.tolist() == [1, 1, 2, 2, 0, 0]
    assert not second.new


def test_with_the_truth_every_mover_is_found_and_kept_apart(tool):
    """Two people who cross in front of each other."""
    scene, truth = get_scene("crossing", width=320, height=240), tool.Truth()
    segmenter = tool.build(Config(), truth, tool.Known.OBJECTS)
    moving = [item.object_id for item in scene.objects if scene.moving_intervals(item.object_id)]
    renderer, seen = Renderer(scene), {}
    for number in range(24):
        frame = renderer.render(number)
        truth.labels = tool._only(frame.labels, moving)
        result = segmenter.push(Frame(frame.image, number * 10**8, "camera", number))
        if number > 6:
            for i in moving:
                under = result.labels[frame.labels == i]
                if (under > 0).any():
                    seen.setdefault(i, set()).add(int(np.bincount(under[under > 0]).argmax()))
    assert len(seen) >= 2
    assert all(len(ids) == 1 for ids in seen.values())
    assert len(set.union(*seen.values())) == len(seen)
