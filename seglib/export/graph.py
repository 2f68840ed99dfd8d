"""The common start of every export: a Keras model as one TensorFlow function of fixed shape.

A converter that is handed a Keras model as it is may leave shape arithmetic of the free batch in
the graph, which GPU delegates refuse, mix float16 kernels into it, or lose the variables without a
word. So the model is checked, brought to float32 and traced once with batch 1 and its variables.

Chapter: TFLite conversion.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from unittest import mock

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import converting
from seglib.runtime.reading import checked_reading

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Shape = tuple[int, int, int]


class Reading(TypedDict, total=False):
    """How a model wants its picture, and what it lacks: options of every exporter, all optional.

    The file records the first four, see `seglib.runtime.reading`; without them a model reads RGB
    from 0 to 255. `activation` ("sigmoid" or "softmax") is appended to a model that gives logits;
    `size` (a side, or height and width) fixes the input of one that takes pictures of any size.
    """

    value_range: tuple[float, float]
    mean: Sequence[float]
    std: Sequence[float]
    channels: str
    activation: str
    size: int | tuple[int, int]


@dataclass(frozen=True)
class Graph:
    """A model traced for export, its shapes without the batch.

    `previous_shape` is that of the mask of the frame before, None where the model reads none;
    `metadata` is what the caller said about the model, its `Reading` included.
    """

    function: "tf.types.experimental.ConcreteFunction"
    module: "tf.Module"
    model: "keras.Model"
    input_shape: Shape
    output_shape: Shape
    previous_shape: Shape | None
    metadata: dict[str, Any]


def trace(
    model: "keras.Model",
    finish: "Callable[[tf.Tensor], tf.Tensor] | None" = None,
    previous: bool = False,
    metadata: dict[str, Any] | None = None,
    **reading: Unpack[Reading],
) -> Graph:
    """Trace a segmentation model as `image -> {"mask": ...}` with batch 1, in inference mode.

    Args:
        model: see `exportable`.
        finish: what a format adds behind the mask (1, H, W, C), such as another layout.
        previous: whether the format takes a model that reads the mask of the frame before, which
            becomes `image, previous -> {"mask": ...}`.
        metadata: what to keep about the model in the file.
        reading: see `Reading`.
    """
    import keras
    import tensorflow as tf

    if keras.backend.backend() != "tensorflow":
        raise SeglibError(
            f"Keras runs on {keras.backend.backend()}, but the converters read TensorFlow graphs; "
            "start again with KERAS_BACKEND=tensorflow and load the model's weights"
        )
    known = metadata or {}
    stated = {key: v for key, v in reading.items() if key != "size" and v is not None}
    for key, value in stated.items():
        if known.get(key) is not None and not np.array_equal(known[key], value):
            raise SeglibError(f"{key} is {value}, but the metadata say {known[key]}; say it once")
    known = known | stated
    known |= checked_reading(known, f"the model {getattr(model, 'name', model)}")
    model = exportable(model, previous, reading.get("activation"), reading.get("size"))
    source, mask = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:])
    film = mask if len(model.inputs) == 2 else None

    def forward(*inputs: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        given = dict(zip(("image", "previous"), inputs, strict=True)) if film else inputs[0]
        found = tf.nest.flatten(model(given, training=False))[0]
        return {"mask": finish(found) if finish else found}

    repeat = keras.layers.UpSampling2D.call

    def resize(layer: "keras.Layer", x: "tf.Tensor") -> "tf.Tensor":
        if (layer.interpolation, layer.data_format) != ("nearest", "channels_last"):
            return repeat(layer, x)
        sides = [side * factor for side, factor in zip(x.shape[1:3], layer.size, strict=True)]
        return keras.ops.image.resize(x, sides, interpolation="nearest")

    # The converters find variables through a tf.Module only; without it the file has no weights.
    module = tf.Module()
    module.variables_of_the_model = [variable.value for variable in model.variables]
    signature = [tf.TensorSpec((1, *source), tf.float32, name="image")]
    if film:
        signature.append(tf.TensorSpec((1, *film), tf.float32, name="previous"))
    module.forward = tf.function(forward, input_signature=signature)
    # Keras repeats pixels along new axes, which no GPU delegate takes and ncnn cannot run. The same
    # values come from one resize.
    with mock.patch.object(keras.layers.UpSampling2D, "call", resize):
        traced = module.forward.get_concrete_function()
    return Graph(traced, module, model, source, mask, film, known)


def exportable(
    model: "keras.Model",
    previous: bool = False,
    activation: str | None = None,
    size: int | tuple[int, int] | None = None,
) -> "keras.Model":
    """Return a model as exports take it: float32, fixed size, (H, W, 3) to (H, W, C).

    The model itself where it is that already, else one around it with the same weights. Planar
    inputs and outputs, (3, H, W) and (C, H, W), are turned. With `previous` the model may have a
    second input "previous", the mask of the frame before; the rest is that of `Reading`.
    """
    import keras

    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise SeglibError(
            f"only a built Keras model can be exported, not {type(model).__name__}; "
            "make one with seglib.models.mobile_unet or load its weights with seglib.models.load"
        )
    source, mask = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    film = [entry.name for entry in inputs] == ["image", "previous"] and len(outputs) == 1
    planar = len(source) == 3 and source[0] == 3 != source[2]
    free, sides = None in source, source[1:] if planar else source[:2]
    wanted = sides if size is None else size
    chosen = tuple(wanted) if isinstance(wanted, Iterable) else (wanted, wanted)
    problem = ""
    if film and not previous:
        problem = (
            "reads the mask of the frame before, which only .tflite files take here; make it a "
            "network for single pictures with seglib.models.drop_previous"
        )
    elif len(inputs) != 1 + film or len(outputs) != 1:
        problem = f"has {len(inputs)} inputs and {len(outputs)} outputs; export one image, one mask"
    elif inputs[0].shape[0] not in (None, 1):
        problem = f"takes {inputs[0].shape[0]} pictures at once; build it with batch size None or 1"
    elif len(source) != 3 or len(mask) != 3 or not (planar or source[2] == 3):
        problem = f"maps {source} to {mask}; export needs (height, width, 3) to (height, width, C)"
    elif free and (size is None or film):
        problem = f"takes pictures of any size {source}; fixed sizes: pass size=(height, width)"
    elif len(chosen) != 2 or any(
        not isinstance(n, int) or n < 1 or side not in (None, n)
        for n, side in zip(chosen, sides, strict=True)
    ):
        problem = f"takes pictures of {sides}, not of size={size}; leave the size out"
    elif activation not in (None, "sigmoid", "softmax"):
        problem = f"cannot end in {activation!r}; choose activation='sigmoid' or 'softmax'"
    if problem:
        raise SeglibError(f"the model {model.name} {problem}")
    model = _in_float32(model)
    result, image = model.outputs[0], {entry.name: entry for entry in model.inputs}
    if planar or free:
        image = keras.Input((*chosen, 3), name="image")
        result = model(keras.layers.Permute((3, 1, 2))(image) if planar else image)
        result = keras.tree.flatten(result)[0]
    if _channels_first(tuple(result.shape[1:]), chosen, model.name):
        result = keras.layers.Permute((2, 3, 1))(result)
    if activation == "softmax" and result.shape[-1] == 1:
        raise SeglibError(f"the softmax of one channel is 1: end {model.name} in a sigmoid")
    if activation:
        result = keras.layers.Activation(activation)(result)
    if result is model.outputs[0]:
        return model
    return keras.Model(image if film else keras.tree.flatten(image)[0], result, name=model.name)


def facts(graph: Graph, precision: str, layout: str = "hwc") -> dict[str, Any]:
    """Return what a file says about its model: the caller's metadata, and what an export knows."""
    height, width, _ = graph.input_shape
    film = graph.previous_shape
    return {
        **graph.metadata,
        **({"previous_shape": list(film)} if film else {}),
        "size": height if height == width else [height, width],
        "layout": layout,
        "output_shape": list(graph.output_shape),
        "precision": precision,
        "weights_sha256": weights_sha256(graph.model),
        "seglib": version("seglib"),
    }


def metadata_text(metadata: dict[str, Any], path: object) -> str:
    """Return metadata as JSON text, for formats that keep text."""
    try:
        return json.dumps(metadata, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SeglibError(f"the metadata for {path} do not fit into JSON ({error})") from error


def weights_sha256(model: "keras.Model") -> str:
    """Return the SHA-256 over a model's weights as float32, which is that of every format."""
    weights = (np.asarray(weight, "<f4").tobytes() for weight in model.get_weights())
    return hashlib.sha256(b"".join(weights)).hexdigest()


def layers_of(model: "keras.Model") -> Iterator["keras.Layer"]:
    """Yield every layer, those of models inside the model too."""
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from layers_of(layer)


def _channels_first(mask: Shape, sides: tuple[int, int], name: str) -> bool:
    """Whether the last two axes of an output are the picture's, and not the first two."""
    height, width = sides
    last, first = (abs(a * width - b * height) for a, b in (mask[:2], mask[1:]))
    if last == first == 0:
        raise SeglibError(
            f"the output {mask} of {name} may be (height, width, channels) or (channels, height, "
            "width); give it another number of channels than rows"
        )
    return first < last and first <= max(sides)


def _in_float32(model: "keras.Model") -> "keras.Model":
    """Return the model itself where it computes in float32, else a float32 copy of it."""
    import keras

    if all(layer.compute_dtype == "float32" for layer in layers_of(model)):
        return model

    def copy(layer: "keras.Layer") -> "keras.Layer":
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    with converting("float32", model):
        clone = keras.models.clone_model(model, clone_function=copy, recursive=True)
        clone.set_weights(model.get_weights())
    return clone
