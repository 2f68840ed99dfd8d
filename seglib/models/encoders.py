"""The encoders: MobileNet V1, V2, V3 and EfficientNet-Lite0.

Each takes the rescaled image and returns five maps, finest first: 1/2, 1/4, 1/8, 1/16 and 1/32 of
the input's side. They are built here rather than taken from `keras.applications` because a network
trained from scratch needs another BatchNorm momentum, and a reader needs to see the blocks.

Chapter: MobileNet-UNet design.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import keras
from keras import KerasTensor

from seglib.errors import SeglibError
from seglib.models import blocks

# (channels at width 1, stride) of each separable block; Howard et al., 2017, table 1.
V1_BLOCKS = (
    [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    + [(512, 1)] * 5
    + [(1024, 2), (1024, 1)]
)
# (expansion, channels at width 1, repeats, first stride); Sandler et al., 2018, table 2.
V2_STAGES = [
    *[(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)],
    *[(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)],
]
# (expansion, channels at width 1, kernel, stride, squeeze, hard-swish); Howard et al., 2019, tables
# 1 and 2. A search chose every width: there is no rule.
V3_SMALL = [
    *[(1, 16, 3, 2, True, False), (72 / 16, 24, 3, 2, False, False)],
    *[(88 / 24, 24, 3, 1, False, False), (4, 40, 5, 2, True, True)],
    *[(6, 40, 5, 1, True, True)] * 2,
    *[(3, 48, 5, 1, True, True)] * 2,
    *[(6, 96, 5, 2, True, True), *[(6, 96, 5, 1, True, True)] * 2],
]
V3_LARGE = [
    *[(1, 16, 3, 1, False, False), (4, 24, 3, 2, False, False), (3, 24, 3, 1, False, False)],
    *[(3, 40, 5, 2, True, False), *[(3, 40, 5, 1, True, False)] * 2],
    *[(6, 80, 3, 2, False, True), (2.5, 80, 3, 1, False, True)],
    *[(2.3, 80, 3, 1, False, True)] * 2,
    *[(6, 112, 3, 1, True, True)] * 2,
    *[(6, 160, 5, 2, True, True), *[(6, 160, 5, 1, True, True)] * 2],
]
# (kernel, stride, expansion, channels) of every block; Tan and Le, 2019, in the Lite edition.
LITE0_BLOCKS = [
    (3, 1, 1, 16),
    *[(3, 2, 6, 24), (3, 1, 6, 24)],
    *[(5, 2, 6, 40), (5, 1, 6, 40)],
    *[(3, 2, 6, 80), *[(3, 1, 6, 80)] * 2],
    *[(5, 1, 6, 112)] * 3,
    *[(5, 2, 6, 192), *[(5, 1, 6, 192)] * 3],
    (3, 1, 6, 320),
]
SHORT = (0, 1, 3, 5, 6, 8, 9, 11, 12)
"""The blocks of the short edition, as fast as MobileNet V2 at half width.

The last block only widened the map for the classifier; each other one that is left out has a
shortcut around it, so it only added to its input."""


def mobilenet_v1(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """MobileNet V1 without its classifier; every skip is the last map of its resolution."""
    x = blocks.conv(x, blocks.round_channels(32 * width), "stem", momentum, kernel=3, stride=2)
    maps = []
    for index, (channels, stride) in enumerate(V1_BLOCKS, start=1):
        if stride == 2:
            maps.append(x)
        channels = blocks.round_channels(channels * width)
        x = blocks.separable(x, channels, f"block{index}", momentum, stride)
    return [*maps, x]


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
        for stride in [first_stride] + [1] * (repeats - 1):
            name = f"block{index}"
            x, expanded = blocks.inverted_residual(x, channels, name, momentum, stride, expand)
            if stride == 2:
                maps.append(expanded)
            index += 1
    return [*maps, x]


def mobilenet_v3(
    x: KerasTensor, width: float, momentum: float, table: Sequence[tuple] = V3_SMALL
) -> list[KerasTensor]:
    """MobileNet V3 without its classifier; the skips are the expanded maps."""
    # The stem keeps its 16 channels at every width, as in the published networks.
    x = blocks.conv(x, 16, "stem", momentum, kernel=3, stride=2, act="hard_silu")
    maps = []
    for index, (expand, channels, kernel, stride, squeeze, hard) in enumerate(table):
        channels, act = blocks.round_channels(channels * width), "hard_silu" if hard else "relu"
        x, expanded = blocks.inverted_residual(
            x, channels, f"block{index}", momentum, stride, expand, kernel, 1.0, act, squeeze
        )
        if stride == 2:
            maps.append(expanded)
    return [*maps, x]


def efficientnet_lite0(
    x: KerasTensor,
    width: float,
    momentum: float,
    chosen: Sequence[int] = range(len(LITE0_BLOCKS)),
) -> list[KerasTensor]:
    """EfficientNet-Lite0 without its classifier; every skip is the last map of its resolution.

    The Lite edition (Liu, 2020) has ReLU6 for swish and no squeeze-and-excitation, so that int8
    and GPU delegates run all of it. `width` keeps that fraction of the channels *inside* each
    block; what a block hands on has its published width, so that the ImageNet weights fit what is
    left. `chosen` are the blocks that are built.
    """
    # The stem keeps its 32 channels at every width, as in the Lite editions.
    x = blocks.conv(x, 32, "stem", momentum, kernel=3, stride=2)
    maps = []
    for index in chosen:
        kernel, stride, expand, channels = LITE0_BLOCKS[index]
        if stride == 2:
            maps.append(x)
        name = f"block{index}"
        x, _ = blocks.inverted_residual(x, channels, name, momentum, stride, expand, kernel, width)
    return [*maps, x]


ENCODERS = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_small": mobilenet_v3,
    "mobilenet_v3_large": partial(mobilenet_v3, table=V3_LARGE),
    "efficientnet_lite0": efficientnet_lite0,
    "efficientnet_lite0_short": partial(efficientnet_lite0, chosen=SHORT),
}
WEIGHT_SOURCES: dict[str, Callable[..., Iterable[tuple[str, Sequence]]]] = {}
"""By encoder: function of (network, source, encoder, width) to pairs of a layer's name and its
weights. `seglib.models.imagenet` fills it."""


def load_encoder_weights(
    model: keras.Model,
    source: str | Path,
    encoder: str = "mobilenet_v2",
    width: float = 0.5,
) -> int:
    """Fill the encoder of a network with published weights.

    Args:
        model: a network whose encoder is one of `ENCODERS`; blocks which it leaves out are left
            out here.
        source: "imagenet" (downloaded once) or a file; see `seglib.models.imagenet`.
        encoder: a key of `ENCODERS`.
        width: the encoder's width, MobileNet's alpha.

    Returns:
        The number of layers that were filled.
    """
    if encoder not in WEIGHT_SOURCES:
        known = ", ".join(WEIGHT_SOURCES) or "none: seglib.models.imagenet is missing"
        raise SeglibError(f"encoder is {encoder!r}; weights are known for {known}")
    ours, moves = {layer.name: layer for layer in model.layers}, []
    for name, weights in WEIGHT_SOURCES[encoder](model, source, encoder, width):
        if name not in ours:
            continue
        if [w.shape for w in weights] != [tuple(w.shape) for w in ours[name].weights]:
            raise SeglibError(
                f"the weights of {source} do not fit {model.name} at the layer {name}; give those "
                f"of {encoder} at width {width}"
            )
        moves.append((ours[name], weights))
    if not moves:
        raise SeglibError(f"{model.name} has no encoder {encoder}; choose a network that has")
    for layer, weights in moves:
        layer.set_weights(weights)
    return len(moves)
