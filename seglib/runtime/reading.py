"""How a model reads a picture: the range of its values, mean and deviation, the order of colours.

The keys `value_range`, `mean`, `std` and `channels` of a file's metadata say so; exporters write
them, and runtime, calibration and verification obey them through `model_input`.
"""

from typing import Any

import numpy as np

from seglib.errors import SeglibError


def checked_reading(reading: dict[str, Any], name: str) -> dict[str, Any]:
    """Return `value_range` and `channels`, and `mean` and `std` where they are given, checked.

    Pixels 0..255 become values from `value_range[0]` (black) to `value_range[1]` (white), then each
    channel `(x - mean) / std`, in units of that range and in the order ("rgb", "bgr") in which the
    model reads the channels. Without a range it is 0 to 255, or 0 to 1 where mean and std are of
    torchvision's kind, none above 1.

    Args:
        reading: metadata or arguments; other keys are left out, None is not said.
        name: what an error calls the model.
    """
    said = {key: reading[key] for key in KEYS if reading.get(key) is not None}
    channels = said.pop("channels", "rgb")
    if channels not in ("rgb", "bgr"):
        raise SeglibError(f"{name}: channels is {channels!r}; give 'rgb' or 'bgr'")
    for key, value in said.items():
        try:
            numbers = np.asarray(value, float).ravel()
        except (TypeError, ValueError):
            numbers = np.zeros(0)
        if key != "value_range" and numbers.size == 1:
            numbers = np.repeat(numbers, 3)
        if numbers.size != (2 if key == "value_range" else 3) or not np.isfinite(numbers).all():
            raise SeglibError(
                f"{name}: {key} is {value!r}; give two numbers for a range, else three"
            )
        said[key] = tuple(numbers.tolist())
    if ("mean" in said) != ("std" in said) or min(said.get("std", (1,))) <= 0:
        raise SeglibError(f"{name}: mean and std belong together, with every std above 0")
    if "value_range" not in said:
        values = (*said.get("mean", (0,)), *said.get("std", (255,)))
        if max(map(abs, values)) <= 1 and not any(said["mean"]):
            raise SeglibError(f"{name}: these mean and std fit any range; give value_range too")
        said["value_range"] = (0.0, 1.0) if max(map(abs, values)) <= 1 else (0.0, 255.0)
    low, high = said["value_range"]
    if low == high:
        raise SeglibError(f"{name}: value_range is {(low, high)}; black and white must differ")
    return {**said, "channels": channels}


KEYS = ("value_range", "mean", "std", "channels")


def model_input(images: np.ndarray, reading: dict[str, Any]) -> np.ndarray:
    """Return RGB images (..., 3) of 0..255 as the float32 values which a model reads."""
    low, high = reading.get("value_range", (0, 255))
    values = images[..., ::-1] if reading.get("channels") == "bgr" else images
    values = low + values.astype(np.float32) * ((high - low) / 255)
    if reading.get("mean") is not None:
        values = (values - np.float32(reading["mean"])) / np.float32(reading["std"])
    return values.astype(np.float32)
