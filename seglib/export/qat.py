"""Quantisation-aware training: the network learns with the rounding that int8 will bring.

Every weight and every activation is rounded to 256 steps while the network still learns, so it can
make up for what rounding costs. The ranges are learnt on the way and go into the file: no
representative images are needed.

`quantisation_aware` folds the BatchNorms, since the training must see the weights that will be
quantised, and puts a fake quantisation on each kernel (one range per channel) and behind each
operation whose result a phone stores as int8. The result is a Keras model like any other: `fit` it
for an epoch or two at a small learning rate and hand it to `to_tflite` with precision "int8". It
runs on the TensorFlow backend only, whose fake-quantisation operations the converter reads.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference" (folding: section 3.2).

Chapter: TFLite conversion.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Unpack

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from seglib.errors import SeglibError
from seglib.export.graph import Reading, exportable
from seglib.runtime.reading import checked_reading, model_input

# What moves values about without making new ones, or is not there in inference.
_UNSTORED = (layers.InputLayer, layers.ZeroPadding2D, layers.Reshape, layers.Dropout)
_UNTOUCHED = (
    layers.BatchNormalization, layers.ReLU, layers.UpSampling2D, layers.Add, layers.Concatenate,
    layers.GlobalAveragePooling2D, layers.AveragePooling2D, layers.MaxPooling2D,
)  # fmt: skip
_FOLDABLE = (layers.Conv2D, layers.DepthwiseConv2D, layers.Conv2DTranspose)


@keras.saving.register_keras_serializable("seglib")
class FakeQuant(layers.Layer):
    """Round to 256 steps between a lowest and a highest value; shape and type stay.

    While training, the range follows the batches' lowest and highest values as a moving average
    that keeps `momentum` of the old one; in inference, or with `limits`, it is fixed.
    """

    holds_range = True  # by which the TFLite export knows that it needs no representative images

    def __init__(
        self, limits: tuple[float, float] | None = None, momentum: float = 0.95, **options
    ) -> None:
        super().__init__(**options)
        self.limits = None if limits is None else tuple(limits)
        self.momentum = momentum
        self.active = True

    def build(self, _shape: tuple) -> None:
        """Make the two ends of the range and the mark that it was seen."""
        values = (*self.limits, 1.0) if self.limits else (0.0, 0.0, 0.0)
        self.low, self.high, self.seen = (
            self.add_weight((), keras.initializers.Constant(value), trainable=False, name=name)
            for name, value in zip(("low", "high", "seen"), values, strict=True)
        )

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Round."""
        if training and self.limits is None:
            # Zero must be one of the steps, for padding and ReLU: the range always holds it.
            low = tf.minimum(tf.reduce_min(x), 0.0)
            high = tf.maximum(tf.reduce_max(x), 1e-3)
            keep = self.momentum * tf.convert_to_tensor(self.seen)
            self.low.assign(self.low * keep + low * (1 - keep))
            self.high.assign(self.high * keep + high * (1 - keep))
            self.seen.assign(1.0)
        if not self.active:
            return x
        low, high = tf.convert_to_tensor(self.low), tf.convert_to_tensor(self.high)
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high, num_bits=8)

    def get_config(self) -> dict:
        """Return what `from_config` builds the same layer from."""
        return {**super().get_config(), "limits": self.limits, "momentum": self.momentum}


class _RoundedKernel:
    """A convolution whose kernel is rounded to 255 steps a channel, symmetric about zero."""

    active = True

    def rounded(self, kernel: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(kernel)
        if not self.active:
            return kernel
        # A depthwise kernel (h, w, channels, multiplier) has channels * multiplier of them.
        depthwise = isinstance(self, layers.DepthwiseConv2D)
        flat = tf.reshape(kernel, (*kernel.shape[:2], -1)) if depthwise else kernel
        reach = tf.reduce_max(tf.abs(flat), axis=list(range(len(flat.shape) - 1))) + 1e-6
        flat = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, -reach, reach, num_bits=8, narrow_range=True
        )
        return tf.reshape(flat, kernel.shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Convolve with the rounded kernel."""
        kernel = self.rounded(self.kernel)
        if isinstance(self, layers.DepthwiseConv2D):
            x = keras.ops.depthwise_conv(
                x, kernel, self.strides, self.padding, "channels_last", self.dilation_rate
            )
        else:
            x = self.convolution_op(x, kernel)
        return self.activation(x + tf.convert_to_tensor(self.bias) if self.use_bias else x)


@keras.saving.register_keras_serializable("seglib")
class QuantConv2D(_RoundedKernel, layers.Conv2D):
    """`keras.layers.Conv2D` with its kernel rounded to int8's steps in every call."""


@keras.saving.register_keras_serializable("seglib")
class QuantDepthwiseConv2D(_RoundedKernel, layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with its kernel rounded to int8's steps in every call."""


@keras.saving.register_keras_serializable("seglib")
class QuantRescaling(layers.Rescaling):
    """`keras.layers.Rescaling` of pixel values 0..255, its input and its product rounded."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return `x * scale + offset`."""
        x = tf.quantization.fake_quant_with_min_max_args(x, 0.0, 255.0)
        x = tf.quantization.fake_quant_with_min_max_args(x * self.scale, 0.0, 255.0 * self.scale)
        return x + self.offset


_ROUNDED = {
    layers.Conv2D: QuantConv2D,
    layers.DepthwiseConv2D: QuantDepthwiseConv2D,
    layers.Rescaling: QuantRescaling,
}


def quantisation_aware(
    model: keras.Model, images: np.ndarray | None = None, **reading: Unpack[Reading]
) -> keras.Model:
    """Return a copy of a trained model that rounds as its int8 file will.

    Args:
        model: input (None, H, W, 3), output (None, H, W, C) probabilities, made of convolutions
            (transposed ones aside), BatchNorm, ReLU, bilinear resizing, Add, Concatenate and the
            like.
        images: uint8 (N, H, W, 3) from which the ranges start; without them the first batches of
            training set the ranges.
        reading: how the model wants its picture, see `seglib.export.graph.Reading`.
    """
    if keras.backend.backend() != "tensorflow":
        raise SeglibError("quantisation-aware training needs KERAS_BACKEND=tensorflow")
    reading = checked_reading(reading, model.name)
    model = exportable(model)
    for layer in model.layers:
        known = isinstance(layer, (*_UNSTORED, *_UNTOUCHED)) or type(layer) in _ROUNDED
        if isinstance(layer, layers.Activation):
            known = layer.activation is keras.activations.sigmoid
        if not known:
            raise SeglibError(
                f"{model.name}: layer {layer.name} ({type(layer).__name__}) has no int8 form here; "
                "build the network of convolutions, ReLU, bilinear resizing, Add and Concatenate, "
                "as seglib.models.mobile_unet does with decoder='bilinear'"
            )
    read_by = readers(model)
    ends = model_input(np.array([[0] * 3, [255] * 3]), reading)
    picture = FakeQuant((float(ends.min()), float(ends.max())), name="picture_quant")

    def before(tensor: keras.KerasTensor) -> keras.KerasTensor:
        is_input = isinstance(tensor._keras_history.operation, layers.InputLayer)
        return picture(tensor) if is_input else tensor

    def after(layer: layers.Layer, result: keras.KerasTensor) -> keras.KerasTensor:
        behind = read_by.get(layer.name, [])
        # A result that a ReLU alone reads is one with it and never stored.
        fused = len(behind) == 1 and isinstance(behind[0], layers.ReLU)
        if isinstance(layer, _UNSTORED) or fused:
            return result
        limits = None
        if isinstance(layer, layers.Activation):
            limits = (0.0, 255 / 256)  # int8 LOGISTIC allows no other
        elif isinstance(layer, layers.Rescaling):
            limits = (layer.offset, 255 * layer.scale + layer.offset)
        return FakeQuant(limits, name=f"{layer.name}_quant")(result)

    aware = _rebuild(model, _ROUNDED, after, before)
    if images is not None:
        with _rounding(aware, []):
            for start in range(0, len(images), 8):
                aware(model_input(images[start : start + 8], reading), training=True)
    return aware


def sensitivity(
    aware: keras.Model, images: np.ndarray, **reading: Unpack[Reading]
) -> list[tuple[str, float]]:
    """Say what rounding each part of a network costs when nothing else is rounded.

    Args:
        aware: what `quantisation_aware` returned, its ranges set.
        images: uint8 (N, H, W, 3).
        reading: as for `quantisation_aware`.

    Returns:
        (layer, mean absolute difference of the mask) for every kernel and every stored result,
        the most sensitive first.
    """
    pictures = model_input(images, checked_reading(reading, aware.name))
    with _rounding(aware, []):
        exact = aware(pictures, training=False).numpy()
    costs = []
    for layer in _rounding_layers(aware):
        with _rounding(aware, [layer]):
            masks = aware(pictures, training=False).numpy()
        costs.append((layer.name, float(np.abs(masks - exact).mean())))
    return sorted(costs, key=lambda cost: -cost[1])


def fold_batchnorm(model: keras.Model) -> keras.Model:
    """Return a copy of a functional model in which convolutions have swallowed their BatchNorm.

    A BatchNorm that does not follow a convolution directly, or whose convolution has other readers
    too, stays as it is.
    """
    return _rebuild(model)


def readers(model: keras.Model) -> dict[str, list[layers.Layer]]:
    """Return, by the name of each layer of a functional model, the layers that read its output."""
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
    found: dict[str, list[layers.Layer]] = {}
    for layer in model.layers:
        for node in layer._inbound_nodes:
            for tensor in node.input_tensors:
                found.setdefault(tensor._keras_history.operation.name, []).append(layer)
    return found


def _rebuild(
    model: keras.Model,
    kinds: dict[type, type] | None = None,
    after: Callable[[layers.Layer, Any], Any] = lambda layer, result: result,
    before: Callable[[Any], Any] = lambda tensor: tensor,
) -> keras.Model:
    """Return a folded copy, layers of some kinds replaced, with what follows each layer.

    `before` is what a tensor becomes on its way into a layer, but for a Rescaling.
    """
    read_by = readers(model)
    folded = {
        layer.name: read_by[layer.name][0]
        for layer in model.layers
        if isinstance(layer, _FOLDABLE)
        and layer.activation is keras.activations.linear
        and len(read_by.get(layer.name, [])) == 1
        and isinstance(read_by[layer.name][0], layers.BatchNormalization)
    }
    norms = {norm.name for norm in folded.values()}
    originals = {layer.name: layer for layer in model.layers}

    def copy(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        return (kinds or {}).get(type(layer), type(layer)).from_config(config)

    def call(layer: layers.Layer, *inputs: Any, **options: Any) -> Any:
        if layer.name in norms:
            return after(originals[layer.name], inputs[0])
        if not isinstance(layer, layers.Rescaling):
            inputs = keras.tree.map_structure(before, inputs)
        result = layer(*inputs, **options)
        # What a fold swallowed ends with the BatchNorm, which comes next and only here.
        return result if layer.name in folded else after(originals[layer.name], result)

    clone = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in clone.layers:
        original = originals.get(layer.name)
        if original is not None and original.weights:
            norm = folded.get(original.name)
            layer.set_weights(_fold(original, norm) if norm else original.get_weights())
    return clone


def _fold(conv: layers.Layer, norm: layers.Layer) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and the bias with which a convolution does its BatchNorm's work too."""
    kernel, *bias = (np.asarray(weight) for weight in conv.get_weights())
    mean, variance = map(keras.ops.convert_to_numpy, (norm.moving_mean, norm.moving_variance))
    scale = 1 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * keras.ops.convert_to_numpy(norm.gamma)
    shift = ((bias[0] if bias else 0) - mean) * scale
    if norm.center:
        shift = shift + keras.ops.convert_to_numpy(norm.beta)
    if isinstance(conv, layers.DepthwiseConv2D):
        return kernel * scale.reshape(kernel.shape[2:]), shift
    return kernel * (scale[:, None] if isinstance(conv, layers.Conv2DTranspose) else scale), shift


def _rounding_layers(aware: keras.Model) -> list[layers.Layer]:
    found = [layer for layer in aware.layers if isinstance(layer, (FakeQuant, _RoundedKernel))]
    if not any(isinstance(layer, FakeQuant) for layer in found):
        raise SeglibError(
            f"the model {aware.name} rounds nothing; make it with quantisation_aware(model)"
        )
    return found


@contextlib.contextmanager
def _rounding(aware: keras.Model, only: list[layers.Layer]) -> Iterator[None]:
    """Let nothing round but the given layers."""
    every = _rounding_layers(aware)
    try:
        for layer in every:
            layer.active = layer in only
        yield
    finally:
        for layer in every:
            layer.active = True
