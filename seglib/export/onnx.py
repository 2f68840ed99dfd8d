"""Keras model to ONNX, the format which ONNX Runtime, browsers and most other converters read.

The way leads through the `.tflite` conversion: TensorFlow's own optimiser has folded every
BatchNorm into the convolution before it by then, while a direct conversion leaves a multiplication
and an addition behind each depthwise convolution. tf2onnx keeps TensorFlow's names, so input
and output are renamed to `image` and `mask`.

Source: tf2onnx (onnx/tensorflow-onnx); the metadata lie where ONNX has room for them, in the
model's `metadata_props`.

Chapter: TFLite conversion.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage, conversion_error, quiet
from seglib.export.graph import Graph, facts, metadata_text, trace
from seglib.export.proof import probe_images, problem_with
from seglib.export.tflite import convert
from seglib.files import atomic_path
from seglib.runtime.engines import Engine, Tensor, one_line, run_images

if TYPE_CHECKING:
    import keras
    import onnx
    import onnxruntime

OPSET = 17
METADATA_KEY = "seglib"

# Mean absolute difference to Keras past which a float32 file is broken.
_BROKEN = 0.01


def to_onnx(
    model: "keras.Model",
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    channels_first: bool = False,
) -> Path:
    """Write a segmentation model as an `.onnx` file, float32, and run it before it gets its name.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities.
        path: the file to write, ending in `.onnx`.
        metadata: what to keep about the model; it is stored as JSON under the key `seglib`.
        channels_first: take the picture as (1, 3, H, W) instead of (1, H, W, 3). The mask is
            (1, H, W, C) either way.

    Raises:
        SeglibError: tf2onnx, onnx or onnxruntime is missing, the model cannot be converted, the
            file gives other masks than the model, or it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".onnx":
        raise SeglibError(f"{path} does not end in .onnx; give the file such a name")
    made, graph = onnx_model(model, channels_first)
    kept = {**(metadata or {}), **facts(graph, "float32"), "channels_first": channels_first}
    entry = made.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, metadata_text(kept, path)
    content = made.SerializeToString()
    engine = OnnxEngine(content, name=str(path))
    images = probe_images(graph.input_shape)
    problem = problem_with(graph, lambda x: run_images(engine, x), images, _BROKEN)
    if problem:
        raise SeglibError(
            f"the ONNX conversion of {model.name} is broken ({problem}), so {path} was not "
            "written; check the model's own masks"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def onnx_model(
    model: "keras.Model", channels_first: bool = False
) -> tuple["onnx.ModelProto", Graph]:
    """Return the converted model, unproven and without metadata, and the graph behind it.

    Raises:
        SeglibError: tf2onnx is missing or the model cannot be converted.
    """
    try:
        with quiet():
            import tf2onnx
    except ImportError as error:
        raise _missing(error) from error
    graph = trace(model)
    content = convert(graph)
    log: list[str] = []
    try:
        with tempfile.TemporaryDirectory() as folder, quiet() as log:
            file = Path(folder, "model.tflite")
            file.write_bytes(content)
            # The name that TensorFlow's converter gives to the signature's input.
            first = ["serving_default_image:0"] if channels_first else None
            made, _ = tf2onnx.convert.from_tflite(str(file), opset=OPSET, inputs_as_nchw=first)
    except Exception as error:  # the converter raises many kinds; every one means "cannot"
        raise conversion_error("ONNX", model, error, log) from error
    _rename(made, {made.graph.input[0].name: "image", made.graph.output[0].name: "mask"})
    return made, graph


class OnnxEngine(Engine):
    """ONNX Runtime on the CPU."""

    def __init__(
        self, model: str | Path | bytes, threads: int = 1, name: str = "the model"
    ) -> None:
        """Open a file, or the bytes of one, which errors call `name`."""
        try:
            import onnxruntime
        except ImportError as error:
            raise _missing(error) from error
        if not isinstance(model, bytes):
            name, model = str(model), str(model)
            if not Path(model).is_file():
                raise SeglibError(f"there is no file {model}; give the path of an .onnx model")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        # A thread that waits for work in a loop takes the processor from whatever runs beside it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has an exception class for each kind of damage
            raise SeglibError(
                f"{name} cannot be run ({one_line(error)}); export it again"
            ) from error
        kept = self._session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        inputs, outputs = (
            [_tensor(one, name) for one in some]
            for some in (self._session.get_inputs(), self._session.get_outputs())
        )
        super().__init__(name, inputs, outputs, json.loads(kept) if kept else None)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        names = [tensor.name for tensor in self.inputs]
        return self._session.run(None, dict(zip(names, arrays, strict=True)))


def _tensor(value: "onnxruntime.NodeArg", name: str) -> Tensor:
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    try:
        dtype = np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    except TypeError as error:
        raise SeglibError(
            f"{name} has {value.name} of type {value.type}; export it as float32"
        ) from error
    # A free side has a name, or none.
    return Tensor(value.name, tuple(n if isinstance(n, int) else -1 for n in value.shape), dtype)


def _rename(made: "onnx.ModelProto", names: dict[str, str]) -> None:
    """Give values of a graph new names, wherever they are read or written."""
    for node in made.graph.node:
        for values in (node.input, node.output):
            for index, value in enumerate(values):
                values[index] = names.get(value, value)
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        value.name = names.get(value.name, value.name)


def _missing(error: ImportError) -> MissingPackage:
    return MissingPackage(
        f"ONNX needs onnx, tf2onnx and onnxruntime ({error}); install them with: "
        "pip install onnx tf2onnx onnxruntime"
    )
