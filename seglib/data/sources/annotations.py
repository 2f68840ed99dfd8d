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
import re
import xml.etree.ElementTree as ElementTree
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from seglib.data.sources.pairs import Listing, Masks, Pair, named, split_name, walk
from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.images import MAX_PIXELS, read_image

_MOST_BYTES = 64 * 2**20  # of a bitmap that comes packed


def find_coco(raw: Path, kind: str | None = None) -> Listing:
    """List the photos of COCO's instances files, `raw` itself or those under it."""
    files = [raw] if raw.is_file() else walk(raw, suffixes=(".json",))
    tables = [(file, table) for file in files if "images" in (table := _json(file, dict))]
    labels = [c.get("name", "") for _, t in tables for c in t.get("categories", ()) if c]
    if not labels:
        raise SeglibError(f"{raw} holds no COCO file with images and categories; give its path")
    label, kinds = _chosen(labels, kind, raw)
    photos = _photos(raw)
    found, empty = [], 0
    for file, table in tables:
        ids = {c["id"] for c in table.get("categories", ()) if _plain(c["name"]) == label}
        outlines = defaultdict(list)
        for one in table.get("annotations", ()):
            if one.get("category_id") in ids:
                outlines[one.get("image_id")].append(one.get("segmentation"))
        split = next(filter(None, map(split_name, re.split(r"[\W_\d]+", file.stem))), "")
        for image in table["images"]:
            drawn = outlines.get(image["id"], [])
            empty += not drawn
            shape = (int(image["height"]), int(image["width"]))
            found.append(
                _pair(image["file_name"], file, photos, split or split_name(file.parent.name),
                      (shape, drawn, kinds))
            )  # fmt: skip
    notes = (f"{empty} photos have no outline of {label} and get empty masks",) if empty else ()
    return Listing(kinds, named(found), notes)


def read_coco(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo, and its polygons and run lengths as one mask."""
    shape, drawn, kinds = pair.data
    mask = _blank(shape, pair.image.name)
    for one in drawn:
        mask |= _coco_mask(one, shape, pair.image.name)
    return read_image(pair.image), {kinds[0]: mask}


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
        if code & 32:
            continue
        value -= (code & 16) << (shift - 4) if code & 16 else 0
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value, shift = 0, 0
    return counts


def find_labelme(raw: Path, kind: str | None = None) -> Listing:
    """List the LabelMe files under `raw`, each with the photo that it names."""
    files = walk(raw, suffixes=(".json",))
    notes = [(file, one) for file in files if "shapes" in (one := _json(file, dict))]
    if not notes:
        raise SeglibError(f"{raw} holds no LabelMe files (JSON with shapes); give their folder")
    label, kinds = _chosen((s.get("label", "") for _, n in notes for s in n["shapes"]), kind, raw)
    photos, found = _photos(raw), []
    for file, note in notes:
        name = str(note.get("imagePath") or file.stem)
        if (beside := file.parent / name.replace("\\", "/")).is_file():
            name = str(beside)
        shapes = [shape for shape in note["shapes"] if _plain(shape.get("label", "")) == label]
        split = split_name(file.parent.name)
        found.append(_pair(name, file, photos, split, (shapes, kinds), file.stem))
    return Listing(kinds, named(found))


def read_labelme(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo, and its polygons, rectangles, circles and bitmaps as one mask."""
    image = read_image(pair.image)
    shapes, kinds = pair.data
    mask = _blank(image.shape[:2], pair.image.name)
    for shape in shapes:
        form, points = shape.get("shape_type") or "polygon", np.array(shape["points"], float)
        if form == "mask":
            _paste(mask, _bitmap(shape["mask"], pair.parts[0].name), points[0])
        elif form == "circle":
            radius = float(np.hypot(*(points[1] - points[0])))
            centre = [int(value) for value in np.rint(points[0])]
            mask |= cv2.circle(np.zeros(mask.shape, np.uint8), centre, round(radius), 1, -1) > 0
        else:
            mask |= _filled(form, points, mask.shape, pair.parts[0].name)
    return image, {kinds[0]: mask}


def find_cvat(raw: Path, kind: str | None = None) -> Listing:
    """List the images of CVAT's annotations.xml ("CVAT for images 1.1")."""
    files = [raw] if raw.is_file() else walk(raw, suffixes=(".xml",))
    roots = [(file, root) for file in files if (root := _xml(file)).tag == "annotations"]
    if not roots:
        raise SeglibError(f"{raw} holds no annotations.xml of CVAT; give its path")
    if any(root.find("track") is not None for _, root in roots):
        raise SeglibError(f"{raw} holds tracks of a video; export it as CVAT for images 1.1")
    labels = (shape.get("label", "") for _, root in roots for shape in root.iterfind("image/*"))
    label, kinds = _chosen(labels, kind, raw)
    photos, found = _photos(raw), []
    for file, root in roots:
        for image in root.iterfind("image"):
            shapes = [
                (shape.tag, dict(shape.attrib))
                for shape in image
                if shape.tag != "tag" and _plain(shape.get("label", "")) == label
            ]
            shape = (int(image.get("height", 0)), int(image.get("width", 0)))
            split = split_name(image.get("subset", ""))
            found.append(_pair(image.get("name", ""), file, photos, split, (shape, shapes, kinds)))
    return Listing(kinds, named(found))


def read_cvat(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo, and its polygons, boxes, ellipses and masks as one mask."""
    shape, shapes, kinds = pair.data
    mask = _blank(shape, pair.image.name)
    for form, given in shapes:
        if form == "mask":
            counts = [int(value) for value in given["rle"].split(",")]
            size = (int(given["height"]), int(given["width"]))
            runs = np.repeat(np.arange(len(counts)) % 2 > 0, counts)
            _paste(mask, runs.reshape(size), (float(given["left"]), float(given["top"])))
            continue
        if form == "polygon":
            ring = [[float(v) for v in point.split(",")] for point in given["points"].split(";")]
        elif form == "box":
            left, top, right, bottom = (float(given[k]) for k in ("xtl", "ytl", "xbr", "ybr"))
            ring = [[left, top], [right, top], [right, bottom], [left, bottom]]
        elif form == "ellipse":
            turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
            across, down = np.cos(turns) * float(given["rx"]), np.sin(turns) * float(given["ry"])
            ring = np.stack([float(given["cx"]) + across, float(given["cy"]) + down], axis=1)
        else:
            raise _no_area(form, pair.image.name)
        ring, angle = np.array(ring), np.radians(float(given.get("rotation", 0)))
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        centre = (ring.min(axis=0) + ring.max(axis=0)) / 2
        mask |= _coco_mask([((ring - centre) @ turn + centre).ravel().tolist()], shape, form)
    return read_image(pair.image), {kinds[0]: mask}


def find_supervisely(raw: Path, kind: str | None = None) -> Listing:
    """List <set>/img/<photo> with <set>/ann/<photo>.json (or, of 2018, <stem>.json)."""
    found = []
    for image in walk(raw, "**/img/*"):
        folder = image.parent.parent / "ann"
        names = (f"{image.name}.json", f"{image.stem}.json")
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        fault = "" if file else f"{image.name} has no annotation"
        pair = Pair(image.stem, image, (file,) if file else (), fault=fault)
        found.append((image.parent.parent.name, pair))
    if not found:
        raise SeglibError(
            f"{raw} holds no img/ with photos beside an ann/; give the project's folder"
        )
    return Listing(("person",), named(found))


def read_supervisely(pair: Pair) -> tuple[np.ndarray, Masks]:
    """Read a photo, and as one mask its objects whose class begins with "person"."""
    note = _json(pair.parts[0], dict)
    return read_image(pair.image), {"person": draw_supervisely(note, pair.parts[0].name)}


def draw_supervisely(annotation: dict, name: str = "the annotation") -> np.ndarray:
    """Draw the persons of one Supervisely annotation.

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
    packed = base64.b64decode(data)
    if not packed.startswith(b"\x89PNG"):
        reader = zlib.decompressobj()
        packed = reader.decompress(packed, _MOST_BYTES)
        if reader.unconsumed_tail:
            raise SeglibError(
                f"{name} has a bitmap of more than {_MOST_BYTES >> 20} MB; check the file"
            )
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
    wanted = _plain(kind) if kind else "person" if "person" in there else there[0] if there else ""
    if wanted not in there or (kind is None and wanted != "person" and len(there) > 1):
        listed = ", ".join(there) or "none"
        raise SeglibError(
            f"{raw} has no label {wanted!r}; it has {listed}; say which with kind=... (--kind)"
            if kind
            else f"{raw} has several labels ({listed}); say which with kind=... (--kind)"
        )
    return wanted, (wanted if wanted.isidentifier() else "mask",)


def _photos(raw: Path) -> dict[str, list[Path]]:
    """Return name -> photos under a folder, or around a file: beside it or in the next folder."""
    found = defaultdict(list)
    files = walk(raw) if raw.is_dir() else walk(raw.parent) or walk(raw.parent.parent)
    for path in files:
        found[path.name].append(path)
    return found


def _pair(
    name: str, file: Path, photos: dict[str, list[Path]], split: str, data: Any, stem: str = ""
) -> tuple[str, Pair]:
    """Return the folder and the pair of a photo that an annotation file names."""
    parts = Path(name.replace("\\", "/")).parts
    near = photos.get(parts[-1], []) if parts else []
    # Of several photos of one name, the one whose folders agree best, then the nearest to the file.
    near = sorted(
        near,
        key=lambda path: (
            -sum(a == b for a, b in zip(path.parts[::-1], parts[::-1], strict=False)),
            -len(set(path.parts) & set(file.parts)),
        ),
    )
    path = near[0] if near else Path(name or file.stem)
    fault = "" if near else f"{file.name} names {name}, which is not there"
    stem = stem or path.stem
    return path.parent.name, Pair(stem, path, (file,), split, data=data, fault=fault)


def _json(path: Path, kind: type) -> Any:
    try:
        content = json.loads(read_text(path))
    except ValueError as error:
        if isinstance(error, SeglibError):
            raise
        raise SeglibError(f"{path} is no JSON ({error}); export it again") from error
    return content if isinstance(content, kind) else {}


def _xml(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(read_text(path))
    except ElementTree.ParseError as error:
        raise SeglibError(f"{path} is no XML ({error}); export it again") from error


READERS = {
    "coco": (find_coco, read_coco),
    "labelme": (find_labelme, read_labelme),
    "cvat": (find_cvat, read_cvat),
    "supervisely": (find_supervisely, read_supervisely),
}
