"""Prints where the moving objects are and where they go, in the image."""

from contextlib import suppress

import numpy as np
import rclpy
from motionseg_ros.msg import InstanceMask, InstanceMaskArray
from rclpy.executors import ExternalShutdownException


def on_instances(message: InstanceMaskArray) -> None:
    for item in message.instances:
        if item.state == InstanceMask.OCCLUDED:
            continue  # known, but not in this image
        mask = np.frombuffer(item.mask, np.uint8).reshape(item.roi.height, item.roi.width) > 0
        rows, columns = np.nonzero(mask)
        x, y = item.roi.x_offset + columns.mean(), item.roi.y_offset + rows.mean()
        vx, vy = item.velocity_px
        print(f"object {item.id}: {mask.sum()} px at {x:.0f}, {y:.0f}, moves {vx:.0f}, {vy:.0f} px/s")


rclpy.init()
node = rclpy.create_node("obstacle_listener")
node.create_subscription(InstanceMaskArray, "/motionseg/instances", on_instances, 5)
with suppress(KeyboardInterrupt, ExternalShutdownException):
    rclpy.spin(node)
