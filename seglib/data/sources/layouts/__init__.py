"""Readers of the data sets' original layouts.

Each module here knows one layout and has two functions: `find(raw)` lists the pairs without opening
a photo, and `read(pair)` reads one. The rest of the library sees neither .mat nor .ppm nor JSON.

Chapter: data preparation.
"""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np

from seglib.data.sources.layouts.common import Listing, RawPair
from seglib.errors import SeglibError

_MODULES = {
    "ccp": "ccp",
    "ccp_upper": "ccp_upper",
    "eg1800": "eg1800",
    "figaro1k": "figaro",
    "lfw_hair": "lfw_hair",
    "lfw_parts": "lfw_parts",
    "celebamask_hq": "celeba",
    "supervisely": "supervisely",
    "folder": "folders",
    "numpy": "arrays",
    "csv": "table",
}
LAYOUTS = tuple(_MODULES)
__all__ = ["LAYOUTS", "Listing", "RawPair", "find", "read"]


def find(layout: str, raw: str | Path) -> Listing:
    """List the pairs of a data set in its original layout.

    Args:
        layout: one of `LAYOUTS`.
        raw: the folder that holds it (or one around it); for "csv", the file.

    Raises:
        SeglibError: nothing of that layout is there; the message says what was looked for.
    """
    raw = Path(raw)
    if not raw.exists():
        raise SeglibError(f"there is no {raw}; give the folder that the files were unpacked into")
    listing = _module(layout).find(raw)
    if not listing.pairs:
        why = f" ({listing.faults[0][1]})" if listing.faults else ""
        raise SeglibError(
            f"{raw} holds no pair of photo and mask{why}; check that its files are complete"
        )
    return listing


def read(layout: str, pair: RawPair) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read one pair.

    Returns:
        image uint8 (h, w, 3) RGB, and for each kind of mask a float32 (h, w) in 0..1.

    Raises:
        SeglibError: a file is missing, damaged, or photo and mask differ in size.
    """
    try:
        image, masks = _module(layout).read(pair)
    except SeglibError:
        raise
    # The decoders of half a dozen formats let as many kinds of exception through.
    except Exception as error:
        names = ", ".join(path.name for path in (pair.image, *pair.parts))
        raise SeglibError(f"{names} cannot be read ({error}); get the files again") from error
    for kind, mask in masks.items():
        if mask.shape != image.shape[:2]:
            raise SeglibError(
                f"the {kind} mask of {pair.image.name} is {mask.shape[1]}x{mask.shape[0]} pixels "
                f"but the photo is {image.shape[1]}x{image.shape[0]}; make the mask again"
            )
    return image, masks


def _module(layout: str) -> ModuleType:
    return importlib.import_module(f"seglib.data.sources.layouts.{_MODULES[layout]}")
