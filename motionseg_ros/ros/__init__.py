"""The live side: the node, its parameters, messages and diagnostics, and the player.

No other part of the package imports rclpy.

Importing this package imports no rclpy: modules that need it are imported by the commands that run them.
"""
