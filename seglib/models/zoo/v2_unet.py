"""Portrait, 2019: MobileNet V2 at half width and a wide decoder, transposed or bilinear.

Architecture of Portrait-Segmentation (anilsathyan7, MIT), from its facts. 3,648,561 weights in all
with either decoder; 526 (transposed) or 2,020 (bilinear) million multiplications at 128 pixels:
the same kernel runs over four times as many pixels when the map is enlarged before it.

Kept although odd: dropout between BatchNorm and ReLU, a bias before every BatchNorm of the decoder
(992 numbers that nothing can learn), a transposed 1x1 convolution as the head.
Different here: the mask is not flattened (`seglib.export` does that), and the values are scaled to
0..1, as the project's inference did; its training scaled by about 1/74 ("portrait").

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models.encoders import mobilenet_v2
from seglib.models.zoo import parts

DECODERS = ("transpose", "bilinear")


def v2_unet(
    size: int = 128,
    width: float = 0.5,
    decoder: str = "transpose",
    dropout: float = 0.5,
    scaling: str = "unit",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        width: factor on the encoder's channels.
        decoder: "transpose" (3x3, stride 2) or "bilinear" (enlarge, then 3x3).
        dropout: rate in the decoder, 0 to < 1; acts in training only.
        scaling: a key of `parts.SCALINGS`; ImageNet weights expect "symmetric".
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_positive(width=width)
    parts.check_share(bn_momentum=bn_momentum, dropout=dropout)
    parts.check_choice("decoder", decoder, DECODERS)
    image, x = parts.picture(size, 32, scaling)
    *skips, x = mobilenet_v2(x, width, bn_momentum)
    for level, channels in enumerate((512, 256, 128, 64, 32)):
        name = f"up{level}"
        x = _double(x, channels, name, decoder)
        x = parts.norm_act(x, name, bn_momentum, epsilon=1e-3)
        # The last level has no skip and no dropout.
        if skips:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = parts.activate(x, name, "relu")
        if skips:
            x = layers.Concatenate(name=f"{name}_join")([x, skips.pop()])
    x = layers.Conv2DTranspose(1, 1, name="logits")(x)
    return keras.Model(image, parts.probability(x), name=f"v2_unet_{decoder}")


def _double(x: KerasTensor, channels: int, name: str, decoder: str) -> KerasTensor:
    options = {"padding": "same", "kernel_initializer": "he_normal"}
    if decoder == "transpose":
        return layers.Conv2DTranspose(channels, 3, 2, name=f"{name}_transpose", **options)(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
    return layers.Conv2D(channels, 3, name=f"{name}_conv", **options)(x)
