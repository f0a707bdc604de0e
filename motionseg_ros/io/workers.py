"""Work that is numbered, done by several processes at once and handed over in order."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import TypeVar

from threadpoolctl import ThreadpoolController, threadpool_limits

from ..core.errors import MotionSegError

Result = TypeVar("Result")
_GRACE_S = 5.0


def available_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_order(
    function: Callable[[int], Result], numbers: range, workers: int, purpose: str = "works"
) -> Iterator[Result]:
    """`function(k)` for each k of `numbers`, in order, computed by `workers` processes.

    Each process is one result ahead, not more, so memory is bounded. BLAS runs on one thread in all of them: the
    processes are the parallelism, and the same arithmetic makes the same results however many there are.

    Args:
        function: can be pickled; its results, too.
        numbers: what it is called with.
        workers: processes; 0 computes in this one.
        purpose: what such a process does, for the error, as in "a process that <purpose> has ended".

    Raises:
        MotionSegError: a process has ended, killed from outside for instance.
        RuntimeError: `function` has raised an exception in a process; its traceback is in the text.
    """
    workers = min(workers, len(numbers))
    if workers == 0:
        controller = ThreadpoolController()
        for number in numbers:
            with controller.limit(limits=1, user_api="blas"):
                result = function(number)
            yield result
        return
    started: list[tuple[BaseProcess, Connection]] = []
    try:
        for first in range(workers):
            started.append(_start(function, numbers[first::workers]))
        for index in range(len(numbers)):
            yield _receive(*started[index % workers], purpose)
    finally:
        for process, connection in started:
            connection.close()
            process.kill()
            process.join()


@dataclass(frozen=True)
class _Failure:
    """What went wrong in a process, with its traceback."""

    text: str


def _start(function: Callable[[int], Result], numbers: range) -> tuple[BaseProcess, Connection]:
    # Not forked: a copy of a process that has threads (torch's, for instance) may hang.
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(function, numbers, sender), daemon=True)
    with _interrupts_kept_away():
        process.start()
    # With this copy closed, the death of the process is the end of the pipe, and waiting for it cannot hang.
    sender.close()
    return process, receiver


@contextmanager
def _interrupts_kept_away() -> Iterator[None]:
    """Processes started in here never get Ctrl-C, which a terminal sends to all: the one that started them decides."""
    resource_tracker.ensure_running()  # would be started together with the first process, and let interrupts in again
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _serve(function: Callable[[int], Result], numbers: range, sender: Connection) -> None:
    """What runs in the process."""
    threadpool_limits(limits=1)
    try:
        for number in numbers:
            sender.send(function(number))
    except BrokenPipeError:
        return  # nobody listens any more
    except Exception:
        sender.send(_Failure(traceback.format_exc()))


def _receive(process: BaseProcess, connection: Connection, purpose: str) -> Result:
    try:
        result = connection.recv()
    except (EOFError, OSError):
        process.join(_GRACE_S)
        raise MotionSegError(
            f"a process that {purpose} has ended ({_how_it_ended(process.exitcode)})"
        ) from None
    if isinstance(result, _Failure):
        raise RuntimeError(f"a process that {purpose} failed:\n{result.text}")
    return result


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        hint = "; was memory short?" if code == -signal.SIGKILL else ""
        return f"killed by signal {-code}{hint}"
    return f"exit status {code}"
