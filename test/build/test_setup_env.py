"""tools/setup_env.py: what it repeats, and what it says when it cannot work."""

import importlib.util
import stat
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def tool(repository, tmp_path, monkeypatch):
    """The script as a module, for a small repository of its own; steps are recorded, not done."""
    spec = importlib.util.spec_from_file_location("setup_env", repository / "tools" / "setup_env.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    venv = tmp_path / ".venv"
    for name, value in {
        "ROOT": tmp_path,
        "VENV": venv,
        "VENV_PYTHON": venv / "python",
        "LOG": venv / "setup.log",
        "STAMP": venv / "setup.json",
    }.items():
        monkeypatch.setattr(module, name, value)
    (tmp_path / "pyproject.toml").write_text("[project]")
    (tmp_path / "msg").mkdir()
    (tmp_path / "msg" / "A.msg").write_text("bool a")

    module.steps = []

    def create_venv():
        module.steps.append("venv")
        venv.mkdir(exist_ok=True)
        module.VENV_PYTHON.touch()

    monkeypatch.setattr(module, "create_venv", create_venv)
    monkeypatch.setattr(
        module, "install_packages", lambda extras: module.steps.append(f"packages {extras}".strip())
    )
    monkeypatch.setattr(module, "build_interfaces", lambda: module.steps.append("interfaces"))
    monkeypatch.setattr(module, "check_machine", lambda: None)
    return module


def steps_of_another_call(tool) -> list[str]:
    tool.steps.clear()
    assert tool.main() == 0
    return tool.steps


def test_nothing_is_repeated_without_a_change(tool):
    assert steps_of_another_call(tool) == ["venv", "packages", "interfaces"]
    assert steps_of_another_call(tool) == []


@pytest.mark.parametrize(
    ("changed", "steps"),
    [
        ("msg/A.msg", ["interfaces"]),
        ("msg/B.msg", ["interfaces"]),
        ("constraints.txt", ["packages", "interfaces"]),
        (".venv/setup.json", ["venv", "packages", "interfaces"]),
    ],
)
def test_a_change_repeats_what_depends_on_it(tool, tmp_path, changed, steps):
    steps_of_another_call(tool)
    (tmp_path / changed).write_text("{}")
    assert steps_of_another_call(tool) == steps


def test_what_was_asked_for_once_stays(tool, tmp_path):
    steps_of_another_call(tool)
    tool.steps.clear()
    assert tool.main(["train"]) == 0
    assert tool.steps == ["packages train", "interfaces"]
    assert steps_of_another_call(tool) == []
    (tmp_path / "constraints.txt").write_text("numpy")
    assert steps_of_another_call(tool) == ["packages train", "interfaces"]


def test_a_moved_checkout_gets_a_new_environment(tool, monkeypatch):
    steps_of_another_call(tool)
    tool.STAMP.write_text(tool.STAMP.read_text().replace(str(tool.VENV), "/elsewhere/.venv"))
    assert steps_of_another_call(tool) == ["venv", "packages", "interfaces"]


def test_an_interrupted_setup_starts_anew(tool, tmp_path, monkeypatch):
    steps_of_another_call(tool)
    (tmp_path / "constraints.txt").write_text("numpy")
    with monkeypatch.context() as patch:

        def interrupted(extras):
            raise KeyboardInterrupt

        patch.setattr(tool, "install_packages", interrupted)
        assert tool.main() == 130
    assert steps_of_another_call(tool) == ["venv", "packages", "interfaces"]


def test_a_failing_step_shows_the_end_of_the_log(tool, capsys, monkeypatch):
    script = "print('reason', 6 * 7); raise SystemExit(3)"
    monkeypatch.setattr(tool, "build_interfaces", lambda: tool.run("building", sys.executable, "-c", script))
    assert tool.main() == 1
    error = capsys.readouterr().err
    assert "building failed" in error
    assert "reason 42" in error
    assert not tool.STAMP.exists()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("3 9 True True", "is Python 3.9: install Python 3.10 to 3.13"),
        ("3 14 True True", "is Python 3.14: install Python 3.10 to 3.13"),
        ("3 12 False True", "lacks the venv module: apt install python3.12-venv"),
        ("3 12 True False", "lacks its C headers: apt install python3.12-dev"),
    ],
)
def test_unusable_python_is_explained_in_one_line(tool, tmp_path, monkeypatch, answer, complaint):
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\necho {answer}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(tool, "CANDIDATES", (str(python),))
    with pytest.raises(tool.SetupError) as raised:
        tool.find_python()
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_compiler_is_explained_in_one_line(copy_repository, tmp_path):
    source = copy_repository(tmp_path / "source")
    nothing = tmp_path / "empty"
    nothing.mkdir()
    result = subprocess.run(
        [sys.executable, source / "tools" / "setup_env.py"],
        env={"PATH": str(nothing), "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines() == ["setup: no C compiler found: install one (apt install g++)"]
    assert not Path(source, ".venv").exists()
