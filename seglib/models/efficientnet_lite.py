"""EfficientNet-Lite0: inverted residuals, some with 5x5 kernels, and nothing a phone dislikes.

Tan and Le, 2019, found the blocks; the Lite edition (Liu, 2020) replaces swish by ReLU6 and leaves
squeeze-and-excitation out, so that int8 and GPU delegates run all of it. Whole, the encoder takes
several times as long as our MobileNet V2 at half width. Two cuts make it as fast, and its ImageNet
weights still fit what is left: `width` keeps that share of the channels *inside* each block, and
the short edition keeps nine of the sixteen blocks. What a block hands on has its published width
throughout. Of the blocks that are left out, the last only widened the map for the classifier, and
each other one has a shortcut around it: it added to its input.

Chapter: MobileNet-UNet design.
"""

from collections.abc import Sequence

from keras import KerasTensor

from seglib.models import blocks

# (kernel, stride, expansion, channels) of every block.
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
"""The blocks of the short edition: the first of every stage but the last, and three more."""


def efficientnet_lite0(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """EfficientNet-Lite0 without its classifier; every skip is the last map of its resolution."""
    return _encoder(x, range(len(LITE0_BLOCKS)), width, momentum)


def efficientnet_lite0_short(x: KerasTensor, width: float, momentum: float) -> list[KerasTensor]:
    """Nine of the sixteen blocks; every skip is the last map of its resolution."""
    return _encoder(x, SHORT, width, momentum)


def _encoder(
    x: KerasTensor, chosen: Sequence[int], width: float, momentum: float
) -> list[KerasTensor]:
    # The stem keeps its 32 channels at every width, as in the Lite editions.
    x = blocks.conv(x, 32, "stem", momentum, kernel=3, stride=2)
    maps = []
    for index in chosen:
        kernel, stride, expand, channels = LITE0_BLOCKS[index]
        if stride == 2:
            maps.append(x)
        x, _ = blocks.inverted_residual(
            x, channels, f"block{index}", momentum, stride, expand, kernel, width
        )
    return [*maps, x]
