"""Every network to every target, each file's masks beside the Keras model's.

The whole matrix runs by `make test-exports`, three networks to three targets with every test.
"""

import warnings

import keras
import numpy as np
import pytest

from seglib import models
from seglib.export import TARGETS, convert
from seglib.export.converters import probe_images
from seglib.export.parity import backends
from seglib.runtime.engines import KerasEngine, run_images

layers = keras.layers
# Largest and mean difference that rounding may bring to a network which is not trained.
ROUNDING = {"float32": (1e-3, 1e-4), "float16": (1, 0.02)}


def u_net(block):
    """The U-Net of keras.io's tutorials: pooling, nearest upsampling, three classes; narrow."""
    x = inputs = keras.Input((160, 160, 3))
    x, skips = layers.Rescaling(1 / 255)(x), []
    for width in (8, 16):
        x = block(x, width)
        skips.append(x)
        x = layers.MaxPooling2D(2)(x)
    x = block(x, 32)
    for width in (16, 8):
        x = layers.Concatenate()([layers.UpSampling2D(2)(x), skips.pop()])
        x = block(x, width)
    return keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(x))


def plain(x, width):
    return layers.Conv2D(width, 3, padding="same", activation="relu")(x)


def modern(x, width):
    """Batch or group norm, SiLU, squeeze and excite, and a GELU."""
    x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
    norm = layers.BatchNormalization() if width < 32 else layers.GroupNormalization(4)
    x = layers.Activation("silu")(norm(x))
    weights = layers.Dense(width // 2, "gelu")(layers.GlobalAveragePooling2D(keepdims=True)(x))
    return layers.Multiply()([x, layers.Dense(width, "sigmoid")(weights)])


def network(name):
    """Build a network, small where it can be, with statistics that are not those of a new one."""
    keras.utils.set_random_seed(3)
    if name in ("u_net", "modern u_net"):
        model = u_net(plain if name == "u_net" else modern)
    else:
        narrow = {"width": 0.25} if name in ("mobile_unet", "add_unet", "transpose_unet") else {}
        model = models.build(name, size=192 if name == "pyramid_pooling" else 64, **narrow)
    rng = np.random.default_rng(3)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            near = {"gamma": (0.8, 1.2), "moving_variance": (0.8, 1.2)}
            for weight in layer.weights:
                low, high = near.get(weight.name, (-0.2, 0.2))
                weight.assign(rng.uniform(low, high, weight.shape))
        if layer.name == "logits" and name == "mobile_unet":  # its masks would be nearly flat
            layer.kernel.assign(5 * layer.kernel)
    return model


def check(name, targets, folder):
    """Write a network to targets; return what is not as the model, with the reason."""
    model, wrong = network(name), []
    images = probe_images(model.input_shape[1:])
    expected = run_images(KerasEngine(model), images)
    assert np.ptp(expected) > 0.005
    for target in targets:
        chosen = TARGETS[target]
        options = {"representative": images} if "representative" in chosen.options else {}
        try:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                path = convert(model, target, folder / f"x{chosen.suffix}", **options)
            unseen = [str(n.message) for n in notes if "was not checked" in str(n.message)]
            assert bool(unseen) == ("neuralnetwork" in target), unseen
            if unseen:
                assert str(path) in unseen[0] and "on a Mac" in unseen[0]
                continue
            masks = backends(path)[0].open()(images, {}).reshape(expected.shape)
            gaps = np.abs(masks - expected)
            most, mean = ROUNDING.get(chosen.fixed.get("precision", "float32"), (1, 0.15))
            assert gaps.max() <= most and gaps.mean() <= mean, (gaps.max(), gaps.mean())
        except Exception as error:
            wrong.append(f"{name} to {target}: {error}")
    return wrong


@pytest.mark.parametrize("name", ["u_net", "modern u_net", "transpose_unet"])
def test_a_few_networks_to_a_few_targets(name, tmp_path):
    assert not check(name, ["tflite-float32", "coreml-float32", "ncnn-float32"], tmp_path)


@pytest.mark.exports
@pytest.mark.parametrize("name", ["u_net", "modern u_net", *models.list()])
def test_every_network_to_every_target(name, tmp_path):
    assert not check(name, TARGETS, tmp_path)
