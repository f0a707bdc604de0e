from __future__ import annotations

import pytest

from motionseg_ros.core import errors


@pytest.mark.parametrize(
    "kind",
    [errors.ConfigError, errors.SourceError, errors.FrameError, errors.OutputError, errors.EvaluationError],
)
def test_one_except_clause_catches_all_of_them(kind):
    with pytest.raises(errors.MotionSegError, match=r"^the text$"):
        raise kind("the text")


def test_a_bad_frame_is_a_failure_of_its_source():
    assert issubclass(errors.FrameError, errors.SourceError)
