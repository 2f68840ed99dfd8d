"""The blocks that every network of the book is made of.

A block takes a Keras tensor (batch, height, width, channels) and returns one. Convolutions that a
BatchNorm follows have no bias: the BatchNorm's shift does its work.

Chapter: MobileNet-UNet design.
"""

from keras import KerasTensor, layers


def round_channels(channels: float, step: int = 8) -> int:
    """Round to the nearest multiple of `step`, never more than 10 % down (MobileNetV2's rule).

    Multiples of 8 keep SIMD lanes and the 4-channel slices of a GPU full.
    """
    rounded = max(step, int(channels + step / 2) // step * step)
    return rounded if rounded >= 0.9 * channels else rounded + step


def normalise(x: KerasTensor, name: str, momentum: float, act: str | None = "relu6") -> KerasTensor:
    """BatchNorm, then the activation `act`, or none."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=f"{name}_bn")(x)
    if act == "relu6":
        return layers.ReLU(6.0, name=f"{name}_relu")(x)
    return layers.Activation(act, name=f"{name}_{act}")(x) if act else x


def conv(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    kernel: int = 1,
    stride: int = 1,
    act: str | None = "relu6",
    padding: str = "same",
) -> KerasTensor:
    """Convolution, BatchNorm, activation."""
    x = layers.Conv2D(
        channels, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv"
    )(x)
    return normalise(x, name, momentum, act)


def separable(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    stride: int = 1,
    padding: str = "same",
) -> KerasTensor:
    """Depthwise 3x3, then pointwise 1x1: MobileNet V1's block (Howard et al., 2017)."""
    x = layers.DepthwiseConv2D(3, stride, padding, use_bias=False, name=f"{name}_dw")(x)
    x = normalise(x, f"{name}_dw", momentum)
    return conv(x, channels, name, momentum)


def inverted_residual(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    stride: int = 1,
    expand: float = 6,
    kernel: int = 3,
    inner: float = 1.0,
    act: str = "relu6",
    squeeze: bool = False,
) -> tuple[KerasTensor, KerasTensor]:
    """Expand 1x1, depthwise, project 1x1: MobileNet V2's block (Sandler et al., 2018).

    Args:
        x: (batch, height, width, channels).
        channels: of the output.
        name: start of the layers' names.
        momentum: of every BatchNorm.
        stride: of the depthwise convolution.
        expand: how many times as wide the block is inside; 1 leaves the first convolution out.
        kernel: side of the depthwise kernel.
        inner: fraction of the expanded channels that is built, rounded to a multiple of 8.
        act: activation behind the first two convolutions.
        squeeze: weigh the expanded channels by what the whole map holds.

    Returns:
        (block output, the expanded features before the stride: what a decoder takes as a skip).
    """
    inputs = expanded = x
    if expand > 1:
        width = round_channels(expand * x.shape[-1] * inner)
        x = expanded = conv(x, width, f"{name}_expand", momentum, act=act)
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_dw")(x)
    x = normalise(x, f"{name}_dw", momentum, act)
    if squeeze:
        x = squeeze_excite(x, f"{name}_se")
    x = conv(x, channels, f"{name}_project", momentum, act=None)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x, expanded


def squeeze_excite(x: KerasTensor, name: str) -> KerasTensor:
    """Weigh every channel by a factor in 0..1 that is read off the mean map (Hu et al., 2018)."""
    channels = x.shape[-1]
    factor = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    middle = round_channels(channels / 4)
    factor = layers.Conv2D(middle, 1, activation="relu", name=f"{name}_squeeze")(factor)
    factor = layers.Conv2D(channels, 1, activation="hard_sigmoid", name=f"{name}_excite")(factor)
    return layers.Multiply(name=f"{name}_scale")([x, factor])
