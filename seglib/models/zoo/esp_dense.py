"""Portrait, 2018: very thin pyramids of dilated convolutions and dense blocks, from full size down.

"esp_dense_seg" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone. 240,777
trainable weights, 755 million multiplications at 512 pixels.

240,777 counts a BatchNorm in every dense step that the published class makes but never calls. A
network built from connections has them only if they act, so the default calls them
(`inner_norms=True`); as it really ran it has 240,237 (`inner_norms=False`).
Kept although odd: strided convolutions without BatchNorm and activation, no activation in the
decoder, one BatchNorm object for three score maps.
Different here: a sigmoid ends the network, which gave logits.

Source of the pyramid: Mehta et al., 2018, "ESPNet".

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models.zoo import parts
from seglib.models.zoo.resize import Resize

# (channels, dense blocks) of each resolution from half the side down.
STAGES = ((12, 1), (24, 1), (48, 2), (96, 2))
EPSILON = 1e-3


def esp_dense(
    size: int = 512,
    inner_norms: bool = True,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Build the network: "image" (batch, size, size, 3) to "mask" (batch, size, size, 1).

    Args:
        size: side of the input, a multiple of 16.
        inner_norms: normalise after every convolution of the dense blocks.
        scaling: a key of `parts.SCALINGS`.
        bn_momentum: share of the old moving statistics kept at each step.

    Raises:
        SeglibError: an option is out of range.
    """
    parts.check_share(bn_momentum=bn_momentum)
    image, x = parts.picture(size, 16, scaling)
    x = parts.norm_act(parts.conv(x, 12, "stem"), "stem", bn_momentum, "prelu", EPSILON)
    maps = []
    for stage, (channels, repeats) in enumerate(STAGES, start=1):
        name = f"stage{stage}"
        x = parts.conv(x, channels, f"{name}_down", stride=2)
        pyramid = x = _pyramid(x, f"{name}_pyramid", bn_momentum)
        for repeat in range(repeats):
            x = _dense(x, f"{name}_dense{repeat}", bn_momentum, inner_norms)
        x = layers.Concatenate(name=f"{name}_join")([x, pyramid])
        x = parts.norm_act(x, name, bn_momentum, "prelu", EPSILON)
        maps.append(x)
    score = parts.conv(maps.pop(), 1, "score", kernel=1)
    norm = layers.BatchNormalization(momentum=bn_momentum, epsilon=EPSILON, name="score_bn")
    for level, skip in enumerate(reversed(maps)):
        name = f"up{level}"
        score = Resize(2, "corners", name=f"{name}_resize")(score)
        skip = norm(parts.conv(skip, 1, f"{name}_skip", kernel=1))
        score = layers.Add(name=f"{name}_add")([score, skip])
        score = parts.conv(score, 1, f"{name}_conv")
    logits = Resize(2, "corners", name="to_full_size")(score)
    return keras.Model(image, parts.probability(logits), name="esp_dense")


def _pyramid(x: KerasTensor, name: str, momentum: float) -> KerasTensor:
    """Six views of a thin map, of dilations up to 16, the wide ones summed up to avoid gridding."""
    inputs, thin = x, x.shape[-1] // 6
    x = parts.conv(x, thin, f"{name}_reduce")
    views = [parts.conv(x, thin, f"{name}_point", kernel=1)]
    views.append(parts.conv(x, thin, f"{name}_d1"))
    total = None
    for dilation in (2, 4, 8, 16):
        view = parts.conv(x, thin, f"{name}_d{dilation}", dilation=dilation)
        total = view if total is None else layers.Add(name=f"{name}_sum{dilation}")([total, view])
        views.append(total)
    x = layers.Concatenate(name=f"{name}_views")(views)
    x = layers.Add(name=f"{name}_add")([x, inputs])
    return parts.norm_act(x, name, momentum, "prelu", EPSILON)


def _dense(x: KerasTensor, name: str, momentum: float, inner_norms: bool) -> KerasTensor:
    """Five dilated convolutions, each of which sees the outputs of all before it."""
    inputs, thin = x, x.shape[-1] // 6
    x = parts.conv(x, thin, f"{name}_reduce", kernel=1)
    for step, dilation in enumerate((1, 2, 4, 6, 8)):
        part = f"{name}_step{step}"
        new = parts.conv(x, thin, f"{part}_conv", dilation=dilation)
        if inner_norms:
            new = parts.norm_act(new, part, momentum, "relu")
        else:
            new = parts.activate(new, part, "relu")
        x = layers.Concatenate(name=f"{part}_join")([x, new])
    x = layers.Add(name=f"{name}_add")([x, inputs])
    return parts.norm_act(x, name, momentum, "relu")
