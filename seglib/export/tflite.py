"""Keras model to `.tflite`, in five precisions, with everything a reader needs inside the file.

A flat output is (H, W, C) as one row, pixel by pixel, row by row. The precisions:

- float32: weights and activations as trained.
- float16: weights take half the space; they run as float32 on a CPU, as float16 on most GPUs.
- dynamic: int8 weights; activations stay float32 and are quantised on the fly.
- int8: int8 weights and activations; needs representative images to learn the ranges from.
- int8-weights: int8 weights that become float32 when the file is loaded; float32 arithmetic. AI
  Edge Quantizer (google-ai-edge) writes them, for which TensorFlow's converter has no switch.

Source of the quantisation schemes: Jacob et al. 2018, "Quantization and Training of Neural Networks
for Efficient Integer-Arithmetic-Only Inference".

Chapters: TFLite conversion; the GPU delegate and flattened output.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import converting, import_package, named, operations, quiet, verify
from seglib.export.graph import Graph, Reading, facts, layers_of, metadata_text, trace
from seglib.files import atomic_path
from seglib.images import as_image, resize
from seglib.metadata import write_metadata
from seglib.runtime.engines import TFLiteEngine, one_line
from seglib.runtime.reading import model_input

if TYPE_CHECKING:
    import keras

PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8-weights")
MOST_IMAGES = 100
_NAME = "representative image"


def to_tflite(
    model: "keras.Model",
    path: str | Path,
    precision: str = "float32",
    flat: bool = False,
    representative: Any = None,
    metadata: dict[str, Any] | None = None,
    integer_io: bool = False,
    **reading: Unpack[Reading],
) -> Path:
    """Write a segmentation model as a `.tflite` file and check that it still does its work.

    The file has the signature `image -> mask` with batch 1, or `image, previous -> mask` where the
    model reads the mask of the frame before (`seglib.models.add_previous`).

    Args:
        model: input (None, H, W, 3), output (None, H, W, C) probabilities; a second input
            "previous" has the output's shape.
        path: the file to write, ending in `.tflite`; a broken conversion leaves what stood there.
        precision: one of `PRECISIONS`.
        flat: give the mask as (1, H*W*C), row by row, instead of (1, H, W, C).
        representative: RGB images like those the model will meet; "int8" reads the range of every
            activation from them: an array (N, H, W, 3), a list, a generator or a function that
            makes one, a `tf.data` set, a `Dataset` or `Batches` of seglib. uint8, or floats 0..1 or
            0..255, before any `value_range`, of any size; at most 100 are drawn. A model from
            `seglib.export.qat.quantisation_aware` brings its ranges along and takes none.
        metadata: what to keep about the model in the file (name, task, labels, licence ...). Size,
            layout, precision, shape of the mask and the checksum of the weights are filled in.
        integer_io: with "int8", take and give int8 values (scale and zero point are in the file)
            instead of floats.
        reading: see `seglib.export.graph.Reading`.
    """
    path = named(path, ".tflite")
    if precision not in PRECISIONS:
        raise SeglibError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
    if integer_io and precision != "int8":
        raise SeglibError(f"integer_io needs precision 'int8', not {precision!r}")
    with quiet():
        import tensorflow as tf

        row = (lambda mask: tf.reshape(mask, (1, math.prod(mask.shape)))) if flat else None
        graph = trace(model, row, True, metadata, **reading)
    images = _representative(graph, representative) if precision == "int8" else None
    content = convert(graph, precision, images, integer_io)

    def open_export() -> TFLiteEngine:
        with quiet():
            engine = TFLiteEngine(content, name="the converted model")
        if "VAR_HANDLE" in operations(content):
            raise SeglibError(
                f"the conversion of {model.name} lost its weights, so {path} was not written; keep "
                "them in the layers' own variables (add_weight)"
            )
        return engine

    verify(graph, open_export, path, precision, None if images is None else images[:2])
    known = facts(graph, precision, "flat" if flat else "hwc")
    metadata_text(known, path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        write_metadata(temporary, known)
    return path


def convert(
    graph: Graph,
    precision: str = "float32",
    representative: np.ndarray | None = None,
    integer_io: bool = False,
) -> bytes:
    """Return a traced model as the bytes of a `.tflite`, unproven and without metadata.

    Arguments as in `to_tflite`; the representative images are uint8 (N, H, W, 3).
    """
    import tensorflow as tf

    with converting("TFLite", graph.model):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([graph.function], graph.module)
        if precision not in ("float32", "int8-weights"):
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        # With ranges of its own the converter asks for no images, unless told the op set.
        if representative is not None:
            converter.representative_dataset = lambda: _samples(graph, representative)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        if integer_io:
            converter.inference_input_type = tf.int8
            converter.inference_output_type = tf.int8
        content = bytes(converter.convert())
        if precision != "int8-weights":
            return content
        # Kernels kept as int8, one scale for each output channel.
        import_package("ai_edge_quantizer", "ai-edge-quantizer")
        from ai_edge_quantizer import quantizer, recipe

        made = quantizer.Quantizer(content, recipe.weight_only_wi8_afp32()).quantize()
        return bytes(made.quantized_model)


def _samples(graph: Graph, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yield what the converter runs the model on, by name, since it has an order of its own."""
    for image in model_input(images[:, None], graph.metadata):
        if graph.previous_shape is None:
            yield {"image": image}
            continue
        # A first frame, and then one whose mask before is its own.
        first = {"image": image, "previous": np.zeros((1, *graph.previous_shape), np.float32)}
        yield first
        yield {**first, "previous": np.asarray(graph.model(first, training=False))}


def _representative(graph: Graph, source: Any) -> np.ndarray | None:
    """Return at most `MOST_IMAGES` uint8 images (N, H, W, 3) of the model's size."""
    if any(getattr(layer, "holds_range", False) for layer in layers_of(graph.model)):
        if source is None:
            return None
        raise SeglibError(
            f"the model {graph.model.name} has learnt its ranges; leave representative= out"
        )
    height, width, _ = graph.input_shape
    wanted = (
        f"give representative= uint8 images of shape (N, {height}, {width}, 3) or anything that "
        "yields such images, for example 100 training images"
    )
    try:
        images = list(itertools.islice(_drawn(source), MOST_IMAGES))
    except SeglibError:
        raise
    except Exception as error:  # whatever a caller's own generator raises
        raise SeglibError(
            f"no images can be drawn from the representative {type(source).__name__} "
            f"({one_line(error)}); {wanted}"
        ) from error
    if not images:
        raise SeglibError(f"precision 'int8' needs representative images; {wanted}")
    # Floats are 0..1 or 0..255, which only all of them together tell.
    bright = any(image.dtype.kind == "f" and image.max() > 1 for image in images)
    images = [np.rint(i).astype(int) if bright and i.dtype.kind == "f" else i for i in images]
    return np.stack([resize(as_image(image, _NAME), (height, width)) for image in images])


def _drawn(source: Any) -> Iterator[np.ndarray]:
    """Yield images (H, W, 3), whatever they come in: batches, pairs with masks, dicts, files."""
    if callable(source) and not hasattr(source, "__getitem__"):
        source = source()
    if isinstance(source, str | Path | dict) or getattr(source, "ndim", 4) == 3:
        source = [source]
    items: Iterable[Any] = () if source is None else source
    if hasattr(source, "__len__") and hasattr(source, "__getitem__"):
        last = len(source) - 1
        chosen = np.unique(np.linspace(0, last, min(last + 1, MOST_IMAGES)).astype(int))
        items = (source[int(index)] for index in chosen)
    for item in items:
        while isinstance(item, (tuple, list)):
            item = item[0]
        if isinstance(item, dict):
            item = item["image"] if "image" in item else next(iter(item.values()))
        item = np.asarray(item) if hasattr(item, "shape") else as_image(item, _NAME)
        yield from item if item.ndim == 4 else [item]


def flatten(array: np.ndarray) -> np.ndarray:
    """Return (H, W, C) as one row (H*W*C,): pixel by pixel, row by row."""
    check_rank3(array)
    return np.ascontiguousarray(array).reshape(-1)


def unflatten(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask (H*W*C,) or (1, H*W*C) as (H, W, C), the shape in its metadata.

    A square mask hides an exchange of H and W: test with a picture that is not square.
    """
    flat = np.asarray(flat)
    if flat.size != int(np.prod(shape)):
        raise SeglibError(
            f"{flat.size} values do not make a mask of shape {tuple(shape)}; "
            "read the shape from the model's metadata (output_shape)"
        )
    return flat.reshape(shape)


def deinterleave(flat: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return a flat mask of the shape (H, W, C) as one plane for each channel: (C, H, W).

    Three classes are written pixel by pixel, b h s b h s: a picture of one takes every third value.
    """
    return np.ascontiguousarray(unflatten(flat, shape).transpose(2, 0, 1))


def interleave(planes: np.ndarray) -> np.ndarray:
    """Return planes (C, H, W) as one row (H*W*C,), pixel by pixel: the way back."""
    check_rank3(planes, "(channels, height, width)")
    return flatten(planes.transpose(1, 2, 0))


def check_rank3(array: np.ndarray, wanted: str = "(height, width, channels)") -> None:
    """Refuse what has not three axes."""
    if array.ndim != 3 or not array.size:
        raise SeglibError(f"shape {array.shape} is no mask; give {wanted}")
