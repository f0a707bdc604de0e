"""The slots against the library's own online loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionseg_ros.core.types import Frame
from motionseg_ros.tracking.tapir.slots import SlotPool

POINTS = np.array([[40.5, 60.5], [128.0, 30.0], [200.25, 180.75], [90.0, 220.0], [10.0, 10.0]], np.float32)
ALL = np.arange(len(POINTS))


@torch.inference_mode()
def library(model, frames: list[np.ndarray], points: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions and visibility per frame by the loop of the library's live demo, points seeded in the first frame."""
    videos = []
    for frame in frames:
        rgb = torch.from_numpy(np.ascontiguousarray(frame[..., ::-1]))
        videos.append((rgb.float() / 255 * 2 - 1)[None, None])
    queries = torch.from_numpy(np.concatenate([np.zeros_like(points[:, :1]), points[:, ::-1]], axis=1))[None]
    features = model.get_query_features(videos[0], is_training=False, query_points=queries)
    context = model.construct_initial_causal_state(len(points), len(features.resolutions) - 1)
    found = []
    for video in videos:
        answer = model.estimate_trajectories(
            video.shape[-3:-1],
            is_training=False,
            feature_grids=model.get_feature_grids(video, is_training=False),
            query_features=features,
            query_points_in_video=None,
            query_chunk_size=64,
            causal_context=context,
            get_causal_context=True,
        )
        context = answer["causal_context"]
        occlusion, distance = answer["occlusion"][-1][0, :, 0], answer["expected_dist"][-1][0, :, 0]
        visible = (1 - occlusion.sigmoid()) * (1 - distance.sigmoid()) > 0.5
        found.append((answer["tracks"][-1][0, :, 0].numpy(), visible.numpy()))
    return found


def visible(answers) -> np.ndarray:
    return 1 / (1 + np.exp(answers.occlusion)) / (1 + np.exp(answers.distance)) > 0.5


def test_as_the_librarys_online_loop(model, frames):
    film = frames(6)
    expected = library(model, film, POINTS)
    pool = SlotPool(model, len(POINTS), chunk=64)
    for index, frame in enumerate(film):
        pool.see(Frame(frame))
        answers = pool.seed(ALL, POINTS) if index == 0 else pool.step(ALL)
        np.testing.assert_allclose(answers.positions, expected[index][0], atol=0.01)
        np.testing.assert_array_equal(visible(answers), expected[index][1])
    assert np.ptp([positions for positions, _ in expected], axis=0).max() > 0.1  # they do move


@pytest.mark.parametrize("reseeded", [1, 4])
def test_a_slot_that_is_seeded_again_leaves_the_others_alone(model, frames, reseeded):
    film = frames(8)
    steady, changed = SlotPool(model, 5), SlotPool(model, 5)
    others = np.delete(ALL, reseeded)
    for index, frame in enumerate(film):
        for pool in (steady, changed):
            pool.see(Frame(frame))
        one = steady.seed(ALL, POINTS) if index == 0 else steady.step(ALL)
        two = changed.seed(ALL, POINTS) if index == 0 else changed.step(ALL)
        if index == 4:
            changed.seed(np.array([reseeded]), np.array([[150.0, 100.0]], np.float32))
        np.testing.assert_allclose(two.positions[others], one.positions[others], atol=1e-5 * 256)
        np.testing.assert_allclose(two.occlusion[others], one.occlusion[others], atol=1e-5)
    assert np.abs(two.positions[reseeded] - one.positions[reseeded]).max() > 1e-3


def test_a_slot_that_is_seeded_late_is_like_a_first_one(model, frames):
    """Nothing of the point that had the slot before is left."""
    film = frames(5)
    used, fresh = SlotPool(model, 3), SlotPool(model, 3)
    for index, frame in enumerate(film[:3]):
        used.see(Frame(frame))
        used.seed(np.arange(3), POINTS[:3]) if index == 0 else used.step(np.arange(3))
    row = np.array([1])
    for index, frame in enumerate(film[3:]):
        answers = []
        for pool in (used, fresh):
            pool.see(Frame(frame))
            answers.append(pool.seed(row, POINTS[3:4]) if index == 0 else pool.step(row))
        np.testing.assert_allclose(answers[0].positions, answers[1].positions, atol=1e-3)
        np.testing.assert_allclose(answers[0].occlusion, answers[1].occlusion, atol=1e-5)


def test_one_pass_of_the_backbone_per_frame(model, frames):
    passes = []
    hook = model.resnet_torch.register_forward_hook(lambda *_: passes.append(1))
    try:
        pool = SlotPool(model, 5)
        for index, frame in enumerate(frames(3)):
            pool.see(Frame(frame))
            pool.seed(np.array([index]), POINTS[index : index + 1])
            pool.seed(np.array([index + 2]), POINTS[:1])
            pool.step(np.arange(index + 1))
            assert len(passes) == index + 1
    finally:
        hook.remove()


def test_twice_the_resolution_refines_twice(model, frames):
    pool = SlotPool(model, 2, resolution=512)
    film = frames(2, (512, 512))
    pool.see(Frame(film[0]))
    pool.seed(np.arange(2), 2 * POINTS[:2])
    pool.see(Frame(film[1]))
    answers = pool.step(np.arange(2))
    assert np.isfinite(answers.positions).all()
    assert len(pool._memory) == 2 * model.num_pips_iter


def test_before_the_first_frame(model):
    with pytest.raises(ValueError, match="there is no frame yet; call see first"):
        SlotPool(model, 2).step(np.arange(2))
