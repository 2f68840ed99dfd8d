"""A mended copy of a set beside the old one, and a log of every change.

Chapter: data preparation.
"""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from seglib.data.doctor.examine import examine
from seglib.data.doctor.place import Place, find
from seglib.data.doctor.remedies import Change, Plan, plan
from seglib.data.doctor.report import Report
from seglib.data.doctor.rewrite import write_pair
from seglib.errors import SeglibError
from seglib.files import new_folder

LOG = "mended.csv"


def mend(
    report: Report, folder: str | Path, progress: bool = True, workers: int | None = None
) -> Path:
    """Write a copy of the set in which everything with a remedy is mended.

    Photos are turned upright; unreadable and unmatched files and pairs that cannot be mended are
    left out; of each group of equal pictures the best pair stays (readable, most pixels, largest
    file), in train if one of the group was there; people in several splits move to train; masks are
    resized, stretched from 0 and 1 to 0 and 255, cut at one half where JPEG smeared them, or
    inverted. What only a person can judge stays as it is. Files that need no change are copied
    byte for byte. `mended.csv` lists each change, and dataset.json counts them.

    One fault may hide another: of a mask that could not be read nobody knows whether it is inside
    out. So the copy is examined and mended until nothing is found that has a remedy.

    Args:
        report: of all kinds of the set, as `examine(set)` gives it.
        folder: the new set; it appears when it is complete.
        progress: show bars on the standard error.
        workers: processes that examine the copy; by default one for each core.

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
    with new_folder(folder) as unfinished:
        _mend(report, place, unfinished, folder.name, progress, workers)
    return folder


def _mend(
    report: Report, place: Place, target: Path, name: str, progress: bool, workers: int | None
) -> None:
    """Write the copy, then mend in it what is found in it, until nothing is."""
    source, found = place, report
    log: list[tuple[str, str, str]] = []
    earlier: set[Change] = set()
    while True:
        todo = plan(found.findings, place, earlier)
        stems = [stem for stem in place.stems if stem not in todo.dropped]
        if not stems:
            raise SeglibError(f"no pair of {report.folder} can be kept; get the data again")
        touched = place.stems
        if place is not source:
            changed = {*todo.dropped, *(stem for stem, _ in todo.changes)}
            touched = [stem for stem in place.stems if stem in changed]
        for stem in tqdm(touched, desc="mending", unit="pair", disable=not progress):
            write_pair(stem, place, todo, target)
        log += todo.log
        earlier |= todo.made()
        _write_lists(report, source, place, todo, stems, sorted(log), target, name)
        if not any(finding.remedy for finding in found.findings):
            return
        place = find(target)
        found = examine(target, progress=progress, workers=workers)


def _write_lists(
    report: Report,
    source: Place,
    place: Place,
    plan: Plan,
    stems: list[str],
    log: list[tuple[str, str, str]],
    target: Path,
    name: str,
) -> None:
    names = source.folder / "label_list.txt"
    if names.is_file():
        shutil.copyfile(names, target / names.name)
    if place.splits:
        lines = [(stem, plan.split[stem]) for stem in stems]
        _write_csv(target / "splits.csv", ("stem", "split"), lines)
    _write_csv(target / LOG, ("stem", "fault", "change"), log)
    info = dict(source.info)
    if not (source.folder / "labels").is_dir():
        info.setdefault("kind", source.kinds[0])
    info |= {
        "name": name,
        "count": len(stems),
        "mended": {
            "from": report.name,
            "pairs_before": len(source.stems),
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
