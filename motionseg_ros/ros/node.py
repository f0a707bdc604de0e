"""The live node: images in, masks out. Thin: topics, parameters and services around `MotionSegmenter`."""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from ..assembly import build_segmenter, weights_of
from ..core.config import Config
from ..core.errors import FrameError, MotionSegError, PromptError
from ..core.pipeline import MotionSegmenter
from ..core.types import Frame
from ..device import memory
from ..io.depth_messages import fit_to, message_to_metres
from ..io.image_messages import message_to_bgr
from ..srv import SegmentOnce, TrackObject
from . import parameters
from .diagnostics import diagnostics_message
from .image_input import ImageInput
from .messages import instances_message, stamp_to_ns
from .outputs import Outputs
from .qos import publisher_qos
from .requests import prompts_from_request
from .rgbd_input import RgbdInput
from .statistics import Counts, Statistics
from .worker import Worker

STOP_TIMEOUT = 1.0
"""How long the end of the process waits for the frame in work, s."""

ANSWER_TIMEOUT = 5.0
"""How long a service waits for the frame in work, s."""

WARM_UP_SIZE = (480, 640)
"""Height and width of the made-up images that stages with models are warmed up on, px."""

_QUIET = 5.0
"""Seconds between two log lines about the same thing."""

_Transition = Callable[["MotionSegNode", LifecycleState], TransitionCallbackReturn]


@dataclass(frozen=True)
class _Item:
    """A message in the slot."""

    message: Any
    index: int
    arrival: float
    depth: Any = None


def _build(config: Config) -> MotionSegmenter:
    """The pipeline, ready: with stages that have models to load, the first frame would take seconds otherwise."""
    segmenter = build_segmenter(config)
    if weights_of(config):
        segmenter.warm_up(WARM_UP_SIZE)
    return segmenter


def _weights(config: Config) -> dict[str, str]:
    """The weights of each stage that needs some, by option: a file, or a name in the store."""
    return {f"{stage}.weights": file.given or file.name for stage, file in weights_of(config).items()}


def _told(transition: _Transition) -> _Transition:
    """Log what a transition raises; rclpy would say nothing."""

    @functools.wraps(transition)
    def wrapped(node: MotionSegNode, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except MotionSegError as error:
            node.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        except Exception:
            node.get_logger().error(f"{transition.__name__} failed: {traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return wrapped


class MotionSegNode(LifecycleNode):
    """Publishes the moving objects of an image stream.

    The executor's callbacks only put messages into the worker's slot; the worker thread converts, segments
    and publishes. The segmenter belongs to the worker while the node is active.

    Changing an option of the pipeline at run time builds a new segmenter, which replaces the old one between
    two frames and begins with a fresh window.

    Raises:
        ConfigError: a parameter that cannot be used.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("motionseg", **kwargs)
        self.autostart, self.config = parameters.declare_all(self)
        self._state = "unconfigured"
        self._enabled = True
        self._segmenter: Any = None
        self._outputs: Outputs | None = None
        self._statistics = Statistics()
        self._reported = Counts()
        self._worker = Worker(self._process, "motionseg")
        self._input: ImageInput | RgbdInput
        if self.config.depth.name == "sensor":
            self._input = RgbdInput(self, self.config, self._on_rgbd, self._on_unpaired)
        else:
            self._input = ImageInput(self, self.config.node, self._on_image)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", publisher_qos(5))
        # By a clock that always runs: with use_sim_time, the node's own may stand.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(self.config.node.diagnostics_period, self._report, clock=clock)
        self.create_service(SetBool, "~/enable", self._on_enable)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(TrackObject, "~/track_object", self._on_track_object)
        self.create_service(SegmentOnce, "~/segment_once", self._on_segment_once)
        self.add_on_set_parameters_callback(self._on_parameters)

    # Lifecycle

    def start(self) -> None:
        """Configure and activate.

        Raises:
            MotionSegError: a stage that cannot be built, or topics that cannot be made.
        """
        self._prepare()
        for trigger in (self.trigger_configure, self.trigger_activate):
            if trigger() != TransitionCallbackReturn.SUCCESS:
                raise MotionSegError("the node could not be started; the reason is above")

    def stop(self) -> bool:
        """End all work before the process ends; returns whether the frame in work was finished in time."""
        return self._halt(STOP_TIMEOUT)

    @_told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Build the stages, warm them up, and make the publishers."""
        self._prepare()
        self._statistics, self._reported = Statistics(), Counts()
        self._state = "inactive"
        return super().on_configure(state)

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start the worker."""
        result = super().on_activate(state)
        self._statistics.waiting_from_now()
        self._worker.start()
        self._input.open()
        self._state = "active"
        stages = ", ".join(f"{name} {choice}" for name, choice in parameters.stages(self.config).items())
        self.get_logger().info(f"active: images from {self._input.topic}, {stages}")
        return result

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop after the frame in work; the next activation begins with a fresh window."""
        self._halt()
        self._segmenter.reset("activated again")
        self._state = "inactive"
        return super().on_deactivate(state)

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of stages and publishers, and of the GPU's memory."""
        self._release("unconfigured")
        return super().on_cleanup(state)

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and let go of everything."""
        self._release("finalized")
        return super().on_shutdown(state)

    @_told
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a transition that failed badly: back to unconfigured."""
        self._release("unconfigured")
        return TransitionCallbackReturn.SUCCESS

    def _prepare(self) -> None:
        if self._segmenter is None:
            self._segmenter = _build(self.config)
        if self._outputs is None:
            has_depth = isinstance(self._input, RgbdInput)
            self._outputs = Outputs(self, self.config.node.publish_queue, has_depth)

    def _halt(self, timeout: float | None = None) -> bool:
        """Take no more images; returns whether the frame in work was finished in time."""
        if self._state == "active":
            self._state = "stopping"
        self._input.close()
        self._skip(self._worker.discard())
        return self._worker.stop(timeout)

    def _release(self, state: str) -> None:
        self._halt()
        if self._outputs is not None:
            self._outputs.close()
        self._outputs = self._segmenter = None
        memory.release()
        self._state = state

    # Frames: the first in the executor, the others in the worker's thread

    def _on_image(self, message: Any, missed: int) -> None:
        self._on_rgbd(message, None, missed)

    def _on_unpaired(self, count: int) -> None:
        for _ in range(count):
            self._statistics.received()
        reason = f"is {self._input.depth_topic} published with the same stamps? see depth.tolerance"
        self._statistics.count("unpaired", count, reason)

    def _on_rgbd(self, message: Any, depth: Any, missed: int) -> None:
        if missed:
            self._statistics.count("lost", missed)
        item = _Item(message, self._statistics.received(), time.monotonic(), depth)
        if not self._enabled:
            self._skip(item)
        elif self._worker.submit(item) is not None:
            self._statistics.count("dropped")

    def _process(self, item: _Item) -> None:
        try:
            self._segment(item)
        except FrameError as error:
            self._statistics.count("bad", reason=str(error))
            self.get_logger().warning(f"bad frame ignored: {error}", throttle_duration_sec=_QUIET)
        except Exception as error:
            if not self.context.ok():
                return
            reason = f"{type(error).__name__}: {error}"
            self._statistics.count("failed", reason=reason)
            self.get_logger().error(f"a frame failed, fresh window: {traceback.format_exc()}")
            self._recover(reason)

    def _segment(self, item: _Item) -> None:
        header = item.message.header
        stamp = stamp_to_ns(header.stamp)
        begin = time.perf_counter()
        image = message_to_bgr(item.message)
        depth = camera = None
        if item.depth is not None:
            depth = fit_to(message_to_metres(item.depth), image.shape[:2])
            camera = self._input.camera
        milliseconds = {"convert": 1e3 * (time.perf_counter() - begin)}
        frame = Frame(image, stamp, header.frame_id, item.index, depth, camera)
        result = self._segmenter.push(frame)
        if result.warning:
            self._statistics.count("reduced", reason=result.warning)
            self.get_logger().warning(result.warning, throttle_duration_sec=_QUIET)
        if result.restart:
            self._statistics.count("restarts", reason=result.restart)
            # rclpy throttles by line of code, so a burst of bad frames does not silence this one.
            self.get_logger().warning(f"fresh window: {result.restart}", throttle_duration_sec=_QUIET)
        if not self._enabled or self._state != "active":
            self._skip(item)
            return
        published = self._outputs.publish(result, frame, header)
        milliseconds |= result.timings_ms | {f"publish_{name}": ms for name, ms in published.items()}
        latency = (self.get_clock().now().nanoseconds - stamp) / 1e6
        processing = 1e3 * (time.monotonic() - item.arrival)
        self._statistics.answered(processing, latency, milliseconds, published)

    def _skip(self, item: _Item | None) -> None:
        if item is not None:
            self._statistics.count("skipped")

    def _recover(self, reason: str) -> None:
        """A fresh window after an unexpected error; fresh stages where even that fails."""
        try:
            self._segmenter.reset(f"error: {reason}")
        except Exception:
            self._segmenter = _build(self.config)

    def _between_frames(self, function: Callable[[], None]) -> None:
        """Run `function` while no frame is in work."""
        if self._state == "active":
            self._worker.call(function)
        else:
            function()

    # Services, parameters, diagnostics

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = True
        response.message = "enabled" if request.data else "disabled"
        if request.data != self._enabled:
            self._enabled = request.data
            if self._enabled:
                self._statistics.waiting_from_now()
                self._between_frames(lambda: self._reset("enabled again"))
            else:
                self._skip(self._worker.discard())
            self.get_logger().info(response.message)
        return response

    def _on_reset(self, _request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._segmenter is not None
        response.message = "the next frame begins a fresh window" if response.success else "not configured"
        if response.success:
            self._between_frames(lambda: self._reset("reset was called"))
        return response

    def _on_track_object(
        self, request: TrackObject.Request, response: TrackObject.Response
    ) -> TrackObject.Response:
        def track() -> None:
            if self._state != "active" or not self._enabled:
                state = "disabled" if self._state == "active" else self._state
                raise PromptError(f"the node is {state}: there are no images to track an object in")
            prompts, stamp = prompts_from_request(request)
            response.id = self._worker.ask(lambda: self._segmenter.choose(prompts, stamp), ANSWER_TIMEOUT)

        self._serve("track_object", track, response)
        return response

    def _on_segment_once(
        self, request: SegmentOnce.Request, response: SegmentOnce.Response
    ) -> SegmentOnce.Response:
        def segment() -> None:
            if self._state != "active":
                raise FrameError(f"the node is {self._state}")
            header = request.image.header
            frame = Frame(message_to_bgr(request.image), stamp_to_ns(header.stamp), header.frame_id)
            result = self._worker.ask(lambda: self._segmenter.push(frame), ANSWER_TIMEOUT)
            response.instances = instances_message(result, header)

        if not self._serve("segment_once", segment, response):
            self._between_frames(lambda: self._recover(response.message))
        return response

    def _serve(self, service: str, work: Callable[[], None], response: Any) -> bool:
        """Let a service do its work, and say in its response how that ended; False after an unexpected error."""
        try:
            work()
            response.success = True
        except (PromptError, FrameError) as error:
            response.message = str(error)
        except TimeoutError:
            response.message = f"the image in work takes more than {ANSWER_TIMEOUT:g} s: try again"
        except Exception as error:
            self.get_logger().error(f"{service} failed: {traceback.format_exc()}")
            response.message = f"{type(error).__name__}: {error}"
            return False
        return True

    def _reset(self, reason: str) -> None:
        if self._segmenter is not None:
            self._segmenter.reset(reason)

    def _on_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            names, config = parameters.changed(self.config, changes)
            rebuilt = None
            if self._segmenter is not None and parameters.pipeline(config) != parameters.pipeline(
                self.config
            ):
                rebuilt = _build(config)
        except MotionSegError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        self._timer.timer_period_ns = int(config.node.diagnostics_period * 1e9)
        if rebuilt is not None:
            rebuilt.reset(f"parameters changed: {', '.join(names)}")
            self._between_frames(lambda: self._replace(rebuilt))
        return SetParametersResult(successful=True)

    def _replace(self, segmenter: Any) -> None:
        self._segmenter = segmenter

    def _report(self) -> None:
        snapshot, segmenter = self._statistics.snapshot(), self._segmenter
        message = diagnostics_message(
            self.get_name(),
            self.get_clock().now().to_msg(),
            "disabled" if self._state == "active" and not self._enabled else self._state,
            self._input.topic,
            parameters.stages(self.config) | _weights(self.config),
            snapshot,
            self._reported,
            self.config.node.stale_after,
            None if segmenter is None else segmenter.workload,
        )
        self._diagnostics.publish(message)
        self._reported = snapshot.counts
