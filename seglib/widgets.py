"""Sliders with the picture they lead to, for notebooks with ipywidgets 7 or 8.

`postprocess_explorer` sets a `seglib.postprocess.Pipeline`, `augment_explorer` changes a photo and
its mask together, `player` goes through the frames of a film. What the sliders do is in functions
of its own (`draw`, `views`), so that a page without a kernel can show the same pictures.

Chapter: post-processing; augmentation and synthetic portraits; real-time video.
"""

import io
from collections.abc import Sequence
from dataclasses import fields, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib import viz
from seglib.data.augment import AugmentConfig, augment
from seglib.errors import SeglibError
from seglib.images import check_image, check_mask
from seglib.postprocess import CURVES, PRESETS, UPSAMPLERS, Pipeline, PostprocessConfig

if TYPE_CHECKING:
    import ipywidgets

VIEWS = ("overlay", "mask", "blur", "bokeh", "grey", "recolour")
"""What the post-processing explorer can show: the mask, or a frame by one of the effects."""


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


LENGTHS = {"opening": 0.05, "closing": 0.05, "holes": 0.05, "blur": 0.05}
"""The fields of `PostprocessConfig` that the explorer has a slider from 0 for, and its end."""


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
    image, mask = check_image(image), check_mask(mask)
    ipywidgets = _ipywidgets()
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
            name: _short(control.value)
            for name, control in controls.items()
            if _short(control.value) != _short(on_slider(name))
        }
        low, high = _short(edges.value)
        if low < high:
            values |= {"low": low, "high": high}
        return replace(PRESETS[named.value].config, **values)

    def update(_: object = None) -> None:
        if filling:
            return
        chosen = config()
        picture.value = _png(draw(image, mask, chosen, view.value))
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
        f"{field.name}={_short(getattr(config, field.name))!r}"
        for field in fields(config)
        if _short(getattr(config, field.name)) != _short(getattr(own, field.name))
    ]
    return f"preset({', '.join([chr(34) + name + chr(34), *changed])})"


def player(frames: Sequence[np.ndarray], fps: float = 15.0) -> "ipywidgets.VBox":
    """Return a film with a play button and a slider.

    Without a running kernel, as on a page of the book, the first frame stays.

    Args:
        frames: uint8 RGB (H, W, 3), at least one.
        fps: at how many a second they are shown.

    Raises:
        SeglibError: no frames, one is not an image, `fps` is not above 0, or ipywidgets is not
            installed.

    Chapter: real-time video.
    """
    if not len(frames) or not 0 < fps <= 1000:
        raise SeglibError(
            f"{len(frames)} frames cannot be played at {fps:g} a second; both have to be above 0"
        )
    ipywidgets = _ipywidgets()
    coded = [_jpeg(check_image(frame, f"frame {i}")) for i, frame in enumerate(frames)]
    play = ipywidgets.Play(max=len(coded) - 1, interval=round(1000 / fps))
    slider = ipywidgets.IntSlider(max=len(coded) - 1, description="frame")
    picture = ipywidgets.Image(value=coded[0], format="jpeg")

    def update(_: object = None) -> None:
        picture.value = coded[slider.value]

    ipywidgets.link((play, "value"), (slider, "value"))
    slider.observe(update, names="value")
    return ipywidgets.VBox([ipywidgets.HBox([play, slider]), picture])


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


def _short(value: Any) -> Any:
    """Take the dust of floating-point steps off a setting."""
    if isinstance(value, tuple):
        return tuple(map(_short, value))
    return round(value, 4) if isinstance(value, float) else value


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


def _jpeg(image: np.ndarray) -> bytes:
    """Return an image as the bytes of a JPEG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
