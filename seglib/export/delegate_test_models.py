"""Small networks whose tails a phone's GPU takes or refuses, one trap each, as `.tflite` bytes.

`export.audit` must say of each what LiteRT's GPU accelerator says; `make test-gpu` compares them.

Chapter: the GPU delegate and flattened output.
"""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from seglib.errors import SeglibError
from seglib.export.converters import operations, quiet

SHAPE = (1, 16, 16, 8)


def _kernel(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _conv(x: tf.Tensor) -> tf.Tensor:
    return tf.nn.conv2d(x, _kernel(0, 3, 3, x.shape[-1], 8), 1, "SAME")


def _resize(**flags: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda x: tf.raw_ops.ResizeBilinear(images=x, size=(32, 32), **flags)


def _written_out(x: tf.Tensor) -> tf.Tensor:
    """Softmax in single steps, as some published files have it."""
    e = tf.exp(x - tf.reduce_max(x, -1, keepdims=True))
    return e / tf.reduce_sum(e, -1, keepdims=True)


def _transposed(x: tf.Tensor, bias: float = 0.5) -> tf.Tensor:
    return tf.nn.conv2d_transpose(x, _kernel(2, 2, 2, 1, x.shape[-1]), (1, 32, 32, 1), 2) + bias


def _shuffled(x: tf.Tensor) -> tf.Tensor:
    x = tf.transpose(tf.reshape(x, (1, 16, 16, 2, 4)), (0, 1, 2, 4, 3))
    return tf.reshape(x, SHAPE)


# name: (what follows a convolution, whether the whole network is taken)
TAILS: dict[str, tuple[Callable[[tf.Tensor], tf.Tensor], bool]] = {
    "sigmoid": (tf.sigmoid, True),
    "softmax": (tf.nn.softmax, True),
    "flat output": (lambda x: tf.reshape(x, (1, -1)), True),
    "bilinear upsampling": (lambda x: tf.image.resize(x, (32, 32)), True),
    "bilinear upsampling, aligned corners": (_resize(align_corners=True), True),
    "bilinear upsampling, legacy": (_resize(), True),
    "transposed convolution": (lambda x: _transposed(x, 0), True),
    "transposed convolution, bias, relu": (lambda x: tf.nn.relu(_transposed(x)), False),
    "transposed convolution, bias, hard swish": (
        lambda x: _transposed(x) * tf.nn.relu6(_transposed(x, 3.5)) / 6, True),
    "transposed convolution, bias, concatenation, relu": (
        lambda x: tf.nn.relu(tf.concat([_transposed(x), tf.image.resize(x, (32, 32))], -1)), True),
    "softmax in single steps": (_written_out, True),
    "nearest upsampling by resize": (lambda x: tf.image.resize(x, (32, 32), "nearest"), True),
    "parametric relu": (lambda x: tf.maximum(x, 0.0) - 0.2 * tf.maximum(-x, 0.0), True),
    "hard swish": (lambda x: x * tf.nn.relu6(x + 3) / 6, True),
    "squeeze and excite": (lambda x: x * tf.sigmoid(tf.reduce_mean(x, (1, 2), True)), True),
    "class numbers, int32": (lambda x: tf.argmax(x, -1, output_type=tf.int32), True),
    "rounded": (lambda x: tf.math.ceil(tf.abs(x)), True),
    "channels kept in a slice": (lambda x: x[..., 0:1], True),
    "nearest upsampling by repeating": (lambda x: tf.repeat(tf.repeat(x, 2, 1), 2, 2), False),
    "class numbers, int64": (lambda x: tf.argmax(x, -1), False),
    "log softmax": (tf.nn.log_softmax, False),
    "a row picked by number": (lambda x: x[:, 0], False),
    "pixels gathered": (lambda x: tf.gather_nd(x, [[0, 1], [0, 2]]), False),
    "broadcast": (lambda x: tf.broadcast_to(x[:, :1, :1], SHAPE), False),
    "channel shuffle in rank 5": (_shuffled, False),
    # A flattened output, as Keras models come; the runtime takes a batch not asked for as 1.
    "open batch, asked for": (lambda x: tf.reshape(x, (tf.shape(x)[0], -1)), False),
    "open batch, not asked for": (tf.sigmoid, True),
    "activations of 16 bits": (tf.sigmoid, False),
}  # fmt: skip


# Those whose trap is not in the tail.
WHOLE = ("open batch, asked for", "open batch, not asked for", "activations of 16 bits")


@functools.cache
def names() -> dict[str, bool]:
    """Return every test network, and whether the accelerator takes the whole of it."""
    found = {name: taken for name, (_, taken) in TAILS.items()}
    # TensorFlow 2.19 writes a float broadcast as a multiplication, which is no trap.
    if "BROADCAST_TO" not in operations(network("broadcast")):
        del found["broadcast"]
    return found


@functools.cache
def network(name: str) -> bytes:
    """Return a test network as the bytes of a `.tflite`; takes a moment, then it is kept."""
    if name not in TAILS:
        raise SeglibError(f"there is no test network {name!r}; there are {', '.join(TAILS)}")
    module, batch = tf.Module(), None if name.startswith("open batch") else 1
    module.forward = tf.function(
        lambda x: TAILS[name][0](_conv(x)),
        input_signature=[tf.TensorSpec((batch, *SHAPE[1:]), tf.float32)],
    )
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [module.forward.get_concrete_function()], module
        )
        if name == "activations of 16 bits":
            samples = np.random.default_rng(1).normal(size=(4, *SHAPE)).astype(np.float32)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([sample] for sample in samples)
            converter.target_spec.supported_ops = [
                tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            ]
        return converter.convert()
