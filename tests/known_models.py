"""TFLite models whose answer is known, made in the test: the mask is the photo's red channel."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from seglib.metadata import write_metadata

H, W = 16, 24


def build(function, path: Path, metadata=None, shape=(1, H, W, 3), integer: bool = False) -> Path:
    """Write `function`, image 0..255 -> mask, as a `.tflite`."""
    traced = tf.function(function, input_signature=[tf.TensorSpec(shape)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced.get_concrete_function()])
    if integer:
        rng = np.random.default_rng(0)
        photos = rng.integers(0, 256, (8, *shape)).astype(np.float32)
        photos[0], photos[1] = 0, 255
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([photo] for photo in photos)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    path.write_bytes(converter.convert())
    if metadata is not None:
        write_metadata(path, metadata)
    return path


def red(image):
    """Return the red channel in 0..1."""
    return tf.nn.conv2d(image, tf.constant([[[[1 / 255], [0.0], [0.0]]]]), 1, "SAME")


def build_film(path: Path, shape: tuple[int, int, int, int] = (1, H, W, 1)) -> Path:
    """Write image, previous -> the mean of the red channel and the middle of the mask before."""

    def film(image, previous):
        return {"mask": red(image) / 2 + tf.reduce_mean(previous) / 2}

    signature = [tf.TensorSpec((1, H, W, 3), name="image"), tf.TensorSpec(shape, name="previous")]
    module = tf.Module()
    module.film = tf.function(film, input_signature=signature)
    traced = module.film.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], module)
    path.write_bytes(converter.convert())
    write_metadata(path, {"value_range": [0, 255]})
    return path
