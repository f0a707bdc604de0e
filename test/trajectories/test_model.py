from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")

from motionseg_ros.core.depth import REFERENCE  # noqa: E402
from motionseg_ros.trajectories.model import (  # noqa: E402
    Keys,
    ModelConfig,
    SegAnyMo,
    frequency_encoding,
    normalise_positions,
    point_features,
)

# The golden case's motion descriptors of trajectories 0, 3 and 6, the first four channels.
DESCRIPTORS = {
    0: (0.94015062, -0.8699342, 0.37332973, 1.92722714),
    3: (0.34964016, -1.0456295, 0.69108039, 1.91098762),
    6: (-0.5798133, -0.64222628, 1.2042915, 1.50186121),
}


def golden_features(golden):
    """Point features of the golden case, and its visibility."""
    tracks = golden.tracks
    visible = torch.from_numpy(tracks.visible)
    features = point_features(
        normalise_positions(torch.from_numpy(tracks.positions), golden.size),
        visible,
        torch.from_numpy(tracks.visibility),
        torch.from_numpy(tracks.confidence),
        torch.from_numpy(REFERENCE.sample(golden.depth, tracks.positions)),
        torch.from_numpy(golden.semantics),
    )
    return features, visible


def random_window(config: ModelConfig, n: int = 9, t: int = 5):
    generator = torch.Generator().manual_seed(0)
    visible = torch.rand(n, t, generator=generator) > 0.3
    visible[0] = visible[:, 0] = True
    semantics = torch.randn(n, 768, generator=generator)
    features = point_features(
        2 * torch.rand(n, t, 2, generator=generator) - 1,
        visible,
        torch.rand(n, t, generator=generator),
        torch.rand(n, t, generator=generator),
        torch.rand(n, t, generator=generator),
        semantics,
        config=config,
    )
    return features, visible, semantics


def released_tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes in the released checkpoint."""
    tensors = {}

    def add(name: str, *shape: int) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = shape, shape[:1]

    def add_attention(name: str, width: int) -> None:
        tensors[f"{name}.in_proj_weight"] = (3 * width, width)
        tensors[f"{name}.in_proj_bias"] = (3 * width,)
        add(f"{name}.out_proj", width, width)

    add("joint_encoder.input_fc1", 16, 88, 1, 1)
    add("joint_encoder.fc2", 16, 16, 1, 1)
    for half, attentions, norms in (
        ("encoder", ("self_attn",), 3),
        ("decoder", ("self_attn", "multihead_attn"), 4),
    ):
        prefix = f"joint_encoder.transformer_model.{half}"
        for layer in range(2):
            for attention in attentions:
                add_attention(f"{prefix}.layers.{layer}.{attention}", 16)
            add(f"{prefix}.layers.{layer}.linear1", 64, 16)
            add(f"{prefix}.layers.{layer}.linear2", 16, 64)
            for norm in range(norms):
                add(f"{prefix}.layers.{layer}.norm{norm + 1}", 16)
        add(f"{prefix}.norm", 16)
    add("decoder.embedding.embedding", 128, 16)
    for stack, attentions, inputs, norms in (
        ("encoders", ("attention",), 896, 2),
        ("decoders", ("self_attention", "cross_attention"), 128, 3),
    ):
        for layer in range(4):
            prefix = f"decoder.{stack}.{layer}"
            for attention in attentions:
                add_attention(f"{prefix}.{attention}", 128)
            add(f"{prefix}.ffn.0", 512, inputs)
            add(f"{prefix}.ffn.2", 128, 512)
            for norm in range(norms):
                add(f"{prefix}.norm{norm + 1}", 128)
    add("decoder.output_layer", 1, 128)
    return tensors


class TestParameters:
    def test_names_and_shapes_are_those_of_the_released_checkpoint(self):
        state = {name: tuple(value.shape) for name, value in SegAnyMo().state_dict().items()}
        assert len(state) == 200
        assert state == released_tensors()

    @pytest.mark.parametrize(
        ("config", "count"),
        [
            (ModelConfig(), 3_443_809),
            (ModelConfig(semantics=False), 1_870_945),
            (ModelConfig(decoupled=False), 1_969_249),
            (ModelConfig(depth=False), 3_443_809 - 16 * 2),
            (ModelConfig(frequency_encoding=False), 3_443_809 - 16 * 80),
            (ModelConfig(early_semantics=True), 3_443_809 + 16 * 768),
            (ModelConfig(spatial_attention=False), 3_443_809 - 4 * 32),  # four norms
        ],
        ids=lambda value: "" if isinstance(value, int) else str(value),
    )
    def test_counts(self, config, count):
        assert sum(p.numel() for p in SegAnyMo(config).parameters()) == count

    def test_parts(self):
        def count(module):
            return sum(p.numel() for p in module.parameters())

        model = SegAnyMo()
        assert count(model.joint_encoder) == 17_248
        assert count(model.joint_encoder.transformer_model) == 15_552
        assert count(model.decoder.encoders) == 2_365_952
        assert count(model.decoder.decoders) == 1_058_304

    def test_the_transformer_is_initialised_by_xavier(self):
        torch.manual_seed(0)
        layer = SegAnyMo().joint_encoder.transformer_model.encoder.layers[0]
        for weight in (layer.self_attn.in_proj_weight, layer.self_attn.out_proj.weight, layer.linear1.weight):
            bound = (6 / sum(weight.shape)) ** 0.5
            assert 0.9 * bound < weight.abs().max() <= bound


class TestGolden:
    def test_features(self, golden):
        features, _ = golden_features(golden)
        assert features.shape == (7, 6, 88)
        assert features.sum() == pytest.approx(671.7148, abs=1e-3)
        np.testing.assert_allclose(features[3, :, 84], (0.247, 0.594, 0.941, 0.275, 0.882, 0.216), atol=1e-6)
        # Position, its first band, and what is not encoded, of the first point.
        start = (-0.9, 0.9, -0.78332686, 0.78332686, 0.62160999, 0.62160999)
        np.testing.assert_allclose(features[0, 0, :6], start, atol=1e-6)
        np.testing.assert_allclose(features[0, 0, 42:44], (0.07573235, 0.10000002), atol=1e-6)
        np.testing.assert_allclose(features[0, 0, 84:], (0.366, -0.354, 0.5, 0.9), atol=1e-6)

    def test_motion_descriptors(self, golden, golden_model):
        descriptors = golden_model.joint_encoder(*golden_features(golden))
        assert descriptors.shape == (7, 16)
        for row, values in DESCRIPTORS.items():
            np.testing.assert_allclose(descriptors[row, :4], values, atol=1e-5)

    def test_probabilities(self, golden, golden_model):
        logits = golden_model(*golden_features(golden), torch.from_numpy(golden.semantics))
        np.testing.assert_allclose(logits.sigmoid(), golden.probabilities, atol=1e-5)

    @pytest.mark.parametrize("what", ["mask", "order of the layers", "semantics"])
    def test_it_notices_what_is_wrong(self, golden, golden_model, what):
        features, visible = golden_features(golden)
        semantics = torch.from_numpy(golden.semantics)
        model = SegAnyMo()
        model.load_state_dict(golden_model.state_dict())
        model.eval()
        if what == "mask":
            visible = torch.ones_like(visible)
        elif what == "semantics":
            semantics = None
        else:
            layers = model.decoder.encoders
            layers[0], layers[1] = layers[1], layers[0]
        with torch.no_grad():
            answer = model(features, visible, semantics).sigmoid()
        assert np.abs(answer.numpy() - golden.probabilities).max() > 2e-5


class TestFeatures:
    def test_normalisation_is_by_the_size_and_clamps(self):
        positions = torch.tensor([[0.0, 0.0], [640.0, 480.0], [160.0, 120.0], [-50.0, 1e9]])
        wanted = [[-1, -1], [1, 1], [-0.5, -0.5], [-1, 1]]
        np.testing.assert_allclose(normalise_positions(positions, (480, 640)), wanted)

    def test_frequency_encoding(self):
        code = frequency_encoding(torch.tensor([0.3, -0.2]))
        assert code.shape == (42,)
        np.testing.assert_allclose(code[:2], (0.3, -0.2))
        for k in range(10):
            a, b = 0.3 * 2**k, -0.2 * 2**k
            wanted = (np.sin(a), np.sin(b), np.cos(a), np.cos(b))
            np.testing.assert_allclose(code[2 + 4 * k : 6 + 4 * k], wanted, atol=1e-4)

    def test_the_next_frames_visibility_gates_the_difference(self):
        positions = torch.tensor([[[0.0, 0.0], [0.1, 0.2], [0.4, 0.3]]])
        visible = torch.tensor([[False, True, False]])
        ones = torch.ones(1, 3)
        config = ModelConfig(frequency_encoding=False)
        features = point_features(positions, visible, ones, ones, config=config)
        np.testing.assert_allclose(features[0, :, 2:4], [[0.1, 0.2], [0, 0], [0, 0]], atol=1e-6)

    def test_depth_and_its_change(self):
        depth = torch.tensor([[0.25, 0.5, 1.0], [0.125, 0.75, 0.5]])
        visible = torch.tensor([[True, True, False], [False, True, True]])
        ones = torch.ones(2, 3)
        features = point_features(torch.zeros(2, 3, 2), visible, ones, ones, depth)
        assert torch.equal(features[..., 84], depth)
        assert features[..., 85].tolist() == [[0.25, 0, 0], [0.625, -0.25, 0]]

    def test_without_depth_it_is_0(self):
        ones = torch.ones(2, 3)
        parts = torch.zeros(2, 3, 2), ones > 0, ones, ones
        assert torch.equal(point_features(*parts), point_features(*parts, torch.zeros(2, 3)))


ABLATIONS = [
    (ModelConfig(), 88),
    (ModelConfig(depth=False), 86),
    (ModelConfig(semantics=False), 88),
    (ModelConfig(decoupled=False), 88),
    (ModelConfig(early_semantics=True), 856),
    (ModelConfig(semantics=False, early_semantics=True), 856),
    (ModelConfig(spatial_attention=False), 88),
    (ModelConfig(frequency_encoding=False), 8),
]


@pytest.mark.parametrize(("config", "channels"), ABLATIONS, ids=str)
class TestAblations:
    def test_answers(self, config, channels):
        features, visible, semantics = random_window(config)
        assert features.shape[-1] == channels == config.point_channels
        with torch.no_grad():
            logits = SegAnyMo(config).eval()(features, visible, semantics)
        assert logits.shape == (9,)
        assert logits.isfinite().all()

    def test_semantics_matter_only_where_they_enter(self, config, channels):
        features, visible, semantics = random_window(config)
        model = SegAnyMo(config).eval()
        with torch.no_grad():
            same = torch.equal(model(features, visible, semantics), model(features, visible, -semantics))
        assert same is not config.semantics  # early ones are in the features

    def test_gradients_reach_every_parameter(self, config, channels):
        features, visible, semantics = random_window(config)
        model = SegAnyMo(config).train()
        model(features, visible, semantics).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


class TestModel:
    def test_dropout_in_training_only(self, golden_model):
        window = random_window(ModelConfig())
        model = SegAnyMo()
        model.load_state_dict(golden_model.state_dict())
        torch.manual_seed(0)
        with torch.no_grad():
            assert not torch.allclose(model.train()(*window), model(*window), atol=1e-4)
            assert torch.equal(model.eval()(*window), model(*window))

    def test_permuting_trajectories_permutes_the_answers(self, golden_model):
        window = random_window(ModelConfig())
        order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
        answer = golden_model(*window)
        np.testing.assert_allclose(golden_model(*(part[order] for part in window)), answer[order], atol=1e-5)
        assert not torch.allclose(answer, answer[order], atol=1e-2)

    def test_permuting_the_frames_changes_nothing(self, golden_model):
        features, visible, semantics = random_window(ModelConfig())
        order = torch.tensor([3, 0, 4, 2, 1])
        answer = golden_model(features, visible, semantics)
        permuted = golden_model(features[:, order], visible[:, order], semantics)
        np.testing.assert_allclose(permuted, answer, atol=1e-5)

    def test_without_spatial_attention_descriptors_do_not_depend_on_one_another(self):
        for config, independent in ((ModelConfig(spatial_attention=False), True), (ModelConfig(), False)):
            features, visible, _ = random_window(config)
            encoder = SegAnyMo(config).eval().joint_encoder
            with torch.no_grad():
                some, everything = encoder(features[:4], visible[:4]), encoder(features, visible)[:4]
            assert torch.allclose(some, everything, atol=1e-6) is independent

    def test_early_semantics_reach_the_descriptors(self):
        config = ModelConfig(early_semantics=True)
        features, visible, _ = random_window(config)
        encoder = SegAnyMo(config).eval().joint_encoder
        other = features.clone()
        other[..., 88:] = 0
        with torch.no_grad():
            assert not torch.allclose(encoder(features, visible), encoder(other, visible), atol=1e-3)

    @pytest.mark.parametrize(("n", "t"), [(1, 1), (1, 5), (9, 1)])
    def test_small_windows(self, golden_model, n, t):
        features, visible, semantics = random_window(ModelConfig(), n, t)
        assert golden_model(features, visible, semantics).isfinite().all()

    def test_attention_always_has_a_key(self):
        visible = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 0, 1]], dtype=torch.bool)
        keys = Keys.visible(visible)
        assert keys.time.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 1]]
        assert keys.space.tolist() == [[1, 1, 0], [1, 1, 1], [1, 0, 1]]

    def test_nothing_visible_is_defined(self, golden_model):
        features, visible, semantics = random_window(ModelConfig())
        assert golden_model(features, torch.zeros_like(visible), semantics).isfinite().all()
