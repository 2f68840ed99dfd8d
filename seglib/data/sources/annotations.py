"""Readers of outlines that annotation tools write: COCO, LabelMe, CVAT and Supervisely.

One kind is read: the label that `kind` names, else "person" where there is such a label, else the
only one. Photos without an outline of it have an empty mask. Outlines that enclose nothing (lines,
points) are refused by name, as nobody can tell their area.

Sources of the formats: cocodataset.org (format-data), labelmeai/labelme (utils/shape.py), CVAT's
"CVAT for images 1.1", developer.supervisely.com.

Chapter: data preparation.
"""

import base64
import json
import os
import re
import xml.etree.ElementTree as ElementTree
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from seglib.data.sources.generic import Listing, Masks, Pair, named, split_name, walk
from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.images import MAX_PIXELS, read_image

_MOST_BYTES = 64 * 2**20  # of a bitmap that comes packed


def find_coco(raw: Path, kind: str | None = None) -> Listing:
    """List the photos of COCO's instances files, `raw` itself or those under it."""
    tables = _contents(raw, "images", "COCO files (JSON with images and categories)")
    labels = [one["name"] for _, table in tables for one in table.get("categories", ())]
    label, kinds = _chosen(labels, kind, raw)
    photos, found, empty = _photos(raw), [], 0
    for file, table in tables:
        ids = {one["id"] for one in table.get("categories", ()) if _plain(one["name"]) == label}
        outlines = defaultdict(list)
        for one in table.get("annotations", ()):
            if one["category_id"] in ids:
                outlines[one["image_id"]].append(one.get("segmentation"))
        words = (*re.split(r"[\W_\d]+", file.stem), file.parent.name)
        split = next(filter(None, map(split_name, words)), "")
        for image in table["images"]:
            shape, shapes = (int(image["height"]), int(image["width"])), outlines[image["id"]]
            empty += not shapes
            found.append(_pair(image["file_name"], file, photos, split, (kinds, shape, shapes)))
    notes = (f"{empty} photos have no outline of {label} and get empty masks",) if empty else ()
    return Listing(kinds, named(found), notes)


def _draw_coco(pair: Pair, _size: tuple[int, int]) -> np.ndarray:
    _, shape, shapes = pair.data
    mask = _blank(shape, pair.image.name)
    for one in shapes:
        mask |= _coco_mask(one, shape, pair.image.name)
    return mask


def _coco_mask(drawn: Any, shape: tuple[int, int], name: str) -> np.ndarray:
    """Draw one COCO segmentation: polygons, or run lengths as numbers or packed into a string."""
    if isinstance(drawn, dict):
        counts = drawn["counts"]
        counts = _unpacked(counts) if isinstance(counts, str) else counts
        fills = min(counts, default=0) >= 0 and sum(counts) == shape[0] * shape[1]
        if not fills or list(drawn.get("size", shape)) != list(shape):
            raise SeglibError(f"{name} has run lengths that do not fill it; export it again")
        return np.repeat(np.arange(len(counts)) % 2 > 0, counts).reshape(shape[::-1]).T
    if not drawn or any(len(ring) < 6 or len(ring) % 2 for ring in drawn):
        raise SeglibError(
            f"{name} has an annotation without an outline (a box, a line or a point alone); draw a "
            "polygon or leave it out"
        )
    try:
        from pycocotools import mask as coco
    except ModuleNotFoundError as error:
        raise SeglibError(
            "these polygons take pycocotools; install it with: pip install pycocotools"
        ) from error
    return coco.decode(coco.merge(coco.frPyObjects(drawn, *shape))).astype(bool)


def _unpacked(text: str) -> list[int]:
    """Return the run lengths of a COCO string: five bits a letter, differences from the third."""
    counts, value, shift = [], 0, 0
    for code in (ord(letter) - 48 for letter in text):
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            value -= (code & 16) << (shift - 4)
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value, shift = 0, 0
    return counts


def find_labelme(raw: Path, kind: str | None = None) -> Listing:
    """List the LabelMe files under `raw`, each with the photo that it names."""
    notes = _contents(raw, "shapes", "LabelMe files (JSON with shapes)")
    label, kinds = _chosen((one["label"] for _, n in notes for one in n["shapes"]), kind, raw)
    photos, found = _photos(raw), []
    for file, note in notes:
        name = note.get("imagePath") or file.stem
        shapes = [one for one in note["shapes"] if _plain(one["label"]) == label]
        data = (kinds, shapes)
        found.append(_pair(name, file, photos, split_name(file.parent.name), data, file.stem))
    return Listing(kinds, named(found))


def _draw_labelme(pair: Pair, size: tuple[int, int]) -> np.ndarray:
    mask = _blank(size, pair.image.name)
    for shape in pair.data[1]:
        form, points = shape.get("shape_type") or "polygon", np.array(shape["points"], float)
        if form == "mask":
            _paste(mask, _bitmap(shape["mask"], pair.parts[0].name), points[0])
        elif form == "circle":
            radius = round(float(np.hypot(*(points[1] - points[0]))))
            centre = [int(value) for value in np.rint(points[0])]
            mask |= cv2.circle(np.zeros(size, np.uint8), centre, radius, 1, -1) > 0
        else:
            mask |= _filled(form, points, size, pair.parts[0].name)
    return mask


def find_cvat(raw: Path, kind: str | None = None) -> Listing:
    """List the images of CVAT's annotations.xml ("CVAT for images 1.1")."""
    roots = _contents(raw, "annotations", "annotations.xml of CVAT", ".xml")
    if any(root.find("track") is not None for _, root in roots):
        raise SeglibError(f"{raw} holds tracks of a video; export it as CVAT for images 1.1")
    labels = (shape.get("label", "") for _, root in roots for shape in root.iterfind("image/*"))
    label, kinds = _chosen(labels, kind, raw)
    photos, found = _photos(raw), []
    for file, image in ((file, image) for file, root in roots for image in root.iterfind("image")):
        shapes = [
            (shape.tag, dict(shape.attrib))
            for shape in image
            if shape.tag != "tag" and _plain(shape.get("label", "")) == label
        ]
        data = (kinds, (int(image.get("height", 0)), int(image.get("width", 0))), shapes)
        split = split_name(image.get("subset", ""))
        found.append(_pair(image.get("name", ""), file, photos, split, data))
    return Listing(kinds, named(found))


def _draw_cvat(pair: Pair, _size: tuple[int, int]) -> np.ndarray:
    _, shape, shapes = pair.data
    mask = _blank(shape, pair.image.name)
    for form, given in shapes:
        at = {key: float(given[key]) for key in given.keys() & _CVAT_NUMBERS}
        if form == "mask":
            counts = [int(value) for value in given["rle"].split(",")]
            runs = np.repeat(np.arange(len(counts)) % 2 > 0, counts)
            piece = runs.reshape(int(given["height"]), int(given["width"]))
            _paste(mask, piece, (at["left"], at["top"]))
            continue
        if form == "polygon":
            ring = [[float(v) for v in point.split(",")] for point in given["points"].split(";")]
        elif form == "box":
            x, y = (at["xtl"], at["xbr"]), (at["ytl"], at["ybr"])
            ring = [[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]]
        elif form == "ellipse":
            turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            across, down = np.cos(turns) * at["rx"], np.sin(turns) * at["ry"]
            ring = np.stack([at["cx"] + across, at["cy"] + down], axis=1)
        else:
            raise _no_area(form, pair.image.name)
        ring, angle = np.array(ring), np.radians(at.get("rotation", 0))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = (ring.min(axis=0) + ring.max(axis=0)) / 2
        mask |= _coco_mask([((ring - centre) @ turn + centre).ravel().tolist()], shape, form)
    return mask


_CVAT_NUMBERS = {"xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "left", "top", "rotation"}


def find_supervisely(raw: Path, kind: str | None = None) -> Listing:
    """List <set>/img/<photo> with <set>/ann/<photo>.json (or, of 2018, <stem>.json)."""
    found, kinds = [], ("person",)
    for image in walk(raw, "**/img/*"):
        folder = image.parent.parent / "ann"
        names = (f"{image.name}.json", f"{image.stem}.json")
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        fault = "" if file else f"{image.name} has no annotation"
        pair = Pair(image.stem, image, (file,) if file else (), data=(kinds,), fault=fault)
        found.append((image.parent.parent.name, pair))
    if not found:
        raise SeglibError(
            f"{raw} holds no img/ with photos beside an ann/; give the project's folder"
        )
    return Listing(kinds, named(found))


def draw_supervisely(annotation: dict, name: str = "the annotation") -> np.ndarray:
    """Draw those objects of one Supervisely annotation whose class begins with "person".

    Returns:
        bool (h, w) of the size that the annotation states.
    """
    try:
        shape = (int(annotation["size"]["height"]), int(annotation["size"]["width"]))
        objects = annotation["objects"]
    except (KeyError, TypeError, ValueError) as error:
        raise SeglibError(f"{name} states no size or no objects; export it again") from error
    mask = _blank(shape, name)
    for one in objects:
        if not str(one.get("classTitle", "")).lower().startswith("person"):
            continue
        bitmap, points = one.get("bitmap"), one.get("points") or {}
        form = one.get("geometryType") or ("bitmap" if bitmap else "polygon")
        if form == "bitmap" and bitmap:
            _paste(mask, _bitmap(bitmap["data"], name), bitmap["origin"])
            continue
        # Each on its own sheet: one person's hole may show another person.
        sheet = _filled(form, points.get("exterior", ()), shape, name)
        for hole in points.get("interior", ()):
            sheet &= ~_filled("polygon", hole, shape, name)
        mask |= sheet
    return mask


def _draw_supervisely(pair: Pair, _size: tuple[int, int]) -> np.ndarray:
    return draw_supervisely(_read(pair.parts[0]), pair.parts[0].name)


def _filled(form: str, points: Sequence, shape: tuple[int, int], name: str) -> np.ndarray:
    """Fill a polygon, or a rectangle that is two corners; the outline belongs to it."""
    ring = np.rint(np.array(points, float)).astype(np.int32)
    if form == "rectangle" and len(ring) == 2:
        (left, top), (right, bottom) = ring
        ring = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.int32)
    if form not in ("polygon", "rectangle") or len(ring) < 3:
        raise _no_area(form, name)
    return cv2.fillPoly(np.zeros(shape, np.uint8), [ring], 1) > 0


def _no_area(form: str, name: str) -> SeglibError:
    return SeglibError(
        f"{name} has a {form} that encloses no area; make it a polygon or a bitmap and export again"
    )


def _blank(shape: tuple[int, int], name: str) -> np.ndarray:
    if not (min(shape) > 0 and shape[0] * shape[1] <= MAX_PIXELS):
        raise SeglibError(f"{name} states a size of {shape[1]}x{shape[0]}; export it again")
    return np.zeros(shape, bool)


def _bitmap(data: str, name: str) -> np.ndarray:
    """Unpack a picture in base64, packed with zlib or not, as bool (h, w)."""
    packed, reader = base64.b64decode(data), zlib.decompressobj()
    if not packed.startswith(b"\x89PNG"):
        packed = reader.decompress(packed, _MOST_BYTES)
    if reader.unconsumed_tail:
        raise SeglibError(f"{name} has a bitmap of more than {_MOST_BYTES >> 20} MB; check it")
    picture = cv2.imdecode(np.frombuffer(packed, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SeglibError(f"{name} has a bitmap that is no PNG; export it again")
    # The mask is the alpha of a PNG with four channels, or else the picture itself.
    return (picture if picture.ndim == 2 else picture[..., -1]) > 0


def _paste(mask: np.ndarray, piece: np.ndarray, origin: Sequence[float]) -> None:
    """Add a piece whose left upper corner lies at origin (x, y); what sticks out is cut off."""
    left, top = (round(float(value)) for value in origin)
    bottom, right = max(top + piece.shape[0], 0), max(left + piece.shape[1], 0)
    window = mask[max(top, 0) : bottom, max(left, 0) : right]
    y, x = max(-top, 0), max(-left, 0)
    window |= piece[y : y + window.shape[0], x : x + window.shape[1]]


def _plain(label: Any) -> str:
    return re.sub(r"\W+", "_", str(label).strip().lower())


def _chosen(labels: Iterable[Any], kind: str | None, raw: Path) -> tuple[str, tuple[str]]:
    """Return the label that is read, in its plain spelling, and the kind of mask it makes."""
    there = sorted({_plain(label) for label in labels} - {""})
    default = "person" if "person" in there or len(there) != 1 else there[0]
    wanted = _plain(kind) if kind else default
    if wanted not in there:
        listed = ", ".join(there) or "none"
        raise SeglibError(
            f"{raw} has no label {wanted!r}; it has {listed}; say which with kind=... (--kind)"
        )
    return wanted, (wanted if wanted.isidentifier() else "mask",)


def _photos(raw: Path) -> dict[str, list[Path]]:
    """Return name -> photos under a folder, or around a file: beside it or in the next folder."""
    found = defaultdict(list)
    for path in walk(raw) if raw.is_dir() else walk(raw.parent) or walk(raw.parent.parent):
        found[path.name].append(path)
    return found


def _pair(
    name: str, file: Path, photos: dict[str, list[Path]], split: str, data: Any, stem: str = ""
) -> tuple[str, Pair]:
    """Return the folder and the pair of a photo that an annotation file names."""
    wanted = Path(os.path.normpath(file.parent / str(name).replace("\\", "/")))

    def alike(path: Path) -> int:
        both = enumerate(zip(path.parts[::-1], wanted.parts[::-1], strict=False))
        return next((count for count, (a, b) in both if a != b), len(wanted.parts))

    path = max(photos.get(wanted.name, ()), key=alike, default=None)
    fault = "" if path else f"{file.name} names {name}, which is not there"
    pair = Pair(stem or wanted.stem, path or wanted, (file,), split, data=data, fault=fault)
    return pair.image.parent.name, pair


def _contents(raw: Path, key: str, what: str, suffix: str = ".json") -> list[tuple[Path, Any]]:
    """Return the files that have a key, or an XML root of that name, with what they hold."""
    files = [raw] if raw.is_file() else walk(raw, suffixes=(suffix,))
    found = [(file, _read(file)) for file in files]
    found = [(f, one) for f, one in found if key in (one if isinstance(one, dict) else (one.tag,))]
    if not found:
        raise SeglibError(f"{raw} holds no {what}; give their folder or path")
    return found


def _read(path: Path) -> Any:
    """Read a JSON object ({} for other JSON) or the root of an XML file."""
    text = read_text(path)
    try:
        if path.suffix.lower() == ".xml":
            return ElementTree.fromstring(text)
        content = json.loads(text)
    except (ValueError, ElementTree.ParseError) as error:
        raise SeglibError(f"{path} is damaged ({error}); export it again") from error
    return content if isinstance(content, dict) else {}


def _read_pair(
    draw: Callable[[Pair, tuple[int, int]], np.ndarray], pair: Pair
) -> tuple[np.ndarray, Masks]:
    """Read a photo, and its outlines as one mask."""
    image = read_image(pair.image)
    return image, {pair.data[0][0]: draw(pair, image.shape[:2])}


READERS = {
    "coco": (find_coco, partial(_read_pair, _draw_coco)),
    "labelme": (find_labelme, partial(_read_pair, _draw_labelme)),
    "cvat": (find_cvat, partial(_read_pair, _draw_cvat)),
    "supervisely": (find_supervisely, partial(_read_pair, _draw_supervisely)),
}
