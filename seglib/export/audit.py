"""Op audit: what a phone's GPU will refuse in a `.tflite`, said before any phone is near.

`tf.lite.experimental.Analyzer` has called every model compatible since TensorFlow 2.18
(tensorflow/tensorflow#77042). The audit reads the file and applies the rules that LiteRT's GPU
accelerator (version 2.3, ML Drift) was seen to apply; `run_gpu` asks the accelerator itself. No
phone is needed for that: the accelerator in the `ai-edge-litert` wheel runs on any Vulkan device,
and SwiftShader is one in software (`apt-get install chromium-common libvulkan1`). Its speed says
nothing about phones; its verdicts and its numbers, of float32 arithmetic, do.

Chapter: the GPU delegate and flattened output.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import Unavailable
from seglib.metadata import check_tflite

# Every operation of the field's networks that the accelerator was seen to take; the last three are
# MediaPipe's own.
TAKEN = frozenset(
    """
    ABS ADD ARG_MAX AVERAGE_POOL_2D BATCH_MATMUL CAST CEIL CONCATENATION CONV_2D COS
    DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EXP EXPAND_DIMS FLOOR FLOOR_DIV
    FLOOR_MOD FULLY_CONNECTED GATHER GELU GREATER HARD_SWISH LEAKY_RELU LOG LOGISTIC MAXIMUM
    MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG ONE_HOT PACK PAD PADV2 POW PRELU QUANTIZE
    REDUCE_MAX REDUCE_MIN REDUCE_PROD RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR
    REVERSE_V2 ROUND RSQRT SELECT SELECT_V2 SIGN SIN SLICE SOFTMAX SPACE_TO_DEPTH SPLIT SQRT
    SQUARE SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TILE TOPK_V2 TRANSPOSE TRANSPOSE_CONV
    UNPACK
    Convolution2DTransposeBias MaxPoolingWithArgmax2D MaxUnpooling2D
    """.split()  # noqa: SIM905  # a list literal would need a line for each name
)
ADVICE = {
    "BROADCAST_TO": "multiply by ones, or let ADD and MUL broadcast by themselves",
    "GATHER_ND": "take a SLICE, or a GATHER along one axis",
    "LOG_SOFTMAX": "end with a sigmoid or a softmax and take the logarithm afterwards",
    "SHAPE": "the batch is open: convert with a batch of 1, as seglib.export.to_tflite does",
}
MAX_RANK = 4
_RANK_ADVICE = {
    **dict.fromkeys(
        ("RESHAPE", "TILE", "BROADCAST_TO"),
        "repeating pixels? Use keras.ops.image.resize, which becomes one RESIZE operation",
    ),
    "": "keep batch, height, width and channels only",
}
# The newest form of an operation that is taken, where the converter writes newer ones.
_NEWEST = {
    "TRANSPOSE_CONV": (
        3,
        "a relu is fused into it: take hard swish, put the relu behind the concatenation that "
        "follows, or resize and convolve",
    ),
}
TYPES = {
    "int16": ("16-bit integers", "quantise to int8, or keep float16"),
    **dict.fromkeys(
        ("float64", "string", "complex64"),
        ("a type that GPUs do not have", "compute in float32"),
    ),
}
RECORDED = Path(__file__).with_name("gpu_verdicts.json")
SOFTWARE_VULKAN = Path("/usr/lib/chromium/vk_swiftshader_icd.json")
_REFUSED = "Following operations are not supported by GPU delegate:"


class Op(NamedTuple):
    """One operation of a `.tflite` file."""

    name: str  # custom operations have their own
    shape: tuple[int, ...]  # of its first output
    dtype: str  # likewise
    inputs: tuple[str, ...]  # types, of weights too


class Refusal(NamedTuple):
    """One reason why a GPU will not run the whole file, and what to change."""

    op: str  # the operation, "" where the whole file is meant
    tensor: str
    reason: str
    advice: str


@dataclass(frozen=True)
class Audit:
    """What an audit found: how often each operation occurs, and what will be refused."""

    path: Path
    ops: dict[str, int]
    refusals: tuple[Refusal, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing would be refused."""
        return not self.refusals

    def table(self) -> str:
        """Return the refusals as a Markdown table, or one line where there are none."""
        if self.ok:
            return f"{self.path.name}: {sum(self.ops.values())} operations, none refused"
        rows = [f"| {' | '.join(refusal)} |" for refusal in self.refusals]
        head = "| operation | tensor | refused because | change |\n|---|---|---|---|"
        return "\n".join([head, *rows])


class GpuRun(NamedTuple):
    """What the accelerator made of a file."""

    accelerated: bool  # the whole graph runs on the GPU
    refusals: tuple[str, ...]  # its own words
    masks: np.ndarray | None  # float32, one row of outputs per image; None where it did not run


def ops(path: str | Path) -> list[Op]:
    """Return the operations of a `.tflite` file in the order they run, without TensorFlow."""
    model = _parse(Path(path))
    tensors = model.subgraphs[0].tensors
    found = []
    for name, operator in _operators(model):
        result = tensors[operator.outputs[0]] if len(operator.outputs) else None
        shape = () if result is None or result.shape is None else tuple(map(int, result.shape))
        inputs = tuple(_dtype(tensors[index]) for index in operator.inputs if index >= 0)
        found.append(Op(name, shape, _dtype(result) if result else "", inputs))
    return found


def audit(path: str | Path) -> Audit:
    """Read a `.tflite` file and list what a phone's GPU would refuse."""
    path = Path(path)
    model = _parse(path)
    every = list(_operators(model))
    counts = Counter(name for name, _ in every)
    refusals = [refusal for one in every for refusal in _refused(*one, model)]
    if (parts := len(model.subgraphs)) > 1:
        refusals.insert(0, Refusal("", "", f"{parts} subgraphs", "avoid loops and branches"))
    return Audit(path, dict(counts.most_common()), tuple(dict.fromkeys(refusals)))


def recorded_verdicts(path: str | Path = RECORDED) -> dict[str, Any]:
    """Return what `tests/benchmarks/gpu_verdicts.py` recorded of LiteRT's GPU accelerator.

    Returns:
        "litert" and "device", "networks" ("group", "name", "audit", "accelerated", "words" of the
        accelerator, "difference" to the CPU relative to the largest output, for each), and "resize"
        from runtimes to the resize rule that they turned out to follow.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SeglibError(f"cannot read {path} ({error}); record it again") from error


def verdict_table(path: str | Path = RECORDED) -> str:
    """Return the recorded verdicts as a Markdown table, the audit's beside the accelerator's."""
    lines = [
        "| network | the audit refuses | the accelerator | its words | difference to the CPU |",
        "|---|---|---|---|---:|",
    ]
    for row in recorded_verdicts(path)["networks"]:
        off = "" if row["difference"] is None else f"{row['difference']:.1g}"
        # Without the tensors' names: one network may have the same refusal fifty times.
        words = dict.fromkeys(re.sub(r"(?<=\.) \S+$", "", text) for text in row["words"])
        lines.append(
            f"| {row['name']} | {'; '.join(row['audit']) or 'nothing'} "
            f"| {'takes it' if row['accelerated'] else 'refuses'} | {'; '.join(words)} | {off} |"
        )
    return "\n".join(lines)


def run_gpu(path: str | Path, images: np.ndarray | None = None, timeout: float = 300) -> GpuRun:
    """Compile a `.tflite` for the GPU alone and, with images, run it there.

    Args:
        path: the model; to one that also reads the mask of the frame before the images are a film.
        images: float32 or uint8 (N, H, W, 3), handed over as they are.
        timeout: seconds.
    """
    check_tflite(path)
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npy"), Path(folder, "found.npy")
        if images is not None:
            np.save(given, np.asarray(images, np.float32))
        known = {"XDG_RUNTIME_DIR": folder}
        if SOFTWARE_VULKAN.exists():
            known["VK_ICD_FILENAMES"] = str(SOFTWARE_VULKAN)
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__, str(path), str(given), str(found)],
                env={**known, **os.environ}, capture_output=True,
                encoding="utf-8", errors="replace",
                timeout=timeout,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise SeglibError(f"{path}: no answer of the GPU in {timeout:g} s") from error
        log = done.stdout + done.stderr
        if re.search(r"No adapters found|vulkan.*not (be )?(found|loaded)", log, re.I):
            raise Unavailable(
                "no Vulkan device was found; on Debian a software one comes with: "
                "apt-get install chromium-common libvulkan1"
            )
        if _REFUSED in log:
            lines = log.partition(_REFUSED)[2].splitlines()[1:]
            words = itertools.takewhile(re.compile("[A-Z0-9_]+: ").match, lines)
            return GpuRun(False, tuple(dict.fromkeys(map(str.strip, words))), None)
        if done.returncode < 0:
            return GpuRun(False, (f"the process ended by signal {-done.returncode}",), None)
        if "fully accelerated: True" not in log:
            return GpuRun(False, (_last_error(log),), None)
        if images is not None and not found.exists():
            raise SeglibError(f"{path} compiles for the GPU but fails there: {_last_error(log)}")
        return GpuRun(True, (), np.load(found) if images is not None else None)


def _refused(name: str, operator: Any, model: Any) -> Iterator[Refusal]:
    tensors = model.subgraphs[0].tensors
    place = _name(tensors[operator.outputs[0]]) if len(operator.outputs) else ""
    if name not in TAKEN:
        advice = ADVICE.get(name, "replace it by operations that are taken")
        yield Refusal(name, place, "the operation is not taken", advice)
        return
    if name == "STRIDED_SLICE" and operator.builtinOptions.shrinkAxisMask:
        reason = "it drops an axis (shrink_axis_mask)"
        yield Refusal(name, place, reason, "slice x[:, 0:1] and reshape")
    for tensor in (tensors[i] for i in (*operator.inputs, *operator.outputs) if i >= 0):
        rank = 0 if tensor.shape is None else len(tensor.shape)
        if rank > MAX_RANK:
            reason = f"a tensor of rank {rank}; {MAX_RANK} is the most"
            yield Refusal(name, _name(tensor), reason, _RANK_ADVICE.get(name, _RANK_ADVICE[""]))
        # Constants of 64 bits are shapes and axes, which the delegate reads on the CPU.
        if _dtype(tensor) == "int64" and model.buffers[tensor.buffer].data is None:
            advice = "ask for int32, as in argmax(output_type=int32), or leave it out"
            yield Refusal(name, _name(tensor), "64-bit integers", advice)
        elif _dtype(tensor) in TYPES:
            yield Refusal(name, _name(tensor), *TYPES[_dtype(tensor)])
    version = model.operatorCodes[operator.opcodeIndex].version
    newest, advice = _NEWEST.get(name, (version, ""))
    if version > newest:
        yield Refusal(name, place, f"version {version} of it; {newest} is the newest taken", advice)


def _parse(path: Path) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    content = check_tflite(path)
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        model.subgraphs[0].operators[0]
    except Exception as error:
        # The generated reader follows offsets blindly, so a cut file can fail in any way.
        raise SeglibError(
            f"{path} cannot be read as a TFLite model ({error or type(error).__name__}); "
            "copy or export it again"
        ) from error
    return model


def _operators(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the operations of a file with their names."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    names = {code: name for name, code in vars(BuiltinOperator).items() if isinstance(code, int)}
    for operator in model.subgraphs[0].operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        yield (code.customCode or b"custom").decode() if name == "CUSTOM" else name, operator


def _dtype(tensor: Any) -> str:
    from ai_edge_litert.schema_py_generated import TensorType

    return next(n.lower() for n, code in vars(TensorType).items() if code == tensor.type)


def _name(tensor: Any) -> str:
    return (tensor.name or b"").decode(errors="replace")


def _last_error(log: str) -> str:
    lines = [line for line in log.splitlines() if re.search(r"ERROR|Error|Failed to modify", line)]
    prefix = r"^\W*(ERROR|INFO|WARNING)?:?\s*(\[[^\]]*\])?\s*"
    return re.sub(prefix, "", lines[-1]) if lines else "the accelerator gives no reason"


def _child(path: str, given: str, found: str) -> None:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.gpu_options import GpuOptions
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import Options

    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU, gpu_options=GpuOptions(enforce_f32=True)
    )
    with CompiledModel.from_file(path, options=options) as model:
        print("fully accelerated:", model.is_fully_accelerated(), flush=True)
        if not Path(given).exists():
            return
        entries, (result,) = model.create_input_buffers(0), model.create_output_buffers(0)
        entry, before = entries[0], None
        if len(entries) == 2:
            # In the file's own order.
            names = next(iter(model.get_signature_list().values()))["inputs"]
            entry, before = (entries[names.index(name)] for name in ("image", "previous"))
            shape = before.get_tensor_details()["shape"]
            before.write(np.zeros(shape, np.float32))
        details = result.get_tensor_details()
        count = int(np.prod(details["shape"])) if "shape" in details else None
        # Class numbers come as integers; read as floats they would be near zero.
        dtype = np.dtype(details.get("dtype", "float32"))
        masks = []
        for image in np.load(given):
            entry.write(np.ascontiguousarray(image[None]))
            model.run_by_index(0, entries, [result])
            masks.append(np.array(result.read(count, dtype)).astype(np.float32))
            if before is not None:
                before.write(masks[-1].reshape(shape))
        np.save(found, np.stack(masks))


if __name__ == "__main__":
    _child(*sys.argv[1:])
