"""MobileNet encoders that hand a decoder one feature map per resolution.

Each encoder takes the rescaled image and returns five maps, finest first: 1/2, 1/4, 1/8, 1/16 and
1/32 of the input's side. They are built here rather than taken from `keras.applications` because a
network trained from scratch needs another BatchNorm momentum, and a reader needs to see the blocks.

Chapter: MobileNet-UNet design.
"""

from keras import KerasTensor

from seglib.models import blocks
from seglib.models.efficientnet_lite import efficientnet_lite0, efficientnet_lite0_short
from seglib.models.mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small

# (channels at width 1, stride) of each separable block; Howard et al., 2017, table 1.
V1_BLOCKS = (
    [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    + [(512, 1)] * 5
    + [(1024, 2), (1024, 1)]
)
# (expansion, channels at width 1, repeats, first stride); Sandler et al., 2018, table 2.
V2_STAGES = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
]


# The blocks after which the next one halves the map, and the last block of all.
V1_LAST_OF_RESOLUTION = (1, 3, 5, 11, 13)


def v1_blocks(
    x: KerasTensor, width: float, momentum: float, last: int = 13, symmetric: bool = False
) -> list[KerasTensor]:
    """MobileNet V1 to block `last`: the outputs of the stem (index 0) and of every block.

    `symmetric` as in `blocks.pad`.
    """
    channels = blocks.round_channels(32 * width)
    x = blocks.conv(x, channels, "stem", momentum, kernel=3, stride=2, symmetric=symmetric)
    outputs = [x]
    for index, (channels, stride) in enumerate(V1_BLOCKS[:last], start=1):
        channels = blocks.round_channels(channels * width)
        x = blocks.separable(x, channels, f"block{index}", momentum, stride, symmetric)
        outputs.append(x)
    return outputs


def mobilenet_v1(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """MobileNet V1 without its classifier; every skip is the last map of its resolution."""
    outputs = v1_blocks(x, width, momentum)
    return [outputs[index] for index in V1_LAST_OF_RESOLUTION]


def mobilenet_v2(
    x: KerasTensor, width: float, momentum: float, stages: int = len(V2_STAGES)
) -> list[KerasTensor]:
    """MobileNet V2 without its classifier; the skips are the expanded maps, six times as wide.

    `stages` below 7 stops early: 5 leaves out the map at 1/32.
    """
    x = blocks.conv(x, blocks.round_channels(32 * width), "stem", momentum, kernel=3, stride=2)
    maps, index = [], 0
    for expand, channels, repeats, first_stride in V2_STAGES[:stages]:
        channels = blocks.round_channels(channels * width)
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x, expanded = blocks.inverted_residual(
                x, channels, f"block{index}", momentum, stride, expand
            )
            if stride == 2:
                maps.append(expanded)
            index += 1
    return [*maps, x]


ENCODERS = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3_small,
    "mobilenet_v3_large": mobilenet_v3_large,
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_lite0_short": efficientnet_lite0_short,
}
