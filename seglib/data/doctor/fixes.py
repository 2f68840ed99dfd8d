"""A mended copy of a set beside the old one, and a log of every change.

Chapter: data preparation.
"""

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from seglib.data import duplicates
from seglib.data.dataset import write_csv
from seglib.data.doctor.checks import orientation, turned
from seglib.data.doctor.examine import examine
from seglib.data.doctor.findings import DatasetIndex, Finding, index_folder
from seglib.data.doctor.report import Report
from seglib.data.splits import PARTS
from seglib.errors import SeglibError
from seglib.files import atomic_path, new_folder
from seglib.images import read_image, read_labels, read_mask, resize, write_image, write_mask

LOG = "mended.csv"
_CHANGES = ("upright", "turn", "resize", "stretch", "binarise", "png", "invert")
_COPY = "left out: the same picture as"

Change = tuple[str, str, str]
"""(stem, kind, remedy), one of `_CHANGES`; kind "" is every kind."""


def fix(
    report: Report, folder: str | Path, progress: bool = True, workers: int | None = None
) -> Path:
    """Write a copy of the set in which everything with a remedy is mended.

    Photos are turned upright; unreadable and unmatched files and pairs that cannot be mended are
    left out; of each group of equal pictures the best pair stays (readable, most pixels, largest
    file), in the earliest of their splits (train, val, test); people in several splits move to the
    earliest; masks are resized, stretched from 0 and 1 to 0 and 255, cut at one half where JPEG
    smeared them, or inverted. What only a person can judge stays as it is. Files that need no
    change are copied byte for byte. `mended.csv` lists each change, and dataset.json counts them.

    One fault may hide another: of a mask that could not be read nobody knows whether it is inside
    out. So the copy is examined and mended until nothing is found that has a remedy.

    Args:
        report: of all kinds of the set, as `examine(set)` gives it.
        folder: the new set; it appears when it is complete, and the old one is never touched.
        progress: show bars on the standard error.
        workers: processes that examine the copy; by default one for each core.

    Returns:
        `folder`.
    """
    folder = Path(folder)
    if folder.exists():
        raise SeglibError(f"{folder} exists already; choose a new folder name")
    if folder.resolve().is_relative_to(report.folder.resolve()):
        raise SeglibError(f"{folder} lies in the set that is mended; choose a folder beside it")
    if broken := report.of("folder"):
        raise SeglibError(f"{broken[0].message}; this takes a person")
    index = source = index_folder(report.folder)
    if set(index.kinds) != set(report.kinds):
        raise SeglibError(
            f"the report on {report.folder} is of {', '.join(report.kinds)} masks only; mending "
            "changes photos and all their masks, so examine the set without a kind first"
        )
    log: list[tuple[str, str, str]] = []
    earlier: set[Change] = set()
    found = report.findings
    with new_folder(folder) as target:
        while True:
            fixes = plan_fixes(found, index, earlier)
            stems = [stem for stem in index.stems if stem not in fixes.dropped]
            if not stems:
                raise SeglibError(f"no pair of {report.folder} can be kept; get the data again")
            changed = {*fixes.dropped, *(stem for stem, _ in fixes.changes)}
            touched = [stem for stem in index.stems if index is source or stem in changed]
            for stem in tqdm(touched, desc="mending", unit="pair", disable=not progress):
                apply_fixes(stem, index, fixes, target)
            log += fixes.log
            earlier |= fixes.made()
            _write_lists(source, index, fixes, stems, sorted(log), target, folder.name)
            if not any(one.remedy for one in found):
                return folder
            index = index_folder(target)
            found = examine(target, progress=progress, workers=workers).findings


@dataclass
class Fixes:
    """What is done to whom.

    Attributes:
        dropped: stem -> fault.
        changes: (stem, kind) -> {remedy: fault}; kind "" is every kind.
        split: stem -> its new split.
        log: (stem, fault, change).
    """

    dropped: dict[str, str] = field(default_factory=dict)
    changes: dict[tuple[str, str], dict[str, str]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    split: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    def made(self) -> set[Change]:
        """Return the changes to the pairs that stay."""
        return {
            (stem, kind, remedy)
            for (stem, kind), remedies in self.changes.items()
            for remedy in remedies
            if stem not in self.dropped
        }

    def move(self, stem: str, split: str, fault: str) -> None:
        """Put a pair into another split, and log it."""
        if self.split[stem] != split:
            self.split[stem] = split
            self.log.append((stem, fault, f"moved to {split}"))


def plan_fixes(
    findings: Collection[Finding], index: DatasetIndex, earlier: Collection[Change] = ()
) -> Fixes:
    """Decide what is done about the findings on a set.

    Args:
        findings: what `examine` found in it.
        index: the set.
        earlier: changes that were made to its pairs already. One that is asked for again did not
            help, or the verdict turns with every look: such a pair is left out.
    """
    fixes = Fixes(split={stem: index.split_of.get(stem, "") for stem in index.stems})
    for one in findings:
        for stem in one.stems:
            if one.remedy == "drop" or (stem, one.kind, one.remedy) in earlier:
                fixes.dropped[stem] = one.fault
            elif one.remedy in _CHANGES:
                fixes.changes[stem, one.kind][one.remedy] = one.fault
    _keep_one(findings, index, fixes, earlier)
    if index.rows:
        _place_lost(index, fixes)
    for one in findings:
        stems = [s for s in one.stems if s in fixes.split and s not in fixes.dropped]
        if one.remedy == "to train" and stems:
            home = min((fixes.split[stem] for stem in stems), key=_rank)
            for stem in stems:
                fixes.move(stem, home, one.fault)
    logged = {stem for stem, _, change in fixes.log if change.startswith(_COPY)}
    lost = sorted(set(fixes.dropped) - logged)
    fixes.log += [(stem, fixes.dropped[stem], "left out") for stem in lost]
    return fixes


def _rank(split: str) -> int:
    return PARTS.index(split) if split in PARTS else len(PARTS)


def _keep_one(
    findings: Collection[Finding], index: DatasetIndex, fixes: Fixes, earlier: Collection[Change]
) -> None:
    """Of each group of equal pictures, drop all but the best."""

    def worth(stem: str) -> tuple[int, int, int, str]:
        mended = sum(one == stem for one, _, _ in {*earlier, *fixes.made()})
        height, width = read_image(index.photos[stem]).shape[:2]
        return -mended, height * width, index.photos[stem].stat().st_size, stem

    for group in duplicates.groups([f.stems for f in findings if f.remedy == "keep one"]):
        usable = [stem for stem in group if stem not in fixes.dropped]
        if not usable:
            continue
        best = max(usable, key=worth)
        homes = {fixes.split.get(stem, "") for stem in group} - {""}
        if homes and fixes.split[best]:
            fixes.move(best, min(homes, key=_rank), "leak")
        for stem in usable:
            if stem != best:
                fixes.dropped[stem] = "leak" if len(homes) > 1 else "duplicate"
                fixes.log.append((stem, fixes.dropped[stem], f"{_COPY} {best}"))


def _place_lost(index: DatasetIndex, fixes: Fixes) -> None:
    listed = Counter(stem for stem, _ in index.rows)
    for stem, split in sorted(fixes.split.items()):
        if split not in PARTS:
            fixes.split[stem] = "train"
            fixes.log.append((stem, "split", "put into train"))
        elif listed[stem] > 1:
            fixes.log.append((stem, "split", f"listed once, in {split}"))
    for stem in sorted(listed.keys() - index.photos.keys()):
        fixes.log.append((stem, "split", "line removed: no such photo"))


def apply_fixes(stem: str, index: DatasetIndex, fixes: Fixes, target: Path) -> None:
    """Write one pair as planned, or remove it, and log what was changed.

    Args:
        stem: the pair.
        index: where it comes from.
        fixes: what is done to it; its log grows.
        target: the new set, or the very set it comes from, whose files are then replaced.
    """
    photo = index.photos[stem]
    files = {kind: index.masks[kind][stem] for kind in index.kinds}
    if stem in fixes.dropped:
        for path in {photo, *files.values()} if index.folder == target else ():
            path.unlink()
        return
    todo = {kind: fixes.changes.get((stem, kind), {}) for kind in ("", *index.kinds)}
    turn = next((one["turn"] for one in todo.values() if "turn" in one), "")
    upright = todo[""].get("upright", "") or turn
    # Read now: the copy has no tag.
    tag, copy = orientation(photo) if upright else 1, target / "images" / photo.name
    if upright:
        write_image(copy, read_image(photo))
        fixes.log.append((stem, upright, "photo turned upright"))
    else:
        _copy(photo, copy)
    shape = read_image(copy).shape[:2]
    for kind, path in {path: (kind, path) for kind, path in reversed(files.items())}.values():
        out, changes = target / path.relative_to(index.folder).with_suffix(".png"), todo[kind]
        if kind in index.picks:
            # One file stands for all kinds of a labelled set.
            changes = {r: fault for one in index.picks for r, fault in todo[one].items()}
        if not changes and path.suffix == ".png":
            _copy(path, out)
        elif kind in index.picks:
            labels = turned(read_labels(path), tag if "turn" in changes else 1)
            if "resize" in changes:
                # Class numbers have no mean; the nearest one is taken.
                labels = cv2.resize(labels, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
            with atomic_path(out) as temporary:
                Image.fromarray(labels).save(temporary, format="PNG")
        else:
            write_mask(out, _changed(path, changes, tag, shape))
        which = "mask" if kind == "mask" else f"{kind} mask"
        fixes.log += [(stem, fault, f"{which}: {remedy}") for remedy, fault in changes.items()]


def _copy(path: Path, target: Path) -> None:
    if path != target:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _changed(path: Path, changes: Collection[str], tag: int, shape: tuple[int, int]) -> np.ndarray:
    if "stretch" in changes:
        mask = (read_image(path).max(axis=2) > 0).astype(np.float32)
    else:
        mask = read_mask(path, judge=False)
    if "turn" in changes:
        mask = turned(mask, tag)
    if "resize" in changes:
        mask = resize(mask, shape)
    if "binarise" in changes:
        mask = (mask >= 0.5).astype(np.float32)
    return 1 - mask if "invert" in changes else mask


def _write_lists(
    source: DatasetIndex,
    index: DatasetIndex,
    fixes: Fixes,
    stems: Sequence[str],
    log: list[tuple[str, str, str]],
    target: Path,
    name: str,
) -> None:
    names = source.folder / "label_list.txt"
    if names.is_file():
        shutil.copyfile(names, target / names.name)
    if index.rows:
        rows = [(stem, fixes.split[stem]) for stem in stems]
        write_csv(target / "splits.csv", [("stem", "split"), *rows])
    write_csv(target / LOG, [("stem", "fault", "change"), *log])
    info = dict(source.info)
    if not source.picks:
        info.setdefault("kind", source.kinds[0])
    info |= {
        "name": name,
        "count": len(stems),
        "mended": {
            "from": source.info.get("name", source.folder.name),
            "pairs_before": len(source.stems),
            "changes": dict(Counter(fault for _, fault, _ in log)),
            "log": LOG,
        },
    }
    text = json.dumps(info, indent=1, ensure_ascii=False)
    (target / "dataset.json").write_text(text + "\n", encoding="utf-8")
