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
from seglib.export.graph import Graph, facts, metadata_text
from seglib.export.proof import probe_images, problem_with
from seglib.export.tflite import convert
from seglib.files import atomic_path

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
    session = open_session(content, str(path))
    images = probe_images(graph.input_shape)
    problem = problem_with(graph, lambda x: run_session(session, x, str(path)), images, _BROKEN)
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
    content, graph = convert(model)
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


def run_onnx(path: str | Path, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Run an `.onnx` file on images as they are and return its output as float32 (N, ...).

    Args:
        path: a model with one image input of batch 1, channels first or last, and one output.
        images: uint8 (N, H, W, 3) of the model's own size.
        threads: number of CPU threads.

    Raises:
        SeglibError: onnxruntime is missing, the file cannot be read or run, or the images do not
            fit it.
    """
    return run_session(open_session(path, str(path), threads), images, str(path))


def open_session(
    model: str | Path | bytes, name: str, threads: int = 1
) -> "onnxruntime.InferenceSession":
    """Return an ONNX Runtime session on the CPU for a file or its bytes.

    Raises:
        SeglibError: onnxruntime is missing, or the file is missing, damaged or no ONNX model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(error) from error
    if not isinstance(model, bytes) and not Path(model).is_file():
        raise SeglibError(f"there is no file {model}; give the path of an .onnx model")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    # A thread that waits for work in a loop takes the processor from whatever runs beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model),
            options,
            providers=["CPUExecutionProvider"],
        )
    except Exception as error:  # onnxruntime has an exception class for each kind of damage
        raise SeglibError(
            f"{name} cannot be run ({' '.join(str(error).split())[:200]}); export it again"
        ) from error


def run_session(
    session: "onnxruntime.InferenceSession", images: np.ndarray, name: str
) -> np.ndarray:
    """Run a session on uint8 images (N, H, W, 3); see `run_onnx`."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise SeglibError(
            f"{name} has {len(inputs)} inputs and {len(outputs)} outputs; give a model with one "
            "of each"
        )
    shape = tuple(inputs[0].shape)
    planar = len(shape) == 4 and shape[1] == 3 and shape[3] != 3
    batches = images[:, None].astype(np.float32)
    batches = batches.transpose(0, 1, 4, 2, 3) if planar else batches
    if shape != batches.shape[1:]:
        raise SeglibError(f"{name} reads images of shape {shape}, not {batches.shape[2:]}")
    return np.stack([session.run(None, {inputs[0].name: batch})[0][0] for batch in batches])


def onnx_metadata(session: "onnxruntime.InferenceSession") -> dict[str, Any] | None:
    """Return the metadata that `to_onnx` kept in a file, or None where it carries none."""
    kept = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    return json.loads(kept) if kept else None


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
