"""A file that grows under a temporary name, over several calls if need be, and gets its own name when it is whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from ..core.errors import OutputError
from .atomic import writing


def part_path(target: Path) -> Path:
    """The name under which `target` grows."""
    return target.with_name(f"{target.name}.part")


class PartFile:
    """The beginning of `target`, kept as `<target>.part`, and which version of the file it is the beginning of.

    The version is the HTTP entity tag `etag`, kept in `<target>.part.etag`; None where there is none.

    Raises:
        OutputError: from any method, when the disk is full, the folder is not ours to write to, ...
    """

    def __init__(self, target: Path, descriptor: int, choose_with: str) -> None:
        self.target = target
        self.path = part_path(target)
        self._etag_path = self.path.with_name(f"{self.path.name}.etag")
        self._descriptor = descriptor
        self._choose_with = choose_with
        with self._writing():
            self.size = os.lseek(descriptor, 0, os.SEEK_END)
            self.etag = self._etag_path.read_text(encoding="latin-1") if self._etag_path.is_file() else None

    @classmethod
    @contextmanager
    def opened(cls, target: Path, choose_with: str, on_wait: Callable[[], None]) -> Iterator[PartFile]:
        """Open and lock it, and let go of it in the end; what it has come to stays for the next time, unless nothing.

        Of two processes the second waits until the first has finished or given up.

        Args:
            target: the file that is to be; its folder is made if need be.
            choose_with: how the user chooses another place, for error messages.
            on_wait: called before waiting for another process.
        """
        with writing(target, choose_with):
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _open_locked(part_path(target), on_wait)
        try:
            part = cls(target, descriptor, choose_with)
            try:
                yield part
            finally:
                if not part.size:
                    with suppress(OSError):
                        part._etag_path.unlink(missing_ok=True)
                        part.path.unlink()
        finally:
            # Which unlocks it: not before, or another process could have it already when it is removed.
            os.close(descriptor)

    def restart(self, etag: str | None = None) -> None:
        """Begin again with nothing, of the version `etag`."""
        with self._writing():
            os.ftruncate(self._descriptor, 0)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            self.size, self.etag = 0, etag
            # Before the first byte comes: bytes are never taken for those of another version.
            if etag is None:
                self._etag_path.unlink(missing_ok=True)
            else:
                self._etag_path.write_text(etag, encoding="latin-1")

    def reserve(self, size: int) -> None:
        """Make sure that the disk has room for a file of `size` bytes, before it fills up for nothing."""
        with self._writing():
            free = shutil.disk_usage(self.path.parent).free
        if size - self.size > free:
            raise OutputError(
                f"cannot write {self.target}: {size - self.size:,} bytes are to come, but only {free:,} are free; "
                f"free some space or choose another place with {self._choose_with}"
            )

    def append(self, data: bytes) -> None:
        """Add to its end; after an error it has as much of `data` as there was room for."""
        with self._writing():
            rest = memoryview(data)
            while rest:
                written = os.write(self._descriptor, rest)
                self.size += written
                rest = rest[written:]

    def finish(self) -> None:
        """Give it its own name; whatever had that name is replaced."""
        with self._writing():
            # Or a power cut soon after could leave a file of the right name and size without its content.
            os.fsync(self._descriptor)
            os.replace(self.path, self.target)
            self._etag_path.unlink(missing_ok=True)

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self.target, self._choose_with)


def _open_locked(path: Path, on_wait: Callable[[], None]) -> int:
    """A descriptor of the file, which is made if need be, once no other process has it any more."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _has_name(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _has_name(descriptor: int, path: Path) -> bool:
    """False where the process that had the file has renamed or removed it meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
