"""Portrait, 2018: ShuffleNet, and a decoder of one-channel score maps that are added up.

"shuffle_seg_skipnet" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone. The
published file imports a layer that was never published: the enlargement, used five times. Here it
is a transposed 4x4 convolution of stride 2 with a bias, started as bilinear weights; so defined the
network has 918,736 trainable weights (918,651 of them beyond doubt) and 718 million multiplications
at 512 pixels.

Kept although odd: one BatchNorm object that serves nine different maps (`separate_norms=True` gives
each its own), a first convolution without BatchNorm and activation (`stem_norm=True` adds them), a
bias before every BatchNorm.
Different here: a sigmoid ends the network, which gave logits.

Sources: Zhang et al., 2018, "ShuffleNet"; Siam et al., 2018, "ShuffleSeg".

Chapter: the architecture zoo.
"""

import keras
import numpy as np
from keras import KerasTensor, layers

from seglib.models.zoo import parts

GROUPS = 3
# (channels, units after the first) of the three stages.
STAGES = ((240, 3), (480, 7), (960, 3))


def shuffle_skipnet(
    size: int = 512,
    separate_norms: bool = False,
    stem_norm: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        separate_norms: give each of the nine score maps a BatchNorm of its own.
        stem_norm: put BatchNorm and ReLU after the first convolution.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 32, scaling)
    x = parts.conv(x, 24, "stem", stride=2, bias=True, initializer=_he())
    if stem_norm:
        x = parts.norm_act(x, "stem", bn_momentum, "relu")
    maps = [x]
    x = layers.MaxPooling2D(3, 2, name="pool")(parts.LowPadding2D(name="pool_pad")(x))
    maps.append(x)
    for stage, (channels, units) in enumerate(STAGES, start=2):
        first_groups = 1 if stage == 2 else GROUPS
        x = _unit(x, channels, f"stage{stage}_0", bn_momentum, 2, first_groups)
        for unit in range(1, units + 1):
            x = _unit(x, channels, f"stage{stage}_{unit}", bn_momentum)
        maps.append(x)

    def make_norm(name: str) -> layers.BatchNormalization:
        return layers.BatchNormalization(momentum=bn_momentum, epsilon=1e-5, name=name)

    shared = None if separate_norms else make_norm("score_bn")

    def score_norm(score: KerasTensor, name: str) -> KerasTensor:
        return (shared or make_norm(name))(score)

    score = parts.conv(maps.pop(), 1, "score", kernel=1, bias=True, initializer=_he())
    score = score_norm(score, "deepest_bn")
    for level, skip in enumerate(reversed(maps)):
        name = f"up{level}"
        score = score_norm(_double(f"{name}_transpose")(score), f"{name}_transpose_bn")
        skip = parts.conv(skip, 1, f"{name}_skip", kernel=1, initializer=_he())
        score = layers.Add(name=f"{name}_add")([score, score_norm(skip, f"{name}_skip_bn")])
    logits = _double("to_full_size")(score)
    return keras.Model(image, parts.probability(logits), name="shuffle_skipnet")


def _unit(
    x: KerasTensor,
    channels: int,
    name: str,
    momentum: float,
    stride: int = 1,
    first_groups: int = GROUPS,
) -> KerasTensor:
    """ShuffleNet's unit: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1, joined with the input.

    With stride 2 the input, pooled, keeps its channels beside the new ones; else both are added.
    """
    inputs, middle = x, channels // 4
    new = channels - inputs.shape[-1] if stride == 2 else channels
    x = parts.conv(
        x, middle, f"{name}_reduce", 1, groups=first_groups, bias=True, initializer=_he()
    )
    x = parts.norm_act(x, f"{name}_reduce", momentum, "relu")
    x = shuffle(x, f"{name}_shuffle")
    padding = "same"
    if stride == 2:
        x, padding = layers.ZeroPadding2D(1, name=f"{name}_dw_pad")(x), "valid"
    x = layers.DepthwiseConv2D(
        3, stride, padding=padding, depthwise_initializer=_he(), name=f"{name}_dw"
    )(x)
    x = parts.norm_act(x, f"{name}_dw", momentum)
    x = parts.conv(x, new, f"{name}_expand", 1, groups=GROUPS, bias=True, initializer=_he())
    x = parts.norm_act(x, f"{name}_expand", momentum)
    if stride == 2:
        pooled = parts.average_pool(inputs, f"{name}_pool")
        x = layers.Concatenate(name=f"{name}_join")([pooled, x])
    else:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def shuffle(x: KerasTensor, name: str, groups: int = GROUPS) -> KerasTensor:
    """Deal the channels of all groups out in turn, so that the next groups see all of them.

    Args:
        x: (batch, height, width, channels), channels a multiple of `groups`.
        name: start of the layers' names.
        groups: number of groups.
    """
    height, width, channels = x.shape[1:]
    x = layers.Reshape((height, width, groups, channels // groups), name=f"{name}_split")(x)
    x = layers.Permute((1, 2, 4, 3), name=f"{name}_swap")(x)
    return layers.Reshape((height, width, channels), name=f"{name}_merge")(x)


def _double(name: str) -> layers.Conv2DTranspose:
    weights = np.outer(*[(0.25, 0.75, 0.75, 0.25)] * 2).reshape(4, 4, 1, 1).tolist()
    bilinear = keras.initializers.Constant(weights)
    return layers.Conv2DTranspose(1, 4, 2, padding="same", kernel_initializer=bilinear, name=name)


def _he() -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(2.0, "fan_out", "truncated_normal")
