from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest

from motionseg_ros.core.types import Frame
from motionseg_ros.core.window import SlidingWindow
from motionseg_ros.tracking.query_points import QueryPoints

HEIGHT, WIDTH = 160, 240
MARGIN = 150
STILL = (0.0, 0.0)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise with structure at two scales, (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 1), np.float32)
    for sigma, weight in ((1.5, 50), (6.0, 50)):
        noise = rng.normal(0, 1, (height, width)).astype(np.float32)
        total += weight * sigma * cv2.GaussianBlur(noise, (0, 0), sigma)[..., None]
    return np.clip(128 + total, 0, 255).astype(np.uint8).repeat(3, axis=2)


WORLD = texture(HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
OTHER = texture(HEIGHT, WIDTH, seed=5)


def view(index: int, step: Sequence[float], cover: Callable[[np.ndarray], None] | None = None) -> np.ndarray:
    """The world after `index` frames in which it went by `step` px each."""
    matrix = np.float32([[1, 0, step[0] * index - MARGIN], [0, 1, step[1] * index - MARGIN]])
    image = cv2.warpAffine(WORLD, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    if cover is not None:
        cover(image)
    return image


def grid(x0: int = 70, y0: int = 50, columns: int = 9, rows: int = 5, spacing: int = 12) -> np.ndarray:
    """(K, 2) float32 positions, by default about the middle of the image."""
    x, y = x0 + spacing * np.arange(columns), y0 + spacing * np.arange(rows)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2).astype(np.float32)


class Player:
    """Query points and the window that they are followed in."""

    def __init__(self, length: int = 8, working_size: int = 432) -> None:
        self.window = SlidingWindow(length, working_size)
        self.points = QueryPoints(0.7)

    def play(self, images: Sequence[np.ndarray]) -> Player:
        for image in images:
            self.window.push(Frame(image))
            self.points.push(self.window)
        return self

    def at(self, ids: list[int]) -> tuple[np.ndarray, np.ndarray]:
        positions, visible = self.points.at(ids, self.window.newest)
        assert (positions.dtype, positions.shape) == (np.float32, (len(ids), 2))
        assert (visible.dtype, visible.shape) == (np.bool_, (len(ids),))
        return positions, visible

    def add(self, points: np.ndarray, back: int = 0) -> list[int]:
        return self.points.add(self.window, points, back)


STEPS = [STILL, (0.5, -0.25), (2.3, 1.1), (-7.0, 4.0)]


class TestFollowing:
    @pytest.mark.parametrize("step", STEPS)
    def test_the_texture_wherever_it_goes(self, step):
        frames, start = 6, grid()
        player = Player().play([view(0, step)])
        ids = player.add(start)
        player.play([view(k, step) for k in range(1, frames)])
        positions, visible = player.at(ids)
        assert visible.all()
        error = np.linalg.norm(positions - start - (frames - 1) * np.array(step), axis=1)
        assert error.max() < 0.3

    @pytest.mark.parametrize("back", [1, 4])
    @pytest.mark.parametrize("step", STEPS[1:])
    def test_from_an_earlier_frame_of_the_window(self, step, back):
        player, start = Player().play([view(k, step) for k in range(5)]), grid()
        positions, visible = player.at(player.add(start, back))
        assert visible.all()
        assert np.linalg.norm(positions - start - back * np.array(step), axis=1).max() < 0.3

    def test_from_the_newest_frame_they_are_where_they_were_put(self):
        player, start = Player().play([view(k, (3, 1)) for k in range(3)]), grid()
        positions, visible = player.at(player.add(start))
        assert visible.all()
        np.testing.assert_allclose(positions, start, atol=1e-4)

    @pytest.mark.parametrize("working_size", [120, 180])
    def test_positions_are_those_of_the_full_image(self, working_size):
        """Seen at half size they are half as exact, but not shifted."""
        step, start = (2.0, -1.0), grid()
        player = Player(working_size=working_size).play([view(k, step) for k in range(3)])
        ids = player.add(start, back=2)
        player.play([view(k, step) for k in range(3, 6)])
        positions, visible = player.at(ids)
        assert visible.mean() > 0.9
        error = (positions - start - 5 * np.array(step))[visible]
        scale = WIDTH / working_size
        assert np.median(np.linalg.norm(error, axis=1)) < 0.3 * scale
        assert np.abs(np.median(error, axis=0)).max() < 0.1 * scale

    @pytest.mark.parametrize("size", [(160, 240), (270, 480), (94, 310)])
    def test_points_on_the_border_lie_in_the_image(self, size):
        """Not outside by what converting to working pixels and back rounds, or no masker would take them."""
        height, width = size
        corners = np.float32([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
        for working_size in (96, 97, 150):
            player = Player(working_size=working_size).play([np.zeros((*size, 3), np.uint8)])
            positions, visible = player.at(player.add(corners))
            assert visible.all()
            assert (positions >= 0).all()
            assert (positions <= (width - 1, height - 1)).all()
            np.testing.assert_allclose(positions, corners, atol=1e-3)


class TestOcclusion:
    """A point that is lost stays lost: nothing would tell where it is again."""

    @staticmethod
    def hide(value: np.ndarray | int, part: tuple[slice, slice]) -> Callable[[np.ndarray], None]:
        def cover(image: np.ndarray) -> None:
            image[part] = value if isinstance(value, int) else value[part]

        return cover

    @pytest.mark.parametrize("cover", [OTHER, 90], ids=["texture", "plain"])
    @pytest.mark.parametrize("through_the_window", [False, True])
    def test_a_covered_point_becomes_occluded_and_stays_so(self, cover, through_the_window):
        part = np.s_[:, 40:140]
        start = grid(x0=50, columns=15)
        images = [view(0, STILL), view(0, STILL, self.hide(cover, part)), view(0, STILL), view(0, STILL)]
        player = Player().play(images if through_the_window else images[:1])
        ids = player.add(start, back=3 if through_the_window else 0)
        if not through_the_window:
            player.play(images[1:])
        positions, visible = player.at(ids)
        covered = (start[:, 0] > 46) & (start[:, 0] < 134)
        clear = start[:, 0] > 190  # beyond what the pyramid's coarse levels see of the cover
        assert visible[covered].mean() < 0.1
        assert visible[clear].all()
        np.testing.assert_allclose(positions[clear], start[clear], atol=0.3)

    def test_an_occluded_point_keeps_its_last_place(self):
        start = grid()
        player = Player().play([view(0, (4, 0))])
        ids = player.add(start)
        player.play([view(1, (4, 0)), view(2, (4, 0), self.hide(90, np.s_[:, :])), view(3, (4, 0))])
        positions, visible = player.at(ids)
        assert not visible.any()
        np.testing.assert_allclose(positions, start + np.float32([4, 0]), atol=0.3)

    @pytest.mark.parametrize("step", [(6.0, 0.0), (-6.0, 0.0), (0.0, 6.0), (0.0, -6.0)])
    def test_a_point_that_leaves_the_image_is_occluded_also_when_it_comes_back(self, step):
        start = grid(x0=10, y0=10, columns=19, rows=12)
        player = Player().play([view(0, step)])
        ids = player.add(start)
        there = [view(k, step) for k in range(1, 5)]
        player.play(there)
        end = start + 4 * np.float32(step)
        inside = ((end >= 4) & (end <= (WIDTH - 5, HEIGHT - 5))).all(1)
        outside = ((end < 0) | (end > (WIDTH - 1, HEIGHT - 1))).any(1)
        _, visible = player.at(ids)
        assert outside.any()
        assert not visible[outside].any()
        assert visible[inside].mean() > 0.95
        player.play([*there[-2::-1], view(0, step)])
        positions, visible = player.at(ids)
        assert not visible[outside].any()
        assert ((positions >= 0) & (positions <= (WIDTH - 1, HEIGHT - 1))).all()
        assert visible[inside].mean() > 0.95

    def test_what_never_had_texture_is_occluded(self):
        image = view(0, STILL)
        image[:, :120] = 90
        player = Player().play([image])
        ids = player.add(np.float32([[60, 80], [180, 80]]))
        assert player.at(ids)[1].tolist() == [True, True]
        player.play([image])
        assert player.at(ids)[1].tolist() == [False, True]


class TestLife:
    def test_ids_are_not_given_twice(self):
        player = Player().play([view(0, STILL)])
        first, second = player.add(grid()), player.add(grid()[:3])
        player.points.remove(second)
        assert not set(first) & set(second)
        assert not set(player.add(grid())) & {*first, *second}

    def test_a_removed_point_is_gone_and_the_others_go_on(self):
        step, start = (3.0, 1.0), grid()
        player = Player().play([view(0, step)])
        ids = player.add(start)
        player.points.remove(ids[::2])
        player.points.remove([ids[0], 10_000])  # unknown ones are no error
        player.play([view(1, step), view(2, step)])
        with pytest.raises(KeyError):
            player.at(ids[:1])
        positions, visible = player.at(ids[1::2])
        assert visible.all()
        np.testing.assert_allclose(positions, start[1::2] + np.float32([6, 2]), atol=0.3)

    def test_of_removed_points_nothing_is_kept(self):
        player = Player().play([view(0, STILL)])
        for _ in range(3):
            player.points.remove(player.add(grid()))
        kept = [value for value in vars(player.points).values() if isinstance(value, dict)]
        assert kept == [{}] * len(kept)

    def test_answers_come_in_the_order_asked_for(self):
        player, start = Player().play([view(0, STILL)]), grid()
        ids = player.add(start)
        order = np.random.default_rng(0).permutation(len(ids))
        positions, _ = player.at([ids[k] for k in order])
        np.testing.assert_allclose(positions, start[order], atol=1e-4)

    def test_reset_forgets_all_points(self):
        player = Player().play([view(0, STILL)])
        ids = player.add(grid())
        player.points.reset()
        with pytest.raises(KeyError):
            player.at(ids)
        player.play([view(1, STILL)])  # nothing to follow

    def test_no_points(self):
        player = Player()
        player.points.push(player.play([view(0, STILL)]).window)
        assert player.add(np.zeros((0, 2), np.float32)) == []
        player.play([view(1, STILL)])
        positions, visible = player.at([])
        assert (len(positions), len(visible)) == (0, 0)

    @pytest.mark.parametrize(("frames", "back"), [(1, 1), (3, 3), (3, 7), (6, 4), (2, -1)])
    def test_a_window_that_does_not_reach_back_that_far(self, frames, back):
        player = Player(length=4).play([view(k, STILL) for k in range(frames)])
        with pytest.raises(ValueError, match=f"back must be less than {min(frames, 4)}, but got {back}"):
            player.add(grid(), back)
        assert player.play([view(0, STILL)]).add(grid()) == list(range(45))
