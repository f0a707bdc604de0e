"""Builds TAPIR, from `tapnet`, with weights that are checked or with random ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...device.choice import find_device
from ...io.torch_files import load_weights

if TYPE_CHECKING:
    from tapnet.torch.tapir_model import TAPIR


def build_tapir(weights: Path | None, device: str = "cpu", causal: bool = True) -> TAPIR:
    """BootsTAPIR, in evaluation mode, on its device.

    Args:
        weights: the released checkpoint; None leaves the random weights that torch's seed gives. Those of the causal
            model and of the other one have the same names and shapes: the wrong ones are not noticed here.
        device: as torch names it; "auto" is a CUDA device where there is one.
        causal: whether a frame's answer depends on the frames before it only (see `slots`), or on all of the window
            (see `whole_window`).

    Raises:
        ModelError: the device cannot be used, or the weights do not fit the model.
        ImportError: `tapnet` is not installed.
    """
    from tapnet.torch.tapir_model import TAPIR

    target = find_device(device)
    model = TAPIR(pyramid_level=1, use_casual_conv=causal)
    if weights is not None:
        load_weights(model, weights, None)
    return model.eval().requires_grad_(False).to(target)


def track_by_likeness(model: TAPIR) -> None:
    """Let a model with random weights follow points to where the image looks most alike, and see all of them.

    Nothing is left out of what it computes: measurements then take the effort of real weights, with which points
    stay spread over the image, too.
    """
    parts = model.torch_cost_volume_track_mods
    with torch.no_grad():
        for name in ("hid1", "hid2"):  # hand the correlation on
            parts[name].weight.zero_()
            parts[name].bias.zero_()
            parts[name].weight[0, 0, 1, 1] = 1.0
        parts["occ_out"].bias.fill_(-10.0)
        model.torch_pips_mixer.linear_1.weight.zero_()  # refine nothing
        model.torch_pips_mixer.linear_1.bias.zero_()
