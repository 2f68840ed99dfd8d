"""Look through a prepared data set and name every pair that cannot be trained on.

Chapter: data preparation.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglib.data import folder as prepared
from seglib.data.dataset import open_folder
from seglib.errors import SeglibError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        stem: the pair's name, "" where the whole set is meant.
        fault: a short name, such as "size" or "unmatched".
        message: what is wrong and what to do.
    """

    stem: str
    fault: str
    message: str


def validate(folder: str | Path, kind: str | None = None) -> list[Problem]:
    """Check every pair of a prepared data set.

    Faults: "folder" (structure, splits), "unmatched" (photo or mask without its partner), "pair"
    (unreadable, other size, class numbers instead of 0..255), "empty" and "full" (a mask that
    marks nothing or everything), "split" (a photo in two splits or in none), "one class" (no mask
    of the set marks anything, or all mark all).

    Returns:
        All problems, in the order of the stems; an empty list means the set can be trained on.
        Single empty masks are listed, since people without hair are worth knowing about, not
        because they must go.
    """
    folder = Path(folder)
    try:
        info = prepared.read_info(folder)
        if not (folder / "images").is_dir():
            open_folder(folder)
        kind = kind or prepared.kinds(folder, info)[0]
        images = prepared.image_files(folder)
        masks = prepared.mask_files(folder, kind)
        pick = prepared.label_indices(folder, kind) if (folder / "labels").is_dir() else None
    except SeglibError as error:
        return [Problem("", "folder", str(error))]
    problems = [
        Problem(stem, "unmatched", f"{stem} has a {'photo' if stem in images else 'mask'} only")
        for stem in sorted(set(images) ^ set(masks))
    ]
    shares = []
    for stem in sorted(set(images) & set(masks)):
        try:
            _, mask = prepared.read_pair(images[stem], masks[stem], pick)
        except SeglibError as error:
            problems.append(Problem(stem, "pair", str(error)))
            continue
        shares.append(float(np.mean(mask)))
        problems.extend(_share_problems(stem, kind, shares[-1]))
    if shares and (max(shares) == 0 or min(shares) == 1):
        message = f"all {len(shares)} masks hold one class only; there is nothing to learn from"
        problems.append(Problem("", "one class", message))
    if not problems:
        problems = _split_problems(folder, kind)
    return problems


def _share_problems(stem: str, kind: str, share: float) -> list[Problem]:
    if share == 0:
        return [Problem(stem, "empty", f"{stem}: the mask marks no {kind}; right only if so")]
    if share > 0.97:
        return [
            Problem(stem, "full", f"{stem}: the mask marks {share:.0%} of the photo; look at it")
        ]
    return []


def _split_problems(folder: Path, kind: str) -> list[Problem]:
    path = folder / "splits.csv"
    if not path.exists():
        return []
    try:
        for split in ("train", "val"):
            open_folder(folder, split, kind)
        places = prepared.read_splits(path)
    except SeglibError as error:
        return [Problem("", "folder", str(error))]
    counts = Counter(stem for stem, _ in places)
    found = [
        Problem(stem, "split", f"{path} lists {stem} {count} times; keep it in one split")
        for stem, count in counts.items()
        if count > 1
    ]
    unused = sorted(set(prepared.image_files(folder)) - set(counts))
    if unused:
        message = f"{path} leaves out {len(unused)} photos, such as {unused[0]}; add them"
        found.append(Problem("", "split", message))
    return found
