"""Data: one folder format, its loader and its checks, synthetic portraits, augmentation, batches.

Chapter: data preparation.
"""

import importlib
from typing import TYPE_CHECKING, Any

from seglib.data.augment import AugmentConfig, augment
from seglib.data.dataset import Dataset, load, open_folder, write_folder
from seglib.data.folder import KNOWN_SETS
from seglib.data.validate import Problem, validate

if TYPE_CHECKING:
    from seglib.data.batches import Batches

__all__ = [
    "AugmentConfig",
    "Batches",
    "Dataset",
    "KNOWN_SETS",
    "Problem",
    "augment",
    "load",
    "open_folder",
    "validate",
    "write_folder",
]


def __getattr__(name: str) -> Any:
    """Load `Batches` and `synthetic` on first use: batches need Keras, reading data does not."""
    if name == "Batches":
        return importlib.import_module("seglib.data.batches").Batches
    if name == "synthetic":
        return importlib.import_module("seglib.data.synthetic")
    raise AttributeError(f"module 'seglib.data' has no attribute {name!r}")
