"""Objects of the user's choice, from files: points in YAML or JSON, masks as label images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from ..core.errors import PromptError
from ..core.types import Frame, FrameResult, Prompts
from .passes import Segmenter

Choices = dict[int, list[Prompts]]
"""Prompts of new objects by the number of the frame that they are about, from 0."""


class _Entry(BaseModel):
    """One object in a file of points."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    points: list[tuple[float, float]] = Field(min_length=1)
    labels: list[int] | None = None
    frame: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> _Entry:
        if self.labels is not None and len(self.labels) != len(self.points):
            raise ValueError(f"{len(self.points)} points have {len(self.labels)} labels")
        if any(label not in (0, 1) for label in self.labels or ()):
            raise ValueError("a label must be 1 (on the object) or 0 (off it)")
        if not any(self.labels or [1]):
            raise ValueError("at least one point must lie on the object (label 1)")
        return self

    def prompts(self) -> Prompts:
        labels = self.labels or [1] * len(self.points)
        return Prompts(np.array(self.points, np.float32), np.array(labels, np.int8))


def read_points(path: Path) -> Choices:
    """Read points on objects, YAML or JSON: a list with an entry per object.

    Each entry has `points`, a list of [x, y] in px of the image; `labels`, 1 for a point on the object and 0 for one
    off it, all 1 if left out; and `frame`, the number of the frame they are in, 0 if left out.

    Raises:
        PromptError: the file cannot be read, or an entry is not as it must be.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = TypeAdapter(list[_Entry]).validate_python(content)
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ").removesuffix(" or instance of _Entry").lower()
        raise PromptError(f"{path}: {place + ': ' if place else ''}{reason}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date that there is not
        raise PromptError(f"{path} is neither YAML nor JSON: {' '.join(str(error).split())}") from error
    if not entries:
        raise PromptError(f"{path} has no points; give a list of objects, e.g. [{{points: [[320, 240]]}}]")
    choices: Choices = {}
    for entry in entries:
        choices.setdefault(entry.frame, []).append(entry.prompts())
    return choices


def read_mask(path: Path) -> Choices:
    """Read masks of objects in the first frame: an image in which each value but 0 is an object.

    Raises:
        PromptError: the file cannot be read, has colours, or shows nothing.
    """
    if not path.is_file():
        raise PromptError(f"{path}: no such file")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise PromptError(f"{path} is not an image")
    if image.ndim != 2:
        raise PromptError(f"{path} has colours; give a mask with one channel, each value but 0 an object")
    values = np.unique(image[image > 0])
    if len(values) == 0:
        raise PromptError(f"{path} shows nothing: all its pixels are 0")
    return {0: [Prompts(np.zeros((0, 2), np.float32), np.zeros(0, np.int8), mask=image == v) for v in values]}


class Choosing:
    """A segmenter that is told of the user's objects in their frames."""

    def __init__(self, segmenter: Segmenter, choices: Choices) -> None:
        self._segmenter = segmenter
        self._choices = choices
        self._frame = 0

    def push(self, frame: Frame) -> FrameResult:
        """The result for the next frame.

        Raises:
            PromptError: a choice that cannot be used; it names the frame.
        """
        number, self._frame = self._frame, self._frame + 1
        choices = self._choices.get(number, [])
        try:
            return self._segmenter.push(frame, choices)
        except PromptError as error:
            raise PromptError(f"frame {number}: {error}") from None

    @property
    def left(self) -> list[int]:
        """Frames with choices that have not come."""
        return sorted(number for number in self._choices if number >= self._frame)
