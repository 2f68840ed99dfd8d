"""The default set: 100 portraits of very different people (CC0), whose masks ship in the package.

The photos come from a folder `portraits` under `$SEGLIB_DATA`, from the cache, or else from their
public repository at a fixed commit (500 px, 15 MB, checksums).

Chapter: data preparation.
"""

import csv
import os
from pathlib import Path

from seglib.data import dataset, download
from seglib.errors import SeglibError
from seglib.files import list_files, list_folders
from seglib.images import read_image, read_mask, resize

ASSETS = Path(__file__).parent.parent / "assets" / "portraits"
_COMMIT = dataset.read_info(ASSETS)["commit"]
ADDRESS = f"https://raw.githubusercontent.com/cjdowner/interfaces/{_COMMIT}/"


def fetch_photos(progress: bool = True) -> dict[str, Path]:
    """Return stem -> photo of all 100 portraits, fetched into the cache where they are nowhere."""
    with open(ASSETS / "manifest.csv", newline="", encoding="utf-8") as file:
        rows = {Path(row["path"]).stem: row for row in csv.DictReader(file)}
    for folder in download.folders("portraits"):
        found = {path.stem: path for path in list_files(folder / "images", (".jpg", ".png"))}
        if rows.keys() <= found.keys():
            return {stem: found[stem] for stem in rows}
    target = download.cache_folder() / "prepared" / "portraits"
    with download.unfinished(target) as part:
        if not (target / "images").is_dir():
            wanted = {
                f"images/{stem}.jpg": (ADDRESS + row["path"].replace(" ", "%20"), row["sha256"])
                for stem, row in rows.items()
            }
            download.get_files(wanted, part, progress)
            os.replace(part, target)
    return {stem: target / "images" / f"{stem}.jpg" for stem in rows}


def load(split: str = "train", kind: str | None = None) -> dataset.Dataset:
    """Load the portraits; `seglib.data.load("portraits")` calls this.

    Args:
        split: "train" (55), "val" (21), "test" (24) or "all".
        kind: "person", or another kind whose masks the package has.
    """
    kind = kind or "person"
    kinds = [path.name for path in list_folders(ASSETS / "masks")]
    if kind not in kinds:
        raise SeglibError(f"portraits has no {kind!r} masks; it has {', '.join(kinds)}")
    masks = {path.stem: path for path in list_files(ASSETS / "masks" / kind)}
    places = dict(dataset.read_splits(ASSETS / "splits.csv"))
    if split != "all" and split not in places.values():
        raise SeglibError(f"no split is called {split!r}; use train, val, test or all")
    stems = tuple(s for s in places if s in masks and split in ("all", places[s]))
    photos = fetch_photos()

    def read(stem: str) -> dataset.Pair:
        image = read_image(photos[stem])
        return image, resize(read_mask(masks[stem]), image.shape[:2])

    info = {**dataset.read_info(ASSETS), "kinds": kinds}
    return dataset.Dataset("portraits", kind, split, stems, read, info)
