"""Everything here needs torch."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """For every test here."""
