"""Algorithm 1 of Segment Any Motion's supplement with mask models whose answers are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.config import PromptingConfig
from motionseg_ros.prompting.iterative import densest, dilate, group_by_prompting, object_points

SIZE = (240, 320)
PAPER = PromptingConfig()
EXACT = PromptingConfig(dilations=0)
"""Without the margin around a mask."""


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels from x0, y0 to x1, y1, the last ones included."""
    mask = np.zeros(SIZE, bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def cluster(x: float, y: float, n: int, spacing: float = 4) -> np.ndarray:
    """(n, 2): a row of points to the right of x, y."""
    return np.array([(x + spacing * k, y) for k in range(n)], np.float32)


def around(points: np.ndarray, margin: int = 2) -> np.ndarray:
    """Mask of the box that holds the points."""
    low, high = points.min(0).astype(int) - margin, points.max(0).astype(int) + margin
    return rectangle(*low.tolist(), *high.tolist())


class MaskModel:
    """Answers with the first of its masks that holds the click, else with `otherwise`; notes the clicks."""

    def __init__(self, *masks: np.ndarray, otherwise: np.ndarray | None = None) -> None:
        self.masks = masks
        self.otherwise = np.zeros(SIZE, bool) if otherwise is None else otherwise
        self.clicks: list[tuple[int, tuple[float, float]]] = []

    def __call__(self, frame: int, point: np.ndarray) -> np.ndarray:
        assert point.shape == (2,)
        assert point.dtype == np.float32
        x, y = point.tolist()
        self.clicks.append((frame, (x, y)))
        column, row = round(x), round(y)
        return next((mask for mask in self.masks if mask[row, column]), self.otherwise)

    @property
    def points(self) -> list[tuple[float, float]]:
        return [point for _, point in self.clicks]


def group(points: np.ndarray, model: MaskModel, config: PromptingConfig = PAPER, visible=None):
    """Groups of points (N, 2) of one frame, or (N, T, 2) of several."""
    points = points[:, None] if points.ndim == 2 else points
    visible = np.ones(points.shape[:2], bool) if visible is None else np.asarray(visible, bool)
    return group_by_prompting(points, visible, SIZE, model, config)


def members(groups) -> list[list[int]]:
    return [found.members.tolist() for found in groups]


def numbers(*counts: int) -> list[list[int]]:
    """``numbers(2, 3)`` -> [[0, 1], [2, 3, 4]]"""
    ends = np.cumsum(counts)
    return [list(range(end - count, end)) for count, end in zip(counts, ends, strict=True)]


class TestGroups:
    def test_each_mask_is_one(self):
        """The denser one first."""
        one, other = cluster(30, 40, 10, spacing=3), cluster(200, 150, 7)
        masks = [around(one), around(other)]
        found = group(np.concatenate([one, other]), MaskModel(*masks))
        assert members(found) == numbers(10, 7)
        for item, mask in zip(found, masks, strict=True):
            assert item.frame == 0
            assert item.members.dtype == np.int64
            np.testing.assert_array_equal(item.mask, mask)

    def test_near_ones_that_have_masks_of_their_own_are_two(self):
        """Nearness is not asked for."""
        points = cluster(30, 40, 16, spacing=5)
        masks = rectangle(20, 30, 67, 50), rectangle(68, 30, 120, 50)
        assert sorted(members(group(points, MaskModel(*masks), EXACT))) == numbers(8, 8)

    def test_far_ones_in_one_mask_are_one(self):
        points = np.concatenate([cluster(10, 10, 4), cluster(290, 220, 4)])
        assert members(group(points, MaskModel(np.ones(SIZE, bool)))) == numbers(8)

    def test_no_trajectory_is_in_two(self):
        """What a mask explains is gone when the next one covers it too."""
        points = cluster(30, 40, 20, spacing=6)
        left, both = around(points[:12]), around(points)
        answers = iter([left, both])
        found = group_by_prompting(
            points[:, None], np.ones((20, 1), bool), SIZE, lambda *_: next(answers), EXACT
        )
        assert members(found) == numbers(12, 8)

    @pytest.mark.parametrize("shape", [(0, 1, 2), (0, 5, 2)])
    def test_of_nothing_are_none(self, shape):
        model = MaskModel(np.ones(SIZE, bool))
        assert group_by_prompting(np.zeros(shape), np.zeros(shape[:2], bool), SIZE, model, PAPER) == []
        assert model.clicks == []

    def test_of_what_is_never_visible_are_none(self):
        model = MaskModel(np.ones(SIZE, bool))
        assert group(cluster(30, 40, 9), model, visible=np.zeros((9, 1))) == []
        assert model.clicks == []


class TestFrame:
    """Line 8: the frame with most visible points."""

    @staticmethod
    def clicked(*counts: int) -> int:
        """In which frame is clicked when so many of ten points are visible in each."""
        model = MaskModel(np.ones(SIZE, bool))
        visible = np.array([[k < count for count in counts] for k in range(10)])
        group(np.repeat(cluster(30, 40, 10)[:, None], len(counts), axis=1), model, visible=visible)
        return model.clicks[0][0]

    @pytest.mark.parametrize(
        ("counts", "frame"), [((6, 9, 7), 1), ((9, 6, 7), 0), ((6, 7, 9), 2), ((0, 0, 1), 2)]
    )
    def test_is_that_with_most_visible_points(self, counts, frame):
        assert self.clicked(*counts) == frame

    @pytest.mark.parametrize(("counts", "frame"), [((8, 8), 0), ((3, 8, 8), 1)])
    def test_is_the_first_of_equals(self, counts, frame):
        assert self.clicked(*counts) == frame

    def test_is_chosen_anew_for_what_is_left(self):
        """Eight are seen in frame 0 alone, seven others in frame 1, where the eight are drawn as well."""
        one, other = cluster(30, 40, 8), cluster(200, 150, 7)
        positions = np.repeat(np.concatenate([one, other])[:, None], 2, axis=1)
        visible = [(True, False)] * 8 + [(False, True)] * 7
        model = MaskModel(around(one), around(other))
        found = group(positions, model, visible=visible)
        assert [item.frame for item in found] == [0, 1]
        assert members(found) == numbers(8, 7)

    def test_places_in_it_count_and_no_others(self):
        """All are in the mask in frame 0, where few are visible, and none in frame 1."""
        mask = rectangle(20, 30, 80, 50)
        positions = np.stack([cluster(30, 40, 9), cluster(200, 150, 9)], axis=1)
        visible = [(k < 4, True) for k in range(9)]
        assert group(positions, MaskModel(otherwise=mask), visible=visible) == []

    def test_what_is_not_visible_in_it_is_neither_explained_nor_clicked(self):
        points = cluster(30, 40, 12)
        model = MaskModel(around(points))
        found = group(points, model, visible=[[k >= 5] for k in range(12)])
        assert members(found) == [list(range(5, 12))]
        assert model.points[0] in set(map(tuple, points[5:].tolist()))


class TestDensestPoint:
    """Line 10."""

    POINTS = np.concatenate([cluster(20, 100, 8, spacing=3), cluster(70, 100, 13, spacing=18)])

    def test_is_clicked_and_not_the_medoid(self):
        """Eight close together, and thirteen in a long row among which the medoid is."""
        total = np.linalg.norm(self.POINTS[:, None] - self.POINTS, axis=2).sum(1)
        assert total.argmin() >= 8
        model = MaskModel(np.ones(SIZE, bool))
        group(self.POINTS, model)
        assert model.points[0] in {tuple(self.POINTS[3].tolist()), tuple(self.POINTS[4].tolist())}

    def test_has_most_others_near_it(self):
        points = np.array([(0, 0), (10, 0), (11, 0), (12, 0), (50, 0), (90, 0)], float)
        assert densest(points, 5) == 2

    @pytest.mark.parametrize(("radius", "index"), [(2, 1), (60, 6)])
    def test_depends_on_how_far_near_is(self, radius, index):
        """Three close together; nine farther apart have their middle at 7, the three draw it left."""
        points = np.array([(0, 0), (1, 0), (2, 0), *((60 + 20 * k, 0) for k in range(9))], float)
        assert densest(points, radius) == index

    @pytest.mark.parametrize("points", [[(5, 5)], [(5, 5)] * 4, [(0, 0), (9, 0)]])
    def test_is_the_first_of_equals(self, points):
        assert densest(np.array(points, float), 3) == 0

    @pytest.mark.parametrize(("share", "clicked"), [(12 / 320, 20.5), (16 / 320, 152)])
    def test_near_is_a_share_of_the_longer_side(self, share, clicked):
        """Within 12 px a pile of three is the densest, within 16 px the middle of a row."""
        points = np.concatenate([cluster(20, 50, 3, spacing=0.5), cluster(100, 150, 9, spacing=13)])
        model = MaskModel(np.ones(SIZE, bool))
        group(points, model, PromptingConfig(density_radius=share))
        assert model.points[0][0] == clicked


class TestExplained:
    """Lines 15 to 21: what the dilated mask holds."""

    MASK = rectangle(100, 80, 160, 120)

    @classmethod
    def with_one_more(cls, x: float, y: float) -> list[list[int]]:
        """Groups of five points in the mask and one at x, y, of which six make an object."""
        points = np.concatenate([cluster(120, 100, 5), [(x, y)]])
        return members(group(points, MaskModel(cls.MASK), PromptingConfig(take_all=0)))

    @pytest.mark.parametrize(("x", "y"), [(169, 100), (94, 100), (130, 129), (130, 74), (169, 129), (94, 74)])
    def test_reaches_nine_pixels_right_and_down_and_six_left_and_up(self, x, y):
        """As three dilations with OpenCV's square of six do."""
        assert self.with_one_more(x, y) == numbers(5)

    @pytest.mark.parametrize(("x", "y"), [(170, 100), (93, 100), (130, 130), (130, 73)])
    def test_and_no_farther(self, x, y):
        assert self.with_one_more(x, y) == []

    def test_members_are_those_in_the_mask_itself(self):
        """The six in the margin are not, and they are not asked for again."""
        points = np.concatenate([cluster(120, 100, 8, spacing=2), cluster(110, 124, 6, spacing=8)])
        model = MaskModel(self.MASK)
        assert members(group(points, model)) == numbers(8)
        assert len(model.clicks) == 1

    @pytest.mark.parametrize(("config", "grown"), [({}, 76 * 56), ({"dilations": 1}, 66 * 46)])
    def test_grows_a_mask_by_the_square(self, config, grown):
        assert dilate(self.MASK, PromptingConfig(**config)).sum() == grown

    @pytest.mark.parametrize("config", [{"dilations": 0}, {"dilation": 0}, {"dilation": 1}])
    def test_can_be_the_mask_itself(self, config):
        np.testing.assert_array_equal(dilate(self.MASK, PromptingConfig(**config)), self.MASK)

    def test_does_not_change_the_mask(self):
        mask = self.MASK.copy()
        grown = dilate(mask, PAPER)
        assert grown.dtype == np.bool_
        assert (grown & self.MASK).sum() == self.MASK.sum()
        np.testing.assert_array_equal(mask, self.MASK)


class TestEnough:
    """Line 17: six explained ones, of which one lies in the mask itself."""

    ELSEWHERE = cluster(20, 200, 7, spacing=12)
    """So that the others are not all there are; each has a mask of no other."""

    @pytest.mark.parametrize(("count", "found"), [(5, []), (6, numbers(6)), (7, numbers(7))])
    def test_are_six_explained_ones(self, count, found):
        points = cluster(100, 50, count)
        model = MaskModel(around(points))
        assert members(group(np.concatenate([points, self.ELSEWHERE]), model)) == found

    @pytest.mark.parametrize("least", [1, 3, 7])
    def test_are_as_many_as_the_option_says(self, least):
        config = PromptingConfig(min_points=least, take_all=0)
        for count in (least - 1, least):
            points = np.concatenate([cluster(100, 50, count).reshape(-1, 2), self.ELSEWHERE])
            model = MaskModel(around(points[:count]) if count else np.zeros(SIZE, bool))
            assert members(group(points, model, config)) == (numbers(count) if count == least else [])

    def test_with_a_single_one_in_the_mask(self):
        points = np.concatenate([[(130, 100)], cluster(120, 105, 6)])
        assert members(group(points, MaskModel(otherwise=rectangle(125, 95, 135, 101)))) == [[0]]

    @pytest.mark.parametrize("count", [4, 12])
    def test_are_none_without_one_in_the_mask(self, count):
        """All lie in its margin, be they few or many."""
        points = cluster(100, 105, count)
        assert group(points, MaskModel(otherwise=rectangle(95, 95, 160, 100))) == []

    def test_too_few_are_explained_nevertheless(self):
        """A mask of three takes them out: what is left is clicked next."""
        few, many = cluster(100, 50, 3, spacing=1), cluster(150, 150, 9, spacing=17)
        model = MaskModel(around(few), around(many))
        assert members(group(np.concatenate([few, many]), model)) == [list(range(3, 12))]
        assert len(model.clicks) == 2


class TestTakeAll:
    """Lines 3 to 6 and 17."""

    @pytest.mark.parametrize("count", [1, 2, 5])
    def test_five_or_fewer_are_an_object(self, count):
        points = cluster(100, 50, count)
        assert members(group(points, MaskModel(around(points)))) == numbers(count)

    def test_of_five_those_in_the_mask_of_the_densest_are(self):
        """And with fewer than six left there is no second round."""
        points = np.concatenate([cluster(100, 50, 3), cluster(200, 150, 2)])
        model = MaskModel(around(points[:3]), around(points[3:]))
        assert members(group(points, model)) == numbers(3)
        assert len(model.clicks) == 1

    def test_five_of_six_are_none(self):
        points = np.concatenate([cluster(100, 50, 5), [(250, 200)]])
        assert group(points, MaskModel(around(points[:5]))) == []

    @pytest.mark.parametrize(("limit", "found"), [(2, []), (3, numbers(3))])
    def test_how_few_is_an_option(self, limit, found):
        points = cluster(100, 50, 3)
        assert members(group(points, MaskModel(around(points)), PromptingConfig(take_all=limit))) == found

    def test_is_decided_before_the_first_round(self):
        """Three of four are enough. A mask holds two of the three left: too few, though all are few now."""
        points = np.concatenate([cluster(100, 50, 4, spacing=1), cluster(200, 150, 2), [(20, 20)]])
        model = MaskModel(around(points[:4]), around(points[4:6]))
        config = PromptingConfig(min_points=3, take_all=5)
        assert members(group(points, model, config)) == numbers(4)
        assert len(model.clicks) == 2


class TestEnd:
    @pytest.mark.parametrize(("left", "clicks"), [(5, 1), (6, 2), (0, 1)])
    def test_fewer_than_six_are_left(self, left, clicks):
        """Line 24."""
        points = np.concatenate([cluster(100, 50, 8, spacing=2), cluster(200, 150, left).reshape(-1, 2)])
        model = MaskModel(around(points[:8]), around(points[8:]) if left else np.zeros(SIZE, bool))
        assert len(group(points, model)) == clicks
        assert len(model.clicks) == clicks

    @pytest.mark.parametrize("rounds", [1, 2, 3])
    def test_the_rounds_are_over(self, rounds):
        """Line 7; four objects are there."""
        rows = [cluster(20, y, 8) for y in (20, 80, 140, 200)]
        model = MaskModel(*map(around, rows))
        found = group(np.concatenate(rows), model, PromptingConfig(max_rounds=rounds))
        assert len(found) == rounds
        assert len(model.clicks) == rounds

    @pytest.mark.parametrize(("rounds", "clicks"), [(10, 10), (100, 15)])
    def test_masks_that_explain_nothing_do_not_go_on_for_ever(self, rounds, clicks):
        """Each time another one of the twenty is clicked, until five are left or the rounds are over."""
        model = MaskModel()
        assert group(cluster(20, 50, 20, spacing=10), model, PromptingConfig(max_rounds=rounds)) == []
        assert len(model.clicks) == clicks
        assert len(set(model.points)) == clicks

    def test_a_mask_that_explains_others_than_the_clicked_one(self):
        """They are an object; the clicked one is not asked for again."""
        dense, far = cluster(20, 50, 9, spacing=2), cluster(150, 150, 8, spacing=12)
        model = MaskModel(otherwise=around(far))
        assert members(group(np.concatenate([dense, far]), model)) == [list(range(9, 17))]
        assert (
            len(set(model.points)) == len(model.points) == 4
        )  # nine are left after the first, five after the last


class TestObjectPoints:
    """Section 3.3: the densest point and the two farthest ones."""

    def test_are_the_densest_and_the_two_farthest(self):
        points = np.concatenate([cluster(100, 100, 5, spacing=2), [(20, 100), (100, 200), (130, 100)]])
        found = object_points(points, 10)
        assert found.dtype == np.float32
        assert found.tolist() == [[104, 100], [100, 200], [20, 100]]

    def test_are_not_neighbours(self):
        """The farthest two lie side by side: the third is the one farthest from both others."""
        points = np.array([(100, 100), (101, 100), (102, 100), (200, 100), (200, 102), (60, 100)])
        assert object_points(points, 5).tolist() == [[101, 100], [200, 102], [60, 100]]

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_are_all_where_there_are_few(self, count):
        points = cluster(100, 100, count, spacing=20)
        assert sorted(object_points(points, 10).tolist()) == points.tolist()

    @pytest.mark.parametrize(
        ("points", "found"),
        [
            ([(7, 9)] * 6, [(7, 9)]),
            ([(7, 9)] * 4 + [(50, 9)] * 2, [(7, 9), (50, 9)]),
            ([(7, 9), (7, 9), (50, 9), (50, 60)], [(7, 9), (50, 60), (50, 9)]),
        ],
    )
    def test_are_never_on_top_of_each_other(self, points, found):
        assert object_points(np.array(points, np.float32), 10).tolist() == [list(p) for p in found]

    def test_are_of_the_points_that_were_given(self):
        points = np.random.default_rng(0).uniform(0, 300, (40, 2)).astype(np.float32)
        found = object_points(points, 16)
        assert found.shape == (3, 2)
        assert {tuple(p) for p in found.tolist()} <= {tuple(p) for p in points.tolist()}
        assert found[0].tolist() == points[densest(points, 16)].tolist()
