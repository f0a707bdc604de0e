"""Configurations from profiles, YAML files and ``--set``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..core.config import Config, option_names, set_nested
from ..core.errors import ConfigError

PROFILES: Mapping[str, Mapping[str, Any]] = {
    "cpu": {},
    "gpu": {
        # Segment Any Motion was trained on long trajectories, and describes only what begins in query frames.
        "window.length": 24,
        "window.stride": 4,
        "tracker.name": "tapir",
        "depth.name": "depth_anything",
        "semantics.name": "dinov2",
        "classifier.name": "seganymo",
        "classifier.depth_mode": "reference",
        "masker.name": "sam2",
        "grouping.name": "prompting",
        "prompting.min_confidence": 0.9,
    },
}
"""What each profile changes in the defaults, by dotted option name."""

_ROS_PARAMETERS = "ros__parameters"
# Parameters that a node has besides its options; a ROS parameter file may hold them.
_ROS_ONLY = ("use_sim_time", "autostart", "start_type_description_service", "qos_overrides")


def load_config(profile_or_path: str | None = None, overrides: Iterable[str] = ()) -> Config:
    """The configuration of a profile or a file, with single options replaced.

    Args:
        profile_or_path: a profile's name, a YAML file (plain, or a ROS parameter file), or None for ``cpu``.
        overrides: ``key=value`` each, with a dotted option name and a YAML scalar.

    Raises:
        ConfigError: a profile, file, option or value that cannot be used.
    """
    config = _base(profile_or_path if profile_or_path is not None else "cpu")
    values: dict[str, Any] = {}
    texts = list(overrides)
    for text in texts:
        name, value = _parse_override(text)
        set_nested({}, name, value, origin=f"--set {text}")
        values[name] = value
    # All at once: one may be right only together with another.
    return config.with_values(values, origin=f"--set {' --set '.join(texts)}") if values else config


def _base(name: str) -> Config:
    if name in PROFILES:
        return Config().with_values(dict(PROFILES[name]), origin=f"profile {name}")
    path = Path(name)
    if path.is_file():
        return Config().with_values(_read(path), origin=str(path))
    if path.suffix in (".yaml", ".yml") or path.name != name or path.exists():
        raise ConfigError(
            f"--config {name}: {'no such file' if not path.exists() else 'is no file'}; check the path"
        )
    raise ConfigError(
        f"--config {name}: unknown profile; choose {' or '.join(PROFILES)}, or give a YAML file"
    )


def _parse_override(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise ConfigError(f"--set {text}: must be an option and a value, e.g. --set window.stride=2")
    try:
        # Nothing behind the sign is the empty text, e.g. for a path; YAML calls it null.
        return name.strip(), yaml.safe_load(value) if value.strip() else ""
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {text}: the value is no YAML scalar ({_problem(error)}); quote it"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    """The options in a YAML file by dotted name."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: no valid YAML ({_problem(error)}); mend the file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a YAML file") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: must hold groups of options, e.g. 'window:', but holds a {type(content).__name__}"
        )
    wrapped = _ros_parameters(content)
    if wrapped is None:
        return _flatten(content, path)
    return {
        name: value
        for name, value in _flatten(wrapped, path).items()
        if name.partition(".")[0] not in _ROS_ONLY
    }


def _ros_parameters(content: Mapping[Any, Any]) -> dict[Any, Any] | None:
    """All ``ros__parameters`` below node names and namespaces, merged; None where there are none."""
    merged: dict[Any, Any] | None = None
    for key, value in content.items():
        if not isinstance(value, dict):
            continue
        inner = value if key == _ROS_PARAMETERS else _ros_parameters(value)
        if inner is not None:
            merged = {**(merged or {}), **inner}
    return merged


def _flatten(content: Mapping[Any, Any], path: Path, prefix: str = "") -> dict[str, Any]:
    """Nested groups as dotted names; an empty group holds no options."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        is_group = any(option.startswith(f"{name}.") for option in option_names())
        if isinstance(value, dict):
            flat.update(_flatten(value, path, f"{name}."))
        elif is_group and value is not None:
            raise ConfigError(
                f"{path}: {name} is a group of options, but got {value!r}; put its options below it"
            )
        elif not is_group:
            flat[name] = value
    return flat


def _problem(error: yaml.YAMLError) -> str:
    """Line and problem of a YAML error, in one line."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    return problem if mark is None else f"line {mark.line + 1}: {problem}"
