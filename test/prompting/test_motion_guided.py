from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from motionseg_ros.prompting.motion_guided import KeyPointHistory, extrapolate, key_points, warped_box

H, W = 80, 110


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """The pixels from x0, y0 to x1, y1, the last ones included."""
    mask = np.zeros((H, W), bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    return mask


def drawn(draw: Callable[[np.ndarray], object]) -> np.ndarray:
    canvas = np.zeros((H, W), np.uint8)
    draw(canvas)
    return canvas > 0


def disc(x: int, y: int, radius: int) -> np.ndarray:
    return drawn(lambda canvas: cv2.circle(canvas, (x, y), radius, 1, -1))


def polygon(*corners: tuple[int, int]) -> np.ndarray:
    return drawn(lambda canvas: cv2.fillPoly(canvas, [np.array(corners, np.int32)], 1))


SOLID = {
    "rectangle": rectangle(30, 20, 70, 40),
    "disc": disc(50, 40, 15),
    "triangle": polygon((30, 20), (70, 25), (45, 50)),
    "diamond": polygon((50, 25), (65, 40), (50, 55), (35, 40)),
    "body with an arm one pixel wide": rectangle(40, 20, 55, 50) | rectangle(25, 30, 39, 30),
}
HOLLOW = {
    "ring": disc(50, 40, 30) & ~disc(50, 40, 24),
    "ring one pixel wide": drawn(lambda canvas: cv2.circle(canvas, (50, 40), 20, 1, 1)),
    "crescent": disc(50, 40, 30) & ~disc(62, 40, 28),
    "horseshoe": rectangle(30, 20, 70, 60) & ~rectangle(36, 20, 64, 54),
    "two parts": rectangle(10, 10, 20, 20) | rectangle(80, 60, 95, 70),
}
THIN = {
    "one pixel": rectangle(17, 9, 17, 9),
    "a pixel in the corner": rectangle(W - 1, H - 1, W - 1, H - 1),
    "row": rectangle(20, 30, 60, 30),
    "column at the border": rectangle(0, 10, 0, 70),
    "slanted line": drawn(lambda canvas: cv2.line(canvas, (10, 10), (80, 60), 1)),
    "two by two": rectangle(40, 40, 41, 41),
}
ALL = SOLID | HOLLOW | THIN | {"all of the image": np.ones((H, W), bool)}


def each(shapes: dict[str, np.ndarray]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mask", shapes.values(), ids=shapes.keys())


def centroid(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean(), rows.mean()])


def moved(mask: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """The mask elsewhere; what leaves the image is lost."""
    rows, columns = np.nonzero(mask)
    rows, columns = rows + dy, columns + dx
    inside = (rows >= 0) & (rows < H) & (columns >= 0) & (columns < W)
    result = np.zeros((H, W), bool)
    result[rows[inside], columns[inside]] = True
    return result


def box_of(mask: np.ndarray) -> list[float]:
    """x0, y0, x1, y1: the sides of its outermost pixels."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def each_with(shapes: dict[str, np.ndarray], *steps: tuple[int, int]) -> pytest.MarkDecorator:
    """Every shape with every step that does not take it out of the image."""
    cases = [
        pytest.param(mask, step, id=f"{name} {step}")
        for name, mask in shapes.items()
        for step in steps
        if moved(mask, *step).sum() == mask.sum()
    ]
    return pytest.mark.parametrize(("mask", "step"), cases)


class TestKeyPoints:
    def test_the_centroid_and_half_way_up_down_left_and_right(self):
        np.testing.assert_array_equal(
            key_points(rectangle(30, 20, 70, 40)), [(50, 30), (50, 25), (50, 35), (40, 30), (60, 30)]
        )

    def test_half_way_of_each_direction_to_where_the_mask_is_left_first(self):
        """Arms of 8, 4, 6 and 2 px; farther pixels, beyond gaps, put the centroid where the arms meet."""
        cross = rectangle(20, 12, 20, 24) | rectangle(14, 20, 22, 20)
        for x, y in [(20, 32), (20, 34), (28, 20), (30, 20)]:
            cross[y, x] = True
        assert centroid(cross).tolist() == [20, 20]
        np.testing.assert_array_equal(key_points(cross), [(20, 20), (20, 16), (20, 22), (17, 20), (21, 20)])

    @pytest.mark.parametrize("reach", [1, 2, 3, 4, 5])
    def test_half_a_pixel_more_or_less_where_half_way_is_between_two(self, reach):
        points = key_points(rectangle(50 - reach, 40 - reach, 50 + reach, 40 + reach))
        half = reach / 2
        exact = [(50, 40), (50, 40 - half), (50, 40 + half), (50 - half, 40), (50 + half, 40)]
        np.testing.assert_allclose(points, exact, atol=0.5)

    @each(ALL)
    def test_all_five_are_on_the_mask(self, mask):
        points = key_points(mask)
        assert points.dtype == np.float32
        assert points.shape == (5, 2)
        np.testing.assert_array_equal(points, np.rint(points))
        x, y = points.astype(int).T
        assert ((x >= 0) & (x < W) & (y >= 0) & (y < H)).all()
        assert mask[y, x].all()

    @each(ALL)
    def test_the_first_is_the_pixel_of_the_mask_nearest_to_its_centroid(self, mask):
        rows, columns = np.nonzero(mask)
        nearest = np.hypot(columns - columns.mean(), rows - rows.mean()).min()
        found = np.linalg.norm(key_points(mask)[0] - centroid(mask))
        np.testing.assert_allclose(found, nearest, atol=1e-5)

    @each(HOLLOW)
    def test_hollow_masks_do_not_have_their_centroid(self, mask):
        """Or the tests above would show nothing of them."""
        x, y = np.rint(centroid(mask)).astype(int)
        assert not mask[y, x]

    @each(SOLID)
    def test_the_others_lie_up_down_left_and_right_of_it(self, mask):
        (x, y), up, down, left, right = key_points(mask).tolist()
        assert up[0] == down[0] == x
        assert left[1] == right[1] == y
        assert up[1] < y < down[1]
        assert left[0] < x < right[0]

    @each_with(ALL, (1, 0), (-7, 3), (4, -6))
    def test_go_with_the_mask(self, mask, step):
        np.testing.assert_array_equal(key_points(moved(mask, *step)), key_points(mask) + np.float32(step))

    def test_an_empty_mask_has_none(self):
        assert key_points(np.zeros((H, W), bool)) is None

    def test_the_mask_is_not_changed(self):
        mask = HOLLOW["crescent"].copy()
        key_points(mask)
        np.testing.assert_array_equal(mask, HOLLOW["crescent"])


class TestExtrapolate:
    @pytest.mark.parametrize("frames", [2, 3])
    @pytest.mark.parametrize("step", [(0, 0), (3, -2), (-0.5, 0.25)])
    def test_constant_motion_goes_on(self, frames, step):
        start = np.random.default_rng(0).uniform(0, 100, (5, 2)).astype(np.float32)
        path = start + np.arange(frames + 1, dtype=np.float32)[:, None, None] * np.float32(step)
        np.testing.assert_allclose(extrapolate(path[:-1]), path[-1], atol=1e-4)

    def test_each_point_has_its_own_motion(self):
        history = np.array([[(0, 0), (10, 10)], [(1, 0), (10, 8)]], np.float32)
        np.testing.assert_array_equal(extrapolate(history), [(2, 0), (10, 6)])

    def test_the_mean_step_counts_and_not_the_last_one(self):
        history = np.array([[(0, 0)], [(1, 9)], [(6, 4)]], np.float32)
        np.testing.assert_array_equal(extrapolate(history), [(9, 6)])


class TestKeyPointHistory:
    @staticmethod
    def play(*masks: np.ndarray) -> KeyPointHistory:
        history = KeyPointHistory()
        for mask in masks:
            history.add(mask)
        return history

    @pytest.mark.parametrize("frames", [2, 3, 4, 6])
    @pytest.mark.parametrize("step", [(3, -2), (-4, 1), (0, 0)])
    def test_points_of_a_steady_object_are_ahead_of_it(self, frames, step):
        masks = [moved(SOLID["triangle"], k * step[0], k * step[1]) for k in range(frames + 1)]
        np.testing.assert_array_equal(self.play(*masks[:-1]).ahead(), key_points(masks[-1]))

    def test_nothing_is_known_before_the_second_frame(self):
        assert KeyPointHistory().ahead() is None
        assert self.play(SOLID["disc"]).ahead() is None

    def test_only_the_last_three_frames_count(self):
        """It went to the left fast, then turned."""
        places = [90, 60, 30, 34, 38]
        history = self.play(*(disc(x, 40, 9) for x in places))
        np.testing.assert_array_equal(history.ahead(), key_points(disc(42, 40, 9)))

    def test_the_mean_of_two_steps_counts(self):
        """One of 2 and one of 10 px: 6 are expected next."""
        history = self.play(disc(20, 40, 9), disc(22, 40, 9), disc(32, 40, 9))
        np.testing.assert_array_equal(history.ahead(), key_points(disc(38, 40, 9)))

    def test_an_empty_mask_clears_them(self):
        history = self.play(disc(20, 40, 9), disc(25, 40, 9), np.zeros((H, W), bool))
        assert history.ahead() is None
        history.add(disc(60, 40, 9))
        assert history.ahead() is None, "frames that are not in succession"
        history.add(disc(62, 40, 9))
        np.testing.assert_array_equal(history.ahead(), key_points(disc(64, 40, 9)))


def flow(dx: float, dy: float) -> np.ndarray:
    return np.broadcast_to(np.float32([dx, dy]), (H, W, 2)).copy()


class TestWarpedBox:
    @each_with(ALL, (0, 0), (6, 0), (-5, 4), (2, -7))
    def test_follows_a_translated_mask_exactly(self, mask, step):
        box = warped_box(mask, flow(*step))
        assert box.dtype == np.float32
        assert box.tolist() == box_of(moved(mask, *step))

    @pytest.mark.parametrize("step", [(2.4, -3.4), (1.6, -2.6)])
    def test_moves_by_whole_pixels(self, step):
        assert warped_box(SOLID["rectangle"], flow(*step)).tolist() == [32, 17, 73, 38]

    def test_thin_parts_go_on_with_the_whole(self):
        """One pixel wide, they cannot be told from outliers by their own flow."""
        body, arm = rectangle(40, 20, 55, 50), rectangle(25, 30, 39, 30)
        motion = flow(3, 2)
        motion[arm] = (20, 25)
        assert warped_box(body | arm, motion).tolist() == box_of(moved(body | arm, 3, 2))

    def test_only_the_flow_on_the_mask_counts(self):
        mask = SOLID["disc"]
        motion = np.random.default_rng(0).uniform(-50, 50, (H, W, 2)).astype(np.float32)
        motion[mask] = (4, -3)
        assert warped_box(mask, motion).tolist() == box_of(moved(mask, 4, -3))

    def test_grows_with_a_mask_that_comes_near(self):
        """Flow away from (50, 30): 41x21 px become 51x26."""
        y, x = np.mgrid[:H, :W].astype(np.float32)
        motion = np.stack([x - 50, y - 30], axis=2) / 4
        box = warped_box(rectangle(30, 20, 70, 40), motion)
        np.testing.assert_allclose(box, [25, 17.5, 76, 43.5], atol=1)

    @pytest.mark.parametrize("far", [(40, 30), (-25, -18), (40, -18), (500, 0)])
    def test_single_outliers_do_not_make_it(self, far):
        mask, motion = rectangle(30, 20, 60, 45), flow(3, 2)
        for x, y in [(30, 20), (45, 33), (60, 45), (60, 20)]:
            motion[y, x] = far
        assert warped_box(mask, motion).tolist() == box_of(moved(mask, 3, 2))

    def test_an_outline_that_stays_behind_does_not_make_it(self):
        """Its pixels have the background's flow."""
        mask, motion = rectangle(30, 20, 60, 45), flow(14, 0)
        motion[:, 30] = 0
        np.testing.assert_allclose(warped_box(mask, motion), box_of(moved(mask, 14, 0)), atol=1)

    @pytest.mark.parametrize(
        ("step", "box"),
        [
            ((-40, 0), (0, 20, 31, 41)),
            ((60, 0), (90, 20, W, 41)),
            ((0, -30), (30, 0, 71, 11)),
            ((0, 50), (30, 70, 71, H)),
            ((60, 50), (90, 70, W, H)),
        ],
        ids=["left", "right", "above", "below", "corner"],
    )
    def test_what_leaves_the_image_is_cut_off(self, step, box):
        assert warped_box(SOLID["rectangle"], flow(*step)).tolist() == list(box)

    @each(SOLID)
    @pytest.mark.parametrize("step", [(-50, 0), (60, 0), (0, -35), (0, 45)])
    def test_is_that_of_what_is_left_in_the_image(self, mask, step):
        np.testing.assert_allclose(warped_box(mask, flow(*step)), box_of(moved(mask, *step)), atol=1)

    @pytest.mark.parametrize("step", [(-71, 0), (80, 0), (0, -41), (0, 60), (-100, 100)])
    def test_there_is_none_once_it_is_wholly_outside(self, step):
        assert warped_box(SOLID["rectangle"], flow(*step)) is None

    @pytest.mark.filterwarnings("error")
    def test_there_is_none_of_an_empty_mask(self):
        assert warped_box(np.zeros((H, W), bool), flow(1, 1)) is None
