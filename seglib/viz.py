"""Pictures of masks and curves in one style that colour-blind readers can tell apart.

Every function returns a matplotlib `Figure` that is already closed for pyplot: as the last
expression of a notebook cell it is shown once, and `figure.savefig(...)` works anywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.images import check_image, check_mask

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
OVERLAY = (0, 114, 178)  # the blue above, as RGB


def use_style() -> None:
    """Set matplotlib's defaults for the book: its colours, a light grid, a white ground.

    The white ground is deliberate: the book's dark theme shows such pictures in a light box.
    Chapter: all of them, after the setup cell.
    """
    import matplotlib as mpl

    mpl.rcParams.update(
        {
            "axes.prop_cycle": mpl.cycler(color=list(COLOURS.values())[:-2]),
            "axes.grid": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "figure.facecolor": "white",
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "grid.color": "#DDDDDD",
            "image.cmap": "gray",
            "legend.frameon": False,
            "lines.linewidth": 1.8,
        }
    )


def overlay(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int] = OVERLAY,
    strength: float = 0.55,
    outline: bool = True,
) -> np.ndarray:
    """Return the photo with the mask tinted over it, so that wrong pixels are seen at once.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 (H, W) in [0, 1].
        color: RGB, 0..255.
        strength: how much of the photo the colour replaces where the mask is 1, in [0, 1].
        outline: draw the line where the mask crosses one half.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        SeglibError: image and mask differ in size, or one of them is not what it should be.
    """
    image = check_image(image)
    mask = check_mask(mask, shape=image.shape[:2])
    tint = np.asarray(color, dtype=np.float32)
    weight = strength * mask[..., None]
    mixed = image * (1 - weight) + tint * weight
    if outline:
        inside = mask >= 0.5
        edge = np.zeros_like(inside)
        edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
        edge[1:] |= inside[1:] != inside[:-1]
        mixed[edge] = tint
    return np.rint(mixed).astype(np.uint8)


def show_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    color: Sequence[int] = OVERLAY,
    ax: "Axes | None" = None,
    title: str = "",
) -> "Figure":
    """Draw `overlay` into one panel.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: float32 (H, W) in [0, 1].
        color: RGB, 0..255.
        ax: the axes to draw into; None makes a new figure.
        title: shown above the panel.

    Returns:
        The figure that holds the panel.
    """
    picture = overlay(image, mask, color)
    if ax is not None:
        _panel(ax, picture, title)
        return ax.figure
    figure, axes = _grid(1, 1, picture.shape[0] / picture.shape[1], 3.6)
    _panel(axes[0], picture, title)
    return figure


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

    Returns:
        The figure.

    Raises:
        SeglibError: nothing to show, or the lists differ in length.
    """
    count = len(images)
    if not count:
        raise SeglibError("there are no images to show; hand in at least one")
    for name, other in (("masks", masks), ("titles", titles)):
        if other is not None and len(other) != count:
            raise SeglibError(f"{count} images and {len(other)} {name}; hand in one for each image")
    columns = min(columns, count)
    height, wide = np.asarray(images[0]).shape[:2]
    figure, axes = _grid(-(-count // columns), columns, height / wide, width)
    for index, ax in enumerate(axes):
        if index >= count:
            ax.set_visible(False)
            continue
        picture = np.asarray(images[index])
        if masks is not None:
            mask = np.asarray(masks[index])
            mask = mask / np.float32(255) if mask.dtype == np.uint8 else mask
            picture = overlay(picture, mask)
        _panel(ax, picture, titles[index] if titles is not None else "")
    return figure


def curves(
    rows: Iterable[Mapping[str, float]],
    names: Sequence[str] | None = None,
    x: str = "epoch",
) -> "Figure":
    """Draw a training log: losses in one panel, scores in the other.

    Args:
        rows: one mapping per epoch, as `seglib.training.fit` returns them.
        names: the columns to draw; None takes all columns with "loss", "iou" or "dice" in the name.
        x: the column of the horizontal axis.

    Returns:
        The figure.

    Raises:
        SeglibError: no rows, or none of the columns is there.
    """
    rows = list(rows)
    known = list(dict.fromkeys(key for row in rows for key in row))
    if names is None:
        names = [name for name in known if any(part in name for part in ("loss", "iou", "dice"))]
    names = [name for name in names if name in known]
    if not names:
        there = ", ".join(known) or "no rows"
        raise SeglibError(f"no column to draw among {there}; name one of them")
    losses = [name for name in names if "loss" in name]
    panels = [part for part in (losses, [n for n in names if n not in losses]) if part]
    figure, axes = _grid(1, len(panels), 0.7, 4.2, bare=False)
    for ax, part in zip(axes, panels, strict=True):
        for name, mark in zip(part, "os^Dv<>" * len(part), strict=False):
            points = [(row.get(x, i), row[name]) for i, row in enumerate(rows, 1) if name in row]
            # Different marks too, so that the lines can be told apart in grey.
            ax.plot(*zip(*points, strict=True), marker=mark, markersize=4, label=name)
        ax.set_xlabel(x)
        ax.grid(True)
        ax.legend()
    return figure


def _grid(rows: int, columns: int, ratio: float, width: float, bare: bool = True) -> tuple:
    """Return a figure and its flat axes; closed for pyplot, so a notebook shows it only once."""
    import matplotlib.pyplot as plt

    size = (columns * width, rows * (width * ratio + (0.3 if bare else 0.5)))
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    plt.close(figure)
    return figure, axes.ravel()


def _panel(ax: "Axes", picture: np.ndarray, title: str) -> None:
    """Draw one picture without axes."""
    top = 255 if picture.dtype == np.uint8 else 1
    ax.imshow(picture, cmap="gray", vmin=0, vmax=top)
    ax.set_title(title)
    ax.set_axis_off()
