"""Supervisely projects: <set>/img/<photo>, <set>/ann/<photo>.json with bitmaps and polygons.

A bitmap is a PNG, packed with zlib and written in base64, that lies at an origin; a polygon has an
outline and holes. Annotations are called after the photo's file (new) or its stem (the 2018
release). Source: the format's description at developer.supervisely.com.

Chapter: data preparation.
"""

import base64
import json
import zlib
from pathlib import Path

import cv2
import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair, photos, unique
from seglib.errors import SeglibError
from seglib.images import MAX_PIXELS, read_image

_MAX_PACKED = 64 * 2**20


def find(raw: Path) -> Listing:
    """List all photos of all sets of the project that have an annotation."""
    found, faults = [], []
    for image in photos(raw, "**/img/*"):
        folder = image.parent.parent / "ann"
        names = (f"{image.name}.json", f"{image.stem}.json")
        file = next((folder / name for name in names if (folder / name).is_file()), None)
        if file:
            found.append((image, file))
        else:
            faults.append((image.stem, f"{image.name} has no annotation"))
    if not found and not faults:
        raise SeglibError(
            f"{raw} holds no img/ with photos beside an ann/; give the project's folder"
        )
    stems = unique((image.parent.parent.name, image.stem) for image, _ in found)
    pairs = [RawPair(stem, *pair[:1], pair[1:]) for stem, pair in zip(stems, found, strict=True)]
    return Listing(tuple(sorted(pairs, key=lambda p: p.stem)), ("person",), (), tuple(faults))


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and all its person objects as one mask."""
    image = read_image(pair.image)
    mask = draw(json.loads(pair.parts[0].read_text(encoding="utf-8")), pair.parts[0].name)
    return image, {"person": mask.astype(np.float32)}


def draw(annotation: dict, name: str = "the annotation") -> np.ndarray:
    """Draw the objects whose class begins with "person" ("neutral" ones are not drawn).

    Returns:
        bool (h, w) of the size that the annotation states.

    Raises:
        SeglibError: the size is missing, or an object is neither a bitmap nor a polygon.
    """
    try:
        shape = (int(annotation["size"]["height"]), int(annotation["size"]["width"]))
        objects = annotation["objects"]
    except (KeyError, TypeError, ValueError) as error:
        raise SeglibError(f"{name} states no size or no objects; export it again") from error
    if not 0 < shape[0] * shape[1] <= MAX_PIXELS:
        raise SeglibError(f"{name} states a size of {shape[1]}x{shape[0]}; export it again")
    whole = np.zeros(shape, bool)
    for thing in objects:
        if not str(thing.get("classTitle", "")).lower().startswith("person"):
            continue
        if thing.get("bitmap"):
            _add_bitmap(whole, thing["bitmap"], name)
        elif thing.get("points", {}).get("exterior"):
            # Each on its own sheet: one person's hole may show another person.
            sheet = np.zeros(shape, np.uint8)
            for ring, value in [(thing["points"]["exterior"], 1)] + [
                (hole, 0) for hole in thing["points"].get("interior", [])
            ]:
                cv2.fillPoly(sheet, [np.rint(np.array(ring, float)).astype(np.int32)], value)
            whole |= sheet > 0
        else:
            raise SeglibError(
                f"{name} has a {thing.get('geometryType', 'shape')} that is neither a bitmap nor a "
                "polygon; turn it into one and export again"
            )
    return whole


def _add_bitmap(whole: np.ndarray, bitmap: dict, name: str) -> None:
    packed = zlib.decompressobj()
    data = packed.decompress(base64.b64decode(bitmap["data"]), _MAX_PACKED)
    if packed.unconsumed_tail:
        raise SeglibError(
            f"{name} has a bitmap of more than {_MAX_PACKED >> 20} MB; check the file"
        )
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise SeglibError(f"{name} has a bitmap that is no PNG; export it again")
    # The mask is the alpha of a PNG with four channels, or else the picture itself.
    marked = (picture if picture.ndim == 2 else picture[..., -1]) > 0
    left, top = (int(value) for value in bitmap["origin"])
    bottom, right = max(top + marked.shape[0], 0), max(left + marked.shape[1], 0)
    window = whole[max(top, 0) : bottom, max(left, 0) : right]
    y, x = max(-top, 0), max(-left, 0)
    window |= marked[y : y + window.shape[0], x : x + window.shape[1]]
