from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.masks import ownership
from motionseg_ros.masks.ownership import AFFINE_COUNT, Anchors, share_out
from motionseg_ros.masks.smoothing import EdgeAwareSmoother

H, W = 60, 100
ALL, LEFT, RIGHT = np.s_[20:40, 20:80], np.s_[20:40, 20:50], np.s_[20:40, 50:80]


def within(*boxes: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    for box in boxes:
        mask[box] = True
    return mask


def anchors(*entries: tuple[int, int, int], motions=None) -> Anchors:
    """(x, y, id) of each; without motions they are unknown."""
    rows = np.array(entries, np.int64).reshape(-1, 3)
    motions = np.full((len(rows), 2), np.nan) if motions is None else np.array(motions, float)
    return Anchors(rows[:, :2], rows[:, 2], motions)


def share(
    foreground=None, carried=None, given=None, beside=None, looks=None, gap: int = 4, lab=None
) -> np.ndarray:
    """On a flat image: two objects that touch at x = 50 by default. `looks`: id -> log-likelihood (H, W)."""
    lab = np.full((H, W, 3), 120, np.uint8) if lab is None else lab
    looks = looks or {}
    labels = share_out(
        within(ALL) if foreground is None else foreground,
        np.zeros((H, W), np.int32) if carried is None else carried,
        anchors() if given is None else given,
        beside,
        gap,
        EdgeAwareSmoother(lab, 6.0),
        lambda object_id, box: looks.get(object_id, np.zeros((H, W), np.float32))[box],
    )
    assert labels.shape == (H, W)
    assert labels.dtype == np.int32
    return labels


def right(labels: np.ndarray, left: int = 3, other: int = 7) -> float:
    """Share of the pixels that are given to the object they belong to."""
    return float(((labels[LEFT] == left).mean() + (labels[RIGHT] == other).mean()) / 2)


CARRIED = 3 * within(LEFT).astype(np.int32) + 7 * within(RIGHT)
# Both objects' last masks are unknown in the middle and wrong by ten pixels.
SLIPPED = 3 * within(np.s_[20:40, 20:60]).astype(np.int32) + 7 * within(np.s_[20:40, 60:80])


class TestOneObject:
    def test_has_its_whole_region_and_no_other(self):
        foreground = within(LEFT, np.s_[50:58, 70:90])
        labels = share(foreground, given=anchors((30, 30, 5)))
        np.testing.assert_array_equal(labels, 5 * within(LEFT))

    def test_is_carried_on_without_trajectories(self):
        labels = share(carried=9 * within(np.s_[25:35, 30:40]).astype(np.int32))
        np.testing.assert_array_equal(labels, 9 * within(ALL))

    def test_off_the_foreground_it_has_nothing(self):
        assert not share(given=anchors((5, 5, 5))).any()
        assert not share(np.zeros((H, W), bool), CARRIED, anchors((30, 30, 3))).any()


class TestTouching:
    def test_masks_carried_on_keep_their_border(self):
        assert right(share(carried=CARRIED)) == 1.0

    def test_nothing_but_the_moving_pixels_is_given_away(self):
        labels = share(carried=CARRIED)
        np.testing.assert_array_equal(labels > 0, within(ALL))

    GRID = tuple((x, y, 3 if x < 50 else 7) for x in range(22, 80, 6) for y in (24, 30, 36))

    def test_anchors_alone_share_out_a_region_that_was_nobodys(self):
        assert right(share(given=anchors(*self.GRID))) > 0.95

    def test_anchors_pull_the_border_back(self):
        """Not by much: a trajectory counts as ten pixels of the mask carried on."""
        assert right(share(carried=SLIPPED, given=anchors(*self.GRID))) > right(share(carried=SLIPPED))

    def test_colours_pull_the_border_back(self):
        looks = {3: np.where(within(LEFT), 2.0, -4.0), 7: np.where(within(LEFT), -4.0, 2.0)}
        looks = {i: look.astype(np.float32) for i, look in looks.items()}
        assert right(share(carried=SLIPPED, looks=looks)) > 0.95

    def test_colours_that_say_the_same_of_both_change_nothing(self):
        same = np.random.default_rng(0).normal(0, 3, (H, W)).astype(np.float32)
        np.testing.assert_array_equal(
            share(carried=SLIPPED, looks={3: same, 7: same}), share(carried=SLIPPED)
        )

    def test_a_colour_edge_between_them_pulls_the_border_back(self):
        lab = np.full((H, W, 3), 60, np.uint8)
        lab[:, 50:] = 200
        given = anchors((30, 30, 3), (70, 30, 7))
        assert right(share(given=given, lab=lab)) == 1.0

    @pytest.mark.parametrize("gap", [1, 4])
    def test_flow_pulls_the_border_back(self, gap):
        """Two walkers of one colour who meet: each pixel goes on as its owner does."""
        beside = np.zeros((H, W, 2), np.float32)
        beside[LEFT], beside[RIGHT] = (4, 0), (-4, 0)
        given = anchors((30, 30, 3), (70, 30, 7), motions=[(4, 0), (-4, 0)])
        assert right(share(carried=SLIPPED, given=given, beside=beside, gap=gap)) > 0.98

    def test_objects_that_move_alike_are_not_told_apart_by_flow(self):
        beside = np.zeros((H, W, 2), np.float32)
        given = anchors((30, 30, 3), (70, 30, 7), motions=[(0, 0), (0, 0)])
        np.testing.assert_array_equal(
            share(carried=SLIPPED, given=given, beside=beside), share(carried=SLIPPED, given=given)
        )

    def test_an_object_that_turns_is_followed_by_its_own_field_of_motion(self, monkeypatch):
        """Its right end does not move as it does in the mean, but as its trajectories say of places there."""
        x = np.mgrid[0:H, 0:W][1]
        beside = np.zeros((H, W, 2), np.float32)
        beside[..., 1] = np.where(x < 50, 5 + 0.2 * (x - 35), 16)
        points = [(px, py, 3 if px < 50 else 7) for px in range(22, 80, 6) for py in (24, 36)]
        assert sum(object_id == 3 for _, _, object_id in points) >= AFFINE_COUNT
        given = anchors(*points, motions=[beside[py, px] for px, py, _ in points])
        slipped = 3 * within(np.s_[20:40, 20:38]).astype(np.int32) + 7 * within(np.s_[20:40, 38:80])
        affine = right(share(carried=slipped, given=given, beside=beside))
        assert affine > 0.95
        monkeypatch.setattr(ownership, "AFFINE_COUNT", 1000)
        assert right(share(carried=slipped, given=given, beside=beside)) < affine - 0.05

    def test_one_that_no_trajectory_carries_gives_way(self):
        """A mask left behind must not hold what a tracked object moves into."""
        middle = np.s_[20:40, 40:60]
        given = anchors(*((x, 30, 7) for x in range(52, 80, 6)))
        before = (share(carried=CARRIED)[middle] == 7).mean()
        assert (share(carried=CARRIED, given=given)[middle] == 7).mean() > before

    def test_three_objects(self):
        carried = CARRIED.copy()
        carried[20:40, 70:80] = 65534
        np.testing.assert_array_equal(share(carried=carried), carried)

    def test_regions_without_contest_are_not_touched(self):
        foreground = within(ALL, np.s_[50:58, 0:10])
        carried = CARRIED.copy()
        carried[52, 3] = 12
        labels = share(foreground, carried)
        assert (labels[50:58, 0:10] == 12).all()
        assert right(labels) == 1.0

    def test_at_the_image_border(self):
        foreground = np.ones((H, W), bool)
        labels = share(foreground, given=anchors((0, 0, 3), (W - 1, H - 1, 7)))
        assert (labels[0, 0], labels[-1, -1]) == (3, 7)
        assert labels.all()


class TestAnchors:
    def test_of_keeps_just_those(self):
        found = anchors((1, 2, 3), (4, 5, 7), (6, 7, 0), motions=[(1, 0), (2, 0), (3, 0)]).of([7, 9])
        assert found.points.tolist() == [[4, 5]]
        assert found.owners.tolist() == [7]
        assert found.motions.tolist() == [[2, 0]]

    def test_seeds_lie_at_x_and_y(self):
        seeds = anchors((1, 2, 3), (9, 0, 7)).seeds((4, 10))
        assert np.argwhere(seeds).tolist() == [[0, 9], [2, 1]]
        assert (seeds[0, 9], seeds[2, 1], seeds.dtype) == (7, 3, np.int32)
