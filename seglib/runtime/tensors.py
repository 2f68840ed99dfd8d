"""What the tensors of a model file hold, and how numbers get in and out of them.

Chapter: TFLite conversion.
"""

from typing import Any

import numpy as np


def is_previous(tensor: dict[str, Any]) -> bool:
    """Tell whether an input is the one that takes the mask of the frame before."""
    return "previous" in tensor["name"].rpartition("/")[2]


def quantise(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Turn real values into what an input tensor holds: value = scale * (integer - zero)."""
    dtype = np.dtype(tensor["dtype"])
    if dtype == np.float32:
        return values
    scale, zero = tensor["quantization"]
    limits = np.iinfo(dtype)
    return np.rint(values / (scale or 1) + zero).clip(limits.min, limits.max).astype(dtype)


def dequantise(values: np.ndarray, tensor: dict[str, Any]) -> np.ndarray:
    """Turn what an output tensor holds into real values, float32."""
    if values.dtype == np.float32:
        return values
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale or 1)


def one_line(error: Exception) -> str:
    """Return the beginning of an error's text without line breaks."""
    return " ".join(str(error).split())[:160]
