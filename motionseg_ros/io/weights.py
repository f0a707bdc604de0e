"""Weights that stages can use: the table of them, and the folder in which they lie."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import ConfigError, ModelError
from .part_file import part_path

STORE_VARIABLE = "MOTIONSEG_WEIGHTS"
MIRROR_VARIABLE = "MOTIONSEG_WEIGHTS_MIRROR"
TABLE = Path(__file__).with_name("weights.yaml")

State = Literal["present", "incomplete", "wrong size", "missing"]


class WeightsFile(BaseModel):
    """One row of the table; `weights.yaml` explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    file: str = Field(pattern=r"^\w[\w.-]*$")
    url: str = Field(pattern=r"^https?://")
    size: int | None = Field(gt=0)
    sha256: str | None = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    option: str

    @property
    def path(self) -> Path:
        """Where it lies, or would lie, in the store."""
        return store() / self.file

    @property
    def state(self) -> State:
        """What the store has of it; only sizes are compared, so this is cheap."""
        if self.path.is_file():
            return "present" if self.size in (None, self.path.stat().st_size) else "wrong size"
        return "incomplete" if part_path(self.path).is_file() else "missing"


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, WeightsFile]:
    """The table by name, in its order.

    Raises:
        ModelError: the table of this installation is damaged.
    """
    return read_table(TABLE)


def read_table(path: Path) -> dict[str, WeightsFile]:
    """Read a table of weights.

    Raises:
        ModelError: it cannot be read, or an entry is not as it must be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it holds no entries")
        rows = [_row(name, values) for name, values in content.items()]
        if len({row.file for row in rows}) < len(rows):
            raise ValueError("two entries have the same file")
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"the table of weights {path} is damaged: {reason}; install the package again"
        ) from error
    return {row.name: row for row in rows}


def find(name: str) -> WeightsFile:
    """The entry of that name.

    Raises:
        ModelError: there is none; the message names the nearest ones.
    """
    if name in catalogue():
        return catalogue()[name]
    near = difflib.get_close_matches(name, catalogue(), n=3, cutoff=0.5)
    advice = f"did you mean {' or '.join(near)}?" if near else "motionseg weights list tells the names"
    raise ModelError(f"no weights are called '{name}'; {advice}")


def store() -> Path:
    """The folder of the weights: `$MOTIONSEG_WEIGHTS`, else `motionseg_ros/weights` in the user's cache."""
    if chosen := os.environ.get(STORE_VARIABLE):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # A relative one must be ignored, says its specification.
    base = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return base / "motionseg_ros" / "weights"


def locate(name: str) -> Path:
    """The file of that name in the store, to be read by a stage.

    Raises:
        ModelError: no such name, or the file is missing or has another size than it must have.
    """
    entry = find(name)
    if entry.state == "present":
        return entry.path
    remedy = f"get it with: motionseg weights download {name}"
    if entry.state == "wrong size":
        raise ModelError(f"{entry.path} {misfit(entry)}; {remedy}")
    only = " (only a part of it is)" if entry.state == "incomplete" else ""
    raise ModelError(f"the weights {entry.file} are not in {store()}{only}; {remedy}")


def locate_all(names: Sequence[str]) -> dict[str, Path]:
    """`locate` for several names.

    Raises:
        ModelError: as `locate`; if more than one is missing, one error names them all.
    """
    missing = [name for name in names if find(name).state in ("missing", "incomplete")]
    if len(missing) > 1:
        raise ModelError(
            f"the weights {', '.join(missing)} are not in {store()}; "
            f"get them with: motionseg weights download {' '.join(missing)}"
        )
    return {name: locate(name) for name in names}


def misfit(entry: WeightsFile) -> str:
    """What is wrong with the size of a file in the store, as a predicate."""
    size = entry.path.stat().st_size
    kind = "it was cut short" if size < (entry.size or 0) else "it is another file"
    return f"has {size:,} bytes instead of {entry.size:,}: {kind}"


def source_url(entry: WeightsFile, mirror: str | None = None) -> str:
    """Where to download a file from: its own address, or `mirror` and its name.

    Raises:
        ConfigError: `mirror` is no http or https address.
    """
    if not mirror:
        return entry.url
    try:
        parts = urlsplit(mirror)
        usable = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"the mirror '{mirror}' must begin with http:// or https://; for weights in a folder, "
            f"set {STORE_VARIABLE} to it"
        )
    return f"{mirror.rstrip('/')}/{entry.file}"


def _row(name: object, values: object) -> WeightsFile:
    if not isinstance(name, str) or not isinstance(values, dict):
        raise ValueError(f"'{name}' is no entry")
    try:
        return WeightsFile.model_validate({"name": name, **values})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, (name, *first['loc'])))}: {first['msg'].lower()}") from None
