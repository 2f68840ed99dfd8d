"""The book's network: a MobileNet encoder and a light decoder joined by skip connections.

A U-Net (Ronneberger et al., 2015) whose encoder is a MobileNet, as the hair and portrait projects
of 2017-2020 built it, with three changes that their users' troubles suggest: the normalisation is
a layer of the network, the decoder's convolutions are separable, and the last 1x1 convolution runs
before the last upsampling (both are linear and commute, so the mask is the same for a quarter of
the work).

Chapter: MobileNet-UNet design.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from keras import KerasTensor, layers

from seglib.errors import SeglibError, check_types
from seglib.models import blocks
from seglib.models.encoders import ENCODERS, load_encoder_weights

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
        bn_momentum: fraction of the old moving statistics kept at each step. `keras.applications`
            uses 0.999 for MobileNet V2; trained from scratch, inference then lags far behind.
        previous: whether the network also reads the mask of the frame before, as a second input.
            The idea is MediaPipe's (Tkachenka et al., 2019, arXiv 1907.06740): in a video that mask
            is a good guess at the present one, and a network that sees it can keep an outline
            steady where the image leaves it open, which a filter behind the network cannot.
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
        check_types(self)
        channels = self.decoder_channels
        for good, name, hint in (
            (self.size >= 32 and self.size % 32 == 0, "size", "a multiple of 32, such as 128"),
            (self.encoder in ENCODERS, "encoder", f"one of {', '.join(ENCODERS)}"),
            (self.width > 0, "width", "a number above 0, such as 0.5"),
            (self.decoder in DECODERS, "decoder", f"one of {', '.join(DECODERS)}"),
            (len(channels) == 4 and min(channels) > 0, "decoder_channels", "four positive numbers"),
            (0 <= self.dropout < 1, "dropout", "a number from 0 to below 1"),
            (self.labels, "labels", "a name for at least one output channel"),
            (0 <= self.bn_momentum < 1, "bn_momentum", "a number from 0 to below 1"),
        ):
            if not good:
                value = getattr(self, name)
                raise SeglibError(f"UNetConfig's {name} is {value!r}; use {hint}")


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
        shape = (config.size, config.size, len(config.labels))
        inputs = {"image": image, "previous": keras.Input(shape, name="previous", dtype="float32")}
        # Not rescaled: an empty mask is zero and so adds nothing, whatever was learnt for it.
        x = layers.Concatenate(name="with_previous")([x, inputs["previous"]])
    *skips, x = ENCODERS[config.encoder](x, config.width, config.bn_momentum)
    for level, channels in enumerate(config.decoder_channels):
        x = _decoder_level(x, skips.pop(), channels, f"up{level}", config)
    x = layers.Dropout(config.dropout, name="dropout")(x)
    x = layers.Conv2D(len(config.labels), 1, name="logits", dtype="float32")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name="to_full_size", dtype="float32")(x)
    mask = layers.Activation("sigmoid", name="mask", dtype="float32")(x)
    model = keras.Model(inputs, mask, name=f"{config.encoder}_unet")
    if encoder_weights is not None:
        load_encoder_weights(model, encoder_weights, config.encoder, config.width)
    return model


def _decoder_level(
    x: KerasTensor, skip: KerasTensor, channels: int, name: str, config: UNetConfig
) -> KerasTensor:
    """Double the side, join the encoder's map of that side, mix with a separable convolution."""
    if config.decoder == "bilinear":
        x = layers.UpSampling2D(2, interpolation="bilinear", name=f"{name}_resize")(x)
    else:
        x = layers.Conv2DTranspose(channels, 2, 2, use_bias=False, name=f"{name}_transpose")(x)
        x = blocks.normalise(x, f"{name}_transpose", config.bn_momentum)
    skip = blocks.conv(skip, max(channels // 2, 1), f"{name}_skip", config.bn_momentum, act=None)
    x = layers.Concatenate(name=f"{name}_join")([x, skip])
    return blocks.separable(x, channels, name, config.bn_momentum)


def reads_previous(model: keras.Model) -> bool:
    """Tell whether a network has a second input for the mask of the frame before."""
    return [entry.name for entry in model.inputs] == ["image", "previous"]


def add_previous(model: keras.Model, config: UNetConfig) -> tuple[keras.Model, UNetConfig]:
    """Return a copy of a network, built from `config`, that reads the mask of the frame before.

    Its first kernel's new channels are zero: until it is trained further it gives the same masks as
    the network, whatever the mask before. The second value is its config.
    """
    if not isinstance(config, UNetConfig):
        raise SeglibError(
            f"{config.network} has no second input; only mobile_unet can read the mask of the "
            "frame before"
        )
    if config.previous:
        raise SeglibError(f"{model.name} reads the mask of the frame before already; use it as is")
    kernel, *rest = model.get_weights()
    new = np.zeros((*kernel.shape[:2], len(config.labels), kernel.shape[3]), kernel.dtype)
    return _filled(replace(config, previous=True), [np.concatenate([kernel, new], axis=2), *rest])


def drop_previous(model: keras.Model, config: UNetConfig) -> tuple[keras.Model, UNetConfig]:
    """Undo `add_previous`: return a network for single images, a copy, and its config."""
    if not reads_previous(model):
        raise SeglibError(f"{model.name} reads no mask of the frame before; use it as is")
    kernel, *rest = model.get_weights()
    return _filled(replace(config, previous=False), [kernel[:, :, :3], *rest])


def _filled(config: UNetConfig, weights: list[np.ndarray]) -> tuple[keras.Model, UNetConfig]:
    model = mobile_unet(config)
    model.set_weights(weights)
    return model, config
