from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from types import SimpleNamespace

import pytest
import torch

from motionseg_ros.device.memory import gpu_names, peak_mb, release

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def test_where_torch_has_not_been_imported_there_is_nothing():
    """And it is not imported for the question: that takes seconds, and some robots do not have it."""
    code = (
        "import sys; from motionseg_ros.device.memory import gpu_names, peak_mb, release\n"
        "release(); print(gpu_names(), peak_mb(), 'torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[] None False\n", "")


@pytest.mark.parametrize(("available", "initialized"), [(False, False), (True, False)])
def test_a_gpu_that_no_stage_has_used_is_not_woken(monkeypatch, available, initialized):
    """To ask one for its memory takes some of it."""
    cuda = SimpleNamespace(is_available=lambda: available, is_initialized=lambda: initialized)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    release()
    assert (gpu_names(), peak_mb()) == ([], None)


def test_one_in_use_is_found(monkeypatch):
    cuda = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        device_count=lambda: 1,
        get_device_name=lambda index: f"GPU {index}",
        max_memory_reserved=lambda index: 3 << 20,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert (gpu_names(), peak_mb()) == (["GPU 0"], 3.0)


def test_all_gpus_count(gpus):
    gpus(first=200, second=30)
    assert gpu_names() == ["first", "second"]
    assert peak_mb() == 230.0


def test_release_lets_go_of_models_that_hold_themselves(gpus):
    """Their tensors must be gone before the GPU is asked to give back what is free."""

    class Model:
        pass

    model = Model()
    model.itself, gone = model, []
    asked = gpus(first=1)
    weakref.finalize(model, lambda: gone.append(len(asked)))
    gc.disable()
    try:
        del model
        assert gone == []
        release()
    finally:
        gc.enable()
    assert gone == [0]
    assert asked == ["empty_cache"]


def test_release_needs_no_gpu():
    release()


@CUDA
def test_on_a_gpu_memory_is_counted_and_given_back():
    tensor = torch.zeros(64 << 20, dtype=torch.uint8, device="cuda")
    held = torch.cuda.memory_reserved()
    assert peak_mb() >= 64
    assert gpu_names()[tensor.device.index] == torch.cuda.get_device_name(tensor.device)
    del tensor
    release()
    assert torch.cuda.memory_reserved() <= held - (64 << 20)
