"""Keras model to `.tflite`, in five precisions, with everything a reader needs inside the file.

- float32: weights and activations as trained.
- float16: weights take half the space; they run as float32 on a CPU, as float16 on most GPUs.
- dynamic: int8 weights; activations stay float32 and are quantised on the fly.
- int8: int8 weights and activations; needs representative images to learn the ranges from.
- int8-weights: int8 weights that become float32 when the file is loaded; float32 arithmetic.

The route (one concrete function with batch 1 and its variables in a `tf.Module`) is the one that
gave a static graph, a signature and the right weights on TensorFlow 2.19 to 2.21.

Source of the quantisation schemes: Jacob et al. 2018, "Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference", and the TensorFlow Lite documentation. For int8
weights alone TensorFlow's converter has no switch: AI Edge Quantizer (google-ai-edge) writes them.

Chapter: TFLite conversion.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import MissingPackage, conversion_error, quiet
from seglib.export.graph import Graph, check_model, facts, trace
from seglib.export.proof import probe_images, problem_with
from seglib.files import atomic_path
from seglib.metadata import write_metadata
from seglib.runtime.engines import TFLiteEngine, run_images

if TYPE_CHECKING:
    import keras

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8-weights")

# Mean absolute difference to Keras past which a file is broken and not merely rounded.
_BROKEN = {"float32": 0.01, "float16": 0.02, "dynamic": 0.1, "int8": 0.15, "int8-weights": 0.1}


def to_tflite(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float32",
    flat: bool = False,
    representative: np.ndarray | None = None,
    metadata: dict[str, Any] | None = None,
    integer_io: bool = False,
) -> Path:
    """Write a segmentation model as a `.tflite` file and check that it still does its work.

    The file has the signature `image -> mask` with batch 1, or `image, previous -> mask` where the
    model reads the mask of the frame before (`seglib.models.add_previous`). It is run on two images
    and compared with the Keras model before it takes its name, so a broken conversion leaves
    nothing behind.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities; a
            second input "previous" has the output's shape.
        path: the file to write, ending in `.tflite`.
        precision: one of `PRECISIONS`.
        flat: give the mask as (1, H*W*C), row by row, instead of (1, H, W, C).
        representative: uint8 images (N, H, W, 3) like those the model will meet; "int8" reads the
            range of every activation from them. About 100 are enough. A model from
            `seglib.export.qat.quantisation_aware` brings its ranges along and takes none.
        metadata: what to keep about the model in the file (name, task, labels, licence ...). Size,
            value range, layout, precision, shape of the mask and the checksum of the weights are
            filled in here.
        integer_io: with "int8", take and give int8 values (scale and zero point are in the file)
            instead of floats.

    Returns:
        The path of the file.

    Raises:
        SeglibError: an argument does not fit, the model cannot be converted, or the converted file
            gives other masks than the model.
    """
    path = Path(path)
    input_shape, _ = check_model(model, previous=True)
    _check_options(path, precision, integer_io)
    if precision == "int8":
        representative = _check_representative(model, representative, input_shape)
    content, graph = convert(model, precision, flat, representative, integer_io)
    images = probe_images(input_shape) if representative is None else representative[:2]
    problem = _problem(content, graph, images, precision)
    if problem:
        raise SeglibError(
            f"the {precision} conversion of {model.name} is broken ({problem}), so {path} was not "
            "written; check that the model's own masks are finite, or choose another precision"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        write_metadata(temporary, {**(metadata or {}), **facts(graph, precision, flat)})
    return path


def convert(
    model: "keras.Model",
    precision: str = "float32",
    flat: bool = False,
    representative: np.ndarray | None = None,
    integer_io: bool = False,
) -> tuple[bytes, Graph]:
    """Return a converted model's bytes, unproven and without metadata, and the graph behind them.

    Raises:
        SeglibError: the model cannot be converted.
    """
    import tensorflow as tf

    log: list[str] = []
    try:
        with quiet() as log:
            graph = trace(model, flat, previous=True)
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [graph.function], graph.module
            )
            if precision not in ("float32", "int8-weights"):
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if precision == "int8":
                # With ranges of its own the converter asks for no images, unless told the op set.
                if representative is not None:
                    converter.representative_dataset = lambda: _samples(graph, representative)
                    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
                if integer_io:
                    converter.inference_input_type = tf.int8
                    converter.inference_output_type = tf.int8
            content = bytes(converter.convert())
            return (_int8_weights(content) if precision == "int8-weights" else content), graph
    except SeglibError:
        raise
    except Exception as error:  # the compiler raises many kinds; every one means "not convertible"
        raise conversion_error("TFLite", model, error, log) from error


def _int8_weights(content: bytes) -> bytes:
    """Return a float32 file with its kernels kept as int8, one scale for each output channel."""
    try:
        from ai_edge_quantizer import quantizer, recipe
    except ImportError as error:
        raise MissingPackage(
            f"precision 'int8-weights' needs AI Edge Quantizer ({error}); install it with: "
            "pip install ai-edge-quantizer"
        ) from error
    chosen = recipe.weight_only_wi8_afp32()
    return bytes(quantizer.Quantizer(content, chosen).quantize().quantized_model)


def _samples(
    graph: Graph, images: np.ndarray
) -> Iterator[list[np.ndarray] | dict[str, np.ndarray]]:
    for image in images[:, None].astype(np.float32):
        if graph.previous_shape is None:
            yield [image]
            continue
        # By name, since the converter has an order of its own. A first frame, and then one whose
        # mask before is its own.
        first = {"image": image, "previous": np.zeros((1, *graph.previous_shape), np.float32)}
        yield first
        yield {**first, "previous": np.asarray(graph.model(first, training=False))}


def _problem(content: bytes, graph: Graph, images: np.ndarray, precision: str) -> str:
    with quiet():
        engine = TFLiteEngine(content, name="the converted model")
    return problem_with(graph, lambda x: run_images(engine, x), images, _BROKEN[precision])


def _check_options(path: Path, precision: str, integer_io: bool) -> None:
    if path.suffix != ".tflite":
        raise SeglibError(f"{path} does not end in .tflite; give the file such a name")
    if precision not in PRECISIONS:
        raise SeglibError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if integer_io and precision != "int8":
        raise SeglibError(f"integer_io needs precision 'int8', not {precision!r}")


def _check_representative(
    model: "keras.Model", images: np.ndarray | None, input_shape: tuple[int, int, int]
) -> np.ndarray | None:
    if any(getattr(layer, "holds_range", False) for layer in model.layers):
        if images is not None:
            raise SeglibError(
                f"the model {model.name} has learnt its ranges; leave the representative images out"
            )
        return None
    wanted = f"uint8 images of shape (N, {', '.join(map(str, input_shape))})"
    if images is None or len(images) == 0:
        raise SeglibError(
            "precision 'int8' needs representative images, from which the range of every "
            f"activation is read; give representative={wanted}, for example 100 training images"
        )
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != input_shape:
        raise SeglibError(
            f"the representative images have type {images.dtype} and shape {images.shape}; "
            f"give {wanted}"
        )
    return images
