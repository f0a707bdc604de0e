"""Work that goes on beside other work: one function in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Runs `function` in a thread from now on. NumPy and OpenCV leave the interpreter to others while they compute."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._value: T | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="aside", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """What the function returned, as soon as it has; an error of the function is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
