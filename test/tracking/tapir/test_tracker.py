"""Seeding, letting go and what is handed out; the slots answer from a script."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.config import TapirConfig
from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.tracking.tapir.answers import SlotAnswers, gate, to_image, to_raster
from motionseg_ros.tracking.tapir.slots import SlotPool
from motionseg_ros.tracking.tapir.tracker import CROWD, TapirTracker

SIZE = (120, 160)
STEP = np.array([4.0, 0.0])  # image px per frame


class ScriptedPool:
    """Points go by `STEP` each frame; those right of `wall` are hidden."""

    def __init__(self) -> None:
        self.wall = np.inf
        self.squeeze = 1.0
        self.frames = 0
        self.seeded: list[np.ndarray] = []
        self.points: dict[int, np.ndarray] = {}

    def reset(self) -> None:
        self.points.clear()

    def see(self, image: np.ndarray) -> None:
        self.frames += 1

    def seed(self, rows: np.ndarray, points: np.ndarray) -> SlotAnswers:
        self.seeded.append(rows.copy())
        self.points |= zip(rows.tolist(), to_image(points, 256, SIZE), strict=True)
        return self.answers(rows)

    def step(self, rows: np.ndarray) -> SlotAnswers:
        for row in rows.tolist():
            self.points[row] = self.points[row] * [1, self.squeeze] + STEP
        return self.answers(rows)

    def answers(self, rows: np.ndarray) -> SlotAnswers:
        points = np.array([self.points[row] for row in rows.tolist()]).reshape(-1, 2)
        hidden = points[:, 0] > self.wall
        occlusion = np.where(hidden, 5.0, -5.0).astype(np.float32)
        distance = np.full(len(rows), -4.0, np.float32)
        return SlotAnswers(to_raster(points, 256, SIZE), occlusion, distance)


class Rig:
    def __init__(self, stride: int = 2, length: int = 8, **options: object) -> None:
        self.config = TapirConfig(**{"slots": 48} | options)
        self.pool = ScriptedPool()
        self.tracker = TapirTracker(self.config, self.pool, length, stride)
        self.window = SlidingWindow(length, 160)

    def push(self, count: int = 1):
        for _ in range(count):
            self.window.push(Frame(np.zeros((*SIZE, 3), np.uint8)))
            self.tracker.push(self.window)
        return self.tracker.window()


def test_the_first_frame_is_covered_evenly():
    tracks = Rig().push()
    assert tracks.num_frames == 1
    assert 40 <= len(tracks) <= 48
    assert tracks.visible.all()
    x, y = tracks.positions[:, 0].T
    assert (x >= 0).all()
    assert (x < SIZE[1]).all()
    assert (y >= 0).all()
    assert (y < SIZE[0]).all()
    nearest = np.linalg.norm(tracks.positions[:, None, 0] - tracks.positions[None, :, 0], axis=2)
    assert (nearest + 1e9 * np.eye(len(tracks))).min(1).min() > 15


def test_positions_are_in_image_pixels_and_the_seed_is_exact():
    rig = Rig()
    first = rig.push().positions[:, 0]
    tracks = rig.push()
    old = tracks.birth == 0
    np.testing.assert_allclose(
        tracks.positions[old, 1], (first + STEP)[np.isin(np.arange(len(first)), tracks.ids)], atol=1e-3
    )
    np.testing.assert_allclose(
        tracks.positions[old, 0], first[np.isin(np.arange(len(first)), tracks.ids)], atol=1e-5
    )


def test_cells_without_a_point_are_seeded_on_query_frames_only():
    rig = Rig(stride=4, patience=0)
    rig.push(12)
    assert len(rig.pool.seeded) == 3  # frames 0, 4 and 8
    tracks = rig.tracker.window()
    assert set(tracks.birth.tolist()) <= {0, 4}  # of the 8 newest frames
    assert (tracks.birth == 4).any()


def test_what_leaves_the_image_is_let_go_and_its_slot_given_again():
    rig = Rig(patience=0, stride=1)
    first = set(rig.push().ids.tolist())
    tracks = rig.push(60)  # every point has left by now
    assert not first & set(tracks.ids.tolist())
    assert len(np.unique(tracks.ids)) == len(tracks) <= 48


def test_a_hidden_point_keeps_its_slot_for_a_while():
    rig = Rig(patience=3, stride=100)
    ids = set(rig.push().ids.tolist())
    rig.pool.wall = 80
    for _ in range(3):
        tracks = rig.push()
        assert set(tracks.ids.tolist()) == ids
        late = ~tracks.visible[:, -1]
        assert late.any()
        assert (tracks.confidence[late, -1] > 0.9).all()  # surely hidden
        assert (tracks.visibility[late, -1] < 0.1).all()
    assert set(rig.push().ids.tolist()) < ids


def test_one_that_comes_out_again_goes_on():
    rig = Rig(patience=5, stride=100)
    ids = rig.push().ids
    rig.pool.wall = 80
    rig.push(3)
    rig.pool.wall = np.inf
    tracks = rig.push()
    inside = tracks.positions[:, -1, 0] <= SIZE[1] - 1
    assert tracks.visible[inside, -1].all()
    assert set(tracks.ids[inside].tolist()) <= set(ids.tolist())


def test_crowds_make_room():
    rig = Rig(stride=1)
    rig.pool.squeeze = 0.8
    for _ in range(12):
        tracks = rig.push()
        now = tracks.positions[tracks.visible[:, -1], -1]
        cells, counts = np.unique(rig.tracker._cells(now, SIZE), return_counts=True)
        assert counts.max() <= CROWD + 1  # one more may have been seeded beside those that came
    assert len(cells) >= 15


def test_memory_is_that_of_the_slots():
    rig = Rig(stride=1, patience=1)
    for _ in range(50):
        tracks = rig.push()
        assert len(tracks) <= 48
        assert tracks.num_frames <= 8


def test_reset_keeps_ids_apart():
    rig = Rig()
    before = rig.push(3).ids.max()
    rig.tracker.reset()
    assert len(rig.tracker.window()) == 0
    rig.window.clear()
    tracks = rig.push()
    assert tracks.num_frames == 1
    assert tracks.ids.min() > before


@pytest.mark.parametrize(
    ("visibility", "confidence", "visible", "kept"),
    [(0.9, 0.9, True, True), (0.1, 0.9, False, True), (0.6, 0.6, False, False), (0.9, 0.5, False, False)],
)
def test_gate(visibility, confidence, visible, kept):
    """Visible, surely hidden, and neither: then the confidence is 0 (spec of the release, section 3.1)."""
    logit = lambda p: np.array([np.log((1 - p) / p)], np.float32)  # noqa: E731
    found = gate(logit(visibility), logit(confidence))
    assert found[0].tolist() == [visible]
    np.testing.assert_allclose(found[1], [visibility], rtol=1e-5)
    np.testing.assert_allclose(found[2], [confidence if kept else 0], rtol=1e-5)


def test_coordinates_there_and_back():
    points = np.array([[0, 0], [159, 119], [12.5, 80.25]], np.float32)
    raster = to_raster(points, 256, SIZE)
    np.testing.assert_allclose(to_image(raster, 256, SIZE), points, atol=1e-4)
    np.testing.assert_allclose(raster[0], [0.5 * 256 / 160, 0.5 * 256 / 120])


def test_with_the_real_model(model, frames):
    config = TapirConfig(slots=12)
    tracker = TapirTracker(config, SlotPool(model, 12), 8, 2)
    window = SlidingWindow(8, 160)
    for frame in frames(3, SIZE):
        window.push(Frame(frame))
        tracker.push(window)
    tracks = tracker.window()
    assert tracks.num_frames == 3
    assert np.isfinite(tracks.positions).all()
