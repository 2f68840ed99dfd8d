"""Portrait, 2018: MobileNet V2 and a decoder whose 3x3 convolutions reach further at each level.

"mv2_dilate_unet" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone. 2,378,217
trainable weights (the count of PyTorch, where it was born), 3.70 billion multiplications at 512
pixels: dilated 3x3 convolutions at half the side cost a third of it.

Kept although odd: the first block has a 1x1 convolution that expands nothing; no activation from
the first transposed convolution to the output (`activations=True` adds them, counts unchanged).
Different here: a sigmoid ends the network, which gave logits.

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models.encoders import V2_STAGES
from seglib.models.zoo import parts
from seglib.models.zoo.resize import Resize

# (transposed convolution's channels, stage of the skip, dilation) of each decoder level.
LEVELS = ((96, 4, 2), (32, 2, 6), (24, 1, 12), (16, 0, 18))


def dilated_unet(
    size: int = 512,
    activations: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        activations: put a ReLU6 after each of the decoder's five BatchNorms.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 32, scaling)
    x = parts.norm_act(parts.conv(x, 32, "stem", stride=2), "stem", bn_momentum, "relu6")
    stages, index = [], 0
    for expand, channels, repeats, first_stride in V2_STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _residual(x, channels, f"block{index}", stride, expand, bn_momentum)
            index += 1
        stages.append(x)
    act = "relu6" if activations else None
    for level, (channels, stage, dilation) in enumerate(LEVELS):
        name, skip = f"up{level}", stages[stage]
        x = layers.Conv2DTranspose(channels, 2, 2, name=f"{name}_transpose")(x)
        x = layers.Concatenate(name=f"{name}_join")([x, skip])
        x = parts.conv(x, x.shape[-1], f"{name}_conv", dilation=dilation)
        x = parts.norm_act(x, name, bn_momentum, act)
    x = parts.norm_act(parts.conv(x, 32, "last_conv"), "last", bn_momentum, act)
    x = parts.conv(x, 1, "logits", kernel=1, bias=True)
    x = Resize(2, "corners", name="to_full_size")(x)
    return keras.Model(image, parts.probability(x), name="dilated_unet")


def _residual(
    x: KerasTensor, channels: int, name: str, stride: int, expand: int, momentum: float
) -> KerasTensor:
    """MobileNet V2's block, its expansion present even where it expands nothing."""
    inputs = x
    x = parts.conv(x, expand * x.shape[-1], f"{name}_expand_conv", kernel=1)
    x = parts.norm_act(x, f"{name}_expand", momentum, "relu6")
    padding = "same"
    if stride == 2:
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
    x = layers.DepthwiseConv2D(
        3,
        stride,
        padding=padding,
        use_bias=False,
        depthwise_initializer="glorot_normal",
        name=f"{name}_dw",
    )(x)
    x = parts.norm_act(x, f"{name}_dw", momentum, "relu6")
    x = parts.norm_act(
        parts.conv(x, channels, f"{name}_project_conv", kernel=1), f"{name}_project", momentum
    )
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
