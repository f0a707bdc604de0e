"""Every command line in the documentation is one that the programs take."""

from __future__ import annotations

import ast
import re
import shlex

import pytest
import typer

from motionseg_ros.cli.main import app
from motionseg_ros.core.config import option_names
from motionseg_ros.io.config_files import load_config

PROGRAM = re.compile(r"^(?:\.venv/bin/|ros2 run motionseg_ros )?motionseg (?=[a-z])")


@pytest.fixture(scope="module")
def commands():
    """The commands by name, as typer has them."""
    return typer.main.get_command(app).commands


def parse(commands, line: str) -> None:
    """Raises where the command line would be refused; runs nothing."""
    name, *arguments = shlex.split(PROGRAM.sub("", line), comments=True)
    assert name in commands, f"no command {name}: {line}"
    command = commands[name]
    while arguments and (group := getattr(command, "commands", None)):
        name, *arguments = arguments
        assert name in group, f"no command {name}: {line}"
        command = group[name]
    if arguments and arguments != ["..."]:
        command.make_context(name, list(arguments))


def every(commands):
    """All commands, those in groups too."""
    for command in commands.values():
        yield command
        yield from every(getattr(command, "commands", {}))


def test_commands_of_the_package(document, commands):
    for line in document.shell_lines():
        if PROGRAM.match(line) and not mentions_only(line):
            parse(commands, line)


def mentions_only(line: str) -> bool:
    """`motionseg segment` or `motionseg play --restamp` in a sentence: options that exist, but no arguments."""
    words = line.split()
    return all(word.startswith("--") for word in words[2:])


def test_options_named_in_sentences(document, commands):
    known = {name for command in every(commands) for p in command.params for name in p.opts} | {"--help"}
    for line in document.spans:
        if PROGRAM.match(line) and mentions_only(line):
            words = PROGRAM.sub("", line).split()
            own = {name for p in commands[words[0]].params for name in p.opts}
            assert set(words[1:]) <= own, line
        elif re.fullmatch(r"--[a-z][a-z-]*", line):
            assert line in known | {"--ros-args"}, line


def test_the_test_would_notice(commands):
    for line in (
        "motionseg segment a.mcap -o out --offlin",
        "motionseg segment a.mcap",
        "motionseg bench --frames x",
        "motionseg weights download --mirrors x",
        "motionseg weights fetch x",
    ):
        with pytest.raises(Exception, match=r"(?i)no such option|missing|integer|no command"):
            parse(commands, line)


def test_overrides_can_be_used(document):
    for line in document.shell_lines():
        load_config("cpu", re.findall(r"--set ([\w.]+=\S+)", line))
        for name in re.findall(r"-p ([\w.]+):=", line):
            assert name in (*option_names(), "config", "autostart", "use_sim_time"), line
        for name in re.findall(r"ros2 param set /motionseg ([\w.]+) ", line):
            assert name in option_names(), line


def test_make_targets_exist(document, root):
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    for line in document.shell_lines():
        if match := re.match(r"make ([a-z]+)$", line):
            assert match[1] in targets, line


def test_launch_files_take_these_arguments(document, root):
    for line in document.shell_lines():
        if not line.startswith("ros2 launch motionseg_ros "):
            continue
        _, _, _, file, *arguments = shlex.split(line)
        calls = ast.walk(ast.parse((root / "launch" / file).read_text()))
        declared = {
            call.args[0].value
            for call in calls
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "DeclareLaunchArgument"
        }
        assert {argument.partition(":=")[0] for argument in arguments} <= declared, line
