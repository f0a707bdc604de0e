"""Vision models of `transformers`: built without its hub, filled from bare files, run without gradients."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import ModelError
from ..io.torch_files import describe_misfit

# The released files were written by version 4 of `transformers`; version 5 calls the parts of attention otherwise.
_RENAMED = {
    ".attention.attention.query.": ".attention.q_proj.",
    ".attention.attention.key.": ".attention.k_proj.",
    ".attention.attention.value.": ".attention.v_proj.",
    ".attention.output.dense.": ".attention.o_proj.",
}


def import_transformers() -> ModuleType:
    """The library `transformers`, kept from a torchvision that cannot be imported.

    `transformers` imports torchvision wherever a folder of that name is installed, and gives up with it if it was
    built for another torch: where torch comes from NVIDIA (Jetson) or is the build for CPUs, the torchvision that
    PyPI has often is. The models here need none.

    Raises:
        ImportError: `transformers` is not installed.
    """
    try:
        importlib.import_module("torchvision")
    except Exception:  # a build for another torch raises nearly anything
        sys.modules["torchvision"] = None  # as Python writes it: not to be found
    return importlib.import_module("transformers")


def load_pretrained(model: torch.nn.Module, path: Path) -> None:
    """Fill a model of `transformers` with the tensors of a safetensors file; all of them must be there and fit.

    Args:
        model: on any device.
        path: the file as Hugging Face publishes it (``model.safetensors``).

    Raises:
        ModelError: the file cannot be read, is something else, or does not fit the model.
    """
    wanted = model.state_dict()
    weights = {_own_name(name, wanted): tensor for name, tensor in _read(path).items()}
    if misfit := describe_misfit(wanted, weights):
        raise ModelError(f"{path} does not fit the model: {misfit}")
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            raise ModelError(f"{path}: {name} is not a tensor of floats, but {tensor.dtype}")
        if not tensor.isfinite().all():
            raise ModelError(f"{path} cannot be used: {name} has values that are not finite")
    model.load_state_dict(weights, strict=True)


def _own_name(name: str, wanted: Collection[str]) -> str:
    """What the installed version calls the tensor `name` of a file; `name` itself if it knows nothing like it."""
    if name in wanted:
        return name
    renamed = name
    for before, after in _RENAMED.items():
        renamed = renamed.replace(before, after)
    return renamed if renamed in wanted else name


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path} is not a safetensors file, or is cut off ({error})") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
