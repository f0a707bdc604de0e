"""Moving-object masks for a moving camera: the Python package of motionseg_ros.

The generated ROS interfaces (``motionseg_ros.msg``, ``motionseg_ros.srv``) may be installed in another folder
than the checkout this file lies in (``pip install -e`` beside a message build), hence the extended path.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
