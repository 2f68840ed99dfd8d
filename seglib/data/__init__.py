"""Data: where it comes from, one folder format for all of it, synthetic portraits, batches.

Chapter: data preparation.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seglib.data.augment import AugmentConfig, augment
from seglib.data.dataset import Dataset, load, open_folder, write_folder
from seglib.data.sources.catalogue import entries as list
from seglib.data.sources.entry import Source
from seglib.data.sources.export import to_csv, to_numpy
from seglib.data.sources.fetch import fetch, verify
from seglib.data.sources.prepare import prepare

if TYPE_CHECKING:
    from seglib.data.batches import Batches
    from seglib.data.doctor import validate

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


def __getattr__(name: str) -> Any:
    """Load `Batches` and the rarer modules on first use: reading data needs no Keras."""
    if name == "Batches":
        return importlib.import_module("seglib.data.batches").Batches
    if name == "validate":
        return importlib.import_module("seglib.data.doctor").validate
    if name in ("composite", "doctor", "synthetic"):
        return importlib.import_module(f"seglib.data.{name}")
    raise AttributeError(f"module 'seglib.data' has no attribute {name!r}")
