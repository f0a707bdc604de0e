"""Synthetic scenes: one description in metres and seconds, a renderer, and exact ground truth.

Frames. World: REP 103, x forward, y left, z up, ground at z = 0. Bodies (objects, props): the same axes, with
the origin on the ground below them. Camera: optical frame, x right, y down, z forward. Poses are 4x4 float64
matrices named ``a_to_b``: they map points of frame a to frame b. Pixels: (u, v), integer values at pixel
centres.
"""

from .camera import PinholeCamera
from .export import write_truth
from .library import SCENES, get_scene
from .renderer import RenderedFrame, Renderer, render
from .scene import MovingObject, Part, Prop, Scene, SurfacePoints

__all__ = [
    "SCENES",
    "MovingObject",
    "Part",
    "PinholeCamera",
    "Prop",
    "RenderedFrame",
    "Renderer",
    "Scene",
    "SurfacePoints",
    "get_scene",
    "render",
    "write_truth",
]
