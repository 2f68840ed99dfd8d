"""From a trained Keras model to the files that phones run, each compared with the model.

Chapters: TFLite conversion; Core ML conversion; the GPU delegate and flattened output.
"""

from seglib.errors import renamed
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
from seglib.export.matrix import Cell, Matrix, matrix
from seglib.export.ncnn import run_ncnn, to_ncnn
from seglib.export.onnx import to_onnx
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
from seglib.export.saved import run_graphdef, run_savedmodel, to_graphdef, to_savedmodel
from seglib.export.targets import TARGETS, Target, benchmark_grid, to
from seglib.export.tflite import to_tflite

__all__ = [
    "TARGETS",
    "THRESHOLDS",
    "Audit",
    "Cell",
    "Footprint",
    "GpuRun",
    "Matrix",
    "Op",
    "ParityReport",
    "ParityRow",
    "Program",
    "Refusal",
    "Target",
    "Threshold",
    "audit",
    "benchmark_grid",
    "byte_table",
    "deinterleave",
    "flatten",
    "footprint",
    "from_phwc4",
    "interleave",
    "letter_f",
    "matrix",
    "ops",
    "pack",
    "parity",
    "precision_of",
    "recorded_verdicts",
    "run_coreml",
    "run_gpu",
    "run_graphdef",
    "run_ncnn",
    "run_savedmodel",
    "stored_bytes",
    "stripes",
    "to",
    "to_coreml",
    "to_graphdef",
    "to_ncnn",
    "to_onnx",
    "to_phwc4",
    "to_savedmodel",
    "to_tflite",
    "unflatten",
    "unpack",
    "verdict_table",
    "which_convention",
]

__getattr__ = renamed(
    __name__,
    {
        "open_interpreter": "seglib.runtime.open_engine",
        "run_onnx": "seglib.runtime.run_images",
        "run_tflite": "seglib.runtime.run_images",
    },
)
