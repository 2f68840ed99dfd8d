"""Keras model to ncnn, Tencent's small runtime for phones: a `.ncnn.param` and a `.ncnn.bin` file.

pnnx, ncnn's own converter, reads the ONNX model; install it with `pip install --no-deps pnnx`, for
only other functions of that package need the PyTorch it asks for. What the two do not understand of
each other is rewritten before and after: ncnn cannot gather rows, cut a transposed convolution
unevenly or read pnnx's paddings.

Sources: ncnn and pnnx (Tencent/ncnn: tools/pnnx, docs/developer-guide/operators).

Chapter: TFLite conversion.
"""

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import (
    MissingPackage,
    converting,
    import_package,
    named,
    quiet,
    verify,
)
from seglib.export.graph import Reading, facts, metadata_text, trace
from seglib.export.onnx import onnx_model
from seglib.files import atomic_path, read_text
from seglib.runtime.engines import Engine, Tensor

if TYPE_CHECKING:
    import keras
    import onnx

_SUFFIX = ".ncnn.param"
_AS_TEXT: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "errors": "replace"}
_END = 2**31 - 1  # "to the end" in ONNX's Slice


def to_ncnn(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float16",
    metadata: dict[str, Any] | None = None,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model for ncnn and run it before the files get their names.

    Beside `NAME.ncnn.param`, the graph, lie `NAME.ncnn.bin`, the weights, and `NAME.ncnn.json`, the
    metadata: ncnn has no place for them inside. The image `image` is (3, H, W), the mask `mask`
    (H, W, C) as everywhere.

    Args:
        model, metadata, reading: as in `to_tflite`.
        path: the graph's file, ending in `.ncnn.param`.
        precision: of the weights in the file, "float32" or "float16".
    """
    path = named(path, _SUFFIX)
    if precision not in ("float32", "float16"):
        raise SeglibError(f"unknown precision {precision!r}; choose one of float32, float16")
    # Importing the package would ask for PyTorch.
    found = importlib.util.find_spec("pnnx")
    if found is None or not found.origin:
        raise MissingPackage("ncnn's converter is missing; pip install --no-deps pnnx")
    program = Path(found.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")
    graph = trace(model, metadata=metadata, **reading)
    made = onnx_model(graph, channels_first=True)
    rewrite(made)
    with tempfile.TemporaryDirectory() as name:
        new = Path(name, f"model{_SUFFIX}")
        Path(name, "model.onnx").write_bytes(made.SerializeToString())
        with converting("ncnn", model):
            command = [str(program), "model.onnx", f"fp16={int(precision == 'float16')}"]
            done = subprocess.run(command, cwd=name, **_AS_TEXT)
            if done.returncode or not new.is_file():
                raise RuntimeError(_last_line(done.stdout + done.stderr))
        before = Path(name, "model.pnnx.param").read_text(encoding="utf-8")
        text = clean_param(new.read_text(encoding="utf-8"), before)
        new.write_text(text, encoding="utf-8")
        known = metadata_text(facts(graph, precision), path)
        _beside(new, ".json").write_text(known, encoding="utf-8")

        def open_export() -> NcnnEngine:
            try:
                return NcnnEngine(new)
            except MissingPackage:
                raise
            except SeglibError as error:
                kinds = ", ".join(sorted({line.split()[0] for line in text.splitlines()[2:]}))
                raise SeglibError(
                    f"the model {model.name} could not be converted to ncnn, which cannot run one "
                    f"of the operations that its converter wrote: {kinds}"
                ) from error

        verify(graph, open_export, path, precision)
        with contextlib.ExitStack() as stack:
            for suffix in (".json", ".bin", ".param"):
                temporary = stack.enter_context(atomic_path(_beside(path, suffix)))
                temporary.write_bytes(_beside(new, suffix).read_bytes())
    return path


class NcnnEngine(Engine):
    """ncnn on the CPU, in float32 as the other CPU runtimes compute."""

    def __init__(self, path: str | Path, threads: int = 1, trial: bool = True) -> None:
        """Open a `.ncnn.param` file of ours, with its `.ncnn.bin` and `.ncnn.json` beside it.

        A graph that ncnn does not understand can end the process that runs it: with `trial`,
        another process runs it once before this one does.
        """
        path, self._ncnn = Path(path), import_package("ncnn")
        for file in (path, _beside(path, ".bin"), _beside(path, ".json")):
            if not file.is_file():
                raise SeglibError(f"there is no file {file}; copy all three that to_ncnn wrote")
        metadata = json.loads(read_text(_beside(path, ".json")))
        size = metadata["size"]
        image = (1, 3, *([size, size] if isinstance(size, int) else size))
        shapes = {"image": image, "mask": (1, *metadata["output_shape"])}
        tensors = ([Tensor(key, shapes[key], np.dtype(np.float32))] for key in shapes)
        super().__init__(str(path), *tensors, metadata)
        if trial:
            command = [sys.executable, "-m", "seglib.export.ncnn", str(path.resolve())]
            done = subprocess.run(command, **_AS_TEXT)
            if done.returncode:
                reason = _last_line(f"signal {-done.returncode}\n{done.stderr}")
                raise SeglibError(f"{path} cannot be run ({reason}); export the model again")
        self._net = net = self._ncnn.Net()
        net.opt.num_threads = threads
        # Threads that wait for each other in a loop can take seconds an image on a busy machine.
        net.opt.openmp_blocktime = 0
        # ncnn computes in float16 or bfloat16 where a processor can; a comparison needs one way.
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
        with quiet() as log:
            failed = net.load_param(str(path)) or net.load_model(str(_beside(path, ".bin")))
        if failed:
            raise SeglibError(f"{path} cannot be run ({_last_line(''.join(log))}); export it again")

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if arrays[0].shape != self.inputs[0].shape:
            raise ValueError("another shape")
        planes = np.ascontiguousarray(arrays[0][0], np.float32)
        extractor = self._net.create_extractor()
        # ncnn works in place, which it must not do in NumPy's memory: hand it a copy of its own.
        extractor.input("image", self._ncnn.Mat(planes).clone())
        failed, found = extractor.extract("mask")
        if failed:
            raise RuntimeError("it has no output `mask` that can be computed")
        return [np.array(found, np.float32).reshape(self.outputs[0].shape)]


def rewrite(made: "onnx.ModelProto") -> None:
    """Write what ncnn lacks in operations that it has.

    A transposed convolution that is cut unevenly becomes an uncut one with a Slice behind it; rows,
    columns or channels picked by constant numbers become a convolution of zeros and ones.
    """
    from onnx import helper, numpy_helper, shape_inference

    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in shape_inference.infer_shapes(made).graph.value_info
    }
    known = {entry.name: numpy_helper.to_array(entry) for entry in made.graph.initializer}
    nodes = []

    def add(kind: str, source: str, *constants: Any, result: str = "", **attributes: Any) -> str:
        """Add a node whose further inputs are constants, and return the name of its result."""
        result = result or f"{kind}_{len(nodes)}_rewritten"
        names = [f"{result}_{index}" for index in range(len(constants))]
        entries = zip(constants, names, strict=True)
        made.graph.initializer.extend(numpy_helper.from_array(*entry) for entry in entries)
        nodes.append(helper.make_node(kind, [source, *names], [result], result, **attributes))
        return result

    for node in made.graph.node:
        given = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        source, result, cuts = node.input[0], node.output[0], given.get("pads", [])
        picked = known.get(node.input[1]) if node.op_type == "Gather" else None
        if node.op_type == "ConvTranspose" and cuts[:2] != cuts[2:]:
            next(entry for entry in node.attribute if entry.name == "pads").ints[:] = [0, 0, 0, 0]
            node.output[0] = f"{result}_whole"
            nodes.append(node)
            ends = [-cut if cut else _END for cut in cuts[2:]]
            bounds = (np.int64(entry) for entry in (cuts[:2], ends, [2, 3]))
            add("Slice", node.output[0], *bounds, result=result)
        elif np.ndim(picked) == 1 and len(shapes.get(source, [])) == 4 and given["axis"] > 0:
            order = [0, 1, 2, 3]
            order[1], order[given["axis"]] = given["axis"], 1
            kernel = np.eye(shapes[source][given["axis"]], dtype=np.float32)[picked]
            turned = add("Transpose", source, perm=order)
            mixed = add("Conv", turned, kernel[..., None, None])
            add("Transpose", mixed, perm=order, result=result)
        else:
            nodes.append(node)
    del made.graph.node[:]
    made.graph.node.extend(nodes)


def clean_param(param: str, before: str) -> str:
    """Return the text of a `.ncnn.param` with the names `image` and `mask` and ncnn's own padding.

    Args:
        param: the text that pnnx wrote.
        before: pnnx's own form of the graph (`.pnnx.param`), which still has the amounts.
    """
    pads = dict(re.findall(r"(?m)^Pad +(\S+) +(.*)$", before))

    def padding(line: re.Match[str]) -> str:
        known = dict(re.findall(r"\b(pads|mode|value)=(\S+)", pads.get(line[1], "")))
        amounts = [int(side) for side in re.findall(r"-?\d+", known.get("pads", ""))]
        modes = {"constant": 0, "edge": 1, "reflect": 2}
        mode, value = known.get("mode", "constant"), known.get("value", "0.0")
        if len(amounts) != 8 or amounts[0] or amounts[4] or min(amounts) < 0 or mode not in modes:
            raise SeglibError(f"ncnn has no padding {line[1]} of {amounts} by {mode}")
        _, front, top, left, _, behind, bottom, right = amounts
        return (
            f"Padding {line[1]} {line[2]} 0={top} 1={bottom} 2={left} 3={right} 4={modes[mode]} "
            f"5={float(value)} 7={front} 8={behind}"
        )

    text = re.sub(r"(?m)^Pad +(\S+) +(.*?)[ \t]*$", padding, param)
    return re.sub(r"(?<= )in0\b", "image", re.sub(r"(?<= )out0\b", "mask", text))


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name.removesuffix(".param") + suffix)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it gives no reason"


if __name__ == "__main__":
    tried = NcnnEngine(sys.argv[1], trial=False)
    tried.run(np.zeros(tried.inputs[0].shape, np.float32))
