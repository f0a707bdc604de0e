from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.offline import (
    MIN_SEEN,
    Match,
    Overlaps,
    join,
    match_objects,
    mirrored,
    unmirrored,
)
from motionseg_ros.core.types import Frame, FrameResult, Instance, ObjectState

SECOND = 10**9
SIZE = (30, 80)
Box = tuple[int, int, int, int]


def result(boxes: dict[int, Box], stamp: int = 9 * SECOND, hidden: Sequence[int] = ()) -> FrameResult:
    """Boxes (x, y, width, height) by id as a result; ids in `hidden` are occluded."""
    labels = np.zeros(SIZE, np.uint16)
    found = []
    for object_id, (x, y, width, height) in boxes.items():
        labels[y : y + height, x : x + width] = object_id
        mask = np.ones((height, width), bool)
        box = (x, y, width, height)
        found.append(
            Instance(object_id, ObjectState.STOPPED, 0.9, 0.8, box, mask, (3.0, -2.0), 7, stamp - SECOND)
        )
    for object_id in hidden:
        nothing = np.zeros((0, 0), bool)
        found.append(
            Instance(object_id, ObjectState.OCCLUDED, 0, 0, (0, 0, 0, 0), nothing, (1.0, 1.0), 0, stamp)
        )
    return FrameResult(0, stamp, "camera", labels, tuple(sorted(found, key=lambda i: i.id)), {"mask": 2.0})


def frame_of(answer: FrameResult) -> Frame:
    image = np.zeros((*answer.size, 3), np.uint8)
    return Frame(image, answer.stamp, answer.frame_id, answer.index)


def matched(*pairs: tuple[dict[int, Box], dict[int, Box]]) -> Match:
    """The match after `MIN_SEEN` frames of each pair of results."""
    overlaps = Overlaps()
    for forward, backward in pairs:
        for _ in range(MIN_SEEN):
            overlaps.add(result(forward), result(backward))
    return match_objects(overlaps)


class TestMatchObjects:
    def test_the_same_place_is_the_same_object(self):
        boxes = {4: (0, 0, 10, 10), 6: (40, 0, 10, 10)}
        assert matched((boxes, {1: (41, 0, 10, 10), 2: (1, 1, 10, 10)})).ids == {1: 6, 2: 4}

    def test_what_has_no_counterpart_is_left_out(self):
        assert matched(({4: (0, 0, 10, 10)}, {1: (40, 0, 10, 10), 2: (0, 0, 10, 9)})).ids == {2: 4}

    def test_a_little_overlap_is_not_enough(self):
        assert matched(({1: (0, 0, 10, 10)}, {1: (8, 0, 10, 10)})).ids == {}

    def test_frames_that_show_only_one_of_them_do_not_count(self):
        box = (0, 0, 10, 10)
        assert matched(({3: box}, {8: box}), *[({}, {8: box})] * 9, *[({3: box}, {})] * 9).ids == {8: 3}

    def test_the_larger_share_wins(self):
        forward = {1: (0, 0, 20, 10)}
        assert matched((forward, {1: (0, 0, 9, 10), 2: (9, 0, 11, 10)})).ids == {2: 1}

    def test_an_object_that_one_pass_lost_and_found_again(self):
        """Two ids one after the other are one object; two at the same time are not."""
        box = (0, 0, 10, 10)
        assert matched(({1: box}, {5: box}), ({1: box}, {6: box})).ids == {5: 1, 6: 1}
        together = ({}, {5: box, 6: (40, 0, 5, 5)})
        assert matched(({1: box}, {5: box}), ({1: box}, {6: box}), together).ids == {5: 1}

    def test_what_was_hardly_seen_is_left_out(self):
        overlaps = Overlaps()
        for _ in range(MIN_SEEN - 1):
            overlaps.add(result({1: (0, 0, 9, 9)}), result({1: (0, 0, 9, 9), 2: (40, 0, 9, 9)}))
        assert match_objects(overlaps).ids == {}

    def test_first_seen_is_the_earliest_of_both_passes(self):
        box, overlaps = (0, 0, 10, 10), Overlaps()
        for second in range(20, 2, -1):
            forward = result({3: box} if second > 12 else {}, second * SECOND)
            overlaps.add(forward, result({1: box} if second < 18 else {}, second * SECOND))
        assert match_objects(overlaps).first_seen == {3: 3 * SECOND}

    def test_nothing_at_all(self):
        assert match_objects(Overlaps()).ids == {}


class TestJoin:
    MATCH = Match({1: 7, 2: 4}, {4: SECOND, 7: 2 * SECOND, 9: 3 * SECOND})

    def test_what_only_the_pass_backward_shows_is_taken_over(self, check):
        joined = join(
            result({4: (0, 0, 10, 10)}), result({1: (40, 5, 10, 10), 2: (1, 0, 10, 10)}), self.MATCH
        )
        check(joined, frame_of(joined))
        ours, theirs = joined.instances
        assert (ours.id, ours.roi, ours.velocity_px, ours.first_seen) == (4, (0, 0, 10, 10), (3, -2), SECOND)
        assert (theirs.id, theirs.roi, theirs.first_seen) == (7, (40, 5, 10, 10), 2 * SECOND)
        assert theirs.velocity_px == (-3.0, 2.0)
        assert theirs.state is ObjectState.STOPPED
        assert joined.timings_ms == {"mask": 4.0}

    def test_an_object_out_of_sight_comes_back(self, check):
        joined = join(result({}, hidden=[4]), result({2: (1, 0, 10, 10)}), self.MATCH)
        check(joined, frame_of(joined))
        assert [(i.id, i.state, i.area) for i in joined.instances] == [(4, ObjectState.STOPPED, 100)]

    def test_labels_of_the_pass_forward_stay(self, check):
        forward = result({9: (0, 0, 10, 10)})
        joined = join(forward, result({1: (8, 0, 20, 10)}), self.MATCH)
        check(joined, frame_of(joined))
        assert (joined.labels[forward.labels > 0] == 9).all()
        assert joined.instances[0].roi == (10, 0, 18, 10)

    def test_what_is_shown_under_another_id_gets_no_fringe(self):
        forward = result({9: (0, 0, 10, 10)})
        joined = join(forward, result({1: (0, 0, 12, 10)}), self.MATCH)
        np.testing.assert_array_equal(joined.labels, forward.labels)

    @pytest.mark.parametrize("backward", [result({3: (40, 0, 9, 9)}), result({}, hidden=[1]), result({})])
    def test_nothing_to_take_over(self, backward):
        forward = result({4: (0, 0, 10, 10)})
        joined = join(forward, backward, self.MATCH)
        np.testing.assert_array_equal(joined.labels, forward.labels)
        assert [i.id for i in joined.instances] == [4]

    def test_does_not_change_what_it_is_given(self):
        forward = result({})
        join(forward, result({1: (40, 5, 10, 10)}), self.MATCH)
        assert not forward.labels.any()


def test_mirrored_stamps_rise_and_come_back():
    stamps = [5, 6, 9, 2, 3]
    frames = [Frame(np.zeros((2, 2, 3), np.uint8), stamp) for stamp in reversed(stamps)]
    mirror = [mirrored(frame, 3).stamp for frame in frames]
    assert np.diff(mirror).tolist() == np.diff(stamps)[::-1].tolist()
    answers = [replace(result({}), stamp=stamp) for stamp in mirror]
    assert [unmirrored(answer, 3).stamp for answer in answers] == stamps[::-1]


def test_mirrored_frames_are_the_same_but_for_the_stamp():
    image, depth = np.ones((2, 3, 3), np.uint8), np.ones((2, 3), np.float32)
    for frame in (Frame(image, 7, "camera", 4, depth), Frame(image, 7, "camera", 4)):
        mirror = mirrored(frame, 10)
        assert (mirror.stamp, mirror.frame_id, mirror.index) == (3, "camera", 4)
        assert mirror.image is image
        assert mirror.depth is frame.depth


def both_passes(images: Sequence[np.ndarray]) -> tuple[list[FrameResult], list[FrameResult]]:
    """(forward results, joined results) at 10 Hz."""
    frames = [Frame(image, 5 * SECOND + k * SECOND // 10, "camera", k) for k, image in enumerate(images)]
    segmenter, pivot, overlaps = build_segmenter(), frames[-1].stamp, Overlaps()
    forward = [segmenter.push(frame) for frame in frames]
    segmenter = build_segmenter()
    backward = [unmirrored(segmenter.push(mirrored(f, pivot)), pivot) for f in reversed(frames)][::-1]
    for pair in zip(forward, backward, strict=True):
        overlaps.add(*pair)
    match = match_objects(overlaps)
    return forward, [join(*pair, match) for pair in zip(forward, backward, strict=True)]


class TestWithTheRealPipeline:
    def test_movers_have_masks_from_the_first_frame(self, rendered, check):
        frames = rendered("crossing", 0, 24)
        forward, joined = both_passes([frame.image for frame in frames])
        for frame, answer in zip(frames, joined, strict=True):
            check(answer, Frame(frame.image, answer.stamp, "camera", answer.index))
        assert not forward[0].labels.any()
        for frame, answer in zip(frames[:3], joined, strict=False):
            covered, truth = answer.labels > 0, frame.labels > 0
            assert (covered & truth).sum() / (covered | truth).sum() > 0.15
        early, late = ({i.id for i in joined[k].instances if i.area} for k in (0, 20))
        assert early & late & {i.id for i in forward[20].instances}

    def test_a_still_scene_stays_empty(self, rendered):
        image = rendered("crossing", 0, 24)[0].image.astype(float)
        rng = np.random.default_rng(0)
        noisy = [np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8) for _ in range(12)]
        assert np.mean([(answer.labels > 0).mean() for answer in both_passes(noisy)[1]]) < 0.002

    def test_static_things_are_not_invented(self, rendered):
        """The pass backward calls 3 % of this scene with strong parallax moving, the pass forward does not."""
        forward, joined = both_passes([frame.image for frame in rendered("static", 0, 24)])
        area, live = (np.mean([(a.labels > 0).mean() for a in answers]) for answers in (joined, forward))
        assert area <= live + 0.002


class TestFusedFields:
    """Where both passes tell how sure they are, their mean decides."""

    MATCH = Match({1: 4}, {4: SECOND})

    @staticmethod
    def sure(answer: FrameResult, level: int, sure: Box | None = None, value: int = 0) -> FrameResult:
        """`level` (16 to the logit) everywhere, `value` in the box."""
        field = np.full(SIZE, level, np.int8)
        if sure is not None:
            x, y, width, height = sure
            field[y : y + height, x : x + width] = value
        return replace(answer, field=field)

    def test_what_one_pass_is_surer_against_goes(self, check):
        """A fringe of ten columns that the pass backward is sure is none."""
        forward = self.sure(result({4: (0, 0, 30, 20)}), 20)
        backward = self.sure(result({1: (0, 0, 20, 20)}), -40, (0, 0, 20, 20), 60)
        joined = join(forward, backward, self.MATCH)
        check(joined, frame_of(joined))
        assert joined.instances[0].roi == (0, 0, 20, 20)

    def test_what_one_pass_missed_comes_where_the_other_is_surer(self, check):
        forward = self.sure(result({4: (0, 0, 10, 20)}), -5, (0, 0, 10, 20), 60)
        backward = self.sure(result({1: (0, 0, 20, 20)}), -40, (0, 0, 20, 20), 60)
        joined = join(forward, backward, self.MATCH)
        check(joined, frame_of(joined))
        assert [(i.id, i.roi) for i in joined.instances] == [(4, (0, 0, 20, 20))]

    def test_an_object_is_not_lost_altogether(self, check):
        """The pass backward has not met it yet: its field knows nothing of it."""
        forward = self.sure(result({4: (0, 0, 10, 20)}), -20, (0, 0, 10, 20), 10)
        joined = join(forward, self.sure(result({}), -40), self.MATCH)
        check(joined, frame_of(joined))
        assert [(i.id, i.area) for i in joined.instances] == [(4, 200)]

    def test_one_field_alone_decides_nothing(self):
        forward = result({4: (0, 0, 10, 20)})
        joined = join(forward, self.sure(result({}), -100), self.MATCH)
        np.testing.assert_array_equal(joined.labels, forward.labels)
