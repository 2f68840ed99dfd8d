"""One look at one pair: what is wrong with it, and the little that the whole set is judged by.

A `Look` holds a few kilobytes whatever the photo's size, so that a set of 30,000 photos fits.

Chapter: data preparation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data import dataset as prepared
from seglib.data.doctor import pixels, rotation
from seglib.data.doctor.findings import LOOK, MEND, Finding, thing
from seglib.data.duplicates import THUMB, Fingerprint, fingerprint
from seglib.errors import SeglibError
from seglib.images import read_grey, read_image, read_labels, resize
from seglib.runtime import reset_state

# About one mask in 500 of five real sets lies below, and about half of those are plainly wrong.
EDGE_FIT = 0.02


@dataclass(frozen=True)
class Task:
    """One pair to look at: stem, photo, kind -> mask, kind -> class indices, known classes."""

    stem: str
    photo: Path
    masks: dict[str, Path]
    picks: dict[str, tuple[int, ...]] = field(default_factory=dict)
    classes: frozenset[int] = frozenset()
    deep: bool = True


@dataclass
class Look:
    """What one pair showed.

    Attributes:
        stem: the pair's name.
        findings: what is wrong with this pair by itself.
        thumb: uint8 (32, 32, 3), the photo; None where it cannot be read.
        masks: kind -> uint8 (32, 32), 0..255.
        shares: kind -> share of the photo that is marked, 0..1.
        fingerprint: what the photo is known again by.
        counts: pixels of each class index, for sets with labels.
        agreement: IoU with a model's mask, where one was given.
    """

    stem: str
    findings: list[Finding] = field(default_factory=list)
    thumb: np.ndarray | None = None
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    fingerprint: Fingerprint | None = None
    counts: np.ndarray | None = None
    agreement: dict[str, float] = field(default_factory=dict)


def look(task: Task, segment: Callable[[np.ndarray], np.ndarray] | None = None) -> Look:
    """Look at one pair.

    Args:
        task: the pair. With `deep` off only what makes a pair unusable is looked for.
        segment: a model from photo to mask, to compare the masks with.
    """
    seen = Look(task.stem)
    photo = None
    labels_done: set[Path] = set()
    for kind, path in task.masks.items():
        pick = task.picks.get(kind)
        try:
            photo, mask = prepared.read_pair(task.photo, path, pick)
        except SeglibError as error:
            if path not in labels_done:
                seen.findings.append(_why(task, kind, path, error))
            labels_done.add(path)
            continue
        if pick is not None and path not in labels_done:
            labels_done.add(path)
            seen.findings.extend(_labels(task, path, seen))
        _share(task, kind, mask, seen)
        if pick is None and mask.max() == 1 and read_grey(path).max() < 0.1:
            message = f"{path} holds 0 and 1, which most programs show as black; multiply by 255"
            seen.findings.append(Finding("values", MEND, message, (task.stem,), kind, "stretch"))
            continue
        if task.deep:
            if pick is None:
                seen.findings.extend(_encoding(task, kind, path))
            _deep(task, kind, photo, mask, seen, segment)
    if task.deep and photo is not None:
        _photo(task, photo, seen)
    return seen


def _why(task: Task, kind: str, path: Path, error: SeglibError) -> Finding:
    """Say which fault made the loader refuse a pair."""

    def found(fault: str, remedy: str, message: str = str(error)) -> Finding:
        return Finding(fault, MEND, message, (task.stem,), kind, remedy)

    try:
        size = read_image(task.photo).shape[:2]
        shown = read_image(path).shape[:2]
    except SeglibError:
        return found("unreadable", "drop")
    if shown != size:
        with Image.open(task.photo) as stored:
            size_stored = (stored.height, stored.width)
            turned = rotation.orientation(stored) > 4 and shown == size_stored
        if turned:
            return found(
                "rotation",
                "turn",
                f"{task.photo} is turned by its EXIF tag but {path.name} is not; "
                "turn the photo upright, without the tag, and its mask with it",
            )
        if shown == size[::-1]:
            message = f"{error}; it may lie on its side"
            return found("size", "drop", message)
        same_shape = abs(shown[0] * size[1] / (shown[1] * size[0]) - 1) < 0.02
        return found("size", "resize" if same_shape else "drop")
    try:
        levels = np.unique(np.rint(read_grey(path) * 255).astype(int))
    except SeglibError:
        return found("values", "stretch" if _two_colours(path) else "drop")
    return found("values", "stretch" if len(levels) == 2 and levels[0] == 0 else "drop")


def _two_colours(path: Path) -> bool:
    """Return whether a coloured mask can be read one way only: black, and one other colour."""
    colours = np.unique(read_image(path).reshape(-1, 3), axis=0)
    return len(colours) == 2 and not colours[0].any()


def _labels(task: Task, path: Path, seen: Look) -> list[Finding]:
    """Count the classes of a label file and name those that the set does not know."""
    with Image.open(path) as picture:
        lossy = picture.format == "JPEG"
    if lossy:
        message = (
            f"{path} is a JPEG, which makes up class numbers at every edge; get a lossless file"
        )
        return [Finding("jpeg", MEND, message, (task.stem,), "", "drop")]
    labels = read_labels(path)
    seen.counts = np.bincount(labels.ravel(), minlength=256)
    unknown = sorted(set(np.flatnonzero(seen.counts).tolist()) - task.classes)
    if not unknown:
        return []
    names = ", ".join(map(str, unknown[:5]))
    message = f"{path} holds classes that label_list.txt does not name: {names}; add or replace"
    return [Finding("values", MEND, message, (task.stem,), "", "drop")]


def _share(task: Task, kind: str, mask: np.ndarray, seen: Look) -> None:
    share = float(np.mean(mask))
    seen.shares[kind] = share
    if share == 0:
        nothing = "nothing" if kind == "mask" else f"no {kind}"
        message = f"{task.stem}: the mask marks {nothing}; right only if so"
        seen.findings.append(Finding("empty", LOOK, message, (task.stem,), kind))
    if share > 0.97:
        message = f"{task.stem}: the mask marks {share:.0%} of the photo; look at it"
        seen.findings.append(Finding("full", LOOK, message, (task.stem,), kind))


def _encoding(task: Task, kind: str, path: Path) -> list[Finding]:
    with Image.open(path) as picture:
        lossy_format = picture.format if picture.format in ("JPEG", "WEBP") else ""
    levels = np.rint(read_grey(path) * 255).astype(np.uint8)
    if lossy_format or path.suffix.lower() != ".png" or pixels.is_lossy(levels):
        how = f"is a {lossy_format}" if lossy_format else "was a JPEG once"
        message = f"{path} {how}, so its edges are smeared; cut it at one half, save it as PNG"
        return [Finding("jpeg", MEND, message, (task.stem,), kind, "binarise")]
    counts = np.bincount(levels.ravel(), minlength=256)
    between = np.flatnonzero(counts[1:255]) + 1
    # A soft edge has many levels with few pixels each; a third class has one with many.
    if 0 < len(between) <= 8 and counts[between].max() > 0.01 * levels.size:
        message = (
            f"{path} holds the levels {', '.join(map(str, np.flatnonzero(counts)))}, as classes or "
            "a trimap do; make sure that they are meant as shares of the pixel"
        )
        return [Finding("values", LOOK, message, (task.stem,), kind)]
    return []


def _deep(
    task: Task,
    kind: str,
    photo: np.ndarray,
    mask: np.ndarray,
    seen: Look,
    segment: Callable[[np.ndarray], np.ndarray] | None,
) -> None:
    small = resize(mask, (THUMB, THUMB))
    seen.masks[kind] = np.rint(small * 255).astype(np.uint8)
    tag = rotation.orientation(task.photo)
    if tag > 1:
        seen.findings.append(_rotation(task, kind, photo, mask, tag))
    else:
        fit = pixels.edge_fit(photo, mask)
        if fit is not None and fit < EDGE_FIT:
            message = f"{task.stem}: the outline of the {thing(kind)} follows no edge of the photo"
            seen.findings.append(Finding("edges", LOOK, f"{message}; look", (task.stem,), kind))
    if segment is not None:
        reset_state(segment)
        guess = segment(photo) >= 0.5
        either = np.count_nonzero(guess | (mask >= 0.5))
        both = np.count_nonzero(guess & (mask >= 0.5))
        # Too small an area for a share to mean anything counts as agreement.
        seen.agreement[kind] = both / either if either > 0.01 * mask.size else 1.0


def _rotation(task: Task, kind: str, photo: np.ndarray, mask: np.ndarray, tag: int) -> Finding:
    """Judge a photo with an EXIF tag whose mask has the upright size."""
    if rotation.fits_stored(photo, mask, tag):
        message = (
            f"{task.photo} is turned by its EXIF tag and its mask fits the photo as it was before; "
            "turn the photo upright, without the tag, and its mask with it"
        )
        return Finding("rotation", MEND, message, (task.stem,), kind, "turn")
    message = (
        f"{task.photo} is upright by its EXIF tag only, which some tools pass over; "
        "save it upright without the tag"
    )
    return Finding("rotation", LOOK, message, (task.stem,), "", "upright")


def _photo(task: Task, photo: np.ndarray, seen: Look) -> None:
    seen.thumb = resize(photo, (THUMB, THUMB))
    if float(photo.std(axis=(0, 1)).max()) < 2:
        message = f"{task.photo} is one colour all over; replace or remove it"
        seen.findings.append(Finding("blank", LOOK, message, (task.stem,)))
    elif pixels.is_grey(photo):
        message = f"{task.photo} has no colours; keep it only if grey photos are to be expected"
        seen.findings.append(Finding("grey", LOOK, message, (task.stem,)))
    seen.fingerprint = fingerprint(photo)
