"""The scenes of the rendered benchmark (`motionseg bench --quality`), by name: one per difficulty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from . import benchmark_movers as movers
from . import benchmark_views as views
from .benchmark_movers import Stage
from .camera import PinholeCamera
from .scene import Scene
from .sensor import Light, SensorModel

WIDTH, HEIGHT = 480, 360
HORIZONTAL_FOV = 65.0


@dataclass(frozen=True)
class Challenge:
    """One scene of the benchmark.

    Args:
        difficulty: what makes it hard, in a few words.
        build: its camera, background and objects, from a seed.
        fps, seconds: frames a second, and how long it is.
        light, sensor: what they are unless it is day and the sensor is usual.
    """

    difficulty: str
    build: Callable[[int], Stage]
    fps: float = 10.0
    seconds: float = 8.0
    light: Light = field(default_factory=Light)
    sensor: SensorModel = field(default_factory=SensorModel)


#: Lamps behind the houses, a shutter of 1/30 s and an amplifier turned up.
NIGHT = Light(ambient=0.34, sun=0.12, shadow=0.4, sky=0.12)
NIGHT_SENSOR = SensorModel(noise=5.0, blur=0.8, exposure=0.04, exposure_period=5.0, shutter=1 / 30)

BENCHMARK: dict[str, Challenge] = {
    "passing": Challenge("objects cross, one in front of the other", movers.passing),
    "abreast": Challenge("two go the same way close together, then part", movers.abreast),
    "far": Challenge("small and far objects", movers.far),
    "dominant": Challenge("an object fills up to half of the image", movers.dominant, 12.0, 7.0),
    "walkers": Challenge("arms and legs swing", movers.walkers),
    "stop_and_go": Challenge("objects stop and start", movers.stop_and_go, 10.0, 9.0),
    "parallax": Challenge("strong parallax, with movers", views.parallax, 12.0, 7.0),
    "yaw": Challenge("the camera turns fast, with movers", views.yaw, 15.0, 6.0),
    "low_texture": Challenge("hardly any texture", views.low_texture),
    "night": Challenge("dark, noise and motion blur", views.night, 10.0, 8.0, NIGHT, NIGHT_SENSOR),
    "still": Challenge("nothing moves, strong parallax", views.still, 10.0, 9.0),
    "busy": Challenge("most of what is in view moves", movers.busy),
}


def benchmark_scene(
    name: str,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    duration: float | None = None,
) -> Scene:
    """The scene `name` of BENCHMARK; what is None is its own (480x360 px). Raises KeyError for another name."""
    challenge = BENCHMARK[name]
    camera = PinholeCamera.from_fov(width or WIDTH, height or HEIGHT, HORIZONTAL_FOV)
    camera_motion, background, objects = challenge.build(seed)
    return Scene(
        name, camera, camera_motion, background, objects, fps or challenge.fps,
        challenge.seconds if duration is None else duration, seed, challenge.light, challenge.sensor,
    )  # fmt: skip
