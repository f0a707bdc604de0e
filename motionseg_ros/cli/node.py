"""``motionseg node``: the live node."""

from __future__ import annotations

import typer


def node(ctx: typer.Context) -> None:
    """Run the live ROS 2 node. ROS arguments go through, e.g. --ros-args -r image:=/camera/image_raw."""
    from ..ros.main import main

    raise typer.Exit(main(ctx.args))
