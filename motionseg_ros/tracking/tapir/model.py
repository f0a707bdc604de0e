"""Builds TAPIR, from `tapnet`, with weights that are checked or with random ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...io.torch_files import find_device, load_weights, resolve_device

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR


def build_tapir(weights: Path | None, device: str = "cpu") -> TAPIR:
    """Causal BootsTAPIR, in evaluation mode, on its device.

    Args:
        weights: the released checkpoint; None leaves the random weights that torch's seed gives.
        device: as torch names it; "auto" is a CUDA device where there is one.

    Raises:
        ModelError: the device cannot be used, or the weights do not fit the model.
        ImportError: `tapnet` is not installed.
    """
    from tapnet.torch.tapir_model import TAPIR

    target = find_device(resolve_device(device))
    model = TAPIR(pyramid_level=1, use_casual_conv=True)
    if weights is not None:
        load_weights(model, weights, None)
    return model.eval().requires_grad_(False).to(target)
