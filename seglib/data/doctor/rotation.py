"""Photos that are upright by their EXIF tag only, and masks that know nothing of the tag.

Chapter: data preparation.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from seglib.data.doctor import pixels

ORIENTATION = 0x0112
# What brings a mask, painted on the photo as it was stored, to the photo as it is shown.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(picture: Path | Image.Image) -> int:
    """Return the number of the EXIF tag, 1 (as it is stored) to 8; 1 where it makes no sense."""
    if isinstance(picture, Path):
        with Image.open(picture) as opened:
            return orientation(opened)
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    # Pillow lets many kinds of exception through on damaged EXIF.
    except Exception:
        return 1
    return value if value in TURNS else 1


def turned(mask: np.ndarray, tag: int) -> np.ndarray:
    """Return a mask of the photo as it was stored as one of the photo as the tag shows it.

    Args:
        mask: uint8 or float32 (h, w).
        tag: what `orientation` returned.
    """
    return mask if tag == 1 else np.array(Image.fromarray(mask).transpose(TURNS[tag]))


def fits_stored(photo: np.ndarray, mask: np.ndarray, tag: int) -> bool:
    """Return whether a mask of the shown photo's size plainly fits the photo as it was stored.

    Args:
        photo: uint8 (h, w, 3), upright.
        mask: (h, w), 0..1.
        tag: what `orientation` returned.
    """
    as_stored = turned(mask, tag)
    if as_stored.shape != mask.shape:
        return False
    fit, other = pixels.edge_fit(photo, mask), pixels.edge_fit(photo, as_stored)
    return fit is not None and other is not None and other > fit + 0.05 and fit < 0.1
