"""The slots of the whole window against the library's own forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tapnet.torch.tapir_model import FeatureGrids

from motionseg_ros.core.types import Frame
from motionseg_ros.tracking.tapir.whole_window import WindowPool, extend

POINTS = np.array([[40.5, 60.5], [128.0, 30.0], [200.25, 180.75], [90.0, 220.0], [10.0, 10.0]], np.float32)
ALL = np.arange(len(POINTS))


def as_video(frames: list[np.ndarray]) -> torch.Tensor:
    """(1, T, H, W, 3) as the library wants it."""
    rgb = torch.from_numpy(np.stack(frames)[..., ::-1].copy())
    return (rgb.float() / 255 * 2 - 1)[None]


def as_queries(points: np.ndarray, born: np.ndarray | int) -> torch.Tensor:
    """(1, R, 3): t, y, x."""
    times = np.broadcast_to(np.asarray(born, np.float32), len(points))
    return torch.from_numpy(np.column_stack([times, points[:, ::-1]]).astype(np.float32))[None]


@torch.inference_mode()
def library(model, frames: list[np.ndarray], points: np.ndarray, born: np.ndarray | int) -> dict:
    """What the library says of points seeded in frames `born`, in all frames."""
    return model(as_video(frames), as_queries(points, born))


@pytest.fixture(scope="module")
def known(window_model, frames) -> FeatureGrids:
    """The library's features of five frames."""
    with torch.inference_mode():
        return window_model.get_feature_grids(as_video(frames(5)), is_training=False)


def part(grids: FeatureGrids, frames: slice) -> FeatureGrids:
    low, high = ([level[:, frames] for level in levels] for levels in (grids.lowres, grids.hires))
    return grids._replace(lowres=tuple(low), hires=tuple(high))


@torch.inference_mode()
def from_features(
    model,
    grids: FeatureGrids,
    points: np.ndarray,
    born: np.ndarray | int,
    drawn: np.ndarray | int | None,
    back: int = 0,
) -> dict:
    """As `library`, with features that are known, about the frames from `back` on.

    Args:
        born: the frames that the points are described in.
        drawn: the frames, counted from `back`, that trajectories are drawn through the points in; None for no frame.
    """
    video = torch.empty(1, grids.lowres[0].shape[1], 256, 256, 3, device="meta")
    found = model.estimate_trajectories(
        (256, 256),
        is_training=False,
        feature_grids=part(grids, slice(back, None)),
        query_features=model.get_query_features(video, False, as_queries(points, born), grids),
        query_points_in_video=None if drawn is None else as_queries(points, drawn),
        query_chunk_size=64,
    )
    last = model.num_pips_iter
    return {name: torch.stack(levels[last::last]).mean(0) for name, levels in found.items()}


def visible(occlusion: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(occlusion)) / (1 + np.exp(distance)) > 0.5


def assert_as(answers, expected) -> None:
    """Same positions and visibility."""
    tracks, occlusion, distance = (expected[k][0].numpy() for k in ("tracks", "occlusion", "expected_dist"))
    assert answers.positions.shape == tracks.shape
    np.testing.assert_allclose(answers.positions, tracks, atol=0.01)
    np.testing.assert_allclose(answers.occlusion, occlusion, atol=1e-3)
    np.testing.assert_allclose(answers.distance, distance, atol=1e-3)
    np.testing.assert_array_equal(visible(answers.occlusion, answers.distance), visible(occlusion, distance))


def test_as_the_librarys_forward(window_model, frames):
    film = frames(3)
    pool = WindowPool(window_model, len(POINTS), 3, chunk=2)
    pool.see(Frame(film[0]))
    pool.seed(ALL, POINTS)
    for frame in film[1:]:
        pool.see(Frame(frame))
    answers = pool.step(ALL)
    assert_as(answers, library(window_model, film, POINTS, 0))
    assert np.ptp(answers.positions, axis=1).max() > 0.1  # they do move


def test_seeded_in_any_frame_a_point_is_followed_forward_and_backward(window_model, frames, known):
    born = np.array([2, 0, 2, 1, 4])
    pool = WindowPool(window_model, len(POINTS), 5)
    for index, frame in enumerate(frames(5)):
        pool.see(Frame(frame))
        if (rows := np.flatnonzero(born == index)).size:
            answers = pool.seed(rows, POINTS[rows])
            assert answers.positions.shape == (len(rows), index + 1, 2)  # in the frames before, too
    expected = from_features(window_model, known, POINTS, born, born)
    assert_as(pool.step(ALL), expected)
    free = from_features(window_model, known, POINTS, born, None)
    gap = (expected["tracks"] - free["tracks"]).norm(dim=-1)[0]
    assert (gap[ALL, born] > 1).all()  # it shows that they are drawn through the points


def test_the_features_alone_tell_once_the_query_frame_has_left(window_model, frames, known):
    early, late = np.arange(4), np.array([4])
    pool = WindowPool(window_model, len(POINTS), 3)
    for index, frame in enumerate(frames(4)):
        pool.see(Frame(frame))
        if index == 0:
            pool.seed(early, POINTS[early])
        if index == 2:  # the window is full, its oldest frame the query frame
            pool.seed(late, POINTS[late])
            here = from_features(window_model, part(known, slice(0, 3)), POINTS[early], 0, 0)
            assert_as(pool.step(early), here)
    four = part(known, slice(0, 4))
    expected = from_features(window_model, four, POINTS[early], 0, None, back=1)
    assert_as(pool.step(early), expected)
    for frame in range(3):
        drawn = from_features(window_model, four, POINTS[early], 0, frame, back=1)
        gap = (expected["tracks"] - drawn["tracks"]).norm(dim=-1)[0]
        assert gap[:, frame].max() > 1  # it would show
    # The other one's is in the window still, a frame further on.
    assert_as(pool.step(late), from_features(window_model, four, POINTS[late], 2, 1, back=1))


def test_twice_the_resolution_refines_twice(window_model, frames):
    film = frames(1, (512, 512))
    pool = WindowPool(window_model, 2, 2, resolution=512)
    pool.see(Frame(film[0]))
    answers = pool.seed(np.arange(2), 2 * POINTS[:2])
    assert_as(answers, library(window_model, film, 2 * POINTS[:2], 0))
    assert len(pool._grids.resolutions) == 3


def test_one_pass_of_the_backbone_per_frame(window_model, frames):
    passes = []
    hook = window_model.resnet_torch.register_forward_hook(lambda _, given, __: passes.append(len(given[0])))
    try:
        pool = WindowPool(window_model, 5, 2)
        for index, frame in enumerate(frames(3)):
            pool.see(Frame(frame))
            pool.seed(np.array([index]), POINTS[index : index + 1])
            pool.seed(np.array([index + 2]), POINTS[:1])
            pool.step(np.arange(index + 1))
            assert passes == [1] * (index + 1)
    finally:
        hook.remove()


def test_a_slot_that_is_seeded_again_leaves_the_others_alone(window_model, frames):
    film = frames(2)
    steady, changed = WindowPool(window_model, 5, 2), WindowPool(window_model, 5, 2)
    for pool in (steady, changed):
        pool.see(Frame(film[0]))
        pool.seed(ALL, POINTS)
        for frame in film[1:]:
            pool.see(Frame(frame))
    changed.seed(np.array([2]), np.array([[150.0, 100.0]], np.float32))
    one, two = steady.step(ALL), changed.step(ALL)
    others = np.delete(ALL, 2)
    np.testing.assert_allclose(two.positions[others], one.positions[others], atol=1e-5 * 256)
    np.testing.assert_allclose(two.occlusion[others], one.occlusion[others], atol=1e-5)
    assert np.abs(two.positions[2] - one.positions[2]).max() > 1e-3


def test_torchs_generator_has_no_say_and_is_left_alone(window_model, frames):
    """The library shuffles the points."""
    pool = WindowPool(window_model, len(POINTS), 2, chunk=2)
    pool.see(Frame(frames(1)[0]))
    pool.seed(ALL, POINTS)
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        found.append(pool.step(ALL))
        assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(found[0].positions, found[1].positions)
    np.testing.assert_array_equal(found[0].occlusion, found[1].occlusion)


def test_features_in_half_precision_answers_in_single(window_model, frames):
    pool = WindowPool(window_model, 2, 2, half=True)
    pool.see(Frame(frames(1)[0]))
    answers = pool.seed(np.arange(2), POINTS[:2])
    assert {level.dtype for level in (*pool._grids.lowres, *pool._grids.hires)} == {torch.float32}
    for values in (answers.positions, answers.occlusion, answers.distance):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    exact = WindowPool(window_model, 2, 2)
    exact.see(Frame(frames(1)[0]))
    error = (pool._grids.lowres[0] - exact._grids.lowres[0]).abs().max()
    assert 0 < error < 0.05  # of vectors of length 1


def test_the_newest_grids_are_kept():
    def of(frame: int) -> FeatureGrids:
        low, fine, high = (torch.full((1, 1, side, side, 2), float(frame)) for side in (2, 4, 8))
        return FeatureGrids((low, low, fine), (high, high, fine), ((2, 2), (2, 2), (4, 4)))

    grids = None
    for frame in range(9):
        grids = extend(grids, of(frame), 3)
    for level, side in zip((*grids.lowres, *grids.hires), (2, 2, 4, 8, 8, 4), strict=True):
        assert level.shape == (1, 3, side, side, 2)
        assert level[0, :, 0, 0, 0].tolist() == [6, 7, 8]
        assert level.untyped_storage().nbytes() == 3 * side * side * 2 * 4  # and no more
    assert grids.lowres[0] is grids.lowres[1]
    assert grids.hires[0] is grids.hires[1]


def test_reset_forgets_the_frames(window_model, frames):
    pool = WindowPool(window_model, 2, 3)
    for frame in frames(2):
        pool.reset()
        with pytest.raises(ValueError, match="there is no frame yet; call see first"):
            pool.step(np.arange(2))
        pool.see(Frame(frame))
        answers = pool.seed(np.arange(2), POINTS[:2])
    assert_as(answers, library(window_model, frames(2)[1:], POINTS[:2], 0))


def test_what_it_does_not_take(model, window_model):
    with pytest.raises(ValueError, match="the model must not be causal"):
        WindowPool(model, 2, 4)
    with pytest.raises(ValueError, match="length must be at least 1, but got 0"):
        WindowPool(window_model, 2, 0)
