"""A network whose answer is known, with the layers that a MobileNet-UNet has; not square.

It needs no training: it marks what is redder than blue, and the random weights beside that are too
small to change a mask.
"""

import keras
import numpy as np

from export_net import pictures

H, W = 48, 64


def views() -> tuple[np.ndarray, np.ndarray]:
    """Eight pictures, uint8 (8, H, W, 3), and their masks, float32 (8, H, W)."""
    images, masks = pictures()
    return images[:8, 8:56], masks[:8, 8:56, :, 0]


def warm_net(rescale: bool = True) -> keras.Model:
    """Build the network; without `rescale` it takes -1..1 instead of 0..255."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    x = inputs = keras.Input((H, W, 3), name="picture")
    if rescale:
        x = layers.Rescaling(1 / 127.5, -1)(x)
    first = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)
    x = skip = layers.ReLU(6)(layers.BatchNormalization()(first(x)))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6)(layers.BatchNormalization(name="second")(x))
    x = layers.Concatenate()([x, layers.Add()([x, skip])])
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    last = layers.Conv2D(1, 1, activation="sigmoid")
    model = keras.Model(inputs, last(x), name="warm")
    kernel = first.get_weights()[0] * 0.2
    kernel[..., 0] = np.array([1, 0, -1]) / 9
    first.set_weights([kernel])
    rng = np.random.default_rng(3)
    model.get_layer("second").set_weights(
        [rng.uniform(*ends, 8) for ends in ((0.8, 1.2), (0, 0.1), (-0.1, 0.1), (0.5, 1))]
    )
    ahead = last.get_weights()[0] * 0.1
    ahead[..., 8, 0] = 10  # the sum's first channel
    last.set_weights([ahead, np.array([-4.0])])
    return model
