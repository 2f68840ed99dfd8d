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
from itertools import accumulate
from operator import and_, eq
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from seglib.data.sources.generic import Listing, Masks, Pair, named, split_name, walk
from seglib.errors import SeglibError
from seglib.files import read_text
from seglib.images import MAX_PIXELS, read_image

_MOST_BYTES = 64 * 2**20  # of a bitmap that comes packed


class _Photo(NamedTuple):
    """What a file of annotations says of a photo: its size, where stated, and (label, outline)."""

    file: Path
    name: str
    split: str
    shape: tuple[int, int] | None
    outlines: Sequence[tuple[str, Any]]
    stem: str = ""


def find_coco(raw: Path, kind: str | None = None) -> Listing:
    """List the photos of COCO's instances files, `raw` itself or those under it."""
    photos, labels = [], set()
    for file, table in _contents(raw, "images", "COCO files (JSON with images and categories)"):
        names = {one["id"]: _plain(one["name"]) for one in table.get("categories", ())}
        labels |= {*names.values()}
        outlines = defaultdict(list)
        for one in table.get("annotations", ()):
            found = names.get(one["category_id"], ""), one.get("segmentation")
            outlines[one["image_id"]].append(found)
        words = (*re.split(r"[\W_\d]+", file.stem), file.parent.name)
        split = next(filter(None, map(split_name, words)), "")
        for image in table["images"]:
            shape = int(image["height"]), int(image["width"])
            photos.append(_Photo(file, image["file_name"], split, shape, outlines[image["id"]]))
    return _listing(raw, kind, labels, photos)


def _draw_coco(mask: np.ndarray, drawn: Any, name: str) -> None:
    """Draw a COCO segmentation: polygons, or run lengths as numbers or packed into a string."""
    if isinstance(drawn, dict):
        counts = drawn["counts"]
        counts = _unpacked(counts) if isinstance(counts, str) else counts
        fills = min(counts, default=0) >= 0 and sum(counts) == mask.size
        if not fills or list(drawn.get("size", mask.shape)) != list(mask.shape):
            raise SeglibError(f"{name} has run lengths that do not fill it; export it again")
        mask |= _runs(counts, mask.shape[::-1]).T
        return
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
    mask |= coco.decode(coco.merge(coco.frPyObjects(drawn, *mask.shape))).astype(bool)


def _runs(counts: Sequence[int], shape: tuple[int, int]) -> np.ndarray:
    """Return what run lengths, of zeros first, stand for, bool."""
    return np.repeat(np.arange(len(counts)) % 2 > 0, counts).reshape(shape)


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
    photos = []
    for file, note in _contents(raw, "shapes", "LabelMe files (JSON with shapes)"):
        outlines = [(_plain(one["label"]), one) for one in note["shapes"]]
        name, split = note.get("imagePath") or file.stem, split_name(file.parent.name)
        photos.append(_Photo(file, name, split, None, outlines, file.stem))
    labels = {label for photo in photos for label, _ in photo.outlines}
    return _listing(raw, kind, labels, photos)


def _draw_labelme(mask: np.ndarray, shape: dict, name: str) -> None:
    form, points = shape.get("shape_type") or "polygon", np.array(shape["points"], float)
    if form == "mask":
        _paste(mask, _bitmap(shape["mask"], name), points[0])
    elif form == "circle":
        radius = round(float(np.hypot(*(points[1] - points[0]))))
        centre = [int(value) for value in np.rint(points[0])]
        mask |= cv2.circle(np.zeros(mask.shape, np.uint8), centre, radius, 1, -1) > 0
    else:
        mask |= _filled(form, points, mask.shape, name)


def find_cvat(raw: Path, kind: str | None = None) -> Listing:
    """List the images of CVAT's annotations.xml ("CVAT for images 1.1")."""
    photos, labels = [], set()
    for file, root in _contents(raw, "annotations", "annotations.xml of CVAT", ".xml"):
        if root.find("track") is not None:
            raise SeglibError(f"{raw} holds tracks of a video; export it as CVAT for images 1.1")
        for image in root.iterfind("image"):
            outlines = [(_plain(one.get("label", "")), one) for one in image]
            labels |= {label for label, _ in outlines}
            drawn = [(label, (o.tag, dict(o.attrib))) for label, o in outlines if o.tag != "tag"]
            shape = int(image.get("height", 0)), int(image.get("width", 0))
            split = split_name(image.get("subset", ""))
            photos.append(_Photo(file, image.get("name", ""), split, shape, drawn))
    return _listing(raw, kind, labels, photos)


def _draw_cvat(mask: np.ndarray, drawn: tuple[str, dict[str, str]], name: str) -> None:
    form, given = drawn
    at = {key: float(given[key]) for key in given.keys() & _CVAT_NUMBERS}
    if form == "mask":
        counts = [int(value) for value in given["rle"].split(",")]
        piece = _runs(counts, (int(given["height"]), int(given["width"])))
        _paste(mask, piece, (at["left"], at["top"]))
        return
    if form == "polygon":
        ring = [point.split(",") for point in given["points"].split(";")]
    elif form == "box":
        ring = [[at["x" + x], at["y" + y]] for x, y in _CORNERS]
    elif form == "ellipse":
        turns = np.linspace(0, 2 * np.pi, 72, endpoint=False)
        across, down = np.cos(turns) * at["rx"], np.sin(turns) * at["ry"]
        ring = np.stack([at["cx"] + across, at["cy"] + down], axis=1)
    else:
        raise _no_area(form, name)
    ring, angle = np.array(ring, float), np.radians(at.get("rotation", 0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = (ring.min(axis=0) + ring.max(axis=0)) / 2
    _draw_coco(mask, [((ring - centre) @ turn + centre).ravel().tolist()], name)


_CVAT_NUMBERS = {"xtl", "ytl", "xbr", "ybr", "cx", "cy", "rx", "ry", "left", "top", "rotation"}
_CORNERS = (("tl", "tl"), ("br", "tl"), ("br", "br"), ("tl", "br"))


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
        raise SeglibError(f"{raw} holds no img/ beside an ann/; give the project's folder")
    return Listing(("person",), named(found))


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


def _read_supervisely(pair: Pair) -> tuple[np.ndarray, Masks]:
    drawn = draw_supervisely(_read(pair.parts[0]), pair.parts[0].name)
    return read_image(pair.image), {"person": drawn}


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


def _listing(
    raw: Path, kind: str | None, labels: Iterable[str], photos: Sequence[_Photo]
) -> Listing:
    """List annotated photos by the outlines of the label that is read."""
    there = sorted({*labels} - {""})
    label = _plain(kind) if kind else "person" if "person" in there or len(there) != 1 else there[0]
    if label not in there:
        listed = ", ".join(there) or "none"
        raise SeglibError(
            f"{raw} has no label {label!r}; it has {listed}; say which with kind=... (--kind)"
        )
    paths, found, empty = defaultdict(list), [], 0
    # Photos lie in the folder, or beside a file or in the next folder.
    for path in walk(raw) if raw.is_dir() else walk(raw.parent) or walk(raw.parent.parent):
        paths[path.name].append(path)
    kinds = (label if label.isidentifier() else "mask",)
    for file, name, split, shape, outlines, stem in photos:
        wanted = Path(os.path.normpath(file.parent / str(name).replace("\\", "/")))
        # Of several photos of that name, the one whose last folders are alike.
        path = max(paths.get(wanted.name, ()), key=partial(_alike, wanted), default=None)
        fault = "" if path else f"{file.name} names {name}, which is not there"
        drawn = [outline for its, outline in outlines if its == label]
        empty += not drawn
        data, image = (kinds[0], shape, drawn), path or wanted
        pair = Pair(stem or wanted.stem, image, (file,), split, data=data, fault=fault)
        found.append((image.parent.name, pair))
    notes = (f"{empty} photos have no outline of {label} and get empty masks",) if empty else ()
    return Listing(kinds, named(found), notes)


def _alike(wanted: Path, path: Path) -> int:
    """Return how many of two paths' last parts are the same."""
    return sum(accumulate(map(eq, path.parts[::-1], wanted.parts[::-1]), and_))


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


def _read_drawn(
    draw: Callable[[np.ndarray, Any, str], None], pair: Pair
) -> tuple[np.ndarray, Masks]:
    """Read a photo, and its outlines as one mask."""
    image, (kind, shape, outlines) = read_image(pair.image), pair.data
    mask = _blank(shape or image.shape[:2], pair.image.name)
    for outline in outlines:
        draw(mask, outline, pair.image.name)
    return image, {kind: mask}


READERS = {
    "coco": (find_coco, partial(_read_drawn, _draw_coco)),
    "labelme": (find_labelme, partial(_read_drawn, _draw_labelme)),
    "cvat": (find_cvat, partial(_read_drawn, _draw_cvat)),
    "supervisely": (find_supervisely, _read_supervisely),
}
