"""Objects of the user's choice with a mask model whose answers are known beforehand, on textured squares that move."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import pytest

from motionseg_ros.core.config import PointsConfig
from motionseg_ros.core.errors import PromptError
from motionseg_ros.core.types import Frame, MaskLogits, Prompts
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.prompting.chosen_objects import ChosenObjects, carry_mask
from motionseg_ros.prompting.sampling import sample_points
from motionseg_ros.tracking.query_points import QueryPoints

SIZE = (160, 240)
SIDE = 56
NO_POINTS = np.zeros((0, 2), np.float32)
Place = tuple[int, int]


def texture(height: int, width: int, seed: int, tint: float) -> np.ndarray:
    """(height, width, 3) uint8 noise with structure at two scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for sigma, weight in ((1.5, 50), (6.0, 50)):
        noise = rng.normal(0, 1, (height, width)).astype(np.float32)
        total += weight * sigma * cv2.GaussianBlur(noise, (0, 0), sigma)
    return np.clip(total + tint, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


class Film:
    """A square that goes by `step` px a frame from `at` (left, top), over a background that rests."""

    def __init__(self, step: Place = (3, 1), at: Place = (40, 40)) -> None:
        self.step, self.at = step, at
        self._background, self._face = texture(*SIZE, 0, 100), texture(SIDE, SIDE, 7, 150)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool: the square in frame `index`."""
        return box(*self.corner(index), SIDE, SIDE)

    def corner(self, index: int) -> Place:
        return self.at[0] + index * self.step[0], self.at[1] + index * self.step[1]

    def image(self, index: int) -> np.ndarray:
        image, (x, y) = self._background.copy(), self.corner(index)
        left, top = max(x, 0), max(y, 0)
        face = self._face[top - y :, left - x :]
        face = face[: max(SIZE[0] - top, 0), : max(SIZE[1] - left, 0)]
        image[top : top + face.shape[0], left : left + face.shape[1]] = face
        return image


class Pan(Film):
    """The background itself goes by `step`."""

    def __init__(self, step: Place) -> None:
        super().__init__(step)
        self._world = texture(3 * SIZE[0], 3 * SIZE[1], 3, 120)

    def image(self, index: int) -> np.ndarray:
        x, y = SIZE[1] - index * self.step[0], SIZE[0] - index * self.step[1]
        return self._world[y : y + SIZE[0], x : x + SIZE[1]].copy()


def box(x: int, y: int, width: int, height: int) -> np.ndarray:
    """(H, W) bool: the part of a rectangle that lies in the image."""
    mask = np.zeros(SIZE, bool)
    mask[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    return mask


def by_mask(mask: np.ndarray) -> Prompts:
    return Prompts(NO_POINTS, np.zeros(0, np.int8), mask=mask)


def by_hand(*points: tuple[float, float], labels: list[int] | None = None, **more: np.ndarray) -> Prompts:
    labels = [1] * len(points) if labels is None else labels
    return Prompts(np.float32(points).reshape(-1, 2), np.array(labels, np.int8), **more)


def inside(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(K,) bool: which points lie on a mask (H, W)."""
    x, y = np.rint(points).astype(int).T
    return mask[y, x]


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


class NotedPoints(QueryPoints):
    """Knows which points it follows."""

    def reset(self) -> None:
        super().reset()
        self.ids: set[int] = set()

    def add(self, window: SlidingWindow, points: np.ndarray, back: int = 0) -> list[int]:
        new = super().add(window, points, back)
        self.ids.update(new)
        return new

    def remove(self, ids: list[int]) -> None:
        super().remove(ids)
        self.ids.difference_update(ids)


class ScriptedMasker:
    """Notes what it is asked for; shows what it is told to."""

    def __init__(self) -> None:
        self.chosen: list[tuple[int, Prompts]] = []
        self.added: list[tuple[int, Prompts]] = []
        self.shown: dict[int, np.ndarray] = {}
        self.refuses = False

    def choose(self, object_id: int, prompts: Prompts) -> None:
        prompts.check(SIZE)
        if self.refuses:
            raise PromptError("no more objects")
        self.chosen.append((object_id, prompts))

    def add(self, object_id: int, prompts: Prompts) -> None:
        prompts.check(SIZE)
        self.added.append((object_id, prompts))

    def masks(self) -> dict[int, MaskLogits]:
        """Only of the part that the object lies in, as real maskers do."""
        found = {}
        for object_id, mask in self.shown.items():
            x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
            part = mask[y : y + height, x : x + width]
            found[object_id] = MaskLogits(np.where(part, 4, -4).astype(np.float32), (x, y))
        return found


class Stage:
    """The window, the chosen objects and the masker, frame by frame as the pipeline does it."""

    def __init__(self, film: Film, length: int = 12, working_size: int = 432, **options: object) -> None:
        self.film = film
        self.config = PointsConfig(**options)
        self.window = SlidingWindow(length, working_size)
        self._tracker = NotedPoints(0.7)
        self.objects = ChosenObjects(self.config, self._tracker)
        self.masker = ScriptedMasker()
        self.index = -1

    def next(self, shown: Mapping[int, np.ndarray] | None = None, cover: np.ndarray | None = None) -> None:
        """The next frame, plain where `cover` (H, W) is; the masker says what is `shown`, by default what was."""
        self.index += 1
        self.masker.added.clear()
        image = self.film.image(self.index)
        if cover is not None:
            image[cover] = 90
        self.window.push(Frame(image, index=self.index))
        self.objects.step(self.window, self.masker)
        if shown is not None:
            self.masker.shown = dict(shown)
        self.objects.note(self.masker.masks(), self.window)

    def play(self, frames: int, shown: Callable[[int], Mapping[int, np.ndarray]] = lambda index: {}) -> None:
        for _ in range(frames):
            self.next(shown(self.index + 1))

    def begin(self, prompts: Prompts, object_id: int = 1, back: int = 0) -> np.ndarray:
        return self.objects.begin(object_id, prompts, self.window, self.masker, back)

    @property
    def truth(self) -> np.ndarray:
        return self.film.mask(self.index)

    def prompts(self, object_id: int = 1) -> list[Prompts]:
        """Those of the newest frame."""
        return [prompts for i, prompts in self.masker.added if i == object_id]

    @property
    def points(self) -> frozenset[int]:
        """Ids of those that the tracker follows, of all objects."""
        return frozenset(self._tracker.ids)


@pytest.fixture
def make_stage() -> Callable[..., Stage]:
    """``make_stage(frames, film, horizon=...)``: after some frames without any object."""

    def make(frames: int = 1, film: Film | None = None, **options: object) -> Stage:
        stage = Stage(film or Film(), **{"reinitialise": "off"} | options)
        stage.play(frames)
        return stage

    return make


class TestBegin:
    def test_by_mask(self, make_stage):
        stage = make_stage()
        shape = stage.begin(by_mask(stage.truth))
        [(object_id, prompts)] = stage.masker.chosen
        assert object_id == 1
        np.testing.assert_array_equal(prompts.mask, stage.truth)
        np.testing.assert_array_equal(shape, stage.truth)
        assert len(prompts.points) == 0
        assert stage.masker.added == []

    @pytest.mark.parametrize("counts", [(8, 1), (5, 0), (3, 20)])
    def test_points_are_sampled_from_the_mask(self, make_stage, counts):
        stage = make_stage(positives=counts[0], negatives=counts[1], sampling="mixed")
        stage.begin(by_mask(stage.truth))
        assert len(stage.points) == sum(counts)
        stage.next()
        last = stage.prompts()[-1]
        on = last.labels == 1
        assert counts[0] - 1 <= on.sum() <= counts[0]
        assert (~on).sum() <= counts[1]
        assert inside(stage.truth, last.points[on]).all()
        assert not inside(stage.truth, last.points[~on]).any()

    def test_by_hand(self, make_stage):
        stage = make_stage()
        stage.masker.shown = {1: box(60, 50, 20, 30)}
        shape = stage.begin(by_hand((60, 60), (75, 80), (160, 30), labels=[1, 1, 0]))
        [(_, prompts)] = stage.masker.chosen
        assert prompts.mask is None
        np.testing.assert_allclose(prompts.points, [[60, 60], [75, 80], [160, 30]], atol=1e-3)
        assert prompts.labels.tolist() == [1, 1, 0]
        np.testing.assert_array_equal(shape, box(60, 50, 20, 30))
        assert len(stage.points) == 3  # no more than the user gave

    def test_by_hand_when_the_masker_shows_nothing(self, make_stage):
        stage = make_stage()
        assert not stage.begin(by_hand((60, 60))).any()

    def test_by_mask_and_by_hand_both_count(self, make_stage):
        stage = make_stage(positives=4, negatives=2)
        stage.begin(by_hand((60, 60), (160, 30), labels=[1, 0], mask=stage.truth))
        [(_, prompts)] = stage.masker.chosen
        assert prompts.labels.tolist() == [1, 0]
        np.testing.assert_array_equal(prompts.mask, stage.truth)
        assert len(stage.points) == 2 + 4 + 2
        stage.next()
        last = stage.prompts()[-1]
        np.testing.assert_allclose(last.points[:2], [[63, 61], [160, 30]], atol=0.3)
        assert last.labels.tolist() == [1, 0, *[1] * 4, *[0] * 2]

    @pytest.mark.parametrize("back", [1, 3])
    def test_points_of_an_earlier_frame_are_followed_to_the_newest(self, make_stage, back):
        stage = make_stage(5)
        x, y = stage.film.corner(stage.index - back)
        stage.begin(by_hand((x + 20, y + 20), (x + 35, y + 30)), back=back)
        [(_, prompts)] = stage.masker.chosen
        expected = np.array([[x + 20, y + 20], [x + 35, y + 30]]) + back * np.array(stage.film.step)
        np.testing.assert_allclose(prompts.points, expected, atol=0.5)

    def test_a_mask_of_an_earlier_frame_is_carried_to_the_newest(self, make_stage):
        stage = make_stage(5)
        shape = stage.begin(by_mask(stage.film.mask(stage.index - 2)), back=2)
        [(_, prompts)] = stage.masker.chosen
        np.testing.assert_array_equal(shape, prompts.mask)
        assert jaccard(prompts.mask, stage.truth) > 0.85

    def test_points_are_sampled_where_the_mask_was_carried_to(self, make_stage):
        stage = make_stage(5, Pan((3, 1)))
        shape = stage.begin(by_mask(box(60, 60, 40, 30)), back=4)
        assert jaccard(shape, box(72, 64, 40, 30)) > 0.9
        stage.next()
        expected = sample_points(shape, 8, "k_medoids") + np.float32(stage.film.step)
        np.testing.assert_allclose(stage.prompts()[0].points, expected, atol=0.3)

    def test_points_that_were_lost_on_the_way_are_left_out(self, make_stage):
        stage = make_stage()
        x, y = stage.film.corner(0)
        stage.next(cover=box(0, 0, x + 20, SIZE[0]))
        stage.begin(by_hand((x + 8, y + 30), (x + 48, y + 30), (x + 8, 150), labels=[1, 1, 0]), back=1)
        [(_, prompts)] = stage.masker.chosen
        assert prompts.labels.tolist() == [1]
        np.testing.assert_allclose(prompts.points, [[x + 51, y + 31]], atol=0.5)


class TestRefused:
    """Nothing is left of an object that could not be begun."""

    @staticmethod
    def nothing_left(stage: Stage) -> bool:
        held = stage.points
        stage.next()
        return not held and stage.masker.added == []

    @pytest.mark.parametrize("labels", [[1, 1], [1, 0]])
    def test_all_points_on_it_were_lost_on_the_way(self, make_stage, labels):
        stage = make_stage()
        x, y = stage.film.corner(0)
        stage.next(cover=box(0, 0, 130, SIZE[0]))
        points = [(x + 10, y + 10), (x + 30, y + 30) if labels[1] else (200, 100)]
        with pytest.raises(PromptError, match="the points on the object were lost on the way"):
            stage.begin(by_hand(*points, labels=labels), back=1)
        assert stage.masker.chosen == []
        assert self.nothing_left(stage)

    def test_the_mask_has_left_the_image(self, make_stage):
        stage = make_stage(6, Pan((-5, 0)))
        with pytest.raises(PromptError, match="the mask has left the image since: choose a newer one"):
            stage.begin(by_hand((200, 100), labels=[0], mask=box(0, 60, 12, 30)), back=5)
        assert stage.masker.chosen == []
        assert self.nothing_left(stage)

    @pytest.mark.parametrize("with_mask", [False, True])
    def test_the_masker_refuses(self, make_stage, with_mask):
        stage = make_stage()
        stage.masker.refuses = True
        with pytest.raises(PromptError, match="no more objects"):
            stage.begin(by_hand((60, 60), mask=stage.truth if with_mask else None))
        assert self.nothing_left(stage)


class TestPrompting:
    """Figure 4 of the paper: positive points, then all points, then that again."""

    @pytest.mark.parametrize("refinements", [0, 1, 3])
    def test_positives_first_then_all_and_that_again(self, make_stage, refinements):
        stage = make_stage(refinements=refinements)
        stage.begin(by_hand((60, 60), (160, 30), (75, 80), labels=[1, 0, 1]))
        for _ in range(3):
            stage.next()
            first, *others = stage.prompts()
            assert first.labels.tolist() == [1, 1]
            assert [o.labels.tolist() for o in others] == [[1, 0, 1]] * (1 + refinements)
            assert all(p.mask is None and p.box is None for p in (first, *others))
            shift = stage.index * np.array(stage.film.step)
            on = np.array([[60, 60], [75, 80]]) + shift
            np.testing.assert_allclose(first.points, on, atol=0.5)
            np.testing.assert_allclose(others[0].points, [on[0], [160, 30], on[1]], atol=0.5)

    def test_occluded_points_are_left_out(self, make_stage):
        stage = make_stage()
        x, y = stage.film.corner(0)
        stage.begin(by_hand((x + 8, y + 30), (x + 48, y + 30), (x + 8, 150), (210, 30), labels=[1, 1, 0, 0]))
        for _ in range(2):  # they stay out when the cover has gone
            stage.next(cover=box(0, 0, x + 20, SIZE[0]) if stage.index == 0 else None)
            first, second = stage.prompts()
            assert first.labels.tolist() == [1]
            assert second.labels.tolist() == [1, 0]
            shift = stage.index * np.array(stage.film.step)
            np.testing.assert_allclose(
                second.points, [np.array([x + 48, y + 30]) + shift, [210, 30]], atol=0.5
            )

    def test_without_a_visible_point_on_it_an_object_is_not_asked_for(self, make_stage):
        stage = make_stage()
        stage.begin(by_hand((60, 60), (210, 30), labels=[1, 0]))
        stage.next(cover=box(0, 0, 150, SIZE[0]))
        assert stage.prompts() == []

    def test_each_object_has_its_own_points(self, make_stage):
        stage = make_stage()
        stage.begin(by_hand((60, 60)), object_id=4)
        stage.begin(by_hand((160, 30)), object_id=9)
        stage.next()
        np.testing.assert_allclose(stage.prompts(4)[0].points, [[63, 61]], atol=0.5)
        np.testing.assert_allclose(stage.prompts(9)[0].points, [[160, 30]], atol=0.5)


class TestNewPoints:
    """Section 3.2, step 4: they are sampled anew from a predicted mask."""

    ELSEWHERE = box(170, 90, 40, 40)
    """A mask that points from begin could not be on."""

    def test_variant_a_takes_the_newest_mask_after_the_horizon(self, make_stage):
        stage = make_stage(reinitialise="horizon", horizon=4)
        stage.begin(by_mask(stage.truth))
        for k in range(1, 11):
            # What the newest mask was when the points were sampled: another one from each horizon on.
            stage.next({1: self.ELSEWHERE if 5 <= k < 9 else stage.film.mask(k)})
            points = stage.prompts()[0].points
            # The first mask is seen in frame 1, so that frame 5 is the horizon; the points count from frame 6 on.
            expected = self.ELSEWHERE if 6 <= k <= 9 else stage.film.mask(k)
            assert inside(expected, points).all(), k
        assert len(stage.points) == 9

    @pytest.mark.parametrize("variant", ["off", "horizon", "median_area"])
    def test_before_the_horizon_the_points_stay(self, make_stage, variant):
        stage = make_stage(reinitialise=variant, horizon=8)
        stage.begin(by_mask(stage.truth))
        before = stage.points
        for _ in range(8):
            stage.next({1: self.ELSEWHERE})
        assert stage.points == before

    def test_variant_b_takes_the_mask_of_median_area_and_follows_its_points_forward(self, make_stage):
        film = Film(step=(6, 0), at=(10, 40))
        stage = make_stage(film=film, reinitialise="median_area", horizon=5, sampling="shi_tomasi")
        stage.begin(by_mask(stage.truth))
        stage.next({1: self.ELSEWHERE})
        # Of frames 2 to 6 the median area is that of frame 3: a strip of the square, which goes on.
        strip = lambda k: box(*film.corner(k), 20, SIDE)  # noqa: E731
        small, large = box(200, 20, 10, 10), box(160, 80, 60, 60)
        for mask in (small, strip(3), large, large, small):
            stage.next({1: mask})
        stage.next()
        positives, everything = stage.prompts()
        corners = sample_points(strip(3), 8, "shi_tomasi", film.image(3))
        np.testing.assert_allclose(positives.points, corners + np.float32([4 * 6, 0]), atol=0.5)
        assert not inside(strip(7), everything.points[everything.labels == 0]).any()

    def test_variant_c_waits_for_a_mask_of_similar_area(self, make_stage):
        stage = make_stage(reinitialise="similar_area", horizon=2, tolerance=0.1)
        stage.begin(by_mask(stage.truth))
        half = box(170, 90, 28, 56)
        for mask in (stage.film.mask(1), half, half, half):
            stage.next({1: mask})
        before = stage.points
        stage.next({1: box(170, 90, 56, 56)})
        assert not stage.points & before
        stage.next()
        assert inside(box(170, 90, 56, 56), stage.prompts()[0].points).all()

    @pytest.mark.parametrize("variant", ["horizon", "median_area"])
    @pytest.mark.parametrize(
        "shown", [{}, {1: np.zeros(SIZE, bool)}, {2: ELSEWHERE}], ids=["no mask", "empty", "another's"]
    )
    def test_without_a_mask_the_points_stay(self, make_stage, variant, shown):
        stage = make_stage(reinitialise=variant, horizon=2)
        stage.begin(by_mask(stage.truth))
        before = stage.points
        stage.masker.masks = lambda: {
            i: MaskLogits(np.where(mask, 4, -4).astype(np.float32)) for i, mask in shown.items()
        }
        stage.play(6)
        assert stage.points == before
        assert stage.prompts()

    def test_of_a_mask_that_the_working_image_does_not_show_the_points_stay(self, make_stage):
        stage = make_stage(working_size=120, reinitialise="horizon", horizon=2)
        stage.begin(by_mask(stage.truth))
        before = stage.points
        stage.play(6, lambda k: {1: box(171, 91, 1, 1)})
        assert stage.points == before

    def test_variant_a_tries_again_until_there_is_a_mask(self, make_stage):
        stage = make_stage(reinitialise="horizon", horizon=2)
        stage.begin(by_mask(stage.truth))
        stage.play(5)
        stage.next({1: self.ELSEWHERE})
        stage.next()
        assert inside(self.ELSEWHERE, stage.prompts()[0].points).all()

    def test_what_the_user_gave_by_hand_goes_as_well(self, make_stage):
        """ "All previous points are discarded"."""
        stage = make_stage(reinitialise="horizon", horizon=2, negatives=3)
        stage.begin(by_hand((60, 60), (150, 30), labels=[1, 0]))
        stage.play(4, lambda k: {1: self.ELSEWHERE})
        assert len(stage.points) == 8 + 3
        last = stage.prompts()[-1]
        assert inside(self.ELSEWHERE, last.points[last.labels == 1]).all()
        assert not inside(self.ELSEWHERE, last.points[last.labels == 0]).any()

    @pytest.mark.parametrize("working_size", [432, 120])
    def test_points_are_those_of_the_full_image(self, make_stage, working_size):
        film = Film(step=(2, 2), at=(30, 20))
        stage = make_stage(film=film, working_size=working_size, reinitialise="median_area", horizon=3)
        stage.begin(by_mask(stage.truth))
        areas = (1.0, 1.0, 0.5, 1.5)  # of frames 1 to 4; the middle of the last three is that of frame 2
        for k, share in enumerate(areas, start=1):
            stage.next({1: box(*film.corner(k), SIDE, int(SIDE * share))})
        stage.next()
        assert inside(stage.truth, stage.prompts()[0].points).mean() > 0.8

    def test_a_window_that_is_shorter_than_the_horizon(self, make_stage):
        """The mask of median area is out of reach then: the points stay."""
        stage = make_stage(length=4, reinitialise="median_area", horizon=5)
        stage.begin(by_mask(stage.truth))
        stage.next({1: self.ELSEWHERE})
        before = stage.points
        for width in (20, 1, 2, 30, 40):  # the median is four frames back
            stage.next({1: box(170, 90, width, 10)})
        assert stage.points == before


class TestForgetting:
    def test_keep_forgets_the_others_and_their_points(self, make_stage):
        stage = make_stage()
        for object_id in (1, 2, 3):
            stage.begin(by_mask(stage.truth), object_id)
        stage.objects.keep(frozenset({2, 77}))
        assert len(stage.points) == 9
        stage.next()
        assert {i for i, _ in stage.masker.added} == {2}

    def test_an_id_that_comes_again_counts_afresh(self, make_stage):
        stage = make_stage(reinitialise="horizon", horizon=4)
        stage.begin(by_mask(stage.truth))
        stage.play(4, lambda k: {1: stage.film.mask(k)})
        stage.objects.keep(frozenset())
        stage.begin(by_mask(stage.truth))
        before = stage.points
        stage.play(4, lambda k: {1: stage.film.mask(k)})
        assert stage.points == before
        stage.next()
        assert stage.points != before

    def test_reset_forgets_everything(self, make_stage):
        stage = make_stage()
        stage.begin(by_mask(stage.truth))
        stage.objects.reset()
        assert len(stage.points) == 0
        stage.next()
        assert stage.masker.added == []

    @pytest.mark.parametrize("variant", ["off", "horizon", "median_area", "similar_area", "similar_area_all"])
    def test_memory_is_bounded(self, make_stage, variant):
        stage = make_stage(film=Film(step=(0, 0)), reinitialise=variant, horizon=5)
        for object_id in (1, 2):
            stage.begin(by_mask(stage.truth), object_id)
        for _ in range(20):
            stage.next({1: stage.truth, 2: box(170, 90, 56, 56)})
            assert len(stage.points) == 2 * 9
            assert all(len(record.masks) <= 5 for record in stage.objects._objects.values())

    def test_no_masks_are_kept_of_frames_that_have_left_the_window(self, make_stage):
        stage = make_stage(length=4, reinitialise="median_area", horizon=8)
        stage.begin(by_mask(stage.truth))
        stage.play(6, lambda k: {1: stage.film.mask(k)})
        assert len(stage.objects._objects[1].masks) == 4


class TestCarryMask:
    @pytest.mark.parametrize("step", [(0, 0), (2, 0), (-1, 1)])
    @pytest.mark.parametrize("working_size", [432, 160])
    def test_follows_a_moving_square(self, make_stage, step, working_size):
        stage = make_stage(6, Film(step=step, at=(90, 50)), working_size=working_size)
        for back in range(6):
            carried = carry_mask(stage.film.mask(5 - back), stage.window, back)
            assert (carried.shape, carried.dtype) == (SIZE, np.bool_)
            assert jaccard(carried, stage.truth) > 0.8

    def test_goes_with_a_pan(self, make_stage):
        stage = make_stage(11, Pan((5, 3)))
        carried = carry_mask(box(60, 60, 40, 30), stage.window, 10)
        assert jaccard(carried, box(110, 90, 40, 30)) > 0.9

    def test_what_leaves_the_image_is_cut_off(self, make_stage):
        stage = make_stage(6, Film(step=(-5, 0), at=(5, 50)))
        carried = carry_mask(stage.film.mask(0), stage.window, 5)
        assert jaccard(carried, stage.truth) > 0.75
        assert stage.truth.sum() < 0.7 * SIDE**2

    def test_the_newest_frames_mask_is_as_it_was(self, make_stage):
        mask = np.random.default_rng(0).random(SIZE) > 0.5
        np.testing.assert_array_equal(carry_mask(mask, make_stage().window, 0), mask)

    @pytest.mark.parametrize("back", [3, 9, -1])
    def test_a_window_that_does_not_reach_back_that_far(self, make_stage, back):
        with pytest.raises(ValueError, match=f"back must be less than 3, but got {back}"):
            carry_mask(np.ones(SIZE, bool), make_stage(3).window, back)
