"""From a trained Keras model to the files that phones run, each compared with the model.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate and flattened output.
"""

from seglib.export.audit import Audit, Refusal, audit, recorded_verdicts, verdict_table
from seglib.export.coreml import to_coreml
from seglib.export.coreml_run import Program, run_coreml
from seglib.export.gpu import GpuRun, run_gpu
from seglib.export.layout import (
    Footprint,
    byte_table,
    deinterleave,
    flatten,
    footprint,
    from_phwc4,
    interleave,
    letter_f,
    pack,
    stored_bytes,
    stripes,
    to_phwc4,
    unflatten,
    unpack,
)
from seglib.export.operations import Op, ops
from seglib.export.parity import (
    THRESHOLDS,
    ParityReport,
    ParityRow,
    Threshold,
    parity,
    precision_of,
)
from seglib.export.resample import which_convention
from seglib.export.tflite import open_interpreter, run_tflite, to_tflite

__all__ = [
    "THRESHOLDS",
    "Audit",
    "Footprint",
    "GpuRun",
    "Op",
    "ParityReport",
    "ParityRow",
    "Program",
    "Refusal",
    "Threshold",
    "audit",
    "byte_table",
    "deinterleave",
    "flatten",
    "footprint",
    "from_phwc4",
    "interleave",
    "letter_f",
    "open_interpreter",
    "ops",
    "pack",
    "parity",
    "precision_of",
    "run_coreml",
    "run_gpu",
    "run_tflite",
    "recorded_verdicts",
    "stored_bytes",
    "stripes",
    "to_coreml",
    "to_phwc4",
    "to_tflite",
    "unflatten",
    "unpack",
    "verdict_table",
    "which_convention",
]
