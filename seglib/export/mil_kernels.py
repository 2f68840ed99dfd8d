"""Operations of Apple's model intermediate language (MIL) that coremltools has no reference for.

`KERNELS` has a function for each, called with MIL's own arguments. Tensors are (batch, channels,
height, width), in float32.

Source: coremltools, MIL operation reference (iOS 15 opset).
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def _window(
    sides: Sequence[int],
    kernel: Sequence[int],
    strides: Any = None,
    pad_type: str = "valid",
    pad: Any = None,
    dilations: Any = None,
) -> tuple[list[int], list[int], list[int], list[tuple[int, int]]]:
    """Return strides, dilations, the kernel's extents and the paddings (before, after)."""
    ones = [1] * len(kernel)
    steps, spread = ([int(n) for n in (ones if x is None else x)] for x in (strides, dilations))
    extents = [(int(k) - 1) * d + 1 for k, d in zip(kernel, spread, strict=True)]
    margins = [(0, 0)] * len(kernel)
    if pad_type == "custom":
        margins = [(int(pad[i]), int(pad[i + 1])) for i in range(0, 2 * len(kernel), 2)]
    elif pad_type != "valid":
        triples = zip(sides, extents, steps, strict=True)
        totals = [max((-(-n // step) - 1) * step + extent - n, 0) for n, extent, step in triples]
        margins = [(total // 2, total - total // 2) for total in totals]
        margins = margins if pad_type == "same" else [pair[::-1] for pair in margins]
    return steps, spread, extents, margins


def _padded(x: np.ndarray, pairs: Sequence[tuple[int, int]], value: float = 0) -> np.ndarray:
    return np.pad(x, [(0, 0), (0, 0), *pairs], constant_values=value)


def _by_group(
    convolve: Callable[..., Any], x: np.ndarray, weight: np.ndarray, groups: int
) -> np.ndarray:
    """Convolve each group of channels with TensorFlow, whose kernels are (h, w, ..., ...)."""
    filters = np.split(weight.transpose(2, 3, 1, 0), groups, -1)
    pairs = zip(np.split(x.transpose(0, 2, 3, 1), groups, -1), filters, strict=True)
    return np.concatenate([convolve(*pair) for pair in pairs], -1).transpose(0, 3, 1, 2)


def _conv(
    x: np.ndarray, weight: np.ndarray, groups: int = 1, bias: Any = 0.0, **window: Any
) -> np.ndarray:
    import tensorflow as tf

    steps, spread, _, margins = _window(x.shape[2:], weight.shape[2:], **window)
    x = _padded(x, margins)
    if groups == x.shape[1] and 1 in (max(steps), max(spread)):  # depthwise
        filters = weight.reshape(groups, -1, *weight.shape[2:]).transpose(2, 3, 0, 1)
        given = x.transpose(0, 2, 3, 1), filters, [1, *steps, 1], "VALID"
        y = np.asarray(tf.nn.depthwise_conv2d(*given, dilations=spread)).transpose(0, 3, 1, 2)
    else:
        options = {"strides": steps, "padding": "VALID", "dilations": spread}
        y = _by_group(lambda a, w: tf.nn.conv2d(a, w, **options), x, weight, groups)
    return y + np.reshape(bias, (-1, 1, 1))


def _conv_transpose(
    x: np.ndarray,
    weight: np.ndarray,
    groups: int = 1,
    output_shape: Any = None,
    bias: Any = 0.0,
    **window: Any,
) -> np.ndarray:
    """Convolve without any padding, then cut off what the forward convolution would have added."""
    import tensorflow as tf

    steps, spread, extents, cuts = _window(x.shape[2:], weight.shape[2:], **window)
    triples = zip(x.shape[2:], steps, extents, strict=True)
    whole = [(n - 1) * step + extent for n, step, extent in triples]

    def convolve(a: np.ndarray, w: np.ndarray) -> Any:
        shape = (len(a), *whole, w.shape[2])
        return tf.nn.conv2d_transpose(a, w, shape, steps, "VALID", dilations=spread)

    y = _by_group(convolve, x, weight, groups)
    sides = [n - sum(pair) for n, pair in zip(whole, cuts, strict=True)]
    if output_shape is not None:
        sides = [int(n) for n in output_shape[2:]]
    elif window.get("pad_type") == "same":
        sides = [n * step for n, step in zip(x.shape[2:], steps, strict=True)]
    *_, ((top, _), (left, _)) = _window(sides, weight.shape[2:], **window)
    ends = top + sides[0], left + sides[1]
    y = _padded(y, [(0, max(end - n, 0)) for end, n in zip(ends, whole, strict=True)])
    return y[:, :, top : ends[0], left : ends[1]] + np.reshape(bias, (-1, 1, 1))


def _seen(
    x: np.ndarray, padding: float, outside: float, kernel_sizes: Any, ceil_mode: bool = False,
    **window: Any,
) -> np.ndarray:  # fmt: skip
    """Return what every window of a pooling sees, as the last axis."""
    steps, _, sizes, margins = _window(x.shape[2:], kernel_sizes, **window)
    beyond = [(0, 0)] * len(sizes)
    if ceil_mode:  # the last window may stick out, but may not start outside
        for axis, (side, size, step) in enumerate(zip(x.shape[2:], sizes, steps, strict=True)):
            padded = side + sum(margins[axis])
            count = -(-(padded - size) // step) + 1
            count -= bool(padded > side and (count - 1) * step >= side + margins[axis][0])
            beyond[axis] = (0, max((count - 1) * step + size - padded, 0))
    x = _padded(_padded(x, margins, padding), beyond, outside)
    view = np.lib.stride_tricks.sliding_window_view(x, sizes, tuple(range(2, x.ndim)))
    view = view[(slice(None), slice(None), *(slice(None, None, step) for step in steps))]
    return view.reshape(*view.shape[: x.ndim], -1)


def _avg_pool(
    x: np.ndarray, exclude_padding_from_average: bool = False, **window: Any
) -> np.ndarray:
    counted = np.ones((1, 1, *x.shape[2:]))
    counts = _seen(counted, float(not exclude_padding_from_average), 0, **window).sum(-1)
    return _seen(x, 0, 0, **window).sum(-1) / counts


def _batch_norm(
    x: np.ndarray, mean: Any, variance: Any, gamma: Any = 1.0, beta: Any = 0.0, epsilon: Any = 1e-5
) -> np.ndarray:
    """Normalise with moments (channels,) or (batch, channels)."""
    terms = mean, gamma / np.sqrt(variance + epsilon), beta
    mean, scale, beta = (np.reshape(a, np.shape(a) + (1,) * (x.ndim - 2)) for a in terms)
    return (x - mean) * scale + beta


def _instance_norm(x: np.ndarray, **given: Any) -> np.ndarray:
    axes = tuple(range(2, x.ndim))
    return _batch_norm(x, x.mean(axes), x.var(axes), **given)


# Where the pixels i = 0 ... m - 1 of a resize from n to m lie in the input.
GRIDS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "STRICT_ALIGN_CORNERS": lambda i, n, m: i * (n - 1) / max(m - 1, 1),
    "ALIGN_CORNERS": lambda i, n, m: i * (n - 1) / (m - 1) if m > 1 else i + (n - 1) / 2,
    "DEFAULT": lambda i, n, m: i * n / m,
    "OFFSET_CORNERS": lambda i, n, m: (i + 0.5) * max(1, n - 1) / m,
    "UNALIGN_CORNERS": lambda i, n, m: (i + 0.5) * n / m - 0.5,
}


def bilinear(x: np.ndarray, sides: tuple[int, int], sampling_mode: str = "DEFAULT") -> np.ndarray:
    """Resize the last two axes by linear interpolation, where a mode of `GRIDS` reads them."""

    def weights(n: int, m: int) -> np.ndarray:
        places = GRIDS[sampling_mode](np.arange(m), n, m).clip(0, n - 1)[:, None]
        return np.maximum(1 - np.abs(places - np.arange(n)), 0).astype(x.dtype)

    rows, columns = map(weights, x.shape[-2:], sides)
    return rows @ x @ columns.T


def _nearest(x: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    for axis, m in zip((-2, -1), sides, strict=True):
        if m % x.shape[axis]:
            raise NotImplementedError("only whole factors say which pixel is the nearest")
        x = x.repeat(m // x.shape[axis], axis)
    return x


def _upsample_bilinear(
    x: np.ndarray, sides: tuple[int, int], align_corners: bool = True,
    half_pixel_centers: bool | None = None,
) -> np.ndarray:  # fmt: skip
    unaligned = "DEFAULT" if half_pixel_centers is False else "UNALIGN_CORNERS"
    return bilinear(x, sides, "STRICT_ALIGN_CORNERS" if align_corners else unaligned)


def _to(resize: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Return a kernel that resizes to a given size."""
    return lambda x, target_size_height=1, target_size_width=1, **mode: resize(
        x, (int(target_size_height), int(target_size_width)), **mode
    )


def _by(resize: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Return a kernel that resizes by given factors."""
    return lambda x, scale_factor_height=1, scale_factor_width=1, **mode: resize(
        x, (int(x.shape[-2] * scale_factor_height), int(x.shape[-1] * scale_factor_width)), **mode
    )


def _in_tensorflow(name: str) -> Callable[..., np.ndarray]:
    """Return a kernel that a function of TensorFlow with the same arguments computes."""

    def kernel(x: np.ndarray, **given: Any) -> np.ndarray:
        import tensorflow as tf

        found = operator.attrgetter(name)(tf)(x.transpose(0, 2, 3, 1), **given)
        return np.asarray(found).transpose(0, 3, 1, 2)

    return kernel


KERNELS: dict[str, Callable[..., np.ndarray]] = {
    "avg_pool": _avg_pool,
    "batch_norm": _batch_norm,
    "batch_to_space": _in_tensorflow("batch_to_space"),
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "depth_to_space": _in_tensorflow("nn.depth_to_space"),
    "instance_norm": _instance_norm,
    "max_pool": lambda x, **window: _seen(x, -np.inf, -np.inf, **window).max(-1),
    "resize_bilinear": _to(bilinear),
    "resize_nearest_neighbor": _to(_nearest),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "space_to_batch": _in_tensorflow("space_to_batch"),
    "upsample_bilinear": _by(_upsample_bilinear),
    "upsample_nearest_neighbor": _by(_nearest),
}
