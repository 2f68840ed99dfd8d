"""Sliders with the picture they lead to, for notebooks with ipywidgets 7 or 8.

`postprocess_explorer` cleans a mask, `augment_explorer` changes a photo and its mask together. What
the sliders do is in functions of its own (`clean` and `draw`, `views`), so that a page without a
kernel can show the same pictures.

Chapter: post-processing; augmentation and synthetic portraits.
"""

import io
from dataclasses import fields
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib import postprocess, viz
from seglib.data.augment import AugmentConfig, augment
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
    """Return the mask after the post-processing explorer's steps, in its order.

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
    ipywidgets = _ipywidgets()
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


SLIDERS = {
    **{"flip": 1, "rotate": 90, "stretch": 0.6, "shear": 0.5, "shift": 0.5},
    **{"brightness": 0.5, "contrast": 1, "gamma": 1, "saturation": 1, "tint": 0.5},
    **{"grey": 1, "blur": 1, "noise": 1, "cutout": 1, "jpeg": 1},
}
"""The fields of `AugmentConfig` that the explorer has a slider for, and each slider's end."""


def views(
    image: np.ndarray,
    mask: np.ndarray,
    config: AugmentConfig | None = None,
    seed: int = 0,
    count: int = 8,
    size: int = 128,
) -> list[np.ndarray]:
    """Return changed views of one pair with their masks drawn over them, uint8 (size, size, 3).

    View `i` depends on the seed and `i` alone, so settings can be compared view by view.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float32 (h, w) in [0, 1].
        config: how far the pair is changed; None is the default policy.
        seed: start of all chance.
        count: how many views.
        size: their side in pixels.

    Raises:
        SeglibError: image and mask do not fit, or the settings need more than one photo.

    Chapter: augmentation and synthetic portraits.
    """
    mask = check_mask(mask, shape=check_image(image).shape)
    config = config or AugmentConfig()
    levels = np.rint(mask * 255).astype(np.uint8)
    shown = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        view, changed = augment(image, levels, rng, size, config)
        shown.append(viz.overlay(view, changed / np.float32(255)))
    return shown


def augment_explorer(image: np.ndarray, mask: np.ndarray, columns: int = 4) -> "ipywidgets.VBox":
    """Return sliders for the augmentation policy with eight views of one pair.

    Below the pictures stands the `AugmentConfig` to copy. Without a running kernel, as on a page of
    the book, the views of the default policy stay.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float32 (h, w) in [0, 1], of the same size.
        columns: views in a row.

    Raises:
        SeglibError: image and mask do not fit, or ipywidgets is not installed.

    Chapter: augmentation and synthetic portraits.
    """
    mask = check_mask(mask, shape=check_image(image).shape)
    ipywidgets = _ipywidgets()
    policy = AugmentConfig()
    wide = {"style": {"description_width": "9em"}, "continuous_update": False}
    controls: dict[str, Any] = {
        name: ipywidgets.FloatSlider(
            getattr(policy, name), min=0, max=top, step=top / 20, description=name, **wide
        )
        for name, top in SLIDERS.items()
    }
    for name, low, high in (("zoom", 0.3, 2.5), ("crop", 0.2, 1)):
        controls[name] = ipywidgets.FloatRangeSlider(
            value=getattr(policy, name), min=low, max=high, step=0.05, description=name, **wide
        )
    seed = ipywidgets.IntSlider(0, 0, 50, description="seed", **wide)
    picture = ipywidgets.Image(format="png")
    code = ipywidgets.Label()

    def update(_: object = None) -> None:
        config = AugmentConfig(**{name: control.value for name, control in controls.items()})
        shown = views(image, mask, config, seed.value)
        rows = [shown[i : i + columns] for i in range(0, len(shown), columns)]
        rows[-1] += [np.full_like(shown[0], 255)] * (columns - len(rows[-1]))
        picture.value = _png(np.vstack([np.hstack(row) for row in rows]))
        code.value = spell(config)

    for control in (*controls.values(), seed):
        control.observe(update, names="value")
    update()
    return ipywidgets.VBox([*controls.values(), seed, picture, code])


def spell(config: AugmentConfig) -> str:
    """Return the shortest code that makes this policy, such as `AugmentConfig(rotate=40.0)`.

    Chapter: augmentation and synthetic portraits.
    """
    usual = AugmentConfig()
    names = [field.name for field in fields(config)]
    changed = [n for n in names if getattr(config, n) != getattr(usual, n)]
    return f"AugmentConfig({', '.join(f'{n}={_short(getattr(config, n))}' for n in changed)})"


def _short(value: float | tuple[float, ...]) -> float | tuple[float, ...]:
    """Take the dust of floating-point steps off a setting."""
    return tuple(map(_short, value)) if isinstance(value, tuple) else round(float(value), 4)


def _ipywidgets() -> ModuleType:
    """Return the library of sliders.

    Raises:
        SeglibError: it is not installed.
    """
    try:
        import ipywidgets
    except ImportError as error:
        raise SeglibError("the explorer needs ipywidgets; run pip install ipywidgets") from error
    return ipywidgets


def _png(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
