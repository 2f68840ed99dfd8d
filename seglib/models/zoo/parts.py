"""What the older networks share: value scaling, convolutions padded all round, enlargement.

Chapter: the architecture zoo.
"""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from seglib.errors import SeglibError

# value * factor + offset, per channel in the order R, G, B; the scalings the networks were
# trained with, so that the cost of mixing them up can be measured.
SCALINGS: dict[str, tuple[Any, Any]] = {
    "unit": (1 / 255, 0.0),
    "symmetric": (1 / 127.5, -1.0),
    # akirasosa's statistics of LFW: one mean for all channels.
    "hair": (
        tuple(1 / std for std in (69.883, 63.374, 61.386)),
        tuple(-29.244 / std for std in (69.883, 63.374, 61.386)),
    ),
    # anilsathyan7's training: standardised by statistics meant for 0..1, and then divided by 255.
    "portrait": (
        tuple(1 / (255 * std) for std in (0.289, 0.278, 0.286)),
        tuple(
            -mean / (255 * std)
            for mean, std in zip((0.507, 0.477, 0.446), (0.289, 0.278, 0.286), strict=True)
        ),
    ),
    # lizhengwei1992's means 104, 112, 121 were in the order B, G, R.
    "centred": (1 / 255, tuple(-mean / 255 for mean in (121, 112, 104))),
}


def scaled_input(
    size: int, multiple: int, scaling: str, bn_momentum: float, dropout: float = 0.0, **positive
) -> tuple[KerasTensor, KerasTensor]:
    """Return the input "image" of a network and its scaled values; check the usual options.

    Args:
        size: side in pixels.
        multiple: what the side must be a multiple of.
        scaling: a key of `SCALINGS`.
        bn_momentum: from 0 to below 1.
        dropout: from 0 to below 1.
        positive: options that must be above 0.
    """
    if size < multiple or size % multiple:
        raise SeglibError(
            f"size is {size}; use a multiple of {multiple}, such as {4 * multiple}, for this "
            "network"
        )
    check_choice("scaling", scaling, SCALINGS)
    for option, value in positive.items():
        if value <= 0:
            raise SeglibError(f"{option} is {value}; use a number above 0")
    for option, value in (("bn_momentum", bn_momentum), ("dropout", dropout)):
        if not 0 <= value < 1:
            raise SeglibError(f"{option} is {value}; use a number from 0 to below 1")
    image = keras.Input((size, size, 3), name="image", dtype="float32")
    factor, offset = SCALINGS[scaling]
    return image, layers.Rescaling(factor, offset, name="rescale")(image)


def check_choice(option: str, value: object, allowed: Collection[str]) -> None:
    """Raise SeglibError unless an option has one of its allowed values."""
    if value not in allowed:
        raise SeglibError(f"{option} is {value!r}; use one of {', '.join(allowed)}")


def probability(logits: KerasTensor) -> KerasTensor:
    """The sigmoid named "mask", computed in float32 under any precision policy."""
    return layers.Activation("sigmoid", name="mask", dtype="float32")(logits)


def pad(x: KerasTensor, name: str, kernel: int = 3) -> KerasTensor:
    """Zeros on all four sides, so that a "valid" convolution of stride 2 halves an even side.

    It must pad one row and one column for a 3x3 kernel. "same" pads below and on the right, and so
    does `keras.applications`. PyTorch's habit, and that of the first Keras ports of MobileNet, pads
    all round: the convolution then looks one pixel further up and left. Numbers of weights agree,
    trained weights do not.
    """
    return layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)


def conv(
    x: KerasTensor, channels: int, name: str, kernel: int = 3, stride: int = 1, **options: Any
) -> KerasTensor:
    """A convolution as PyTorch pads it; no bias and Glorot's start, unless options say else."""
    padding = "same"
    if stride > 1 and kernel > 1:
        x, padding = pad(x, name, kernel), "valid"
    options = {"use_bias": False, "kernel_initializer": "glorot_normal", **options}
    return layers.Conv2D(channels, kernel, stride, padding=padding, name=name, **options)(x)


def depthwise(x: KerasTensor, name: str, stride: int, pad_name: str, **options: Any) -> KerasTensor:
    """A 3x3 depthwise convolution as PyTorch pads it, named "`name`_dw"."""
    padding = "same"
    if stride == 2:
        x, padding = pad(x, pad_name), "valid"
    return layers.DepthwiseConv2D(3, stride, padding=padding, name=f"{name}_dw", **options)(x)


def norm_act(
    x: KerasTensor, name: str, momentum: float, act: str | None = None, epsilon: float = 1e-5
) -> KerasTensor:
    """BatchNorm, then `act`: "relu", "relu6", "prelu", "leaky_relu" or None for none."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_bn")(x)
    return activate(x, name, act)


def activate(x: KerasTensor, name: str, act: str | None) -> KerasTensor:
    """Apply an activation by name; a PReLU learns one slope per channel, from 0.25 on."""
    if act is None:
        return x
    if act == "prelu":
        return prelu(f"{name}_prelu")(x)
    if act == "leaky_relu":
        return layers.LeakyReLU(negative_slope=0.3, name=f"{name}_leaky")(x)
    return layers.ReLU(6.0 if act == "relu6" else None, name=f"{name}_relu")(x)


def dense_block(
    x: KerasTensor,
    thin: int,
    name: str,
    dilations: Collection[int],
    momentum: float,
    act: str,
    norms: bool = True,
) -> KerasTensor:
    """A 1x1 convolution to `thin` channels and 3x3 ones that see all before them, plus the input.

    There must be so many `dilations` that their channels and the first `thin` make the input's.
    """
    inputs, x = x, conv(x, thin, f"{name}_reduce", kernel=1)
    for step, dilation in enumerate(dilations):
        part = f"{name}_step{step}"
        new = conv(x, thin, f"{part}_conv", dilation_rate=dilation)
        new = norm_act(new, part, momentum) if norms else new
        x = layers.Concatenate(name=f"{part}_join")([x, activate(new, part, "relu")])
    x = layers.Add(name=f"{name}_add")([x, inputs])
    return norm_act(x, name, momentum, act)


def prelu(name: str) -> layers.PReLU:
    """A PReLU layer with one slope per channel, from 0.25 on."""
    # Without shared_axes Keras learns a slope for every pixel.
    start = keras.initializers.Constant(0.25)
    return layers.PReLU(alpha_initializer=start, shared_axes=[1, 2], name=name)


def nearest(x: KerasTensor, name: str, dtype: str | None = None) -> KerasTensor:
    """Repeat every pixel twice along the rows and the columns."""
    # UpSampling2D does the same, but becomes reshaping and tiling in a .tflite, not one operation.
    height, width = x.shape[1:3]
    return layers.Resizing(2 * height, 2 * width, "nearest", name=name, dtype=dtype)(x)


def average_pool(x: KerasTensor, name: str) -> KerasTensor:
    """Mean of 3x3 at stride 2, zeros around the map counted in."""
    return layers.AveragePooling2D(3, 2, name=name)(pad(x, name))


@keras.saving.register_keras_serializable(package="seglib")
class Channels(layers.Layer):
    """The channels `start` to `stop` (exclusive) of a map."""

    def __init__(self, start: int, stop: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, x: KerasTensor) -> KerasTensor:
        """Cut the channels out."""
        return x[..., self.start : self.stop]


@keras.saving.register_keras_serializable(package="seglib")
class LowPadding2D(layers.Layer):
    """One row and column all round that no maximum ever picks."""

    def call(self, x: KerasTensor) -> KerasTensor:
        """Pad with the lowest number that float16 also holds."""
        return ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-65504.0)


@keras.saving.register_keras_serializable(package="seglib")
class Resize(layers.Layer):
    """Enlarge (batch, height, width, channels) bilinearly by a convention that Keras has not.

    Enlarging n pixels to N, output pixel j reads the input at position

    - j * (n - 1) / (N - 1): "corners", PyTorch's `align_corners=True`; first and last pixels meet;
    - j * n / N: "tf1", TensorFlow 1's default; the image shifts up and left by half a pixel;
    - (j + 1/2) * n / N - 1/2: half-pixel centres, `UpSampling2D`, today's habit everywhere.

    A network trained by one and run by another puts the mask beside the person.
    """

    def __init__(self, factor: int, convention: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, self.convention = factor, convention

    def call(self, x: KerasTensor) -> KerasTensor:
        """Mix two neighbours along the rows, then along the columns."""
        # Two neighbours are gathered rather than a matrix multiplied: the work then grows with
        # the pixels and not with their number times the side.
        for axis in (1, 2):
            side = x.shape[axis]
            pixels = np.arange(side * self.factor)
            if self.convention == "corners":
                position = pixels * (side - 1) / max(len(pixels) - 1, 1)
            else:
                position = np.minimum(pixels / self.factor, side - 1)
            low = np.floor(position).astype("int32")
            high = np.minimum(low + 1, side - 1)
            # One number for each row, or for each column.
            fraction = (position - low).astype("float32").reshape(-1, *[1] * (3 - axis))
            f = ops.cast(fraction, x.dtype)
            x = ops.take(x, low, axis=axis) * (1 - f) + ops.take(x, high, axis=axis) * f
        return x
