"""Op audit: what a phone's GPU will refuse in a `.tflite`, said before any phone is near.

The old check, `tf.lite.experimental.Analyzer` with `gpu_compatibility=True`, has called every model
compatible since TensorFlow 2.18 (tensorflow/tensorflow#77042). This one reads the file and applies
the rules that LiteRT's GPU accelerator (version 2.3, ML Drift) was seen to apply: each rule comes
with the refusal it stands for, and the optional GPU tests run the accelerator itself beside it.

Chapter: the GPU delegate and flattened output.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError
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
# The newest form of an operation that is taken, where the converter writes newer ones.
MAX_VERSION = {"TRANSPOSE_CONV": 3}
VERSION_ADVICE = {
    "TRANSPOSE_CONV": "a relu is fused into it: take hard swish, put the relu behind the "
    "concatenation that follows, or resize and convolve",
}
RECORDED = Path(__file__).with_name("gpu_verdicts.json")


@dataclass(frozen=True)
class Refusal:
    """One reason why a GPU will not run the whole file.

    Attributes:
        op: the operation, such as "RESHAPE", or "" where the whole file is meant.
        tensor: name of the tensor or output it is about.
        reason: what the GPU does not take.
        advice: what to change in the network or its conversion.
    """

    op: str
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
        rows = [f"| {r.op} | {r.tensor} | {r.reason} | {r.advice} |" for r in self.refusals]
        head = "| operation | tensor | refused because | change |\n|---|---|---|---|"
        return "\n".join([head, *rows])


def audit(path: str | Path) -> Audit:
    """Read a `.tflite` file and list what a phone's GPU would refuse.

    Raises:
        SeglibError: the file is missing, cut off or no TFLite model.
    """
    path = Path(path)
    model = _parse(path)
    names = _operator_names()
    counts: Counter[str] = Counter()
    refusals: list[Refusal] = []
    if len(model.subgraphs) > 1:
        refusals.append(
            Refusal("", "", f"{len(model.subgraphs)} subgraphs", "avoid loops and branches")
        )
    graph = model.subgraphs[0]
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name == "CUSTOM":
            name = (code.customCode or b"custom").decode()
        counts[name] += 1
        refusals.extend(_of_operator(name, operator, model))
        if code.version > MAX_VERSION.get(name, code.version):
            refusals.append(
                Refusal(
                    name, _name(graph.tensors[operator.outputs[0]]),
                    f"version {code.version} of it; {MAX_VERSION[name]} is the newest taken",
                    VERSION_ADVICE[name],
                )
            )  # fmt: skip
    return Audit(path, dict(counts.most_common()), tuple(dict.fromkeys(refusals)))


def recorded_verdicts(path: str | Path = RECORDED) -> dict[str, Any]:
    """Return what `tests/benchmarks/gpu_verdicts.py` recorded of LiteRT's GPU accelerator.

    A recorded verdict is one of the day and the version it names: ask again with `run_gpu` where a
    Vulkan device is at hand.

    Returns:
        "litert" and "device" say what was asked; "networks" is a list with, for each: "group"
        ("trial", "shipped" or "zoo"), "name", "audit" (our refusals), "accelerated", "words" (the
        accelerator's own) and "difference" to the CPU, relative to the largest output; "resize"
        maps runtimes to the resize rule that they turned out to follow.

    Raises:
        SeglibError: the file cannot be read.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SeglibError(f"cannot read {path} ({error}); record it again") from error


def verdict_table(path: str | Path = RECORDED) -> str:
    """Return the recorded verdicts as a Markdown table, the audit's beside the accelerator's.

    Raises:
        SeglibError: see `recorded_verdicts`.
    """
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


def _of_operator(name: str, operator: Any, model: Any) -> Iterator[Refusal]:
    graph = model.subgraphs[0]
    result = graph.tensors[operator.outputs[0]] if len(operator.outputs) else None
    place = _name(result) if result is not None else ""
    if name not in TAKEN:
        advice = ADVICE.get(name, "replace it by operations that are taken")
        yield Refusal(name, place, "the operation is not taken", advice)
        return
    if name == "STRIDED_SLICE" and operator.builtinOptions.shrinkAxisMask:
        yield Refusal(
            name, place, "it drops an axis (shrink_axis_mask)", "slice x[:, 0:1] and reshape"
        )
    wide = (i for i in (*operator.inputs, *operator.outputs) if i >= 0)
    for tensor in (graph.tensors[index] for index in wide):
        rank = 0 if tensor.shape is None else len(tensor.shape)
        if rank > MAX_RANK:
            yield Refusal(
                name, _name(tensor), f"a tensor of rank {rank}; {MAX_RANK} is the most",
                _rank_advice(name),
            )  # fmt: skip
        reason = _type_problem(tensor, model)
        if reason:
            yield Refusal(name, _name(tensor), *reason)


def _rank_advice(name: str) -> str:
    if name in ("RESHAPE", "TILE", "BROADCAST_TO"):
        return "repeating pixels? Use keras.ops.image.resize, which becomes one RESIZE operation"
    return "keep batch, height, width and channels only"


def _type_problem(tensor: Any, model: Any) -> tuple[str, str] | None:
    from ai_edge_litert.schema_py_generated import TensorType

    # Constants of 64 bits are shapes and axes, which the delegate reads on the CPU.
    constant = model.buffers[tensor.buffer].data is not None
    if tensor.type == TensorType.INT64 and not constant:
        return "64-bit integers", "ask for int32, as in argmax(output_type=int32), or leave it out"
    if tensor.type == TensorType.INT16:
        return "16-bit integers", "quantise to int8, or keep float16"
    if tensor.type in (TensorType.FLOAT64, TensorType.STRING, TensorType.COMPLEX64):
        return "a type that GPUs do not have", "compute in float32"
    return None


def _name(tensor: Any) -> str:
    return (tensor.name or b"").decode(errors="replace")


def _operator_names() -> dict[int, str]:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    return {code: name for name, code in vars(BuiltinOperator).items() if isinstance(code, int)}


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
