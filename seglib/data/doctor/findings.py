"""What the doctor can find and in which words, and where a set keeps the files that it looks at.

Chapter: data preparation.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from seglib.data import dataset, splits
from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.images import read_image, read_labels, read_mask

MEND, LOOK = "mend", "look"
_MASKS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_TABLES = tomllib.loads(read_text(Path(__file__).parent / "cases.toml"))
FAULTS: dict[str, str] = _TABLES["faults"]
"""Each fault's name and what it means, in the order of a report."""


@dataclass(frozen=True)
class Finding:
    """One fault, or what may be one.

    Attributes:
        fault: a name out of `FAULTS`.
        severity: "mend" where training would suffer, "look" where only a person can tell.
        message: what is wrong and what to do.
        stems: the pairs it is about; none where the whole set is meant.
        kind: the kind of mask it is about; "" where the photo or every kind is meant.
        remedy: what `fix` does about it: "drop", "upright" (turn the photo), "turn" (photo and
            mask), "resize", "stretch" (make 0 and 1 to 0 and 255), "binarise", "png", "invert",
            "keep one", "to train" (or val, from test), "splits", or "" where it leaves things be.
    """

    fault: str
    severity: str
    message: str
    stems: tuple[str, ...] = ()
    kind: str = ""
    remedy: str = ""


def finding(case: str, stems: tuple[str, ...] = (), kind: str = "", **facts: object) -> Finding:
    """Return the finding of a case, whose sentence takes `facts`, the stems and the kind."""
    fault, severity, remedy, sentence = _TABLES["cases"][case]
    pair = dict(zip(("stem", "other"), stems, strict=False))
    what = "foreground" if kind == "mask" else kind
    message = sentence.format(**{**pair, "what": what, **facts})
    return Finding(fault, severity, message, stems, kind, remedy)


@dataclass(frozen=True)
class DatasetIndex:
    """A prepared folder as the doctor finds it, without giving up at the first fault.

    Attributes:
        folder: the set.
        info: the content of dataset.json.
        kinds: the kinds of mask that are looked at.
        photos: stem -> photo.
        masks: kind -> stem -> mask, those in formats that the loader does not take included.
        picks: kind -> class numbers that count, for kinds that come from labels/.
        classes: class number -> name, where the set has labels/.
        rows: (stem, split) as splits.csv lists them; empty where there is none.
    """

    folder: Path
    info: dict
    kinds: tuple[str, ...]
    photos: dict[str, Path]
    masks: dict[str, dict[str, Path]]
    picks: dict[str, tuple[int, ...]]
    classes: dict[int, str]
    rows: Sequence[tuple[str, str]]

    @cached_property
    def stems(self) -> list[str]:
        """The stems that have a photo and every mask, in order."""
        return [stem for stem in self.photos if all(stem in self.masks[k] for k in self.kinds)]

    @cached_property
    def split_of(self) -> dict[str, str]:
        """Stem -> split, as the loader reads it; of several the first."""
        name = self.info.get("name", self.folder.name)
        return dict(reversed(splits.three_way(name, self.rows)))

    def read(self, stem: str, kind: str = "") -> tuple[np.ndarray, np.ndarray | None] | None:
        """Return a photo and its mask, whatever is wrong with it; None for what cannot be read."""
        kind = kind or self.kinds[0]
        try:
            photo = read_image(self.photos[stem])
        except (KeyError, SeglibError):
            return None
        try:
            path = self.masks[kind][stem]
            if kind in self.picks:
                mask = np.isin(read_labels(path), self.picks[kind]).astype(np.float32)
                return photo, mask
            return photo, read_mask(path, judge=False)
        except (KeyError, SeglibError):
            return photo, None


def index_folder(folder: str | Path, kind: str | None = None) -> DatasetIndex:
    """Find the files of a set; an error says why that cannot be done."""
    folder = Path(folder)
    photos, info = dataset.image_files(folder), dataset.read_info(folder)
    kinds = dataset.mask_kinds(folder, info)
    if kind is not None and kind not in kinds:
        raise SeglibError(f"{folder} has no {kind!r} masks; it has {', '.join(kinds)}")
    kinds = kinds if kind is None else (kind,)
    labelled = [name for name in kinds if dataset.is_labelled(folder, name)]
    classes = dataset.class_names(folder) if labelled else {}
    present = {*classes.values(), "person", kind}
    kinds = tuple(name for name in kinds if name not in labelled or name in present)
    table = folder / "splits.csv"
    return DatasetIndex(
        folder,
        info,
        kinds,
        photos,
        {name: dataset.mask_files(folder, name, _MASKS) for name in kinds},
        {name: dataset.label_indices(folder, name) for name in kinds if name in labelled},
        classes,
        dataset.read_splits(table) if table.exists() else [],
    )
