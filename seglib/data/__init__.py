"""Data: where it comes from, one folder format for all of it, synthetic portraits, batches.

Chapter: data preparation.
"""

import importlib
from typing import Any

from seglib.data import dataset, portraits
from seglib.data.augment import AugmentConfig, augment
from seglib.data.dataset import Dataset, load, open_folder, write_folder
from seglib.errors import renamed

__all__ = [
    "load", "open_folder", "write_folder", "Dataset", "Batches", "AugmentConfig", "augment",
    "list", "fetch", "verify", "prepare", "Source", "to_csv", "to_numpy", "validate",
]  # fmt: skip

# Name -> (module, its name there). Loaded on first use: reading data needs no Keras, and training
# no readers of other people's formats.
_LATER = {
    "Batches": ("batches", "Batches"),
    "Source": ("sources.catalogue", "Source"),
    "list": ("sources.catalogue", "entries"),
    "fetch": ("sources.catalogue", "fetch"),
    "verify": ("sources.catalogue", "verify"),
    "prepare": ("sources.prepare", "prepare"),
    "to_csv": ("sources.generic", "to_csv"),
    "to_numpy": ("sources.generic", "to_numpy"),
    "validate": ("doctor", "validate"),
}
_renamed = renamed(
    __name__,
    {
        "KNOWN_SETS": "seglib.data.list()",
        "Packed": "a Dataset, which Batches reads piece by piece",
        "pack": "seglib.data.to_numpy, or a Dataset, which Batches reads piece by piece",
    },
)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module, attribute = _LATER[name]
        return getattr(importlib.import_module(f"seglib.data.{module}"), attribute)
    if name in ("composite", "doctor", "sources", "synthetic"):
        return importlib.import_module(f"seglib.data.{name}")
    return _renamed(name)


def _load_drawn(split: str, kind: str | None) -> Dataset:
    return importlib.import_module("seglib.data.synthetic").load(split, kind or "person")


dataset.loaders |= {"portraits": portraits.load, "synthetic": _load_drawn}
