"""Where label images lie: which folders are sequences, and which frames belong together."""

from __future__ import annotations

import re
from pathlib import Path

from ..core.errors import EvaluationError

_INSIDE = ("labels", "masks")
_ANNOTATIONS = "Annotations"


def find_sequences(root: Path, what: str) -> dict[str, Path]:
    """The folders of label images under `root`, by the name of their sequence.

    A folder of label images holds PNG files, itself or in ``labels/`` or ``masks/``. `root` may be one; else
    its subfolders may be, at any depth where there is an ``Annotations`` folder (DAVIS).

    Args:
        root: a sequence, or a folder of sequences.
        what: "predictions" or "ground truth", for the messages.

    Raises:
        EvaluationError: no such folder, no label images in it, or one sequence found twice.
    """
    if not root.is_dir():
        raise EvaluationError(f"{root}: no such folder; give the folder that holds the {what}")
    own = _label_folder(root)
    if own:
        here = root.resolve()
        return {here.parent.name if here.name in _INSIDE else here.name: own}
    annotations = root / _ANNOTATIONS
    deep = annotations.is_dir() or root.resolve().name == _ANNOTATIONS
    base = annotations if annotations.is_dir() else root
    folders = sorted(path for path in (base.rglob("*") if deep else base.iterdir()) if path.is_dir())
    found: dict[str, Path] = {}
    for folder in folders:
        labels = None if folder.name in _INSIDE else _label_folder(folder)
        if labels is None:
            continue
        if folder.name in found:
            raise EvaluationError(
                f"{root}: holds sequence {folder.name} twice ({found[folder.name]} and {labels}); "
                "name the folder meant"
            )
        found[folder.name] = labels
    if not found:
        raise EvaluationError(
            f"{root}: holds no {what}; looked for *.png in it, in labels/ and masks/, in the same "
            f"under each of its subfolders, and under {_ANNOTATIONS}/"
        )
    return found


def pair_sequences(predictions: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """The folders of predictions and ground truth per sequence, in the order of the names.

    One sequence against one is a pair whatever their names; otherwise names decide. Predictions without
    ground truth are left out.

    Raises:
        EvaluationError: nothing found, or a sequence of the ground truth that has no predictions.
    """
    predicted = find_sequences(predictions, "predictions")
    true = find_sequences(truth, "ground truth")
    if len(predicted) == len(true) == 1:
        (name, true_folder), (predicted_folder,) = next(iter(true.items())), predicted.values()
        return {name: (predicted_folder, true_folder)}
    if _label_folder(predictions):  # one sequence, asked for by name among many
        name = next(iter(predicted))
        if name not in true:
            raise EvaluationError(f"{truth}: has no ground truth for {name}; name the sequence's own folder")
        return {name: (predicted[name], true[name])}
    missing = sorted(true.keys() - predicted.keys())
    if missing:
        few = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise EvaluationError(
            f"{predictions}: lacks {len(missing)} of the {len(true)} sequences of {truth} ({few}); "
            "add them, or name one sequence's folders"
        )
    return {name: (predicted[name], true[name]) for name in sorted(true)}


def match_frames(predictions: Path, truth: Path) -> list[tuple[Path, Path]]:
    """Pairs (prediction, ground truth) for every label image of the ground truth, in the order of the frames.

    Frames have the same number (the last digits of the file's name; leading zeros do not matter), or the same
    name where names without or with equal numbers occur. Predictions for other frames are left out.

    Raises:
        EvaluationError: a frame of the ground truth that has no prediction.
    """
    predicted, true = _images(predictions), _images(truth)
    numbers = _by_number(predicted), _by_number(true)
    if None not in numbers:
        by_prediction, by_truth = numbers
    else:
        by_prediction, by_truth = {path.stem: path for path in predicted}, {path.stem: path for path in true}
    for key, path in by_truth.items():
        if key not in by_prediction:
            raise EvaluationError(
                f"{path}: has no prediction in {predictions}; every frame of the ground truth needs one"
            )
    return [(by_prediction[key], by_truth[key]) for key in sorted(by_truth)]


def _label_folder(folder: Path) -> Path | None:
    """Where the label images of a sequence's folder lie, or None."""
    candidates = [folder / name for name in _INSIDE] + [folder]
    return next((path for path in candidates if path.is_dir() and _images(path)), None)


def _images(folder: Path) -> list[Path]:
    """The PNG files of a folder, without hidden ones (what an interrupted writer leaves)."""
    return sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))


def _by_number(paths: list[Path]) -> dict[int, Path] | None:
    """Paths by the last number in their names, or None where that is missing or not unique."""
    numbers = [re.findall(r"\d+", path.stem)[-1:] for path in paths]
    keyed = {int(number[0]): path for number, path in zip(numbers, paths, strict=True) if number}
    return keyed if len(keyed) == len(paths) else None
