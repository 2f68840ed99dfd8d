"""Readers of published data sets as their authors left them; the catalogue has their terms.

Chapter: data preparation.
"""

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from seglib.data.sources.generic import PHOTOS, Listing, Masks, Pair, matched, split_name, walk
from seglib.data.splits import PARTS
from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.images import MAX_PIXELS, read_image, read_mask, resize

_CCP_HAIR, _CCP_SKIN, _CCP_CLASSES = 19, 41, 59
# What is worn but is no garment: accessories, bag, bracelet, earrings, glasses, necklace, purse,
# ring, sunglasses, wallet, watch.
_CCP_CARRIED = (1, 2, 9, 15, 17, 29, 33, 34, 47, 56, 57)
# From the top of the head to the waist is about 0.4 of a person; the rest is air around the head.
_UPPER_SIDE, _UPPER_AIR = 0.48, 0.12

CELEBA_PARTS = (
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
"""CelebAMask-HQ's parts in the order they are painted; a part's class is 1 + its place here."""
_NO_SKIN = {"eye_g", "hair", "hat", "ear_r", "neck_l", "cloth"}
_CELEBA_LAST = (162770, 182637)


def find_ccp(raw: Path, kind: str | None = None) -> Listing:
    """List photos/<stem>.jpg with annotations/pixel-level/<stem>.mat, 59 classes.

    Only 1,004 photos have pixel labels; the others have tags and are left out.
    """
    root = _base(raw, "photos", "annotations/pixel-level")
    if (names := root / "label_list.mat").exists():
        listed = [str(np.ravel(cell)[0]) for cell in _read_mat(names, "label_list").ravel()]
        known = listed[_CCP_HAIR : _CCP_HAIR + 1] + listed[_CCP_SKIN : _CCP_SKIN + 1]
        if len(listed) != _CCP_CLASSES or known != ["hair", "skin"]:
            raise SeglibError(f"{names} numbers the classes in another way; get the original again")
    labels = {p.stem: p for p in walk(root / "annotations/pixel-level", "*", (".mat",))}
    files = {path.stem: path for path in walk(root / "photos", "*")}
    notes = _notes(files.keys() - labels.keys(), "photos have tags but no pixel labels")
    pairs = matched(files, {"mask": labels}, lone_photos=False)
    return Listing(("person", "hair", "skin", "clothes"), pairs, notes)


def read_ccp(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its classes as masks of person, hair, skin and clothes."""
    labels = _read_mat(pair.parts[0], "groundtruth")
    if labels.ndim != 2 or labels.min() < 0 or labels.max() >= _CCP_CLASSES:
        raise SeglibError(f"{pair.parts[0].name} holds no classes from 0 to 58; get it again")
    masks = {
        "person": labels > 0,
        "hair": labels == _CCP_HAIR,
        "skin": labels == _CCP_SKIN,
        "clothes": (labels > 0) & ~np.isin(labels, (_CCP_HAIR, _CCP_SKIN, *_CCP_CARRIED)),
    }
    return read_image(pair.image), masks


def read_ccp_upper(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its masks, cropped to what a selfie camera would have seen."""
    image, masks = read_ccp(pair)
    if masks["person"].shape != image.shape[:2]:
        raise SeglibError(f"{pair.parts[0].name} is not of its photo's size; get both again")
    top, left, side = upper_body(masks["person"])
    window = (slice(top, top + side), slice(left, left + side))
    return image[window], {kind: mask[window] for kind, mask in masks.items()}


def upper_body(person: np.ndarray) -> tuple[int, int, int]:
    """Return (top, left, side) of the square over a standing person's upper body, in pixels.

    Args:
        person: bool (h, w), where the person is.
    """
    height, width = person.shape
    rows = np.flatnonzero(person.any(axis=1))
    if not len(rows):
        raise SeglibError("its mask marks nobody, so it has no upper body; leave it out")
    tall = int(rows[-1] - rows[0] + 1)
    side = max(1, min(round(_UPPER_SIDE * tall), height, width))
    top = int(np.clip(rows[0] - round(_UPPER_AIR * side), 0, height - side))
    # Arms and bags pull the middle of the lower body aside; the head and shoulders hold it.
    columns = np.nonzero(person[rows[0] : rows[0] + max(1, side // 2)])[1]
    left = int(np.clip(round(columns.mean() + 0.5 - side / 2), 0, width - side))
    return top, left, side


def find_eg1800(raw: Path, kind: str | None = None) -> Listing:
    """List data/images_data_crop/<n>.jpg with data/images_mask/<n>_mask.mat, by two lists.

    The authors' test list is the test part.
    """
    root = _base(raw, "data/images_data_crop", "data/images_mask") / "data"
    files = {path.stem: path for path in walk(root / "images_data_crop", "*")}
    found = walk(root / "images_mask", "*_mask.mat", (".mat",))
    masks = {path.stem.removesuffix("_mask"): path for path in found}
    places: dict[str, str] = {}
    for split in ("train", "test"):
        for number in _read_mat(root / f"{split}list.mat", f"{split}list").ravel().tolist():
            places.setdefault(f"{int(number):05d}", split)
    both = files.keys() & masks.keys()
    pairs = [Pair(s, files[s], (masks[s],), places[s]) for s in places.keys() & both]
    notes = _notes(places.keys() - both, "photos of the lists are not there")
    notes += _notes(both - places.keys(), "photos are in no list")
    return Listing(("person",), pairs, notes)


def read_eg1800(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its person mask."""
    mask = _read_mat(pair.parts[0], "mask")
    if mask.ndim != 2 or not np.isin(mask, (0, 1)).all():
        raise SeglibError(f"{pair.parts[0].name} holds other values than 0 and 1; get it again")
    return read_image(pair.image), {"person": mask}


def find_figaro1k(raw: Path, kind: str | None = None) -> Listing:
    """List <name>-org.jpg with <name>-gt.png (or .pbm), in Training and Testing.

    Known as the authors publish it (Original/Training, GT/Training) and as the hair-seg-project
    repository keeps it (Training/imgs/Original, Training/masks/GT).
    """
    root = _folder_called(raw, "Figaro1k")
    files = {p.name.split("-org.")[0]: p for p in walk(root, "**/*-org.*")}
    masks = {p.name.split("-gt.")[0]: p for p in walk(root, "**/*-gt.*", (*PHOTOS, ".pbm"))}
    if not files:
        raise SeglibError(f"{raw} holds no Frame...-org.jpg; give the folder that holds Figaro1k")
    pairs = []
    for pair in matched(files, {"mask": masks}):
        splits = map(split_name, pair.image.relative_to(root).parts)
        pairs.append(replace(pair, split=next(filter(None, splits), "train")))
    return Listing(("hair",), pairs)


def read_hair(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its hair mask; Figaro's are PBM whatever their suffix says."""
    return read_image(pair.image), {"hair": read_mask(pair.parts[0])}


def find_lfw_hair(raw: Path, kind: str | None = None) -> Listing:
    """List Lfw/Training/imgs/Original and masks/GT of the hair-seg-project repository.

    Its Training and Testing folders hold the same files, so each photo is taken once.
    """
    root = _folder_called(raw, "Lfw")
    # In this order Training comes last, and the last of several files of one name is the one kept.
    found = sorted(walk(root, "**/imgs/**/*") + walk(root, "**/masks/**/*"))
    files = {path.stem: path for path in found if "imgs" in path.relative_to(root).parts}
    masks = {path.stem: path for path in found if "masks" in path.relative_to(root).parts}
    if not files:
        raise SeglibError(f"{raw} holds no Lfw/.../imgs/; give the folder that holds Lfw")
    copies = {*found} - {*files.values(), *masks.values()}
    notes = _notes(copies, "files are there twice (Training and Testing)")
    return Listing(("hair",), _by_person(matched(files, {"mask": masks})), notes)


def find_lfw_parts(raw: Path, kind: str | None = None) -> Listing:
    """List .ppm part labels (red hair, green face, blue background) with lfw_funneled/*/*.jpg.

    The published lists are about single photos and are not followed.
    """
    labels = {path.stem: path for path in walk(raw, "**/*.ppm", (".ppm",))}
    if not labels:
        raise SeglibError(f"{raw} holds no .ppm part labels; unpack them beside lfw_funneled/")
    files = {p.stem: p for p in walk(raw, "**/*_[0-9][0-9][0-9][0-9].jpg")}
    notes = _notes(files.keys() - labels.keys(), "photos have no part labels")
    return Listing(("hair", "skin"), _by_person(matched(files, {"mask": labels}, False)), notes)


def _by_person(pairs: list[Pair]) -> list[Pair]:
    """Group names such as Laura_Bush_0040 by who is shown."""
    return [replace(pair, group=re.sub(r"_\d+$", "", pair.stem)) for pair in pairs]


def read_lfw_parts(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo and its labels as masks of hair and skin (face and neck)."""
    bright = read_image(pair.parts[0]) > 127
    if (bright.sum(axis=2) != 1).mean() > 0.01:
        raise SeglibError(
            f"{pair.parts[0].name} has other colours than red, green and blue, so it holds no part "
            "labels; get it again"
        )
    return read_image(pair.image), {"hair": bright[..., 0], "skin": bright[..., 1]}


def find_celebamask_hq(raw: Path, kind: str | None = None) -> Listing:
    """List CelebA-HQ-img/<id>.jpg with CelebAMask-HQ-mask-anno/<id // 2000>/<id:05d>_<part>.png.

    A part that is absent has no file: people without hair are kept, with an empty mask. With
    CelebA-HQ-to-CelebA-mapping.txt there, the split is CelebA's own, which goes by person.
    """
    root = _base(raw, "CelebA-HQ-img", "CelebAMask-HQ-mask-anno")
    parts: dict[str, list[Path]] = defaultdict(list)
    for path in walk(root / "CelebAMask-HQ-mask-anno", suffixes=(".png",)):
        match = re.fullmatch(r"(\d+)_(\w+)", path.stem)
        if match and match[2] in CELEBA_PARTS:
            parts[str(int(match[1]))].append(path)
    files = {path.stem: path for path in walk(root / "CelebA-HQ-img", "*")}
    splits: dict[str, str] = {}
    if (mapping := root / "CelebA-HQ-to-CelebA-mapping.txt").is_file():
        for row in map(str.split, read_text(mapping).splitlines()):
            if len(row) > 1 and row[0].isdigit() and row[1].isdigit():
                # The last photos of CelebA's own train and val.
                splits[row[0]] = PARTS[bisect(_CELEBA_LAST, int(row[1]))]
    pairs = []
    for stem in files.keys() | parts.keys():
        its = files.get(stem), *parts.get(stem, ())
        fault = "" if stem in files else f"the parts of {stem} have no photo"
        fault = fault if stem in parts else f"photo {stem} has no part at all"
        image, name = its[0] or its[1], stem if fault else f"{int(stem):05d}"
        pairs.append(Pair(name, image, its[1:], splits.get(stem, ""), fault=fault))
    notes = () if splits else ("no mapping to CelebA is there, so people may be in several splits",)
    return Listing(("hair", "skin", "clothes", "person"), pairs, notes)


def read_celebamask_hq(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo at its masks' size, which is half its own, as no detail can be invented."""
    parts = {path.stem.split("_", 1)[1]: read_mask(path) > 0.5 for path in pair.parts}
    merged = merge_celeba(parts)
    image = read_image(pair.image)
    if image.shape[0] * merged.shape[1] != image.shape[1] * merged.shape[0]:
        raise SeglibError(f"the parts of {pair.image.name} have another shape; get them again")
    number = {part: place for place, part in enumerate(CELEBA_PARTS, 1)}
    masks = {
        "hair": merged == number["hair"],
        "skin": np.isin(merged, [n for part, n in number.items() if part not in _NO_SKIN]),
        "clothes": merged == number["cloth"],
        "person": merged > 0,
    }
    return resize(image, merged.shape), masks


def merge_celeba(parts: dict[str, np.ndarray]) -> np.ndarray:
    """Paint CelebAMask-HQ's parts over each other in the order of the authors' g_mask.py.

    Args:
        parts: part -> bool (h, w), all of one size.

    Returns:
        uint8 (h, w): 0 where there is none, else 1 + the part's place in `CELEBA_PARTS`.
    """
    if len({mask.shape for mask in parts.values()}) != 1:
        raise SeglibError("its parts differ in size; get them again")
    merged = np.zeros(next(iter(parts.values())).shape, np.uint8)
    for number, part in enumerate(CELEBA_PARTS, 1):
        if part in parts:
            merged[parts[part]] = number
    return merged


def _notes(left_out: Collection, what: str) -> tuple[str, ...]:
    return (f"{len(left_out)} {what} and are left out",) if left_out else ()


def _base(raw: Path, *needed: str) -> Path:
    """Return `raw`, or the folder up to two levels inside it, that holds all `needed` paths."""
    for place in [raw, *sorted(raw.glob("*/")), *sorted(raw.glob("*/*/"))]:
        if all((place / name).exists() for name in needed):
            return place
    raise SeglibError(f"{raw} has no {' and no '.join(needed)}; give the folder that holds them")


def _folder_called(raw: Path, name: str) -> Path:
    return min((path for path in raw.rglob(name) if path.is_dir()), default=raw)


def _read_mat(path: Path, name: str) -> np.ndarray:
    """Return one variable of a MATLAB file (version 4 to 7.2)."""
    try:
        from scipy.io import loadmat, whosmat
    except ModuleNotFoundError as error:
        raise SeglibError(
            f"{path.name} takes SciPy to read; install it with: pip install scipy"
        ) from error
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; get it again")
    try:
        shapes = {entry[0]: entry[1] for entry in whosmat(path)}
        # The size is looked at first: a few bytes can claim to unpack to gigabytes.
        if name in shapes and np.prod(shapes[name], dtype=float) <= MAX_PIXELS:
            return loadmat(path, variable_names=[name])[name]
    # SciPy lets many kinds of exception through on damaged files.
    except Exception as error:
        raise SeglibError(f"{path} is damaged or no MATLAB file ({error}); get it again") from error
    raise SeglibError(
        f"{path} holds no usable {name!r} (it has {', '.join(shapes) or 'nothing'}); get it again"
    )


READERS = {
    "ccp": (find_ccp, read_ccp),
    "ccp_upper": (find_ccp, read_ccp_upper),
    "eg1800": (find_eg1800, read_eg1800),
    "figaro1k": (find_figaro1k, read_hair),
    "lfw_hair": (find_lfw_hair, read_hair),
    "lfw_parts": (find_lfw_parts, read_lfw_parts),
    "celebamask_hq": (find_celebamask_hq, read_celebamask_hq),
}
