"""The four blocks every network of the book is made of.

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


def normalise(x: KerasTensor, name: str, momentum: float, act: bool = True) -> KerasTensor:
    """BatchNorm, then ReLU6 unless `act` is false."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if act else x


def conv(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    kernel: int = 1,
    stride: int = 1,
    act: bool = True,
    symmetric: bool = False,
) -> KerasTensor:
    """Convolution + BatchNorm (+ ReLU6); `symmetric` as in `pad`."""
    x, padding = pad(x, kernel, stride, name, symmetric)
    x = layers.Conv2D(
        channels, kernel, stride, padding=padding, use_bias=False, name=f"{name}_conv"
    )(x)
    return normalise(x, name, momentum, act)


def pad(
    x: KerasTensor, kernel: int, stride: int, name: str, symmetric: bool
) -> tuple[KerasTensor, str]:
    """Return the map and the padding with which to convolve it.

    On a map of even side, a 3x3 convolution of stride 2 must pad one row and one column. "same"
    pads below and on the right, and so does `keras.applications`. PyTorch's habit, and that of the
    first Keras ports of MobileNet, pads one on all four sides (`symmetric`): the convolution then
    looks one pixel further up and left. Numbers of weights agree, trained weights do not.
    """
    if not symmetric or stride == 1 or kernel == 1:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"


def separable(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    stride: int = 1,
    symmetric: bool = False,
) -> KerasTensor:
    """Depthwise 3x3, then pointwise 1x1: MobileNet V1's block (Howard et al., 2017).

    `symmetric` as in `pad`.
    """
    x, padding = pad(x, 3, stride, f"{name}_dw", symmetric)
    x = layers.DepthwiseConv2D(3, stride, padding=padding, use_bias=False, name=f"{name}_dw")(x)
    x = normalise(x, f"{name}_dw", momentum)
    return conv(x, channels, name, momentum)


def inverted_residual(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    stride: int = 1,
    expand: int = 6,
    kernel: int = 3,
    inner: float = 1.0,
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
        inner: share of the expanded channels that the block has; rounded to a multiple of 8.

    Returns:
        (block output, the expanded features before the stride: what a decoder takes as a skip).
    """
    inputs, expanded = x, x
    if expand > 1:
        width = round_channels(expand * x.shape[-1] * inner)
        x = expanded = conv(x, width, f"{name}_expand", momentum)
    x = layers.DepthwiseConv2D(kernel, stride, padding="same", use_bias=False, name=f"{name}_dw")(x)
    x = normalise(x, f"{name}_dw", momentum)
    x = conv(x, channels, f"{name}_project", momentum, act=False)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x, expanded
