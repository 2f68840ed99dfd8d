"""Look at every pair, then at the set as a whole.

Chapter: data preparation.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from seglib.data import duplicates
from seglib.data.doctor import polarity, splits
from seglib.data.doctor.findings import FAULTS, LOOK, MEND, Finding, thing
from seglib.data.doctor.looks import Look, Task, look
from seglib.data.doctor.place import Place, find
from seglib.data.doctor.report import Report
from seglib.data.workers import spread
from seglib.errors import SeglibError

AGREE = 0.9  # IoU of two masks of one picture; independent masks of EG1800 have 0.92 to 0.99

Model = tuple[str, int | str | None, tuple[float, float] | None]


def examine(
    folder: str | Path,
    kind: str | None = None,
    progress: bool = True,
    workers: int | None = None,
    model: str | Path | None = None,
    channel: int | str | None = None,
    value_range: tuple[float, float] | None = None,
) -> Report:
    """Find what is wrong with a prepared data set. Nothing is changed.

    Args:
        folder: the set, in the format of `seglib.data.dataset`.
        kind: look at masks of this kind only; by default at all kinds.
        progress: show a bar on the standard error.
        workers: processes; by default one for each core.
        model: a `.tflite` file whose masks are compared with those of the set.
        channel: the model's channel, where it has several.
        value_range: what a model without our metadata reads as black and white.

    Returns:
        The report. A folder that cannot be opened gives a report with that as its only finding.

    Raises:
        SeglibError: there is no such folder or kind, the model cannot be used, or a library is
            missing.

    Chapter: data preparation.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SeglibError(f"there is no folder {folder}; give a prepared data set")
    if workers is not None and workers < 1:
        raise SeglibError(f"workers is {workers}; give 1 or more")
    try:
        place = find(folder)
    except SeglibError as error:
        finding = Finding("folder", MEND, str(error))
        return Report(folder, folder.name, (), 0, {}, (finding,), {}, {})
    if kind is not None:
        place = find(folder, kind)
    if model is not None and len(place.kinds) > 1:
        raise SeglibError(
            f"{folder} has masks of {', '.join(place.kinds)}; say with which of them the model is "
            "to be compared: kind=... (--kind on the command line)"
        )
    described = None if model is None else (str(model), channel, value_range)
    looks = _looks(place, True, workers, progress, described)
    findings = [*splits.unmatched(place), *splits.splits(place)]
    for seen in looks:
        findings.extend(seen.findings)
    shares = {k: {s.stem: s.shares[k] for s in looks if k in s.shares} for k in place.kinds}
    table, unbalanced = splits.balance(place, shares)
    findings += unbalanced
    for name in place.kinds:
        findings += _inside_out(place, name, looks)
        findings += _disagreeing(place, name, looks)
    findings += _twins(place, looks) + splits.identities(place)
    return Report(
        folder,
        place.info.get("name", folder.name),
        place.kinds,
        len(place.stems),
        {s: sum(one == s for _, one in place.splits) for s in dict(place.splits).values()},
        tuple(sorted(_settled(findings), key=lambda f: list(FAULTS).index(f.fault))),
        table,
        _classes(place, looks),
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

    Chapter: data preparation.
    """
    try:
        place = find(folder, kind or find(folder).kinds[0])
    except SeglibError as error:
        return [Finding("folder", MEND, str(error))]
    looks = _looks(place, False, 1, False, None)
    findings = [*splits.unmatched(place), *splits.splits(place)]
    for seen in looks:
        findings.extend(seen.findings)
    shares = {k: {s.stem: s.shares[k] for s in looks if k in s.shares} for k in place.kinds}
    one_class = [f for f in splits.balance(place, shares)[1] if f.fault == "one class"]
    return _settled([*findings, *one_class])


def _settled(findings: Sequence[Finding]) -> list[Finding]:
    """Drop hints on pairs that a graver finding explains already."""
    wrong = {(s, f.kind) for f in findings if f.fault in ("polarity", "jpeg") for s in f.stems}
    hints = ("edges", "model", "full")
    kept = [
        f for f in findings if not (f.fault in hints and {(s, f.kind) for s in f.stems} & wrong)
    ]
    return list(dict.fromkeys(kept))


def _looks(
    place: Place, deep: bool, workers: int | None, progress: bool, model: Model | None
) -> list[Look]:
    tasks = [
        Task(
            stem,
            place.photos[stem],
            {kind: place.masks[kind][stem] for kind in place.kinds},
            place.picks,
            frozenset(place.classes),
            deep,
        )
        for stem in place.stems
    ]
    # The file may have changed since the last call. A model that cannot be used is said here, not
    # by every process.
    _segmenter.cache_clear()
    _segmenter(model)
    bar = place.folder.name if progress else ""
    return list(spread(partial(_look, model), tasks, workers, bar))


def _look(model: Model | None, task: Task) -> Look:
    return look(task, _segmenter(model))


@cache
def _segmenter(model: Model | None) -> Callable[[np.ndarray], np.ndarray] | None:
    if model is None:
        return None
    from seglib.runtime import Segmenter

    path, channel, value_range = model
    return Segmenter(path, channel=channel, value_range=value_range)


def _inside_out(place: Place, kind: str, looks: list[Look]) -> list[Finding]:
    seen = [one for one in looks if kind in one.masks and one.thumb is not None]
    if not seen:
        return []
    photos = np.stack([one.thumb for one in seen])
    masks = np.stack([one.masks[kind] for one in seen])
    verdicts, flipped = polarity.inside_out(photos, masks, kind)
    labelled = kind in place.picks
    found = []
    for verdict in verdicts:
        stem = seen[verdict.row].stem
        where = "all over this set, and so here" if flipped else "here"
        message = (
            f"{stem}: the background is marked in place of the {thing(kind)} {where}; invert it"
        )
        if not verdict.sure:
            message = f"{stem}: the background may be marked in place of the {thing(kind)}; look"
        remedy = "invert" if verdict.sure and not labelled else ""
        severity = MEND if verdict.sure else LOOK
        found.append(Finding("polarity", severity, message, (stem,), kind, remedy))
    return found


def _disagreeing(place: Place, kind: str, looks: list[Look]) -> list[Finding]:
    scores = {one.stem: one.agreement[kind] for one in looks if kind in one.agreement}
    if not scores:
        return []
    # A model is worse on some sets than on others; only what is far below its usual is odd.
    limit = min(0.6, float(np.median(list(scores.values()))) - 0.2)
    return [
        Finding(
            "model",
            LOOK,
            f"{stem}: the model's mask of the {thing(kind)} overlaps this one by an IoU of "
            f"{score:.2f}; one of the two is wrong",
            (stem,),
            kind,
        )
        for stem, score in sorted(scores.items(), key=lambda item: item[1])
        if score < limit
    ]


def _twins(place: Place, looks: list[Look]) -> list[Finding]:
    seen = [one for one in looks if one.fingerprint is not None]
    found = []
    for twin in duplicates.twins([one.fingerprint for one in seen]):
        first, second = seen[twin.first], seen[twin.second]
        stems = (first.stem, second.stem)
        homes = sorted({place.split_of(stem) for stem in stems} - {""})
        fault = "leak" if len(homes) > 1 else "duplicate"
        how = "are mirror images" if twin.mirrored else "are one picture"
        if not twin.same:
            how = "are nearly alike" + (", mirrored" if twin.mirrored else "")
        where = f", in {' and '.join(homes)}" if fault == "leak" else ""
        what = "keep the better one" if twin.same else "look whether both are wanted"
        if fault == "leak" and not twin.same:
            what = "look, and keep shots of one scene in one split"
        message = f"{stems[0]} and {stems[1]} {how}{where}; {what}"
        remedy = "keep one" if twin.same else ""
        severity = MEND if twin.same else LOOK
        found.append(Finding(fault, severity, message, stems, "", remedy))
        aligned = twin.same and twin.alike >= duplicates.ALIGNED
        for kind in place.kinds if aligned else ():
            if kind in first.masks and kind in second.masks:
                score = duplicates.agreement(first.masks[kind], second.masks[kind], twin.mirrored)
                if score < AGREE:
                    message = (
                        f"{stems[0]} and {stems[1]} {how} but their masks of the {thing(kind)} "
                        f"overlap by an IoU of {score:.2f} only; find out which is right"
                    )
                    found.append(Finding("disagree", LOOK, message, stems, kind))
    return found


def _classes(place: Place, looks: list[Look]) -> dict[str, float]:
    """Return class name -> share of all pixels, for sets with class indices."""
    counts = [one.counts for one in looks if one.counts is not None]
    if not counts:
        return {}
    total = np.sum(counts, axis=0, dtype=np.float64)
    shares = total / total.sum()
    return {place.classes.get(i, str(i)): float(shares[i]) for i in np.flatnonzero(total)}
