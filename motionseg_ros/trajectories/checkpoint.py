"""Loads SegAnyMo's released weights (`moseg.pth`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch

from ..device.choice import find_device
from ..io.torch_files import load_weights
from .model import RELEASED, ModelConfig, SegAnyMo

WEIGHTS_KEY = "model_state_dict"


def load_released(
    path: str | PathLike[str] | None, device: str = "cpu", config: ModelConfig = RELEASED
) -> SegAnyMo:
    """The released model, ready to answer (in evaluation mode).

    Args:
        path: a file that `torch.save` wrote: a dict whose `model_state_dict` holds the tensors (200 as released);
            None leaves the random weights that torch's seed gives, but for a bias by which everything moves:
            measurements then take the effort of real ones.
        device: where to put the model, "cpu" or "cuda".
        config: the architecture that the weights belong to.

    Raises:
        ModelError: the file cannot be read, is something else, or does not fit `config`; or there is no such device.
    """
    target = find_device(device)
    model = SegAnyMo(config)
    if path is not None:
        load_weights(model, Path(path), WEIGHTS_KEY)
    else:
        with torch.no_grad():
            model.decoder.output_layer.bias.fill_(2.0)
    return model.eval().requires_grad_(False).to(target)
