"""From any original layout to the one prepared format, on all cores, in bounded memory.

Each pair is read, checked and written by one of several processes; nothing but names and a
fingerprint of a kilobyte comes back, so that 30,000 photos take 30 MB. The folder appears when it
is complete. A run that was stopped, by a full disk or by force, goes on with the next pair.

Chapter: data preparation.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import seglib
from seglib.data import duplicates
from seglib.data.sources import layouts
from seglib.data.sources._pairs import Job, Outcome, prepare_pair
from seglib.data.sources._unfinished import owned
from seglib.data.sources.catalogue import cache_folder, source
from seglib.data.sources.entry import Source
from seglib.data.sources.fetch import MANIFEST, manifest
from seglib.data.sources.layouts import Listing, RawPair
from seglib.data.workers import spread
from seglib.errors import SeglibError

_SHOWN = 8


def prepare(
    name: str | Source,
    raw: str | Path | None = None,
    output: str | Path | None = None,
    *,
    size: int | None = None,
    kind: str | None = None,
    workers: int | None = None,
    val_share: float = 0.1,
    skip_bad: bool = False,
    progress: bool = True,
) -> Path:
    """Write a data set in the prepared format: images/, masks/, splits.csv, dataset.json.

    Photos that need no change are copied byte for byte; others are written at JPEG quality 95 or as
    PNG. Masks become grey PNG, shrunk by area so that edges turn soft rather than jagged.

    Splits follow the source where it has its own. Elsewhere a share of the groups (people, where
    the source tells who is who, else photos) goes to val, chosen by a hash of their names: the same
    names always split alike. Val photos that are near-copies of train photos move to train.

    Args:
        name: a name of the catalogue, or a `Source` of your own.
        raw: the files in their original layout; by default where `seglib.data.fetch` puts them.
        output: the new folder; by default prepared/<name> in the cache, where `load` finds it.
        size: the longest side in pixels that photos are shrunk to; smaller ones stay.
        kind: what the masks show, for your own photos with one kind of mask.
        workers: processes; by default one for each core.
        val_share: share of the groups that goes to val where the source has no splits, 0..1.
        skip_bad: leave out pairs that cannot be used and list them in dataset.json, instead of
            refusing the set.
        progress: whether to draw a bar.

    Returns:
        The new folder.

    Raises:
        SeglibError: there is no such source, no pair, pairs that cannot be used (all are named),
            the output exists, imagehash is missing, or the disk is full. Run again, it goes on
            where it stopped.
    """
    entry = source(name) if isinstance(name, str) else name
    if size is not None and size < 16:
        raise SeglibError(f"size is {size}; give 16 pixels or more")
    if not 0 < val_share < 1:
        raise SeglibError(f"val_share is {val_share}; give a share between 0 and 1, such as 0.1")
    if workers is not None and workers < 1:
        raise SeglibError(f"workers is {workers}; give 1 or more")
    if kind is not None and not kind.isidentifier():
        raise SeglibError(f"kind is {kind!r}; give one word, such as hair")
    duplicates.library()  # said before minutes of work, not after
    target = Path(output) if output else cache_folder() / "prepared" / entry.name
    if target.exists():
        raise SeglibError(f"{target} exists already; choose a new folder name")
    raw = _raw(entry, raw)
    listing = _listing(entry, raw, kind)
    splits = assign_splits(listing.pairs, val_share)
    with owned(target) as part:
        _begin(part, entry, raw, size, listing)
        jobs = [Job(entry.layout, pair, listing.kinds, part, size) for pair in listing.pairs]
        outcomes = [*spread(prepare_pair, jobs, workers, "preparing" if progress else "")]
        bad = [*listing.faults, *((o.stem, o.fault) for o in outcomes if o.fault)]
        good = [outcome for outcome in outcomes if not outcome.fault]
        if bad and not skip_bad:
            raise SeglibError(_refusal(target, bad, len(listing.pairs) + len(listing.faults)))
        if not good:
            raise SeglibError(f"none of the {len(bad)} pairs can be used, such as {bad[0][1]}")
        if not any(splits[outcome.stem] == "val" for outcome in good):
            # The few that were to be val are among the bad ones.
            stems = {outcome.stem for outcome in good}
            left = tuple(pair for pair in listing.pairs if pair.stem in stems)
            splits = assign_splits(left, val_share)
        _finish(part, target, entry, raw, listing, good, bad, splits, size)
        _sweep(part)
        (part / "plan").unlink()
        os.replace(part, target)
    return target


def assign_splits(pairs: tuple[RawPair, ...], val_share: float) -> dict[str, str]:
    """Return stem -> "train" or "val", with no group on both sides.

    The source's own splits stand where each pair has one and both are there. Else groups are put
    in the order of their names' hash, and the first ones, at least one of several, are val.
    """
    if {pair.split for pair in pairs} == {"train", "val"}:
        return {pair.stem: pair.split for pair in pairs}
    groups = {pair.stem: pair.group or pair.stem for pair in pairs}
    order = sorted(set(groups.values()), key=lambda name: hashlib.sha256(name.encode()).digest())
    count = min(max(1, round(val_share * len(order))), len(order) - 1)
    chosen = set(order[:count])
    return {stem: "val" if group in chosen else "train" for stem, group in groups.items()}


def _raw(entry: Source, raw: str | Path | None) -> Path:
    if raw is not None:
        return Path(raw)
    fetched = cache_folder() / "raw" / (entry.raw or entry.name)
    if entry.raw and fetched.is_dir():
        return fetched
    how = (
        f"run `seglib data fetch {entry.name}` first" if entry.fetchable else "; ".join(entry.steps)
    )
    raise SeglibError(
        f"the files of {entry.name} are not in {fetched}: {how}, or name their folder"
    )


def _listing(entry: Source, raw: Path, kind: str | None) -> Listing:
    listing = layouts.find(entry.layout, raw)
    if kind is None or kind in listing.kinds:
        return listing
    if listing.kinds != ("mask",):
        raise SeglibError(f"{raw} says itself what its masks show: {', '.join(listing.kinds)}")
    return dataclasses.replace(listing, kinds=(kind,))


def _begin(part: Path, entry: Source, raw: Path, size: int | None, listing: Listing) -> None:
    """Empty the unfinished folder unless it is of the very same work."""
    digest = hashlib.sha256(repr((entry.layout, size, listing.kinds)).encode())
    for pair in listing.pairs:
        digest.update(repr((pair.stem, pair.row)).encode())
        for path in (pair.image, *pair.parts):
            facts = path.stat()
            digest.update(repr((os.fspath(path), facts.st_size, facts.st_mtime_ns)).encode())
    plan = part / "plan"
    if plan.exists() and plan.read_text() == digest.hexdigest():
        _sweep(part)
        return
    shutil.rmtree(part)
    (part / "images").mkdir(parents=True)
    plan.write_text(digest.hexdigest())


def _sweep(part: Path) -> None:
    """Remove what a process that was killed in mid-file left: that file's temporary twin."""
    for path in part.rglob(".part-*"):
        path.unlink(missing_ok=True)


def _refusal(target: Path, bad: list[tuple[str, str]], count: int) -> str:
    shown = "; ".join(reason for _, reason in bad[:_SHOWN])
    more = f"; and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
    return (
        f"{target} was not made: {len(bad)} of {count} pairs cannot be used ({shown}{more}); mend "
        "them and run again, or leave them out with skip_bad=True (--skip-bad)"
    )


def _finish(
    part: Path,
    target: Path,
    entry: Source,
    raw: Path,
    listing: Listing,
    good: list[Outcome],
    bad: list[tuple[str, str]],
    splits: dict[str, str],
    size: int | None,
) -> None:
    """Write splits.csv and dataset.json."""
    stems = [outcome.stem for outcome in good]
    moved = duplicates.across({o.stem: o.fingerprint for o in good}, splits)
    # Whoever is moved takes the other photos of the same person along.
    groups = {pair.stem: pair.group or pair.stem for pair in listing.pairs}
    taken = {groups[stem] for stem in moved}
    places = {stem: "train" if groups[stem] in taken else splits[stem] for stem in stems}
    text = "".join(["stem,split\n", *(f"{stem},{places[stem]}\n" for stem in stems)])
    (part / "splits.csv").write_text(text, encoding="utf-8", newline="\n")
    fetched = manifest(raw) if (raw / MANIFEST).is_file() else {}
    info = {
        "name": target.name,
        "kind": listing.kinds[0],
        "kinds": listing.kinds,
        "title": entry.title,
        "source": entry.address or "; ".join(entry.steps),
        "repository": entry.repository,
        "commit": fetched.get("commit", entry.commit),
        "licence": entry.licence,
        "terms": entry.terms,
        "citation": entry.citation,
        "count": len(stems),
        "counts": dict(Counter(places.values())),
        "size": size,
        "list_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "moved_to_train": moved,
        "skipped": [{"stem": stem, "reason": reason} for stem, reason in bad],
        "notes": [*entry.faults, *listing.notes],
        "made_by": f"seglib {seglib.__version__}",
    }
    path = part / "dataset.json"
    path.write_text(json.dumps(info, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
