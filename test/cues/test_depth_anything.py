from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")

import torch

from motionseg_ros.core.config import DepthConfig
from motionseg_ros.core.depth import BY_MODE, OWN
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.types import Frame
from motionseg_ros.cues.depth_anything import (
    DepthAnything,
    build_depth_anything,
    build_source,
    input_size,
)
from motionseg_ros.io.weights import find
from motionseg_ros.trajectories.inputs import check_depth


def whole(depth: DepthAnything, size: tuple[int, int]) -> np.ndarray:
    """All that it knows of the last key frame."""
    row, column = np.indices(size).reshape(2, -1)
    return depth.at(row, column).reshape(size)


@pytest.fixture(scope="module")
def model(library):
    """Depth Anything's architecture, small, with an answer that varies over the image."""
    torch.manual_seed(0)
    backbone = library.Dinov2Config(
        hidden_size=24,
        num_attention_heads=2,
        num_hidden_layers=4,
        image_size=28,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
    )
    config = library.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=24,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
        head_hidden_size=8,
    )
    model = library.DepthAnythingForDepthEstimation(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    model.head.conv3.bias.fill_(20.0)  # so that the last ReLU cuts nothing off
    return model


@pytest.fixture
def make_depth(model):
    """``make_depth(every=...)``: at a low resolution."""
    return lambda **options: DepthAnything(model, **{"resolution": 56, **options})


class TestEstimate:
    @pytest.mark.parametrize("size", [(48, 64), (57, 57), (300, 40), (14, 14)])
    def test_is_that_of_the_library(self, make_depth, model, make_image, size):
        """Its own image processor before, and its own way back to the image's size after."""
        image = make_image(*size)
        depth = make_depth()
        assert depth.push(Frame(image)) is True
        pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        height, width = input_size(size, 56)
        scaled = pil.fromarray(image[..., ::-1].copy()).resize((width, height), pil.Resampling.BICUBIC)
        pixels = (np.asarray(scaled) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        with torch.inference_mode():
            expected = model(torch.from_numpy(pixels).float().permute(2, 0, 1)[None]).predicted_depth[None]
            expected = torch.nn.functional.interpolate(expected, size, mode="bicubic")[0, 0].numpy()
        found = whole(depth, size)
        assert depth.span == (found.min(), found.max())
        assert found.dtype == np.float32
        assert found.std() > 0.01
        # Torch's filter differs from Pillow's in a level here and there.
        np.testing.assert_allclose(found, expected, atol=0.05 * np.ptp(expected))
        assert np.abs(found - expected).mean() < 0.005 * np.ptp(expected)

    def test_the_network_sees_whole_numbers_as_in_the_library(self, make_depth, model):
        """Of stripes: at hard edges the filter overshoots."""
        pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        image = np.zeros((24, 32, 3), np.uint8)
        image[:, np.arange(32) // 4 % 2 == 1] = 255
        seen = []
        hook = model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        make_depth().push(Frame(image))
        hook.remove()
        deviation, mean = np.array([[0.229, 0.224, 0.225], [0.485, 0.456, 0.406]])[..., None, None]
        levels = 255 * (seen[0][0].numpy() * deviation + mean)
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-3)
        expected = np.asarray(pil.fromarray(image).resize(levels.shape[:0:-1], pil.Resampling.BICUBIC))
        np.testing.assert_allclose(levels, expected.transpose(2, 0, 1), atol=1.01)

    def test_is_what_the_classifiers_take_when_normalised(self, make_depth, make_image):
        depth = make_depth()
        depth.push(Frame(make_image(48, 64)))
        for reading in (OWN, *BY_MODE.values()):
            check_depth(reading.scale(whole(depth, (48, 64)), *depth.span)[None], 1, (48, 64))

    def test_is_read_by_row_and_column(self, make_depth, make_image):
        depth = make_depth()
        depth.push(Frame(make_image(48, 64)))
        row, column = np.array([0, 47, 30]), np.array([63, 0, 20])
        assert np.array_equal(depth.at(row, column), whole(depth, (48, 64))[row, column])
        assert depth.at(np.zeros(0, np.int64), np.zeros(0, np.int64)).shape == (0,)

    def test_in_half_precision(self, make_depth, make_image):
        frame = Frame(make_image(48, 64))
        full, half = make_depth(), make_depth(half=True)
        full.push(frame)
        half.push(frame)
        expected, found = whole(full, frame.size), whole(half, frame.size)
        assert found.dtype == np.float32
        assert 0 < np.abs(expected - found).max() < 0.1 * np.abs(expected).max()

    def test_of_the_real_model(self, make_image):
        torch.manual_seed(0)
        depth = DepthAnything(build_depth_anything(None), resolution=70)
        depth.push(Frame(make_image(48, 64)))
        assert np.isfinite(whole(depth, (48, 64))).all()

    def test_out_of_memory(self, make_depth, model, make_image, monkeypatch):
        def fail(*_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB")

        monkeypatch.setattr(model, "forward", fail)
        with pytest.raises(
            ModelError, match=r"^cpu has not enough memory: choose a lower depth\.resolution$"
        ):
            make_depth().push(Frame(make_image(28, 28)))


class TestKeyFrames:
    @pytest.mark.parametrize(("every", "passes"), [(1, 7), (2, 4), (3, 3), (10, 1)])
    def test_only_they_are_seen_by_the_network(self, make_depth, model, make_image, every, passes):
        calls = []
        hook = model.register_forward_hook(lambda *_: calls.append(1))
        depth = make_depth(every=every)
        assert depth.span is None
        own, maps, spans = [], [], []
        for frame in range(7):
            own.append(depth.push(Frame(make_image(28, 42, seed=frame))))
            maps.append(whole(depth, (28, 42)))
            spans.append(depth.span)
        hook.remove()
        assert depth.passes == len(calls) == passes
        assert own == [frame % every == 0 for frame in range(7)]
        for frame in range(7):
            assert np.array_equal(maps[frame], maps[frame - frame % every])
            assert spans[frame] == spans[frame - frame % every]
        assert len(set(spans)) == passes

    def test_reset_makes_the_next_frame_one(self, make_depth, make_image):
        depth = make_depth(every=5)
        depth.push(Frame(make_image(28, 42)))
        depth.reset()
        assert depth.span is None
        assert depth.push(Frame(make_image(28, 42))) is True
        assert depth.passes == 2

    def test_so_does_another_size(self, make_depth, make_image):
        depth = make_depth(every=5)
        own = []
        for size in ((28, 42), (42, 28), (42, 28)):
            own.append(depth.push(Frame(make_image(*size))))
            assert np.isfinite(whole(depth, size)).all()
        assert own == [True, True, False]
        assert depth.passes == 2

    def test_frames_are_counted_from_the_last_one(self, make_depth, make_image):
        depth = make_depth(every=3)
        sizes = [(28, 42)] * 2 + [(42, 28)] * 5
        own = [depth.push(Frame(make_image(*size))) for size in sizes]
        assert own == [True, False, True, False, False, True, False]

    def test_a_measured_depth_is_not_used(self, make_depth, make_image):
        one, other = make_depth(), make_depth()
        image = make_image(28, 42)
        one.push(Frame(image))
        other.push(Frame(image, depth=np.ones((28, 42), np.float32)))
        assert np.array_equal(whole(one, (28, 42)), whole(other, (28, 42)))

    def test_one_that_fails_leaves_the_last_one(self, make_depth, model, make_image, monkeypatch):
        depth = make_depth()
        depth.push(Frame(make_image(28, 42)))
        before = whole(depth, (28, 42)), depth.span
        with monkeypatch.context() as patch:

            def fail(*_, **__):
                raise torch.OutOfMemoryError("CUDA out of memory")

            patch.setattr(model, "forward", fail)
            with pytest.raises(ModelError, match="not enough memory"):
                depth.push(Frame(make_image(28, 42, seed=1)))
        assert np.array_equal(whole(depth, (28, 42)), before[0])
        assert (depth.span, depth.passes) == (before[1], 1)


class TestInputSize:
    """The released configuration: 518x518, aspect kept, multiples of 14. Answers are those of the library."""

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            ((480, 854), (518, 924)),
            ((854, 480), (924, 518)),
            ((480, 640), (518, 686)),  # as in the authors' own check
            ((1080, 1920), (518, 924)),
            ((518, 518), (518, 518)),
            ((240, 320), (392, 518)),
            ((333, 217), (518, 336)),
            ((97, 101), (504, 518)),
            ((64, 900), (42, 518)),
            ((100, 300), (168, 518)),
            ((1, 1000), (14, 518)),
        ],
    )
    def test_of_the_release(self, size, expected):
        assert input_size(size, 518) == expected


class TestBuild:
    def test_the_released_file_has_as_many_weights(self):
        count = sum(p.numel() for p in build_depth_anything(None).parameters())
        assert 0 < find("depth_anything_v2_small").size - 4 * count < 40_000

    def test_weights_are_loaded(self, save_released):
        torch.manual_seed(1)
        released = build_depth_anything(None)
        loaded = build_depth_anything(save_released(released))
        assert not loaded.training
        assert not any(p.requires_grad for p in loaded.parameters())
        for name, tensor in released.state_dict().items():
            assert torch.equal(loaded.state_dict()[name], tensor), name

    def test_other_weights(self, save_released, library):
        backbone = library.Dinov2Model(library.Dinov2Config(hidden_size=384, num_attention_heads=6))
        with pytest.raises(ModelError, match=r"does not fit the model: \d+ missing: backbone\.") as caught:
            build_depth_anything(save_released(backbone))
        assert "\n" not in str(caught.value)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
    def test_device_that_is_absent(self):
        with pytest.raises(ModelError, match=r"device 'cuda' cannot be used .*; try 'cpu'"):
            build_depth_anything(None, device="cuda")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"every": 0}, "every must be at least 1, but got 0"),
            ({"resolution": 100}, "resolution must be a multiple of 14, but got 100"),
            ({"resolution": 0}, "resolution must be a multiple of 14, but got 0"),
        ],
    )
    def test_options(self, model, options, message):
        with pytest.raises(ValueError, match=message):
            DepthAnything(model, **options)

    def test_as_the_configuration_says(self, make_image):
        """With the default: one pass in four frames, in full precision on a CPU."""
        torch.manual_seed(0)
        config = DepthConfig(name="depth_anything", resolution=70, device="cpu")
        source = build_source(config, None)
        torch.manual_seed(0)
        plain = DepthAnything(build_depth_anything(None), every=4, resolution=70)
        frames = [Frame(make_image(48, 64, seed)) for seed in range(5)]
        assert [source.push(frame) for frame in frames] == [True, False, False, False, True]
        plain.push(frames[4])
        assert np.array_equal(whole(source, (48, 64)), whole(plain, (48, 64)))

    def test_precision_is_a_choice(self, make_image):
        frame, maps = Frame(make_image(48, 64)), []
        for precision in ("float32", "bfloat16"):
            torch.manual_seed(0)
            config = DepthConfig(name="depth_anything", resolution=70, device="cpu", precision=precision)
            source = build_source(config, None)
            source.push(frame)
            maps.append(whole(source, frame.size))
        assert not np.array_equal(*maps)
