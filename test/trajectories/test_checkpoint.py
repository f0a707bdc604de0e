from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")

from motionseg_ros.core.errors import ModelError  # noqa: E402
from motionseg_ros.trajectories.checkpoint import load_released  # noqa: E402
from motionseg_ros.trajectories.model import ModelConfig, SegAnyMo  # noqa: E402


def error_of(path: Path, **options) -> str:
    """The message with which the file is refused; one line, beginning with the path."""
    with pytest.raises(ModelError) as caught:
        load_released(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).lstrip(": ")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "moseg.pth"


@pytest.fixture
def save(path, golden_model):
    """Saves the golden weights after `change` has had its way with them."""

    def save(change) -> Path:
        weights = {name: value.clone() for name, value in golden_model.state_dict().items()}
        change(weights)
        torch.save({"epoch": 1, "model_state_dict": weights}, path)
        return path

    return save


class TestGood:
    def test_loads_what_was_saved(self, golden_checkpoint, golden_model):
        model = load_released(golden_checkpoint)
        assert not model.training
        assert not any(p.requires_grad for p in model.parameters())
        for name, value in golden_model.state_dict().items():
            assert torch.equal(model.state_dict()[name], value), name

    def test_a_string_will_do(self, golden_checkpoint):
        load_released(str(golden_checkpoint))

    def test_torchs_old_format(self, path, golden_model):
        content = {"epoch": 1, "model_state_dict": golden_model.state_dict()}
        torch.save(content, path, _use_new_zipfile_serialization=False)
        load_released(path)

    def test_an_ablation(self, path):
        config = ModelConfig(depth=False)
        torch.save({"model_state_dict": SegAnyMo(config).state_dict()}, path)
        assert load_released(path, config=config).config == config
        assert "input_fc1.weight (16, 86, 1, 1) instead of (16, 88, 1, 1)" in error_of(path)

    def test_without_a_file_weights_are_random_and_seeded(self):
        models = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            models.append(load_released(None).decoder.output_layer.weight)
        assert torch.equal(models[0], models[1])
        assert not torch.equal(models[0], models[2])
        assert not load_released(None).training


class TestForeignFiles:
    def test_missing(self, path):
        assert error_of(path) == "no such file"

    def test_a_folder(self, path):
        path.mkdir()
        assert error_of(path) == "no such file"

    def test_empty(self, path):
        path.touch()
        assert error_of(path) == "is empty"

    @pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
    def test_truncated(self, path, golden_checkpoint, share):
        content = golden_checkpoint.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        assert error_of(path) == f"is cut off after {path.stat().st_size} bytes; copy it again"

    def test_truncated_in_torchs_old_format(self, path, golden_model):
        content = {"model_state_dict": golden_model.state_dict()}
        torch.save(content, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:100_000])
        assert error_of(path) == "is not a torch checkpoint"

    @pytest.mark.parametrize(
        "content", [b"hello\nworld\n", b"\x80\x02]q\x00.", bytes(range(256)) * 40, b"<html>"]
    )
    def test_not_torchs(self, path, content):
        path.write_bytes(content)
        assert "a torch checkpoint" in error_of(path) or "not a dict" in error_of(path)

    def test_another_archive(self, path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert error_of(path) == "is an archive, but not a torch checkpoint"

    def test_numpys_archive(self, path):
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
        assert error_of(path) == "is an archive, but not a torch checkpoint"

    def test_code_is_not_run(self, path, tmp_path):
        torch.save({"model_state_dict": _Touch(tmp_path / "touched")}, path)
        assert "objects are not loaded" in error_of(path)
        assert not (tmp_path / "touched").exists()


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class TestOtherContent:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ([1, 2], "holds a list, not a dict with model_state_dict"),
            (torch.zeros(3), "holds a Tensor, not a dict with model_state_dict"),
            ({}, "has no model_state_dict, but nothing"),
            ({"a": 1, "b": 2}, "has no model_state_dict, but a, b"),
            (dict.fromkeys("abcde", 1), "has no model_state_dict, but a, b, c and 2 more"),
            ({"model_state_dict": 3}, "model_state_dict is a int, not a dict of tensors"),
            (
                {"model_state_dict": {"a": "text"}},
                "a in model_state_dict is not a tensor of floats, but str",
            ),
            (
                {"model_state_dict": {"a": torch.zeros(2, dtype=torch.int64)}},
                "a in model_state_dict is not a tensor of floats, but torch.int64",
            ),
        ],
    )
    def test_content(self, path, content, message):
        torch.save(content, path)
        assert error_of(path) == message

    def test_a_bare_state_dict(self, path, golden_model):
        torch.save(golden_model.state_dict(), path)
        assert error_of(path).startswith("has no model_state_dict, but joint_encoder.input_fc1.weight, ")

    def test_no_tensors(self, save):
        message = error_of(save(lambda weights: weights.clear()))
        assert message.startswith("does not fit the model: 200 missing: joint_encoder.input_fc1.weight, ")
        assert message.endswith(" and 197 more")

    def test_everything_that_differs_is_named(self, save):
        def change(weights):
            weights["extra"] = torch.zeros(2)
            del weights["decoder.output_layer.bias"]
            weights["decoder.output_layer.weight"] = torch.zeros(2, 128)

        assert error_of(save(change)) == (
            "does not fit the model: 1 missing: decoder.output_layer.bias; 1 unexpected: extra; "
            "1 of another shape: decoder.output_layer.weight (2, 128) instead of (1, 128)"
        )

    def test_many_other_names(self, save):
        def change(weights):
            for name in list(weights):
                weights[f"module.{name}"] = weights.pop(name)

        message = error_of(save(change))
        assert message.count("and 197 more") == 2
        assert "200 unexpected: module.joint_encoder.input_fc1.weight, " in message

    def test_a_training_that_blew_up(self, save):
        def change(weights):
            weights["decoder.output_layer.weight"][0, 3] = np.nan

        message = "cannot be used: decoder.output_layer.weight has values that are not finite"
        assert error_of(save(change)) == message


class TestDevice:
    @pytest.mark.parametrize("device", ["cuda", "cuda:97", "warp", ""])
    def test_not_there(self, golden_checkpoint, device):
        if device == "cuda" and torch.cuda.is_available():
            pytest.skip("there is a CUDA device")
        with pytest.raises(ModelError, match=r"^device '.*' cannot be used \(.+\); try 'cpu'$") as caught:
            load_released(golden_checkpoint, device=device)
        assert "\n" not in str(caught.value)

    def test_auto(self, golden_checkpoint):
        model = load_released(golden_checkpoint, device="auto")
        assert next(model.parameters()).is_cuda == torch.cuda.is_available()

    def test_cuda(self, golden_checkpoint):
        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device")
        assert next(load_released(golden_checkpoint, device="cuda").parameters()).is_cuda
