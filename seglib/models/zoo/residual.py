"""Networks of dense blocks with a way round them, and the layer that feathers a mask's edge.

Chapters: the architecture zoo; soft matting and sharper edges.
"""

import keras
from keras import KerasTensor, layers

from seglib.errors import SeglibError
from seglib.models.zoo import parts

# (channels, share of one convolution in a block, blocks) of each resolution.
BISENET_STAGES = ((8, 2, 1), (12, 3, 1), (24, 6, 2), (48, 6, 2), (64, 8, 2))
MATTING_STAGES = ((12, 3, 1), (24, 3, 1), (48, 3, 1), (96, 6, 2), (192, 6, 2))


def residual_bisenet(
    size: int = 512,
    late_projection: bool = True,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2018: a shallow path for edges, a deep dense one for context, fused at 1/8.

    "residualdense_bisenet" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone,
    after Yu et al., 2018, "BiSeNet". 142,761 trainable weights, 224 million multiplications at 512
    pixels.

    Kept although odd: the 48-channel projection runs after a fourfold enlargement (12.6 million
    multiplications; before it 0.8 with the same result, as bilinear weights sum to one:
    `late_projection=False`); no activation after the residual sums.
    Different here: the published pooling windows are global at 512 pixels only, here they are
    global at every size.
    """
    image, picture = parts.scaled_input(size, 32, scaling, bn_momentum)
    edges = picture
    for index, channels in enumerate((8, 12, 16)):
        edges = _down(edges, channels, f"edges{index}", bn_momentum)
    x, maps = picture, []
    for stage, (channels, share, repeats) in enumerate(BISENET_STAGES):
        x = _down(x, channels, f"stage{stage}", bn_momentum)
        for repeat in range(repeats):
            x = _bisenet_block(x, share, f"stage{stage}_block{repeat}", bn_momentum)
        maps.append(x)
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="mean")(x)
    deep = layers.Add(name="deep_mean")([_attend(x, "deep"), mean])
    enlarge = parts.Resize(4, "corners", name="deep_resize")
    project = layers.Conv2D(48, 1, kernel_initializer="glorot_normal", name="deep_project")
    deep = project(enlarge(deep)) if late_projection else enlarge(project(deep))
    middle = parts.Resize(2, "corners", name="middle_resize")(_attend(maps[3], "middle"))
    context = layers.Add(name="context")([middle, deep])
    x = layers.Concatenate(name="fuse_join")([edges, context])
    logits = parts.conv(_fuse(x, bn_momentum), 1, "logits", kernel=1, use_bias=True)
    logits = parts.Resize(8, "corners", name="to_full_size")(logits)
    return keras.Model(image, parts.probability(logits), name="residual_bisenet")


def _down(x: KerasTensor, channels: int, name: str, momentum: float) -> KerasTensor:
    x = parts.conv(x, channels, f"{name}_conv", stride=2)
    return parts.norm_act(x, name, momentum, "prelu")


def _bisenet_block(x: KerasTensor, share: int, name: str, momentum: float) -> KerasTensor:
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


def _attend(x: KerasTensor, name: str) -> KerasTensor:
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


def residual_matting(
    size: int = 256,
    feathering: bool = True,
    seg_output: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait matting, 2019: residual dense blocks, two score maps, and a layer that feathers.

    Architecture of mobile_phone_human_matting (lizhengwei1992), from its facts alone. 829,225
    trainable weights, 218.7 million multiplications at 256 pixels, 30 % of them in the feathering.

    Kept although odd: skips pass two BatchNorms and two PReLUs, the second PReLU one object for
    all; a bias before a BatchNorm; no activation after the score maps' sums.
    Different here: the output is alpha alone. `seg_output=True` gives {"mask": ..., "seg": ...},
    seg being the coarse person mask before feathering, which was trained with a loss of its own;
    `feathering=False` ends at that mask.
    """
    image, picture = parts.scaled_input(size, 32, scaling, bn_momentum)
    if seg_output and not feathering:
        raise SeglibError("seg_output needs feathering=True; without it the mask is the seg output")
    logits = _matting_logits(picture, bn_momentum)
    scores = layers.Softmax(name="rest_and_person", dtype="float32")(logits)
    mask = feather(picture, scores, bn_momentum) if feathering else _person(scores, "mask")
    outputs = {"mask": mask, "seg": _person(scores, "seg")} if seg_output else mask
    return keras.Model(image, outputs, name="residual_matting")


def _person(scores: KerasTensor, name: str) -> KerasTensor:
    return parts.Channels(1, 2, name=name, dtype="float32")(scores)


def _matting_logits(picture: KerasTensor, momentum: float) -> KerasTensor:
    """Encoder and decoder: two logits per pixel, [rest, person]."""
    x, small, maps = picture, picture, []
    for stage, (channels, share, repeats) in enumerate(MATTING_STAGES):
        name = f"stage{stage}"
        down = x = _down(x, channels, name, momentum)
        for repeat in range(repeats):
            thin, steps = x.shape[-1] // share, (1,) * (share - 1)
            x = parts.dense_block(x, thin, f"{name}_block{repeat}", steps, momentum, "prelu")
        maps.append(x)
        if stage == len(MATTING_STAGES) - 1:
            break
        # Every resolution also sees the picture itself, and all but the first its own beginning.
        small = parts.average_pool(small, f"{name}_picture")
        joined = [small, x] if stage == 0 else [small, down, x]
        x = layers.Concatenate(name=f"{name}_join")(joined)
        x = parts.norm_act(x, f"{name}_join", momentum, "prelu")
    score = parts.conv(maps.pop(), 2, "score", kernel=1)
    shared = parts.prelu("skip_prelu")
    for level, skip in enumerate(reversed(maps)):
        name = f"up{level}"
        score = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(score)
        skip = parts.conv(skip, 2, f"{name}_skip_conv")
        skip = parts.norm_act(skip, f"{name}_skip", momentum, "prelu")
        skip = shared(parts.norm_act(skip, f"{name}_skip_again", momentum))
        score = layers.Add(name=f"{name}_add")([score, skip])
        score = parts.conv(score, 2, f"{name}_conv")
    return layers.UpSampling2D(2, interpolation="bilinear", name="to_full_size")(score)


def feather(
    picture: KerasTensor, scores: KerasTensor, momentum: float, channels: int = 8
) -> KerasTensor:
    """Return alpha = sigmoid(a * person + b * rest + c), named "mask", (batch, height, width, 1).

    a, b and c of every pixel come from two convolutions at full size: Zhu et al., 2017, "Fast Deep
    Matting for Portrait Animation on Mobile Phone".

    Args:
        picture: scaled values at full size, (batch, height, width, 3).
        scores: probabilities of the rest and of the person at that size, (..., 2).
        momentum: fraction of the BatchNorm's old moving statistics kept at each step.
        channels: of the convolution between.
    """
    person = _person(scores, "feather_seg")
    rest = parts.Channels(0, 1, name="feather_other", dtype="float32")(scores)
    squared = layers.Multiply(name="feather_squared")([picture, picture])
    masked = layers.Multiply(name="feather_masked")([picture, person])
    x = layers.Concatenate(name="feather_join")([picture, scores, squared, masked])
    x = parts.conv(x, channels, "feather_conv", use_bias=True)
    x = parts.norm_act(x, "feather", momentum, "relu")
    x = parts.conv(x, 3, "feather_factors", use_bias=True)
    a, b, c = (parts.Channels(i, i + 1, name=f"feather_{'abc'[i]}")(x) for i in range(3))
    terms = [
        layers.Multiply(name="feather_person")([a, person]),
        layers.Multiply(name="feather_rest")([b, rest]),
        c,
    ]
    return parts.probability(layers.Add(name="feather_sum")(terms))
