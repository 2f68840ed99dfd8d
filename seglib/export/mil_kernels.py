"""Operations of Apple's model intermediate language (MIL) in NumPy and TensorFlow.

Those which a MobileNet-UNet and its near relatives turn into. Tensors are (batch, channels, height,
width); arguments have MIL's own names, so that a kernel is called with an operation's inputs as
they stand in the package. Results are float32 or better; the caller rounds them to the type that
the package declares.

Source: coremltools, MIL operation reference (iOS 15 opset).

Chapter: Core ML conversion.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from seglib.errors import SeglibError


def _pads(
    size: int, kernel: int, stride: int, kind: str, given: tuple[int, int]
) -> tuple[int, int]:
    """Return the padding before and after one axis of a convolution."""
    if kind == "valid":
        return 0, 0
    if kind == "custom":
        return given
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if kind == "same" else (large, small)


def _conv(
    x: np.ndarray,
    weight: np.ndarray,
    strides: Any,
    pad_type: str,
    pad: Any,
    dilations: Any,
    groups: int,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    import tensorflow as tf

    steps, spread = [int(n) for n in strides], [int(n) for n in dilations]
    extents = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], spread, strict=True)]
    margins = [
        _pads(x.shape[2 + axis], extents[axis], steps[axis], pad_type, tuple(pad[2 * axis :][:2]))
        for axis in (0, 1)
    ]
    image = np.pad(x.astype(np.float32), [(0, 0), (0, 0), *margins]).transpose(0, 2, 3, 1)
    weight = weight.astype(np.float32)
    if groups == 1:
        y = tf.nn.conv2d(image, weight.transpose(2, 3, 1, 0), steps, "VALID", dilations=spread)
    elif weight.shape[1] == 1:  # one input channel per filter: depthwise
        filters = weight.reshape(image.shape[-1], -1, *weight.shape[2:]).transpose(2, 3, 0, 1)
        y = tf.nn.depthwise_conv2d(image, filters, [1, *steps, 1], "VALID", dilations=spread)
    else:
        raise SeglibError(
            "a grouped convolution that is not depthwise cannot be executed by seglib"
        )
    return _with_bias(y.numpy().transpose(0, 3, 1, 2), bias)


def _conv_transpose(
    x: np.ndarray,
    weight: np.ndarray,
    strides: Any,
    pad_type: str,
    pad: Any,
    dilations: Any,
    groups: int,
    output_shape: Any = None,
    bias: np.ndarray | None = None,
) -> np.ndarray:
    import tensorflow as tf

    if groups != 1 or any(int(n) != 1 for n in dilations):
        raise SeglibError("a grouped or dilated conv_transpose cannot be executed by seglib")
    steps, kernel = [int(n) for n in strides], weight.shape[2:]
    full = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], steps, kernel, strict=True)]
    image = x.astype(np.float32).transpose(0, 2, 3, 1)
    filters = weight.astype(np.float32).transpose(2, 3, 1, 0)
    shape = (x.shape[0], *full, weight.shape[1])
    y = tf.nn.conv2d_transpose(image, filters, shape, steps, "VALID").numpy().transpose(0, 3, 1, 2)
    # A transposed convolution's padding is what the forward one would have added: cut it off.
    sizes = [n * s for n, s in zip(x.shape[2:], steps, strict=True)]
    if pad_type == "valid":
        sizes = full
    elif pad_type == "custom":
        sizes = [full[axis] - int(pad[2 * axis]) - int(pad[2 * axis + 1]) for axis in (0, 1)]
    if output_shape is not None:
        sizes = [int(n) for n in output_shape[2:]]
    starts = [
        _pads(sizes[axis], kernel[axis], steps[axis], pad_type, tuple(pad[2 * axis :][:2]))[0]
        for axis in (0, 1)
    ]
    missing = [max(starts[axis] + sizes[axis] - full[axis], 0) for axis in (0, 1)]
    y = np.pad(y, [(0, 0), (0, 0), (0, missing[0]), (0, missing[1])])
    y = y[:, :, starts[0] : starts[0] + sizes[0], starts[1] : starts[1] + sizes[1]]
    return _with_bias(y, bias)


def _with_bias(y: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    return y if bias is None else y + bias.astype(np.float32)[None, :, None, None]


def _batch_norm(
    x: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    epsilon: float,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
) -> np.ndarray:
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance.astype(np.float32) + epsilon)
    shift = (0.0 if beta is None else beta) - mean * scale
    shape = (1, -1, *[1] * (x.ndim - 2))
    return x * scale.reshape(shape) + shift.reshape(shape)


def _pad(x: np.ndarray, pad: Any, mode: str = "constant", constant_val: float = 0.0) -> np.ndarray:
    pairs = np.asarray(pad).reshape(-1, 2)
    widths = [(0, 0)] * (x.ndim - len(pairs)) + [tuple(pair) for pair in pairs]
    if mode == "constant":
        return np.pad(x, widths, constant_values=constant_val)
    return np.pad(x, widths, mode={"reflect": "reflect", "replicate": "edge"}[mode])


def _bilinear(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Half-pixel centres, without a filter when shrinking."""
    import tensorflow as tf

    image = x.astype(np.float32).transpose(0, 2, 3, 1)
    return tf.image.resize(image, (height, width), "bilinear").numpy().transpose(0, 3, 1, 2)


def _upsample_bilinear(
    x: np.ndarray,
    scale_factor_height: float,
    scale_factor_width: float,
    align_corners: bool,
    half_pixel_centers: bool | None = None,
) -> np.ndarray:
    if align_corners or half_pixel_centers is False:
        raise SeglibError("an upsample_bilinear without half-pixel centres moves masks; rebuild it")
    height, width = x.shape[2] * scale_factor_height, x.shape[3] * scale_factor_width
    return _bilinear(x, round(float(height)), round(float(width)))


def _resize_bilinear(
    x: np.ndarray, target_size_height: int, target_size_width: int, sampling_mode: str, **_: Any
) -> np.ndarray:
    if sampling_mode != "UNALIGN_CORNERS":
        raise SeglibError(
            f"resize_bilinear with {sampling_mode} moves masks; use half-pixel centres"
        )
    return _bilinear(x, int(target_size_height), int(target_size_width))


def _upsample_nearest(
    x: np.ndarray, scale_factor_height: float, scale_factor_width: float
) -> np.ndarray:
    return x.repeat(int(scale_factor_height), axis=2).repeat(int(scale_factor_width), axis=3)


def _resize_nearest(x: np.ndarray, target_size_height: int, target_size_width: int) -> np.ndarray:
    sizes = int(target_size_height), int(target_size_width)
    if any(size % old for size, old in zip(sizes, x.shape[2:], strict=True)):
        raise SeglibError("a resize_nearest_neighbor by a broken factor cannot be executed")
    return _upsample_nearest(x, sizes[0] // x.shape[2], sizes[1] // x.shape[3])


def _slice(
    x: np.ndarray,
    begin: Any,
    end: Any,
    stride: Any = None,
    begin_mask: Any = None,
    end_mask: Any = None,
    squeeze_mask: Any = None,
) -> np.ndarray:
    def given(values: Any, axis: int, otherwise: Any) -> Any:
        return otherwise if values is None else values[axis]

    cuts: list[slice | int] = []
    for axis in range(x.ndim):
        if given(squeeze_mask, axis, False):
            cuts.append(int(begin[axis]))
            continue
        first = None if given(begin_mask, axis, False) else int(begin[axis])
        last = None if given(end_mask, axis, False) else int(end[axis])
        cuts.append(slice(first, last, int(given(stride, axis, 1))))
    return x[tuple(cuts)]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(x.astype(np.float32) / 2)  # the same function, without overflow


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    exponents = np.exp(x.astype(np.float32) - x.max(axis=int(axis), keepdims=True))
    return exponents / exponents.sum(axis=int(axis), keepdims=True)


KERNELS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "batch_norm": _batch_norm,
    "cast": lambda x, dtype: x,  # the result's declared type does the work
    "clip": lambda x, alpha, beta: np.clip(x, alpha, beta),
    "concat": lambda values, axis, interleave=False: np.concatenate(values, axis=int(axis)),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "gather": lambda x, indices, axis, **_: np.take(x, np.asarray(indices, int), axis=int(axis)),
    "identity": lambda x: x,
    "leaky_relu": lambda x, alpha: np.where(x >= 0, x, x * alpha),
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "real_div": lambda x, y: x / y,
    "reduce_mean": lambda x, axes, keep_dims: np.mean(
        x.astype(np.float32), axis=tuple(int(n) for n in axes), keepdims=bool(keep_dims)
    ),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "reshape": lambda x, shape: np.reshape(x, shape),
    "resize_bilinear": _resize_bilinear,
    "resize_nearest_neighbor": _resize_nearest,
    "sigmoid": _sigmoid,
    "slice_by_index": _slice,
    "softmax": _softmax,
    "squeeze": lambda x, axes: np.squeeze(x, axis=tuple(int(n) for n in axes)),
    "sub": lambda x, y: x - y,
    "transpose": lambda x, perm: np.transpose(x, perm),
    "upsample_bilinear": _upsample_bilinear,
    "upsample_nearest_neighbor": _upsample_nearest,
}
