"""Files that appear whole or not at all, and operating-system errors told in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core.errors import OutputError

_REMEDIES = {
    errno.ENOSPC: "free some space or choose another place",
    errno.EDQUOT: "free some space or choose another place",
    errno.EFBIG: "choose a place with a larger file-size limit",
    errno.ENOTDIR: "a file is in the way; choose another place",
    errno.EEXIST: "a file is in the way; choose another place",
    errno.EISDIR: "a folder is in the way; choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
}


@contextmanager
def writing(path: Path, choose_with: str = "-o") -> Iterator[None]:
    """Turn an `OSError` raised inside into an `OutputError` that names `path` and the remedy.

    `choose_with` is the option or variable with which the user chooses the place.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "choose a place that you may write to")
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"cannot write {path}: {reason}; {remedy} with {choose_with}") from error


def part_path(path: Path) -> Path:
    """The hidden name in the same folder under which `path` grows until it is whole."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def write_atomic(path: Path, data: bytes) -> None:
    """Write a whole file under a temporary name beside `path`, then rename it.

    Raises:
        OutputError: the file cannot be written; `path` is then as it was before.
    """
    part = part_path(path)
    with writing(path):
        try:
            part.write_bytes(data)
            os.replace(part, path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise


class LineFile:
    """A text file that grows by whole lines: each is one write, and a line that does not fit is taken back.

    Raises:
        OutputError: from any method, when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with writing(path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._length = 0

    def append(self, line: str) -> None:
        """Add one line (without its line end)."""
        data = line.encode() + b"\n"
        with writing(self.path):
            try:
                written = 0
                while written < len(data):
                    written += os.write(self._descriptor, data[written:])
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._length)
                    os.lseek(self._descriptor, self._length, os.SEEK_SET)
                raise
        self._length += len(data)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            with writing(self.path):
                os.close(descriptor)
