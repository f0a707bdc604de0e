from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import EvaluationError, OutputError
from motionseg_ros.core.types import Tracks
from motionseg_ros.evaluation import trajectories as measure
from motionseg_ros.evaluation.trajectories import (
    Classified,
    HomographyClassifier,
    LabelledWindow,
    RecordedSequence,
    RenderedSequence,
    average_precision,
    cache_key,
    cached_windows,
    classify,
    collect_windows,
    find_labelled,
    label_points,
    load_windows,
    save_windows,
    score,
    seen_for,
    smoothed,
    summarise,
    threshold_at_recall,
)

CONFIG = Config().with_values({"window.length": 4})


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def flags(text: str) -> np.ndarray:
    """ "++-" -> True, True, False."""
    return np.array([character == "+" for character in text], bool)


def make_tracks(positions: np.ndarray, ids: np.ndarray | None = None) -> Tracks:
    n, t = positions.shape[:2]
    ones = np.ones((n, t), np.float32)
    ids = np.arange(n) if ids is None else ids
    return Tracks(positions.astype(np.float32), ones > 0, ones, ones, np.zeros(n, np.int64), ids)


def make_window(moving: str, distance: float = 100.0, frame: int = 0, ids=None) -> LabelledWindow:
    n = len(moving)
    tracks = make_tracks(np.zeros((n, 4, 2)), None if ids is None else np.array(ids))
    return LabelledWindow(frame, (48, 64), tracks, flags(moving), np.full(n, distance, np.float32))


def make_classified(*items: tuple[str, np.ndarray], group: str = "set", name: str = "a", step: int = 1):
    windows = [make_window(moving, frame=i) for i, (moving, _) in enumerate(items)]
    return Classified(group, name, windows, [answer for _, answer in items], [1.0] * len(items), step)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A data folder with one sequence: noise that shifts by a pixel a frame, and a square mask."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 160, 3), np.uint8)
    noise = cv2.GaussianBlur(noise, (0, 0), 2)
    cv2.normalize(noise, noise, 0, 255, cv2.NORM_MINMAX)
    mask = np.zeros((96, 128), np.uint8)
    mask[20:60, 30:80] = 255
    folder = tmp_path / "data" / "tiny" / "shift"
    for inner in ("frames", "masks"):
        (folder / inner).mkdir(parents=True)
    for index in range(10):
        cv2.imwrite(str(folder / "frames" / f"{index:05d}.png"), noise[:, index : index + 128])
        cv2.imwrite(str(folder / "masks" / f"{index:05d}.png"), mask)
    return folder


class TestAveragePrecision:
    @pytest.mark.parametrize(
        ("probability", "moving", "expected"),
        [
            ((0.9, 0.8, 0.1), "++-", 1.0),
            # thresholds .9: R 1/2, P 1; .7: P 2/3 at R 1
            ((0.9, 0.8, 0.7, 0.1), "+-+-", 0.5 * 1 + 0.5 * 2 / 3),
            ((0.9, 0.8), "-+", 0.5),
            ((0.1, 0.9, 0.5), "+--", 1 / 3),
        ],
    )
    def test_by_hand(self, probability, moving, expected):
        assert average_precision(floats(*probability), flags(moving)) == pytest.approx(expected)

    @pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]])
    def test_ties_are_one_threshold_in_any_order(self, order):
        # .9: R 1/2, P 1; .5: all four, R 1, P 2/4
        probability, moving = floats(0.9, 0.5, 0.5, 0.5), flags("++--")
        assert average_precision(probability[order], moving[order]) == pytest.approx(0.5 + 0.5 * 0.5)

    def test_all_alike_gives_the_share_of_positives(self):
        assert average_precision(floats(0, 0, 0, 0, 0), flags("+---+")) == pytest.approx(0.4)

    @pytest.mark.parametrize("moving", ["", "---"])
    def test_nothing_to_find(self, moving):
        assert average_precision(np.zeros(len(moving), np.float32), flags(moving)) is None


class TestThreshold:
    def test_reaches_the_recall(self):
        pool = (floats(0.9, 0.8, 0.7, 0.6, 0.5, 0.95), flags("+++++-"))
        assert threshold_at_recall([pool], 0.8) == pytest.approx(0.6)
        assert threshold_at_recall([pool], 1.0) == pytest.approx(0.5)

    def test_sequences_weigh_the_same(self):
        # Eight positives at .9 of one sequence are as much as the one at .2 of the other.
        many, one = (np.full(8, 0.9, np.float32), flags("+" * 8)), (floats(0.2), flags("+"))
        assert threshold_at_recall([many, one], 0.5) == pytest.approx(0.9)
        assert threshold_at_recall([many, one], 0.8) == pytest.approx(0.2)

    @pytest.mark.parametrize("pools", [[], [(floats(0.4), flags("-"))], [(floats(), flags(""))]])
    def test_without_positives(self, pools):
        assert threshold_at_recall(pools, 0.8) is None


class TestLabelPoints:
    def test_inside_and_distance_on_both_sides(self):
        truth = np.zeros((50, 60), bool)
        truth[10:40, 20:50] = True
        points = floats(20, 25, 24, 25, 19, 25, 5, 25).reshape(-1, 2)
        inside, distance = label_points(points, truth)
        assert inside.tolist() == [True, True, False, False]
        assert distance == pytest.approx([1, 5, 1, 15], abs=0.01)

    def test_rounds_and_clips(self):
        truth = np.zeros((8, 8), bool)
        truth[:, 4:] = True
        inside, _ = label_points(floats(3.6, 2, 3.4, 2, 99, -7, -3, 99).reshape(-1, 2), truth)
        assert inside.tolist() == [True, False, True, False]

    @pytest.mark.parametrize("value", [False, True])
    def test_without_an_outline_nothing_is_near_it(self, value):
        inside, distance = label_points(floats(1, 1).reshape(1, 2), np.full((4, 4), value))
        assert inside.tolist() == [value]
        assert np.isinf(distance).all()

    def test_no_points(self):
        inside, distance = label_points(np.zeros((0, 2), np.float32), np.eye(4) > 0)
        assert inside.shape == distance.shape == (0,)


class TestScore:
    def test_ring_is_left_out(self):
        window = make_window("+-+-")
        window.distance[:] = (20, 12, 13, 30)  # the second lies in the ring
        item = Classified("set", "a", [window], [floats(0.9, 0.95, 0.8, 0.1)], [1.0])
        result = score(item, CONFIG, None)
        assert result.ap == pytest.approx(0.5 * 1 / 2 + 0.5 * 2 / 3)
        assert result.ap_off_ring == 1.0
        assert result.alarms is None

    def test_alarms_count_at_and_above_the_threshold(self):
        result = score(make_classified(("----", floats(0.1, 0.5, 0.6, 0.2))), CONFIG, 0.5)
        assert (result.alarms, result.ap, result.recall) == (0.5, None, None)
        assert result.rigid

    def test_only_every_step_th_window_counts_unsmoothed(self):
        items = [("+-", floats(1, 0)), ("+-", floats(0, 1)), ("+-", floats(1, 0))]
        result = score(make_classified(*items, step=2), CONFIG, 0.5)
        assert (result.trajectories, result.ap, result.alarms) == (4, 1.0, 0.0)

    def test_smoothing_follows_the_pipeline(self):
        # Prior .3, memory .5: .3 -> .65 -> .825, and .3 -> .65 -> .325; enters at .6, leaves at .4.
        config = CONFIG.with_values({"classifier.moving": 0.6, "classifier.resting": 0.4})
        item = make_classified(("+-", floats(1, 1)), ("+-", floats(1, 0)))
        first, second = smoothed(item, config.classifier)
        assert first.tolist() == [True, True]
        assert second.tolist() == [True, False]
        result = score(item, config, None)
        assert (result.precision, result.recall, result.called) == (pytest.approx(2 / 3), 1.0, 0.5)

    def test_smoothing_knows_trajectories_by_id(self):
        windows = [make_window("++", ids=[7, 9]), make_window("++", ids=[9, 12])]
        item = Classified("set", "a", windows, [floats(0, 1), floats(1, 1)], [1.0, 1.0])
        # .3 -> .15 is forgotten; 9: .3 -> .65 -> .825; 12 is new: .3 -> .65.
        assert smoothed(item, CONFIG.classifier)[1].tolist() == [True, True]

    def test_no_windows_and_no_trajectories(self):
        for items in ([], [("", floats())]):
            result = score(make_classified(*items), CONFIG, 0.5)
            assert result.trajectories == 0
            assert {getattr(result, name) for name in measure.FIGURES} == {None}

    def test_summary_keeps_rigid_and_others_apart(self):
        scores = [
            score(make_classified(("+-", floats(1, 1))), CONFIG, 0.5),
            score(make_classified(("--", floats(0, 0.7)), name="rigid"), CONFIG, 0.5),
            score(make_classified(("+-", floats(1, 0)), group="other"), CONFIG, 0.5),
        ]
        first, other = summarise(scores)
        assert (first.group, first.sequences, first.ap, first.alarms) == ("set", 2, 0.5, 0.5)
        assert (other.group, other.ap, other.alarms, other.called) == ("other", 1.0, None, None)


class TestClassify:
    sequence = RenderedSequence("static", size=(64, 48), frames=1)

    def test_windows_without_trajectories_are_not_asked_about(self):
        asked = []

        def classifier(tracks, size):
            asked.append((len(tracks), size))
            return np.zeros(len(tracks), np.float32)

        result = classify(self.sequence, [make_window(""), make_window("+-")], classifier)
        assert asked == [(2, (48, 64))]
        assert [len(answer) for answer in result.probabilities] == [0, 2]
        assert len(result.milliseconds) == 1

    @pytest.mark.parametrize("answer", [floats(0.5), floats(0.5, np.nan), floats(0, 1).reshape(2, 1)])
    def test_a_wrong_answer_is_told(self, answer):
        with pytest.raises(ValueError, match=r"answer must be \(2,\) and finite"):
            classify(self.sequence, [make_window("+-")], lambda tracks, size: answer)


class TestHomography:
    def test_ranks_what_parts_from_the_background_first(self):
        rng = np.random.default_rng(1)
        start = rng.uniform(0, 400, (60, 1, 2)).astype(np.float32)
        positions = start + np.arange(8)[None, :, None] * floats(3, -1)
        positions[:5] += np.arange(8)[None, :, None] * floats(0, 4)
        answer = HomographyClassifier()(make_tracks(positions), (480, 854))
        assert answer.dtype == np.float32
        assert answer[:5].min() > 0.8
        assert answer[5:].max() < 0.1

    @pytest.mark.parametrize("count", [0, 1, 11])
    def test_too_few_to_align(self, count):
        answer = HomographyClassifier()(make_tracks(np.ones((count, 4, 2))), (48, 64))
        assert answer.tolist() == [0] * count


class TestCollect:
    def test_windows_come_at_the_pipelines_frames(self, recorded):
        windows = list(collect_windows(RecordedSequence("tiny", recorded), CONFIG))
        assert [window.frame for window in windows] == [4, 6, 8]
        for window in windows:
            assert window.size == (96, 128)
            assert window.tracks.num_frames == 4
            assert (window.tracks.visible.sum(1) >= measure.MIN_VISIBLE).all()
            x, y = np.rint(window.tracks.positions[:, -1]).T
            inside = (x >= 30) & (x < 80) & (y >= 20) & (y < 60)
            assert window.moving.tolist() == inside.tolist()
            assert 0 < inside.sum() < len(inside)

    def test_a_sequence_shorter_than_the_window_gives_none(self, recorded):
        assert list(collect_windows(RecordedSequence("tiny", recorded, frames=3), CONFIG)) == []

    def test_seen_for_longer(self, recorded):
        windows = list(collect_windows(RecordedSequence("tiny", recorded), CONFIG))
        fewer = seen_for(windows, 4)
        assert sum(len(w.tracks) for w in fewer) < sum(len(w.tracks) for w in windows)
        for window in fewer:
            assert window.tracks.visible.all()
            assert len(window.moving) == len(window.distance) == len(window.tracks)

    def test_an_object_that_stands_is_background(self):
        # The demo's van (object 1) stops at 4 s for 2.4 s.
        sequence = RenderedSequence("demo", size=(64, 48), fps=10)
        (_, driving), (_, standing) = sequence.at(30), sequence.at(52)
        from motionseg_ros.synthesis import Renderer, get_scene

        renderer = Renderer(get_scene("demo", width=64, height=48))
        assert driving[renderer.render(30).labels == 1].all()
        assert not standing[renderer.render(52).labels == 1].any()


class TestCache:
    def assert_same(self, first: list[LabelledWindow], second: list[LabelledWindow]) -> None:
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert (one.frame, one.size) == (other.frame, other.size)
            for name in ("positions", "visible", "visibility", "confidence", "birth", "ids"):
                left, right = getattr(one.tracks, name), getattr(other.tracks, name)
                assert left.dtype == right.dtype
                np.testing.assert_array_equal(left, right)
            np.testing.assert_array_equal(one.moving, other.moving)
            # OpenCV's distance transform may differ in the last bit from one call to the next.
            np.testing.assert_allclose(one.distance, other.distance, rtol=1e-6)

    def test_round_trip(self, recorded, tmp_path):
        windows = list(collect_windows(RecordedSequence("tiny", recorded), CONFIG))
        windows.insert(1, seen_for(windows[:1], 99)[0])  # one without trajectories
        save_windows(tmp_path / "new" / "w.npz", windows)
        self.assert_same(load_windows(tmp_path / "new" / "w.npz"), windows)

    def test_no_windows(self, tmp_path):
        save_windows(tmp_path / "w.npz", [])
        assert load_windows(tmp_path / "w.npz") == []

    def test_second_time_nothing_is_tracked(self, recorded, tmp_path):
        frames = []
        sequence = RecordedSequence("tiny", recorded)
        first = cached_windows(sequence, CONFIG, tmp_path / "c", lambda: frames.append(0))
        second = cached_windows(sequence, CONFIG, tmp_path / "c", lambda: frames.append(0))
        assert len(frames) == 10
        self.assert_same(first, second)

    @pytest.mark.parametrize("change", ["option", "mask", "length"])
    def test_what_decides_the_windows_has_them_collected_afresh(self, recorded, tmp_path, change):
        frames = []
        cached_windows(RecordedSequence("tiny", recorded), CONFIG, tmp_path / "c")
        config = CONFIG.with_values({"tracker.spacing": 14}) if change == "option" else CONFIG
        if change == "mask":
            cv2.imwrite(str(recorded / "masks" / "00004.png"), np.zeros((96, 128), np.uint8))
        sequence = RecordedSequence("tiny", recorded, 9 if change == "length" else None)
        windows = cached_windows(sequence, config, tmp_path / "c", lambda: frames.append(0))
        assert frames
        assert change != "mask" or not windows[0].moving.any()

    def test_what_does_not_decide_them_keeps_the_key(self, recorded):
        sequence = RecordedSequence("tiny", recorded)
        other = CONFIG.with_values({"classifier.steepness": 9.0})
        assert cache_key(sequence, CONFIG) == cache_key(sequence, other)

    def test_rendered_keys(self):
        keys = [
            cache_key(RenderedSequence(scene, seed, size, frames), CONFIG)
            for scene, seed, size, frames in [
                ("demo", 0, (64, 48), 20),
                ("demo", 1, (64, 48), 20),
                ("demo", 0, (80, 48), 20),
                ("demo", 0, (64, 48), 21),
                ("static", 0, (64, 48), 20),
                ("demo", 0, (64, 48), 20),
            ]
        ]
        assert len(set(keys[:5])) == 5
        assert keys[0] == keys[5]

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"not a zip file"])
    def test_a_damaged_file_is_collected_afresh(self, recorded, tmp_path, content):
        sequence = RecordedSequence("tiny", recorded)
        first = cached_windows(sequence, CONFIG, tmp_path / "c")
        (path,) = (tmp_path / "c").iterdir()
        path.write_bytes(content)
        assert load_windows(path) is None
        self.assert_same(cached_windows(sequence, CONFIG, tmp_path / "c"), first)

    def test_a_folder_that_cannot_be_made(self, recorded, tmp_path):
        (tmp_path / "c").write_text("in the way")
        with pytest.raises(OutputError, match="cannot write"):
            cached_windows(RecordedSequence("tiny", recorded), CONFIG, tmp_path / "c")


class TestFind:
    def test_sets_single_sequences_and_scenes(self, recorded):
        data = recorded.parents[1]
        assert [(item.group, item.name) for item in find_labelled("tiny", data)] == [("tiny", "shift")]
        assert [len(item) for item in find_labelled("tiny/shift", data, frames=4)] == [4]
        names = [item.name for item in find_labelled("static", data, seeds=2, size=(64, 48))]
        assert names == ["static-0", "static-1"]

    def test_rendered_is_the_whole_library(self, tmp_path):
        from motionseg_ros.synthesis import SCENES

        found = find_labelled("rendered", tmp_path, seeds=1, size=(64, 48))
        assert [item.name for item in found] == [f"{name}-0" for name in SCENES]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("absent", "absent: is neither a folder in .* nor one of the scenes demo"),
            ("tiny/absent", "holds no sequence absent"),
            ("", "is neither a folder"),
        ],
    )
    def test_unknown_names(self, recorded, name, reason):
        with pytest.raises(EvaluationError, match=reason) as caught:
            find_labelled(name, recorded.parents[1])
        assert "\n" not in str(caught.value)

    def test_a_frame_without_mask(self, recorded):
        (recorded / "masks" / "00003.png").unlink()
        with pytest.raises(EvaluationError, match=r"00003\.png: no such mask"):
            RecordedSequence("tiny", recorded)

    def test_no_frames(self, recorded):
        for file in (recorded / "frames").iterdir():
            file.unlink()
        with pytest.raises(EvaluationError, match="frames: holds no images"):
            RecordedSequence("tiny", recorded)

    def test_a_mask_of_another_size(self, recorded):
        cv2.imwrite(str(recorded / "masks" / "00003.png"), np.zeros((20, 30), np.uint8))
        with pytest.raises(EvaluationError, match="is 30x20, its frame 128x96"):
            list(RecordedSequence("tiny", recorded))

    def test_a_damaged_frame(self, recorded):
        (recorded / "frames" / "00003.png").write_bytes(b"nothing")
        with pytest.raises(EvaluationError, match=r"00003\.png: cannot be read"):
            RecordedSequence("tiny", recorded).at(3)
