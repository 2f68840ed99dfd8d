"""Quantisation-aware training: the network learns with the rounding that int8 will bring.

Post-training quantisation rounds a finished network. Here every weight and every activation is
rounded to 256 steps while the network still learns, so it can make up for what rounding costs. The
ranges are learnt on the way and go into the file: no representative images are needed.

`quantisation_aware` folds the BatchNorms, then puts a fake quantisation on each kernel (one range
per channel) and behind each operation whose result a phone stores as int8. The result is a Keras
model like any other: `fit` it for an epoch or two at a small learning rate, save and load its
weights, and hand it to `to_tflite` with precision "int8". It runs on the TensorFlow backend only,
since the converter reads TensorFlow's fake-quantisation operations.

Source: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference".

Chapter: TFLite conversion.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from seglib.errors import SeglibError
from seglib.export.folding import readers, rebuild
from seglib.export.graph import check_model

_UNSTORED = (layers.InputLayer, layers.ZeroPadding2D, layers.Reshape, layers.Dropout)
"""What moves values about without making new ones, or is not there in inference."""


@keras.saving.register_keras_serializable("seglib")
class FakeQuant(layers.Layer):
    """Round to 256 steps between a lowest and a highest value; shape and type stay.

    While training, the range follows the batches' lowest and highest values as a moving average;
    in inference it is fixed. Gradients pass where a value lies within the range.

    Args:
        limits: the range, where it is known beforehand: it then stays.
        momentum: share of the old range kept at each step.
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
        low, high = self.limits or (0.0, 0.0)
        for name, value in (("low", low), ("high", high), ("seen", float(self.limits is not None))):
            constant = keras.initializers.Constant(value)
            weight = self.add_weight(name=name, shape=(), initializer=constant, trainable=False)
            setattr(self, name, weight)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Return `x`, rounded."""
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
        flat = tf.reshape(kernel, (*kernel.shape[:2], -1)) if self.depthwise else kernel
        reach = tf.reduce_max(tf.abs(flat), axis=list(range(len(flat.shape) - 1))) + 1e-6
        flat = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, -reach, reach, num_bits=8, narrow_range=True
        )
        return tf.reshape(flat, kernel.shape)


@keras.saving.register_keras_serializable("seglib")
class QuantConv2D(_RoundedKernel, layers.Conv2D):
    """`keras.layers.Conv2D` with its kernel rounded to int8's steps in every call."""

    depthwise = False

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the convolution, shape as from Conv2D."""
        x = self.convolution_op(x, self.rounded(self.kernel))
        return self.activation(x + tf.convert_to_tensor(self.bias) if self.use_bias else x)


@keras.saving.register_keras_serializable("seglib")
class QuantDepthwiseConv2D(_RoundedKernel, layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with its kernel rounded to int8's steps in every call."""

    depthwise = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return the convolution, shape as from DepthwiseConv2D."""
        x = keras.ops.depthwise_conv(
            x, self.rounded(self.kernel), self.strides, self.padding, "channels_last",
            self.dilation_rate,
        )  # fmt: skip
        return self.activation(x + tf.convert_to_tensor(self.bias) if self.use_bias else x)


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
_UNTOUCHED = (
    layers.BatchNormalization,
    layers.ReLU,
    layers.UpSampling2D,
    layers.Add,
    layers.Concatenate,
    layers.GlobalAveragePooling2D,
    layers.AveragePooling2D,
    layers.MaxPooling2D,
)


def quantisation_aware(model: keras.Model, images: np.ndarray | None = None) -> keras.Model:
    """Return a copy of a trained model that rounds as its int8 file will.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities,
            made of convolutions (transposed ones aside), BatchNorm, ReLU, bilinear resizing, Add,
            Concatenate and the like.
        images: uint8 (N, H, W, 3) from which the ranges start. Without them the first batches of
            training set the ranges, and until then the copy's masks mean nothing.

    Raises:
        SeglibError: Keras does not run on TensorFlow, or the model holds what int8 cannot follow.
    """
    if keras.backend.backend() != "tensorflow":
        raise SeglibError(
            f"Keras runs on {keras.backend.backend()}, but quantisation-aware training needs "
            "TensorFlow; set KERAS_BACKEND=tensorflow before Keras is imported"
        )
    check_model(model)
    _check_layers(model)
    read_by = readers(model)

    def after(layer: layers.Layer, result: keras.KerasTensor) -> keras.KerasTensor:
        behind = read_by.get(layer.name, [])
        if isinstance(layer, _UNSTORED) or _fused(behind):
            return result
        return FakeQuant(_limits(layer), name=f"{layer.name}_quant")(result)

    aware = rebuild(model, lambda layer: _ROUNDED.get(type(layer), type(layer)), after)
    if images is not None:
        set_ranges(aware, images)
    return aware


def set_ranges(aware: keras.Model, images: np.ndarray, batch: int = 8) -> None:
    """Set the ranges of a quantisation-aware model from pictures, without training it.

    Args:
        aware: what `quantisation_aware` returned.
        images: uint8 (N, H, W, 3) like those that the model will meet.
        batch: pictures at a time.
    """
    with _rounding(aware, []):
        for start in range(0, len(images), batch):
            aware(images[start : start + batch].astype(np.float32), training=True)


def sensitivity(aware: keras.Model, images: np.ndarray) -> list[tuple[str, float]]:
    """Say what rounding each part of the network costs when nothing else is rounded.

    Args:
        aware: what `quantisation_aware` returned, its ranges set.
        images: uint8 (N, H, W, 3).

    Returns:
        (layer, mean absolute difference of the mask) for every kernel and every stored result,
        the most sensitive first.
    """
    pictures = images.astype(np.float32)
    with _rounding(aware, []):
        exact = aware(pictures, training=False).numpy()
    costs = []
    for layer in _rounding_layers(aware):
        with _rounding(aware, [layer]):
            masks = aware(pictures, training=False).numpy()
        costs.append((layer.name, float(np.abs(masks - exact).mean())))
    return sorted(costs, key=lambda cost: -cost[1])


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


def _fused(behind: list[layers.Layer]) -> bool:
    """Whether a result is never stored, since the ReLU that alone reads it is one with it."""
    return len(behind) == 1 and isinstance(behind[0], layers.ReLU)


def _limits(layer: layers.Layer) -> tuple[float, float] | None:
    if isinstance(layer, layers.Activation):
        return (0.0, 255 / 256)  # int8 LOGISTIC allows no other
    if isinstance(layer, layers.Rescaling):
        return (layer.offset, 255 * layer.scale + layer.offset)
    return None


def _check_layers(model: keras.Model) -> None:
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
