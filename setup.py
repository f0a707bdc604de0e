"""What pyproject.toml cannot say: the files that a ROS package keeps in share/. Everything else is there."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "motionseg_ros"
ROOT = Path(__file__).resolve().parent


def share_files() -> list[tuple[str, list[str]]]:
    """The same share/ folder that the CMake build installs, so that a path is found the same way in both."""
    folders = {
        folder: sorted(str(p.relative_to(ROOT)) for p in (ROOT / folder).glob(pattern))
        for folder, pattern in {
            "config": "*.*ml",
            "launch": "*.launch.py",
            "rviz": "*.rviz",
            "msg": "*.msg",
            "srv": "*.srv",
        }.items()
    }
    return [
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        *((f"share/{NAME}/{folder}", files) for folder, files in folders.items()),
    ]


setup(
    # An explicit root makes `pip install -e` put the checkout on sys.path. The import hook that setuptools uses
    # otherwise comes after it, and would lose against the folder with the generated messages in site-packages.
    package_dir={"": "."},
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={"": ["*.xml", "*.yaml", "*.json", "*.safetensors", "*.md", "py.typed"]},
    data_files=share_files(),
)
