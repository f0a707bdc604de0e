"""Beside what `test_classifier` says of the released model."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (pip install .[models])")

import torch

from motionseg_ros.core.errors import ModelError
from motionseg_ros.trajectories.released import SegAnyMoClassifier, without_gaps

NAN = np.nan


class TestWithoutGaps:
    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            ([1, 2, 3], [1, 2, 3]),
            ([1, NAN, NAN, 4, NAN], [1, 1, 1, 4, 4]),
            ([NAN, NAN, 3, NAN, 5], [3, 3, 3, 3, 5]),
            ([NAN, NAN, 3], [3, 3, 3]),
            ([0, NAN, 2], [0, 0, 2]),
            ([NAN, NAN], [0, 0]),
            ([], []),
        ],
    )
    def test_has_the_last_number_before_or_the_first(self, row, expected):
        found = without_gaps(np.array([row], np.float32))
        assert found.tolist() == [expected]
        assert found.dtype == np.float32

    def test_rows_have_nothing_to_do_with_each_other(self):
        values = np.array([[NAN, 1], [2, NAN], [NAN, NAN]], np.float32)
        assert without_gaps(values).tolist() == [[1, 1], [2, 2], [0, 0]]
        assert np.isnan(values).sum() == 4

    def test_no_rows(self):
        assert without_gaps(np.zeros((0, 5), np.float32)).shape == (0, 5)


def test_out_of_memory(golden, golden_model, monkeypatch):
    def fail(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20 GiB")

    classify = SegAnyMoClassifier(golden_model)
    monkeypatch.setattr(golden_model, "forward", fail)
    with pytest.raises(ModelError, match=r"^cpu has not enough memory: track fewer points$"):
        classify(golden.tracks, golden.size, np.zeros((7, 6), np.float32), golden.semantics)
