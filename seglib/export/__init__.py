"""From a trained Keras model to the files that phones run, each compared with the model.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate and flattened output.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from seglib.errors import renamed
from seglib.export.coreml import to_coreml
from seglib.export.coreml_run import Program
from seglib.export.tflite import deinterleave, flatten, interleave, to_tflite, unflatten

# Leaves, loaded when they are first named: the core does without them.
_LEAVES = {
    "TARGETS": "convert", "benchmark_grid": "convert", "convert": "convert",
    "THRESHOLDS": "parity", "matrix": "parity", "parity": "parity",
    "Op": "audit", "audit": "audit", "ops": "audit", "recorded_verdicts": "audit",
    "run_gpu": "audit", "verdict_table": "audit",
    "byte_table": "layout", "footprint": "layout", "from_phwc4": "layout", "letter_f": "layout",
    "pack": "layout", "stored_bytes": "layout", "stripes": "layout", "to_phwc4": "layout",
    "which_convention": "layout", "to_ncnn": "ncnn", "to_onnx": "onnx",
}  # fmt: skip

__all__ = [
    "Program", "deinterleave", "flatten", "interleave", "to_coreml", "to_tflite", "unflatten",
    *_LEAVES,
]  # fmt: skip

_RUN, _CONVERT = "seglib.runtime.run_images", "seglib.export.convert"
_renamed = renamed(
    __name__,
    {
        **dict.fromkeys(("to", "to_graphdef", "to_savedmodel"), _CONVERT),
        **dict.fromkeys(("run_graphdef", "run_ncnn", "run_onnx", "run_savedmodel"), _RUN),
        "run_tflite": _RUN,
        "run_coreml": "seglib.export.Program",
        "open_interpreter": "seglib.runtime.open_engine",
        "unpack": "packed.reshape(height, -1)[:, :width * channels].reshape(shape)",
    },
)


def __getattr__(name: str) -> Any:
    """Load a leaf on first use (PEP 562)."""
    if name not in _LEAVES:
        return _renamed(name)
    value = getattr(importlib.import_module(f"{__name__}.{_LEAVES[name]}"), name)
    globals()[name] = value
    return value


class _Room(ModuleType):
    """The room as a module in which the function `audit` is not hidden by the file of that name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _LEAVES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
