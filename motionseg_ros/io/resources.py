"""Where the package's data files (message definitions, ...) lie, installed or in a checkout."""

from __future__ import annotations

from pathlib import Path

from ..core.errors import SourceError

PACKAGE = "motionseg_ros"


def share_path(*parts: str) -> Path:
    """A file or folder of the package's share, e.g. ``share_path("msg", "InstanceMask.msg")``.

    Looks beside the Python package first (a checkout, recognised by its ``package.xml``), then in
    ``<prefix>/share/motionseg_ros``.

    Raises:
        SourceError: nothing of that name in any of these places.
    """
    places = _share_folders(Path(__file__).resolve().parents[1])
    for place in places:
        candidate = place.joinpath(*parts)
        if candidate.exists():
            return candidate
    name = "/".join(parts)
    looked = " or ".join(str(place) for place in places)
    raise SourceError(
        f"{PACKAGE} is installed without {name} (looked in {looked}); install the package again"
    )


def _share_folders(package: Path) -> list[Path]:
    """Candidates for the share, best first; `package` is the folder of the Python package."""
    places = [package.parent] if (package.parent / "package.xml").is_file() else []
    # <prefix>/lib/pythonX.Y/site-packages/<package>; Debian's Python puts a `local` between prefix and lib.
    places += [prefix / "share" / PACKAGE for prefix in package.parents[3:5]]
    return places
