"""Hair, 2020: MobileNet V1 at half width, skips that are added, 32 channels throughout.

Architecture of realtime-hair-segmentation (Rajat Agarwal, MIT), from its facts. 867,266 weights in
all, 101.5 million multiplications at 160 pixels.

Kept although odd: the last 1x1 convolution and a softmax over [hair, rest] run at full size. With
nearest upsampling they give the same numbers at half the side, which `late_head=False` does.
Different here: only the hair channel of the softmax is handed out.

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models.encoders import mobilenet_v1
from seglib.models.zoo import parts


def add_unet(
    size: int = 160,
    width: float = 0.5,
    channels: int = 32,
    late_head: bool = True,
    scaling: str = "unit",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        width: factor on the encoder's channels; the weights of `keras.applications` fit 0.25, 0.5,
            0.75 and 1.
        channels: channels of the whole decoder.
        late_head: classify after the last upsampling, as published.
        scaling: a key of `parts.SCALINGS`. The encoder's ImageNet weights expect "symmetric";
            the project fed them "unit".
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_positive(width=width, channels=channels)
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 32, scaling)
    *skips, x = mobilenet_v1(x, width, bn_momentum)
    x = _project(x, channels, "neck")
    for level, skip in enumerate(reversed(skips)):
        x = parts.nearest(x, f"up{level}_resize")
        skip = _project(skip, channels, f"up{level}_skip")
        x = layers.Add(name=f"up{level}_add")([skip, x])
        x = layers.SeparableConv2D(
            channels,
            3,
            padding="same",
            use_bias=False,
            depthwise_initializer="he_normal",
            pointwise_initializer="he_normal",
            name=f"up{level}_separable",
        )(x)
        x = parts.norm_act(x, f"up{level}", bn_momentum, "leaky_relu", epsilon=1e-3)
    if late_head:
        x = parts.nearest(x, "to_full_size")
    x = layers.Conv2D(2, 1, name="logits")(x)
    x = layers.Softmax(name="hair_and_rest", dtype="float32")(x)
    x = parts.Channels(0, 1, name="mask" if late_head else "hair", dtype="float32")(x)
    if not late_head:
        x = parts.nearest(x, "mask", dtype="float32")
    return keras.Model(image, x, name="add_unet")


def _project(x: KerasTensor, channels: int, name: str) -> KerasTensor:
    return layers.Conv2D(channels, 1, kernel_initializer="he_normal", name=name)(x)
