"""Objects of the user's choice in the default pipeline, which finds nothing else here that does not move."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest

from motionseg_ros.assembly import build_segmenter
from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import PromptError
from motionseg_ros.core.linking import LinkedObjects
from motionseg_ros.core.situation import Situation
from motionseg_ros.core.types import Frame, FrameResult, ObjectState, Prompts
from motionseg_ros.masks.guided import GuidedMasker
from motionseg_ros.prompting.chosen_objects import ChosenObjects

SIZE = (160, 240)
SIDE = 44
SECOND = 1_000_000_000
PERIOD = SECOND // 10
MARGIN = 120
NO_POINTS, NO_LABELS = np.zeros((0, 2), np.float32), np.zeros(0, np.int8)
Step = tuple[float, float]


@cache
def texture(height: int, width: int, seed: int, tint: tuple[int, int, int]) -> np.ndarray:
    """(height, width, 3) uint8 noise with structure at two scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 1), np.float32)
    for sigma, weight in ((1.5, 50), (6.0, 50)):
        noise = rng.normal(0, 1, (height, width)).astype(np.float32)
        total += weight * sigma * cv2.GaussianBlur(noise, (0, 0), sigma)[..., None]
    return np.clip(total + np.array(tint, np.float32), 0, 255).astype(np.uint8)


class Film:
    """A textured square in a world that goes by `pan` px a frame; it rests in it, or goes its own way by `step` up to
    the frame `until`."""

    def __init__(
        self,
        pan: Step = (2, 1),
        step: tuple[int, int] | None = None,
        at: tuple[int, int] = (80, 50),
        until: int = 1000,
    ) -> None:
        self.pan, self.step, self.at, self._until = pan, step, at, until
        self._world = texture(SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN, 0, (110, 120, 90)).copy()
        self._face = texture(SIDE, SIDE, 7, (70, 90, 190))
        if step is None:
            x, y = at[0] + MARGIN, at[1] + MARGIN
            self._world[y : y + SIDE, x : x + SIDE] = self._face

    def frame(self, index: int) -> Frame:
        image = self._view(self._world, index)
        if self.step is not None:
            image[self.mask(index)] = self._face.reshape(-1, 3)
        return Frame(image, 100 * SECOND + index * PERIOD, "camera", index)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool: the square in a frame."""
        if self.step is None:
            return self.of_the_world(box(*self.at, SIDE, SIDE), index)
        moved, rested = min(index, self._until), max(index - self._until, 0)
        x, y = (self.at[k] + moved * self.step[k] + rested * self.pan[k] for k in (0, 1))
        return box(x, y, SIDE, SIDE)

    def of_the_world(self, mask: np.ndarray, index: int) -> np.ndarray:
        """(H, W) bool: where what rests under a mask of frame 0 is in another frame."""
        world = np.pad(mask.astype(np.float32), MARGIN)
        return self._view(world, index) > 0.5

    def _view(self, world: np.ndarray, index: int) -> np.ndarray:
        x, y = self.pan[0] * index - MARGIN, self.pan[1] * index - MARGIN
        return cv2.warpAffine(world, np.float32([[1, 0, x], [0, 1, y]]), SIZE[::-1])


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + height, x : x + width] = True
    return mask


def by_mask(mask: np.ndarray) -> Prompts:
    return Prompts(NO_POINTS, NO_LABELS, mask=mask)


def by_hand(*points: tuple[float, float], mask: np.ndarray | None = None) -> Prompts:
    return Prompts(np.float32(points).reshape(-1, 2), np.ones(len(points), np.int8), mask=mask)


def jaccard(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


class Rig:
    """The default pipeline on a film."""

    def __init__(self, film: Film, check: Callable[[FrameResult, Frame], None], **options: object) -> None:
        self.film, self._check = film, check
        values = {name.replace("__", "."): value for name, value in options.items()}
        self.segmenter = build_segmenter(Config().with_values(values))
        self.index = -1

    def push(self, *choices: Prompts) -> FrameResult:
        self.index += 1
        frame = self.film.frame(self.index)
        result = self.segmenter.push(frame, choices)
        self._check(result, frame)
        return result

    def play(self, frames: int) -> list[FrameResult]:
        return [self.push() for _ in range(frames)]

    def choose(self, prompts: Prompts | None = None, back: int = 0) -> int:
        """By the square's mask `back` frames ago, if nothing else is said."""
        prompts = prompts or by_mask(self.film.mask(self.index - back))
        return self.segmenter.choose(prompts, self.stamp(back) if back else None)

    def stamp(self, back: int = 0) -> int:
        return 100 * SECOND + (self.index - back) * PERIOD

    def score(self, result: FrameResult, object_id: int) -> float:
        """J of the square."""
        return jaccard(result.labels == object_id, self.film.mask(result.index))


@pytest.fixture
def make_rig(check) -> Callable[..., Rig]:
    """``make_rig(film, objects__max_objects=1)``"""
    return lambda film=None, **options: Rig(film or Film(), check, **options)


def only(result: FrameResult) -> tuple[int, ObjectState]:
    (instance,) = result.instances
    return instance.id, instance.state


class TestAtRest:
    """It goes by as the background does: nothing but the user's word tells it from that."""

    @pytest.mark.parametrize("pan", [(2, 1), (-3, 0), (0.4, -0.3), (0, 0)])
    def test_it_is_kept_under_its_id(self, make_rig, pan):
        rig = make_rig(Film(pan))
        assert not any(result.instances for result in rig.play(6))
        chosen = rig.choose()
        results = rig.play(16)
        for result in results:
            assert rig.score(result, chosen) > 0.7
            object_id, state = only(result)
            assert object_id == chosen
            assert state in (ObjectState.STOPPED, ObjectState.MOVING)
        assert only(results[-1]) == (chosen, ObjectState.STOPPED)

    @pytest.mark.parametrize("before", [0, 1, 6])
    def test_a_choice_in_the_very_frame_is_shown_in_it(self, make_rig, before):
        rig = make_rig()
        rig.play(before)
        first = rig.push(by_mask(rig.film.mask(before)))
        object_id, _ = only(first)
        assert rig.score(first, object_id) > 0.9
        assert first.instances[0].first_seen == first.stamp
        for result in rig.play(6):
            assert only(result)[0] == object_id
            assert rig.score(result, object_id) > 0.7

    @pytest.mark.parametrize("back", [1, 5])
    def test_a_choice_in_an_earlier_frame_is_carried_to_the_newest(self, make_rig, back):
        rig = make_rig(Film((4, 1), at=(30, 50)))
        rig.play(8)
        chosen = rig.choose(back=back)
        for result in rig.play(8):
            assert rig.score(result, chosen) > 0.7
            assert only(result)[0] == chosen

    def test_a_piece_of_the_background_does_not_spread_over_what_looks_like_it(self, make_rig):
        rig, piece = make_rig(), box(150, 90, 40, 40)
        rig.push(by_mask(piece))
        for result in rig.play(12):
            assert jaccard(result.labels > 0, rig.film.of_the_world(piece, result.index)) > 0.7

    def test_several_objects_have_each_their_id(self, make_rig):
        rig = make_rig()
        pieces = box(10, 20, 40, 40), box(60, 20, 50, 30), box(120, 60, 40, 60)
        rig.push(by_mask(pieces[0]), by_mask(pieces[1]))
        rig.play(2)
        assert rig.choose(by_mask(rig.film.of_the_world(pieces[2], rig.index))) == 3
        for result in rig.play(8):
            assert [i.id for i in result.instances] == [1, 2, 3]
            for object_id, piece in enumerate(pieces, start=1):
                truth = rig.film.of_the_world(piece, result.index)
                assert jaccard(result.labels == object_id, truth) > 0.7

    def test_a_small_one_is_shown_as_well(self, make_rig):
        """Smaller than `masker.min_area`: that is for flickers."""
        rig, piece = make_rig(), box(100, 70, 5, 5)
        rig.push(by_mask(piece))
        for result in rig.play(6):
            assert jaccard(result.labels == 1, rig.film.of_the_world(piece, result.index)) > 0.5

    @pytest.mark.parametrize("working_size", [120, 384])
    def test_at_any_working_size(self, make_rig, working_size):
        rig = make_rig(image__working_size=working_size)
        rig.play(4)
        chosen = rig.choose()
        for result in rig.play(8):
            assert rig.score(result, chosen) > 0.7

    def test_out_of_sight_it_is_let_go_in_the_end(self, make_rig):
        rig = make_rig(Film((-12, 0), at=(6, 50)), objects__keep_occluded=0.5)
        chosen = rig.push(by_mask(rig.film.mask(0))).instances[0].id
        results = rig.play(12)
        states = [{i.id: i.state for i in result.instances}.get(chosen) for result in results]
        assert ObjectState.OCCLUDED in states
        assert states[-1] is None


class TestOnTheMove:
    @pytest.mark.parametrize("when", ["in the first frame", "in the very frame", "before the next"])
    def test_it_stays_one_object_under_its_id(self, make_rig, when):
        """Also where it was found before: then what was found is part of it from now on."""
        rig = make_rig(Film(pan=(1, 0), step=(4, 1), at=(30, 40)))
        if when == "in the first frame":
            chosen, _ = only(rig.push(by_mask(rig.film.mask(0))))
        else:
            found, _ = only(rig.play(8)[-1])
            if when == "in the very frame":
                chosen, _ = only(rig.push(by_mask(rig.film.mask(8))))
            else:
                chosen = rig.choose()
            assert chosen != found
        results = rig.play(10)
        assert {only(result)[0] for result in results} == {chosen}
        assert min(rig.score(result, chosen) for result in results) > 0.7
        assert only(results[-1])[1] is ObjectState.MOVING

    @pytest.mark.parametrize("step", [(4, 1), (-2, 1)])
    def test_by_its_mask_in_an_earlier_frame(self, make_rig, step):
        rig = make_rig(Film(pan=(1, 0), step=step, at=(90, 40)))
        rig.play(8)
        chosen = rig.choose(back=3)
        results = rig.play(8)
        assert {only(result)[0] for result in results} == {chosen}
        assert min(rig.score(result, chosen) for result in results[3:]) > 0.7

    @pytest.mark.parametrize("in_the_frame", [False, True])
    def test_the_trajectories_of_what_was_found_carry_it_from_now_on(
        self, make_rig, monkeypatch, in_the_frame
    ):
        carried = []
        find = LinkedObjects.__call__

        def noting(finder: LinkedObjects, situation: Situation) -> np.ndarray:
            carried.append(set(situation.owners.tolist()))
            return find(finder, situation)

        monkeypatch.setattr(LinkedObjects, "__call__", noting)
        rig = make_rig(Film(pan=(1, 0), step=(4, 1), at=(30, 40)), window__stride=1)
        rig.play(8)
        assert carried[-1] >= {1}
        if in_the_frame:
            rig.push(by_mask(rig.film.mask(8)))
        else:
            rig.choose()
            rig.push()
        assert 2 in carried[-1]
        assert 1 not in carried[-1]

    def test_when_it_stops_it_is_kept(self, make_rig):
        rig = make_rig(Film(pan=(1, 0), step=(4, 1), at=(10, 40), until=20), objects__keep_stopped=0.3)
        rig.play(4)
        chosen = rig.choose()
        results = rig.play(26)
        assert min(rig.score(result, chosen) for result in results) > 0.7
        assert [only(result)[0] for result in results] == [chosen] * 26
        assert only(results[-1])[1] is ObjectState.STOPPED

    def test_one_that_moves_elsewhere_is_found_beside_it(self, make_rig):
        rig = make_rig(Film(pan=(1, 0), step=(4, 1), at=(30, 40)))
        piece = box(160, 100, 40, 40)
        rig.push(by_mask(piece))
        result = rig.play(10)[-1]
        states = {instance.id: instance.state for instance in result.instances}
        assert states == {1: ObjectState.STOPPED, 2: ObjectState.MOVING}
        assert rig.score(result, 2) > 0.7
        assert jaccard(result.labels == 1, rig.film.of_the_world(piece, result.index)) > 0.7


def test_what_passes_in_front_does_not_take_it_along(make_rig):
    rig = make_rig(Film(pan=(0, 0), step=(7, 0), at=(0, 60)))
    piece = box(80, 40, 60, 80)
    rig.push()
    rig.push(by_mask(piece))
    for result in rig.play(26):
        assert jaccard(result.labels == 1, piece & ~rig.film.mask(result.index)) > 0.8
    assert jaccard(result.labels == 1, piece) > 0.9


class TestRefused:
    @staticmethod
    def assert_nothing_is_left(rig: Rig) -> None:
        """Neither in the results, nor of the only place that there is for an object."""
        assert [result.instances for result in rig.play(2)] == [(), ()]
        chosen = rig.choose()
        (result,) = rig.play(1)
        assert only(result)[0] == chosen
        assert rig.score(result, chosen) > 0.7

    @pytest.mark.parametrize(
        ("prompts", "reason"),
        [
            (by_hand((60, 60)), "points alone are not enough for masker.name guided"),
            (by_hand((-0.5, 60), mask=box(50, 50, 30, 30)), "points must lie in the image of 240x160"),
            (by_hand((60, 160), mask=box(50, 50, 30, 30)), r"points must lie in .* but got \(60, 160\)"),
            (by_hand((np.nan, 60), mask=box(50, 50, 30, 30)), "points must lie in"),
            (by_mask(np.ones((120, 160), bool)), r"mask must be \(160, 240\), but got \(120, 160\)"),
            (by_mask(np.zeros(SIZE, bool)), "mask must have a pixel on the object"),
            (by_mask(box(70, 70, 1, 1)), "choose a larger image.working_size"),
            (by_hand(), "must have a point, a box or a mask"),
        ],
    )
    def test_prompts_that_cannot_be_used(self, make_rig, prompts, reason):
        rig = make_rig(objects__max_objects=1, image__working_size=120)
        rig.play(2)
        with pytest.raises(PromptError, match=reason) as error:
            rig.segmenter.choose(prompts)
        assert "\n" not in str(error.value)
        self.assert_nothing_is_left(rig)

    def test_prompts_in_a_frame_that_cannot_be_used(self, make_rig):
        rig = make_rig(objects__max_objects=1)
        rig.play(2)
        with pytest.raises(PromptError, match="points alone are not enough"):
            rig.push(by_hand((60, 60)))
        self.assert_nothing_is_left(rig)

    @pytest.mark.parametrize("reset", [False, True])
    def test_without_an_image(self, make_rig, reset):
        rig = make_rig()
        if reset:
            rig.play(2)
            rig.segmenter.reset()
        with pytest.raises(PromptError, match="there is no image yet"):
            rig.segmenter.choose(by_mask(rig.film.mask(0)))

    @pytest.mark.parametrize("back", [5, -1, 1.5])
    def test_an_image_that_is_not_in_the_window(self, make_rig, back):
        rig = make_rig(window__length=5, objects__max_objects=1)
        rig.play(7)
        stamp = int(rig.stamp() - back * PERIOD)
        reason = rf"the image with stamp {stamp / SECOND:.3f} s is not among the last 5: choose a newer one"
        with pytest.raises(PromptError, match=reason):
            rig.segmenter.choose(by_mask(rig.film.mask(6)), stamp)
        self.assert_nothing_is_left(rig)

    def test_what_has_left_the_image_since(self, make_rig):
        rig = make_rig(Film((-6, 0)), objects__max_objects=1)
        rig.play(6)
        with pytest.raises(PromptError, match="the mask has left the image since"):
            rig.choose(by_mask(box(0, 60, 10, 40)), back=5)
        self.assert_nothing_is_left(rig)

    def test_more_than_max_objects(self, make_rig):
        rig = make_rig(objects__max_objects=1)
        rig.play(2)
        chosen = rig.choose()
        with pytest.raises(PromptError, match=r"there are objects.max_objects = 1 objects already"):
            rig.choose(by_mask(box(10, 10, 40, 40)))
        assert only(rig.push())[0] == chosen


class TestPoints:
    """The points that keep it (SAM-PT) prompt the masker as long as it lives."""

    @pytest.fixture
    def prompted(self, monkeypatch) -> list[tuple[int, np.ndarray]]:
        """Object and points of each prompt since it was emptied."""
        prompts = []
        add = GuidedMasker.add

        def noting(masker: GuidedMasker, object_id: int, given: Prompts) -> None:
            prompts.append((object_id, given.points[given.labels == 1]))
            add(masker, object_id, given)

        monkeypatch.setattr(GuidedMasker, "add", noting)
        return prompts

    def test_in_every_frame(self, make_rig, prompted):
        rig = make_rig()
        rig.play(2)
        chosen = rig.choose()
        for _ in range(4):
            prompted.clear()
            result = rig.push()
            assert {object_id for object_id, _ in prompted} == {chosen}
            x, y = np.rint(prompted[0][1]).astype(int).T
            assert len(x) > 4
            assert rig.film.mask(result.index)[y, x].all()

    def test_not_after_a_reset(self, make_rig, prompted):
        rig = make_rig()
        rig.play(2)
        rig.choose()
        rig.segmenter.reset()
        prompted.clear()
        rig.play(3)
        assert prompted == []

    def test_those_of_objects_that_were_let_go_are_forgotten(self, make_rig, monkeypatch):
        kept = []
        keep = ChosenObjects.keep

        def noting(objects: ChosenObjects, ids: frozenset[int]) -> None:
            kept.append(ids)
            keep(objects, ids)

        monkeypatch.setattr(ChosenObjects, "keep", noting)
        rig = make_rig(Film((-12, 0), at=(6, 50)), objects__keep_occluded=0.3)
        rig.push(by_mask(rig.film.mask(0)))
        rig.play(10)
        assert kept[0] == {1}
        assert kept[-1] == frozenset()


class TestReset:
    def test_forgets_what_was_chosen(self, make_rig):
        rig = make_rig()
        rig.play(2)
        rig.choose()
        assert rig.push().instances
        rig.segmenter.reset("asked for")
        results = rig.play(4)
        assert [result.instances for result in results] == [()] * 4
        assert [result.restart for result in results] == ["asked for", None, None, None]
        assert rig.choose() == 2
        assert only(rig.push())[0] == 2
