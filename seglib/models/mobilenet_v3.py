"""MobileNet V3: inverted residuals with squeeze-and-excitation and the hard-swish activation.

Howard et al., 2019, "Searching for MobileNetV3", tables 1 and 2. A search chose the width of every
block, so the tables below follow no rule. Two ideas are new against V2: some blocks weigh their
channels by what the whole map holds (squeeze-and-excitation, Hu et al., 2018), and the deeper half
of the network uses hard-swish, x * relu6(x + 3) / 6, in place of ReLU.

Chapter: MobileNet-UNet design.
"""

from keras import KerasTensor, layers

from seglib.models import blocks

# (expanded width / input width, channels at width 1, kernel, stride, squeeze, hard-swish)
V3_SMALL = [
    (1, 16, 3, 2, True, False),
    (72 / 16, 24, 3, 2, False, False),
    (88 / 24, 24, 3, 1, False, False),
    (4, 40, 5, 2, True, True),
    (6, 40, 5, 1, True, True),
    (6, 40, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (3, 48, 5, 1, True, True),
    (6, 96, 5, 2, True, True),
    (6, 96, 5, 1, True, True),
    (6, 96, 5, 1, True, True),
]
V3_LARGE = [
    (1, 16, 3, 1, False, False),
    (4, 24, 3, 2, False, False),
    (3, 24, 3, 1, False, False),
    (3, 40, 5, 2, True, False),
    (3, 40, 5, 1, True, False),
    (3, 40, 5, 1, True, False),
    (6, 80, 3, 2, False, True),
    (2.5, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (2.3, 80, 3, 1, False, True),
    (6, 112, 3, 1, True, True),
    (6, 112, 3, 1, True, True),
    (6, 160, 5, 2, True, True),
    (6, 160, 5, 1, True, True),
    (6, 160, 5, 1, True, True),
]


def mobilenet_v3_small(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """MobileNet V3 small without its classifier: five maps, finest first, expanded skips."""
    return _encoder(x, V3_SMALL, width, momentum)


def mobilenet_v3_large(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """MobileNet V3 large without its classifier: five maps, finest first, expanded skips."""
    return _encoder(x, V3_LARGE, width, momentum)


def _encoder(x: KerasTensor, table: list, width: float, momentum: float) -> list[KerasTensor]:
    # The stem keeps its 16 channels at every width, as in the published networks.
    x = _conv(x, 16, "stem", momentum, "hard_silu", kernel=3, stride=2)
    maps = []
    for index, (expansion, channels, kernel, stride, squeeze, hard) in enumerate(table):
        name, act = f"block{index}", "hard_silu" if hard else "relu"
        inputs, width_in = x, x.shape[-1]
        if index:
            x = _conv(
                x, blocks.round_channels(width_in * expansion), f"{name}_expand", momentum, act
            )
        if stride == 2:
            maps.append(x)
        x = layers.DepthwiseConv2D(
            kernel, stride, padding="same", use_bias=False, name=f"{name}_dw"
        )(x)
        x = _activate(blocks.normalise(x, f"{name}_dw", momentum, act=False), f"{name}_dw", act)
        if squeeze:
            x = squeeze_excite(x, f"{name}_se")
        channels = blocks.round_channels(channels * width)
        x = blocks.conv(x, channels, f"{name}_project", momentum, act=False)
        if stride == 1 and width_in == channels:
            x = layers.Add(name=f"{name}_add")([inputs, x])
    return [*maps, x]


def squeeze_excite(x: KerasTensor, name: str, ratio: float = 0.25) -> KerasTensor:
    """Weigh every channel by a factor in 0..1 that two small layers read off the mean map.

    Args:
        x: (batch, height, width, channels).
        name: start of the layers' names.
        ratio: width of the middle layer, as a share of the channels.
    """
    channels = x.shape[-1]
    factor = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    middle = blocks.round_channels(channels * ratio)
    factor = layers.Conv2D(middle, 1, activation="relu", name=f"{name}_squeeze")(factor)
    factor = layers.Conv2D(channels, 1, activation="hard_sigmoid", name=f"{name}_excite")(factor)
    return layers.Multiply(name=f"{name}_scale")([x, factor])


def _conv(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    act: str,
    kernel: int = 1,
    stride: int = 1,
) -> KerasTensor:
    x = blocks.conv(x, channels, name, momentum, kernel, stride, act=False)
    return _activate(x, name, act)


def _activate(x: KerasTensor, name: str, act: str) -> KerasTensor:
    return layers.Activation(act, name=f"{name}_{act}")(x)
