from __future__ import annotations

import pytest

from motionseg_ros.core.config import Config
from motionseg_ros.core.errors import ConfigError
from motionseg_ros.io.config_files import load_config


@pytest.mark.parametrize("name", [None, "cpu"])
def test_the_cpu_profile_is_the_default(name):
    assert load_config(name) == Config()


@pytest.mark.parametrize(
    "text",
    [
        "window: {stride: 2, length: 8}\nsource: {on_discontinuity: restart}\n",
        "window.stride: 2\nwindow:\n  length: 8\nsource.on_discontinuity: restart\n",
        "/**:\n  ros__parameters:\n    use_sim_time: true\n    autostart: false\n    window: {stride: 2, length: 8}\n"
        "    source.on_discontinuity: restart\n",
        "/robot:\n  motionseg:\n    ros__parameters:\n      window: {stride: 2, length: 8}\n"
        "/**:\n  ros__parameters:\n    source: {on_discontinuity: restart}\n",
    ],
)
def test_plain_and_ros_files_mean_the_same(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    config = load_config(str(path))
    assert (config.window.stride, config.window.length) == (2, 8)
    assert config.source.on_discontinuity == "restart"
    assert config.node == Config().node


def test_an_empty_file_or_group_changes_nothing(tmp_path):
    path = tmp_path / "mine.yaml"
    for text in ("", "window:\n"):
        path.write_text(text)
        assert load_config(str(path)) == Config()


def test_overrides_go_over_the_file_and_the_last_one_counts(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("window: {stride: 2}")
    config = load_config(str(path), ["window.stride=3", "window.stride=5", "source.max_gap=1e-1"])
    assert config.window.stride == 5
    assert config.source.max_gap == pytest.approx(0.1)


@pytest.mark.parametrize("override", ["sam2.weights=", "sam2.weights= ", "sam2.weights=''"])
def test_nothing_behind_the_sign_is_the_empty_text(tmp_path, override):
    """So a file's path can be taken back, and the store's file is used."""
    path = tmp_path / "mine.yaml"
    path.write_text("sam2: {weights: /old/sam2.pt}\nclassifier: {weights: mine.safetensors}")
    assert load_config(str(path)).sam2.weights == "/old/sam2.pt"
    config = load_config(str(path), [override])
    assert config.sam2.weights == ""
    assert config.classifier.weights == "mine.safetensors"


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("window.stride", "must be an option and a value"),
        ("=3", "must be an option and a value"),
        ("window.strid=3", "unknown option 'window.strid'; did you mean window.stride"),
        ("window=3", "unknown option 'window'"),
        ("window.stride=many", "window.stride: .*but got 'many'"),
        ("window.stride=0", "window.stride: .*but got 0 .allowed: 1"),
        ("window.stride=", "window.stride: .*but got ''"),
        ("window.stride= ", "window.stride: .*but got ''"),
        ("window.stride=null", "window.stride: .*but got None"),
        ("masker.name=", "masker.name must be one of .*but got ''"),
        ("window.stride=[1", "no YAML scalar"),
        ("source.on_discontinuity=maybe", "must be one of error, restart"),
    ],
)
def test_bad_overrides_are_named(override, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        load_config(None, [override])
    assert f"--set {override}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("window: {stride: 2", r"no valid YAML \(line 1: .*\)"),
        ("window:\n  stride: 2\n bad", r"no valid YAML \(line \d"),
        ("- 1", "must hold groups of options"),
        ("window: 3", "window is a group of options"),
        ("windows: {stride: 3}", "unknown option 'windows.stride'"),
        ("window: {stride: fast}", "window.stride"),
        ("use_sim_time: true", "unknown option 'use_sim_time'"),
    ],
)
def test_bad_files_are_named(tmp_path, text, reason):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_config(str(path))
    assert "mine.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("turbo", "unknown profile; choose cpu or gpu, or give a YAML file"),
        ("gone.yaml", "no such file"),
        ("folder/turbo", "no such file"),
    ],
)
def test_unknown_profiles_and_missing_files(name, reason):
    with pytest.raises(ConfigError, match=reason):
        load_config(name)
