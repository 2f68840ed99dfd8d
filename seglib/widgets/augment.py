"""An explorer of augmentation: sliders for the policy, and views of one pair.

Chapter: augmentation and synthetic portraits.
"""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib import viz
from seglib.data.augment import AugmentConfig, augment
from seglib.images import as_image, as_mask
from seglib.widgets.parts import import_ipywidgets, png, short

if TYPE_CHECKING:
    import ipywidgets

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
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
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
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    ipywidgets = import_ipywidgets()
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
        picture.value = png(np.vstack([np.hstack(row) for row in rows]))
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
    return f"AugmentConfig({', '.join(f'{n}={short(getattr(config, n))}' for n in changed)})"
