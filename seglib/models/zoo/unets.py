"""U-Nets on MobileNets: skips that are added or joined, by transposed, full or dilated convolution.

Chapter: the architecture zoo.
"""

import keras
from keras import KerasTensor, layers

from seglib.models import blocks
from seglib.models.encoders import V1_BLOCKS, V2_STAGES, mobilenet_v1, mobilenet_v2
from seglib.models.zoo import parts

V2_DECODERS = ("transpose", "bilinear")
# (transposed convolution's channels, stage of the skip, dilation) of each level of `dilated_unet`.
DILATED_LEVELS = ((96, 4, 2), (32, 2, 6), (24, 1, 12), (16, 0, 18))


def add_unet(
    size: int = 160,
    width: float = 0.5,
    channels: int = 32,
    late_head: bool = True,
    scaling: str = "unit",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Hair, 2020: MobileNet V1 at half width, skips that are added, 32 channels throughout.

    realtime-hair-segmentation (Rajat Agarwal, MIT): 867,266 weights in all, 101.5 million
    multiplications at 160 pixels. `channels` are those of the whole decoder.

    Kept although odd: the last 1x1 convolution and a softmax over [hair, rest] run at full size;
    with nearest upsampling they give the same numbers at half the side (`late_head=False`).
    Different here: only the hair channel of the softmax is handed out.
    """
    image, x = parts.scaled_input(size, 32, scaling, bn_momentum, width=width, channels=channels)
    *skips, x = mobilenet_v1(x, width, bn_momentum)

    he = {f"{part}_initializer": "he_normal" for part in ("depthwise", "pointwise")}

    def project(x: KerasTensor, name: str) -> KerasTensor:
        return layers.Conv2D(channels, 1, kernel_initializer="he_normal", name=name)(x)

    x = project(x, "neck")
    for level, skip in enumerate(reversed(skips)):
        x = parts.nearest(x, f"up{level}_resize")
        x = layers.Add(name=f"up{level}_add")([project(skip, f"up{level}_skip"), x])
        name = f"up{level}_separable"
        x = layers.SeparableConv2D(channels, 3, 1, "same", use_bias=False, name=name, **he)(x)
        x = parts.norm_act(x, f"up{level}", bn_momentum, "leaky_relu", epsilon=1e-3)
    if late_head:
        x = parts.nearest(x, "to_full_size")
    x = layers.Conv2D(2, 1, name="logits")(x)
    x = layers.Softmax(name="hair_and_rest", dtype="float32")(x)
    x = parts.Channels(0, 1, name="mask" if late_head else "hair", dtype="float32")(x)
    if not late_head:
        x = parts.nearest(x, "mask", dtype="float32")
    return keras.Model(image, x, name="add_unet")


def transpose_unet(
    size: int = 128,
    width: float = 1.0,
    up_width: float = 0.25,
    scaling: str = "hair",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Hair, 2017: MobileNet V1 and a decoder of transposed convolutions, each with its own width.

    The Keras "MobileUNet" of mobile-semantic-segmentation (akirasosa, MIT): 5,702,505 weights in
    all and 300.7 million multiplications at 128 pixels.

    Kept although odd: two skips at half the side (the stem's and the first block's), `up_width`
    multiplies channels that `width` has multiplied already, and the last enlargement follows
    TensorFlow 1's convention. Different here: the encoder rounds its channels to eights.
    """
    image, x = parts.scaled_input(size, 32, scaling, bn_momentum, width=width, up_width=up_width)
    outputs = _v1_blocks(x, width, bn_momentum)
    x = outputs[13]
    for level, (skip, base) in enumerate(((11, 512), (5, 256), (3, 128), (1, 64))):
        channels = max(int(base * width), 1)
        x = layers.Conv2DTranspose(channels, 2, 2, padding="same", name=f"up{level}_transpose")(x)
        x = layers.Concatenate(name=f"up{level}_join")([x, outputs[skip]])
        x = blocks.separable(x, max(int(channels * up_width), 1), f"up{level}", bn_momentum)
    x = layers.Concatenate(name="up4_join")([x, outputs[0]])
    x = blocks.conv(x, max(int(int(32 * width) * up_width), 1), "up4", bn_momentum, kernel=3)
    x = layers.Conv2D(1, 1, kernel_initializer="he_normal", name="logits")(x)
    x = parts.Resize(2, "tf1", name="to_full_size")(x)
    return keras.Model(image, parts.probability(x), name="transpose_unet")


def _v1_blocks(
    x: KerasTensor, width: float, momentum: float, last: int = 13, symmetric: bool = False
) -> list[KerasTensor]:
    """MobileNet V1 to block `last`: the outputs of the stem (index 0) and of every block."""

    def padded(x: KerasTensor, name: str, stride: int) -> tuple[KerasTensor, str]:
        return (parts.pad(x, name), "valid") if symmetric and stride == 2 else (x, "same")

    channels = blocks.round_channels(32 * width)
    x, padding = padded(x, "stem", 2)
    outputs = [blocks.conv(x, channels, "stem", momentum, 3, 2, padding=padding)]
    for index, (channels, stride) in enumerate(V1_BLOCKS[:last], start=1):
        channels = blocks.round_channels(channels * width)
        x, padding = padded(outputs[-1], f"block{index}_dw", stride)
        outputs.append(blocks.separable(x, channels, f"block{index}", momentum, stride, padding))
    return outputs


def v2_unet(
    size: int = 128,
    width: float = 0.5,
    decoder: str = "transpose",
    dropout: float = 0.5,
    scaling: str = "unit",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2019: MobileNet V2 at half width and a wide decoder, transposed or bilinear.

    Portrait-Segmentation (anilsathyan7, MIT): 3,648,561 weights in all with either decoder; 526
    ("transpose": 3x3, stride 2) or 2,020 ("bilinear": enlarge, then 3x3) million multiplications at
    128 pixels, as the same kernel runs over four times as many pixels.

    Kept although odd: dropout between BatchNorm and ReLU, a bias before every BatchNorm of the
    decoder (992 numbers that nothing can learn), a transposed 1x1 convolution as the head.
    Different here: the mask is not flattened (`seglib.export` does that), and the values are scaled
    to 0..1, as the project's inference did; its training scaled by about 1/74 ("portrait").
    """
    image, x = parts.scaled_input(size, 32, scaling, bn_momentum, dropout, width=width)
    parts.check_choice("decoder", decoder, V2_DECODERS)
    *skips, x = mobilenet_v2(x, width, bn_momentum)
    options = {"padding": "same", "kernel_initializer": "he_normal"}
    for level, channels in enumerate((512, 256, 128, 64, 32)):
        name = f"up{level}"
        if decoder == "transpose":
            x = layers.Conv2DTranspose(channels, 3, 2, name=f"{name}_transpose", **options)(x)
        else:
            x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
            x = layers.Conv2D(channels, 3, name=f"{name}_conv", **options)(x)
        x = parts.norm_act(x, name, bn_momentum, epsilon=1e-3)
        # The last level has no skip and no dropout.
        if skips:
            x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
        x = parts.activate(x, name, "relu")
        if skips:
            x = layers.Concatenate(name=f"{name}_join")([x, skips.pop()])
    x = layers.Conv2DTranspose(1, 1, name="logits")(x)
    return keras.Model(image, parts.probability(x), name=f"v2_unet_{decoder}")


def dense_unet(
    size: int = 224,
    width: float = 1.0,
    activations: bool = False,
    symmetric_padding: bool = True,
    full_size: bool = False,
    scaling: str = "symmetric",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2020: MobileNet V1 and a decoder of full 3x3 convolutions, a mask of half the side.

    mobile_unet_segmentation (rusito-23): 6,314,945 weights in all, 5.12 billion multiplications at
    224 pixels, nine tenths of them in the decoder. `size` is a multiple of 16; `full_size` enlarges
    the mask bilinearly to the input's side, as comparisons on the same masks need it.

    Kept although odd: no activation between the decoder's convolutions, so that it is linear apart
    from the skips (`activations=True` adds four ReLUs; the counts stay); a bias before every
    BatchNorm; strided convolutions that pad on all four sides, which shifts them by a pixel against
    the ImageNet weights (`symmetric_padding=False` mends it).
    """
    image, x = parts.scaled_input(size, 16, scaling, bn_momentum, width=width)
    outputs = _v1_blocks(x, width, bn_momentum, last=11, symmetric=symmetric_padding)
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


def dilated_unet(
    size: int = 512,
    activations: bool = False,
    scaling: str = "centred",
    bn_momentum: float = 0.9,
) -> keras.Model:
    """Portrait, 2018: MobileNet V2 and a decoder whose 3x3 convolutions reach further each level.

    "mv2_dilate_unet" of Fast_Portrait_Segmentation (lizhengwei1992), from its facts alone.
    2,378,217 trainable weights (the count of PyTorch, where it was born), 3.70 billion
    multiplications at 512 pixels: dilated 3x3 convolutions at half the side cost a third of it.

    Kept although odd: the first block has a 1x1 convolution that expands nothing; no activation
    from the first transposed convolution to the output (`activations=True` adds five ReLU6).
    """
    image, x = parts.scaled_input(size, 32, scaling, bn_momentum)
    x = parts.norm_act(parts.conv(x, 32, "stem", stride=2), "stem", bn_momentum, "relu6")
    stages, index = [], 0
    for expand, channels, repeats, first_stride in V2_STAGES:
        for stride in [first_stride] + [1] * (repeats - 1):
            x = _v2_block(x, channels, f"block{index}", stride, expand, bn_momentum)
            index += 1
        stages.append(x)
    act = "relu6" if activations else None
    for level, (channels, stage, dilation) in enumerate(DILATED_LEVELS):
        name = f"up{level}"
        x = layers.Conv2DTranspose(channels, 2, 2, name=f"{name}_transpose")(x)
        x = layers.Concatenate(name=f"{name}_join")([x, stages[stage]])
        x = parts.conv(x, x.shape[-1], f"{name}_conv", dilation_rate=dilation)
        x = parts.norm_act(x, name, bn_momentum, act)
    x = parts.norm_act(parts.conv(x, 32, "last_conv"), "last", bn_momentum, act)
    x = parts.conv(x, 1, "logits", kernel=1, use_bias=True)
    x = parts.Resize(2, "corners", name="to_full_size")(x)
    return keras.Model(image, parts.probability(x), name="dilated_unet")


def _v2_block(
    x: KerasTensor, channels: int, name: str, stride: int, expand: int, momentum: float
) -> KerasTensor:
    """MobileNet V2's block, its expansion present even where it expands nothing."""
    inputs = x
    x = parts.conv(x, expand * x.shape[-1], f"{name}_expand_conv", kernel=1)
    x = parts.norm_act(x, f"{name}_expand", momentum, "relu6")
    start = {"use_bias": False, "depthwise_initializer": "glorot_normal"}
    x = parts.depthwise(x, name, stride, name, **start)
    x = parts.norm_act(x, f"{name}_dw", momentum, "relu6")
    x = parts.conv(x, channels, f"{name}_project_conv", kernel=1)
    x = parts.norm_act(x, f"{name}_project", momentum)
    if stride == 1 and inputs.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([inputs, x])
    return x
