from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from motionseg_ros.core.errors import ModelError
from motionseg_ros.device.compute import Compute

CPU = torch.device("cpu")


def modes() -> tuple[bool, bool]:
    """Whether this thread is in inference mode, and whether it multiplies in bfloat16."""
    product = torch.ones(2, 2) @ torch.ones(2, 2)
    return torch.is_inference_mode_enabled(), product.dtype == torch.bfloat16


@pytest.mark.parametrize("half", [False, True])
def test_modes_are_on_inside_and_off_outside(half):
    compute = Compute(CPU, half)
    assert modes() == (False, False)
    for _ in range(2):
        with compute("think"):
            assert modes() == (True, half)
        assert modes() == (False, False)


def test_half_precision_is_its_own_choice():
    """Whoever calls may compute in another."""
    with torch.autocast("cpu", torch.bfloat16), Compute(CPU)("think"):
        assert modes() == (True, False)


def test_it_has_its_device():
    assert Compute(CPU).device == CPU


def test_too_little_memory_is_told_with_what_to_do():
    with (
        pytest.raises(ModelError, match=r"^cpu has not enough memory: track fewer points$") as caught,
        Compute(CPU)("track fewer points"),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB")
    assert caught.value.__suppress_context__
    assert modes() == (False, False)


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes differ"), Compute(CPU, half=True)("think"):
        raise RuntimeError("shapes differ")
    assert modes() == (False, False)


def test_it_may_be_used_from_several_threads():
    """Autocast and inference mode belong to a thread: each must set its own, and none that of another."""
    compute, everybody = Compute(CPU, half=True), threading.Barrier(4, timeout=10)

    def work(_: int) -> list[tuple[bool, bool]]:
        seen = [modes()]
        with compute("think"):
            everybody.wait()
            seen.append(modes())
            everybody.wait()
        return [*seen, modes()]

    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(work, range(3))
        everybody.wait()
        here = modes()
        everybody.wait()
        assert list(answers) == [[(False, False), (True, True), (False, False)]] * 3
    assert here == (False, False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_each_has_a_stream_of_its_own():
    device = torch.empty(1, device="cuda").device
    streams = {torch.cuda.current_stream(device).cuda_stream}
    for compute in (Compute(device), Compute(device)):
        with compute("think"):
            streams.add(torch.cuda.current_stream(device).cuda_stream)
    assert len(streams) == 3
