from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")

import torch

from motionseg_ros.core.config import SemanticsConfig
from motionseg_ros.core.errors import ModelError
from motionseg_ros.core.types import Frame
from motionseg_ros.cues.dinov2 import MODELS, DinoKeys, build_dinov2, build_encoder, resize_positions
from motionseg_ros.io.weights import find


def small_model(library, layers: int = 3, width: int = 24, heads: int = 3, seed: int = 0):
    """DINOv2's architecture. Random weights are scaled up: else tokens hardly differ, nor would wrong ones."""
    torch.manual_seed(seed)
    config = library.Dinov2Config(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=layers, image_size=518
    )
    return livelier(library.Dinov2Model(config).eval())


def livelier(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter + 0.05 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def small(library):
    return small_model(library)


# ------------------------------------------------------------------------------------- the library's own forward pass


def cubic_weights(before: int, after: int) -> np.ndarray:
    """(after, before): bicubic interpolation (a = -3/4) along one axis, where a step is before / (after + 0.1)."""
    weights = np.zeros((after, before))
    for target in range(after):
        centre = (target + 0.5) * before / (after + 0.1) - 0.5
        for source in range(int(np.floor(centre)) - 1, int(np.floor(centre)) + 3):
            x = abs(centre - source)
            near, far = 1.25 * x**3 - 2.25 * x**2 + 1, -0.75 * (x**3 - 5 * x**2 + 8 * x - 4)
            weights[target, np.clip(source, 0, before - 1)] += near if x <= 1 else far
    return weights


def expected_positions(table: torch.Tensor, h: int, w: int) -> torch.Tensor:
    side = int((table.shape[1] - 1) ** 0.5)
    square = table[0, 1:].double().reshape(side, side, -1)
    along_y, along_x = (torch.from_numpy(cubic_weights(side, length)) for length in (h, w))
    resized = torch.einsum("yi,xj,ijc->yxc", along_y, along_x, square).reshape(1, h * w, -1)
    return torch.cat([table[:, :1], resized.float()], 1)


def expected_keys(model, image: np.ndarray, stride: int, scaled: tuple[int, int] | None = None) -> np.ndarray:
    """(h, w, C): a full pass of the library's model, with what its last key projection says on the way.

    `scaled`: size to which the image is brought before its sides are rounded up.
    """
    height, width = (-(-side // 14) * 14 for side in scaled or image.shape[:2])
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)[None] / 255
    rgb = torch.nn.functional.interpolate(rgb, (height, width), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 1, 3, 1, 1)
    h, w = 1 + (height - 14) // stride, 1 + (width - 14) // stride
    embeddings, seen = model.embeddings, []
    hook = model.encoder.layer[-1].attention.k_proj.register_forward_hook(
        lambda module, inputs, output: seen.append(output)
    )
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(embeddings.patch_embeddings.projection, "stride", (stride, stride))
        positions = expected_positions(embeddings.position_embeddings, h, w)
        patch.setattr(embeddings, "interpolate_pos_encoding", lambda *_: positions)
        model((rgb - mean) / deviation)
    hook.remove()
    (keys,) = seen
    heads = model.config.num_attention_heads
    by_head = keys[0, 1:].reshape(h, w, heads, -1).numpy()
    return np.stack([by_head[..., c % heads, c // heads] for c in range(keys.shape[-1])], -1)


class TestKeys:
    @pytest.mark.parametrize("stride", [7, 14])
    @pytest.mark.parametrize("size", [(70, 98), (57, 83), (14, 14), (9, 40), (518, 28)])
    def test_are_those_of_the_library(self, small, make_image, size, stride):
        image = make_image(*size)
        keys = DinoKeys(small, stride).encode(Frame(image))
        expected = expected_keys(small, image, stride)
        assert keys.shape == expected.shape
        assert keys.dtype == torch.float32
        assert expected.std() > 0.1
        np.testing.assert_allclose(keys.numpy(), expected, atol=1e-5)

    @pytest.mark.parametrize("name", MODELS)
    def test_of_the_real_models(self, name, make_image):
        torch.manual_seed(0)
        model = livelier(build_dinov2(name, None))
        image = make_image(75, 130)
        encoder = DinoKeys(model)
        keys, expected = encoder.encode(Frame(image)).numpy(), expected_keys(model, image, 7)
        assert keys.shape == (11, 19, encoder.width) == (11, 19, MODELS[name][0])
        np.testing.assert_allclose(keys, expected, atol=1e-5 * np.abs(expected).max())

    def test_of_a_whole_frame(self, library, make_image):
        """The grid of the release; a few blocks of the smaller model show as much as all do, in a tenth of the time."""
        torch.set_num_threads(2)
        model = small_model(library, layers=3, width=384, heads=6)
        image = make_image(480, 854)
        keys, expected = DinoKeys(model).encode(Frame(image)).numpy(), expected_keys(model, image, 7)
        assert keys.shape == (69, 121, 384)
        np.testing.assert_allclose(keys, expected, atol=1e-5 * np.abs(expected).max())

    def test_channels_go_by_dimension_first(self, small, make_image):
        """Head h of the library's keys is every third channel from h on."""
        image = make_image(28, 28)
        seen = []
        hook = small.encoder.layer[-1].attention.k_proj.register_forward_hook(lambda *a: seen.append(a[2]))
        keys = DinoKeys(small).encode(Frame(image))
        hook.remove()
        for head in range(3):
            assert torch.equal(keys[0, 0, head::3], seen[0][0, 0, 8 * head : 8 * head + 8])

    def test_are_the_last_thing_that_is_computed(self, library, make_image):
        model = small_model(library)
        last, calls = model.encoder.layer[-1], []
        for name, module in model.named_modules():
            module.register_forward_hook(lambda *_, name=name: calls.append(name))
        DinoKeys(model).encode(Frame(make_image(28, 28)))
        assert calls[-2:] == ["encoder.layer.2.norm1", "encoder.layer.2.attention.k_proj"]
        assert not [name for name in calls if name.startswith("encoder.layer.2.")][2:]
        assert last.mlp is not None  # the model itself is left as it is

    def test_what_comes_behind_them_is_not_kept(self, library):
        import gc
        import weakref

        model = small_model(library)
        rest = weakref.ref(model.encoder.layer[-1].mlp)
        encoder = DinoKeys(model)
        del model
        gc.collect()
        assert rest() is None
        assert encoder.width == 24

    def test_images_of_any_size_one_after_the_other(self, small, make_image):
        encoder = DinoKeys(small)
        for size in ((28, 42), (42, 28), (28, 42)):
            frame = Frame(make_image(*size))
            assert torch.equal(encoder.encode(frame), DinoKeys(small).encode(frame)), size

    def test_need_no_gradients(self, small, make_image):
        assert DinoKeys(small).encode(Frame(make_image(28, 28))).is_inference()

    def test_in_half_precision(self, small, make_image):
        frame = Frame(make_image(56, 56))
        full, half = (DinoKeys(small, half=half).encode(frame) for half in (False, True))
        assert half.dtype == torch.float32
        assert 0 < (full - half).abs().max() < 0.05 * full.abs().max()

    def test_out_of_memory(self, small, make_image, monkeypatch):
        def fail(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB")

        encoder = DinoKeys(small)
        monkeypatch.setattr(small.encoder.layer[0], "forward", fail)
        with pytest.raises(
            ModelError, match=r"^cpu has not enough memory: choose semantics\.stride = 14,"
        ) as caught:
            encoder.encode(Frame(make_image(28, 28)))
        assert "\n" not in str(caught.value)

    def test_stride(self, small):
        with pytest.raises(ValueError, match="stride must be one of 7, 14, but got 5"):
            DinoKeys(small, stride=5)


class TestLargeImages:
    """Segment Any Motion's release takes none whose longer side is more than 1,000 px."""

    @pytest.mark.parametrize(
        ("size", "scaled"), [((60, 200), (30, 100)), ((200, 60), (100, 30)), ((101, 90), (100, 89))]
    )
    def test_are_scaled_down(self, small, make_image, size, scaled):
        image = make_image(*size)
        keys = DinoKeys(small, max_side=100).encode(Frame(image))
        expected = expected_keys(small, image, 7, scaled)
        assert keys.shape == expected.shape
        np.testing.assert_allclose(keys.numpy(), expected, atol=1e-5)

    @pytest.mark.parametrize("size", [(100, 100), (60, 100), (14, 30)])
    def test_others_are_not(self, small, make_image, size):
        frame = Frame(make_image(*size))
        assert torch.equal(DinoKeys(small, max_side=100).encode(frame), DinoKeys(small).encode(frame))

    def test_the_limit_is_that_of_the_release(self, small, make_image):
        keys = DinoKeys(small, 14).encode(Frame(make_image(56, 2000)))
        assert keys.shape[:2] == (2, 72)

    def test_points_are_those_of_the_full_image(self, small, make_image):
        encoder = DinoKeys(small, max_side=100)
        keys = encoder.encode(Frame(make_image(60, 200)))
        corners = np.array([[0, 0], [199, 59], [100, 30]], np.float32)
        found = encoder.sample(keys, corners, (60, 200))
        assert np.array_equal(found, torch.stack([keys[0, 0], keys[4, 14], keys[2, 7]]).numpy())

    @pytest.mark.parametrize("size", [(1, 1200), (1200, 1)])
    def test_however_thin(self, small, size):
        keys = DinoKeys(small, max_side=100).encode(Frame(np.zeros((*size, 3), np.uint8)))
        assert sorted(keys.shape[:2]) == [1, 15]


class TestPositionEmbeddings:
    def test_of_the_training_are_used_as_they_are(self):
        table = torch.randn(1, 1 + 37 * 37, 4)
        assert resize_positions(table, (37, 37)) is table

    @pytest.mark.parametrize("grid", [(69, 121), (35, 61), (1, 1), (37, 36), (3, 200)])
    def test_scale_is_that_of_the_size_and_a_tenth(self, grid):
        table = torch.randn(1, 1 + 37 * 37, 4, generator=torch.Generator().manual_seed(0))
        resized = resize_positions(table, grid)
        assert resized.shape == (1, 1 + grid[0] * grid[1], 4)
        torch.testing.assert_close(resized, expected_positions(table, *grid), atol=1e-4, rtol=0)

    def test_grid_is_never_one_off(self):
        table = torch.zeros(1, 1 + 37 * 37, 1)
        for length in range(1, 400):
            assert resize_positions(table, (length, 2)).shape[1] == 1 + 2 * length


class TestSample:
    """Segment Any Motion's release: column floor(x * w / W), row floor(y * h / H)."""

    @pytest.fixture
    def encoder(self, small):
        return DinoKeys(small)

    @pytest.fixture
    def keys(self):
        """(69, 121, 2): row and column of every cell, the grid of a 480x854 image."""
        row, column = torch.meshgrid(torch.arange(69.0), torch.arange(121.0), indexing="ij")
        return torch.stack([row, column], -1)

    @pytest.mark.parametrize(
        ("position", "cell"),
        [
            ((0, 0), (0, 0)),
            ((853, 479), (68, 120)),
            ((7.05, 6.95), (0, 0)),  # cells are 7.0579 px wide and 6.9565 px high
            ((7.06, 6.96), (1, 1)),
            ((427, 240), (34, 60)),
            ((-0.5, -3), (0, 0)),
            ((860, 500), (68, 120)),
            ((1e9, -1e9), (0, 120)),
        ],
    )
    def test_cell_of_a_position(self, encoder, keys, position, cell):
        found = encoder.sample(keys, np.array([position], np.float32), (480, 854))
        assert found.tolist() == [list(cell)]
        assert found.dtype == np.float32

    def test_edges_of_cells_belong_to_the_next(self, encoder):
        """Where a cell's edge is a number that floats have, no rounding may lose it."""
        keys = torch.arange(49.0).view(1, 49, 1)
        edges = np.stack([np.arange(49) * 3.0, np.zeros(49)], 1).astype(np.float32)
        assert encoder.sample(keys, edges, (10, 147))[:, 0].tolist() == list(range(49))

    def test_none(self, encoder, keys):
        assert encoder.sample(keys, np.zeros((0, 2), np.float32), (480, 854)).shape == (0, 2)

    @pytest.mark.parametrize(
        ("positions", "message"),
        [
            (np.zeros((3, 3), np.float32), r"positions must be \(N, 2\), but got \(3, 3\)"),
            (np.zeros(2, np.float32), r"positions must be \(N, 2\), but got \(2,\)"),
            (np.array([[np.nan, 1]], np.float32), "positions must be finite"),
        ],
    )
    def test_no_positions(self, encoder, keys, positions, message):
        with pytest.raises(ValueError, match=message):
            encoder.sample(keys, positions, (480, 854))


class TestWeights:
    """Beside what `test_pretrained` says of all models."""

    def test_the_released_file_has_as_many(self):
        """What its size leaves for the names is what they take (to the byte, with version 4's)."""
        count = sum(p.numel() for p in build_dinov2("dinov2_base", None).parameters())
        assert 0 < find("dinov2_base").size - 4 * count < 30_000

    def test_are_loaded(self, save_released, make_image):
        torch.manual_seed(1)
        released = build_dinov2("dinov2_small", None)
        loaded = build_dinov2("dinov2_small", save_released(released))
        assert not loaded.training
        assert not any(p.requires_grad for p in loaded.parameters())
        frame = Frame(make_image(28, 28))
        assert torch.equal(DinoKeys(loaded).encode(frame), DinoKeys(released).encode(frame))

    def test_of_the_other_size(self, save_released):
        path = save_released(build_dinov2("dinov2_small", None))
        with pytest.raises(ModelError, match=r"does not fit the model: .* of another shape: ") as caught:
            build_dinov2("dinov2_base", path)
        assert "\n" not in str(caught.value)

    def test_random_ones_are_seeded(self):
        models = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            models.append(build_dinov2("dinov2_small", None).encoder.layer[3].mlp.fc1.weight)
        assert torch.equal(models[0], models[1])
        assert not torch.equal(models[0], models[2])

    @pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
    def test_device_that_is_absent(self):
        with pytest.raises(ModelError, match=r"device 'cuda' cannot be used .*; try 'cpu'"):
            build_dinov2("dinov2_small", None, device="cuda")
        assert build_dinov2("dinov2_small", None, device="auto").device.type == "cpu"


@pytest.mark.parametrize(("stride", "grid"), [(7, (9, 13)), (14, (5, 7))])
def test_as_the_configuration_says(make_image, stride, grid):
    config = SemanticsConfig(name="dinov2", stride=stride, max_side=98, device="cpu")
    encoder = build_encoder(config, None)
    assert encoder.width == 768
    keys = encoder.encode(Frame(make_image(140, 196)))
    assert keys.shape == (*grid, 768)
    assert keys.dtype == torch.float32


def test_precision_is_a_choice(make_image):
    frame, keys = Frame(make_image(28, 28)), []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        config = SemanticsConfig(name="dinov2", device="cpu", precision=precision)
        keys.append(build_encoder(config, None).encode(frame))
    assert not torch.equal(*keys)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu(make_image):
    torch.manual_seed(0)
    model = build_dinov2("dinov2_small", None)
    frame = Frame(make_image(120, 200))
    positions = np.array([[3, 4], [199, 119]], np.float32)
    cpu = DinoKeys(model)
    expected = cpu.sample(cpu.encode(frame), positions, (120, 200))
    for half, tolerance in ((False, 1e-2), (True, 5e-2)):
        gpu = DinoKeys(model.to("cuda"), half=half)
        keys = gpu.encode(frame)
        assert keys.device.type == "cuda"
        found = gpu.sample(keys, positions, (120, 200))
        np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())
