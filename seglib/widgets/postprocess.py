"""An explorer of post-processing: presets, sliders, and the frame that they lead to.

Chapter: post-processing.
"""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib import viz
from seglib.errors import SeglibError
from seglib.images import as_image, as_mask
from seglib.postprocess import CURVES, PRESETS, UPSAMPLERS, Pipeline, PostprocessConfig
from seglib.widgets.parts import import_ipywidgets, png, short

if TYPE_CHECKING:
    import ipywidgets

VIEWS = ("overlay", "mask", "blur", "bokeh", "grey", "recolour")
"""What the post-processing explorer can show: the mask, or a frame by one of the effects."""

LENGTHS = {"opening": 0.05, "closing": 0.05, "holes": 0.05, "blur": 0.05}
"""The fields of `PostprocessConfig` that the explorer has a slider from 0 for, and its end."""


def draw(
    image: np.ndarray,
    mask: np.ndarray,
    config: PostprocessConfig | None = None,
    view: str = "overlay",
) -> np.ndarray:
    """Return what the explorer shows, uint8 RGB (H, W, 3): the work of a `Pipeline`.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 in [0, 1] of any size, as it leaves the network.
        config: the pipeline's settings; its effect gives way to the view.
        view: one of `VIEWS`.

    Raises:
        SeglibError: not an image or not a mask, or there is no such view.
    """
    config = config or PostprocessConfig()
    if view not in VIEWS:
        raise SeglibError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")
    if view not in ("overlay", "mask"):
        return Pipeline(replace(config, effect=view))(image, mask)
    alpha = Pipeline(config).alpha(image, mask)
    if view == "overlay":
        return viz.overlay(image, alpha)
    return np.repeat(np.rint(alpha * 255).astype(np.uint8)[..., None], 3, axis=2)


def postprocess_explorer(image: np.ndarray, mask: np.ndarray) -> "ipywidgets.VBox":
    """Return a choice of presets, sliders for a pipeline's steps, and the picture they lead to.

    A preset sets the sliders; what it says beyond them stays in force. Below the picture stands the
    code of the settings. Without a running kernel, as on a page of the book, the first picture
    stays.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 in [0, 1] of any size, as it leaves the network.

    Raises:
        SeglibError: not an image or not a mask, or ipywidgets is not installed.
    """
    image, mask = as_image(image), as_mask(mask)
    ipywidgets = import_ipywidgets()
    wide = {"style": {"description_width": "9em"}, "continuous_update": False}
    controls: dict[str, Any] = {
        name: ipywidgets.FloatSlider(
            min=0, max=end, step=end / 50, description=name, readout_format=".3f", **wide
        )
        for name, end in LENGTHS.items()
    }
    controls["largest"] = ipywidgets.Checkbox(description="largest piece only")
    for name, choices in (("upsample", UPSAMPLERS), ("curve", CURVES)):
        controls[name] = ipywidgets.Dropdown(options=choices, description=name)
    edges = ipywidgets.FloatRangeSlider(min=0, max=1, step=0.05, description="low, high", **wide)
    named = ipywidgets.Dropdown(options=list(PRESETS), description="preset")
    view = ipywidgets.Dropdown(options=VIEWS, description="show")
    picture, code = ipywidgets.Image(format="png"), ipywidgets.Label()
    filling = False

    def on_slider(name: str) -> Any:
        # A slider does not reach beyond its end; the preset's own value stays in force there.
        own = getattr(PRESETS[named.value].config, name)
        return min(own, LENGTHS[name]) if name in LENGTHS else own

    def config() -> PostprocessConfig:
        values = {
            name: short(control.value)
            for name, control in controls.items()
            if short(control.value) != short(on_slider(name))
        }
        low, high = short(edges.value)
        if low < high:
            values |= {"low": low, "high": high}
        return replace(PRESETS[named.value].config, **values)

    def update(_: object = None) -> None:
        if filling:
            return
        chosen = config()
        picture.value = png(draw(image, mask, chosen, view.value))
        code.value = spell_preset(named.value, chosen)

    def fill(_: object = None) -> None:
        nonlocal filling
        filling, own = True, PRESETS[named.value].config
        for name, control in controls.items():
            control.value = on_slider(name)
        edges.value = (own.low, own.high)
        filling = False
        update()

    for control in (*controls.values(), edges, view):
        control.observe(update, names="value")
    named.observe(fill, names="value")
    fill()
    return ipywidgets.VBox([named, *controls.values(), edges, view, picture, code])


def spell_preset(name: str, config: PostprocessConfig) -> str:
    """Return the shortest code that makes these settings, such as `preset("default", blur=0.01)`.

    Values on the way from a slider are told to four digits.
    """
    own = PRESETS[name].config
    changed = [
        f"{field.name}={short(getattr(config, field.name))!r}"
        for field in fields(config)
        if short(getattr(config, field.name)) != short(getattr(own, field.name))
    ]
    return f"preset({', '.join([chr(34) + name + chr(34), *changed])})"
