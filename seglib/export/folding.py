"""BatchNorm folded into the convolution before it: the same network with fewer operations.

In inference a BatchNorm is one factor and one shift per channel, and so is a convolution's last
step. Multiplying the kernel by the factor and putting the shift into the bias saves the operation
and the trip through memory. The older projects did this with graph transforms on a frozen graph;
today's converters do it by themselves. Here it is done in Keras, where it can be looked at, and
because quantisation-aware training must see the weights that will be quantised.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 3.2.

Chapter: TFLite conversion.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError

if TYPE_CHECKING:
    import keras


def fold_batchnorm(model: "keras.Model") -> "keras.Model":
    """Return a copy of a model in which convolutions have swallowed the BatchNorm behind them.

    The copy gives the model's outputs in inference, up to rounding; it has nothing to normalise
    with any more, so training it from scratch is another matter. A BatchNorm that does not follow
    a convolution directly, or whose convolution has other readers too, stays as it is.

    Args:
        model: a functional Keras model, of any inputs and outputs.

    Raises:
        SeglibError: the model is not functional, or holds models inside.
    """
    return rebuild(model, lambda layer: type(layer), lambda layer, result: result)


def rebuild(
    model: "keras.Model",
    kind: Callable[["keras.Layer"], type],
    after: Callable[["keras.Layer", Any], Any],
) -> "keras.Model":
    """Return a folded copy whose layers may be of another class and followed by further layers.

    Args:
        model: a functional Keras model.
        kind: from a layer of the model to the class of its copy, which takes the same config.
        after: from a layer of the model and its copy's output to what its readers shall read.

    Raises:
        SeglibError: the model is not functional, or holds models inside.
    """
    import keras

    folded = pairs(model)
    norms = {norm.name for norm in folded.values()}
    originals = {layer.name: layer for layer in model.layers}

    def copy(layer: "keras.Layer") -> "keras.Layer":
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        return kind(layer).from_config(config)

    def call(layer: "keras.Layer", *inputs: Any, **options: Any) -> Any:
        if layer.name in norms:
            return after(originals[layer.name], inputs[0])
        result = layer(*inputs, **options)
        # What a fold swallowed ends with the BatchNorm, which comes next and only here.
        return result if layer.name in folded else after(originals[layer.name], result)

    clone = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in clone.layers:
        original = originals.get(layer.name)
        if original is None or not original.weights:
            continue
        if original.name in folded:
            kernel, bias = fold(original, folded[original.name])
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        else:
            layer.set_weights(original.get_weights())
    return clone


def pairs(model: "keras.Model") -> dict[str, "keras.Layer"]:
    """Return, by the name of each convolution that can be folded, the BatchNorm behind it.

    Raises:
        SeglibError: the model is not functional, or holds models inside.
    """
    import keras

    layers = keras.layers
    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.Conv2DTranspose)
    read_by = readers(model)
    found = {}
    for layer in model.layers:
        behind = read_by.get(layer.name, [])
        if (
            isinstance(layer, convolutions)
            and layer.activation is keras.activations.linear
            and len(behind) == 1
            and isinstance(behind[0], layers.BatchNormalization)
        ):
            found[layer.name] = behind[0]
    return found


def readers(model: "keras.Model") -> dict[str, list["keras.Layer"]]:
    """Return, by the name of each layer, the layers that read its output.

    Raises:
        SeglibError: the model is not functional, or holds models inside.
    """
    import keras

    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise SeglibError(
            f"only a functional Keras model can be folded, not {type(model).__name__}; "
            "build it with seglib.models.build"
        )
    nested = [layer.name for layer in model.layers if hasattr(layer, "layers")]
    if nested:
        raise SeglibError(
            f"the model {model.name} holds the models {', '.join(nested)} inside; "
            "build it from layers alone"
        )
    found: dict[str, list[keras.Layer]] = {}
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                found.setdefault(tensor._keras_history.operation.name, []).append(layer)
    return found


def fold(conv: "keras.Layer", norm: "keras.Layer") -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and the bias with which a convolution does its BatchNorm's work too."""
    import keras

    kernel, *bias = (np.asarray(weight) for weight in conv.get_weights())
    scale = 1 / np.sqrt(keras.ops.convert_to_numpy(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * keras.ops.convert_to_numpy(norm.gamma)
    shift = (bias[0] if bias else 0) - keras.ops.convert_to_numpy(norm.moving_mean)
    shift = shift * scale
    if norm.center:
        shift = shift + keras.ops.convert_to_numpy(norm.beta)
    if isinstance(conv, keras.layers.DepthwiseConv2D):
        return kernel * scale.reshape(kernel.shape[2:]), shift
    if isinstance(conv, keras.layers.Conv2DTranspose):
        return kernel * scale[:, None], shift
    return kernel * scale, shift
