"""Trajectories made from formulas, and small rendered scenes (rendered once for all tests of the folder)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from motionseg_ros.core.types import Frame, FrameResult, Instance, ObjectState, Tracks
from motionseg_ros.synthesis import RenderedFrame, Renderer, get_scene


@pytest.fixture
def make_tracks() -> Callable[..., Tracks]:
    """``make_tracks(positions (N, T, 2), visible=, ids=)``: everything seen with full confidence otherwise."""

    def make(
        positions: np.ndarray, visible: np.ndarray | None = None, ids: np.ndarray | None = None
    ) -> Tracks:
        n, t = positions.shape[:2]
        visible = np.ones((n, t), bool) if visible is None else visible
        return Tracks(
            positions.astype(np.float32),
            visible,
            visible.astype(np.float32),
            visible.astype(np.float32),
            visible.argmax(1).astype(np.int64) if t else np.zeros(n, np.int64),
            np.arange(n, dtype=np.int64) if ids is None else ids,
        )

    return make


@pytest.fixture(scope="session")
def rendered() -> Callable[..., tuple[RenderedFrame, ...]]:
    """``rendered(name, first, last)``: frames of a scene of the library at 320x240, `last` not included."""

    @cache
    def renderer(name: str) -> Renderer:
        return Renderer(get_scene(name, width=320, height=240))

    @cache
    def render(name: str, first: int, last: int) -> tuple[RenderedFrame, ...]:
        return tuple(renderer(name).render(index) for index in range(first, last))

    return render


@pytest.fixture(scope="session")
def check() -> Callable[[FrameResult, Frame], None]:
    """``check(result, frame)`` asserts what every result must keep to."""
    return check_result


def check_result(result: FrameResult, frame: Frame) -> None:
    """What every result must keep to."""
    assert (result.index, result.stamp, result.frame_id) == (frame.index, frame.stamp, frame.frame_id)
    assert result.size == frame.size
    ids = [instance.id for instance in result.instances]
    assert ids == sorted(set(ids))
    painted = set(np.unique(result.labels).tolist()) - {0}
    assert painted == {i.id for i in result.instances if i.area}, (
        "labels and instances name different objects"
    )
    for instance in result.instances:
        check_instance(instance, result)


def check_instance(instance: Instance, result: FrameResult) -> None:
    x, y, width, height = instance.roi
    assert (x, y) >= (0, 0)
    assert x + width <= result.size[1]
    assert y + height <= result.size[0]
    assert 0 <= instance.motion_score <= 1
    assert 0 <= instance.mask_score <= 1
    assert np.isfinite(instance.velocity_px).all()
    assert instance.first_seen <= result.stamp
    assert (instance.state is ObjectState.OCCLUDED) == (instance.area == 0)
    mine = result.labels == instance.id
    np.testing.assert_array_equal(mine[y : y + height, x : x + width], instance.mask)
    assert mine.sum() == instance.area
    if instance.area:
        assert instance.mask.any(0)[[0, -1]].all()
        assert instance.mask.any(1)[[0, -1]].all()
