from __future__ import annotations

import numpy as np
import pytest

from motionseg_ros.core.by_id import find


@pytest.mark.parametrize(
    ("ids", "among", "known", "rows"),
    [
        ([1, 2, 3], [1, 2, 3], [1, 1, 1], [0, 1, 2]),
        ([3, 1, 2], [1, 2, 3], [1, 1, 1], [2, 0, 1]),
        ([10, 30, 20], [30, 10, 20], [1, 1, 1], [1, 0, 2]),
        ([5, 10, 99, 20], [30, 10, 20], [0, 1, 0, 1], [1, 2]),
        ([5], [], [0], []),
        ([], [3, 1], [], []),
        ([], [], [], []),
    ],
)
def test_where_each_is(ids, among, known, rows):
    found = find(np.array(ids, np.int64), np.array(among, np.int64))
    assert found[0].dtype == bool
    assert found[0].tolist() == [bool(one) for one in known]
    assert found[1].tolist() == rows


def test_whatever_the_order():
    rng = np.random.default_rng(0)
    for _ in range(20):
        among = rng.permutation(100)[:60].astype(np.int64)
        ids = rng.permutation(100)[:50].astype(np.int64)
        known, rows = find(ids, among)
        np.testing.assert_array_equal(among[rows], ids[known])
        assert not set(ids[~known]) & set(among)
