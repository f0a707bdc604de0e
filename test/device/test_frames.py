from __future__ import annotations

import dataclasses
import gc
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from motionseg_ros.core.types import Frame
from motionseg_ros.device.compute import Compute
from motionseg_ros.device.frames import upload

CPU = torch.device("cpu")


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


def test_pixels_are_rgb(image):
    pixels = upload(Frame(image), CPU)
    assert pixels.dtype == torch.uint8
    assert pixels.is_contiguous()
    np.testing.assert_array_equal(pixels.numpy(), image[..., [2, 1, 0]])


def test_all_who_ask_for_a_frame_get_the_same_tensor(image):
    frame = Frame(image)
    pixels = upload(frame, CPU)
    assert upload(frame, CPU) is pixels
    with Compute(CPU)("think"):
        assert upload(frame, CPU) is pixels


def test_another_frame_has_its_own(image):
    frame = Frame(image)
    assert upload(Frame(image), CPU) is not upload(frame, CPU)


def test_a_frame_with_another_image_has_its_own(image):
    frame = Frame(image)
    upload(frame, CPU)
    other = dataclasses.replace(frame, image=255 - image)
    np.testing.assert_array_equal(upload(other, CPU).numpy(), 255 - image[..., ::-1])


def test_another_device_has_its_own(image):
    frame = Frame(image)
    assert upload(frame, CPU).device == CPU
    assert upload(frame, torch.device("meta")).device.type == "meta"
    assert upload(frame, CPU).device == CPU


@pytest.mark.parametrize("layout", ["plain", "rgb turned round", "cut out", "flipped", "by columns"])
def test_any_layout_is_copied(image, layout):
    """A driver may fill its buffer with the next image while stages still look at this one."""
    buffer = image.copy()
    view = {
        "plain": buffer,
        "rgb turned round": buffer[..., ::-1],
        "cut out": buffer[1:5, 2:7],
        "flipped": buffer[::-1, ::-1],
        "by columns": buffer.transpose(1, 0, 2),
    }[layout]
    expected = view[..., ::-1].copy()
    pixels = upload(Frame(view), CPU)
    buffer[:] = 0
    np.testing.assert_array_equal(pixels.numpy(), expected)


@pytest.mark.parametrize("turned", [False, True])
def test_images_that_may_not_be_written_to(image, turned):
    image.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels = upload(Frame(image[..., ::-1] if turned else image), CPU)
    assert pixels.shape == (6, 8, 3)


def test_two_threads_upload_a_frame_once(image, monkeypatch):
    calls, plain = [], torch.from_numpy
    both = threading.Barrier(2, timeout=10)

    def slow(array: np.ndarray) -> torch.Tensor:
        calls.append(threading.get_ident())
        time.sleep(0.1)  # long enough for the other one to come
        return plain(array)

    def ask(frame: Frame) -> torch.Tensor:
        both.wait()
        return upload(frame, CPU)

    monkeypatch.setattr("motionseg_ros.device.frames.torch.from_numpy", slow)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, [Frame(image)] * 2)
    assert one is other
    assert len(calls) == 1


def test_pixels_are_let_go_with_the_frame(image):
    frame = Frame(image)
    pixels = weakref.ref(upload(frame, CPU))
    assert pixels() is not None
    del frame
    gc.collect()
    assert pixels() is None


def test_an_upload_that_fails_leaves_nothing_behind(image, monkeypatch):
    frame = Frame(image)
    with monkeypatch.context() as patch:

        def fail(_: np.ndarray) -> None:
            raise torch.OutOfMemoryError("CUDA out of memory")

        patch.setattr("motionseg_ros.device.frames.torch.from_numpy", fail)
        with pytest.raises(torch.OutOfMemoryError, match="out of memory"):
            upload(frame, CPU)
    assert upload(frame, CPU).shape == (6, 8, 3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_stages_with_streams_of_their_own_see_the_same_pixels(image):
    device = torch.empty(1, device="cuda").device
    frame = Frame(image)

    def read(compute: Compute) -> np.ndarray:
        with compute("think"):
            return upload(frame, device).cpu().numpy()

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(read, [Compute(device), Compute(device)]):
            np.testing.assert_array_equal(found, image[..., ::-1])
