from __future__ import annotations

import pytest
import torch

from motionseg_ros.core.errors import ModelError
from motionseg_ros.device.choice import find_device, is_half

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class TestFindDevice:
    def test_cpu(self):
        assert find_device("cpu") == torch.device("cpu")

    @NO_CUDA
    def test_auto_is_the_cpu_where_there_is_nothing_else(self):
        assert find_device("auto") == torch.device("cpu")

    @CUDA
    @pytest.mark.parametrize("name", ["auto", "cuda"])
    def test_a_cuda_device_has_its_number(self, name):
        """Or it would not be equal to that of a tensor on it."""
        assert find_device(name) == torch.empty(1, device="cuda").device

    @pytest.mark.parametrize(
        "name", ["warp", "", "cuda:97", "cpu:x", pytest.param("cuda", marks=NO_CUDA), "AUTO"]
    )
    def test_what_is_not_there(self, name):
        with pytest.raises(
            ModelError, match=rf"^device '{name}' cannot be used \(.+\); try 'cpu'$"
        ) as caught:
            find_device(name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("precision", "device", "half"),
    [
        ("auto", "cpu", False),
        ("auto", "cuda", True),
        ("auto", "cuda:1", True),
        ("float32", "cpu", False),
        ("float32", "cuda", False),
        ("bfloat16", "cpu", True),
        ("bfloat16", "cuda", True),
    ],
)
def test_half_precision_where_it_is_fast_or_asked_for(precision, device, half):
    assert is_half(precision, torch.device(device)) is half
