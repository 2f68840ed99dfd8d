"""Cut a val part out of the train part of each set that came with two parts only.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/splits.py

The val part such a set came with is its test part from now on. A tenth of the rest becomes val:
photos of one person (where the names tell who is who), frames of one video, and near-copies of each
other go together, and whatever is near a test photo stays in train, or is left out of all parts
where it is the same picture or the same video. The two forms of CCP get the same list. Writes
seglib/assets/splits/<set>.txt, with lines `<split> <stem>` for val, test and out (the rest is
train), and prints for each set how many photos each part has and which near-copies are left in two.
"""

import csv
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np

from seglib.data.duplicates import find_duplicates, fingerprint, groups
from seglib.images import read_image

SETS = {
    "ccp_full": "person", "ccp_upper": "person", "eg1800": "person", "figaro1k": "hair",
    "lfw_hair": "hair", "celeba_hq": "hair", "scenes": "person", "open_more": "person",
}  # fmt: skip
ALIKE = {"ccp_upper": "ccp_full"}
FRACTION, SEED = 0.1, 20
OUT = Path(__file__).parents[2] / "seglib" / "assets" / "splits"
# Names that several photos share: LFW's people, and the frames of one video in `scenes`.
SERIES = {"lfw_hair": re.compile(r"(.+)_\d+"), "scenes": re.compile(r"(.+_avi)-.*")}


def near(folder: Path, stems: list[str]) -> list[tuple[str, str, bool]]:
    """Return the pairs of stems that show one picture (True) or one scene (False)."""
    files = {path.stem: path for path in (folder / "images").iterdir()}
    prints = [fingerprint(read_image(files[stem])) for stem in stems]
    return [(stems[twin.first], stems[twin.second], twin.same) for twin in find_duplicates(prints)]


def series(name: str, stems: list[str]) -> list[tuple[str, str]]:
    """Return pairs of stems whose names say that they belong together."""
    first: dict[str, str] = {}
    pairs = []
    for stem in stems:
        match = SERIES[name].fullmatch(stem) if name in SERIES else None
        if match:
            pairs.append((first.setdefault(match[1], stem), stem))
    return pairs


def cut(splits: dict[str, str], together: list[list[str]], one: list[list[str]]) -> dict[str, str]:
    """Return stem -> train, val, test or out, with a tenth of the train photos in val.

    Args:
        splits: stem -> train or val, as the set came.
        together: groups that val holds whole or not at all.
        one: groups that show one picture or one video; their train photos leave with a test photo.
    """
    tested = {stem for stem, split in splits.items() if split == "val"}
    out = {stem for group in one if tested & set(group) for stem in group} - tested
    rest = splits.keys() - tested - out
    home = {stem: group for group in together for stem in group}
    seen, whole = set(), []
    for stem in sorted(rest):
        group = home.get(stem, [stem])
        if stem not in seen and rest.issuperset(group):
            whole.append(group)
        seen.update(group)
    wanted, val = round(FRACTION * len(rest)), set()
    for index in np.random.default_rng(SEED).permutation(len(whole)):
        # One long video would be a fifth of the val part of `scenes`.
        if len(whole[index]) <= wanted // 20 and len(val) + len(whole[index]) <= wanted:
            val.update(whole[index])
    parts = {"test": tested, "out": out, "val": val}
    return {
        stem: next((s for s, part in parts.items() if stem in part), "train") for stem in splits
    }


def main() -> None:
    """Write the lists and print what is in them."""
    root = Path(os.environ["SEGLIB_DATA"])
    OUT.mkdir(parents=True, exist_ok=True)
    for name in SETS:
        if name in ALIKE:
            continue
        with open(root / name / "splits.csv", newline="", encoding="utf-8-sig") as file:
            splits = {row["stem"]: row["split"] for row in csv.DictReader(file)}
        stems = sorted(splits)
        names = [name, *(other for other, first in ALIKE.items() if first == name)]
        pairs = [pair for form in names for pair in near(root / form, stems)]
        linked = series(name, stems)
        together = groups([pair[:2] for pair in pairs] + linked)
        one = groups([(a, b) for a, b, same in pairs if same] + linked)
        placed = cut(splits, together, one)
        text = "".join(f"{placed[s]} {s}\n" for s in stems if placed[s] != "train")
        for copy in names:
            head = f"# kind {SETS[copy]}\n"
            (OUT / f"{copy}.txt").write_text(head + text, encoding="utf-8", newline="\n")
        print(", ".join(names), dict(Counter(placed.values())), f"{len(set(pairs))} near pairs")
        for a, b, same in sorted(set(pairs)):
            if placed[a] != placed[b] and "out" not in (placed[a], placed[b]):
                print("   ", a, placed[a], b, placed[b], "one picture" if same else "one scene")


if __name__ == "__main__":
    main()
