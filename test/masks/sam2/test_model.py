from __future__ import annotations

import pytest
import torch

from motionseg_ros.core.config import Sam2Config
from motionseg_ros.core.errors import ModelError
from motionseg_ros.device.choice import find_device
from motionseg_ros.masks.sam2.masker import Sam2Masker, build_masker
from motionseg_ros.masks.sam2.model import MODELS, build_predictor

# Millions of parameters, as the release's table has them.
PARAMETERS = {"tiny": 38.9, "small": 46.0, "base_plus": 80.8, "large": 224.4}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_is_the_released_one(name):
    model = build_predictor(name, None)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert millions == pytest.approx(PARAMETERS[name.split("_", 1)[1]], abs=0.2)
    assert model.image_size == 1024
    assert not model.training
    assert (model.no_obj_embed_spatial is not None) == name.startswith("sam2.1")


def test_options_name_the_models_there_are():
    assert set(Sam2Config.model_fields["model"].annotation.__args__) == set(MODELS)


def test_compiled_parts_are_those_of_sam2():
    """Compiling itself is left to the first frames."""
    from sam2.sam2_video_predictor import SAM2VideoPredictorVOS

    assert isinstance(
        build_predictor("sam2.1_tiny", None, resolution=128, compiled=True), SAM2VideoPredictorVOS
    )


@pytest.fixture
def save(model, tmp_path):
    """Saves the model's weights after `change` has had its way with them."""

    def save(change=lambda weights: None, key="model"):
        weights = dict(model.state_dict())
        change(weights)
        torch.save({key: weights}, tmp_path / "weights.pt")
        return tmp_path / "weights.pt"

    return save


def test_weights_are_loaded(save, model):
    loaded = build_predictor("sam2.1_tiny", save(), resolution=128)
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize(
    ("name", "change", "key", "message"),
    [
        ("sam2.1_small", lambda w: None, "model", "does not fit the model: .* missing: image_encoder"),
        ("sam2_tiny", lambda w: None, "model", "does not fit the model: .*unexpected: no_obj_embed_spatial"),
        ("sam2.1_tiny", lambda w: w.pop("no_mem_embed"), "model", "1 missing: no_mem_embed"),
        (
            "sam2.1_tiny",
            lambda w: w.update(no_mem_embed=torch.zeros(3)),
            "model",
            "1 of another shape: no_mem_embed",
        ),
        ("sam2.1_tiny", lambda w: None, "state", "has no model, but state"),
    ],
)
def test_weights_that_do_not_fit(save, name, change, key, message):
    with pytest.raises(ModelError, match=message) as caught:
        build_predictor(name, save(change, key), resolution=128)
    assert "\n" not in str(caught.value)


def test_no_such_file(tmp_path):
    with pytest.raises(ModelError, match=r"weights\.pt: no such file"):
        build_predictor("sam2.1_tiny", tmp_path / "weights.pt", resolution=128)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_a_device_that_is_absent():
    assert find_device("auto").type == "cpu"
    with pytest.raises(ModelError, match=r"device 'cuda' cannot be used .*; try 'cpu'"):
        build_predictor("sam2.1_tiny", None, device="cuda", resolution=128)


@pytest.mark.parametrize(
    ("options", "half"),
    [({}, False), ({"precision": "bfloat16"}, True), ({"precision": "float32"}, False)],
)
def test_the_masker_as_configured(save, options, half):
    masker = build_masker(Sam2Config(resolution=128, confident=0.5, device="cpu", **options), save())
    assert isinstance(masker, Sam2Masker)
    assert masker._predictor._network._half is half
    assert masker._predictor._unsure_below == pytest.approx(0.0)
