"""The configuration model as ROS parameters."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ..core.config import COMMANDS_ONLY, FIXED, Config, NodeConfig, Option, options
from ..core.errors import ConfigError
from ..io.config_files import load_config

_ROS_OWN = ("use_sim_time", "start_type_description_service", "qos_overrides.", "autostart", "config")
_INT64 = (-(2**63), 2**63 - 1)


def node_options() -> list[Option]:
    """The options that are parameters of the node."""
    return [option for option in options() if option.name not in COMMANDS_ONLY]


def declare_all(node: Node) -> tuple[bool, Config]:
    """Declare `autostart`, `config` and every option.

    Returns:
        Whether the node shall start by itself, and the configuration.

    Raises:
        ConfigError: an override, profile or file that cannot be used.
    """
    text = "Configure and activate at once, without a lifecycle manager."
    autostart = _declare_fixed(node, "autostart", True, text)
    profile = _declare_fixed(node, "config", "cpu", "Profile (cpu, gpu) or YAML file with options.")
    config = declare(node, load_config(profile))
    for line in unknown_overrides(list(getattr(node, "_parameter_overrides", {}))):
        node.get_logger().warning(line)
    return autostart, _for_live(config)


def changed(config: Config, changes: Sequence[Parameter]) -> tuple[list[str], Config]:
    """The options among some parameters, and the configuration with their values.

    Raises:
        ConfigError: a value that the configuration does not take, with the reason.
    """
    known = {option.name for option in node_options()}
    values = {change.name: change.value for change in changes if change.name in known}
    return sorted(values), _for_live(with_parameters(config, values))


def pipeline(config: Config) -> Config:
    """What the segmenter is built from: everything but the options of the node itself."""
    return config.model_copy(update={"node": NodeConfig()})


def stages(config: Config) -> dict[str, str]:
    """The implementation chosen for each stage."""
    values = flatten(config)
    own = ("node.", "source.", *(() if config.masker.name == "sam2" else ("sam2.",)))
    return {o.name: values[o.name] for o in options() if o.choices and not o.name.startswith(own)}


def declare(node: Node, base: Config) -> Config:
    """Declare every option with its value in `base` as the default; overrides from outside win.

    Returns:
        The resulting configuration.

    Raises:
        ConfigError: an override of a wrong type, out of range or not among the choices.
    """
    defaults = flatten(base)
    for option in node_options():
        try:
            node.declare_parameter(option.name, to_ros(option, defaults[option.name]), descriptor(option))
        except ParameterException as error:
            raise _refused(option.name, error) from None
    values = {option.name: node.get_parameter(option.name).value for option in node_options()}
    return with_parameters(base, values)


def _declare_fixed(node: Node, name: str, default: Any, description: str) -> Any:
    try:
        described = ParameterDescriptor(description=description, read_only=True)
        return node.declare_parameter(name, default, described).value
    except ParameterException as error:
        raise _refused(name, error) from None


def _for_live(config: Config) -> Config:
    return config.with_values({"source.on_discontinuity": "restart"})


def _refused(name: str, error: ParameterException) -> ConfigError:
    """rclpy's refusal of a parameter without what it says twice."""
    reason = str(error).removesuffix(f": {name}").partition("Reason: ")
    return ConfigError(f"parameter {name}: {reason[2] or reason[0]}")


def with_parameters(config: Config, values: dict[str, Any]) -> Config:
    """`config` with parameter values in their places.

    Raises:
        ConfigError: a value that the configuration does not take, with the reason.
    """
    known = {option.name: option for option in node_options()}
    for name, value in values.items():
        if known[name].type is float and (
            isinstance(value, bool) or not isinstance(value, (int, float, type(None)))
        ):
            raise ConfigError(f"parameter: {name} must be a number, but got {value!r}")
    return config.with_values({name: from_ros(known[name], v) for name, v in values.items()}, "parameter")


def descriptor(option: Option) -> ParameterDescriptor:
    """Description, range and choices of one option."""
    result = ParameterDescriptor(
        description=option.description,
        read_only=option.name in FIXED,
        # Lets people write 2 where 2.0 is meant.
        dynamic_typing=option.type is float or (option.default is None and option.type is not str),
    )
    if option.choices:
        result.additional_constraints = f"One of: {', '.join(option.choices)}"
    if option.minimum is None and option.maximum is None:
        return result
    if option.type is int:
        low = _INT64[0] if option.minimum is None else int(option.minimum)
        high = _INT64[1] if option.maximum is None else int(option.maximum)
        result.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif option.type is float:
        low = -sys.float_info.max if option.minimum is None else float(option.minimum)
        high = sys.float_info.max if option.maximum is None else float(option.maximum)
        result.floating_point_range = [FloatingPointRange(from_value=low, to_value=high, step=0.0)]
    return result


def to_ros(option: Option, value: Any) -> Any:
    """ROS has no empty value for texts: it is the empty text."""
    if value is None and option.type is str:
        return ""
    return value


def from_ros(option: Option, value: Any) -> Any:
    """The inverse of `to_ros`."""
    if option.type is str and option.default is None and value == "":
        return None
    return value


def flatten(config: Config) -> dict[str, Any]:
    """Dotted option names and their values."""
    nested = config.model_dump()
    result = {}
    for option in options():
        value: Any = nested
        for part in option.name.split("."):
            value = value[part]
        result[option.name] = value
    return result


def unknown_overrides(names: list[str]) -> list[str]:
    """One line for each parameter given from outside that does not exist; ROS would say nothing."""
    known = [option.name for option in node_options()]
    lines = []
    for name in names:
        if name in known or name in COMMANDS_ONLY or name.startswith(_ROS_OWN):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else "; `ros2 param list` shows those that exist"
        lines.append(f"parameter '{name}' does not exist and is ignored{hint}")
    return lines
