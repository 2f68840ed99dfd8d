"""Keras model to ONNX, which ONNX Runtime and browsers read, and to TensorFlow's own two formats.

The way to ONNX leads through the `.tflite` conversion, which folds every BatchNorm into the
convolution before it; a direct conversion does not behind depthwise ones. A frozen GraphDef (`.pb`)
has its weights as constants and is read by OpenCV's `dnn` module and older converters, a
SavedModel's folder by TensorFlow Serving and most converters.

Source: tf2onnx (onnx/tensorflow-onnx).

Chapter: TFLite conversion.
"""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import converting, import_package, named, quiet, verify
from seglib.export.graph import Graph, Reading, facts, metadata_text, trace
from seglib.export.tflite import convert
from seglib.files import atomic_path, new_folder, read_text
from seglib.runtime.engines import Engine, Tensor, one_line

if TYPE_CHECKING:
    import keras
    import onnx
    import onnxruntime

OPSET = 17
_KEY = "seglib"


def to_onnx(
    model: "keras.Model",
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    channels_first: bool = False,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model as an `.onnx` file, float32, and run it before it gets its name.

    Args:
        model, reading: as in `to_tflite`.
        path: the file to write, ending in `.onnx`.
        metadata: what to keep about the model, as JSON under `seglib` in its `metadata_props`.
        channels_first: take the image as (1, 3, H, W); the mask is (1, H, W, C) either way.
    """
    path = named(path, ".onnx")
    graph = trace(model, metadata=metadata, **reading)
    made = onnx_model(graph, channels_first)
    entry = made.metadata_props.add()
    known = {**facts(graph, "float32"), "channels_first": channels_first}
    entry.key, entry.value = _KEY, metadata_text(known, path)
    content = made.SerializeToString()
    verify(graph, lambda: OnnxEngine(content), path, "float32")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def to_graphdef(
    model: "keras.Model",
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model as a frozen GraphDef and run it before it gets its name.

    The node `image` takes float32 (1, H, W, 3), the node `mask` gives (1, H, W, C) probabilities.
    The metadata lie beside the file, in `NAME.pb.json`. Arguments as in `to_onnx`.
    """
    path = named(path, ".pb")
    with converting("GraphDef", model):
        import tensorflow as tf
        from tensorflow.python.framework import convert_to_constants

        graph = trace(model, finish=tf.identity, metadata=metadata, **reading)
        frozen = convert_to_constants.convert_variables_to_constants_v2(graph.function)
        definition = frozen.graph.as_graph_def()
        for node in definition.node:
            if node.name == frozen.outputs[0].op.name:
                node.name = "mask"
    with atomic_path(_beside(path)) as facts_file, atomic_path(path) as temporary:
        facts_file.write_text(metadata_text(facts(graph, "float32"), path), encoding="utf-8")
        temporary.write_bytes(definition.SerializeToString(deterministic=True))
        verify(graph, lambda: TensorFlowEngine(temporary), path, "float32")
    return path


def to_savedmodel(
    model: "keras.Model",
    path: str | Path,
    metadata: dict[str, Any] | None = None,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model as a SavedModel folder and run it before it gets its name.

    Its signature `serving_default` maps `image` to `mask` with batch 1; the metadata lie in
    `assets.extra/seglib.json`. Arguments as in `to_onnx`; there must be no folder of that name.
    """
    path = Path(path)
    with new_folder(path) as folder:
        with converting("SavedModel", model):
            import tensorflow as tf

            graph = trace(model, metadata=metadata, **reading)
            tf.saved_model.save(graph.module, str(folder), {"serving_default": graph.function})
        _beside(folder).parent.mkdir()
        _beside(folder).write_text(metadata_text(facts(graph, "float32"), path), encoding="utf-8")
        verify(graph, lambda: TensorFlowEngine(folder), path, "float32")
    return path


def onnx_model(graph: Graph, channels_first: bool = False) -> "onnx.ModelProto":
    """Return a traced model as ONNX, from `image` to `mask`, without metadata and not compared."""
    tf2onnx = import_package("tf2onnx", "onnx tf2onnx onnxruntime")
    content = convert(graph)
    with tempfile.TemporaryDirectory() as folder, converting("ONNX", graph.model):
        file = Path(folder, "model.tflite")
        file.write_bytes(content)
        # The name that TensorFlow's converter gives to the signature's input.
        first = ["serving_default_image:0"] if channels_first else None
        own = {"TFL_GELU": (_gelu, [])}
        made, _ = tf2onnx.convert.from_tflite(
            str(file), opset=OPSET, inputs_as_nchw=first, custom_op_handlers=own
        )
    names = {made.graph.input[0].name: "image", made.graph.output[0].name: "mask"}
    for node in made.graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
    for value in (*made.graph.input, *made.graph.output, *made.graph.value_info):
        value.name = names.get(value.name, value.name)
    return made


class OnnxEngine(Engine):
    """ONNX Runtime on the CPU."""

    def __init__(self, model: str | Path | bytes, threads: int = 1, name: str = "") -> None:
        """Open a file, or the bytes of one, which errors call `name`."""
        onnxruntime = import_package("onnxruntime")
        if not isinstance(model, bytes):
            name = model = str(model)
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
        kept = self._session.get_modelmeta().custom_metadata_map.get(_KEY)
        super().__init__(
            name,
            [_onnx_tensor(one, name) for one in self._session.get_inputs()],
            [_onnx_tensor(one, name) for one in self._session.get_outputs()],
            json.loads(kept) if kept else None,
        )

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        given = zip((tensor.name for tensor in self.inputs), arrays, strict=True)
        return self._session.run(None, dict(given))


class TensorFlowEngine(Engine):
    """A frozen GraphDef, or a SavedModel's folder, in TensorFlow, which chooses the threads."""

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        """Open a file with the nodes `image` and `mask`, or a folder with `serving_default`."""
        import tensorflow as tf

        path = Path(path)
        if not path.is_file() and not (path / "saved_model.pb").is_file():
            raise SeglibError(f"there is no frozen graph {path}, nor is it a SavedModel's folder")
        try:
            with quiet():
                if path.is_file():
                    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
                    whole = tf.compat.v1.wrap_function(
                        lambda: tf.import_graph_def(definition, name=""), signature=[]
                    )
                    self._call = whole.prune("image:0", "mask:0")
                else:
                    self._module = tf.saved_model.load(str(path))  # holds the variables
                    self._call = self._module.signatures["serving_default"]
        except Exception as error:  # protobuf and TensorFlow raise many kinds
            raise SeglibError(
                f"{path} is no frozen graph and no SavedModel from image to mask "
                f"({one_line(error)}); export it again"
            ) from error
        mask = tf.nest.flatten(self._call.structured_outputs)[0]
        tensors = (
            [Tensor(name, tuple(side or -1 for side in spec.shape), np.dtype(np.float32))]
            for name, spec in (("image", self._call.inputs[0]), ("mask", mask))
        )
        beside = _beside(path)
        metadata = json.loads(read_text(beside)) if beside.is_file() else None
        super().__init__(str(path), *tensors, metadata)

    def _run(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        import tensorflow as tf

        found = self._call(tf.constant(arrays[0]))
        return [np.asarray(one) for one in tf.nest.flatten(found)]


def _onnx_tensor(value: "onnxruntime.NodeArg", name: str) -> Tensor:
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    try:
        dtype = np.dtype({"float": "float32", "double": "float64"}.get(kind, kind))
    except TypeError as error:
        raise SeglibError(f"{name} has {value.name} of type {kind}; use float32") from error
    # A free side has a name, or none.
    return Tensor(value.name, tuple(n if isinstance(n, int) else -1 for n in value.shape), dtype)


def _gelu(context: Any, node: Any, name: str, _: Any) -> None:
    """Write the `.tflite` operation GELU, which tf2onnx does not know, in ONNX's own."""
    source, shape, kind = node.input[0], context.get_shape(node.output[0]), np.float32
    tanh, outputs = node.get_attr_value("approximate"), node.output
    dtype = context.get_dtype(outputs[0])

    def add(op: str, *inputs: Any, **given: Any) -> str:
        names = [
            one if isinstance(one, str)
            else context.make_const(f"{name}_{len(context.get_nodes())}", kind(one)).output[0]
            for one in inputs
        ]  # fmt: skip
        return context.make_node(op, names, shapes=[shape], dtypes=[dtype], **given).output[0]

    context.remove_node(node.name)
    if tanh:
        cubic = add("Mul", add("Mul", add("Mul", source, source), source), 0.044715)
        bent = add("Tanh", add("Mul", add("Add", source, cubic), np.sqrt(2 / np.pi)))
    else:
        bent = add("Erf", add("Mul", source, np.sqrt(0.5)))
    add("Mul", add("Mul", source, add("Add", bent, 1.0)), 0.5, outputs=outputs)


def _beside(path: Path) -> Path:
    """Return where the metadata of a frozen graph or a SavedModel lie."""
    if path.suffix == ".pb":
        return path.with_name(f"{path.name}.json")
    return path / "assets.extra" / "seglib.json"
