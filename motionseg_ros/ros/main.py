"""Runs the node until Ctrl-C or SIGTERM."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

from ..core.errors import ConfigError, MotionSegError
from ..core.process import prepare_process
from .requirements import require_ros
from .transport import use_fastdds_profile


class _StopRequest:
    """SIGINT and SIGTERM: end the process at once while it starts, and wake `wait` afterwards."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._starting = True
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        # The kernel may hand the signal to a thread of the middleware; this wakes the main thread even then.
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if self._starting:
            self._starting = False
            raise SystemExit(0)

    def started(self) -> None:
        """From now on a signal only makes `wait` return."""
        self._starting = False

    def now(self) -> None:
        """Make `wait` return."""
        os.write(self._write, b"\0")

    def wait(self) -> None:
        """Return when the process shall end."""
        select.select([self._read], [], [])


def main(args: Sequence[str] | None = None) -> int:
    """Run the node; `args` are ROS arguments without the program's name, ``sys.argv``'s by default.

    Returns:
        Exit status: 0 after Ctrl-C or SIGTERM, 2 where the user has to mend something.
    """
    stop = _StopRequest()
    prepare_process()
    try:
        require_ros()
    except MotionSegError as error:
        if stop.asked:  # an extension module that is stopped while it loads says that it cannot be imported
            return 0
        print(f"motionseg: {error}", file=sys.stderr)
        return 2
    use_fastdds_profile()
    return _run(["motionseg", *(sys.argv[1:] if args is None else args)], stop)


def _run(args: list[str], stop: _StopRequest) -> int:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.logging import get_logger
    from rclpy.signals import SignalHandlerOptions

    node = None
    status = 0
    finished = True
    try:
        # rclpy's own handlers shut the context down under the feet of the worker.
        _init(rclpy, args, SignalHandlerOptions.NO)
        from .node import MotionSegNode

        node = MotionSegNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.autostart:
            node.start()
        stop.started()
        _spin(executor, stop)
    except MotionSegError as error:
        get_logger("motionseg").fatal(str(error))
        status = 2
    except SystemExit:
        status = 0
    finally:
        stop.started()
        if node is not None:
            finished = node.stop()
            node.destroy_node()
        rclpy.try_shutdown()
    if not finished:
        # A frame is still in work: leave without waiting, and without tearing down what it uses.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _init(rclpy: object, args: list[str], signals: object) -> None:
    try:
        rclpy.init(args=args, signal_handler_options=signals)
    except Exception as error:  # rcl's errors have no common base that is public
        raise ConfigError(f"ROS arguments: {str(error).splitlines()[0]}") from None


def _spin(executor: object, stop: _StopRequest) -> None:
    """Run the executor in a thread until a signal comes, which the main thread waits for."""
    ending = threading.Event()
    failures: list[BaseException] = []

    def spin() -> None:
        try:
            while not ending.is_set():
                executor.spin_once()
        except BaseException as error:
            failures.append(error)
            stop.now()

    thread = threading.Thread(target=spin, name="executor")
    thread.start()
    stop.wait()
    ending.set()
    # Something to do makes spin_once return; in Humble, a wake-up alone does not.
    executor.create_task(lambda: None)
    thread.join()
    executor.shutdown()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    sys.exit(main())
