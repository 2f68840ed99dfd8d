"""Portrait matting, 2019: residual dense blocks, two score maps, and a layer that feathers edges.

Architecture of mobile_phone_human_matting (lizhengwei1992), from its facts alone. 829,225
trainable weights, 218.7 million multiplications at 256 pixels, 30 % of them in the feathering: two
convolutions at full size that turn the picture and the two score maps into a, b and c of
alpha = sigmoid(a * person + b * rest + c).

Kept although odd: skips pass two BatchNorms and two PReLUs, the second PReLU one object for all; a
bias before a BatchNorm; no activation after the score maps' sums.
Different here: the output is alpha alone. `seg_output=True` hands out the coarse person mask too,
which was trained with a loss of its own; `feathering=False` ends at that mask.

Source of the feathering: Zhu et al., 2017, "Fast Deep Matting for Portrait Animation on Mobile
Phone".

Chapter: soft matting and sharper edges.
"""

import keras
from keras import KerasTensor, layers

from seglib.errors import SeglibError
from seglib.models.feathering import feather
from seglib.models.zoo import parts

# (channels, share of one convolution in a block, blocks) of each resolution.
STAGES = ((12, 3, 1), (24, 3, 1), (48, 3, 1), (96, 6, 2), (192, 6, 2))


def residual_matting(
    size: int = 256,
    feathering: bool = True,
    seg_output: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 32.
        feathering: refine the mask by the picture at full size.
        seg_output: give {"mask": ..., "seg": ...}, seg being the mask before feathering.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range, or seg_output is asked for without feathering.
    """
    parts.check_share(bn_momentum=bn_momentum)
    if seg_output and not feathering:
        raise SeglibError("seg_output needs feathering=True; without it the mask is the seg output")
    image, picture = parts.picture(size, 32, scaling)
    scores = layers.Softmax(name="rest_and_person", dtype="float32")(_scores(picture, bn_momentum))
    if not feathering:
        mask = parts.Channels(1, 2, name="mask", dtype="float32")(scores)
        return keras.Model(image, mask, name="residual_matting")
    mask = feather(picture, scores, bn_momentum)
    seg = parts.Channels(1, 2, name="seg", dtype="float32")(scores) if seg_output else None
    outputs = {"mask": mask, "seg": seg} if seg_output else mask
    return keras.Model(image, outputs, name="residual_matting")


def _scores(picture: KerasTensor, momentum: float) -> KerasTensor:
    """Encoder and decoder: two logits per pixel, [rest, person]."""
    x, small, maps = picture, picture, []
    for stage, (channels, share, repeats) in enumerate(STAGES):
        name = f"stage{stage}"
        down = x = parts.norm_act(
            parts.conv(x, channels, f"{name}_conv", stride=2), name, momentum, "prelu"
        )
        for repeat in range(repeats):
            x = _residual_dense(x, share, f"{name}_block{repeat}", momentum)
        maps.append(x)
        if stage == len(STAGES) - 1:
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


def _residual_dense(x: KerasTensor, share: int, name: str, momentum: float) -> KerasTensor:
    """A 1x1 and share - 1 dense 3x3 convolutions of 1/share of the channels, plus the input."""
    inputs, thin = x, x.shape[-1] // share
    x = parts.conv(x, thin, f"{name}_reduce", kernel=1)
    for step in range(share - 1):
        part = f"{name}_step{step}"
        new = parts.norm_act(parts.conv(x, thin, f"{part}_conv"), part, momentum, "relu")
        x = layers.Concatenate(name=f"{part}_join")([x, new])
    x = layers.Add(name=f"{name}_add")([x, inputs])
    return parts.norm_act(x, name, momentum, "prelu")
