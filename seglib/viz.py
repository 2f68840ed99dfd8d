"""Pictures of masks and curves in one style that colour-blind readers can tell apart.

Every function that draws returns a matplotlib `Figure` that is already closed for pyplot: as the
last expression of a notebook cell it is shown once, and `figure.savefig(...)` works anywhere.
Lines differ in marks and dashes besides their colours, so that they can be told apart in grey.
Nothing to show, or lists that differ in length, is a `SeglibError`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seglib.evaluation import Calibration, Interval, Scores
    from seglib.evaluation.robustness import Corrupted
    from seglib.training import Progress

# Okabe and Ito, "Color Universal Design" (2008): eight colours told apart with any colour vision.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
OVERLAY = (86, 180, 233)  # the sky blue above, as RGB
_LINES = list(COLOURS.values())[:-2]
_MARKS = "os^Dv<>"


def use_style() -> None:
    """Set matplotlib's defaults for the book: its colours, a light grid, a white ground.

    The white ground is deliberate: the book's dark theme shows such pictures in a light box.
    """
    import matplotlib as mpl

    mpl.rc("axes", prop_cycle=mpl.cycler(color=_LINES), grid=False, titlesize="medium")
    mpl.rc("axes.spines", top=False, right=False)
    mpl.rc("figure", facecolor="white", figsize=(6.4, 3.6), dpi=110)
    mpl.rc("savefig", dpi=110)
    mpl.rc("grid", color="#DDDDDD")
    mpl.rc("image", cmap="gray")
    mpl.rc("legend", frameon=False)
    mpl.rc("lines", linewidth=1.8)


def overlay(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int] = OVERLAY,
    strength: float = 0.3,
) -> np.ndarray:
    """Return the photo with the mask tinted over it and its outline, uint8 RGB (H, W, 3).

    The outline lies inside the mask and is as wide as a 150th of the longer side.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 (H, W) in [0, 1].
        color: RGB, 0..255.
        strength: how much of the photo the colour replaces where the mask is 1, in [0, 1].
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape[:2])
    tint = np.asarray(color, dtype=np.float32)
    weight = strength * mask[..., None]
    mixed = image * (1 - weight) + tint * weight
    inside = (mask >= 0.5).astype(np.uint8)
    wide = 2 * max(1, round(max(inside.shape) / 150)) + 1
    core = cv2.erode(inside, np.ones((wide, wide), np.uint8))  # the frame itself is no outline
    mixed[inside > core] = tint
    return np.rint(mixed).astype(np.uint8)


def errors(image: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the photo in grey with the wrong pixels in colour, uint8 RGB (H, W, 3).

    Vermilion where too much is marked, blue where something is missed, paler where the thing was
    found.

    Args:
        image: uint8 RGB (H, W, 3).
        truth: float (H, W) in [0, 1].
        mask: the prediction, float (H, W) in [0, 1].
    """
    image = as_image(image)
    inside = as_mask(truth, shape=image.shape[:2]) >= 0.5
    marked = as_mask(mask, shape=image.shape[:2]) >= 0.5
    grey = image.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    picture = np.where((inside & marked)[..., None], 0.45 * grey + 140, 0.75 * grey)
    for wrong, name in ((marked & ~inside, "vermilion"), (inside & ~marked, "blue")):
        colour = np.array([*bytes.fromhex(COLOURS[name][1:])])
        picture[wrong] = 0.2 * picture[wrong] + 0.8 * colour
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def show_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int] = OVERLAY,
    ax: "Axes | None" = None,
    title: str = "",
) -> "Figure":
    """Draw `overlay`, into `ax` where it is given."""
    picture = overlay(image, mask, color)
    if ax is None:
        return _sheet([picture], [title], 1, 3.6)
    _panel(ax, picture, title)
    return ax.figure


def contact_sheet(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None = None,
    columns: int = 4,
    titles: Sequence[str] | None = None,
    width: float = 1.9,
) -> "Figure":
    """Draw many photos, each with its mask tinted over it, in rows.

    Args:
        images: uint8 RGB (H, W, 3), or masks (H, W) to show in grey.
        masks: one float mask (H, W) per photo, uint8 0..255 also taken; None shows bare pictures.
        columns: panels in a row.
        titles: one short text per panel.
        width: of a panel, in inches.
    """
    count = len(images)
    if not count:
        raise SeglibError("there are no images to show; hand in at least one")
    for name, other in (("masks", masks), ("titles", titles)):
        if other is not None and len(other) != count:
            raise SeglibError(f"{count} images and {len(other)} {name}; hand in one for each image")
    pictures = [np.asarray(image) for image in images]
    if masks is not None:
        levels = [np.asarray(mask) for mask in masks]
        levels = [one / np.float32(255) if one.dtype == np.uint8 else one for one in levels]
        pictures = [overlay(*pair) for pair in zip(pictures, levels, strict=True)]
    return _sheet(pictures, titles or [""] * count, min(columns, count), width)


def cases(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int = 2,
    width: float = 1.35,
) -> "Figure":
    """Draw cases side by side: the photo, the truth over it, the prediction's `errors`.

    As `contact_sheet`, but photos may have any sizes, each with masks of its own size.
    """
    titles = [""] * len(images) if titles is None else titles
    lengths = [len(part) for part in (images, truths, masks, titles)]
    if not lengths[0] or len(set(lengths)) > 1:
        raise SeglibError(
            "cases need at least one photo, and a truth, a mask and a title for each; got "
            "{}, {}, {} and {}".format(*lengths)
        )
    pictures, names = [], []
    for image, truth, mask, title in zip(images, truths, masks, titles, strict=True):
        pictures += [image, overlay(image, truth), errors(image, truth, mask)]
        names += [title, "truth", "errors"]
    return _sheet(pictures, names, 3 * min(columns, lengths[0]), width, fontsize="small")


def curves(rows: Iterable[Mapping[str, float]], names: Sequence[str] | None = None) -> "Figure":
    """Draw a training log: losses in one panel, scores in the other.

    Args:
        rows: one mapping per epoch, as `seglib.training.fit` returns them.
        names: the columns to draw; None takes all columns with "loss", "iou" or "dice" in the name.
    """
    rows = list(rows)
    names = _columns(rows, names)
    losses = [name for name in names if "loss" in name]
    panels = [part for part in (losses, [n for n in names if n not in losses]) if part]
    figure, axes = _grid(len(panels), len(panels), 0.7, 4.2)
    for ax, part in zip(axes, panels, strict=True):
        for name, mark in zip(part, _MARKS * len(part), strict=False):
            ax.plot(*_points(rows, name), marker=mark, markersize=4, label=name)
        ax.set_xlabel("epoch")
        ax.legend()
    return figure


def compare_runs(
    runs: Mapping[str, Iterable[Mapping[str, float]]],
    names: Sequence[str] = ("loss", "val_loss", "val_iou"),
) -> "Figure":
    """Draw the logs of several runs, a panel for each column and a line for each run.

    Args:
        runs: rows by the run's name, such as ``{p.name: read_history(p).rows for p in folders}``
            with `seglib.training.read_history`.
        names: the columns to draw; those that no run has are left out.
    """
    logs = {name: list(rows) for name, rows in runs.items()}
    shown = _columns([row for rows in logs.values() for row in rows], names)
    figure, axes = _grid(len(shown), len(shown), 0.75, 3.4)
    for ax, column in zip(axes, shown, strict=True):
        for index, (name, rows) in enumerate(logs.items()):
            if any(column in row for row in rows):
                # Thinner and thinner, so that lines which lie on each other are all seen.
                width = max(1.2, 4 - 1.4 * index)
                look = {"marker": _MARKS[index % len(_MARKS)], "markersize": 2 * width}
                ax.plot(*_points(rows, column), linewidth=width, label=name, **look)
        ax.set_title(column)
        ax.set_xlabel("epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0].legend()
    return figure


def live_curves(names: Sequence[str] | None = None) -> "Callable[[Progress], None] | None":
    """Return what draws a training's curves into a notebook's cell while it runs.

    Hand it to `seglib.training.fit` as `watch`. The one picture of the cell is drawn anew after
    each epoch and every ten seconds. Outside a notebook the result is None, with which `fit` draws
    its bar.

    Args:
        names: the columns to draw, as for `curves`.
    """
    from seglib.notebook import in_notebook

    if not in_notebook():
        return None
    from IPython.display import display

    shown, rows, drawn = None, 0, 0.0

    def watch(progress: "Progress") -> None:
        nonlocal shown, rows, drawn
        if not progress.rows or (len(progress.rows) == rows and time.monotonic() - drawn < 10):
            return
        rows, drawn = len(progress.rows), time.monotonic()
        figure = curves(progress.rows, names)
        figure.suptitle(str(progress))
        if shown is None:
            shown = display(figure, display_id=True)
        else:
            shown.update(figure)

    return watch


def distribution(scores: Mapping[str, "Scores"], name: str = "iou") -> "Figure":
    """Draw the share of photos below each score, a line for each model by name, means dotted."""
    figure, (ax,) = _grid(1, 1, 0.62, 5.2)
    for model, one, look in _looks(scores):
        values = np.sort(one.values(name))
        share = np.arange(1, len(values) + 1) / len(values)
        ax.step(values, share, where="post", label=model, **{**look, "marker": ""})
        ax.axvline(values.mean(), color=look["color"], linestyle=":", linewidth=1)
    ax.set(xlabel=f"{_title(name)} of a photo", ylabel="share of photos below", ylim=(0, 1))
    ax.legend()
    return figure


def intervals(rows: Mapping[str, "Interval | None"], xlabel: str, zero: bool = False) -> "Figure":
    """Draw means with their intervals, one row each, the first on top.

    A row that is None stays empty; `zero` draws a line at zero, for differences.
    """
    if not any(rows.values()):
        raise SeglibError("there are no intervals to show; hand in one at least")
    figure, (ax,) = _grid(1, 1, 0.12 + 0.055 * len(rows), 5.6, lines="x")
    for place, one in enumerate(rows.values()):
        if one is not None:
            spread = [[one.mean - one.low], [one.high - one.mean]]
            ax.errorbar(one.mean, place, xerr=spread, fmt="o", color=COLOURS["blue"], capsize=3)
    if zero:
        ax.axvline(0, color=COLOURS["black"], linewidth=0.8)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    return figure


def reliability(curves: Mapping[str, "Calibration"]) -> "Figure":
    """Draw observed share against mask value, and the share of pixels behind it, by model."""
    figure, (ax, below) = _grid(2, 2, 0.85, 3.6)
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1, label="as it says")
    for model, one, look in _looks(curves):
        ax.plot(one.confidence, one.observed, label=model, **look)
        filled = one.share > 0
        below.plot(one.confidence[filled], one.share[filled], **look)
    ax.set(xlabel="mask value", ylabel="share that is the thing", xlim=(0, 1), ylim=(0, 1))
    below.set(xlabel="mask value", ylabel="share of pixels", yscale="log", xlim=(0, 1))
    ax.legend()
    return figure


def strengths(models: Mapping[str, Sequence["Corrupted"]], name: str = "iou") -> "Figure":
    """Draw a score against the strength of each kind of corruption, the unchanged photos at left.

    Takes what `seglib.evaluation.robustness.evaluate_corrupted` returns, by the model's name.
    """
    from seglib.evaluation.robustness import CORRUPTIONS

    first = next(iter(models.values()), ())
    kinds = list(dict.fromkeys(row.kind for row in first if row.kind != "none"))
    if not kinds:
        raise SeglibError("there is nothing to show; hand in what evaluate_corrupted returns")
    columns = min(3, len(kinds))
    figure, axes = _grid(len(kinds), columns, 0.75, 2.8, lines="y")
    for ax, kind in zip(axes, kinds, strict=True):
        for model, rows, look in _looks(models):
            shown = [row for row in rows if row.kind in ("none", kind)]
            values = [row.scores.means[name] for row in shown]
            ax.plot(range(len(shown)), values, label=model, **look)
        labels = ["none", *(f"{row.level:g}" for row in shown[1:])]
        ax.set_xticks(range(len(labels)), labels)
        ax.set(title=kind, xlabel=CORRUPTIONS[kind].unit, ylim=(0, 1))
    for ax in axes[::columns]:
        ax.set_ylabel(_title(name))
    axes[0].legend(fontsize="small")
    return figure


def _grid(
    count: int, columns: int, ratio: float, width: float, room: float = 0.5, lines: str = "both"
) -> tuple["Figure", np.ndarray]:
    """Return a figure and its `count` panels; closed for pyplot, so a notebook shows it once."""
    import matplotlib.pyplot as plt

    rows = -(-count // columns)
    size = (columns * width, rows * (width * ratio + room))
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    plt.close(figure)
    for index, ax in enumerate(axes.flat):
        ax.set_visible(index < count)
        if lines:
            ax.grid(True, axis=lines)
    return figure, axes.ravel()[:count]


def _sheet(
    pictures: Sequence[np.ndarray], titles: Sequence[str], columns: int, width: float, **look: Any
) -> "Figure":
    ratio = max(picture.shape[0] / picture.shape[1] for picture in pictures)
    figure, axes = _grid(len(pictures), columns, ratio, width, 0.3, "")
    for ax, picture, title in zip(axes, pictures, titles, strict=True):
        _panel(ax, picture, title, **look)
    return figure


def _panel(ax: "Axes", picture: np.ndarray, title: str, **look: Any) -> None:
    """Draw one picture without axes."""
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255 if picture.dtype == np.uint8 else 1)
    ax.set_title(title, **look)
    ax.set_axis_off()


def _columns(rows: list[Mapping[str, float]], names: Sequence[str] | None) -> list[str]:
    """Return those of the names that a log has, or its losses and scores."""
    known = list(dict.fromkeys(key for row in rows for key in row))
    if names is None:
        names = [name for name in known if any(part in name for part in ("loss", "iou", "dice"))]
    found = [name for name in names if name in known]
    if not found:
        there, asked = ", ".join(known) or "no rows", ", ".join(names)
        raise SeglibError(f"no column {asked} to draw among {there}; name one of them")
    return found


def _points(rows: list[Mapping[str, float]], name: str) -> Iterator[tuple]:
    """Return the places and the values of a column."""
    points = [(row.get("epoch", i), row[name]) for i, row in enumerate(rows, 1) if name in row]
    return zip(*points, strict=True)


def _looks(models: Mapping[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield each model's name, what is drawn of it, and how its line is drawn."""
    if not models:
        raise SeglibError("there is nothing to show; hand in one model's at least")
    dashes = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1)), (0, (3, 1, 1, 1)))
    looks = zip(_LINES, dashes, _MARKS, strict=False)
    for (name, one), (colour, dash, mark) in zip(models.items(), looks, strict=False):
        yield name, one, {"color": colour, "linestyle": dash, "marker": mark, "markersize": 4}


def _title(name: str) -> str:
    return name.replace("_", " ").replace("iou", "IoU")
