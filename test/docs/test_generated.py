"""What is derived from the configuration model is up to date and can be used."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import yaml

from motionseg_ros.core.config import Config, options
from motionseg_ros.io.config_files import load_config


@pytest.fixture(scope="module")
def generator(request):
    path = request.config.rootpath / "tools" / "generate_docs.py"
    specification = importlib.util.spec_from_file_location("generate_docs", path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


@pytest.mark.parametrize("name", ["docs/parameters.md", "config/cpu.yaml", "config/gpu.yaml"])
def test_files_are_current(generator, root, name):
    current = (root / name).read_text(encoding="utf-8")
    assert current == generator.FILES[name](), f"{name} is out of date: run python tools/generate_docs.py"


def test_the_profile_equals_the_defaults(root):
    assert load_config(str(root / "config" / "cpu.yaml")) == load_config("cpu") == Config()


def test_the_gpu_profile_equals_its_file(root):
    assert load_config(str(root / "config" / "gpu.yaml")) == load_config("gpu") != Config()


def test_the_profile_has_every_option_with_its_type(root):
    ((_, wrapped),) = yaml.safe_load((root / "config" / "cpu.yaml").read_text()).items()
    groups = wrapped["ros__parameters"]
    found = {f"{group}.{leaf}": value for group, leaves in groups.items() for leaf, value in leaves.items()}
    assert found == {option.name: option.default for option in options()}
    for option in options():
        assert type(found[option.name]) is option.type, option.name


def test_ros_reads_the_profile(root):
    """Its own parser (not PyYAML) gives every option the declared type."""
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    context = rclpy.Context()
    arguments = ["--ros-args", "--params-file", str(root / "config" / "cpu.yaml")]
    rclpy.init(args=arguments, context=context)
    try:
        node = rclpy.create_node(
            "any_name", context=context, automatically_declare_parameters_from_overrides=True
        )
        values = {option.name: node.get_parameter(option.name).value for option in options()}
        node.destroy_node()
    finally:
        rclpy.shutdown(context=context)
    assert values == {option.name: option.default for option in options()}
    assert {name: type(value) for name, value in values.items()} == {o.name: o.type for o in options()}


def test_an_end_that_is_not_allowed_is_marked(generator):
    kinds = {option.name: generator.kind(option) for option in options()}
    assert kinds["source.max_gap"].startswith("number in (0, ")
    assert kinds["tracker.min_corner"].startswith("number in [0, ")
    assert kinds["node.reliability"] == "best_available, reliable, best_effort"


@pytest.mark.parametrize(
    ("value", "text"), [(1e-4, "0.0001"), (900.0, "900.0"), (True, "true"), (16, "16"), ("raw", "raw")]
)
def test_values_are_written_so_that_yaml_keeps_their_type(generator, value, text):
    assert generator.scalar(value) == text
    assert yaml.safe_load(text) == value
    assert type(yaml.safe_load(text)) is type(value)
