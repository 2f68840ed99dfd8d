"""Every network by its name: `build("add_unet", size=192)`.

Chapter: the architecture zoo.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import keras

from seglib.errors import SeglibError
from seglib.models.encoder_weights import load_encoder_weights
from seglib.models.mobile_unet import UNetConfig, mobile_unet
from seglib.models.zoo.add_unet import add_unet
from seglib.models.zoo.dense_unet import dense_unet
from seglib.models.zoo.dilated_unet import dilated_unet
from seglib.models.zoo.esp_dense import esp_dense
from seglib.models.zoo.pyramid_pooling import pyramid_pooling
from seglib.models.zoo.residual_bisenet import residual_bisenet
from seglib.models.zoo.residual_matting import residual_matting
from seglib.models.zoo.shuffle_skipnet import shuffle_skipnet
from seglib.models.zoo.transpose_unet import transpose_unet
from seglib.models.zoo.v2_unet import v2_unet

OURS = "mobile_unet"


@dataclass(frozen=True)
class Network:
    """An older network: what builds it, and the encoder whose ImageNet weights it can start from.

    Attributes:
        builder: function of keyword options, each with a default.
        encoder: a key of `seglib.models.encoders.ENCODERS`, or None.
    """

    builder: Callable[..., keras.Model]
    encoder: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Name and default of every option."""
        parameters = inspect.signature(self.builder).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters}


NETWORKS = {
    "add_unet": Network(add_unet, "mobilenet_v1"),
    "transpose_unet": Network(transpose_unet, "mobilenet_v1"),
    "v2_unet": Network(v2_unet, "mobilenet_v2"),
    "dense_unet": Network(dense_unet, "mobilenet_v1"),
    "dilated_unet": Network(dilated_unet),
    "shuffle_skipnet": Network(shuffle_skipnet),
    "esp_dense": Network(esp_dense),
    "residual_bisenet": Network(residual_bisenet),
    "residual_matting": Network(residual_matting),
    "pyramid_pooling": Network(pyramid_pooling, "mobilenet_v2"),
}


@dataclass(frozen=True)
class NetConfig:
    """What an older network is made of, as it is kept beside its weights.

    Attributes:
        network: a key of `NETWORKS`.
        options: the builder's options; those not given take their defaults, so that weights stay
            loadable when a default changes.
    """

    network: str
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise _unknown_network(self.network)
        known = NETWORKS[self.network].options
        _check_options(self.network, self.options, known)
        object.__setattr__(self, "options", {**known, **self.options})

    @property
    def size(self) -> int:
        """Side of the square input in pixels."""
        return self.options["size"]

    @property
    def labels(self) -> tuple[str, ...]:
        """Name of the mask's only channel."""
        return ("mask",)


def list() -> tuple[str, ...]:
    """Return the names that `build` knows: ours first, then the older networks by their age."""
    return (OURS, *NETWORKS)


def configure(name: str, **options: Any) -> UNetConfig | NetConfig:
    """Return the config of a network: what `seglib.models.save` keeps beside its weights.

    Raises:
        SeglibError: the network or an option is unknown, or our own cannot be built so.
    """
    if name != OURS:
        return NetConfig(name, options)
    _check_options(name, options, [entry.name for entry in fields(UNetConfig)])
    return UNetConfig(**options)


def build(name: str, *, encoder_weights: str | Path | None = None, **options: Any) -> keras.Model:
    """Build a network by its name.

    Args:
        name: one of `list()`.
        encoder_weights: None (random start), "imagenet" or a file, see `load_encoder_weights`;
            only for networks with a MobileNet encoder.
        options: the network's own, see its module in `seglib.models.zoo`, or the fields of
            `UNetConfig` for "mobile_unet".

    Returns:
        A model from "image", float32 (batch, size, size, 3) RGB in 0..255, to "mask", float32
        probabilities in 0..1 (batch, size, size, 1); `dense_unet`'s mask has half the side.

    Raises:
        SeglibError: the network or an option is unknown or out of range, or the encoder's weights
            cannot be had.
    """
    return from_config(configure(name, **options), encoder_weights)


def from_config(
    config: UNetConfig | NetConfig, encoder_weights: str | Path | None = None
) -> keras.Model:
    """Build the network that a config describes; arguments and errors as in `build`."""
    if isinstance(config, UNetConfig):
        return mobile_unet(config, encoder_weights)
    network = NETWORKS[config.network]
    if encoder_weights is not None and network.encoder is None:
        able = [OURS, *(name for name, entry in NETWORKS.items() if entry.encoder)]
        raise SeglibError(
            f"{config.network} has no MobileNet encoder that ImageNet weights fit; leave "
            f"encoder_weights out, or choose one of {', '.join(able)}"
        )
    model = network.builder(**config.options)
    if encoder_weights is not None:
        load_encoder_weights(model, encoder_weights, network.encoder, config.options["width"])
    return model


def _check_options(name: str, options: Any, known: Any) -> None:
    unknown = [option for option in options if option not in known]
    if unknown:
        raise SeglibError(
            f"{name} has no option {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )


def _unknown_network(name: object) -> SeglibError:
    return SeglibError(f"there is no network {name!r}; choose one of {', '.join(list())}")
