"""Names, numbers, links and pictures in the documentation are those of the package."""

from __future__ import annotations

import ast
import re

import pytest

from motionseg_ros.core.config import Config, option_names

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere(document):
    for target in LINK.findall(document.prose):
        if target.startswith("http"):
            continue
        name, _, fragment = target.partition("#")
        path = document.path.parent / name if name else document.path
        assert path.exists(), target
        if fragment:
            assert fragment in map(anchor, HEADING.findall(path.read_text(encoding="utf-8"))), target


def test_options_exist(document):
    groups = tuple(f"{group}." for group in Config.model_fields)
    for span in document.spans:
        if re.fullmatch(r"[a-z_]+\.[a-z_]+", span) and span.startswith(groups):
            assert span in option_names(), span


def test_pictures_are_small(root):
    pictures = [path for path in (root / "docs" / "images").iterdir() if path.is_file()]
    assert pictures
    for path in pictures:
        assert path.suffix in (".jpg", ".png"), path
        assert path.stat().st_size < 300_000, path


def test_constants_are_those_of_the_code(read_document, root):
    values: dict[str, set[float]] = {}
    for folder in ("core", "tracking", "trajectories", "prompting", "masks"):
        for path in (root / "motionseg_ros" / folder).glob("*.py"):
            for name, value in constants(ast.parse(path.read_text(encoding="utf-8"))):
                values.setdefault(name, set()).add(value)
    quoted = re.findall(r"`([A-Z][A-Z_]+)` = (-?[\d.]*\d)", read_document("docs/method.md").text)
    assert len(quoted) > 10
    for name, text in quoted:
        assert name in values, name
        assert any(float(text) == pytest.approx(value) for value in values[name]), f"{name} is {values[name]}"


def constants(tree: ast.Module) -> list[tuple[str, float]]:
    """Numbers given to names in capitals in a module."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                value = ast.literal_eval(node.value)
            except ValueError:
                continue
            if isinstance(value, (int, float)):
                found.append((node.targets[0].id, float(value)))
    return found


def test_every_diagnostics_key_is_explained(read_document):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from builtin_interfaces.msg import Time

    from motionseg_ros.ros.diagnostics import diagnostics_message
    from motionseg_ros.ros.parameters import stages
    from motionseg_ros.ros.statistics import Counts, Snapshot

    now = Snapshot(Counts(), 0, 0, None, None, {"track": 1.0}, {"mask": 1}, {}, 0)
    message = diagnostics_message(
        "motionseg", Time(), "active", "/image", stages(Config()), now, Counts(), 2.0
    )
    keys = {pair.key for pair in message.status[0].values}
    document = read_document("docs/topics.md")
    table = document.text.partition("| key |")[2]
    explained = set(
        re.findall(
            r"`([^`]+)`", "".join(line.split("|")[1] for line in table.splitlines() if "|" in line[1:])
        )
    )
    patterns = [re.escape(key).replace(re.escape("<"), "<") for key in explained]
    patterns = [re.sub(r"<\w+>", ".+", pattern) for pattern in patterns]
    for key in keys:
        assert any(re.fullmatch(pattern, key) for pattern in patterns), f"{key} is not in docs/topics.md"
    for key, pattern in zip(explained, patterns, strict=True):
        assert any(re.fullmatch(pattern, real) for real in keys), f"{key} is explained, but not reported"
