from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from motionseg_ros.core.camera import CameraModel
from motionseg_ros.core.positions import LEAST_PIXELS, ObjectPositions, slope, surface_centre
from motionseg_ros.core.types import Frame, Instance, ObjectState
from motionseg_ros.synthesis import Renderer, get_scene
from motionseg_ros.synthesis.poses import inverse

SECOND = 1_000_000_000
CAMERA = CameraModel(np.array([[100.0, 0, 79.5], [0, 100, 59.5], [0, 0, 1]]), np.zeros(0), (120, 160))


def instance(mask: np.ndarray, object_id: int = 1) -> Instance:
    """With the pixels of an (H, W) bool mask."""
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    pixels = mask[y : y + height, x : x + width].copy()
    return Instance(object_id, ObjectState.MOVING, 1, 1, (x, y, width, height), pixels, (0, 0), 5, 0)


def square(x: int = 60, y: int = 40, side: int = 30) -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def frame(depth: np.ndarray | None, stamp: int = 0, camera: CameraModel | None = CAMERA) -> Frame:
    return Frame(np.zeros((120, 160, 3), np.uint8), stamp, depth=depth, camera=camera)


def flat(near: float, mask: np.ndarray, far: float = 6.0) -> np.ndarray:
    return np.where(mask, near, far).astype(np.float32)


class TestCentre:
    def test_of_a_flat_thing(self):
        mask = square()
        found = surface_centre(instance(mask), flat(2.0, mask), CAMERA)
        # The middle of columns 60..89 and rows 40..69.
        np.testing.assert_allclose(found, [2 * (74.5 - 79.5) / 100, 2 * (54.5 - 59.5) / 100, 2], atol=1e-6)

    def test_holes_do_not_matter(self):
        mask = square()
        depth = flat(2.0, mask)
        rng = np.random.default_rng(0)
        for value in (0, np.nan, np.inf):
            depth[rng.random(depth.shape) < 0.2] = value
        np.testing.assert_allclose(surface_centre(instance(mask), depth, CAMERA), [-0.1, -0.1, 2], atol=0.02)

    def test_flying_pixels_and_a_mask_that_is_too_large_do_not_matter(self):
        mask = square()
        depth = cv2.blur(flat(2.0, mask), (5, 5))  # between near and far at the edge
        wide = cv2.dilate(mask.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert surface_centre(instance(wide), depth, CAMERA)[2] == pytest.approx(2.0, abs=0.01)

    def test_a_thin_thing_is_all_edge(self):
        mask = np.zeros((120, 160), bool)
        mask[20:100, 80:82] = True
        assert surface_centre(instance(mask), flat(3.0, mask), CAMERA)[2] == pytest.approx(3.0)

    def test_what_is_seen_through_a_mask_is_left_out(self):
        mask = square()
        depth = flat(2.0, mask)
        depth[40:50, 60:90] = 6.0  # a third of it
        assert surface_centre(instance(mask), depth, CAMERA)[2] == pytest.approx(2.0)

    @pytest.mark.parametrize("value", [0, np.nan, np.inf])
    def test_too_little_is_known(self, value):
        mask = square()
        depth = np.full((120, 160), value, np.float32)
        assert surface_centre(instance(mask), depth, CAMERA) is None
        depth[50, 70 : 70 + LEAST_PIXELS - 1] = 2.0
        assert surface_centre(instance(mask), depth, CAMERA) is None


class TestVelocity:
    def test_of_a_line(self):
        path = [(i * SECOND // 10, np.array([0.1 * i, 1.0, 3 - 0.05 * i])) for i in range(6)]
        np.testing.assert_allclose(slope(path), [1.0, 0, -0.5], atol=1e-9)

    def test_stamps_of_today_are_precise_enough(self):
        path = [(1_790_000_000 * SECOND + i * SECOND // 10, np.array([0.1 * i, 0, 1])) for i in range(4)]
        np.testing.assert_allclose(slope(path), [1.0, 0, 0], atol=1e-6)

    @pytest.mark.parametrize("stamps", [[0], [0, SECOND], [0, 10**7, 2 * 10**7], [5, 5, 5]])
    def test_too_short_to_tell(self, stamps):
        assert slope([(stamp, np.zeros(3)) for stamp in stamps]) is None


class TestLocate:
    def run(self, speed: float = 0.5, count: int = 8, **options) -> list[Instance]:
        """A square that comes nearer by `speed` m/s at 10 Hz."""
        positions, found = ObjectPositions(), []
        for index in range(count):
            depth = flat(4 - 0.1 * speed * index, square())
            found += positions.locate([instance(square())], frame(depth, index * SECOND // 10, **options))
        return found

    def test_position_at_once_and_velocity_soon(self):
        found = self.run()
        assert [one.position[2] for one in found] == pytest.approx([4 - 0.05 * i for i in range(8)])
        assert [one.velocity is None for one in found] == [True, True, *[False] * 6]
        assert found[-1].velocity[2] == pytest.approx(-0.5)

    def test_the_old_is_forgotten(self):
        positions = ObjectPositions()
        for index in range(40):
            depth = flat(4.0 if index < 20 else 4 - 0.1 * (index - 20), square())
            (found,) = positions.locate([instance(square())], frame(depth, index * SECOND // 10))
        assert found.velocity[2] == pytest.approx(-1.0, abs=1e-6)
        assert len(positions._paths[1]) <= 7

    def test_objects_are_kept_apart_and_forgotten_when_they_are_gone(self):
        positions = ObjectPositions()
        left, right = square(20), square(100)
        for index in range(5):
            depth = np.where(left, 2.0 + 0.1 * index, np.where(right, 3.0, 6.0)).astype(np.float32)
            both = [instance(left, 1), instance(right, 2)]
            one, two = positions.locate(both, frame(depth, index * SECOND // 10))
        assert one.velocity[2] == pytest.approx(1.0)
        assert two.velocity[2] == pytest.approx(0.0)
        positions.locate([two], frame(depth, SECOND))
        assert set(positions._paths) == {2}

    def test_reset(self):
        positions = ObjectPositions()
        positions.locate([instance(square())], frame(flat(2.0, square())))
        positions.reset()
        assert not positions._paths

    @pytest.mark.parametrize(("depth", "camera"), [(None, CAMERA), (flat(2.0, square()), None), (None, None)])
    def test_without_depth_or_calibration_nothing_is_known(self, depth, camera):
        (found,) = ObjectPositions().locate([instance(square())], frame(depth, camera=camera))
        assert found.position is found.velocity is None

    def test_an_object_out_of_sight_has_no_position(self):
        hidden = Instance(1, ObjectState.OCCLUDED, 0, 0, (0, 0, 0, 0), np.zeros((0, 0), bool), (0, 0), 0, 0)
        (found,) = ObjectPositions().locate([hidden], frame(flat(2.0, square())))
        assert found.position is None


@pytest.fixture(scope="module")
def scene() -> SimpleNamespace:
    """A second of a rendered scene with two movers, as a depth camera sees it."""
    scene = get_scene("crossing", width=320, height=240)
    renderer = Renderer(scene)
    rng = np.random.default_rng(0)
    frames, truths = [], []
    camera = CameraModel(scene.camera.matrix, np.zeros(0), (240, 320))
    for index in range(20, 32):
        true = renderer.render(index)
        noisy = true.depth * (1 + 0.01 * rng.standard_normal(true.depth.shape)).astype(np.float32)
        edges = cv2.morphologyEx(true.labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        noisy[edges] = cv2.blur(np.minimum(noisy, 30), (3, 3))[edges]
        noisy[rng.random(noisy.shape) < 0.1] = 0
        frames.append(Frame(true.image, round(true.time * SECOND), depth=noisy, camera=camera))
        truths.append(true)
    return SimpleNamespace(scene=scene, frames=frames, truths=truths)


def test_of_a_rendered_scene(scene):
    """Position within 5 cm of the true visible surface's, velocity within 0.3 m/s of the object's."""
    positions = ObjectPositions()
    for frame_, truth in zip(scene.frames, scene.truths, strict=True):
        ids = [i for i in np.unique(truth.labels) if i and (truth.labels == i).sum() > 200]
        found = positions.locate([instance(truth.labels == i, int(i)) for i in ids], frame_)
    assert len(found) >= 2
    to_camera = inverse(truth.camera_to_world)
    for one in found:
        rows, columns = np.nonzero(truth.labels == one.id)
        depth = truth.depth[rows, columns].astype(np.float64)
        surface = scene.scene.camera.back_project(np.column_stack([columns, rows]), depth)
        assert np.linalg.norm(np.median(surface, axis=0) - one.position) < 0.05
        span = truth.time - scene.truths[-7].time  # that the velocity is taken over
        earlier = inverse(scene.truths[-7].camera_to_world)
        now = to_camera @ scene.scene.object_pose(one.id, truth.time)
        then = earlier @ scene.scene.object_pose(one.id, truth.time - span)
        true_velocity = (now - then)[:3, 3] / span
        assert np.linalg.norm(true_velocity - one.velocity) < 0.3
