"""From a trained Keras model to the files that phones run, each compared with the model.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate and flattened output.
"""

from seglib.export.audit import Audit, Refusal, audit
from seglib.export.coreml import to_coreml
from seglib.export.coreml_run import Program, run_coreml
from seglib.export.gpu import GpuRun, run_gpu
from seglib.export.layout import flatten, from_phwc4, stored_bytes, to_phwc4, unflatten
from seglib.export.operations import Op, ops
from seglib.export.parity import (
    THRESHOLDS,
    ParityReport,
    ParityRow,
    Threshold,
    parity,
    precision_of,
)
from seglib.export.tflite import open_interpreter, run_tflite, to_tflite

__all__ = [
    "THRESHOLDS",
    "Audit",
    "GpuRun",
    "Op",
    "ParityReport",
    "ParityRow",
    "Program",
    "Refusal",
    "Threshold",
    "audit",
    "flatten",
    "from_phwc4",
    "open_interpreter",
    "ops",
    "parity",
    "precision_of",
    "run_coreml",
    "run_gpu",
    "run_tflite",
    "stored_bytes",
    "to_coreml",
    "to_phwc4",
    "to_tflite",
    "unflatten",
]
