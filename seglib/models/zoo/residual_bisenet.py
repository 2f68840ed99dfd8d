"""Portrait, 2018: a shallow path for edges, a deep dense one for context, fused at 1/8 of the side.

"residualdense_bisenet" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone.
142,761 trainable weights, 224 million multiplications at 512 pixels.

Kept although odd: the 48-channel projection runs after a fourfold enlargement (12.6 million
multiplications; before it 0.8 with the same result, as bilinear weights sum to one:
`late_projection=False`); no activation after the residual sums.
Different here: the published pooling windows are global at 512 pixels only, here they are global at
every size; a sigmoid ends the network, which gave logits.

Source of the two paths: Yu et al., 2018, "BiSeNet".

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models.zoo import parts
from seglib.models.zoo.resize import Resize

# (channels, share of one convolution in a block, blocks) of each resolution of the deep path.
STAGES = ((8, 2, 1), (12, 3, 1), (24, 6, 2), (48, 6, 2), (64, 8, 2))


def residual_bisenet(
    size: int = 512,
    late_projection: bool = True,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        late_projection: project the deepest map after its enlargement, as published.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_share(bn_momentum=bn_momentum)
    image, picture = parts.picture(size, 32, scaling)
    edges = picture
    for index, channels in enumerate((8, 12, 16)):
        edges = _down(edges, channels, f"edges{index}", bn_momentum)
    x, maps = picture, []
    for stage, (channels, share, repeats) in enumerate(STAGES):
        x = _down(x, channels, f"stage{stage}", bn_momentum)
        for repeat in range(repeats):
            x = _dense_residual(x, share, f"stage{stage}_block{repeat}", bn_momentum)
        maps.append(x)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    deep = layers.Add(name="deep_mean")([attend(x, "deep"), mean])
    enlarge = Resize(4, "corners", name="deep_resize")
    project = layers.Conv2D(48, 1, kernel_initializer="glorot_normal", name="deep_project")
    deep = project(enlarge(deep)) if late_projection else enlarge(project(deep))
    middle = Resize(2, "corners", name="middle_resize")(attend(maps[3], "middle"))
    context = layers.Add(name="context")([middle, deep])
    x = layers.Concatenate(name="fuse_join")([edges, context])
    logits = parts.conv(_fuse(x, bn_momentum), 1, "logits", kernel=1, bias=True)
    logits = Resize(8, "corners", name="to_full_size")(logits)
    return keras.Model(image, parts.probability(logits), name="residual_bisenet")


def attend(x: KerasTensor, name: str) -> KerasTensor:
    """Weigh every channel by a factor in 0..1 that a 1x1 convolution reads off the mean map."""
    factor = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_attend_mean")(x)
    factor = parts.conv(factor, x.shape[-1], f"{name}_attend_conv", kernel=1)
    factor = layers.Activation("sigmoid", name=f"{name}_attend_sigmoid")(factor)
    return layers.Multiply(name=f"{name}_attend")([x, factor])


def _fuse(x: KerasTensor, momentum: float) -> KerasTensor:
    """Mix both paths, then add the mix once more, weighed per channel."""
    channels = x.shape[-1]
    x = parts.norm_act(parts.conv(x, channels, "fuse_conv", 1), "fuse", momentum, "prelu")
    factor = layers.GlobalAveragePooling2D(keepdims=True, name="fuse_mean")(x)
    factor = parts.activate(parts.conv(factor, channels, "fuse_squeeze", 1), "fuse_factor", "relu")
    factor = parts.conv(factor, channels, "fuse_excite", 1)
    factor = layers.Activation("sigmoid", name="fuse_sigmoid")(factor)
    weighed = layers.Multiply(name="fuse_scale")([x, factor])
    return layers.Add(name="fuse_add")([x, weighed])


def _down(x: KerasTensor, channels: int, name: str, momentum: float) -> KerasTensor:
    x = parts.conv(x, channels, f"{name}_conv", stride=2)
    return parts.norm_act(x, name, momentum, "prelu")


def _dense_residual(x: KerasTensor, share: int, name: str, momentum: float) -> KerasTensor:
    """`share` convolutions of 1/share of the channels, joined, plus the input."""
    inputs, thin = x, x.shape[-1] // share
    x = parts.conv(x, thin, f"{name}_reduce_conv")
    x = parts.norm_act(x, f"{name}_reduce", momentum, "prelu")
    for step in range(share - 1):
        part = f"{name}_step{step}"
        new = parts.norm_act(x, part, momentum, "prelu")
        new = parts.conv(new, thin, f"{part}_conv")
        x = layers.Concatenate(name=f"{part}_join")([x, new])
    return layers.Add(name=f"{name}_add")([x, inputs])
