"""The pairs of a mended set: copied byte for byte where nothing is wrong, else written anew.

Chapter: data preparation.
"""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data.doctor.place import Place
from seglib.data.doctor.remedies import Plan
from seglib.data.doctor.rotation import orientation, turned
from seglib.images import read_grey, read_image, read_labels, resize, write_image, write_mask


def write_pair(stem: str, place: Place, plan: Plan, target: Path) -> None:
    """Write one pair as planned, or remove it, and log what was changed.

    Args:
        stem: the pair.
        place: where it comes from.
        plan: what is done to it; its log grows.
        target: the new set, or the very set it comes from, whose files are then replaced.
    """
    photo, here = place.photos[stem], place.folder == target
    if stem in plan.dropped:
        for path in {photo, *(place.masks[k][stem] for k in place.kinds)} if here else ():
            path.unlink()
        return
    todo = {k: plan.changes.get((stem, k), {}) for k in ("", *place.kinds)}
    turn = next((fault for one in todo.values() for r, fault in one.items() if r == "turn"), "")
    upright = todo[""].get("upright", "") or turn
    # Read now: the copy has no tag.
    tag = orientation(photo) if upright else 1
    copy = target / "images" / photo.name
    if upright:
        write_image(copy, read_image(photo))
        plan.log.append((stem, upright, "photo turned upright"))
    else:
        _copy(photo, copy)
    done: set[Path] = set()
    for kind in place.kinds:
        path = place.masks[kind][stem]
        if path in done:
            continue
        done.add(path)
        out = target / path.relative_to(place.folder).with_suffix(".png")
        changes = todo[kind]
        if kind in place.picks:
            # One file stands for all kinds of a labelled set.
            changes = {r: f for k in place.picks for r, f in todo[k].items()}
        if not changes and path.suffix == ".png":
            _copy(path, out)
        elif kind in place.picks:
            _write_labels(path, out, copy, tag, changes)
        else:
            _write_mask(path, out, copy, tag, changes)
        which = "mask" if kind == "mask" else f"{kind} mask"
        plan.log += [(stem, fault, f"{which}: {r}") for r, fault in changes.items()]


def _copy(path: Path, target: Path) -> None:
    if path != target:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _write_mask(path: Path, out: Path, photo: Path, tag: int, changes: dict[str, str]) -> None:
    if "stretch" in changes:
        mask = (read_image(path).max(axis=2) > 0).astype(np.float32)
    else:
        mask = read_grey(path)
    if "turn" in changes:
        mask = turned(mask, tag)
    if "resize" in changes:
        mask = resize(mask, read_image(photo).shape[:2])
    if "binarise" in changes:
        mask = (mask >= 0.5).astype(np.float32)
    if "invert" in changes:
        mask = 1 - mask
    write_mask(out, mask)


def _write_labels(path: Path, out: Path, photo: Path, tag: int, changes: dict[str, str]) -> None:
    labels = read_labels(path)
    if "turn" in changes:
        labels = turned(labels, tag)
    picture = Image.fromarray(labels)
    if "resize" in changes:
        height, width = read_image(photo).shape[:2]
        # Class numbers have no mean; the nearest one is taken.
        picture = picture.resize((width, height), Image.Resampling.NEAREST)
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(out)
