"""Networks that look wide: shuffled groups, pyramids of dilated convolutions, means over regions.

Chapter: the architecture zoo.
"""

import keras
import numpy as np
from keras import KerasTensor, layers

from seglib.models import blocks
from seglib.models.encoders import mobilenet_v2
from seglib.models.zoo import parts

GROUPS = 3
# (channels, units after the first) of `shuffle_skipnet`'s three stages.
SHUFFLE_STAGES = ((240, 3), (480, 7), (960, 3))
# (channels, dense blocks) of each resolution of `esp_dense`, from half the side down.
ESP_STAGES = ((12, 1), (24, 1), (48, 2), (96, 2))
ESP_DENSE = (1, 2, 4, 6, 8)
ESP_EPSILON = 1e-3
BINS = (1, 2, 3, 6)


def shuffle_skipnet(
    size: int = 512,
    separate_norms: bool = False,
    stem_norm: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2018: ShuffleNet, and a decoder of one-channel score maps that are added up.

    "shuffle_seg_skipnet" of Fast_Portrait_Segmentation (lizhengwei1992), after Zhang et al., 2018,
    "ShuffleNet", and Siam et al., 2018, "ShuffleSeg". Its enlargement was never published: here a
    transposed 4x4 convolution of stride 2 with a bias, started as bilinear weights. So it has
    918,736 trainable weights (918,651 beyond doubt) and 718 million multiplications at 512 pixels.

    Kept although odd: one BatchNorm object that serves nine different maps (`separate_norms=True`
    gives each its own), a first convolution without BatchNorm and activation (`stem_norm=True` adds
    them), a bias before every BatchNorm.
    """
    image, x = parts.scaled_input(size, 32, scaling, bn_momentum)
    x = parts.conv(x, 24, "stem", stride=2, use_bias=True, kernel_initializer=_he())
    if stem_norm:
        x = parts.norm_act(x, "stem", bn_momentum, "relu")
    maps = [x]
    x = layers.MaxPooling2D(3, 2, name="pool")(parts.LowPadding2D(name="pool_pad")(x))
    maps.append(x)
    for stage, (channels, units) in enumerate(SHUFFLE_STAGES, start=2):
        first_groups = 1 if stage == 2 else GROUPS
        x = _shuffle_unit(x, channels, f"stage{stage}_0", bn_momentum, 2, first_groups)
        for unit in range(1, units + 1):
            x = _shuffle_unit(x, channels, f"stage{stage}_{unit}", bn_momentum)
        maps.append(x)

    def make_norm(name: str) -> layers.BatchNormalization:
        return layers.BatchNormalization(momentum=bn_momentum, epsilon=1e-5, name=name)

    def score_norm(score: KerasTensor, name: str) -> KerasTensor:
        return (shared or make_norm(name))(score)

    shared = None if separate_norms else make_norm("score_bn")
    score = parts.conv(maps.pop(), 1, "score", 1, use_bias=True, kernel_initializer=_he())
    score = score_norm(score, "deepest_bn")
    for level, skip in enumerate(reversed(maps)):
        name = f"up{level}"
        score = score_norm(_double(f"{name}_transpose")(score), f"{name}_transpose_bn")
        skip = parts.conv(skip, 1, f"{name}_skip", 1, kernel_initializer=_he())
        score = layers.Add(name=f"{name}_add")([score, score_norm(skip, f"{name}_skip_bn")])
    logits = _double("to_full_size")(score)
    return keras.Model(image, parts.probability(logits), name="shuffle_skipnet")


def _shuffle_unit(
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
    inputs, options = x, {"use_bias": True, "kernel_initializer": _he()}
    new = channels - inputs.shape[-1] if stride == 2 else channels
    x = parts.conv(x, channels // 4, f"{name}_reduce", 1, groups=first_groups, **options)
    x = parts.norm_act(x, f"{name}_reduce", momentum, "relu")
    x = shuffle(x, f"{name}_shuffle")
    x = parts.depthwise(x, name, stride, f"{name}_dw", depthwise_initializer=_he())
    x = parts.norm_act(x, f"{name}_dw", momentum)
    x = parts.conv(x, new, f"{name}_expand", 1, groups=GROUPS, **options)
    x = parts.norm_act(x, f"{name}_expand", momentum)
    if stride == 2:
        pooled = parts.average_pool(inputs, f"{name}_pool")
        x = layers.Concatenate(name=f"{name}_join")([pooled, x])
    else:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def shuffle(x: KerasTensor, name: str, groups: int = GROUPS) -> KerasTensor:
    """Deal the channels of all groups out in turn, so that the next groups see all of them."""
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


def esp_dense(
    size: int = 512,
    inner_norms: bool = True,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2018: very thin pyramids of dilated convolutions and dense blocks.

    "esp_dense_seg" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone, after
    Mehta et al., 2018, "ESPNet". 240,777 trainable weights, 755 million multiplications at 512
    pixels. `size` is a multiple of 16.

    240,777 counts a BatchNorm in every dense step that the published class makes but never calls. A
    network built from connections has them only if they act, so the default calls them; as it
    really ran it has 240,237 (`inner_norms=False`).
    Kept although odd: strided convolutions without BatchNorm and activation, no activation in the
    decoder, one BatchNorm object for three score maps.
    """
    image, x = parts.scaled_input(size, 16, scaling, bn_momentum)
    x = parts.norm_act(parts.conv(x, 12, "stem"), "stem", bn_momentum, "prelu", ESP_EPSILON)
    maps = []
    for stage, (channels, repeats) in enumerate(ESP_STAGES, start=1):
        name = f"stage{stage}"
        x = parts.conv(x, channels, f"{name}_down", stride=2)
        pyramid = x = _esp_pyramid(x, f"{name}_pyramid", bn_momentum)
        for repeat in range(repeats):
            thin, block = x.shape[-1] // 6, f"{name}_dense{repeat}"
            x = parts.dense_block(x, thin, block, ESP_DENSE, bn_momentum, "relu", inner_norms)
        x = layers.Concatenate(name=f"{name}_join")([x, pyramid])
        x = parts.norm_act(x, name, bn_momentum, "prelu", ESP_EPSILON)
        maps.append(x)
    score = parts.conv(maps.pop(), 1, "score", kernel=1)
    norm = layers.BatchNormalization(momentum=bn_momentum, epsilon=ESP_EPSILON, name="score_bn")
    for level, skip in enumerate(reversed(maps)):
        name = f"up{level}"
        score = parts.Resize(2, "corners", name=f"{name}_resize")(score)
        skip = norm(parts.conv(skip, 1, f"{name}_skip", kernel=1))
        score = layers.Add(name=f"{name}_add")([score, skip])
        score = parts.conv(score, 1, f"{name}_conv")
    logits = parts.Resize(2, "corners", name="to_full_size")(score)
    return keras.Model(image, parts.probability(logits), name="esp_dense")


def _esp_pyramid(x: KerasTensor, name: str, momentum: float) -> KerasTensor:
    """Six views of a thin map, of dilations up to 16, the wide ones summed up to avoid gridding."""
    inputs, thin = x, x.shape[-1] // 6
    x = parts.conv(x, thin, f"{name}_reduce")
    views = [parts.conv(x, thin, f"{name}_point", kernel=1), parts.conv(x, thin, f"{name}_d1")]
    total = None
    for dilation in (2, 4, 8, 16):
        view = parts.conv(x, thin, f"{name}_d{dilation}", dilation_rate=dilation)
        total = view if total is None else layers.Add(name=f"{name}_sum{dilation}")([total, view])
        views.append(total)
    x = layers.Concatenate(name=f"{name}_views")(views)
    x = layers.Add(name=f"{name}_add")([x, inputs])
    return parts.norm_act(x, name, momentum, "prelu", ESP_EPSILON)


def pyramid_pooling(
    size: int = 192,
    width: float = 0.5,
    channels: int = 96,
    dropout: float = 0.1,
    scaling: str = "symmetric",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """A PSPNet-like head on MobileNet V2: context from means over whole, halves, thirds, sixths.

    mobile-semantic-segmentation (akirasosa) reports that a PSPNet-like network was tried without
    success, and shows no code. This one is our own, in the proportions of a phone: the encoder to
    1/16 of the side, the four poolings of Zhao et al., 2017, "Pyramid Scene Parsing Network", one
    convolution of `channels` at 1/16 (each pooling keeps a quarter of them), and a bilinear
    enlargement of the single score map. There is no skip, so its edges are as coarse as that map:
    what a comparison with the U-Nets should show. `size` is a multiple of 96: the map at 1/16 must
    divide into sixths.
    """
    checked = {"width": width, "channels": channels}
    image, x = parts.scaled_input(size, 96, scaling, bn_momentum, dropout, **checked)
    # The stage of 160 channels would halve the map once more; the ones before it are enough.
    x = mobilenet_v2(x, width, bn_momentum, stages=5)[-1]
    views = [x]
    for bins in BINS:
        name, side = f"view{bins}", x.shape[1] // bins
        view = layers.AveragePooling2D(side, name=f"{name}_pool")(x)
        view = blocks.conv(view, max(channels // len(BINS), 1), name, bn_momentum)
        enlarge = layers.UpSampling2D(side, interpolation="bilinear", name=f"{name}_resize")
        views.append(enlarge(view))
    x = layers.Concatenate(name="views")(views)
    x = blocks.separable(x, channels, "mix", bn_momentum)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(1, 1, name="logits", dtype="float32")(x)
    x = layers.UpSampling2D(16, interpolation="bilinear", name="to_full_size", dtype="float32")(x)
    return keras.Model(image, parts.probability(x), name="pyramid_pooling")
