"""What the older networks share: value scaling, convolutions padded all round, activations.

Chapter: the architecture zoo.
"""

from collections.abc import Collection
from typing import Any

import keras
from keras import KerasTensor, layers, ops

from seglib.errors import SeglibError

# value * factor + offset, per channel in the order R, G, B; the scalings the networks were
# trained with, so that the cost of mixing them up can be measured.
SCALINGS: dict[str, tuple[Any, Any]] = {
    "unit": (1 / 255, 0.0),
    "symmetric": (1 / 127.5, -1.0),
    # akirasosa's statistics of LFW: one mean for all channels.
    "hair": (
        tuple(1 / std for std in (69.883, 63.374, 61.386)),
        tuple(-29.244 / std for std in (69.883, 63.374, 61.386)),
    ),
    # anilsathyan7's training: standardised by statistics meant for 0..1, and then divided by 255.
    "portrait": (
        tuple(1 / (255 * std) for std in (0.289, 0.278, 0.286)),
        tuple(
            -mean / (255 * std)
            for mean, std in zip((0.507, 0.477, 0.446), (0.289, 0.278, 0.286), strict=True)
        ),
    ),
    # lizhengwei1992's means 104, 112, 121 were in the order B, G, R.
    "centred": (1 / 255, tuple(-mean / 255 for mean in (121, 112, 104))),
}


def picture(size: int, multiple: int, scaling: str) -> tuple[KerasTensor, KerasTensor]:
    """Return the input "image" of a network and its scaled values.

    Args:
        size: side in pixels.
        multiple: what the side must be a multiple of.
        scaling: a key of `SCALINGS`.

    Raises:
        SeglibError: the size does not fit or the scaling is unknown.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < multiple or size % multiple:
        raise SeglibError(
            f"size is {size}; use a multiple of {multiple}, such as {4 * multiple}, for this "
            "network"
        )
    check_choice("scaling", scaling, SCALINGS)
    image = keras.Input((size, size, 3), name="image", dtype="float32")
    factor, offset = SCALINGS[scaling]
    return image, layers.Rescaling(factor, offset, name="rescale")(image)


def check_choice(option: str, value: object, allowed: Collection[str]) -> None:
    """Raise SeglibError unless an option has one of its allowed values."""
    if value not in allowed:
        raise SeglibError(f"{option} is {value!r}; use one of {', '.join(allowed)}")


def check_positive(**numbers: float) -> None:
    """Raise SeglibError unless every number given is above 0."""
    for option, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            raise SeglibError(f"{option} is {value!r}; use a number above 0")


def check_share(**numbers: float) -> None:
    """Raise SeglibError unless every number given is from 0 to below 1."""
    for option, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise SeglibError(f"{option} is {value!r}; use a number from 0 to below 1")


def probability(logits: KerasTensor) -> KerasTensor:
    """The sigmoid named "mask", computed in float32 under any precision policy."""
    return layers.Activation("sigmoid", name="mask", dtype="float32")(logits)


def conv(
    x: KerasTensor,
    channels: int,
    name: str,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    bias: bool = False,
    initializer: Any = "glorot_normal",
) -> KerasTensor:
    """A convolution as PyTorch pads it: the same number of zeros on all four sides."""
    padding = "same"
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.Conv2D(
        channels,
        kernel,
        stride,
        padding=padding,
        dilation_rate=dilation,
        groups=groups,
        use_bias=bias,
        kernel_initializer=initializer,
        name=name,
    )(x)


def norm_act(
    x: KerasTensor, name: str, momentum: float, act: str | None = None, epsilon: float = 1e-5
) -> KerasTensor:
    """BatchNorm, then `act`: "relu", "relu6", "prelu", "leaky_relu" or None for none."""
    x = layers.BatchNormalization(momentum=momentum, epsilon=epsilon, name=f"{name}_bn")(x)
    return activate(x, name, act)


def activate(x: KerasTensor, name: str, act: str | None) -> KerasTensor:
    """Apply an activation by name; a PReLU learns one slope per channel, from 0.25 on."""
    if act is None:
        return x
    if act == "prelu":
        return prelu(f"{name}_prelu")(x)
    if act == "leaky_relu":
        return layers.LeakyReLU(negative_slope=0.3, name=f"{name}_leaky")(x)
    return layers.ReLU(6.0 if act == "relu6" else None, name=f"{name}_relu")(x)


def prelu(name: str) -> layers.PReLU:
    """A PReLU layer with one slope per channel, from 0.25 on."""
    # Without shared_axes Keras learns a slope for every pixel.
    start = keras.initializers.Constant(0.25)
    return layers.PReLU(alpha_initializer=start, shared_axes=[1, 2], name=name)


def nearest(x: KerasTensor, name: str, dtype: str | None = None) -> KerasTensor:
    """Repeat every pixel twice along the rows and the columns."""
    # UpSampling2D does the same, but becomes reshaping and tiling in a .tflite, not one operation.
    height, width = x.shape[1:3]
    return layers.Resizing(2 * height, 2 * width, "nearest", name=name, dtype=dtype)(x)


def average_pool(x: KerasTensor, name: str) -> KerasTensor:
    """Mean of 3x3 at stride 2, zeros around the map counted in."""
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.AveragePooling2D(3, 2, name=name)(x)


@keras.saving.register_keras_serializable(package="seglib")
class Channels(layers.Layer):
    """The channels `start` to `stop` (exclusive) of a map."""

    def __init__(self, start: int, stop: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.stop = start, stop

    def call(self, x: KerasTensor) -> KerasTensor:
        """Cut the channels out."""
        return x[..., self.start : self.stop]

    def compute_output_shape(self, shape: tuple) -> tuple:
        """All axes but the last stay."""
        return (*shape[:-1], self.stop - self.start)

    def get_config(self) -> dict[str, Any]:
        """What it takes to make the layer again."""
        return {**super().get_config(), "start": self.start, "stop": self.stop}


@keras.saving.register_keras_serializable(package="seglib")
class LowPadding2D(layers.Layer):
    """One row and column all round that no maximum ever picks."""

    def call(self, x: KerasTensor) -> KerasTensor:
        """Pad with the lowest number that float16 also holds."""
        return ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-65504.0)

    def compute_output_shape(self, shape: tuple) -> tuple:
        """Height and width grow by two."""
        batch, height, width, channels = shape
        return batch, height + 2, width + 2, channels
