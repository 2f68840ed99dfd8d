"""A layer at full size that turns a coarse mask into a soft alpha, behind any mask network.

A network's mask is small and its edge a guess of which pixels are whole. The block reads the image
at full size beside the enlarged mask and mixes the two scores by factors of every pixel: about a
thousand parameters (Zhu et al., 2017; see `seglib.models.zoo.residual.feather`).

Chapter: soft matting and sharper edges.
"""

import keras
from keras import KerasTensor, layers

from seglib.errors import SeglibError
from seglib.models.zoo.residual import feather

START = (4.0, -4.0, 0.0)
"""a, b and c before training: the mask, a little sharpened."""


def feathering_block(
    side: int | None = None, channels: int = 8, bn_momentum: float = 0.9
) -> keras.Model:
    """Return the block alone, to train on masks that are at hand.

    Args:
        side: of the image in pixels; None takes images of any size.
        channels: of the inner convolution.
        bn_momentum: fraction of the old moving statistics kept at each step.

    Returns:
        A model from ["image", float32 (batch, height, width, 3) in 0..255, "coarse", float32
        (batch, height, width, 1) in 0..1] to "mask", alpha in 0..1 of that size.
    """
    image = keras.Input((side, side, 3), name="image", dtype="float32")
    coarse = keras.Input((side, side, 1), name="coarse", dtype="float32")
    alpha = _alpha(image, coarse, bn_momentum, channels)
    return _started(keras.Model([image, coarse], alpha, name="feathering"))


def feathered(
    model: keras.Model, scale: int = 2, channels: int = 8, bn_momentum: float = 0.9
) -> keras.Model:
    """Return a network that reads a larger image and feathers a network's mask by it.

    The image is averaged down to what `model` reads, whose mask is enlarged again. `model` is
    frozen (its layers are the same objects, not copies), so training moves the block alone: a
    matter of minutes.

    Args:
        model: "image" (batch, s, s, 3) of values 0..255 to one "mask" (batch, s, s, 1).
        scale: how many times larger the image and the alpha are.
        channels: of the block's inner convolution.
        bn_momentum: fraction of the old moving statistics kept at each step.

    Returns:
        A model from "image", float32 (batch, scale * s, scale * s, 3), 0..255, to "mask", alpha in
        0..1 of the same side.
    """
    shape = tuple(getattr(model, "input_shape", ())[1:])
    if len(shape) != 3 or shape[2] != 3 or model.output_shape[1:] != (*shape[:2], 1):
        raise SeglibError(
            "feathered() needs a network from an image to one mask of the same size, as "
            "seglib.models.build gives it"
        )
    if scale < 1 or channels < 1:
        raise SeglibError(f"scale is {scale} and channels {channels}; use whole numbers from 1")
    height, width, _ = shape
    model.trainable = False
    image = keras.Input((height * scale, width * scale, 3), name="image", dtype="float32")
    small, enlarge = image, None
    if scale > 1:
        small = layers.AveragePooling2D(scale, name="to_coarse_size")(image)
        enlarge = layers.UpSampling2D(scale, interpolation="bilinear", name="to_picture_size")
    mask = enlarge(model(small)) if enlarge else model(small)
    alpha = _alpha(image, mask, bn_momentum, channels)
    return _started(keras.Model(image, alpha, name=f"{model.name}_feathered"))


def _alpha(image: KerasTensor, mask: KerasTensor, bn_momentum: float, channels: int) -> KerasTensor:
    rest = layers.Rescaling(-1.0, 1.0, name="rest_of_mask")(mask)
    scores = layers.Concatenate(name="rest_and_person")([rest, mask])
    scaled = layers.Rescaling(1 / 127.5, -1.0, name="rescale_picture")(image)
    return feather(scaled, scores, bn_momentum, channels)


def _started(model: keras.Model) -> keras.Model:
    model.get_layer("feather_factors").bias.assign(START)
    return model
