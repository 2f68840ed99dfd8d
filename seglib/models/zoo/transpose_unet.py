"""Hair, 2017: MobileNet V1 and a decoder of transposed convolutions, each with its own width.

Architecture of the Keras "MobileUNet" of mobile-semantic-segmentation (akirasosa, MIT), from its
facts. 5,702,505 weights in all and 300.7 million multiplications at 128 pixels for width 1 and
up_width 0.25.

Kept although odd: two skips at half the side (the stem's and the first block's), `up_width`
multiplies channels that `width` has multiplied already, and the last enlargement follows TensorFlow
1's convention.
Different here: at widths whose channels are no multiples of eight, the encoder rounds to them.

Chapter: the architecture zoo.
"""

import keras
from keras import layers

from seglib.models import blocks
from seglib.models.encoders import v1_blocks
from seglib.models.zoo import parts
from seglib.models.zoo.resize import Resize


def transpose_unet(
    size: int = 128,
    width: float = 1.0,
    up_width: float = 0.25,
    scaling: str = "hair",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        width: factor on the channels of the encoder and of the transposed convolutions.
        up_width: further factor on the decoder's other convolutions.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_positive(width=width, up_width=up_width)
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 32, scaling)
    outputs = v1_blocks(x, width, bn_momentum)
    x = outputs[13]
    for level, (skip, base) in enumerate(((11, 512), (5, 256), (3, 128), (1, 64))):
        channels = max(int(base * width), 1)
        x = layers.Conv2DTranspose(channels, 2, 2, padding="same", name=f"up{level}_transpose")(x)
        x = layers.Concatenate(name=f"up{level}_join")([x, outputs[skip]])
        x = blocks.separable(x, max(int(channels * up_width), 1), f"up{level}", bn_momentum)
    x = layers.Concatenate(name="up4_join")([x, outputs[0]])
    x = blocks.conv(x, max(int(int(32 * width) * up_width), 1), "up4", bn_momentum, kernel=3)
    x = layers.Conv2D(1, 1, kernel_initializer="he_normal", name="logits")(x)
    x = Resize(2, "tf1", name="to_full_size")(x)
    return keras.Model(image, parts.probability(x), name="transpose_unet")
