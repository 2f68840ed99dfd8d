"""From any original layout to the one prepared format, on all cores, in bounded memory.

Each pair is read, checked and written by one of several processes; nothing but names and a
fingerprint of a kilobyte comes back. The folder appears when it is complete. A run that was
stopped, by a full disk or by force, goes on with the next pair.

Chapter: data preparation.
"""

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data import dataset, duplicates
from seglib.data.download import cache_folder, unfinished
from seglib.data.duplicates import Fingerprint, fingerprint
from seglib.data.sources import annotations, generic, published
from seglib.data.sources.catalogue import MANIFEST, Source, manifest, source
from seglib.data.sources.generic import Listing, Masks, Pair
from seglib.data.splits import PARTS, listed
from seglib.data.workers import spread
from seglib.errors import SeglibError
from seglib.files import atomic_path, sha256
from seglib.images import read_image, resize, write_image, write_mask

LAYOUTS = {**published.READERS, **generic.READERS, **annotations.READERS}
_COPIED = {"JPEG": ".jpg", "PNG": ".png"}


def prepare(
    name: str | Source,
    raw: str | Path | None = None,
    output: str | Path | None = None,
    *,
    size: int | None = None,
    kind: str | None = None,
    workers: int | None = None,
    val_share: float = 0.1,
    test_share: float = 0.1,
    skip_bad: bool = False,
    progress: bool = True,
) -> Path:
    """Write a data set in the prepared format: images/, masks/, splits.csv, dataset.json.

    Photos that need no change are copied byte for byte; others are written at JPEG quality 95 or as
    PNG. Masks become grey PNG, shrunk by area so that edges turn soft rather than jagged.

    Splits follow the source where it has its own. What it lacks of val and test is cut out of train
    by groups (people, where the source tells who is who, else photos), chosen by a hash of their
    names. A test or val photo that shows a train photo again moves to train, and a test photo that
    shows a val photo to val, with the rest of its group.

    Args:
        name: a name of the catalogue, or a `Source` of your own.
        raw: the files in their original layout; by default where `seglib.data.fetch` puts them.
        output: the new folder; by default prepared/<name> in the cache, where `load` finds it.
        size: the longest side in pixels that photos are shrunk to; smaller ones stay.
        kind: what the masks show, for your own photos with one kind of mask; of annotations, the
            label that is read.
        workers: processes; by default one for each core.
        val_share: share of the groups that goes to val where the source has none, 0..1.
        test_share: the same for test; 0 makes none.
        skip_bad: leave out pairs that cannot be used and list them in dataset.json, instead of
            refusing the set and naming them.
        progress: whether to draw a bar.

    Returns:
        The new folder. Where it was not made, the same call goes on where it stopped.
    """
    entry = source(name) if isinstance(name, str) else name
    target = Path(output) if output else cache_folder() / "prepared" / entry.name
    for right, sentence in (
        (size is None or size >= 16, f"size is {size}; give 16 pixels or more"),
        (workers is None or workers >= 1, f"workers is {workers}; give 1 or more"),
        (kind is None or kind.isidentifier(), f"kind is {kind!r}; give one word, such as hair"),
        (
            val_share > 0 <= test_share and val_share + test_share < 1,
            f"val_share is {val_share} and test_share {test_share}; leave some for train",
        ),
        (not target.exists(), f"{target} exists already; choose a new folder name"),
    ):
        if not right:
            raise SeglibError(sentence)
    duplicates.library()  # said before minutes of work, not after
    raw = _raw(entry, raw)
    kinds, pairs, notes = find(entry.layout, raw, kind)
    known, prints = listed(entry.name), {}
    usable = [pair for pair in pairs if not pair.fault and known.get(pair.stem) != "out"]
    bad = {pair.stem: pair.fault for pair in pairs if pair.fault}
    with unfinished(target) as part:
        _begin(part, entry.layout, size, kinds, pairs)
        write = partial(_write_pair, entry.layout, kinds, part, size)
        try:
            for stem, found in spread(write, usable, workers, "preparing" if progress else ""):
                (bad if isinstance(found, str) else prints)[stem] = found
        except SeglibError as error:
            raise SeglibError(
                f"{error}; then run the same command again, it goes on where it stopped"
            ) from error
        if bad and not skip_bad:
            more = f"; and {len(bad) - 8} more" if len(bad) > 8 else ""
            raise SeglibError(
                f"{target} was not made: {len(bad)} of {len(pairs)} pairs cannot be used "
                f"({'; '.join([*bad.values()][:8])}{more}); mend them and run again, or leave them "
                "out with skip_bad=True (--skip-bad)"
            )
        left_out = {pair.stem for pair in pairs} - bad.keys() - prints.keys()
        bad |= {stem: f"{stem} shows a photo of the test part again" for stem in sorted(left_out)}
        if not prints:
            reason = next(iter(bad.values()))
            raise SeglibError(f"none of the {len(bad)} pairs can be used, such as {reason}")
        chosen = [pair for pair in usable if pair.stem in prints]
        splits, moved = assign_splits(chosen, val_share, test_share, known, prints)
        fetched = manifest(raw) if (raw / MANIFEST).is_file() else {}
        keys = ("title", "repository", "licence", "terms", "citation")
        dataset.write_csv(part / "splits.csv", [("stem", "split"), *sorted(splits.items())])
        info = {
            "name": target.name,
            "kind": kinds[0],
            "source": entry.address or "; ".join(entry.steps),
            **{key: getattr(entry, key) for key in keys},
            "commit": fetched.get("commit", entry.commit),
            "count": len(splits),
            "counts": dict(Counter(splits.values())),
            "list_sha256": sha256(part / "splits.csv"),
            "made_by": f"seglib {version('seglib')}",
            "kinds": kinds,
            "size": size,
            "moved": moved,
            "skipped": [{"stem": stem, "reason": reason} for stem, reason in bad.items()],
            "notes": [*entry.faults, *notes],
        }
        dataset.write_info(part, info)
        (part / "plan").unlink()
        # A process that was killed in mid-file left that file's temporary twin.
        for path in part.rglob(".part-*"):
            path.unlink(missing_ok=True)
        os.replace(part, target)
    return target


def find(layout: str, raw: str | Path, kind: str | None = None) -> Listing:
    """List the pairs of a data set in its original layout.

    Args:
        layout: one of `LAYOUTS`.
        raw: the folder that holds it (or one around it); of a CSV or annotations, perhaps the file.
        kind: what `prepare` says of it.
    """
    raw = Path(raw)
    if not raw.exists():
        raise SeglibError(f"there is no {raw}; give the folder that the files were unpacked into")
    try:
        listing = LAYOUTS[layout][0](raw, kind)
    except SeglibError:
        raise
    # Files that claim to be of a format break its rules in many ways.
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OSError) as error:
        raise SeglibError(
            f"{raw} is not laid out as {layout} files are ({error!r}); export it again"
        ) from error
    if all(pair.fault for pair in listing.pairs):
        why = f" ({listing.pairs[0].fault})" if listing.pairs else ""
        raise SeglibError(f"{raw} holds no pair of photo and mask{why}; check its files")
    kinds = (kind,) if kind and listing.kinds == ("mask",) else listing.kinds
    if kind and kind.lower() not in map(str.lower, kinds):
        raise SeglibError(f"{raw} says itself what its masks show: {', '.join(kinds)}")
    pairs = [
        pair if pair.stem.isprintable() else replace(pair, fault=f"rename {pair.stem!r}")
        for pair in sorted(listing.pairs, key=lambda pair: pair.stem)
    ]
    return Listing(kinds, pairs, listing.notes)


def read(layout: str, pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read one pair as its photo uint8 (h, w, 3) and, for each kind, a float32 mask (h, w)."""
    try:
        image, masks = LAYOUTS[layout][1](pair)
    except SeglibError:
        raise
    # The decoders of half a dozen formats let as many kinds of exception through.
    except Exception as error:
        names = ", ".join(path.name for path in (pair.image, *pair.parts))
        raise SeglibError(f"{names} cannot be read ({error}); get the files again") from error
    for kind, mask in masks.items():
        if mask.shape != image.shape[:2]:
            what = "mask" if kind == "mask" else f"{kind} mask"
            raise SeglibError(
                f"the {what} of {pair.image.name} is {mask.shape[1]}x{mask.shape[0]} pixels "
                f"but the photo is {image.shape[1]}x{image.shape[0]}; make the mask again"
            )
    return image, {kind: mask.astype(np.float32) for kind, mask in masks.items()}


def assign_splits(
    pairs: Sequence[Pair],
    val_share: float,
    test_share: float = 0.0,
    known: Mapping[str, str] = {},
    prints: Mapping[str, Fingerprint] = {},
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Place every pair in train, val or test, with no group and no picture in two of them.

    Args:
        pairs: their own splits stand, but groups that these tear apart go to the earliest.
        val_share: share of the groups for val where no pair says so.
        test_share: the same for test.
        known: stem -> split of a set whose splits are listed; what is not listed stays.
        prints: stem -> fingerprint, by which photos that show one picture become one group.

    Returns:
        stem -> split, and {"to train": {stem: whom it shows again, or its group}, "to val": ...}.
    """
    groups = {pair.stem: pair.group or pair.stem for pair in pairs}
    own = {pair.stem: known.get(pair.stem) or pair.split or "train" for pair in pairs}
    stems, shown = [*prints], {}
    for twin in duplicates.find_duplicates([*prints.values()]):
        if twin.same:
            two = stems[twin.first], stems[twin.second]
            early, late = sorted(two, key=lambda stem: PARTS.index(own[stem]))
            shown.setdefault(late, early)
    joined = duplicates.groups([(groups[late], groups[early]) for late, early in shown.items()])
    home = {name: names[0] for names in joined for name in names}
    groups = {stem: home.get(name, name) for stem, name in groups.items()}
    place: dict[str, str] = {}
    for stem, group in groups.items():
        place[group] = min(place.get(group, own[stem]), own[stem], key=PARTS.index)
    moved = {
        f"to {split}": {
            stem: shown.get(stem, group)
            for stem, group in groups.items()
            if place[group] == split != own[stem]
        }
        for split in PARTS[:2]
    }
    # By the hash of a name, a set that grows keeps the places of those it had.
    order = sorted(place, key=lambda name: hashlib.sha256(name.encode()).digest())
    rest = [group for group in order if place[group] == "train"]
    for split, share in (("val", val_share), ("test", test_share)):
        if split not in place.values() and share:
            count = max(0, min(max(1, round(share * len(order))), len(rest) - 1))
            place.update(dict.fromkeys(rest[:count], split))
            rest = rest[count:]
    return {stem: place[group] for stem, group in groups.items()}, moved


def _raw(entry: Source, raw: str | Path | None) -> Path:
    if not entry.layout:
        raise SeglibError(f"{entry.name} needs no preparing; seglib.data.load takes it as it is")
    if raw is not None:
        return Path(raw)
    fetched = cache_folder() / "raw" / (entry.raw or entry.name)
    if entry.raw and fetched.is_dir():
        return fetched
    fetch = f"run `seglib data fetch {entry.name}` first"
    how = fetch if entry.fetchable else "; ".join(entry.steps)
    raise SeglibError(f"there is no {fetched} of {entry.name}: {how}, or name the files' folder")


def _begin(
    part: Path, layout: str, size: int | None, kinds: tuple[str, ...], pairs: Sequence[Pair]
) -> None:
    """Empty the unfinished folder unless it is of the very same work."""
    digest = hashlib.sha256(repr((layout, size, kinds)).encode())
    for pair in pairs:
        digest.update(repr((pair.stem, pair.data)).encode())
        for path in (pair.image, *pair.parts) if not pair.fault else ():
            facts = path.stat()
            digest.update(repr((os.fspath(path), facts.st_size, facts.st_mtime_ns)).encode())
    plan = part / "plan"
    if not plan.exists() or plan.read_text(encoding="utf-8") != digest.hexdigest():
        shutil.rmtree(part)
        (part / "images").mkdir(parents=True)
        plan.write_text(digest.hexdigest(), encoding="utf-8")


def _write_pair(
    layout: str, kinds: tuple[str, ...], folder: Path, size: int | None, pair: Pair
) -> tuple[str, Fingerprint | str]:
    """Read, shrink and write one pair; return its photo's fingerprint, or why it is of no use."""
    if not (folder / "plan").exists():
        # The process that asked for this was killed, and another one has finished its work.
        return pair.stem, "not wanted any more"
    photo = folder / "images" / pair.stem
    try:
        for done in (photo.with_name(photo.name + suffix) for suffix in _COPIED.values()):
            if done.exists():
                return pair.stem, fingerprint(read_image(done))
        image, masks = read(layout, pair)
    except SeglibError as error:
        return pair.stem, f"{pair.stem}: {error}"
    shrink = min(1.0, size / max(image.shape[:2])) if size else 1.0
    shape = tuple(max(1, round(side * shrink)) for side in image.shape[:2])
    # Masks first, so that a photo says that its pair is whole.
    for kind, mask in zip(kinds, masks.values(), strict=True):
        place = folder / "masks" / kind if len(kinds) > 1 else folder / "masks"
        write_mask(place / f"{pair.stem}.png", resize(mask, shape))
    small = resize(image, shape)
    # Whatever came without loss and at its own size goes on without loss.
    lossy = shrink < 1 or pair.image.suffix.lower() in (".jpg", ".jpeg", ".webp")
    suffix = _copied_suffix(pair, image.shape[:2]) if shrink == 1 else ""
    path = photo.with_name(photo.name + (suffix or (".jpg" if lossy else ".png")))
    if suffix:
        with atomic_path(path) as temporary:
            shutil.copyfile(pair.image, temporary)
    else:
        write_image(path, small)
    return pair.stem, fingerprint(small)


def _copied_suffix(pair: Pair, shape: tuple[int, ...]) -> str:
    """Return the suffix under which the photo's own bytes will do, "" where it must be written."""
    if pair.image.suffix.lower() == ".npy":
        return ""
    with Image.open(pair.image) as picture:
        upright = picture.getexif().get(0x0112, 1) == 1
        same = picture.size == shape[::-1] and picture.mode == "RGB"
        plain = getattr(picture, "n_frames", 1) == 1 and not picture.info.get("icc_profile")
        return _COPIED.get(picture.format, "") if upright and same and plain else ""
