"""A mended copy of a set beside the old one, and a log of every change.

Chapter: data preparation.
"""

import csv
import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data import duplicates
from seglib.data.doctor.findings import Finding
from seglib.data.doctor.looks import EXIF_ORIENTATION, TURNS
from seglib.data.doctor.place import Place, find
from seglib.data.doctor.report import Report
from seglib.errors import SeglibError
from seglib.images import read_image, read_mask, resize, write_image, write_mask

LOG = "mended.csv"
COPY = "left out: the same picture as"


@dataclass
class _Plan:
    """What is done to whom.

    Attributes:
        dropped: stem -> fault.
        masks: (stem, kind) -> {remedy: fault}; kind "" is every kind.
        split: stem -> its new split.
        log: (stem, fault, change).
    """

    dropped: dict[str, str] = field(default_factory=dict)
    masks: dict[tuple[str, str], dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    split: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)


def mend(report: Report, folder: str | Path, progress: bool = True) -> Path:
    """Write a copy of the set in which everything with a remedy is mended.

    Photos are turned upright; unreadable and unmatched files and pairs that cannot be mended are
    left out; of each group of equal pictures the best pair stays (readable, most pixels, largest
    file), in train if one of the group was there; people in several splits move to train; masks are
    resized, stretched from 0 and 1 to 0 and 255, cut at one half where JPEG smeared them, or
    inverted. What only a person can judge stays as it is. Files that need no change are copied
    byte for byte. `mended.csv` lists each change, and dataset.json counts them.

    Args:
        report: of all kinds of the set, as `examine(set)` gives it.
        folder: the new set; it appears when it is complete.
        progress: show a bar on the standard error.

    Returns:
        `folder`.

    Raises:
        SeglibError: the new folder exists or lies in the old one, the report is of one kind only,
            the old folder cannot be opened or has changed, nothing would be left, or the disk is
            full; the old set is never touched.

    Chapter: data preparation.
    """
    folder = Path(folder)
    if folder.exists():
        raise SeglibError(f"{folder} exists already; choose a new folder name")
    if folder.resolve().is_relative_to(report.folder.resolve()):
        raise SeglibError(f"{folder} lies in the set that is mended; choose a folder beside it")
    if broken := report.of("folder"):
        raise SeglibError(f"{broken[0].message}; this takes a person")
    place = find(report.folder)
    if set(place.kinds) != set(report.kinds):
        raise SeglibError(
            f"the report on {report.folder} is of {', '.join(report.kinds)} masks only; mending "
            "changes photos and all their masks, so examine the set without a kind first"
        )
    plan = _plan(report, place)
    stems = [stem for stem in place.stems if stem not in plan.dropped]
    if not stems:
        raise SeglibError(f"no pair of {report.folder} can be kept; get the data again")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".part-{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise SeglibError(f"cannot write {folder} ({error.strerror}); choose a place") from error
    try:
        for stem in _bar(stems, progress):
            _write_pair(stem, place, plan, unfinished)
        _write_lists(report, place, plan, stems, unfinished, folder.name)
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o777 & ~umask)
        os.rename(unfinished, folder)
    except OSError as error:
        raise SeglibError(
            f"cannot write {folder} ({error.strerror or error}); nothing was left of it"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _bar(stems: list[str], progress: bool) -> list[str]:
    if not progress:
        return stems
    from tqdm import tqdm

    return tqdm(stems, desc="mending", unit="pair")


def _plan(report: Report, place: Place) -> _Plan:
    plan = _Plan()
    for finding in report.findings:
        for stem in finding.stems:
            if finding.remedy == "drop":
                plan.dropped[stem] = finding.fault
            elif finding.remedy in ("upright", "turn", "resize", "stretch", "binarise", "invert"):
                plan.masks[stem, finding.kind][finding.remedy] = finding.fault
    plan.split = {stem: place.split_of(stem) for stem in place.stems}
    _keep_one(report.findings, place, plan)
    _place_lost(place, plan)
    _move_people(report.findings, plan)
    said = {stem for stem, _, change in plan.log if change.startswith(COPY)}
    lost = sorted(set(plan.dropped) - said)
    plan.log += [(stem, plan.dropped[stem], "left out") for stem in lost]
    return plan


def _keep_one(findings: tuple[Finding, ...], place: Place, plan: _Plan) -> None:
    """Of each group of equal pictures, drop all but the best."""
    pairs = [f.stems for f in findings if f.remedy == "keep one"]
    for group in duplicates.groups(pairs):
        usable = [stem for stem in group if stem not in plan.dropped]
        if not usable:
            continue

        def worth(stem: str) -> tuple[int, int, int, str]:
            mended = sum(len(plan.masks[stem, k]) for k in ("", *place.kinds))
            height, width = read_image(place.photos[stem]).shape[:2]
            return -mended, height * width, place.photos[stem].stat().st_size, stem

        best = max(usable, key=worth)
        homes = {plan.split.get(stem, "") for stem in group}
        if "train" in homes and plan.split[best] not in ("train", ""):
            plan.split[best] = "train"
            plan.log.append((best, "leak", "moved to train"))
        for stem in usable:
            if stem != best:
                plan.dropped[stem] = "leak" if len(homes - {""}) > 1 else "duplicate"
                plan.log.append((stem, plan.dropped[stem], f"{COPY} {best}"))


def _place_lost(place: Place, plan: _Plan) -> None:
    if not place.splits:
        return
    listed = Counter(stem for stem, _ in place.splits)
    for stem in sorted(plan.split):
        if not plan.split[stem]:
            plan.split[stem] = "train"
            plan.log.append((stem, "split", "put into train"))
        elif listed[stem] > 1:
            plan.log.append((stem, "split", f"listed once, in {plan.split[stem]}"))
    for stem in sorted(set(listed) - set(place.photos)):
        plan.log.append((stem, "split", "line removed: no such photo"))


def _move_people(findings: tuple[Finding, ...], plan: _Plan) -> None:
    for finding in findings:
        if finding.remedy != "to train":
            continue
        for stem in finding.stems:
            if stem not in plan.dropped and plan.split.get(stem, "train") != "train":
                plan.split[stem] = "train"
                plan.log.append((stem, finding.fault, "moved to train"))


def _write_pair(stem: str, place: Place, plan: _Plan, target: Path) -> None:
    photo = place.photos[stem]
    todo = {k: plan.masks.get((stem, k), {}) for k in ("", *place.kinds)}
    turn = next((fault for one in todo.values() for r, fault in one.items() if r == "turn"), "")
    upright = todo[""].get("upright", "") or turn
    copy = target / "images" / photo.name
    if upright:
        write_image(copy, read_image(photo))
        plan.log.append((stem, upright, "photo turned upright"))
    else:
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, copy)
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
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out)
        elif kind in place.picks:
            _write_labels(path, out, photo, copy, changes)
        else:
            _write_mask(path, out, photo, copy, changes)
        plan.log += [(stem, fault, f"{kind} mask: {r}") for r, fault in changes.items()]


def _write_mask(path: Path, out: Path, photo: Path, copy: Path, changes: dict[str, str]) -> None:
    if "stretch" in changes:
        mask = (read_image(path).max(axis=2) > 0).astype(np.float32)
    else:
        mask = read_mask(path)
    if "turn" in changes:
        mask = np.array(Image.fromarray(mask).transpose(_turn_of(photo)))
    if "resize" in changes:
        mask = resize(mask, read_image(copy).shape[:2])
    if "binarise" in changes:
        mask = (mask >= 0.5).astype(np.float32)
    if "invert" in changes:
        mask = 1 - mask
    write_mask(out, mask)


def _write_labels(path: Path, out: Path, photo: Path, copy: Path, changes: dict[str, str]) -> None:
    labels = np.rint(read_mask(path) * 255).astype(np.uint8)
    picture = Image.fromarray(labels)
    if "turn" in changes:
        picture = picture.transpose(_turn_of(photo))
    if "resize" in changes:
        height, width = read_image(copy).shape[:2]
        # Class numbers have no mean; the nearest one is taken.
        picture = picture.resize((width, height), Image.Resampling.NEAREST)
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.save(out)


def _turn_of(photo: Path) -> Image.Transpose:
    with Image.open(photo) as picture:
        return TURNS[picture.getexif()[EXIF_ORIENTATION]]


def _write_lists(
    report: Report, place: Place, plan: _Plan, stems: list[str], target: Path, name: str
) -> None:
    names = place.folder / "label_list.txt"
    if names.is_file():
        shutil.copyfile(names, target / names.name)
    if place.splits:
        lines = [(stem, plan.split[stem]) for stem in stems]
        _write_csv(target / "splits.csv", ("stem", "split"), lines)
    log = sorted(plan.log)
    _write_csv(target / LOG, ("stem", "fault", "change"), log)
    info = dict(place.info)
    if not (place.folder / "labels").is_dir():
        info.setdefault("kind", place.kinds[0])
    info |= {
        "name": name,
        "count": len(stems),
        "mended": {
            "from": report.name,
            "pairs_before": len(place.stems),
            "changes": dict(Counter(fault for _, fault, _ in log)),
            "log": LOG,
        },
    }
    (target / "dataset.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")


def _write_csv(path: Path, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
