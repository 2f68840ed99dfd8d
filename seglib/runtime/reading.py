"""How a model reads a picture: the keys of a file's metadata that say so, and what they mean.

Pixels 0..255 become values from `value_range[0]` (black) to `value_range[1]` (white), by default
0..255. Then each channel is `(x - mean) / std`, in units of that range and in the order in which
the model reads the `channels`, "rgb" or "bgr". Exporters write the keys, and runtime, calibration
and verification obey them.
"""

from typing import Any

import numpy as np

from seglib.errors import SeglibError

_COUNTS = {"value_range": 2, "mean": 3, "std": 3}


def checked_reading(known: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the keys of a reading that are known, complete and checked, and no others.

    Without a range, 0..1 is meant where mean and std are of torchvision's kind, none above 1.

    Args:
        known: metadata, or what a caller says; None says nothing.
        name: what an error calls the model.
    """
    said = {key: known[key] for key in ("channels", *_COUNTS) if known.get(key) is not None}
    reading = {"channels": "rgb", "value_range": (0.0, 255.0)} | said
    try:
        for key in _COUNTS.keys() & reading.keys():
            numbers = np.broadcast_to(np.asarray(reading[key], float), _COUNTS[key])
            reading[key] = tuple(numbers.tolist())
        mean, std = reading.get("mean", ()), reading.get("std", ())
        if mean and "value_range" not in said and max(map(abs, mean + std)) <= 1:
            # Mean 0 and a small std fit any range: equal ends, which are refused.
            reading["value_range"] = (0.0, 1.0 if any(mean) else 0.0)
        numbers = reading["value_range"] + mean + std
        good = np.isfinite(numbers).all() and len(set(reading["value_range"])) == 2
        good = good and len(mean) == len(std) and min(std, default=1) > 0
    except (TypeError, ValueError):
        good = False
    if not good or reading["channels"] not in ("rgb", "bgr"):
        raise SeglibError(
            f"{name} cannot read pictures as {said}: value_range is (black, white), mean and std "
            "are three numbers each, std above 0, and channels is 'rgb' or 'bgr'"
        )
    return reading


def model_input(images: np.ndarray, reading: dict[str, Any]) -> np.ndarray:
    """Return RGB images (..., 3) of 0..255 as the float32 values that a model reads."""
    low, high = reading.get("value_range", (0, 255))
    values = images[..., ::-1] if reading.get("channels") == "bgr" else images
    values = low + values.astype(np.float32) * ((high - low) / 255)
    if reading.get("mean") is not None:
        values = (values - np.float32(reading["mean"])) / np.float32(reading["std"])
    return values.astype(np.float32, copy=False)
