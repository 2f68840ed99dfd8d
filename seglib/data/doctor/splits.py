"""What splits.csv and the photos' names tell: lost photos, and one person on both sides.

Chapter: data preparation.
"""

import re
from collections import Counter, defaultdict

from seglib.data.doctor.findings import LOOK, MEND, Finding, thing
from seglib.data.doctor.place import Place

# Labeled Faces in the Wild: Given_Family_0001, with or without a set's name in lower case before.
_FULL = re.compile(r"(?:[a-z0-9]+_)?([A-Z][A-Za-z.'-]*(?:_[A-Za-z.'-]+)+)_\d{3,5}")
_SINGLE = re.compile(r"(?:[a-z0-9]+_)?([A-Z][A-Za-z.'-]*)_\d{3,5}")


def unmatched(place: Place) -> list[Finding]:
    """Name photos without a mask and masks without a photo."""
    found = []
    for kind in place.kinds:
        masks = place.masks[kind]
        for stem in sorted(set(place.photos) ^ set(masks)):
            has = "photo" if stem in place.photos else "mask"
            message = f"{stem} has a {has} only; add what is missing or remove it"
            found.append(Finding("unmatched", MEND, message, (stem,), kind, "drop"))
    return found


def splits(place: Place) -> list[Finding]:
    """Name photos that splits.csv lists twice, not at all, or though they do not exist."""
    if not place.splits:
        return []
    path = place.folder / "splits.csv"
    listed = Counter(stem for stem, _ in place.splits)
    found = [
        Finding("split", MEND, f"{path} lists {stem} {count} times; keep it in one split", (stem,),
                "", "splits")
        for stem, count in listed.items()
        if count > 1
    ]  # fmt: skip
    for stem in sorted(set(listed) - set(place.photos)):
        message = f"{path} names {stem}, which is not in images/; remove the line or add the photo"
        found.append(Finding("split", MEND, message, (stem,), "", "splits"))
    unused = sorted(set(place.photos) - set(listed))
    if unused:
        message = f"{path} leaves out {len(unused)} photos, such as {unused[0]}; add them"
        found.append(Finding("split", MEND, message, tuple(unused), "", "splits"))
    for name in ("train", "val"):
        if not any(split == name for _, split in place.splits):
            message = f"{path} puts no photo into {name!r}; write {name!r} behind some stems"
            found.append(Finding("split", MEND, message))
    return found


def people(stems: list[str]) -> dict[str, list[str]]:
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
    if len(by_person) < 3 or 2 * largest > len(full):
        return {}
    return dict(by_person)


def identities(place: Place) -> list[Finding]:
    """Name people, by the names of their photos, who are in several splits."""
    if not place.splits:
        return []
    found = []
    for person, stems in people(place.stems).items():
        homes = {split for stem in stems if (split := place.split_of(stem))}
        if len(homes) > 1:
            message = (
                f"{person.replace('_', ' ')} is in {' and '.join(sorted(homes))}, so that a model "
                "is scored on a face it has learnt; keep a person in one split"
            )
            found.append(Finding("identity", MEND, message, tuple(stems), "", "to train"))
    return found


def balance(place: Place, shares: dict[str, dict[str, float]]) -> tuple[dict, list[Finding]]:
    """Measure how much of the pictures each kind marks, over the set and in each split.

    Args:
        place: the set.
        shares: kind -> stem -> share of the photo that is marked.

    Returns:
        kind -> part ("all" or a split) -> {"count", "mean", "empty"}, and what is out of the usual:
        a kind that marks under 0.5% of the pixels, more empty masks than others, splits whose means
        differ by a factor of two.
    """
    table: dict[str, dict[str, dict[str, float]]] = {}
    found = []
    for kind, by_stem in shares.items():
        parts = {"all": list(by_stem.values())}
        for name in sorted({split for _, split in place.splits}):
            parts[name] = [by_stem[s] for s in by_stem if place.split_of(s) == name]
        rows = table[kind] = {
            name: {
                "count": len(values),
                "mean": sum(values) / len(values),
                "empty": values.count(0) / len(values),
            }
            for name, values in parts.items()
            if values
        }
        whole = rows.get("all")
        if whole is None:
            continue
        if min(by_stem.values()) == 1 or max(by_stem.values()) == 0:
            message = (
                f"all {len(by_stem)} masks hold one class only; there is nothing to learn from"
            )
            found.append(Finding("one class", MEND, message, (), kind))
            continue
        if whole["mean"] < 0.005 or whole["empty"] > 0.5:
            message = (
                f"the {thing(kind)} is {whole['mean']:.1%} of the pixels and absent from "
                f"{whole['empty']:.0%} of the photos; a loss that weighs both classes "
                "alike, such as dice, is needed"
            )
            found.append(Finding("balance", LOOK, message, (), kind))
        splits = [row["mean"] for name, row in rows.items() if name != "all" and row["count"] > 20]
        if len(splits) > 1 and max(splits) > 2 * min(splits):
            message = (
                f"the {thing(kind)} fills twice as much of the photos in one split as in another"
            )
            found.append(Finding("balance", LOOK, f"{message}; shuffle the splits", (), kind))
    return table, found
