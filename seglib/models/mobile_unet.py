"""The book's network: a MobileNet encoder and a light decoder joined by skip connections.

A U-Net (Ronneberger et al., 2015) whose encoder is a MobileNet, as the hair and portrait projects
of 2017-2020 built it, with three changes that their users' troubles suggest: the normalisation is
a layer of the network, the decoder's convolutions are separable, and the last 1x1 convolution runs
before the last upsampling (both are linear and commute, so the mask is the same for a quarter of
the work).

Chapter: MobileNet-UNet design.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
from keras import KerasTensor, layers

from seglib.errors import SeglibError
from seglib.models import blocks
from seglib.models.encoder_weights import load_encoder_weights
from seglib.models.encoders import ENCODERS

DECODERS = ("bilinear", "transpose")


@dataclass(frozen=True)
class UNetConfig:
    """What a MobileNet-UNet is made of.

    Attributes:
        size: side of the square input in pixels, a multiple of 32.
        encoder: "mobilenet_v2", "mobilenet_v1", "mobilenet_v3_small", "mobilenet_v3_large",
            "efficientnet_lite0" or "efficientnet_lite0_short" (nine of its sixteen blocks).
        width: factor on the encoder's channels (MobileNet's alpha), > 0; with EfficientNet-Lite0,
            on the channels inside its blocks.
        decoder: "bilinear" (resize, then separable convolution) or "transpose" (2x2 transposed
            convolution, stride 2, then separable convolution), which LiteRT's GPU accelerator 2.3
            refuses once the converter has fused its BatchNorm and ReLU; see `seglib audit`.
        decoder_channels: channels at 1/16, 1/8, 1/4 and 1/2 of the input's side.
        dropout: rate before the last convolution, 0 to < 1; acts in training only.
        labels: name of each output channel, for example ("person",) or ("person", "hair").
        bn_momentum: share of the old moving statistics kept at each step. `keras.applications`
            uses 0.999 for MobileNet V2; trained from scratch, inference then lags far behind.
        previous: whether the network also reads the mask of the frame before, as a second input;
            see `seglib.models.previous`.
    """

    size: int = 128
    encoder: str = "mobilenet_v2"
    width: float = 0.5
    decoder: str = "bilinear"
    decoder_channels: tuple[int, int, int, int] = (96, 64, 32, 24)
    dropout: float = 0.1
    labels: tuple[str, ...] = ("mask",)
    bn_momentum: float = 0.9
    previous: bool = False

    def __post_init__(self) -> None:
        # JSON knows lists only; a config read from a file must equal the one written.
        object.__setattr__(self, "decoder_channels", tuple(self.decoder_channels))
        object.__setattr__(self, "labels", tuple(self.labels))
        problem = _problem(self)
        if problem:
            raise SeglibError(f"UNetConfig cannot be built: {problem}")


def _problem(config: UNetConfig) -> str | None:
    if config.size < 32 or config.size % 32:
        return f"size is {config.size}; use a multiple of 32, such as 128 or 160"
    if config.encoder not in ENCODERS:
        return f"encoder is {config.encoder!r}; use one of {', '.join(ENCODERS)}"
    if config.decoder not in DECODERS:
        return f"decoder is {config.decoder!r}; use one of {', '.join(DECODERS)}"
    if config.width <= 0:
        return f"width is {config.width}; use a number above 0, such as 0.5"
    if len(config.decoder_channels) != 4 or min(config.decoder_channels) < 1:
        return f"decoder_channels is {config.decoder_channels}; use four positive numbers"
    if not 0 <= config.dropout < 1:
        return f"dropout is {config.dropout}; use a number from 0 to below 1"
    if not config.labels:
        return "labels is empty; name at least one output channel"
    return None


def mobile_unet(
    config: UNetConfig = UNetConfig(), encoder_weights: str | Path | None = None
) -> keras.Model:
    """Build the network.

    Args:
        config: what it is made of.
        encoder_weights: where the encoder starts: None (random), "imagenet" (downloaded once) or
            a file of such weights; see `load_encoder_weights`.

    Returns:
        A model from "image", float32 (batch, size, size, 3) RGB in 0..255, to "mask", float32
        (batch, size, size, len(labels)), probabilities in 0..1. Rescaling to -1..1 is the first
        layer, so no caller can feed the wrong range. With `config.previous` there is a second
        input, "previous", of the mask's shape: the mask of the frame before, in 0..1, or zeros
        where there is none. Such a model is called with {"image": ..., "previous": ...}.

    Raises:
        SeglibError: the encoder's weights cannot be had, or are to go into a network whose first
            kernel they do not fit.
    """
    if config.previous and encoder_weights is not None:
        raise SeglibError(
            "encoder weights fit a network of three input channels; build it without previous, "
            "train it, and give the result to seglib.models.add_previous"
        )
    image = keras.Input((config.size, config.size, 3), name="image", dtype="float32")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)
    inputs = image
    if config.previous:
        inputs = {"image": image, "previous": _previous_input(config)}
        # Not rescaled: an empty mask is zero and so adds nothing, whatever was learnt for it.
        x = layers.Concatenate(name="with_previous")([x, inputs["previous"]])
    *skips, x = ENCODERS[config.encoder](x, config.width, config.bn_momentum)
    for level, (skip, channels) in enumerate(
        zip(reversed(skips), config.decoder_channels, strict=True)
    ):
        x = _decoder_level(x, skip, channels, f"up{level}", config)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Conv2D(len(config.labels), 1, name="logits", dtype="float32")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="to_full_size", dtype="float32")(x)
    mask = layers.Activation("sigmoid", name="mask", dtype="float32")(x)
    model = keras.Model(inputs, mask, name=f"{config.encoder}_unet")
    if encoder_weights is not None:
        load_encoder_weights(model, encoder_weights, config.encoder, config.width)
    return model


def _previous_input(config: UNetConfig) -> KerasTensor:
    shape = (config.size, config.size, len(config.labels))
    return keras.Input(shape, name="previous", dtype="float32")


def _decoder_level(
    x: KerasTensor, skip: KerasTensor, channels: int, name: str, config: UNetConfig
) -> KerasTensor:
    """Double the side, join the encoder's map of that side, mix with a separable convolution."""
    if config.decoder == "bilinear":
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
    else:
        x = layers.Conv2DTranspose(channels, 2, 2, use_bias=False, name=f"{name}_transpose")(x)
        x = blocks.normalise(x, f"{name}_transpose", config.bn_momentum)
    skip = blocks.conv(skip, max(channels // 2, 1), f"{name}_skip", config.bn_momentum, act=False)
    x = layers.Concatenate(name=f"{name}_join")([x, skip])
    return blocks.separable(x, channels, name, config.bn_momentum)
