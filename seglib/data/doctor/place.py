"""Where a prepared set keeps its files, told without giving up at the first thing amiss.

Chapter: data preparation.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from seglib.data import dataset as prepared
from seglib.errors import SeglibError


@dataclass(frozen=True)
class Place:
    """A prepared folder as the doctor finds it.

    Attributes:
        folder: the set.
        info: the content of dataset.json.
        kinds: the kinds of mask that are looked at.
        photos: stem -> photo.
        masks: kind -> stem -> mask; JPEG masks are in here, which the loader passes over.
        picks: kind -> class indices that count, for kinds that come from labels/.
        classes: index -> name, where the set has labels/.
        splits: (stem, split) as listed; empty where there is no splits.csv.
    """

    folder: Path
    info: dict
    kinds: tuple[str, ...]
    photos: dict[str, Path]
    masks: dict[str, dict[str, Path]]
    picks: dict[str, tuple[int, ...]]
    classes: dict[int, str]
    splits: list[tuple[str, str]] = field(default_factory=list)

    @property
    def stems(self) -> list[str]:
        """The stems that have a photo and every mask, in order."""
        return [stem for stem in self.photos if all(stem in self.masks[k] for k in self.kinds)]

    def split_of(self, stem: str) -> str:
        """The split a stem is listed in, "" where it is in none."""
        return self._first.get(stem, "")

    @cached_property
    def _first(self) -> dict[str, str]:
        # Later lines lose, so that a stem listed twice has one place.
        return dict(reversed(self.splits))


def find(folder: str | Path, kind: str | None = None) -> Place:
    """Look where the files are.

    Raises:
        SeglibError: images/, the masks, dataset.json, label_list.txt or splits.csv cannot be used.
    """
    folder = Path(folder)
    info = prepared.read_info(folder)
    kinds = prepared.mask_kinds(folder, info)
    if kind is not None and kind not in kinds:
        raise SeglibError(f"{folder} has no {kind!r} masks; it has {', '.join(kinds)}")
    kinds = kinds if kind is None else (kind,)
    labelled = [name for name in kinds if prepared.is_labelled(folder, name)]
    classes = class_names(folder) if labelled else {}
    present = set(classes.values()) | {"person"}
    kinds = tuple(k for k in kinds if k not in labelled or kind or k in present)
    splits = folder / "splits.csv"
    return Place(
        folder,
        info,
        kinds,
        prepared.image_files(folder),
        {name: _mask_files(folder, name) for name in kinds},
        {k: prepared.label_indices(folder, k) for k in labelled if k in kinds},
        classes,
        prepared.read_splits(splits) if splits.exists() else [],
    )


def class_names(folder: Path) -> dict[int, str]:
    """Return index -> name of label_list.txt, which `label_indices` has the checks for."""
    prepared.label_indices(folder, "person")
    lines = (folder / "label_list.txt").read_text().splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
    return {int(index): name.strip() for index, name in pairs}


def _mask_files(folder: Path, kind: str) -> dict[str, Path]:
    try:
        files = prepared.mask_files(folder, kind)
    except SeglibError:
        if not (files := _others(folder, kind)):
            raise
        return files
    return {**_others(folder, kind), **files}


def _others(folder: Path, kind: str) -> dict[str, Path]:
    """Return the masks in formats that the loader does not take."""
    if prepared.is_labelled(folder, kind):
        place = folder / "labels"
    else:
        place = folder / "masks" / kind if (folder / "masks" / kind).is_dir() else folder / "masks"
    suffixes = set(prepared.IMAGE_SUFFIXES) - {".png"}
    return {path.stem: path for path in sorted(place.iterdir()) if path.suffix.lower() in suffixes}
