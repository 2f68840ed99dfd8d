"""Core ML's older format, the neural network of 2017, executed layer by layer with NumPy.

A `.mlmodel` is one protocol buffer: a list of layers of fixed types, each with its weights inside,
and before them the scale and bias of a picture input. What a converter makes of our networks shows
why the format was replaced: it has no ReLU6, so each becomes a ReLU, a change of sign, a threshold
and another change of sign. Most layers are called here by the names that ML programs use, so that
both formats share one set of kernels. Everything is computed in float32.

Source for the meaning of the layers: coremltools, `NeuralNetwork.proto`.

Chapter: Core ML conversion.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.mil_kernels import KERNELS

Values = list[np.ndarray]


def run_layers(network: Any, values: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Execute a neural network and return every value that it computes, by name.

    Args:
        network: the protocol buffer `NeuralNetwork`.
        values: its input, a picture (1, 3, H, W) of 0..255 or an array, as float32.
        name: of the file, for messages.

    Raises:
        SeglibError: it holds a layer which this module does not know.
    """
    values = dict(values)
    for step in network.preprocessing:
        source = step.featureName or next(iter(values))
        scaler = step.scaler
        bias = np.array([scaler.redBias, scaler.greenBias, scaler.blueBias], np.float32)
        values[source] = values[source] * scaler.channelScale + bias[:, None, None]
    for layer in network.layers:
        kind = layer.WhichOneof("layer")
        if kind not in LAYERS:
            raise SeglibError(
                f"{name} holds a layer of the type {kind!r}, which seglib cannot execute; compare "
                "this file on a Mac with coremltools' predict"
            )
        given = [values[entry] for entry in layer.input]
        found = LAYERS[kind](getattr(layer, kind), given)
        values[layer.output[0]] = np.asarray(found, np.float32)
    return values


def half_weights(network: Any) -> bool:
    """Return whether any convolution keeps its weights as float16."""
    return any(
        bool(getattr(layer, kind).weights.float16Value)
        for layer in network.layers
        if (kind := layer.WhichOneof("layer")) == "convolution"
    )


def _weights(stored: Any) -> np.ndarray:
    """Return a layer's weights as float32, from either of the forms that we write."""
    if stored.float16Value:
        return np.frombuffer(stored.float16Value, np.float16).astype(np.float32)
    return np.asarray(stored.floatValue, np.float32)


def _convolution(layer: Any, given: Values) -> np.ndarray:
    height, width = layer.kernelSize
    pad = [0, 0, 0, 0]
    kind = "valid"
    if layer.WhichOneof("ConvolutionPaddingType") == "same":
        # 0 puts the odd row at the bottom, as TensorFlow does.
        kind = "same_lower" if layer.same.asymmetryMode else "same"
    elif layer.valid.paddingAmounts.borderAmounts:
        edges = layer.valid.paddingAmounts.borderAmounts
        kind = "custom"
        pad = [side for edge in edges for side in (edge.startEdgeSize, edge.endEdgeSize)]
    shape = (
        (layer.kernelChannels, layer.outputChannels // layer.nGroups)
        if layer.isDeconvolution
        else (layer.outputChannels, layer.kernelChannels)
    )
    arguments: dict[str, Any] = {
        "x": given[0],
        "weight": _weights(layer.weights).reshape(*shape, height, width),
        "strides": list(layer.stride) or [1, 1],
        "dilations": list(layer.dilationFactor) or [1, 1],
        "pad_type": kind,
        "pad": pad,
        "groups": layer.nGroups,
        "bias": _weights(layer.bias) if layer.hasBias else None,
    }
    if not layer.isDeconvolution:
        return KERNELS["conv"](**arguments)
    sizes = list(layer.outputShape)
    output = [1, layer.outputChannels, *sizes] if sizes else None
    return KERNELS["conv_transpose"](**arguments, output_shape=output)


def _activation(layer: Any, given: Values) -> np.ndarray:
    x, kind = given[0], layer.WhichOneof("NonlinearityType")
    if kind == "linear":
        return x * layer.linear.alpha + layer.linear.beta
    if kind == "leakyReLU":
        return KERNELS["leaky_relu"](x, layer.leakyReLU.alpha)
    if kind == "PReLU":
        return np.where(x >= 0, x, x * _weights(layer.PReLU.alpha)[:, None, None])
    known = {"ReLU": "relu", "sigmoid": "sigmoid"}
    if kind not in known:
        raise SeglibError(f"seglib cannot execute an activation of the type {kind!r}")
    return KERNELS[known[kind]](x)


def _unary(layer: Any, given: Values) -> np.ndarray:
    x = given[0] * layer.scale + layer.shift
    kinds = type(layer).Operation
    if layer.type == kinds.Value("THRESHOLD"):
        return np.maximum(x, layer.alpha)
    if layer.type == kinds.Value("INVERSE"):
        return 1 / (x + layer.epsilon)
    raise SeglibError(f"seglib cannot execute a unary layer of the type {kinds.Name(layer.type)}")


def _upsample(layer: Any, given: Values) -> np.ndarray:
    factors = list(layer.fractionalScalingFactor) or list(layer.scalingFactor) or [1, 1]
    modes = type(layer).InterpolationMode
    if layer.mode == modes.Value("NN"):
        return KERNELS["upsample_nearest_neighbor"](given[0], *factors)
    # ALIGN_CORNERS_FALSE, 2, is the rule of half-pixel centres; 0 is an older one of Core ML's own.
    return KERNELS["upsample_bilinear"](
        given[0], *factors, align_corners=layer.linearUpsampleMode != 2
    )


def _padding(layer: Any, given: Values) -> np.ndarray:
    if layer.WhichOneof("PaddingType") != "constant":
        raise SeglibError("seglib cannot execute a padding layer that is not constant")
    edges = [(e.startEdgeSize, e.endEdgeSize) for e in layer.paddingAmounts.borderAmounts]
    return np.pad(given[0], [(0, 0), (0, 0), *edges], constant_values=layer.constant.value)


def _batchnorm(layer: Any, given: Values) -> np.ndarray:
    numbers = (_weights(part) for part in (layer.mean, layer.variance))
    gamma, beta = _weights(layer.gamma), _weights(layer.beta)
    return KERNELS["batch_norm"](given[0], *numbers, layer.epsilon, gamma, beta)


def _slice(layer: Any, given: Values) -> np.ndarray:
    axis = {"CHANNEL_AXIS": 1, "HEIGHT_AXIS": 2, "WIDTH_AXIS": 3}[
        type(layer).SliceAxis.Name(layer.axis)
    ]
    end = None if layer.endIndex in (0, -1) else layer.endIndex
    cut = slice(layer.startIndex, end, layer.stride or 1)
    return given[0][(slice(None),) * axis + (cut,)]


def _reduce(function: Callable[..., np.ndarray]) -> Callable[[Any, Values], np.ndarray]:
    def run(layer: Any, given: Values) -> np.ndarray:
        axes = None if layer.reduceAll else tuple(layer.axes)
        return function(given[0], axis=axes, keepdims=layer.keepDims)

    return run


def _multiply(layer: Any, given: Values) -> np.ndarray:
    return given[0] * (given[1] if len(given) > 1 else layer.alpha)


def _add(layer: Any, given: Values) -> np.ndarray:
    return given[0] + (given[1] if len(given) > 1 else layer.alpha)


LAYERS: dict[str, Callable[[Any, Values], np.ndarray]] = {
    "activation": _activation,
    "add": _add,
    "addBroadcastable": lambda layer, given: given[0] + given[1],
    "batchnorm": _batchnorm,
    "concat": lambda layer, given: np.concatenate(given, axis=1),
    "concatND": lambda layer, given: np.concatenate(given, axis=int(layer.axis)),
    "convolution": _convolution,
    "gather": lambda layer, given: np.take(given[0], given[1].astype(int), axis=layer.axis),
    "loadConstantND": lambda layer, given: _weights(layer.data).reshape(list(layer.shape)),
    "multiply": _multiply,
    "multiplyBroadcastable": lambda layer, given: given[0] * given[1],
    "padding": _padding,
    "reduceMean": _reduce(np.mean),
    "reshapeStatic": lambda layer, given: np.reshape(given[0], list(layer.targetShape)),
    "slice": _slice,
    "softmaxND": lambda layer, given: KERNELS["softmax"](given[0], layer.axis),
    "squeeze": lambda layer, given: np.squeeze(given[0], axis=tuple(layer.axes)),
    "subtractBroadcastable": lambda layer, given: given[0] - given[1],
    "transpose": lambda layer, given: np.transpose(given[0], list(layer.axes)),
    "unary": _unary,
    "upsample": _upsample,
}
