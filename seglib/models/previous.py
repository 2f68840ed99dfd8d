"""Networks that also read the mask of the frame before, made from networks that do not.

On film the mask of the frame before is a good guess at the present one. A network that sees it as
one more channel of its input can keep an outline steady where the picture leaves it open, which a
filter behind the network cannot. The idea is MediaPipe's, for its hair and selfie segmentation
(Tkachenka et al., "Real-time Hair Segmentation and Recoloring on Mobile GPUs", 2019,
arXiv 1907.06740).

The mask is not rescaled, so an empty one is zero and adds nothing to the first convolution: without
a frame before, such a network is one of three channels, and can be turned into one.

Chapter: real-time video.
"""

from dataclasses import replace

import keras
import numpy as np

from seglib.errors import SeglibError
from seglib.models.mobile_unet import UNetConfig, mobile_unet


def reads_previous(model: keras.Model) -> bool:
    """Tell whether a network has a second input for the mask of the frame before."""
    return [entry.name for entry in model.inputs] == ["image", "previous"]


def add_previous(model: keras.Model, config: UNetConfig) -> tuple[keras.Model, UNetConfig]:
    """Return a copy of a network that reads the mask of the frame before.

    The first kernel's new channels are zero, so the copy gives the same masks as the network until
    it is trained further, whatever the mask before.

    Args:
        model: built from `config`.
        config: without `previous`.

    Returns:
        The copy and its config.

    Raises:
        SeglibError: the network reads such a mask already, or is not our own.
    """
    if not isinstance(config, UNetConfig):
        raise SeglibError(
            f"{config.network} has no second input; only mobile_unet can read the mask of the "
            "frame before"
        )
    if config.previous:
        raise SeglibError(f"{model.name} reads the mask of the frame before already; use it as is")
    config = replace(config, previous=True)
    kernel, *rest = model.get_weights()
    new = np.zeros((*kernel.shape[:2], len(config.labels), kernel.shape[3]), kernel.dtype)
    return _filled(config, [np.concatenate([kernel, new], axis=2), *rest])


def drop_previous(model: keras.Model, config: UNetConfig) -> tuple[keras.Model, UNetConfig]:
    """Return the network for single pictures that a network is where the mask before is empty.

    Args:
        model: built from `config`.
        config: with `previous`.

    Returns:
        The network without the second input, and its config; its weights are copies.

    Raises:
        SeglibError: the network reads no such mask.
    """
    if not config.previous:
        raise SeglibError(f"{model.name} reads no mask of the frame before; use it as is")
    config = replace(config, previous=False)
    kernel, *rest = model.get_weights()
    return _filled(config, [kernel[:, :, :3], *rest])


def _filled(config: UNetConfig, weights: list[np.ndarray]) -> tuple[keras.Model, UNetConfig]:
    model = mobile_unet(config)
    model.set_weights(weights)
    return model, config
