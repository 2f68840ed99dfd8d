"""The common start of every export: a Keras model as one TensorFlow function of fixed shape.

Three things go wrong when a converter is handed a Keras model as it is: the free batch dimension
leaves shape arithmetic in the graph, which GPU delegates refuse; a mixed-precision model mixes
float16 kernels into it; and the variables may be lost without a word. So the model is checked,
brought to float32 and traced once with batch 1, together with its variables.

Chapter: TFLite conversion.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import seglib
from seglib.errors import SeglibError
from seglib.export.converters import first_line

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class Graph:
    """A model traced for export: the function, its variables and its shapes without the batch.

    `previous_shape` is that of the mask of the frame before, where the model reads one.
    """

    function: "tf.types.experimental.ConcreteFunction"
    module: "tf.Module"
    model: "keras.Model"
    input_shape: tuple[int, int, int]
    output_shape: tuple[int, int, int]
    previous_shape: tuple[int, int, int] | None = None


def trace(
    model: "keras.Model",
    flat: bool = False,
    finish: Callable[["tf.Tensor"], "tf.Tensor"] | None = None,
    previous: bool = False,
) -> Graph:
    """Trace a segmentation model as `image -> {"mask": ...}` with batch 1, in inference mode.

    A model that reads the mask of the frame before becomes `image, previous -> {"mask": ...}`.

    Args:
        model: one input (None, H, W, 3) of raw values 0..255, one output (None, H, W, C) of
            probabilities. A mixed-precision model is rebuilt in float32 with the same weights.
        flat: end with a reshape to (1, H*W*C), row by row.
        finish: what a format adds behind the mask (1, H, W, C), such as another layout.
        previous: whether the format takes a model that reads the mask of the frame before.

    Raises:
        SeglibError: Keras does not run on TensorFlow, or the model has another form than this.
    """
    import keras
    import tensorflow as tf

    input_shape, output_shape = check_model(model, previous)
    if keras.backend.backend() != "tensorflow":
        raise SeglibError(
            f"Keras runs on {keras.backend.backend()}, but the converters read TensorFlow graphs; "
            "set the environment variable KERAS_BACKEND=tensorflow before Keras is imported, "
            "build the model again and load its weights"
        )
    model = in_float32(model)
    shape = output_shape if len(model.inputs) == 2 else None

    def forward(*inputs: "tf.Tensor") -> dict[str, "tf.Tensor"]:
        given = (
            inputs[0] if shape is None else dict(zip(("image", "previous"), inputs, strict=True))
        )
        mask = tf.nest.flatten(model(given, training=False))[0]
        if finish is not None:
            mask = finish(mask)
        return {"mask": tf.reshape(mask, (1, math.prod(output_shape))) if flat else mask}

    # The converters find variables through a tf.Module only; without it the file has no weights.
    module = tf.Module()
    module.variables_of_the_model = [variable.value for variable in model.variables]
    signature = [tf.TensorSpec((1, *input_shape), tf.float32, name="image")]
    if shape is not None:
        signature.append(tf.TensorSpec((1, *shape), tf.float32, name="previous"))
    module.forward = tf.function(forward, input_signature=signature)
    traced = module.forward.get_concrete_function()
    return Graph(traced, module, model, input_shape, output_shape, shape)


def check_model(
    model: "keras.Model", previous: bool = False
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the input (H, W, 3) and output (H, W, C) shapes of a segmentation model.

    Args:
        model: what is to be exported.
        previous: whether a second input, for the mask of the frame before, is allowed.

    Raises:
        SeglibError: the object is no built Keras model with one image input of a fixed size and
            one mask output.
    """
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise SeglibError(
            f"only a built Keras model can be exported, not {type(model).__name__}; "
            "make one with seglib.models.mobile_unet or load its weights with seglib.models.load"
        )
    film = [entry.name for entry in inputs] == ["image", "previous"] and len(outputs) == 1
    if film and not previous:
        raise SeglibError(
            f"the model {model.name} reads the mask of the frame before, which only .tflite files "
            "take here; export it with seglib.export.to_tflite, or make it a network for single "
            "pictures with seglib.models.drop_previous"
        )
    if film and inputs[1].shape[1:] != outputs[0].shape[1:]:
        raise SeglibError(
            f"the model {model.name} reads a mask of shape {inputs[1].shape[1:]} and gives one of "
            f"{outputs[0].shape[1:]}; the mask of the frame before has to be of the same shape"
        )
    if not film and (len(inputs) != 1 or len(outputs) != 1):
        raise SeglibError(
            f"the model {model.name} has {len(inputs)} inputs and {len(outputs)} outputs; "
            "export a model with one image and one mask"
        )
    shapes = tuple(inputs[0].shape[1:]), tuple(outputs[0].shape[1:])
    fixed = all(len(shape) == 3 and all(shape) for shape in shapes)
    if not fixed or shapes[0][2] != 3:
        raise SeglibError(
            f"the model {model.name} maps {shapes[0]} to {shapes[1]}; export needs fixed sizes, "
            "(height, width, 3) to (height, width, classes): build it with a given size"
        )
    if inputs[0].shape[0] not in (None, 1):
        raise SeglibError(
            f"the model {model.name} takes {inputs[0].shape[0]} pictures at once and a phone gives "
            "one; build it with batch size None or 1 and load its weights"
        )
    return shapes


def in_float32(model: "keras.Model") -> "keras.Model":
    """Return the model itself where it computes in float32, else a float32 copy of it.

    Raises:
        SeglibError: the copy cannot be made, as for a subclassed model.
    """
    import keras

    if all(layer.compute_dtype == "float32" for layer in _layers(model)):
        return model

    def copy(layer: "keras.Layer") -> "keras.Layer":
        config = layer.get_config()
        config["dtype"] = "float32"
        return type(layer).from_config(config)

    try:
        clone = keras.models.clone_model(model, clone_function=copy, recursive=True)
        clone.set_weights(model.get_weights())
    except (TypeError, ValueError, NotImplementedError) as error:
        raise SeglibError(
            f"the model {model.name} computes in mixed precision and cannot be copied to float32 "
            f"({first_line(error)}); build it under the float32 policy and load its weights"
        ) from error
    return clone


def facts(
    graph: Graph, precision: str, flat: bool = False, value_range: tuple[float, float] = (0, 255)
) -> dict[str, Any]:
    """Return the part of the metadata that an export knows of itself."""
    height, width, _ = graph.input_shape
    film = graph.previous_shape is not None
    return {
        **({"previous_shape": list(graph.previous_shape)} if film else {}),
        "size": height if height == width else [height, width],
        "value_range": list(value_range),
        "layout": "flat" if flat else "hwc",
        "output_shape": list(graph.output_shape),
        "precision": precision,
        "weights_sha256": weights_sha256(graph.model),
        "seglib": seglib.__version__,
    }


def metadata_text(metadata: dict[str, Any], path: object) -> str:
    """Return metadata as JSON text, for formats that keep text.

    Raises:
        SeglibError: JSON cannot hold them.
    """
    try:
        return json.dumps(metadata, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SeglibError(
            f"the metadata for {path} does not fit into JSON ({error}); "
            "use text, numbers, lists and dicts"
        ) from error


def weights_sha256(model: "keras.Model") -> str:
    """Return the SHA-256 over the values of a model's weights as float32, in the model's order.

    It is the same in every format and Keras version, unlike the checksum of a weight file, which
    also covers names and dates.
    """
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight, dtype="<f4").tobytes())
    return digest.hexdigest()


def _layers(model: "keras.Model") -> Iterator["keras.Layer"]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)
