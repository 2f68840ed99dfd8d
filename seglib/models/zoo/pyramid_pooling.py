"""A PSPNet-like head on MobileNet V2: context from means over the whole, halves, thirds, sixths.

mobile-semantic-segmentation (akirasosa) reports that a PSPNet-like network was tried without
success, and shows no code. This one is our own, in the proportions of a phone: the encoder to 1/16
of the side, the four poolings of Zhao et al., 2017, "Pyramid Scene Parsing Network", one
convolution at 1/16, and a bilinear enlargement of the single score map. There is no skip, so its
edges are as coarse as that map: what a comparison with the U-Nets should show.

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models import blocks
from seglib.models.encoders import mobilenet_v2
from seglib.models.zoo import parts

BINS = (1, 2, 3, 6)


def pyramid_pooling(
    size: int = 192,
    width: float = 0.5,
    channels: int = 96,
    dropout: float = 0.1,
    scaling: str = "symmetric",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 96: the map at 1/16 must divide into sixths.
        width: factor on the encoder's channels.
        channels: channels of the convolution after the pooling; each pooling keeps a quarter.
        dropout: rate before the last convolution, 0 to < 1; acts in training only.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_positive(width=width, channels=channels)
    parts.check_share(bn_momentum=bn_momentum, dropout=dropout)
    image, x = parts.picture(size, 96, scaling)
    # The stage of 160 channels would halve the map once more; the ones before it are enough.
    x = mobilenet_v2(x, width, bn_momentum, stages=5)[-1]
    views = [x]
    for bins in BINS:
        views.append(_view(x, bins, max(channels // len(BINS), 1), bn_momentum))
    x = layers.Concatenate(name="views")(views)
    x = blocks.separable(x, channels, "mix", bn_momentum)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(1, 1, name="logits", dtype="float32")(x)
    x = layers.UpSampling2D(16, interpolation="bilinear", name="to_full_size", dtype="float32")(x)
    return keras.Model(image, parts.probability(x), name="pyramid_pooling")


def _view(x: KerasTensor, bins: int, channels: int, momentum: float) -> KerasTensor:
    """Means over bins x bins fields, mixed and enlarged back to the map's side."""
    name, side = f"view{bins}", x.shape[1]
    x = layers.AveragePooling2D(side // bins, name=f"{name}_pool")(x)
    x = blocks.conv(x, channels, name, momentum)
    return layers.UpSampling2D(side // bins, interpolation="bilinear", name=f"{name}_resize")(x)
