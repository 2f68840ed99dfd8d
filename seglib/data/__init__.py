"""Data: where it comes from, one folder format for all of it, synthetic portraits, batches.

Chapter: data preparation.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seglib.data import dataset, portraits
from seglib.data.augment import AugmentConfig, augment
from seglib.data.dataset import Dataset, load, open_folder, write_folder
from seglib.errors import renamed

if TYPE_CHECKING:
    from seglib.data.batches import Batches
    from seglib.data.doctor import validate
    from seglib.data.sources.catalogue import Source
    from seglib.data.sources.catalogue import entries as list
    from seglib.data.sources.fetch import fetch, verify
    from seglib.data.sources.prepare import prepare
    from seglib.data.sources.tables import to_csv, to_numpy

__all__ = [
    "AugmentConfig",
    "Batches",
    "Dataset",
    "Source",
    "augment",
    "fetch",
    "list",
    "load",
    "open_folder",
    "prepare",
    "to_csv",
    "to_numpy",
    "validate",
    "verify",
    "write_folder",
]

# Name -> (module, its name there). Loaded on first use: reading data needs no Keras, and training
# no readers of other people's formats.
_LATER = {
    "Batches": ("batches", "Batches"),
    "Source": ("sources.catalogue", "Source"),
    "list": ("sources.catalogue", "entries"),
    "fetch": ("sources.fetch", "fetch"),
    "verify": ("sources.fetch", "verify"),
    "prepare": ("sources.prepare", "prepare"),
    "to_csv": ("sources.tables", "to_csv"),
    "to_numpy": ("sources.tables", "to_numpy"),
    "validate": ("doctor", "validate"),
}
_renamed = renamed(__name__, {"KNOWN_SETS": "seglib.data.list()"})


def __getattr__(name: str) -> Any:
    if name in _LATER:
        module, attribute = _LATER[name]
        return getattr(importlib.import_module(f"seglib.data.{module}"), attribute)
    if name in ("composite", "doctor", "sources", "synthetic"):
        return importlib.import_module(f"seglib.data.{name}")
    return _renamed(name)


def _load_drawn(split: str, kind: str | None) -> Dataset:
    return importlib.import_module("seglib.data.synthetic").load(split, kind or "person")


dataset.register("portraits", portraits.load)
dataset.register("synthetic", _load_drawn)
