"""Made-up label sequences whose scores are known."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.evaluation.quality import QualityTally, SceneQuality, summarise
from motionseg_ros.evaluation.quality_report import quality_document, quality_table

SIZE = (40, 50)
LEFT, RIGHT = np.s_[5:15, 5:15], np.s_[20:30, 30:40]  # 100 px each, 5 % of the image


def image(**regions) -> np.ndarray:
    """Label image: `_3=LEFT` puts id 3 there."""
    labels = np.zeros(SIZE, np.uint16)
    for name, region in regions.items():
        labels[region] = int(name[1:])
    return labels


def score(frames, movers=(1, 2)) -> SceneQuality:
    """`frames`: (truth, moving ids, prediction, ids reported as moving) each."""
    tally = QualityTally(movers)
    for frame in frames:
        tally.add(*frame)
    return tally.score("made up")


BOTH = image(_1=LEFT, _2=RIGHT)


def test_perfect():
    result = score([(BOTH, {1, 2}, image(_7=LEFT, _4=RIGHT), {4, 7})] * 6)
    assert [item.matched for item in result.objects] == [7, 4]
    for item in result.objects:
        assert (item.frames, item.moving_frames, item.switches) == (6, 6, 0)
        assert item.region == item.moving_region == item.moving_iou == 1
        assert item.region_per_frame == (1.0,) * 6
    assert (result.false_objects, result.false_positives, result.mtiou) == (0, 0, 1)


def test_an_id_that_changes():
    """The first id stands for the object; the second one is a false positive of MOS-I, but no false object."""
    frames = [(BOTH, {1, 2}, image(_1=LEFT, _2=RIGHT), {1, 2})] * 6
    frames += [(BOTH, {1, 2}, image(_9=LEFT, _2=RIGHT), {2, 9})] * 2
    result = score(frames)
    first, second = result.objects
    assert (first.matched, first.switches, first.region) == (1, 1, 0.75)
    assert (second.switches, second.region) == (0, 1)
    assert first.moving_iou == 0.75
    assert result.false_objects == 0
    assert result.false_positives == 2 / 8
    assert result.mtiou == pytest.approx(14 / (16 + 16 - 14))


def test_an_object_that_is_missed():
    result = score([(BOTH, {1, 2}, image(_1=LEFT), {1})] * 4)
    first, second = result.objects
    assert (first.matched, first.region) == (1, 1)
    assert (second.matched, second.region, second.moving_region, second.moving_iou) == (None, 0, 0, 0)
    assert result.mtiou == pytest.approx(4 / 8)


def test_two_objects_under_one_id():
    """One of them gets it, and half of its pixels are the other's."""
    result = score([(BOTH, {1, 2}, image(_1=LEFT) + image(_1=RIGHT), {1})] * 4)
    assert sorted(item.region for item in result.objects) == [0, 0.5]
    assert result.false_objects == 0


def test_a_false_object():
    elsewhere = np.s_[30:38, 0:10]
    result = score([(image(_1=LEFT), {1}, image(_1=LEFT, _5=elsewhere), {1, 5})] * 4, movers=(1,))
    assert result.objects[0].region == 1
    assert result.false_objects == result.false_positives == 1
    assert result.mtiou == pytest.approx(4 / 8)


@pytest.mark.parametrize(("columns", "false"), [(19, 0), (21, 1)])
def test_a_false_object_lies_less_than_half_on_a_true_one(columns, false):
    wide = np.s_[5:15, 5 : 5 + columns]
    assert score([(image(_1=LEFT), {1}, image(_1=wide), {1})], movers=(1,)).false_objects == false


def test_a_stop():
    """It stays an object while it stands: only MOS-I asks whether it is told to stand."""
    moves, stands = (image(_1=LEFT), {1}), (image(_1=LEFT), set())
    late = [(*moves, image(_1=LEFT), {1})] * 4 + [(*stands, image(_1=LEFT), {1})] * 2
    late += [(*stands, image(_1=LEFT), set())] * 2
    result = score(late, movers=(1,))
    (item,) = result.objects
    assert (item.frames, item.moving_frames) == (8, 4)
    assert item.region == item.moving_region == 1
    assert item.moving_iou == pytest.approx(4 / 6)
    assert result.false_objects == 0
    assert result.false_positives == 2 / 8
    assert result.mtiou == pytest.approx(4 / 6)


def test_an_object_that_is_told_to_stand_while_it_moves():
    (item,) = score([(image(_1=LEFT), {1}, image(_1=LEFT), set())] * 4, movers=(1,)).objects
    assert item.region == 1
    assert item.moving_region == item.moving_iou == 0


def test_a_parked_object_is_no_truth_and_no_false_object_before_it_starts():
    parked = (image(_1=LEFT), set(), image(_1=LEFT), {1})
    result = score([parked] * 3 + [(image(_1=LEFT), {1}, image(_1=LEFT), {1})] * 5, movers=(1,))
    (item,) = result.objects
    assert (item.frames, item.region) == (5, 1)
    assert item.region_per_frame == (None,) * 3 + (1.0,) * 5
    assert result.false_objects == 0
    assert result.false_positives == 3 / 8
    assert item.moving_iou == 5 / 8


def test_an_object_that_never_moves_is_background():
    result = score([(image(_1=LEFT, _2=RIGHT), {1}, image(_1=LEFT, _2=RIGHT), {1})] * 2, movers=(1,))
    assert len(result.objects) == 1
    assert result.false_objects == 1


def test_frames_that_hardly_show_an_object_do_not_count():
    """A pixel is 0.05 % of the image here; less than that is none."""
    large = np.zeros((80, 100), np.uint16)
    large[:3, 0] = 1  # 3 of 8000 px
    shown = large.copy()
    shown[10:20, 10:20] = 1
    nothing = np.zeros_like(large)
    result = score([(shown, {1}, shown, {1})] * 3 + [(large, {1}, nothing, set())] * 5, movers=(1,))
    (item,) = result.objects
    assert (item.frames, item.moving_frames, item.region, item.moving_iou) == (3, 3, 1, 1)
    assert score([(large, {1}, nothing, set())], movers=(1,)).objects == ()


def test_a_scene_without_objects():
    result = score([(image(), set(), image(_3=LEFT), {3})] * 2 + [(image(), set(), image(), set())] * 2, ())
    assert result.objects == ()
    assert (result.false_objects, result.false_positives, result.mtiou) == (0.5, 0.5, None)


def test_bad_input():
    with pytest.raises(ValueError, match="has no frames"):
        QualityTally((1,)).score("empty")
    with pytest.raises(ValueError, match="of one size"):
        QualityTally((1,)).add(image(), set(), np.zeros((3, 3), np.uint16), set())
    with pytest.raises(ValueError, match="at least one scene"):
        summarise([])


def test_all_scenes_together():
    """Objects weigh alike whatever scene they are from, and so do frames."""
    missed = score([(BOTH, {1, 2}, image(_1=LEFT), {1})] * 4)
    quiet = score([(image(), set(), image(_3=LEFT), {3})] * 12, ())
    summary = summarise([missed, quiet])
    assert (summary.scenes, summary.frames, summary.objects) == (2, 16, 2)
    assert (summary.region, summary.moving_region, summary.moving_iou) == (0.5, 0.5, 0.5)
    assert summary.switches == 0
    assert summary.false_objects == summary.false_positives == 0.75
    assert summary.mtiou == pytest.approx(0.5)
    assert summarise([quiet]).region is None


def test_report():
    scenes = [score([(BOTH, {1, 2}, BOTH, {1, 2})] * 3)]
    content = quality_document(scenes, {"made up": "none"})
    assert content["all"]["region"] == 1
    assert content["scenes"]["made up"]["difficulty"] == "none"
    assert [item["id"] for item in content["scenes"]["made up"]["per_object"]] == [1, 2]
    table = quality_table(scenes)
    assert table.row_count == 2
