"""How a stage runs its model: without gradients, in its precision, and beside the others on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch

from ..core.errors import ModelError


class Compute:
    """``with compute("advice"):`` around everything that a stage lets its model do.

    On a CUDA device a stage has a stream of its own, so that stages which work in different threads can share the
    GPU. What they give to each other are NumPy arrays, and to make one waits for the stream.

    Args:
        device: the model's.
        half: compute in bfloat16 where torch's autocast does.
    """

    def __init__(self, device: torch.device, half: bool = False) -> None:
        self.device = device
        self._half = half
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        if self._stream is not None:  # the model's weights have come in the stream that is current now
            self._stream.wait_stream(torch.cuda.current_stream(device))

    @contextmanager
    def __call__(self, remedy: str) -> Iterator[None]:
        """Autocast and streams belong to a thread, and a stage may be called from any.

        Args:
            remedy: what to do where memory runs out.

        Raises:
            ModelError: the device has not enough memory.
        """
        stream = nullcontext() if self._stream is None else torch.cuda.stream(self._stream)
        try:
            with (
                torch.inference_mode(),
                torch.autocast(self.device.type, torch.bfloat16, enabled=self._half),
                stream,
            ):
                yield
        except torch.OutOfMemoryError:
            raise ModelError(f"{self.device} has not enough memory: {remedy}") from None
