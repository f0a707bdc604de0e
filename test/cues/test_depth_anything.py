from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")

import torch

from motionseg_ros.core.errors import ModelError
from motionseg_ros.cues.depth import normalise_depth
from motionseg_ros.cues.depth_anything import DepthAnything, build_depth_anything, input_size
from motionseg_ros.io.weights import find
from motionseg_ros.trajectories.inputs import check_depth


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
        depth.push(image)
        pil = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
        height, width = input_size(size, 56)
        scaled = pil.fromarray(image[..., ::-1].copy()).resize((width, height), pil.Resampling.BICUBIC)
        pixels = (np.asarray(scaled) / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
        with torch.inference_mode():
            expected = model(torch.from_numpy(pixels).float().permute(2, 0, 1)[None]).predicted_depth[None]
            expected = torch.nn.functional.interpolate(expected, size, mode="bicubic")[0, 0].numpy()
        found = depth.depth()
        assert found.shape == size
        assert found.dtype == np.float32
        assert found.std() > 0.01
        # Torch's filter differs from Pillow's in a level here and there.
        np.testing.assert_allclose(found, expected, atol=0.05 * np.ptp(expected))
        assert np.abs(found - expected).mean() < 0.005 * np.ptp(expected)

    def test_is_what_the_classifiers_take_when_normalised(self, make_depth, make_image):
        depth = make_depth()
        depth.push(make_image(48, 64))
        for mode in ("fixed", "reference"):
            check_depth(normalise_depth(depth.depth(), mode)[None], 1, (48, 64))

    def test_in_half_precision(self, make_depth, make_image):
        image = make_image(48, 64)
        full, half = make_depth(), make_depth(half=True)
        full.push(image)
        half.push(image)
        assert half.depth().dtype == np.float32
        assert 0 < np.abs(full.depth() - half.depth()).max() < 0.1 * np.abs(full.depth()).max()

    def test_of_the_real_model(self, make_image):
        torch.manual_seed(0)
        depth = DepthAnything(build_depth_anything(None), resolution=70)
        depth.push(make_image(48, 64))
        assert depth.depth().shape == (48, 64)
        assert np.isfinite(depth.depth()).all()

    def test_out_of_memory(self, make_depth, model, make_image, monkeypatch):
        def fail(*_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB")

        monkeypatch.setattr(model, "forward", fail)
        with pytest.raises(ModelError, match=r"^cpu has not enough memory: choose a lower resolution$"):
            make_depth().push(make_image(28, 28))


class TestKeyFrames:
    @pytest.mark.parametrize(("every", "passes"), [(1, 7), (2, 4), (3, 3), (10, 1)])
    def test_only_they_are_seen_by_the_network(self, make_depth, model, make_image, every, passes):
        calls = []
        hook = model.register_forward_hook(lambda *_: calls.append(1))
        depth = make_depth(every=every)
        assert depth.depth() is None
        maps = []
        for frame in range(7):
            depth.push(make_image(28, 42, seed=frame))
            maps.append(depth.depth())
        hook.remove()
        assert depth.passes == len(calls) == passes
        for frame in range(7):
            assert maps[frame] is maps[frame - frame % every]
        assert len({id(one) for one in maps}) == passes

    def test_reset_makes_the_next_frame_one(self, make_depth, make_image):
        depth = make_depth(every=5)
        depth.push(make_image(28, 42))
        depth.reset()
        assert depth.depth() is None
        depth.push(make_image(28, 42))
        assert depth.passes == 2

    def test_so_does_another_size(self, make_depth, make_image):
        depth = make_depth(every=5)
        for size in ((28, 42), (42, 28), (42, 28)):
            depth.push(make_image(*size))
            assert depth.depth().shape == size
        assert depth.passes == 2

    def test_a_measured_depth_is_not_used(self, make_depth, make_image):
        one, other = make_depth(), make_depth()
        image = make_image(28, 42)
        one.push(image)
        other.push(image, np.ones((28, 42), np.float32))
        assert np.array_equal(one.depth(), other.depth())


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

    def test_no_image(self, make_depth):
        with pytest.raises(ValueError, match=r"image must be \(H, W, 3\), but got \(28, 28\)"):
            make_depth().push(np.zeros((28, 28), np.uint8))
