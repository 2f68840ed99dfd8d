"""One small network, trained for seconds to find a warm shape in a cool picture, and its exports.

The task is easy so that a few steps give a network which is sure of its masks, as a trained one is.
"""

import functools
import tempfile
from pathlib import Path

import keras
import numpy as np

from seglib.export import to_coreml, to_tflite
from seglib.models import UNetConfig, mobile_unet

SIZE = 64
FOLDER = Path(tempfile.mkdtemp(prefix="seglib-exports-"))


@functools.cache
def pictures() -> tuple[np.ndarray, np.ndarray]:
    """uint8 images (96, 64, 64, 3) and masks (96, 64, 64, 1) of an ellipse away from the middle."""
    rng = np.random.default_rng(5)
    count = 96
    y, x = np.mgrid[0:1:64j, 0:1:64j]
    centre, size = (
        rng.uniform(0.2, 0.6, (2, count, 1, 1)),
        rng.uniform(0.12, 0.35, (2, count, 1, 1)),
    )
    masks = ((y - centre[0]) / size[0]) ** 2 + ((x - centre[1]) / size[1]) ** 2 < 1
    warm, cool = rng.uniform((150, 60, 0), (255, 160, 90), (count, 1, 1, 3)), (40, 90, 170)
    images = np.where(masks[..., None], warm, cool) + rng.normal(0, 15, (count, 64, 64, 3))
    return images.clip(0, 255).astype(np.uint8), masks[..., None].astype(np.float32)


@functools.cache
def net() -> keras.Model:
    """MobileNet V1, bilinear decoder; its masks are neither flat nor symmetric."""
    keras.utils.set_random_seed(1)
    model = mobile_unet(
        UNetConfig(SIZE, "mobilenet_v1", 0.25, decoder_channels=(24, 16, 16, 12), dropout=0.0)
    )
    # Tracing a training graph takes longer than these few steps do without one.
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", run_eagerly=True)
    images, masks = pictures()
    model.fit(images.astype(np.float32), masks, batch_size=16, epochs=6, verbose=0)
    return model


@functools.cache
def other_net() -> keras.Model:
    """MobileNet V2, transpose decoder, random weights and statistics: the other half of the ops."""
    keras.utils.set_random_seed(2)
    model = mobile_unet(
        UNetConfig(SIZE, "mobilenet_v2", 0.35, "transpose", (24, 16, 16, 12), labels=("a", "b"))
    )
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            ranges = ((0.8, 1.4), (-0.3, 0.3), (-0.2, 0.2), (0.3, 0.9))
            layer.set_weights([rng.uniform(*ends, shape) for ends in ranges])
    return model


@functools.cache
def tflite(precision: str, flat: bool = False, integer_io: bool = False) -> Path:
    """A .tflite of the trained network."""
    return to_tflite(
        net(),
        FOLDER / f"{precision}-{flat}-{integer_io}.tflite",
        precision,
        flat=flat,
        representative=pictures()[0][:32] if precision == "int8" else None,
        metadata={"name": "small", "labels": ["shape"], "licence": "Apache-2.0"},
        integer_io=integer_io,
    )


@functools.cache
def coreml(precision: str) -> Path:
    """A Core ML package of the trained network."""
    return to_coreml(
        net(),
        FOLDER / f"{precision}.mlpackage",
        precision,
        {"author": "the authors", "licence": "Apache-2.0", "description": "small net"},
    )


def masks_of(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What Keras gives for uint8 images."""
    return np.asarray(model(images.astype(np.float32), training=False))
