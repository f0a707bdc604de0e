"""The masker around a predictor that answers with masks from a script; `test_predictor.py` is about the real one."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from motionseg_ros.core.background import fit_background
from motionseg_ros.core.config import Config, Sam2Config
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.types import Frame, MaskLogits, Prompts, Tracks
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.masks.sam2.masker import (
    RELIEF,
    Sam2Masker,
    few_clicks,
    fill_holes,
    memory_policy,
)
from motionseg_ros.masks.sam2.predictor import Prediction

HEIGHT, WIDTH = 120, 200
LOW = 64  # side of the logits
STEP = np.array([4, 2])  # px per frame, of the square


def no_tracks() -> Tracks:
    return Tracks(
        np.zeros((0, 1, 2), np.float32),
        np.zeros((0, 1), bool),
        np.zeros((0, 1), np.float32),
        np.zeros((0, 1), np.float32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
    )


BACKGROUND = fit_background(no_tracks(), (HEIGHT, WIDTH), (1,))
EVIDENCE = MotionEvidence(
    np.zeros((0, 2), np.float32),
    np.zeros(0, np.float32),
    np.zeros(0, bool),
    np.zeros(0, np.int64),
    BACKGROUND,
)


class ScriptedPredictor:
    """Every object is the square, where it is in the newest frame; `room` objects fit into memory."""

    device = torch.device("cpu")

    def __init__(self, room: int = 99) -> None:
        self.room = room
        self.reset()

    def reset(self) -> None:
        self.frame = -1
        self.ids: tuple[int, ...] = ()
        self.expected: list[dict[int, Prompts]] = []
        self.prompted: list[tuple[int, Prompts, bool]] = []
        self.hidden = False

    def square(self) -> np.ndarray:
        """(H, W) bool."""
        mask = np.zeros((HEIGHT, WIDTH), bool)
        x, y = np.array([40, 30]) + self.frame * STEP
        mask[y : y + 30, x : x + 40] = True
        return mask & (not self.hidden)

    def prediction(self) -> Prediction:
        low = cv2.resize(np.where(self.square(), np.float32(5), np.float32(-5)), (LOW, LOW))
        return Prediction(torch.from_numpy(low), 0.9, 3.0)

    @property
    def predictions(self) -> dict[int, Prediction]:
        return {object_id: self.prediction() for object_id in self.ids}

    def see(self, image: np.ndarray) -> None:
        if self.room < 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.frame += 1

    def track(self, expected: dict[int, Prompts]) -> None:
        if len(self.ids) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.expected.append(dict(expected))

    def prompt(self, object_id: int, prompts: Prompts, afresh: bool) -> Prediction:
        if len({*self.ids, object_id}) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if object_id not in self.ids:
            self.ids = (*self.ids, object_id)
        self.prompted.append((object_id, prompts, afresh))
        return self.prediction()

    def probe(self, prompts: Prompts) -> Prediction:
        if self.room < 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.prediction()

    def remove(self, object_id: int) -> None:
        self.ids = tuple(i for i in self.ids if i != object_id)


class Rig:
    """Frames of a textured square that moves over a textured ground, and the masker that gets them."""

    def __init__(self, room: int = 99, **options: object) -> None:
        self.predictor = ScriptedPredictor(room)
        self.masker = Sam2Masker(Sam2Config(**options), self.predictor)
        self.window = SlidingWindow(8, 200)
        rng = np.random.default_rng(0)
        noise = [
            cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 1.5)
            for _ in range(2)
        ]
        self.ground, self.face = (cv2.normalize(n, None, 0, 255, cv2.NORM_MINMAX) for n in noise)

    def frame(self) -> None:
        before = self.predictor.frame
        self.predictor.frame += 1
        place = self.predictor.square()
        self.predictor.frame = before
        x, y, w, h = cv2.boundingRect(place.view(np.uint8))
        image = self.ground.copy()
        image[y : y + h, x : x + w] = self.face[:h, :w]
        self.window.push(Frame(image, index=before + 1))
        self.masker.watch(self.window, BACKGROUND)
        self.masker.push(self.window, EVIDENCE)


ON = Prompts.on(np.array([[50, 40]], np.float32))


class TestMasks:
    def test_in_the_image_and_in_its_box(self):
        rig = Rig()
        rig.frame()
        rig.masker.add(3, ON)
        found = rig.masker.masks()
        assert list(found) == [3]
        assert isinstance(found[3], MaskLogits)
        full = np.zeros((HEIGHT, WIDTH), bool)
        full[found[3].box] = found[3].logits > 0
        truth = rig.predictor.square()
        assert (full & truth).sum() / (full | truth).sum() > 0.85
        rows, columns = np.nonzero(full)
        assert found[3].corner == (columns.min(), rows.min())
        assert found[3].logits.shape == (np.ptp(rows) + 1, np.ptp(columns) + 1)
        assert found[3].quality == pytest.approx(0.9)

    def test_one_out_of_sight_has_none(self):
        rig = Rig()
        rig.frame()
        rig.masker.add(1, ON)
        rig.predictor.hidden = True
        rig.frame()
        assert rig.masker.masks() == {}
        rig.predictor.hidden = False
        rig.frame()
        assert list(rig.masker.masks()) == [1]

    def test_a_probe_is_a_mask_of_the_image(self):
        rig = Rig()
        rig.frame()
        found = rig.masker.probe(ON)
        assert (found.shape, found.dtype) == ((HEIGHT, WIDTH), bool)
        truth = rig.predictor.square()
        assert (found & truth).sum() / (found | truth).sum() > 0.85
        assert rig.masker.masks() == {}

    def test_what_is_removed_is_gone(self):
        rig = Rig()
        rig.frame()
        rig.masker.add(1, ON)
        rig.masker.add(2, ON)
        rig.masker.remove(1)
        assert list(rig.masker.masks()) == [2]
        rig.frame()
        rig.frame()
        assert 1 not in rig.predictor.expected[-1]

    def test_it_knows_of_no_regions_but_objects(self):
        rig = Rig()
        assert rig.masker.unclaimed(np.zeros((3, 2))).tolist() == [0, 0, 0]
        assert rig.masker.field() is None

    def test_push_before_watch(self):
        with pytest.raises(ValueError, match="call watch first"):
            Rig().masker.push(None, EVIDENCE)

    @pytest.mark.parametrize("afresh", [True, False])
    def test_prompts_of_known_objects_as_configured(self, afresh):
        rig = Rig(prompt_afresh=afresh)
        rig.frame()
        rig.masker.add(1, ON)
        assert rig.predictor.prompted == [(1, ON, afresh)]


class TestMotionGuidedPrompts:
    """MoSAM, section 3.2; the geometry is tested in test/prompting/test_motion_guided.py."""

    @staticmethod
    def run(frames: int = 6, **options) -> Rig:
        rig = Rig(**options)
        for index in range(frames):
            rig.frame()
            if index == 0:
                rig.masker.add(1, ON)
        return rig

    def test_points_are_where_the_object_goes(self):
        rig = self.run(dense_prompts=False)
        prompts = rig.predictor.expected[-1][1]
        assert prompts.box is None
        assert prompts.labels.tolist() == [1] * 5
        rows, columns = np.nonzero(rig.predictor.square())
        np.testing.assert_allclose(prompts.points[0], [columns.mean(), rows.mean()], atol=2.5)
        assert rig.predictor.square()[tuple(np.rint(prompts.points).astype(int).T[::-1])].all()

    def test_the_box_is_where_the_object_goes(self):
        rig = self.run(sparse_prompts=False)
        prompts = rig.predictor.expected[-1][1]
        assert len(prompts.points) == 0
        x, y, w, h = cv2.boundingRect(rig.predictor.square().view(np.uint8))
        np.testing.assert_allclose(prompts.box, [x, y, x + w, y + h], atol=5)

    def test_both_and_neither(self):
        both = self.run().predictor.expected[-1][1]
        assert len(both.points) == 5
        assert both.box is not None
        assert self.run(sparse_prompts=False, dense_prompts=False).predictor.expected[-1] == {}

    def test_not_before_motion_is_known(self):
        expected = self.run(dense_prompts=False).predictor.expected
        assert [1 in frame for frame in expected] == [False, False, True, True, True, True]

    def test_not_after_it_was_out_of_sight(self):
        rig = self.run(dense_prompts=False)
        rig.predictor.hidden = True
        rig.frame()
        rig.frame()
        assert rig.predictor.expected[-1] == {}

    def test_what_lies_beyond_the_image_is_left_out(self):
        rig = self.run(frames=32)  # the square leaves the image at the bottom right
        for expected in rig.predictor.expected:
            for prompts in expected.values():
                prompts.check((HEIGHT, WIDTH))


class TestOutOfMemory:
    def test_the_objects_added_last_go_until_the_others_fit(self):
        rig = Rig()
        rig.frame()
        for object_id in (5, 2, 9, 4):
            rig.masker.add(object_id, ON)
        rig.predictor.room = 2
        rig.frame()
        assert rig.predictor.ids == (5, 2)
        assert list(rig.masker.masks()) == [5, 2]
        assert rig.masker.warning() == "cpu is out of memory: 2 objects are left"
        rig.frame()
        assert rig.masker.warning() is None

    def test_for_a_while_none_is_added(self):
        rig = Rig(room=1)
        rig.frame()
        rig.masker.add(1, ON)
        rig.masker.add(2, ON)
        assert rig.masker.warning() == "cpu is out of memory: 1 objects are left"
        rig.predictor.room = 5
        for _ in range(RELIEF - 1):
            rig.frame()
            rig.masker.add(2, ON)
            assert rig.predictor.ids == (1,)
            assert rig.masker.warning() == "cpu has no memory for more objects"
            rig.masker.add(1, ON)  # a known one may be prompted
        rig.frame()
        rig.masker.add(2, ON)
        assert rig.predictor.ids == (1, 2)

    def test_a_probe_finds_nothing(self):
        rig = Rig(room=0)
        rig.frame()
        assert not rig.masker.probe(ON).any()
        assert "out of memory" in rig.masker.warning()

    def test_no_room_for_a_single_frame(self):
        rig = Rig(room=-1, model="sam2.1_large")
        with pytest.raises(
            ModelError, match=r"not enough memory for sam2.1_large at 1024 px: choose a smaller"
        ):
            rig.frame()

    def test_reset_begins_anew(self):
        rig = Rig(room=0)
        rig.frame()
        rig.masker.add(1, ON)
        rig.masker.reset()
        rig.window.clear()
        rig.predictor.room = 1
        rig.frame()
        rig.masker.add(1, ON)
        assert (rig.predictor.ids, rig.masker.warning()) == ((1,), None)


class TestClicks:
    def test_few_are_given_as_they_are(self):
        prompts = Prompts.on(np.arange(16, dtype=np.float32).reshape(8, 2))
        assert few_clicks(prompts, (HEIGHT, WIDTH)) is prompts

    def test_of_many_the_densest_and_the_two_farthest(self):
        dense = np.array([[50 + x, 40 + y] for x in range(4) for y in range(4)], np.float32)
        points = np.concatenate([dense, [[10, 40], [90, 41], [150, 100]]]).astype(np.float32)
        labels = np.ones(19, np.int8)
        labels[-1] = 0
        found = few_clicks(Prompts(points, labels), (HEIGHT, WIDTH))
        assert found.labels.tolist() == [1, 1, 1, 0]
        assert np.linalg.norm(found.points[0] - (51.5, 41.5)) < 2
        assert {tuple(p) for p in found.points[1:3]} == {(10.0, 40.0), (90.0, 41.0)}
        assert found.points[3].tolist() == [150, 100]


class TestHoles:
    @pytest.mark.parametrize(("side", "filled"), [(1, True), (2, True), (3, False)])
    def test_small_ones_are_filled(self, side, filled):
        logits = np.full((20, 20), -3, np.float32)
        logits[4:16, 4:16] = 3
        logits[8 : 8 + side, 8 : 8 + side] = -1
        found = fill_holes(logits, 8)
        assert (found[8, 8] > 0) == filled
        assert (found[:4] < 0).all()  # the ground is a large hole
        np.testing.assert_array_equal(found[5], logits[5])

    def test_nothing_to_fill(self):
        logits = np.full((5, 5), -1, np.float32)
        assert fill_holes(logits, 8) is logits


def test_options_become_the_memory_policy():
    options = SimpleNamespace(**Sam2Config().model_dump())
    policy = memory_policy(Config().sam2)
    assert (policy.selective, policy.slots, policy.min_iou, policy.min_occlusion, policy.fallback_iou) == (
        True,
        6,
        0.7,
        0.0,
        0.6,
    )
    options.memory, options.memory_length, options.prompted_frames = "recent", 4, 2
    policy = memory_policy(options)
    assert (policy.selective, policy.slots, policy.prompted) == (False, 3, 2)
