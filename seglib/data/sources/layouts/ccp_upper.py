"""Upper-body crops of Clothing Co-Parsing: what a selfie camera would have seen.

The crop is a square of about half a standing person's height, over the head and the chest; stems
are those of the whole photos, so both sets split alike.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np

from seglib.data.sources.layouts import ccp
from seglib.data.sources.layouts.common import Listing, RawPair
from seglib.errors import SeglibError

# From the top of the head to the waist is about 0.4 of a person; the rest is air around the head.
_SIDE, _AIR = 0.48, 0.12


def find(raw: Path) -> Listing:
    """List the photos that have pixel labels, as `ccp.find` does."""
    return ccp.find(raw)


def read(pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read a photo and its masks, cropped to the upper body."""
    image, masks = ccp.read(pair)
    if masks["person"].shape != image.shape[:2]:
        raise SeglibError(f"{pair.parts[0].name} is not of its photo's size; get both again")
    top, left, side = square(masks["person"] > 0)
    window = (slice(top, top + side), slice(left, left + side))
    return image[window], {kind: mask[window] for kind, mask in masks.items()}


def square(person: np.ndarray) -> tuple[int, int, int]:
    """Return (top, left, side) of the square over a standing person's upper body, in pixels.

    Args:
        person: bool (h, w), where the person is.

    Returns:
        A square that lies inside the picture.

    Raises:
        SeglibError: nobody is there.
    """
    height, width = person.shape
    rows = np.flatnonzero(person.any(axis=1))
    if not len(rows):
        raise SeglibError(
            "its mask marks nobody, so there is no upper body to crop to; leave it out"
        )
    tall = int(rows[-1] - rows[0] + 1)
    side = max(1, min(round(_SIDE * tall), height, width))
    top = int(np.clip(rows[0] - round(_AIR * side), 0, height - side))
    # Arms and bags pull the middle of the lower body aside; the head and shoulders hold it.
    columns = np.nonzero(person[rows[0] : rows[0] + max(1, side // 2)])[1]
    left = int(np.clip(round(columns.mean() + 0.5 - side / 2), 0, width - side))
    return top, left, side
