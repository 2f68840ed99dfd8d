"""Portrait, 2020: MobileNet V1 and a decoder of full 3x3 convolutions, a mask of half the side.

Architecture of mobile_unet_segmentation (rusito-23), from its facts alone. 6,314,945 weights in
all, 5.12 billion multiplications at 224 pixels, nine tenths of them in the decoder.

Kept although odd: no activation between the decoder's convolutions, so that it is linear apart
from the skips (`activations=True` adds them; the numbers of weights and multiplications stay); a
bias before every BatchNorm; strided convolutions that pad on all four sides, which shifts them by
a pixel against the ImageNet weights (`symmetric_padding=False` mends it).
Different here: the mask is not flattened (`seglib.export` does that).

Chapter: the architecture zoo.
"""

import keras
from keras import layers

from seglib.models.encoders import v1_blocks
from seglib.models.zoo import parts


def dense_unet(
    size: int = 224,
    width: float = 1.0,
    activations: bool = False,
    symmetric_padding: bool = True,
    full_size: bool = False,
    scaling: str = "symmetric",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" of half the side.

    Args:
        size: side of the input, a multiple of 16.
        width: factor on the encoder's channels.
        activations: put a ReLU after each of the decoder's four BatchNorms.
        symmetric_padding: pad strided convolutions on all four sides, see `blocks.pad`.
        full_size: enlarge the mask bilinearly to (batch, size, size, 1), as a comparison with
            other networks on the same masks needs it; else it is (batch, size/2, size/2, 1).
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_positive(width=width)
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 16, scaling)
    outputs = v1_blocks(x, width, bn_momentum, last=11, symmetric=symmetric_padding)
    x = outputs[11]
    act = "relu" if activations else None
    for level, (channels, skip) in enumerate(((512, 5), (256, 3), (128, 1), (64, None))):
        x = layers.Conv2D(channels, 3, padding="same", name=f"up{level}_conv")(x)
        x = parts.norm_act(x, f"up{level}", bn_momentum, act, epsilon=1e-3)
        if skip is not None:
            x = parts.nearest(x, f"up{level}_resize")
            x = layers.Concatenate(name=f"up{level}_join")([x, outputs[skip]])
    x = layers.Conv2D(1, 3, padding="same", name="logits")(x)
    if full_size:
        x = layers.UpSampling2D(2, interpolation="bilinear", name="to_full_size")(x)
    return keras.Model(image, parts.probability(x), name="dense_unet")
