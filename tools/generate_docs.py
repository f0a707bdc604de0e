"""Writes what is derived from the configuration model: docs/parameters.md, config/cpu.yaml and config/gpu.yaml.

python tools/generate_docs.py   (whenever motionseg_ros/core/config.py has changed; a test tells if it was forgotten)
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import yaml

from motionseg_ros.core.config import COMMANDS_ONLY, FIXED, Config, Option, options
from motionseg_ros.io.config_files import PROFILES

ROOT = Path(__file__).resolve().parent.parent

_REFERENCE_HEAD = """\
# Options

<!-- Written by tools/generate_docs.py from motionseg_ros/core/config.py: change that, not this. -->

The commands (`segment`, `bench`) and the node take the same options by the same dotted names.

| where | how |
|---|---|
| command | `--set window.stride=4`, as often as needed |
| command | `--config my.yaml`: a file with some or all options; the others keep their defaults |
| node | `--ros-args -p window.stride:=4` |
| node | `--ros-args --params-file my.yaml`, or the parameter `config` with the path of such a file |
| node that runs | `ros2 param set /motionseg window.stride 4`: begins with a fresh window |

[`config/cpu.yaml`](../config/cpu.yaml) holds all options with their defaults, [`config/gpu.yaml`](../config/gpu.yaml)
what the profile `gpu` changes; copy one and change what you need. A single option is written

```yaml
/**:
  ros__parameters:
    window:
      stride: 4
```

or, where ROS does not read the file, without the first two lines. On the node, single parameters win over the
file that `config` names. An unknown option or a value out of range is refused with the reason; what was used is in
`summary.json`.

Lengths in px are of the full image unless they say "working image": the input scaled down (never up) so that its
longer side is `image.working_size`.
"""

_NODE_TAIL = """\
## Parameters of the node only

| parameter | default | meaning |
|---|---|---|
| `autostart` | true | Configure and activate at once, without a lifecycle manager. |
| `config` | cpu | Profile (`cpu`, `gpu`) or YAML file with options. |
| `use_sim_time` | false | Take the time from `/clock`. |
| `qos_overrides.<topic>.publisher.<policy>` | | `reliability`, `durability`, `history` or `depth` of a result topic. |

Fixed when the node starts: {fixed}, `autostart` and `config`.

An option of the commands only, because the node always begins a fresh window: {commands_only}.
"""

_GPU_HEAD = """\
# The profile `gpu`: what it changes in the defaults. The options of its stages are in the groups `tapir`, `depth`,
# `semantics`, `classifier`, `sam2` and `prompting` of config/cpu.yaml, which has all options; its weights come with:
# motionseg weights download --config gpu
#
# Written by tools/generate_docs.py from motionseg_ros/io/config_files.py: change that, not this.
/**:
  ros__parameters:
"""

_YAML_HEAD = """\
# Every option with its default: the profile `cpu`. Copy this file and change what you need; what is left out keeps
# its default. For commands (--config FILE), for the node (--ros-args --params-file FILE, or config:=FILE of
# motionseg.launch.py).
#
# Written by tools/generate_docs.py from motionseg_ros/core/config.py: change that, not this.
/**:
  ros__parameters:
"""


def reference() -> str:
    """docs/parameters.md."""
    parts = [_REFERENCE_HEAD]
    for group, members in grouped():
        rows = [f"| `{o.name}` | {kind(o)} | {plain(o.default)} | {o.description} |" for o in members]
        header = "| option | values | default | meaning |\n|---|---|---|---|"
        parts.append(f"## {group}\n\n{purpose(group)}\n\n{header}\n" + "\n".join(rows) + "\n")
    parts.append(_NODE_TAIL.format(fixed=listed(FIXED), commands_only=listed(COMMANDS_ONLY)))
    return "\n".join(parts)


def profile() -> str:
    """config/cpu.yaml: plain and as a ROS parameter file at once."""
    lines = []
    for group, members in grouped():
        lines += ["", *comment(purpose(group), 4), f"    {group}:"]
        for option in members:
            lines += comment(f"{option.description} ({kind(option)})", 6)
            leaf = option.name.partition(".")[2]
            lines.append(f"      {leaf}: {scalar(option.default)}")
    return _YAML_HEAD + "\n".join(lines[1:]) + "\n"


def gpu_profile() -> str:
    """config/gpu.yaml."""
    lines = []
    changes = PROFILES["gpu"]
    for group in sorted({name.partition(".")[0] for name in changes}):
        lines.append(f"    {group}:")
        members = [name for name in changes if name.startswith(f"{group}.")]
        lines += [f"      {name.partition('.')[2]}: {scalar(changes[name])}" for name in members]
    return _GPU_HEAD + "\n".join(lines) + "\n"


def grouped() -> Iterator[tuple[str, list[Option]]]:
    """The options by group, in the order of declaration."""
    for group, members in groupby(options(), lambda option: option.name.partition(".")[0]):
        yield group, list(members)


def purpose(group: str) -> str:
    """What a group is for: the docstring of its model."""
    return " ".join(Config.model_fields[group].annotation.__doc__.split())


def kind(option: Option) -> str:
    """Type and allowed values, e.g. "integer in [4, 64]" or "raw, compressed"."""
    if option.choices:
        return ", ".join(option.choices)
    name = {int: "integer", float: "number", bool: "true or false", str: "text"}[option.type]
    (low, low_excluded), (high, high_excluded) = limit(option, "ge", "gt"), limit(option, "le", "lt")
    if low is None and high is None:
        return name
    left = "(-inf" if low is None else f"{'(' if low_excluded else '['}{plain(low)}"
    right = "inf)" if high is None else f"{plain(high)}{')' if high_excluded else ']'}"
    return f"{name} in {left}, {right}"


def limit(option: Option, inclusive: str, exclusive: str) -> tuple[float | None, bool]:
    """One end of the range, or None, and whether that end itself is not allowed."""
    group, leaf = option.name.split(".")
    for constraint in Config.model_fields[group].annotation.model_fields[leaf].metadata:
        for name in (inclusive, exclusive):
            value = getattr(constraint, name, None)
            if value is not None:
                return value, name == exclusive
    return None, False


def plain(value: object) -> str:
    """A value for people."""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value).lower() if isinstance(value, bool) else str(value)


def scalar(value: object) -> str:
    """A value for YAML: numbers without exponent (YAML 1.1 takes 1e-4 for a text), floats with a decimal point."""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="0")
    return yaml.safe_dump(value).splitlines()[0]


def comment(text: str, indent: int) -> list[str]:
    """Lines of a YAML comment, at most 110 characters each."""
    return [f"{' ' * indent}# {line}" for line in textwrap.wrap(text, 108 - indent)]


def listed(names: tuple[str, ...]) -> str:
    """Names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


FILES = {"docs/parameters.md": reference, "config/cpu.yaml": profile, "config/gpu.yaml": gpu_profile}
"""Generated files, relative to the repository, and what makes their text."""


def main() -> None:
    for name, make in FILES.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(make(), encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
