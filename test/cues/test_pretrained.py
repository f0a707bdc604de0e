from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")
pytest.importorskip("transformers", reason="transformers is not installed (pip install .[models])")

import torch

from motionseg_ros.core.errors import ModelError
from motionseg_ros.cues.pretrained import load_pretrained


@pytest.fixture
def model(library):
    """A small one, of the architecture that all the files here have."""
    torch.manual_seed(0)
    config = library.Dinov2Config(hidden_size=12, num_attention_heads=2, num_hidden_layers=2, image_size=28)
    return library.Dinov2Model(config)


def error_of(model, path) -> str:
    """The message with which the file is refused; one line, beginning with the path."""
    with pytest.raises(ModelError) as caught:
        load_pretrained(model, path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).lstrip(": ")


class TestLoad:
    def test_names_of_the_released_files(self, model, save_released):
        expected = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        path = save_released(model)
        for parameter in model.parameters():
            parameter.data.zero_()
        load_pretrained(model, path)
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, expected[name]), name

    def test_names_of_the_installed_version(self, model, tmp_path):
        from safetensors.torch import save_file

        save_file(dict(model.state_dict()), tmp_path / "model.safetensors")
        load_pretrained(model, tmp_path / "model.safetensors")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: w.pop("layernorm.bias"), "does not fit the model: 1 missing: layernorm.bias"),
            (
                lambda w: w.update({"head.weight": torch.zeros(2)}),
                "does not fit the model: 1 unexpected: head.weight",
            ),
            (
                lambda w: w.update({"layernorm.bias": torch.zeros(3)}),
                "does not fit the model: 1 of another shape: layernorm.bias (3,) instead of (12,)",
            ),
            (
                lambda w: w.update({"layernorm.bias": torch.zeros(12, dtype=torch.int32)}),
                "layernorm.bias is not a tensor of floats, but torch.int32",
            ),
            (
                lambda w: w["layernorm.bias"].fill_(torch.nan),
                "cannot be used: layernorm.bias has values that are not finite",
            ),
        ],
    )
    def test_weights_that_do_not_fit(self, model, save_released, change, message):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        path = save_released(model, lambda weights: change(_copied(weights)))
        assert error_of(model, path) == message
        for name, tensor in model.state_dict().items():  # the model is left alone
            assert torch.equal(tensor, before[name]), name

    def test_the_name_in_the_file_is_told(self, model, save_released):
        path = save_released(
            model, lambda w: w.update({"encoder.layer.7.attention.attention.key.bias": torch.zeros(12)})
        )
        assert error_of(model, path).endswith("1 unexpected: encoder.layer.7.attention.attention.key.bias")

    def test_no_such_file(self, model, tmp_path):
        assert error_of(model, tmp_path / "model.safetensors") == "no such file"
        assert error_of(model, tmp_path) == "no such file"

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>", None])
    def test_other_files(self, model, save_released, tmp_path, content):
        path = save_released(model)
        path.write_bytes(path.read_bytes()[:-1000] if content is None else content)
        assert error_of(model, path).startswith("is not a safetensors file, or is cut off (")


def _copied(weights: dict) -> dict:
    """The same dictionary with tensors of its own, so that a change is none of the model."""
    weights.update({name: tensor.clone() for name, tensor in weights.items()})
    return weights


@pytest.mark.parametrize("fault", ["raise RuntimeError('operator torchvision::nms does not exist')", ""])
def test_a_torchvision_for_another_torch(tmp_path, fault):
    """One that cannot be imported is as good as none; one that can is left alone."""
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(f"__version__ = '0.1'\n{fault}\n", encoding="utf-8")
    script = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from motionseg_ros.cues.pretrained import import_transformers
        library = import_transformers()
        assert (sys.modules["torchvision"] is None) == {bool(fault)}
        if {bool(fault)}:
            library.Dinov2Model, library.DepthAnythingForDepthEstimation
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True, timeout=120)
