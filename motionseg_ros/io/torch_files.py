"""Reads torch checkpoints strictly and without running any code in them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..core.errors import ModelError

_NAMES_SHOWN = 3


def load_weights(model: torch.nn.Module, path: Path, key: str | None) -> None:
    """Fill a model with the tensors of a file that `torch.save` wrote; all of them must be there and fit.

    Args:
        model: on any device.
        path: the file, a dict.
        key: under which of its entries the tensors by name are; None for the dict itself.

    Raises:
        ModelError: the file cannot be read, is something else, or does not fit the model.
    """
    weights = _read_weights(path, key)
    if misfit := describe_misfit(model.state_dict(), weights):
        raise ModelError(f"{path} does not fit the model: {misfit}")
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise ModelError(f"{path} cannot be used: {name} has values that are not finite")
    model.load_state_dict(weights, strict=True)


def _read_weights(path: Path, key: str | None) -> dict[str, Tensor]:
    """The tensors by name, on the CPU; see `load_weights` for format and errors."""
    content = _read(path)
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a dict with {key or 'tensors'}")
    if key is not None and key not in content:
        raise ModelError(f"{path} has no {key}, but {_some(list(map(str, content)))}")
    weights = content if key is None else content[key]
    if not isinstance(weights, Mapping):
        raise ModelError(f"{path}: {key} is a {type(weights).__name__}, not a dict of tensors")
    for name, value in weights.items():
        if not (isinstance(value, Tensor) and value.is_floating_point()):
            what = value.dtype if isinstance(value, Tensor) else type(value).__name__
            place = f"{name} in {key}" if key else name
            raise ModelError(f"{path}: {place} is not a tensor of floats, but {what}")
    return dict(weights)


def _read(path: Path) -> object:
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # On a file that is something else torch can raise nearly anything, OSError included.
    except Exception as error:
        raise ModelError(f"{path} {_what_is_wrong(path)}") from error


def _what_is_wrong(path: Path) -> str:
    """Why torch could not load an existing file, as a predicate."""
    size = path.stat().st_size
    if size == 0:
        return "is empty"
    with path.open("rb") as file:
        begins_as_archive = file.read(4) == b"PK\x03\x04"
    if not begins_as_archive:
        return "is not a torch checkpoint"
    if not zipfile.is_zipfile(path):
        return f"is cut off after {size} bytes; copy it again"
    with zipfile.ZipFile(path) as archive:
        if not any(name.endswith("data.pkl") for name in archive.namelist()):
            return "is an archive, but not a torch checkpoint"
    return "is damaged, or holds more than tensors and plain values (objects are not loaded: they could run code)"


def describe_misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """How the tensors of a checkpoint differ from a model's, in one line; empty if names and shapes agree."""
    reshaped = [
        f"{name} {tuple(given[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    groups = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [str(name) for name in given if name not in wanted],
        "of another shape": reshaped,
    }
    return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in groups.items() if names)


def _some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    if not names:
        return "nothing"
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
