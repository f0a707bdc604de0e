"""The streaming predictor against `sam2`'s own, and what a stream needs besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from motionseg_ros.core.types import Frame, Prompts
from motionseg_ros.masks.sam2.memory import MemoryPolicy
from motionseg_ros.masks.sam2.predictor import StreamingPredictor

SIZE = (96, 120)  # of the frames


def points(*positions: tuple[float, float], off: tuple[tuple[float, float], ...] = ()) -> Prompts:
    """Clicks on an object and `off` it."""
    labels = [1] * len(positions) + [0] * len(off)
    return Prompts(np.array([*positions, *off], np.float32).reshape(-1, 2), np.array(labels, np.int8))


def box(*corners: float) -> Prompts:
    return Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), box=np.array(corners, np.float32))


def mask(top: int, bottom: int, left: int, right: int) -> Prompts:
    given = np.zeros(SIZE, bool)
    given[top:bottom, left:right] = True
    return Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), mask=given)


OFFICIAL = MemoryPolicy(selective=False)
THREE = {1: points((30, 40)), 2: box(20, 30, 80, 90), 3: mask(30, 70, 40, 90)}
# With random weights, answers for different objects differ by about this much.
TELLING = 3e-4

Script = Mapping[int, Mapping[int, Prompts]]
"""Frame to object id to prompts."""
Logits = list[dict[int, np.ndarray]]


def official(model, frames: list[np.ndarray], script: Script, folder: Path) -> Logits:
    """`sam2`'s predictor, with prompts in mid-stream: logits (H, W) per frame and object."""
    state = state_of(model, frames, folder)
    found: Logits = [{} for _ in frames]
    starts = sorted(script)
    for start, end in zip(starts, [*starts[1:], len(frames) - 1], strict=True):
        for object_id, prompts in script[start].items():
            if prompts.mask is not None:
                answer = model.add_new_mask(state, start, object_id, prompts.mask)
            else:
                clicks = {"points": prompts.points, "labels": prompts.labels.astype(np.int32)}
                clicks = clicks if len(prompts.points) else {}
                answer = model.add_new_points_or_box(state, start, object_id, box=prompts.box, **clicks)
            found[start] |= _by_id(*answer[1:])
        # Begun in the frame itself, it would track corrected objects once more and lose the correction.
        for index, *answer in model.propagate_in_video(state, start + 1, end - start - 1):
            found[index] |= _by_id(*answer)
    return found


def state_of(model, frames: list[np.ndarray], folder: Path) -> dict:
    """`sam2`'s state for a video that is at least as long as it takes object pointers into account."""
    padding = frames[-1:] * (model.max_obj_ptrs_in_encoder - len(frames))
    for index, frame in enumerate([*frames, *padding]):
        # sam2 goes by the ending, Pillow by the content.
        with open(folder / f"{index:05d}.jpg", "wb") as file:
            Image.fromarray(frame[..., ::-1]).save(file, "PNG")
    return model.init_state(str(folder))


def _by_id(ids: list[int], logits: torch.Tensor) -> dict[int, np.ndarray]:
    return {object_id: logits[row, 0].numpy().copy() for row, object_id in enumerate(ids)}


def streamed(predictor: StreamingPredictor, frames: list[np.ndarray], script: Script) -> Logits:
    found = []
    for index, frame in enumerate(frames):
        predictor.see(Frame(frame))
        predictor.track()
        for object_id, prompts in script.get(index, {}).items():
            predictor.prompt(object_id, prompts)
        found.append(
            {
                object_id: F.interpolate(one.logits[None, None], SIZE, mode="bilinear", align_corners=False)[
                    0, 0
                ].numpy()
                for object_id, one in predictor.predictions.items()
            }
        )
    return found


def largest_difference(one: Logits, other: Logits) -> float:
    """Over all frames and objects, which must be the same ones."""
    assert [sorted(frame) for frame in one] == [sorted(frame) for frame in other]
    return max(
        float(np.abs(a[object_id] - b[object_id]).max())
        for a, b in zip(one, other, strict=True)
        for object_id in a
    )


@pytest.fixture
def stream(model) -> Callable[..., StreamingPredictor]:
    return lambda policy=OFFICIAL, **options: StreamingPredictor(model, policy, **options)


class TestAsOfficial:
    def test_three_objects_through_24_frames(self, model, frames, stream, tmp_path):
        film = frames(24)
        expected = official(model, film, {0: THREE}, tmp_path)
        found = streamed(stream(), film, {0: THREE})
        assert largest_difference(found, expected) < 1e-5
        # The comparison means something: no two objects have the same answer.
        for one, other in ((1, 2), (1, 3), (2, 3)):
            assert np.abs(found[-1][one] - found[-1][other]).max() > TELLING

    def test_another_model(self, make_model, frames, tmp_path):
        """SAM 2.0 remembers hidden objects otherwise."""
        model = make_model(name="sam2_small")
        film = frames(5)
        expected = official(model, film, {0: THREE}, tmp_path)
        assert (
            largest_difference(streamed(StreamingPredictor(model, OFFICIAL), film, {0: THREE}), expected)
            < 1e-5
        )

    def test_hidden_objects(self, make_model, frames, tmp_path):
        """To this model no object is in sight: no mask, and memories of an absence."""
        model = make_model()
        with torch.no_grad():
            model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(-5.0)
            model.no_obj_embed_spatial.normal_()
        film = frames(5)
        found = streamed(StreamingPredictor(model, OFFICIAL), film, {0: THREE})
        assert largest_difference(found, official(model, film, {0: THREE}, tmp_path)) < 1e-5
        assert (found[4][1] == -1024).all()

    def test_an_object_that_is_added_in_mid_stream(self, model, frames, stream, tmp_path):
        film, script = frames(12), {0: {1: THREE[1]}, 5: {2: THREE[2]}, 9: {3: THREE[3]}}
        expected = official(model, film, script, tmp_path)
        found = streamed(stream(), film, script)
        # Official results of a later object for frames before it come from looking back; there are none here.
        assert [sorted(frame) for frame in found] == [sorted(frame) for frame in expected]
        assert largest_difference(found, expected) < 1e-5

    @pytest.mark.parametrize(
        "correction",
        [
            points((50, 60)),
            points((50, 60), (20, 20), off=((5, 5),)),
            box(10, 10, 60, 60),
            mask(10, 40, 10, 50),
        ],
        ids=["click", "clicks", "box", "mask"],
    )
    def test_a_correction(self, model, frames, stream, tmp_path, correction):
        film, script = frames(10), {0: {1: THREE[1]}, 4: {1: correction}}
        expected = official(model, film, script, tmp_path)
        found = streamed(stream(), film, script)
        assert largest_difference(found, expected) < 1e-5
        uncorrected = streamed(stream(), film, {0: {1: THREE[1]}})
        assert np.abs(found[-1][1] - uncorrected[-1][1]).max() > 1e-5

    def test_clicks_one_after_the_other(self, model, frames, stream, tmp_path):
        """The second click of a frame gets the mask of the first."""
        film = frames(3)
        both = np.array([[30, 40], [60, 60]], np.float32)
        state = state_of(model, film, tmp_path)
        for click in both:
            model.add_new_points_or_box(
                state, 0, 1, click[None], np.ones(1, np.int32), clear_old_points=False
            )
        expected = [
            {1: logits[0, 0].numpy().copy()} for _, _, logits in model.propagate_in_video(state, 0, 2)
        ]
        predictor = stream()
        predictor.see(Frame(film[0]))
        predictor.prompt(1, points(both[0]))
        predictor.prompt(1, points(*both))
        found = [predictor.predictions[1].logits]
        for frame in film[1:]:
            predictor.see(Frame(frame))
            predictor.track()
            found.append(predictor.predictions[1].logits)
        for one, other in zip(found, expected, strict=True):
            scaled = F.interpolate(one[None, None], SIZE, mode="bilinear", align_corners=False)[0, 0]
            np.testing.assert_allclose(scaled, other[1], atol=1e-5)


class TestStream:
    @pytest.fixture
    def passes(self, model):
        """How often the image encoder has run."""
        count = []
        hook = model.image_encoder.register_forward_hook(lambda *_: count.append(1))
        yield count
        hook.remove()

    def test_one_encoder_pass_per_frame_whatever_is_asked(self, frames, stream, passes):
        predictor = stream(MemoryPolicy())
        for index, frame in enumerate(frames(6)):
            predictor.see(Frame(frame))
            predictor.track({1: points((40, 40))} if index > 2 else None)
            predictor.probe(points((10, 10)))
            predictor.prompt(index + 1, points((30, 40)))
            predictor.prompt(1, THREE[2], afresh=index % 2 == 0)
            assert len(passes) == index + 1
        assert len(predictor.ids) == 6

    def test_others_do_not_notice_that_objects_come_and_go(self, frames, stream):
        film = frames(70)
        alone = stream(MemoryPolicy())
        company = stream(MemoryPolicy())
        for index, frame in enumerate(film):
            for predictor in (alone, company):
                predictor.see(Frame(frame))
                predictor.track()
                if index == 0:
                    for object_id in (1, 2):
                        predictor.prompt(object_id, THREE[object_id])
            if index == 40:
                company.prompt(3, THREE[3])
            if index == 60:
                company.remove(3)
            assert (3 in company.ids) == (40 <= index < 60)
            for object_id in (1, 2):
                torch.testing.assert_close(
                    company.predictions[object_id].logits,
                    alone.predictions[object_id].logits,
                    rtol=0,
                    atol=1e-5,
                )

    @pytest.mark.parametrize("policy", [OFFICIAL, MemoryPolicy(), MemoryPolicy(span=12, prompted=2)])
    def test_memories_are_bounded(self, frames, stream, policy):
        predictor = stream(policy)
        counts = []
        for index, frame in enumerate(frames(45)):
            predictor.see(Frame(frame))
            predictor.track()
            if index % 5 == 0:
                predictor.prompt(1, THREE[1], afresh=True)
            counts.append(predictor.num_memories)
        assert max(counts[30:]) <= policy.prompted + policy.reach
        assert max(counts[30:]) == max(counts[24:36])

    def test_a_probe_leaves_no_trace(self, frames, stream):
        film = frames(4)
        asked, plain = stream(), stream()
        for predictor in (asked, plain):
            for index, frame in enumerate(film):
                predictor.see(Frame(frame))
                predictor.track()
                if index == 0:
                    predictor.prompt(1, THREE[1])
                if predictor is asked:
                    predictor.probe(points((70, 20)))
        assert asked.ids == (1,)
        torch.testing.assert_close(asked.predictions[1].logits, plain.predictions[1].logits, rtol=0, atol=0)

    def test_a_probe_answers_as_a_new_object_would(self, frames, stream):
        predictor = stream()
        predictor.see(Frame(frames(1)[0]))
        probed = predictor.probe(points((70, 20)))
        added = predictor.prompt(1, points((70, 20)))
        torch.testing.assert_close(probed.logits, added.logits, rtol=0, atol=0)
        assert (probed.iou, probed.occlusion) == (added.iou, added.occlusion)

    def test_afresh_forgets_what_was_known(self, frames, stream):
        """The answer is that for a new object, and the frame becomes a prompted one."""
        film = frames(6)
        known, new = stream(), stream()
        for index, frame in enumerate(film):
            known.see(Frame(frame))
            known.track()
            if index == 0:
                known.prompt(1, THREE[2])
        new.see(Frame(film[-1]))
        corrected = known.prompt(1, THREE[1])
        afresh = known.prompt(1, THREE[1], afresh=True)
        expected = new.prompt(1, THREE[1])
        assert (corrected.logits - expected.logits).abs().max() > 1e-4
        # It follows a correction in the same frame, whose mask it refines.
        assert afresh.logits.shape == expected.logits.shape
        known.see(Frame(film[0]))
        known.track()
        known.prompt(1, THREE[1], afresh=True)
        new.see(Frame(film[0]))
        other = new.prompt(2, THREE[1])
        torch.testing.assert_close(known.predictions[1].logits, other.logits, rtol=0, atol=1e-6)

    def test_expected_places_guide_and_do_not_condition(self, frames, stream):
        film = frames(3)
        guided, plain = stream(), stream()
        for predictor in (guided, plain):
            predictor.see(Frame(film[0]))
            predictor.prompt(1, THREE[1])
            predictor.prompt(2, THREE[2])
            predictor.see(Frame(film[1]))
        guided.track({1: points((31, 42), (33, 45)), 9: points((1, 1))})
        plain.track()
        assert (guided.predictions[1].logits - plain.predictions[1].logits).abs().max() > 1e-4
        torch.testing.assert_close(
            guided.predictions[2].logits, plain.predictions[2].logits, rtol=0, atol=1e-6
        )
        assert guided.ids == (1, 2)
        records = guided._objects
        assert [list(records[i].bank.prompted) for i in (1, 2)] == [[0], [0]]

    def test_only_sure_pixels_are_remembered(self, frames, stream):
        """MoSAM's spatial selection changes what later frames attend to, and not the frame itself."""
        film = frames(4)
        answers = {}
        for confident in (0.0, 0.5, 0.9):
            predictor = stream(confident=confident)
            for index, frame in enumerate(film):
                predictor.see(Frame(frame))
                predictor.track()
                if index == 0:
                    predictor.prompt(1, THREE[1])
                answers[confident, index] = predictor.predictions[1].logits
        for index in (0, 1):
            assert torch.equal(answers[0.9, index], answers[0.0, index])
        assert (answers[0.9, 3] - answers[0.0, 3]).abs().max() > 1e-6

    def test_reset_begins_anew(self, frames, stream):
        film = frames(3)
        predictor = stream()
        first = streamed(predictor, film, {0: THREE})
        predictor.reset()
        assert predictor.ids == ()
        assert largest_difference(streamed(predictor, film, {0: THREE}), first) == 0

    def test_bfloat16_is_close(self, frames, stream):
        film = frames(3)
        exact = streamed(stream(), film, {0: THREE})
        half = streamed(stream(half=True), film, {0: THREE})
        assert 0 < largest_difference(half[1:], exact[1:]) < 0.1


class TestBadInput:
    @pytest.fixture
    def predictor(self, frames, stream):
        predictor = stream()
        predictor.see(Frame(frames(1)[0]))
        return predictor

    @pytest.mark.parametrize(
        ("prompts", "message"),
        [
            (points(), "a prompt must have a point, a box or a mask, but got none"),
            (points((30, 40), (120, 10)), r"points must lie in the image of 120x96, but got \(120, 10\)"),
            (points((-1, 5)), r"points must lie in the image of 120x96, but got \(-1, 5\)"),
            (points((float("nan"), 5)), r"points must lie in the image of 120x96, but got \(nan, 5\)"),
            (box(30, 30, 30, 50), r"box must have x0 < x1, y0 < y1 and lie in the image of 120x96"),
            (box(130, 30, 150, 50), r"box must have .* but got \[130.0, 30.0, 150.0, 50.0\]"),
            (mask(5, 5, 5, 5), "mask must have a pixel on the object, but it is empty"),
        ],
    )
    def test_prompts_that_say_nothing(self, predictor, prompts, message):
        with pytest.raises(ValueError, match=message):
            predictor.prompt(1, prompts)
        assert predictor.ids == ()

    def test_a_mask_of_another_size(self, predictor):
        prompts = Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), mask=np.ones((9, 9), bool))
        with pytest.raises(ValueError, match=r"mask must be \(96, 120\), but got \(9, 9\)"):
            predictor.prompt(1, prompts)

    @pytest.mark.parametrize("call", ["track", "prompt", "probe"])
    def test_before_the_first_frame(self, stream, call):
        arguments = {"track": (), "prompt": (1, THREE[1]), "probe": (THREE[1],)}[call]
        with pytest.raises(ValueError, match="there is no frame yet; call see first"):
            getattr(stream(), call)(*arguments)

    def test_removing_what_is_not_there(self, predictor):
        predictor.remove(77)
        assert predictor.ids == ()

    def test_out_of_memory_changes_nothing(self, model, frames, stream, monkeypatch):
        film = frames(4)
        steady, shaken = stream(), stream()
        for predictor in (steady, shaken):
            predictor.see(Frame(film[0]))
            predictor.prompt(1, THREE[1])
            for frame in film[1:3]:
                predictor.see(Frame(frame))
                predictor.track()
            predictor.see(Frame(film[3]))
        with monkeypatch.context() as patch:

            def fail(*_args, **_options):
                raise torch.OutOfMemoryError("CUDA out of memory")

            patch.setattr(model, "_encode_new_memory", fail)
            with pytest.raises(torch.OutOfMemoryError):
                shaken.track()
        for predictor in (steady, shaken):
            predictor.track()
        assert torch.equal(steady.predictions[1].logits, shaken.predictions[1].logits)
