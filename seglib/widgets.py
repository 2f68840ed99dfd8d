"""Sliders over the post-processing steps, for notebooks with ipywidgets 7 or 8.

Chapter: post-processing.
"""

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib import postprocess, viz
from seglib.errors import SeglibError
from seglib.images import check_image, check_mask

if TYPE_CHECKING:
    import ipywidgets

VIEWS = ("mask", "overlay", "hair colour", "blurred background")


def clean(
    mask: np.ndarray,
    low: float = 0.3,
    high: float = 0.7,
    opening: int = 0,
    closing: int = 0,
    largest: bool = False,
    blur: float = 0.0,
) -> np.ndarray:
    """Return the mask after the explorer's steps, in the explorer's order.

    Specks go first and holes next, then everything but the largest piece, then the values between
    `low` and `high` are stretched, and a blur comes last. A step at its zero is left out.

    Args:
        mask: float32 (H, W) in [0, 1].
        low: values up to this one become 0.
        high: values from this one on become 1; with `high` not above `low` it is a hard threshold.
        opening: radius in pixels.
        closing: radius in pixels.
        largest: keep the largest piece only.
        blur: standard deviation in pixels.

    Returns:
        float32 (H, W) in [0, 1].
    """
    if opening:
        mask = postprocess.opening(mask, opening)
    if closing:
        mask = postprocess.closing(mask, closing)
    if largest:
        mask = postprocess.largest_component(mask)
    if low < high:
        mask = postprocess.smoothstep(mask, low, high)
    else:
        mask = postprocess.threshold(mask, low)
    return postprocess.blur(mask, blur) if blur else mask


def draw(image: np.ndarray, mask: np.ndarray, view: str) -> np.ndarray:
    """Return what the explorer shows for a cleaned mask, uint8 RGB (H, W, 3).

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 (H, W) in [0, 1].
        view: one of `VIEWS`.
    """
    if view == "mask":
        return np.repeat(np.rint(mask * 255).astype(np.uint8)[..., None], 3, axis=2)
    if view == "overlay":
        return viz.overlay(image, mask)
    if view == "hair colour":
        return postprocess.recolour_hair(image, mask, (160, 40, 60))
    if view == "blurred background":
        return postprocess.blur_background(image, mask)
    raise SeglibError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")


def postprocess_explorer(image: np.ndarray, mask: np.ndarray) -> "ipywidgets.VBox":
    """Return sliders for every step of `clean` with the picture that they lead to.

    Without a running kernel, as on a page of the book, the first picture stays.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 (H, W) in [0, 1], of the same size.

    Raises:
        SeglibError: image and mask do not fit, or ipywidgets is not installed.
    """
    image = check_image(image)
    mask = check_mask(mask, shape=image.shape[:2])
    try:
        import ipywidgets
    except ImportError as error:
        raise SeglibError("the explorer needs ipywidgets; run pip install ipywidgets") from error

    wide = {"style": {"description_width": "9em"}, "continuous_update": False}
    controls: dict[str, Any] = {
        "opening": ipywidgets.IntSlider(0, 0, 15, description="opening radius", **wide),
        "closing": ipywidgets.IntSlider(0, 0, 15, description="closing radius", **wide),
        "largest": ipywidgets.Checkbox(False, description="largest piece only"),
        "low": ipywidgets.FloatSlider(0.3, min=0, max=1, step=0.05, description="low", **wide),
        "high": ipywidgets.FloatSlider(0.7, min=0, max=1, step=0.05, description="high", **wide),
        "blur": ipywidgets.FloatSlider(0, min=0, max=8, step=0.5, description="blur", **wide),
    }
    view = ipywidgets.Dropdown(options=VIEWS, value="overlay", description="show")
    picture = ipywidgets.Image(format="png")
    area = ipywidgets.Label()

    def update(_: object = None) -> None:
        cleaned = clean(mask, **{name: control.value for name, control in controls.items()})
        picture.value = _png(draw(image, cleaned, view.value))
        area.value = f"The mask covers {cleaned.mean():.1%} of the picture."

    for control in (*controls.values(), view):
        control.observe(update, names="value")
    update()
    return ipywidgets.VBox([*controls.values(), view, picture, area])


def _png(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
