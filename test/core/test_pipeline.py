"""The pipeline with stages whose answers are known beforehand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.config import Config
from motionseg_ros.core.cues import Cues
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.linking import LinkedObjects
from motionseg_ros.core.objects import ObjectRegistry
from motionseg_ros.core.pipeline import MotionSegmenter, Workload
from motionseg_ros.core.types import Frame, FrameResult, MaskLogits, ObjectState, Prompts, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.prompting.chosen_objects import ChosenObjects
from motionseg_ros.tracking.query_points import QueryPoints

SECOND = 1_000_000_000
PERIOD = SECOND // 10
SIZE = (96, 160)
RED, BLUE = (40, 40, 200), (200, 90, 30)


class KnownTracker:
    """A grid of points at rest, and 24 that go to the right by 3 px a frame while `moving` is True."""

    def __init__(self, length: int) -> None:
        grid = np.stack(np.meshgrid(np.arange(4, 160, 12), np.arange(4, 96, 12)), -1).reshape(-1, 2)
        self.rest = grid.astype(np.float32)
        self.length = length
        self.moving = True
        self.ids = np.arange(len(grid) + 24, dtype=np.int64)
        self.hidden = np.zeros(0, np.int64)
        self.resets = -1
        self.reset()

    def lose(self, rows: np.ndarray | slice) -> None:
        """The points go on, but as new trajectories."""
        self.ids = self.ids.copy()
        self.ids[rows] += 1000

    def reset(self) -> None:
        self.resets += 1
        self.history: list[np.ndarray] = []
        corner = np.stack(np.meshgrid([14, 20, 26, 32, 38, 44], [36, 42, 48, 54]), -1).reshape(-1, 2)
        self.movers = corner.astype(np.float32)

    def push(self, window: SlidingWindow) -> None:
        if self.history and self.moving:
            self.movers = self.movers + np.float32([3, 0])
        self.history = [*self.history, np.concatenate([self.rest, self.movers])][-self.length :]

    def window(self) -> Tracks:
        positions = np.stack(self.history, axis=1)
        n, t = positions.shape[:2]
        seen = np.ones((n, t), bool)
        seen[self.hidden, 1:-1] = False
        one = seen.astype(np.float32)
        return Tracks(positions, seen, one, one, np.zeros(n, np.int64), self.ids)

    @property
    def count(self) -> int:
        return len(self.rest)


class KnownClassifier:
    """Says of the movers what `probability` says, of the others that they rest."""

    def __init__(self, tracker: KnownTracker) -> None:
        self.tracker = tracker
        self.probability = 0.98
        self.calls: list[tuple[int, int]] = []
        self.given: list[tuple[Tracks, np.ndarray | None, np.ndarray | None]] = []

    def __call__(self, tracks: Tracks, size, depth=None, semantics=None) -> np.ndarray:
        self.calls.append((len(tracks), tracks.num_frames))
        self.given.append((tracks, depth, semantics))
        return np.where(tracks.ids % 1000 >= self.tracker.count, self.probability, 0.02).astype(np.float32)


class KnownGrouper:
    """All are linked (`parts` 1), or the left and the right half each (`parts` 2); halves differ."""

    parts = 1

    def links(self, positions: np.ndarray, motions: np.ndarray, size) -> np.ndarray:
        width = 15 if self.parts == 2 else np.inf
        right = positions[:, 0] > positions[:, 0].min(initial=np.inf) + width
        one, other = np.triu_indices(len(positions), 1)
        return np.column_stack([one, other])[right[one] == right[other]]

    def differ(self, one: np.ndarray, other: np.ndarray, size, tolerance: float = 1.0) -> np.ndarray:
        return np.full(len(one), self.parts == 2)


class KnownMasker:
    """Paints a box about the trajectories that carry each object that was added; nothing while `hidden`."""

    def __init__(self) -> None:
        self.hidden = False
        self.margin = 3
        self.resets = -1
        self.added: list[int] = []
        self.removed: list[int] = []
        self.reset()

    def reset(self) -> None:
        self.resets += 1
        self.size = (0, 0)
        self.boxes: dict[int, np.ndarray] = {}

    def watch(self, window: SlidingWindow, background) -> None:
        self.size = window.frame.size

    def push(self, window: SlidingWindow, evidence) -> None:
        self.evidence = evidence
        for object_id in self.boxes:
            mine = evidence.positions[evidence.owners == object_id]
            if len(mine):
                self.boxes[object_id] = mine

    def add(self, object_id: int, prompts: Prompts) -> None:
        assert len(prompts.points)
        self.added.append(object_id)
        self.boxes[object_id] = prompts.points

    def remove(self, object_id: int) -> None:
        self.removed.append(object_id)
        self.boxes.pop(object_id, None)

    def unclaimed(self, positions: np.ndarray) -> np.ndarray:
        return np.zeros(len(positions), np.int64)

    def field(self) -> np.ndarray | None:
        return None

    def warning(self) -> str | None:
        return None

    def choose(self, object_id: int, prompts: Prompts) -> None:
        self.add(object_id, prompts)

    def masks(self) -> dict[int, MaskLogits]:
        if self.hidden:
            return {}
        found = {}
        for object_id, points in self.boxes.items():
            logits = np.full(self.size, -2.0, np.float32)
            (x0, y0), (x1, y1) = (
                points.min(0).astype(int) - self.margin,
                points.max(0).astype(int) + self.margin + 1,
            )
            # Where two claim a pixel the later one has it, as a mask model prompted with both would say.
            logits[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 2.0 + 0.01 * object_id
            if (logits > 0).any():
                found[object_id] = MaskLogits(logits)
        return found


class KnownCue:
    """Says of each trajectory its id, and then the numbers of its frames in the window."""

    def __init__(self) -> None:
        self.log: list[int | str] = []
        self.work: Callable[[], None] = lambda: None

    def reset(self) -> None:
        self.log.append("reset")

    def update(self, tracks: Tracks, frame: Frame) -> np.ndarray:
        self.log.append(frame.index)
        self.work()
        numbers = np.tile(np.arange(tracks.num_frames), (len(tracks), 1))
        return np.column_stack([tracks.ids, numbers]).astype(np.float32)


class Rig:
    """The pipeline with the four stages above and a clock."""

    def __init__(
        self,
        check: Callable[[FrameResult, Frame], None],
        values: dict[str, object],
        cues: Cues | None,
    ) -> None:
        self.check = check
        self.config = Config().with_values(
            {"window.stride": 2, "window.length": 8, "classifier.memory": 0.0} | values
        )
        self.tracker = KnownTracker(self.config.window.length)
        self.classifier = KnownClassifier(self.tracker)
        self.grouper = KnownGrouper()
        self.masker = KnownMasker()
        finder = LinkedObjects(self.config, self.grouper)
        chosen = ChosenObjects(self.config.points, QueryPoints(1.0))
        self.segmenter = MotionSegmenter(
            self.config, self.tracker, self.classifier, finder, self.masker, chosen, cues
        )
        self.index = -1
        self.stamp = 100 * SECOND
        self.colour = RED
        self.other_view = False

    def push(self, frames: int = 1, size: tuple[int, int] = SIZE) -> FrameResult:
        for _ in range(frames):
            self.index += 1
            self.stamp += PERIOD
            image = np.zeros((*size, 3), np.uint8)
            if self.other_view:
                image[:] = cv2.resize(
                    np.random.default_rng(5).integers(0, 255, (8, 8, 3), np.uint8), size[::-1]
                )
            # The movers' points as they will be in this frame, with a border.
            left, top = (self.tracker.movers.min(0) - 4).astype(int)
            image[top : top + 30, max(left, 0) : max(left + 46, 0)] = self.colour
            frame = Frame(image, self.stamp, "camera", self.index)
            result = self.segmenter.push(frame)
            self.check(result, frame)
        return result


@pytest.fixture
def make_rig(check) -> Callable[..., Rig]:
    """``make_rig({"window.stride": 3}, cues)``"""
    return lambda values=None, cues=None: Rig(check, values or {}, cues)


class TestDataFlow:
    def test_a_mover_becomes_an_object(self, make_rig):
        rig = make_rig()
        assert rig.push().instances == ()
        result = rig.push(9)
        (instance,) = result.instances
        assert instance.id == 1
        assert instance.state is ObjectState.MOVING
        assert instance.num_trajectories >= 24
        assert instance.velocity_px == pytest.approx((30.0, 0.0), abs=8)  # the box holds a few resting points
        assert instance.motion_score > 0.5
        assert result.labels[44, 20 + 27] == 1

    def test_it_keeps_its_id(self, make_rig):
        rig = make_rig()
        rig.push(6)
        assert {i.id for _ in range(20) for i in rig.push().instances} == {1}

    def test_two_movers_become_two_objects(self, make_rig):
        rig = make_rig()
        rig.grouper.parts = 2
        assert [i.id for i in rig.push(10).instances] == [1, 2]

    def test_first_seen_stays(self, make_rig):
        rig = make_rig()
        rig.push(8)
        seen = [rig.push().instances[0].first_seen for _ in range(8)]
        assert len(set(seen)) == 1
        assert 100 * SECOND < seen[0] <= 100 * SECOND + 8 * PERIOD

    @pytest.mark.parametrize("stride", [1, 2, 5])
    def test_trajectories_are_classified_every_stride(self, make_rig, stride):
        rig = make_rig({"window.stride": stride, "window.length": 16})
        rig.push(20)
        # not before they have been seen in a few frames, and never with more than the window
        expected = [min(k + 1, 16) for k in range(0, 20, stride)]
        frames = [frames for _, frames in rig.classifier.calls]
        assert frames == expected[len(expected) - len(frames) :]
        assert len(expected) - 3 <= len(frames)

    def test_nothing_moves_nothing_is_shown(self, make_rig):
        rig = make_rig()
        rig.classifier.probability = 0.02
        for _ in range(12):
            result = rig.push()
            assert result.instances == ()
            assert not result.labels.any()
        assert rig.masker.added == []

    def test_the_evidence_says_what_is_known(self, make_rig):
        rig = make_rig()
        rig.push(10)
        evidence, count = rig.masker.evidence, rig.tracker.count
        assert evidence.known.all()
        assert (evidence.moving[:count] < 0.1).all()
        assert (evidence.moving[count:] > 0.9).all()
        assert (evidence.owners[count:] == 1).all()
        np.testing.assert_allclose(evidence.background.homographies[1], np.eye(3), atol=0.01)
        assert evidence.background.gaps == (1, 2, 4)  # the window holds eight frames

    def test_stages_are_timed(self, make_rig):
        timings = make_rig().push(3).timings_ms
        assert {"track", "mask", "total"} <= set(timings)
        # Trajectories are studied beside the other stages.
        beside = ("depth", "semantics", "classify")
        parts = sum(value for name, value in timings.items() if name not in ("total", *beside))
        assert 0 < parts <= timings["total"]

    def test_no_more_objects_than_allowed(self, make_rig):
        rig = make_rig({"objects.max_objects": 1})
        rig.grouper.parts = 2
        assert len(rig.push(12).instances) == 1


class TestLife:
    def test_parts_that_go_their_own_way_split_after_patience(self, make_rig):
        rig = make_rig({"objects.patience": 3})
        rig.push(8)
        rig.grouper.parts = 2
        assert len(rig.push(3).instances) == 1
        assert [i.id for i in rig.push(7).instances] == [1, 2]

    def test_parts_that_go_together_merge_after_patience(self, make_rig):
        rig = make_rig({"objects.patience": 3})
        rig.grouper.parts = 2
        rig.push(8)
        rig.grouper.parts = 1
        assert len(rig.push(2).instances) == 2
        assert [i.id for i in rig.push(8).instances] == [1]
        assert rig.masker.removed == [2]

    def test_an_object_that_stops_is_stopped_then_let_go(self, make_rig):
        rig = make_rig({"objects.keep_stopped": 1.0})
        rig.push(20)
        rig.tracker.moving = False
        rig.classifier.probability = 0.02
        states = [[i.state for i in rig.push().instances] for _ in range(40)]
        assert [ObjectState.STOPPED] in states
        assert states[-1] == []
        assert states.index([ObjectState.STOPPED]) < 10
        assert 1 in rig.masker.removed

    def test_one_that_goes_out_of_sight_and_comes_back_keeps_its_id(self, make_rig):
        rig = make_rig({"objects.keep_occluded": 2.0})
        rig.push(20)
        rig.masker.hidden = True
        result = rig.push(5)
        assert [i.state for i in result.instances] == [ObjectState.OCCLUDED]
        rig.masker.hidden = False
        result = rig.push(5)
        assert [(i.id, i.state) for i in result.instances] == [(1, ObjectState.MOVING)]

    @pytest.mark.parametrize(("colour", "expected"), [(RED, 1), (BLUE, 2)])
    def test_one_that_comes_back_with_new_trajectories_is_known_by_place_and_look(
        self, make_rig, colour, expected
    ):
        """Behind a post all points were lost; what comes out there is the same one only if it looks the same."""
        rig = make_rig({"objects.keep_occluded": 2.0})
        rig.push(16)
        rig.masker.hidden, rig.classifier.probability = True, 0.02
        rig.tracker.lose(slice(rig.tracker.count, None))
        assert [i.state for i in rig.push(4).instances] == [ObjectState.OCCLUDED]
        rig.masker.hidden, rig.classifier.probability, rig.colour = False, 0.98, colour
        result = rig.push(5)
        assert rig.masker.added[-1] == expected
        assert expected in [i.id for i in result.instances if i.area]

    @pytest.mark.parametrize(("least", "shown"), [(20.0, True), (90.0, False)])
    def test_below_the_least_evidence_nothing_is_shown(self, make_rig, least, shown):
        """24 trajectories that are nearly certain to move are worth about 75."""
        rig = make_rig({"objects.min_evidence": least})
        results = [rig.push() for _ in range(12)]
        assert any(r.labels.any() for r in results) == shown
        assert any(r.instances for r in results) == shown

    def test_what_is_let_go_for_lack_of_evidence_leaves_the_masker(self, make_rig):
        """Its trajectories suffice for an object to be tried, but much that rests is under its mask."""
        rig = make_rig({"objects.min_evidence": 72.0})
        for _ in range(16):
            result = rig.push()
            assert result.instances == ()
            assert not result.labels.any()
        assert rig.masker.added
        assert rig.masker.removed

    @staticmethod
    def loses_most(rig: Rig) -> None:
        """The right one of two objects is left with three moving trajectories, not linked with the other's."""
        rig.grouper.differ = lambda one, other, size, tolerance=1.0: np.zeros(len(one), bool)
        moving = np.full(len(rig.tracker.ids), 0.98)
        moving[rig.tracker.count :].reshape(4, 6)[:, 3:][1:] = 0.3
        rig.classifier.probability = moving

    def test_a_fragment_that_was_never_apart_merges(self, make_rig):
        """One thing that was found in two parts: it must not go on under two ids."""
        rig = make_rig({"objects.patience": 2})
        rig.grouper.parts = 2
        assert [i.id for i in rig.push(5).instances] == [1, 2]
        self.loses_most(rig)
        assert [i.id for i in rig.push(5).instances] == [1]

    def test_what_was_once_apart_does_not_merge_when_they_touch(self, make_rig):
        rig = make_rig({"objects.patience": 2})
        rig.grouper.parts = 2
        rig.masker.margin = 0
        assert [i.id for i in rig.push(5).instances] == [1, 2]
        rig.masker.margin = 3
        self.loses_most(rig)
        assert [i.id for i in rig.push(5).instances] == [1, 2]

    def test_a_fragment_that_is_shown_one_frame_later_merges_too(self, make_rig, monkeypatch):
        rig = make_rig({"objects.patience": 2})
        rig.grouper.parts = 2
        update, weak = ObjectRegistry.update, []

        def update_with_weak_evidence_first(registry, observations, *rest):
            if observations and not weak:
                weak.append({i: replace(o, evidence=1.0) for i, o in observations.items()})
                return update(registry, weak[0], *rest)
            return update(registry, observations, *rest)

        monkeypatch.setattr(ObjectRegistry, "update", update_with_weak_evidence_first)
        assert [i.id for i in rig.push(5).instances] == [1, 2]
        assert len(weak) == 1
        self.loses_most(rig)
        assert [i.id for i in rig.push(5).instances] == [1]

    def test_movers_whose_object_was_let_go_become_a_new_object(self, make_rig):
        """The trajectories go on moving: they must neither be lost nor call back an id that is no more."""
        rig = make_rig({"objects.keep_occluded": 0.3})
        rig.push(20)
        rig.masker.hidden = True
        while rig.push().instances:
            pass
        rig.masker.hidden = False
        result = rig.push(6)
        assert [i.id for i in result.instances] == [2]


class TestRestart:
    def test_the_first_frame_is_no_restart(self, make_rig):
        assert make_rig().push().restart is None

    def test_going_on_is_no_restart(self, make_rig):
        rig = make_rig()
        assert all(rig.push().restart is None for _ in range(5))

    def test_reset_is_told_with_the_next_result_and_only_that(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.segmenter.reset("asked for by the operator")
        result = rig.push()
        assert result.restart == "asked for by the operator"
        assert result.instances == ()
        assert rig.push().restart is None

    def test_reset_before_the_first_frame(self, make_rig):
        rig = make_rig()
        rig.segmenter.reset("why not")
        assert rig.push().restart == "why not"

    def test_reset_reaches_the_stages(self, make_rig):
        rig = make_rig()
        rig.push(5)
        before = rig.tracker.resets, rig.masker.resets
        rig.segmenter.reset("again")
        assert (rig.tracker.resets, rig.masker.resets) == (before[0] + 1, before[1] + 1)

    def test_another_size(self, make_rig):
        rig = make_rig()
        rig.push(10)
        result = rig.push(size=(120, 160))
        assert "160x96" in result.restart
        assert "160x120" in result.restart
        assert result.instances == ()
        assert rig.push(size=(120, 160)).restart is None

    def test_a_stamp_that_jumps_back(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.stamp -= 5 * SECOND
        result = rig.push()
        assert "back" in result.restart
        assert "4.9" in result.restart
        assert result.instances == ()
        assert rig.push().restart is None

    @pytest.mark.parametrize(("gap", "restarts"), [(0.8, False), (1.5, True)])
    def test_a_pause(self, make_rig, gap, restarts):
        rig = make_rig({"source.max_gap": 1.0})
        rig.push(10)
        rig.stamp += int(gap * SECOND) - PERIOD
        result = rig.push()
        assert (result.restart is not None) == restarts
        if restarts:
            assert "1.5" in result.restart

    @pytest.mark.parametrize(
        ("survive", "other_view", "restarts"),
        [(0, True, True), (10, True, True), (0, False, False), (30, True, False), (60, True, False)],
    )
    def test_a_frame_into_which_hardly_any_trajectory_goes_on(self, make_rig, survive, other_view, restarts):
        """Of 128 trajectories a fifth goes on, or the view is the same, or the window is begun afresh."""
        rig = make_rig()
        rig.push(10)
        assert len(rig.tracker.ids) == 128
        resets = rig.tracker.resets, rig.masker.resets
        rig.tracker.lose(slice(survive, None))
        rig.other_view = other_view
        result = rig.push()
        assert result.restart == ("scene cut" if restarts else None)
        assert (rig.tracker.resets, rig.masker.resets) == (resets[0] + restarts, resets[1] + restarts)
        if restarts:
            assert result.instances == ()
            assert not result.labels.any()
            later = [rig.push() for _ in range(5)]
            assert all(r.restart is None for r in later)
            assert [i.id for i in later[-1].instances] == [2]

    def test_the_survival_that_is_needed_is_a_choice(self, make_rig):
        rig = make_rig({"source.min_survival": 0.0})
        rig.push(10)
        rig.tracker.lose(slice(None))
        assert rig.push().restart is None

    def test_a_reset_that_was_asked_for_is_told_though_the_scene_is_another(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.segmenter.reset("asked for by the operator")
        rig.tracker.lose(slice(None))
        assert rig.push().restart == "asked for by the operator"

    def test_equal_stamps_are_no_restart(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.stamp -= PERIOD
        assert rig.push().restart is None

    def test_reasons_are_one_line(self, make_rig):
        rig = make_rig()
        rig.push(3)
        assert "\n" not in rig.push(size=(20, 30)).restart

    def test_ids_are_not_used_again_after_it(self, make_rig):
        rig = make_rig()
        rig.push(10)
        for expected in (2, 3):
            rig.segmenter.reset("again")
            assert [i.id for i in rig.push(10).instances] == [expected]


class TestCues:
    @pytest.fixture
    def cue(self) -> KnownCue:
        return KnownCue()

    @pytest.mark.parametrize("stride", [1, 3])
    def test_they_are_updated_once_for_every_frame(self, make_rig, cue, stride):
        """Also for those that are not classified: what is read of a frame cannot be read later."""
        rig = make_rig({"window.stride": stride}, Cues(depth=cue, semantics=cue))
        rig.push(10)
        assert cue.log == [index for index in range(10) for _ in range(2)]

    @pytest.mark.parametrize("which", ["depth", "semantics"])
    def test_the_classifier_gets_the_rows_of_its_trajectories(self, make_rig, cue, which):
        rig = make_rig({"window.stride": 1}, Cues(**{which: cue}))
        rig.tracker.hidden = np.array([2, 50, 110])  # seen twice in each window
        rig.tracker.lose(slice(40, 60))  # so that a row is not its id
        rig.push(12)
        tracks, depth, semantics = rig.classifier.given[-1]
        rows = depth if which == "depth" else semantics
        assert len(tracks) == len(rig.tracker.ids) - 3
        assert not np.isin(rig.tracker.ids[rig.tracker.hidden], tracks.ids).any()
        assert rows.shape == (len(tracks), 1 + 8)
        np.testing.assert_array_equal(rows[:, 0], tracks.ids)
        assert (semantics if which == "depth" else depth) is None

    def test_without_any_it_gets_none(self, make_rig):
        rig = make_rig()
        rig.push(6)
        assert [given[1:] for given in rig.classifier.given] == [(None, None)] * len(rig.classifier.given)
        assert rig.classifier.given

    def test_a_reset_reaches_them(self, make_rig, cue):
        rig = make_rig({}, Cues(depth=cue))
        rig.push(3)
        rig.segmenter.reset("again")
        rig.push(2)
        assert cue.log == [0, 1, 2, "reset", 3, 4]

    @pytest.mark.parametrize("reason", ["size", "stamp", "pause"])
    def test_so_does_a_restart(self, make_rig, cue, reason):
        rig = make_rig({}, Cues(depth=cue))
        rig.push(3)
        rig.stamp += {"size": 0, "stamp": -5, "pause": 60}[reason] * SECOND
        assert rig.push(size=(120, 160) if reason == "size" else SIZE).restart
        assert cue.log == [0, 1, 2, "reset", 3]

    def test_so_does_a_scene_cut_and_only_the_new_scene_is_looked_at(self, make_rig, cue):
        rig = make_rig({}, Cues(semantics=cue))
        rig.push(10)
        rig.tracker.lose(slice(None))
        rig.other_view = True
        assert rig.push().restart == "scene cut"
        assert cue.log == [*range(10), "reset", 10]

    def test_they_work_beside_the_masker(self, make_rig, cue, monkeypatch):
        rig = make_rig({}, Cues(depth=cue))
        looking, answered = threading.Event(), []
        watch = rig.masker.watch

        def look(*stages: object) -> None:
            looking.set()
            watch(*stages)

        monkeypatch.setattr(rig.masker, "watch", look)
        cue.work = lambda: answered.append(looking.wait(10))
        rig.push()
        assert answered == [True]

    def test_they_are_timed(self, make_rig, cue):
        cue.work = lambda: time.sleep(0.02)
        timings = make_rig({}, Cues(depth=cue)).push().timings_ms
        assert 20 <= timings["depth"] <= timings["total"]
        assert "semantics" not in timings

    def test_nothing_works_on_when_the_masker_fails(self, make_rig, cue, monkeypatch):
        """Else the next frame, or a reset, would meet a cue that is half way through the last one."""
        rig = make_rig({}, Cues(depth=cue))
        rig.push(3)
        begun, done = threading.Event(), []

        def fail(*_: object) -> None:
            assert begun.wait(10)
            raise RuntimeError("the masker is broken")

        def work() -> None:
            begun.set()
            time.sleep(0.2)
            done.append(True)

        monkeypatch.setattr(rig.masker, "watch", fail)
        cue.work = work
        with pytest.raises(RuntimeError, match="the masker is broken"):
            rig.push()
        assert done == [True]

    @pytest.mark.parametrize("frame", [3, 4])
    def test_their_errors_come_out_whether_a_frame_is_classified_or_not(self, make_rig, cue, frame):
        rig = make_rig({"window.stride": 2}, Cues(semantics=cue))
        rig.push(frame)

        def fail() -> None:
            raise ValueError("the cue is broken")

        cue.work = fail
        with pytest.raises(ValueError, match="the cue is broken"):
            rig.push()

    def test_after_an_error_and_a_reset_all_goes_on(self, make_rig, cue):
        rig = make_rig({}, Cues(depth=cue))
        rig.push(3)
        plain, cue.work = cue.work, lambda: [][0]
        with pytest.raises(IndexError):
            rig.push()
        cue.work = plain
        rig.segmenter.reset("error")
        assert rig.push().restart == "error"
        assert [i.id for i in rig.push(9).instances] == [2]
        assert cue.log == [0, 1, 2, 3, "reset", *range(4, 14)]


class TestWorkload:
    def test_of_nothing(self, make_rig):
        assert make_rig().segmenter.workload == Workload(trajectories=0, objects=0)

    @pytest.mark.parametrize("parts", [1, 2])
    def test_trajectories_and_objects(self, make_rig, parts):
        rig = make_rig()
        rig.grouper.parts = parts
        rig.push(10)
        assert rig.segmenter.workload == Workload(trajectories=128, objects=parts)

    def test_trajectories_count_from_the_first_frame(self, make_rig):
        """Before anything is known of them: they have to be followed."""
        rig = make_rig()
        rig.push()
        assert rig.segmenter.workload == Workload(trajectories=128, objects=0)

    def test_trajectories_that_are_lost_do_not_count(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.tracker.lose(slice(60, 90))
        rig.push()
        assert rig.segmenter.workload.trajectories == len(rig.tracker.ids) == 128

    def test_objects_out_of_sight_count_until_they_are_let_go(self, make_rig):
        rig = make_rig({"objects.keep_occluded": 0.5})
        rig.push(20)
        rig.masker.hidden = True
        assert [i.state for i in rig.push(3).instances] == [ObjectState.OCCLUDED]
        assert rig.segmenter.workload.objects == 1
        rig.classifier.probability = 0.02
        assert rig.push(12).instances == ()
        assert rig.segmenter.workload == Workload(trajectories=128, objects=0)

    def test_objects_that_are_not_shown_yet_count(self, make_rig):
        rig = make_rig({"objects.min_evidence": 72.0})
        found = []
        for _ in range(12):
            assert rig.push().instances == ()
            found.append(rig.segmenter.workload.objects)
        assert max(found) == 1

    def test_after_a_reset_there_is_nothing(self, make_rig):
        rig = make_rig()
        rig.push(10)
        rig.segmenter.reset()
        assert rig.segmenter.workload == Workload(trajectories=0, objects=0)


class TestWarmUp:
    @pytest.fixture
    def film(self, rendered) -> list[Frame]:
        images = [frame.image for frame in rendered("crossing", 0, 16)]
        return [Frame(image, 50 * SECOND + k * PERIOD, "camera", k) for k, image in enumerate(images)]

    @pytest.fixture
    def rig(self, make_rig, monkeypatch):
        """Its masker notes which objects of the user's choice are put to it, and takes them by their boxes."""
        rig = make_rig({"window.stride": 4}, Cues(depth=KnownCue()))
        rig.chosen = []

        def choose(object_id: int, prompts: Prompts) -> None:
            rig.chosen.append((object_id, prompts.mask))
            rig.masker.boxes[object_id] = np.argwhere(prompts.mask)[:, ::-1].astype(np.float32)

        monkeypatch.setattr(rig.masker, "choose", choose)
        return rig

    @pytest.mark.parametrize("size", [(240, 320), (97, 131), (1080, 1920)])
    def test_results_are_those_of_a_fresh_pipeline(self, film, size):
        """With the default stages: nothing of the made-up scene stays, and ids begin at the same number."""
        cold, warm = build_segmenter(), build_segmenter()
        warm.warm_up(size)
        seen = set()
        for frame in film:
            one, other = cold.push(frame), warm.push(frame)
            assert one.restart is other.restart is None
            np.testing.assert_array_equal(one.labels, other.labels)
            for mine, theirs in zip(one.instances, other.instances, strict=True):
                assert vars(mine) | {"mask": None} == vars(theirs) | {"mask": None}
            assert cold.workload == warm.workload
            seen |= {instance.id for instance in other.instances}
        assert 1 in seen

    def test_so_they_are_after_several(self, film):
        cold, warm = build_segmenter(), build_segmenter()
        for size in ((240, 320), (48, 64)):
            warm.warm_up(size)
        for frame in film[:8]:
            np.testing.assert_array_equal(cold.push(frame).labels, warm.push(frame).labels)

    def test_every_stage_has_worked(self, rig):
        rig.segmenter.warm_up(SIZE)
        assert len(rig.classifier.calls) >= 1
        assert rig.segmenter._cues.depth.log.count("reset") == 2
        assert len(rig.segmenter._cues.depth.log) > rig.config.window.stride + 2
        ((object_id, mask),) = rig.chosen
        assert object_id == 1
        assert mask.shape == SIZE
        assert 0 < mask.mean() < 1
        assert len(rig.masker.evidence.positions) == 128

    @pytest.mark.parametrize("stride", [1, 5, 16])
    def test_the_slow_path_has_worked_on_trajectories_that_are_old_enough(
        self, make_rig, monkeypatch, stride
    ):
        rig = make_rig({"window.stride": stride, "window.length": 16})
        monkeypatch.setattr(rig.masker, "choose", lambda object_id, prompts: None)
        rig.segmenter.warm_up(SIZE)
        assert [count for count, _ in rig.classifier.calls[:2]] == [128, 128]

    def test_nothing_of_it_stays(self, rig):
        resets = rig.tracker.resets, rig.masker.resets
        rig.segmenter.warm_up(SIZE)
        assert rig.segmenter.workload == Workload(trajectories=0, objects=0)
        assert (rig.tracker.resets, rig.masker.resets) == (resets[0] + 2, resets[1] + 2)
        assert (rig.tracker.history, rig.masker.boxes) == ([], {})
        results = [rig.push() for _ in range(10)]
        assert [result.restart for result in results] == [None] * 10
        assert [i.id for i in results[-1].instances] == [1]

    def test_images_of_another_size_may_come(self, rig):
        rig.segmenter.warm_up((60, 80))
        assert rig.push().restart is None

    def test_one_that_works_already_begins_anew(self, rig):
        rig.push(10)
        rig.segmenter.reset("again")
        rig.segmenter.warm_up(SIZE)
        result = rig.push(10)
        assert result.restart is None
        assert [i.id for i in result.instances] == [1]

    def test_a_stage_that_cannot_work_says_so(self, rig, monkeypatch):
        def fail(*_: object) -> None:
            raise ModelError("cuda:0 has not enough memory: use a smaller model")

        monkeypatch.setattr(rig.masker, "watch", fail)
        with pytest.raises(ModelError, match="not enough memory: use a smaller model"):
            rig.segmenter.warm_up(SIZE)
