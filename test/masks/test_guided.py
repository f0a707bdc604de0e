from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from motionseg_ros.core.background import BackgroundMotion
from motionseg_ros.core.config import MaskerConfig
from motionseg_ros.core.errors import PromptError
from motionseg_ros.core.evidence import MotionEvidence
from motionseg_ros.core.observe import touching
from motionseg_ros.core.types import Frame, Prompts
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.masks.guided import GuidedMasker, trajectory_field
from motionseg_ros.masks.smoothing import EdgeAwareSmoother


def prompts(film, number: int) -> Prompts:
    """Positive points on square `number` of the newest frame."""
    rows, columns = np.nonzero(film.labels(film.index) == number)
    points = np.array([[columns.mean(), rows.mean()]]) + np.array([[0, 0], [-8, -8], [8, 8], [-8, 8]])
    return Prompts(points.astype(np.float32), np.ones(4, np.int8))


def jaccard(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / max((found | truth).sum(), 1))


def shown(masker: GuidedMasker, film) -> dict[int, np.ndarray]:
    """The masks' logits (H, W) in the whole image, -1 where a mask says nothing."""
    masks = {}
    for object_id, mask in masker.masks().items():
        masks[object_id] = np.full(film.size, -1.0, np.float32)
        masks[object_id][mask.box] = mask.logits
    return masks


def push(masker: GuidedMasker, film, ids: dict[int, int] | None = None, still=frozenset()) -> None:
    """The next frame; the trajectories of square k carry object ids[k]."""
    window = film.next()
    ids = ids or {}
    owners = lambda owner: np.array([ids.get(int(k), 0) for k in owner])  # noqa: E731
    evidence = film.evidence(owners, still)
    masker.watch(window, evidence.background)
    masker.push(window, evidence)


class TestObjects:
    @pytest.mark.parametrize("step", [(6, 0), (-4, -2), (2, 6)])
    def test_a_prompted_mover_gets_a_mask_and_keeps_it(self, make_film, step):
        film, masker = make_film((80, 50, *step)), GuidedMasker(MaskerConfig())
        for k in range(12):
            push(masker, film, {1: 5} if k > 3 else None)
            if k == 3:
                masker.add(5, prompts(film, 1))
            if k < 3:
                assert masker.masks() == {}
            else:
                masks = shown(masker, film)
                assert set(masks) == {5}
                if k > 4:
                    assert jaccard(masks[5] > 0, film.labels(k) == 1) > 0.7

    def test_what_is_not_prompted_is_not_shown(self, make_film):
        film, masker = make_film((80, 50, 6, 0)), GuidedMasker(MaskerConfig())
        for _ in range(6):
            push(masker, film)
        assert masker.masks() == {}

    def test_two_movers_are_two_masks(self, make_film):
        film, masker = make_film((20, 50, 6, 0), (180, 80, -4, 1)), GuidedMasker(MaskerConfig())
        for k in range(9):
            push(masker, film, {1: 5, 2: 9} if k > 3 else None)
            if k == 3:
                masker.add(5, prompts(film, 1))
                masker.add(9, prompts(film, 2))
        masks, truth = shown(masker, film), film.labels(film.index)
        assert set(masks) == {5, 9}
        assert jaccard(masks[5] > 0, truth == 1) > 0.65
        assert jaccard(masks[9] > 0, truth == 2) > 0.65
        assert not ((masks[5] > 0) & (masks[9] > 0)).any()

    def test_a_removed_object_is_gone_and_can_come_again(self, make_film):
        film, masker = make_film((80, 50, 6, 0)), GuidedMasker(MaskerConfig())
        for _ in range(4):
            push(masker, film)
        masker.add(5, prompts(film, 1))
        masker.remove(5)
        assert masker.masks() == {}
        push(masker, film, {1: 5})
        assert masker.masks() == {}
        masker.add(6, prompts(film, 1))
        assert set(masker.masks()) == {6}
        masker.remove(77)  # unknown: nothing happens
        assert set(masker.masks()) == {6}

    def test_an_object_that_stops_keeps_its_mask_while_it_is_said_to_rest(self, make_film):
        film, masker = make_film((80, 50, 6, 0)), GuidedMasker(MaskerConfig())
        for k in range(8):
            push(masker, film, {1: 5} if k > 3 else None)
            if k == 3:
                masker.add(5, prompts(film, 1))
        square = film.squares[0]
        x, y = square.at[0] + 7 * square.step[0], square.at[1]
        square.step = film.pan  # now it goes with the background
        square.at = (x - 7 * film.pan[0], y - 7 * film.pan[1])
        for _ in range(6):
            push(masker, film, {1: 5}, still=frozenset({5}))
        assert jaccard(shown(masker, film)[5] > 0, film.labels(film.index) == 1) > 0.6

    def test_prompts_off_any_motion_show_nothing(self, make_film):
        film, masker = make_film((150, 80, 5, 0)), GuidedMasker(MaskerConfig())
        for _ in range(5):
            push(masker, film)
        masker.add(5, Prompts(np.float32([[20, 20], [25, 25], [30, 20]]), np.ones(3, np.int8)))
        mask = shown(masker, film).get(5, np.full(film.size, -1.0))
        assert (mask > 0).mean() < 0.01

    def test_negative_points_claim_nothing(self, make_film):
        film, masker = make_film((80, 50, 6, 0)), GuidedMasker(MaskerConfig())
        for _ in range(5):
            push(masker, film)
        masker.add(5, Prompts(prompts(film, 1).points, np.zeros(4, np.int8)))
        assert not any((mask > 0).any() for mask in shown(masker, film).values())

    def test_without_a_mover_a_prompt_does_not_flood_the_image(self, make_film):
        film, masker = make_film(), GuidedMasker(MaskerConfig())
        for k in range(8):
            push(masker, film)
            if k == 3:
                masker.add(5, Prompts(np.float32([[100, 80], [110, 80], [105, 90]]), np.ones(3, np.int8)))
        assert sum((mask > 0).mean() for mask in shown(masker, film).values()) < 0.01


class TestTouching:
    """Two movers whose masks are one region of the image."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ((40, 50, 2, 0), (98, 56, -2, 0)),
            ((40, 50, 2, 0), (70, 86, -2, 1)),
            # Over 4 frames dense flow loses what goes 16 px; the trajectories know better.
            ((40, 50, 4, 0), (80, 72, -2, 1)),
        ],
    )
    def test_each_keeps_its_own_pixels_while_they_meet(self, make_film, first, second):
        film = make_film(first, second, pan=(1, 0))
        masker, scores, met = GuidedMasker(MaskerConfig()), [], 0
        for k in range(12):
            push(masker, film, {1: 5, 2: 9} if k > 3 else None)
            if k == 3:
                masker.add(5, prompts(film, 1))
                masker.add(9, prompts(film, 2))
            if k > 4:
                masks, truth = shown(masker, film), film.labels(k)
                assert set(masks) == {5, 9}
                scores.append(min(jaccard(masks[5] > 0, truth == 1), jaccard(masks[9] > 0, truth == 2)))
                met += bool(touching(np.where(masks[5] > 0, 5, 9 * (masks[9] > 0))))
        assert met > 2
        assert min(scores) > 0.6

    def test_one_prompted_within_anothers_mask_takes_its_own_part(self, make_film):
        """A split: two movers that were one object, until the second is prompted."""
        film = make_film((60, 40, 3, 0), (60, 84, -1, 0), pan=(1, 0))
        masker = GuidedMasker(MaskerConfig())
        for k in range(7):
            push(masker, film, {1: 5, 2: 5} if k > 2 else None)
            if k == 2:
                masker.add(5, prompts(film, 1))
        masker.add(9, prompts(film, 2))
        for _ in range(2):
            push(masker, film, {1: 5, 2: 9})
        masks, truth = shown(masker, film), film.labels(film.index)
        assert jaccard(masks[5] > 0, truth == 1) > 0.6
        assert jaccard(masks[9] > 0, truth == 2) > 0.6


class TestUnclaimed:
    """What moves but has no object: the trajectories on one such region are of one object to be."""

    @staticmethod
    def centres(film) -> np.ndarray:
        labels = film.labels(film.index)
        return np.array([np.argwhere(labels == k).mean(0)[::-1] for k in range(1, labels.max() + 1)])

    def test_numbers_the_regions(self, make_film):
        film, masker = make_film((30, 30, 6, 0), (150, 90, -4, 1)), GuidedMasker(MaskerConfig())
        for _ in range(6):
            push(masker, film)
        first, second = masker.unclaimed(self.centres(film))
        assert 0 < first != second > 0
        assert masker.unclaimed(self.centres(film)[:1] + np.array([[8, 8]])) == first
        assert masker.unclaimed(np.array([[5.0, 150.0], [-9, 500]])).tolist() == [0, 0]

    def test_what_has_an_object_is_not_unclaimed(self, make_film):
        film, masker = make_film((30, 30, 6, 0), (150, 90, -4, 1)), GuidedMasker(MaskerConfig())
        for _ in range(6):
            push(masker, film)
        masker.add(5, prompts(film, 1))
        first, second = masker.unclaimed(self.centres(film))
        assert first == 0 < second
        masker.remove(5)
        assert masker.unclaimed(self.centres(film))[0] > 0

    def test_without_a_frame_or_positions(self, make_film):
        masker = GuidedMasker(MaskerConfig())
        assert masker.unclaimed(np.array([[5.0, 5.0]])).tolist() == [0]
        push(masker, make_film())
        found = masker.unclaimed(np.zeros((0, 2)))
        assert found.shape == (0,)
        assert found.dtype == np.int64


class TestMasks:
    def test_are_logits_of_the_full_image(self):
        """The working image is half as large here."""
        masker, window = GuidedMasker(MaskerConfig()), SlidingWindow(4, 64)
        image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
        for _ in range(3):
            window.push(Frame(image))
            masker.watch(window, nothing_known().background)
            masker.push(window, nothing_known())
        masker.add(5, Prompts(np.float32([[60, 50]]), np.ones(1, np.int8)))
        for mask in masker.masks().values():
            rows, columns = mask.box
            assert 0 <= rows.start < rows.stop <= 96
            assert 0 <= columns.start < columns.stop <= 128

    @pytest.mark.parametrize("working_size", [432, 150, 97])
    def test_fit_the_full_image(self, make_film, working_size):
        """Whatever the scale, the part of the image that a mask is about lies where the object is."""
        film, masker = make_film((80, 50, 6, 0)), GuidedMasker(MaskerConfig())
        film.window = SlidingWindow(film.window_length, working_size)
        for _ in range(4):
            push(masker, film)
        masker.add(5, prompts(film, 1))
        (mask,) = masker.masks().values()
        assert mask.logits.dtype == np.float32
        assert np.isfinite(mask.logits).all()
        truth = film.labels(film.index) == 1
        assert jaccard(shown(masker, film)[5] > 0, truth) > 0.6
        # Its outline lies inside its part, or a mask would be cut off straight.
        assert (mask.logits[[0, -1]] < 0).all()
        assert (mask.logits[:, [0, -1]] < 0).all()


class TestChosen:
    """By the user's mask, of what goes with the background."""

    @staticmethod
    def begin(make_film, frames: int = 4) -> tuple:
        film, masker = make_film((80, 50, 2, 1), pan=(2, 1)), GuidedMasker(MaskerConfig())
        for _ in range(frames):
            push(masker, film)
        return film, masker

    @staticmethod
    def by_mask(mask: np.ndarray) -> Prompts:
        return Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), mask=mask)

    def test_it_has_the_mask_at_once_and_keeps_it(self, make_film):
        film, masker = self.begin(make_film)
        masker.choose(5, self.by_mask(film.labels(film.index) == 1))
        for _ in range(12):
            masks = shown(masker, film)
            assert set(masks) == {5}
            assert jaccard(masks[5] > 0, film.labels(film.index) == 1) > 0.8
            push(masker, film)

    @pytest.mark.parametrize("forget", [lambda masker: masker.remove(5), lambda masker: masker.reset()])
    def test_a_removed_one_is_held_no_more(self, make_film, forget):
        film, masker = self.begin(make_film)
        masker.choose(5, self.by_mask(film.labels(film.index) == 1))
        push(masker, film)
        assert (masker.field()[film.labels(film.index) == 1] > 0).all()
        forget(masker)
        for _ in range(3):
            push(masker, film)
        assert masker.masks() == {}
        assert not (masker.field()[film.labels(film.index) == 1] > 0).any()

    def test_what_has_its_colours_is_not_taken_to_move(self, make_film):
        """Nothing says that it moves but the user, who means this one alone."""
        fields = []
        for choose in (False, True):
            film, masker = self.begin(make_film)
            x = film.squares[0].at[0] + film.index * film.pan[0]
            left_half = film.labels(film.index) == 1
            left_half[:, x + 22 :] = False
            if choose:
                masker.choose(5, self.by_mask(left_half))
            for _ in range(8):
                window, evidence = film.next(), film.evidence()
                evidence = replace(evidence, moving=np.full_like(evidence.moving, 0.45))  # hardly known
                masker.watch(window, evidence.background)
                masker.push(window, evidence)
            right_half = film.labels(film.index) == 1
            right_half[:, : x + 8 * film.pan[0] + 30] = False
            fields.append(masker.field()[right_half].mean())
        assert fields[1] <= fields[0]

    @pytest.mark.parametrize(
        ("prompts", "reason"),
        [
            (Prompts(np.float32([[90, 60]]), np.ones(1, np.int8)), "points alone are not enough"),
            (
                by_mask.__func__(np.eye(160, 240, dtype=bool) & (np.arange(240) == 80)),
                "fills no pixel of the working image",
            ),
        ],
    )
    def test_what_cannot_be_used_is_refused(self, make_film, prompts, reason):
        film, masker = make_film((80, 50, 2, 1)), GuidedMasker(MaskerConfig())
        film.window = SlidingWindow(film.window_length, 100)
        push(masker, film)
        with pytest.raises(PromptError, match=reason):
            masker.choose(5, prompts)
        assert masker.masks() == {}
        push(masker, film)
        assert masker.masks() == {}


class TestLife:
    def test_before_the_first_frame(self):
        masker = GuidedMasker(MaskerConfig())
        assert masker.masks() == {}
        masker.remove(3)
        with pytest.raises(ValueError, match="push one first"):
            masker.add(3, Prompts(np.zeros((1, 2), np.float32), np.ones(1, np.int8)))

    def test_push_needs_watch(self, make_film):
        film = make_film((80, 50, 6, 0))
        with pytest.raises(ValueError, match="call watch first"):
            GuidedMasker(MaskerConfig()).push(film.next(), film.evidence())

    def test_reset_makes_it_as_new(self, make_film):
        masker = GuidedMasker(MaskerConfig())
        answers = []
        for _ in range(2):
            film = make_film((80, 50, 6, 0))
            for k in range(8):
                push(masker, film, {1: 5} if k > 3 else None)
                if k == 3:
                    masker.add(5, prompts(film, 1))
            answers.append(shown(masker, film)[5])
            masker.reset()
            assert masker.masks() == {}
        np.testing.assert_array_equal(*answers)

    @pytest.mark.parametrize("size", [(1, 1), (1, 50), (8, 8), (16, 16), (12, 200)])
    def test_tiny_images(self, size):
        masker, window = GuidedMasker(MaskerConfig()), SlidingWindow(4, 432)
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        for k in range(4):
            window.push(Frame(image))
            masker.watch(window, nothing_known().background)
            masker.push(window, nothing_known())
            if k == 1:
                masker.add(5, Prompts(np.zeros((1, 2), np.float32), np.ones(1, np.int8)))
        for mask in masker.masks().values():
            assert mask.box[0].stop <= size[0]
            assert mask.box[1].stop <= size[1]


def nothing_known() -> MotionEvidence:
    return MotionEvidence(
        np.zeros((0, 2), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, bool),
        np.zeros(0, np.int64),
        BackgroundMotion({}, {}, 0.1),
    )


class TestTrajectoryField:
    @staticmethod
    def field(points, moving, lab=None) -> np.ndarray:
        lab = np.full((80, 120, 3), 120, np.uint8) if lab is None else lab
        points = np.asarray(points, np.int64).reshape(-1, 2)
        found = trajectory_field(
            points, np.asarray(moving, np.float32), EdgeAwareSmoother(lab, 6.0), (80, 120)
        )
        assert found.shape == (80, 120)
        return found

    def test_is_nothing_without_trajectories(self):
        np.testing.assert_allclose(self.field([], []), 0, atol=1e-6)

    def test_movers_pull_up_and_static_ones_down(self):
        found = self.field([(30, 40), (90, 40)], [0.95, 0.05])
        assert found[40, 30] > 0.5
        assert found[40, 90] < -0.5
        assert found[40, 35] > 0
        assert found[40, 85] < 0

    def test_fades_with_the_distance(self):
        found = self.field([(10, 40)], [0.95])[40]
        assert found[10] > found[40] > found[80] >= -1e-6
        assert found[115] < 0.2 * found[10]

    def test_one_half_says_nothing(self):
        np.testing.assert_allclose(self.field([(30, 40), (90, 40)], [0.5, 0.5]), 0, atol=1e-3)

    def test_stops_at_an_edge(self):
        lab = np.full((80, 120, 3), 60, np.uint8)
        lab[:, 60:] = 200
        points = [(55, y) for y in range(5, 80, 10)]
        found = self.field(points, [0.95] * len(points), lab)
        assert found[:, 50:60].min() > 0.3
        assert np.abs(found[:, 62:]).max() < 0.1

    @pytest.mark.parametrize("moving", [0.0, 1.0])
    def test_is_finite_for_certain_trajectories(self, moving):
        assert np.isfinite(self.field([(30, 40)], [moving])).all()
