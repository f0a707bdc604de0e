"""The documentation as text, and what is written as code in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


class Document:
    """One Markdown file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.blocks = _BLOCK.findall(self.text)
        """(language, content) of each fenced block."""
        self.prose = _BLOCK.sub("", self.text)
        self.spans = _SPAN.findall(self.prose)
        """Contents of `code`."""

    def shell_lines(self) -> list[str]:
        """Commands: the lines of bash blocks, and what looks like one in the text."""
        lines = [
            line for language, content in self.blocks if language == "bash" for line in content.splitlines()
        ]
        return [line.strip() for line in (*lines, *self.spans) if line.strip()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a `document` runs once for each."""
    if "document" in metafunc.fixturenames:
        metafunc.parametrize("document", [Document(path) for path in DOCUMENTS], ids=lambda d: d.path.name)


@pytest.fixture
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture
def read_document():
    """``read_document("docs/topics.md")``."""
    return lambda name: Document(ROOT / name)
