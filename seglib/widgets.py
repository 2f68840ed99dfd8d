"""Sliders with the picture they lead to, for notebooks with ipywidgets 7 or 8.

What the sliders do is in functions of its own (`draw`, `views`). Without a running kernel, as on a
page of the book, the first picture stays.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from seglib import viz
from seglib.data.augment import AugmentConfig, augment
from seglib.errors import SeglibError, renamed
from seglib.images import as_image, as_mask
from seglib.postprocess import PRESETS, Pipeline, PostprocessConfig
from seglib.postprocess.config import CURVES, UPSAMPLERS

if TYPE_CHECKING:
    import ipywidgets

VIEWS = ("overlay", "mask", "blur", "bokeh", "grey", "recolour")
"""What the post-processing explorer can show: the mask, or a frame by one of the effects."""

LENGTHS = {"opening": 0.05, "closing": 0.05, "holes": 0.05, "blur": 0.05}
"""The fields of `PostprocessConfig` that the explorer has a slider from 0 for, and its end."""

_WIDE = {"style": {"description_width": "9em"}, "continuous_update": False}
SLIDERS = {
    **{"flip": 1, "rotate": 90, "stretch": 0.6, "shear": 0.5, "shift": 0.5},
    **{"brightness": 0.5, "contrast": 1, "gamma": 1, "saturation": 1, "tint": 0.5},
    **{"grey": 1, "blur": 1, "noise": 1, "cutout": 1, "jpeg": 1},
}
"""The fields of `AugmentConfig` that the explorer has a slider for, and each slider's end."""


def draw(
    image: np.ndarray,
    mask: np.ndarray,
    config: PostprocessConfig | None = None,
    view: str = "overlay",
) -> np.ndarray:
    """Return what `postprocess_explorer` shows of these settings, uint8 RGB (H, W, 3).

    The config's effect gives way to the view, one of `VIEWS`.
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
    code of the settings.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 in [0, 1] of any size, as it leaves the network.
    """
    image, mask = as_image(image), as_mask(mask)
    ipywidgets = _ipywidgets()
    controls: dict[str, Any] = {
        name: ipywidgets.FloatSlider(
            min=0, max=end, step=end / 50, description=name, readout_format=".3f", **_WIDE
        )
        for name, end in LENGTHS.items()
    }
    controls["largest"] = ipywidgets.Checkbox(description="largest piece only")
    for name, choices in (("upsample", UPSAMPLERS), ("curve", CURVES)):
        controls[name] = ipywidgets.Dropdown(options=choices, description=name)
    edges = ipywidgets.FloatRangeSlider(min=0, max=1, step=0.05, description="low, high", **_WIDE)
    named = ipywidgets.Dropdown(options=list(PRESETS), description="preset")
    view = ipywidgets.Dropdown(options=VIEWS, description="show")
    filling = False

    def on_slider(name: str) -> Any:
        # A slider does not reach beyond its end; the preset's own value stays in force there.
        own = getattr(PRESETS[named.value].config, name)
        return min(own, LENGTHS[name]) if name in LENGTHS else own

    def show() -> tuple[np.ndarray, str] | None:
        if filling:
            return None
        found = {name: _short(control.value) for name, control in controls.items()}
        found = {name: v for name, v in found.items() if v != _short(on_slider(name))}
        low, high = _short(edges.value)
        config = replace(PRESETS[named.value].config, **found)
        config = replace(config, low=low, high=high) if low < high else config
        return draw(image, mask, config, view.value), to_code(config, named.value)

    box, update = _explorer([named, *controls.values(), edges, view], show)

    def fill(_: object = None) -> None:
        nonlocal filling
        filling, own = True, PRESETS[named.value].config
        for name, control in controls.items():
            control.value = on_slider(name)
        edges.value = (own.low, own.high)
        filling = False
        update()

    named.unobserve(update, names="value")  # a preset fills the sliders first
    named.observe(fill, names="value")
    fill()
    return box


def views(
    image: np.ndarray,
    mask: np.ndarray,
    config: AugmentConfig | None = None,
    seed: int = 0,
    count: int = 8,
) -> list[np.ndarray]:
    """Return changed views of one pair with their masks drawn over them, uint8 (128, 128, 3).

    View `i` depends on the seed and `i` alone, so settings can be compared view by view.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float32 (h, w) in [0, 1].
        config: how far the pair is changed; None is the default policy.
        seed: of the views.
        count: of the views.
    """
    image = as_image(image)
    levels = np.rint(as_mask(mask, shape=image.shape) * 255).astype(np.uint8)
    shown = []
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        view, changed = augment(image, levels, rng, 128, config or AugmentConfig())
        shown.append(viz.overlay(view, changed / np.float32(255)))
    return shown


def augment_explorer(image: np.ndarray, mask: np.ndarray) -> "ipywidgets.VBox":
    """Return sliders for the augmentation policy with eight views of one pair, and its code.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: float32 (h, w) in [0, 1], of the same size.
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    ipywidgets, policy = _ipywidgets(), AugmentConfig()
    controls: dict[str, Any] = {
        name: ipywidgets.FloatSlider(
            getattr(policy, name), min=0, max=top, step=top / 20, description=name, **_WIDE
        )
        for name, top in SLIDERS.items()
    }
    for name, low, high in (("zoom", 0.3, 2.5), ("crop", 0.2, 1)):
        controls[name] = ipywidgets.FloatRangeSlider(
            value=getattr(policy, name), min=low, max=high, step=0.05, description=name, **_WIDE
        )
    seed = ipywidgets.IntSlider(0, 0, 50, description="seed", **_WIDE)

    def show() -> tuple[np.ndarray, str]:
        config = AugmentConfig(**{name: control.value for name, control in controls.items()})
        shown = views(image, mask, config, seed.value)
        return np.vstack([np.hstack(shown[:4]), np.hstack(shown[4:])]), to_code(config)

    box, update = _explorer([*controls.values(), seed], show)
    update()
    return box


def _explorer(controls: list, show: Callable) -> tuple["ipywidgets.VBox", Callable]:
    """Return controls with the picture and the code that `show` gives, and what updates these."""
    ipywidgets = _ipywidgets()
    picture, code = ipywidgets.Image(format="png"), ipywidgets.Label()

    def update(_: object = None) -> None:
        shown = show()
        if shown is not None:
            picture.value, code.value = _encode(shown[0]), shown[1]

    for control in controls:
        control.observe(update, names="value")
    return ipywidgets.VBox([*controls, picture, code]), update


def player(frames: Sequence[np.ndarray], fps: float = 15.0) -> "ipywidgets.VBox":
    """Return a video with a play button and a slider.

    Args:
        frames: uint8 RGB (H, W, 3), at least one.
        fps: at how many a second they are shown.
    """
    if not len(frames) or not 0 < fps <= 1000:
        raise SeglibError(
            f"{len(frames)} frames cannot be played at {fps:g} a second; both have to be above 0"
        )
    ipywidgets = _ipywidgets()
    coded = [_encode(as_image(frame, f"frame {i}"), "JPEG") for i, frame in enumerate(frames)]
    play = ipywidgets.Play(max=len(coded) - 1, interval=round(1000 / fps))
    slider = ipywidgets.IntSlider(max=len(coded) - 1, description="frame")
    picture = ipywidgets.Image(value=coded[0], format="jpeg")

    def update(_: object = None) -> None:
        picture.value = coded[slider.value]

    ipywidgets.link((play, "value"), (slider, "value"))
    slider.observe(update, names="value")
    return ipywidgets.VBox([ipywidgets.HBox([play, slider]), picture])


def to_code(config: AugmentConfig | PostprocessConfig, preset: str | None = None) -> str:
    """Return the shortest code that makes these settings; slider values are told to four digits.

    `AugmentConfig(rotate=40.0)`, or with a preset's name `preset("default", blur=0.01)`.
    """
    usual = PRESETS[preset].config if preset else type(config)()
    values = {name: _short(value) for name, value in vars(config).items()}
    changed = [f"{n}={v!r}" for n, v in values.items() if v != _short(getattr(usual, n))]
    if preset:
        return f"preset({', '.join([chr(34) + preset + chr(34), *changed])})"
    return f"{type(config).__name__}({', '.join(changed)})"


def _ipywidgets() -> ModuleType:
    try:
        import ipywidgets
    except ImportError as error:
        raise SeglibError("the explorer needs ipywidgets; run pip install ipywidgets") from error
    return ipywidgets


def _short(value: Any) -> Any:
    """Drop the rounding dust that slider steps leave on a setting."""
    if isinstance(value, tuple):
        return tuple(map(_short, value))
    return round(value, 4) if isinstance(value, float) else value


def _encode(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=88)
    return buffer.getvalue()


__getattr__ = renamed(
    __name__, {"spell": "to_code(config)", "spell_preset": "to_code(config, name)"}
)
