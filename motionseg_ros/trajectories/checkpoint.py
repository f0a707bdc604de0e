"""Loads SegAnyMo's released weights (`moseg.pth`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from ..io.torch_files import find_device, load_weights
from .model import RELEASED, ModelConfig, SegAnyMo

WEIGHTS_KEY = "model_state_dict"


def load_released(path: str | PathLike[str], device: str = "cpu", config: ModelConfig = RELEASED) -> SegAnyMo:
    """The released model, ready to answer (in evaluation mode).

    Args:
        path: a file that `torch.save` wrote: a dict whose `model_state_dict` holds the tensors (200 as released).
        device: where to put the model, "cpu" or "cuda".
        config: the architecture that the weights belong to.

    Raises:
        ModelError: the file cannot be read, is something else, or does not fit `config`; or there is no such device.
    """
    path = Path(path)
    target = find_device(device)
    model = SegAnyMo(config)
    load_weights(model, path, WEIGHTS_KEY)
    return model.eval().requires_grad_(False).to(target)
