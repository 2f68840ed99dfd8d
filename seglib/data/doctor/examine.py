"""Look at every pair, then at the set as a whole.

Chapter: data preparation.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from seglib.data import duplicates
from seglib.data.doctor.checks import PairReport, check_pair, inside_out
from seglib.data.doctor.findings import FAULTS, DatasetIndex, Finding, finding, index_folder
from seglib.data.doctor.report import Report
from seglib.data.splits import PARTS
from seglib.data.workers import spread
from seglib.errors import SeglibError

_AGREE = 0.9  # IoU of two masks of one picture; independent masks of EG1800 have 0.92 to 0.99
# Labeled Faces in the Wild: Given_Family_0001, with or without a set's name in lower case before.
_FULL = re.compile(r"(?:[a-z0-9]+_)?([A-Z][A-Za-z.'-]*(?:_[A-Za-z.'-]+)+)_\d{3,5}")
_SINGLE = re.compile(r"(?:[a-z0-9]+_)?([A-Z][A-Za-z.'-]*)_\d{3,5}")


def examine(
    folder: str | Path,
    kind: str | None = None,
    progress: bool = True,
    workers: int | None = None,
    model: str | Path | Callable[[np.ndarray], np.ndarray] | None = None,
    channel: int | str | None = None,
    value_range: tuple[float, float] | None = None,
) -> Report:
    """Find what is wrong with a prepared data set. Nothing is changed.

    Args:
        folder: the set, in the format of `seglib.data.dataset`.
        kind: look at masks of this kind only; by default at all kinds.
        progress: show a bar on the standard error.
        workers: processes; by default one for each core.
        model: a model file, or what goes from photo to mask (a `Segmenter`), whose masks are
            compared with those of the set.
        channel: the model file's channel, where it has several.
        value_range: what a model file without our metadata reads as black and white.

    Returns:
        The report. A folder that cannot be opened gives a report with that as its only finding.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SeglibError(f"there is no folder {folder}; give a prepared data set")
    if workers is not None and workers < 1:
        raise SeglibError(f"workers is {workers}; give 1 or more")
    try:
        index = index_folder(folder)
    except SeglibError as error:
        found = (finding("folder", error=error),)
        return Report(folder, folder.name, (), 0, {}, found, {}, {})
    index = index if kind is None else index_folder(folder, kind)
    if model is not None and len(index.kinds) > 1:
        raise SeglibError(
            f"{folder} has masks of {', '.join(index.kinds)}; say with which of them the model is "
            "to be compared: kind=... (--kind on the command line)"
        )
    if isinstance(model, str | Path):
        from seglib.runtime import Segmenter

        model = Segmenter(model, channel=channel, value_range=value_range)
    reports = _look(index, True, workers, progress, model)
    balance, findings = _balance(index, reports)
    findings += _files(index) + [one for report in reports for one in report.findings]
    for name in index.kinds:
        findings += _polarity(index, name, reports) + _disagreeing(name, reports)
    findings += _twins(index, reports) + _identities(index)
    parts = Counter(index.split_of.values())
    order = list(FAULTS)
    return Report(
        folder,
        index.info.get("name", folder.name),
        index.kinds,
        len(index.stems),
        {name: parts[name] for name in dict.fromkeys((*PARTS, *parts)) if parts[name]},
        tuple(sorted(_settled(findings), key=lambda one: order.index(one.fault))),
        balance,
        _classes(index, reports),
    )


def validate(folder: str | Path, kind: str | None = None) -> list[Finding]:
    """Find only what makes pairs unusable: the quick part of `examine`, in this process.

    These are the faults "folder", "unmatched", "unreadable", "rotation", "size", "values", "empty",
    "full", "split" and "one class". Duplicates, masks inside out and doubtful labels take
    `examine`. Also `seglib.data.validate`.

    Args:
        folder: the set.
        kind: the kind of mask; by default the set's first.

    Returns:
        All findings; an empty list means that the set can be trained on. Single empty masks are
        listed, since people without hair are worth knowing about, not because they must go.
    """
    try:
        index = index_folder(folder, kind or index_folder(folder).kinds[0])
    except SeglibError as error:
        return [finding("folder", error=error)]
    reports = _look(index, False, 1, False, None)
    found = _files(index) + [one for report in reports for one in report.findings]
    one_class = [one for one in _balance(index, reports)[1] if one.fault == "one class"]
    return _settled([*found, *one_class])


def _look(
    index: DatasetIndex,
    deep: bool,
    workers: int | None,
    progress: bool,
    segment: Callable[[np.ndarray], np.ndarray] | None,
) -> list[PairReport]:
    check = partial(check_pair, index.picks, frozenset(index.classes), deep, segment)
    pairs = [
        (stem, index.photos[stem], {kind: index.masks[kind][stem] for kind in index.kinds})
        for stem in index.stems
    ]
    name = index.folder.name if progress else ""
    return list(spread(check, pairs, workers, name))


def _settled(findings: Sequence[Finding]) -> list[Finding]:
    """Drop repetitions, and hints on pairs that a graver finding explains already."""
    grave = ("polarity", "jpeg", "values")
    wrong = {(s, f.kind) for f in findings if f.fault in grave and f.remedy for s in f.stems}
    wrong |= {(s, f.kind) for f in findings if f.fault in grave[:2] for s in f.stems}
    hints = ("edges", "model", "full")
    kept = (
        f for f in findings if f.fault not in hints or not {(s, f.kind) for s in f.stems} & wrong
    )
    return list(dict.fromkeys(kept))


def _homes(index: DatasetIndex, stems: Sequence[str]) -> list[str]:
    return sorted({index.split_of[stem] for stem in stems if stem in index.split_of})


def _files(index: DatasetIndex) -> list[Finding]:
    """Name photos and masks that are alone, and what is wrong with splits.csv."""
    found = [
        finding("alone", (stem,), kind, has="photo" if stem in index.photos else "mask")
        for kind in index.kinds
        for stem in sorted(index.photos.keys() ^ index.masks[kind].keys())
    ]
    if not index.rows:
        return found
    path, listed = index.folder / "splits.csv", Counter(stem for stem, _ in index.rows)
    twice = {stem: count for stem, count in listed.items() if count > 1}
    found += [finding("twice", (s,), path=path, count=count) for s, count in twice.items()]
    absent = sorted(listed.keys() - index.photos.keys())
    found += [finding("no photo", (stem,), path=path) for stem in absent]
    if unused := sorted(index.photos.keys() - listed.keys()):
        found.append(finding("left out", tuple(unused), path=path, count=len(unused)))
    strange = [(stem, split) for stem, split in index.rows if split not in PARTS]
    found += [finding("no such split", (stem,), path=path, name=name) for stem, name in strange]
    there = {split for _, split in index.rows}
    # A set without a test part is not whole, but it can be trained on.
    empty = [name for name in PARTS[:2] if name not in there]
    return found + [finding("empty split", path=path, name=name) for name in empty]


def people(stems: Sequence[str]) -> dict[str, list[str]]:
    """Return person -> stems, as far as the names are those of people; {} where they are not.

    A name counts that has two words or more before its number. Single words count only where most
    names of the set are of that form, since `Frame_0001` is no person.
    """
    full = {stem: match[1] for stem in stems if (match := _FULL.fullmatch(stem))}
    if 2 * len(full) > len(stems):
        singles = {stem: match[1] for stem in stems if (match := _SINGLE.fullmatch(stem))}
        full = {**singles, **full}
    by_person = defaultdict(list)
    for stem, person in full.items():
        by_person[person].append(stem)
    largest = max(map(len, by_person.values()), default=0)
    # One or two names over all photos are the name of the series, not of people.
    return dict(by_person) if len(by_person) >= 3 and 2 * largest <= len(full) else {}


def _identities(index: DatasetIndex) -> list[Finding]:
    found = []
    for person, stems in people(index.stems).items():
        if len(homes := _homes(index, stems)) > 1:
            name, where = person.replace("_", " "), " and ".join(homes)
            found.append(finding("identity", tuple(stems), person=name, where=where))
    return found


def _balance(index: DatasetIndex, reports: list[PairReport]) -> tuple[dict, list[Finding]]:
    """Measure how much of the pictures each kind marks, over the set and in each split.

    Returns:
        kind -> part ("all" or a split) -> {"count", "mean", "empty"}, and what is out of the usual:
        a kind that marks under 0.5% of the pixels, more empty masks than others, splits whose means
        differ by a factor of two.
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    found = []
    for kind in index.kinds:
        parts = defaultdict(list)
        for report in reports:
            if kind in report.shares:
                for name in ("all", index.split_of.get(report.stem)):
                    parts[name].append(report.shares[kind])
        rows = table[kind] = {
            name: {
                "count": len(parts[name]),
                "mean": sum(parts[name]) / len(parts[name]),
                "empty": parts[name].count(0) / len(parts[name]),
            }
            for name in ("all", *PARTS)
            if parts[name]
        }
        if not rows:
            continue
        if min(parts["all"]) == 1 or max(parts["all"]) == 0:
            found.append(finding("one class", (), kind, count=len(parts["all"])))
            continue
        if rows["all"]["mean"] < 0.005 or rows["all"]["empty"] > 0.5:
            found.append(finding("rare", (), kind, **rows["all"]))
        means = [row["mean"] for name, row in rows.items() if name != "all" and row["count"] > 20]
        if len(means) > 1 and max(means) > 2 * min(means):
            found.append(finding("uneven", (), kind))
    return table, found


def _polarity(index: DatasetIndex, kind: str, reports: list[PairReport]) -> list[Finding]:
    seen = [report for report in reports if kind in report.masks and report.thumb is not None]
    if not seen:
        return []
    photos = np.stack([report.thumb for report in seen])
    verdicts, flipped = inside_out(photos, np.stack([r.masks[kind] for r in seen]), kind)
    where = "all over this set, and so here" if flipped else "here"
    found = []
    for row, sure in verdicts.items():
        case = "inside out" if sure else "perhaps inside out"
        one = finding(case, (seen[row].stem,), kind, where=where)
        # Nobody can turn one class out of several inside out.
        found.append(replace(one, remedy="") if kind in index.picks else one)
    return found


def _disagreeing(kind: str, reports: list[PairReport]) -> list[Finding]:
    scores = {r.stem: r.agreement[kind] for r in reports if kind in r.agreement}
    # A model is worse on some sets than on others; only what is far below its usual is odd.
    limit = min(0.6, float(np.median(list(scores.values()))) - 0.2) if scores else 0
    return [
        finding("model", (stem,), kind, score=score)
        for stem, score in sorted(scores.items(), key=lambda item: item[1])
        if score < limit
    ]


def _twins(index: DatasetIndex, reports: list[PairReport]) -> list[Finding]:
    seen = [report for report in reports if report.print is not None]
    found = []
    for twin in duplicates.find_duplicates([report.print for report in seen]):
        first, second = seen[twin.first], seen[twin.second]
        stems = (first.stem, second.stem)
        homes = _homes(index, stems)
        how = "are mirror images" if twin.mirrored else "are one picture"
        if not twin.same:
            how = "are nearly alike" + (", mirrored" if twin.mirrored else "")
        case = ("" if twin.same else "near ") + ("leak" if len(homes) > 1 else "duplicate")
        found.append(finding(case, stems, how=how, where=" and ".join(homes)))
        if not (twin.same and twin.alike >= duplicates.ALIGNED):
            continue
        for kind in first.masks.keys() & second.masks.keys():
            score = duplicates.agreement(first.masks[kind], second.masks[kind], twin.mirrored)
            if score < _AGREE:
                found.append(finding("disagree", stems, kind, how=how, score=score))
    return found


def _classes(index: DatasetIndex, reports: list[PairReport]) -> dict[str, float]:
    """Return class name -> share of all pixels, for sets with class numbers."""
    total: Counter[int] = Counter()
    for report in reports:
        total.update(report.counts)
    whole = total.total()
    return {index.classes.get(i, str(i)): total[i] / whole for i in sorted(total)}
