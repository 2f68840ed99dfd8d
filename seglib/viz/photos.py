"""The book's style, and photos with their masks: overlays, contact sheets, cases side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglib.errors import SeglibError
from seglib.images import as_image, as_mask

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


def grid(rows: int, columns: int, ratio: float, width: float, bare: bool = True) -> tuple:
    """Return a figure and its flat axes; closed for pyplot, so a notebook shows it only once."""
    import matplotlib.pyplot as plt

    size = (columns * width, rows * (width * ratio + (0.3 if bare else 0.5)))
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    plt.close(figure)
    return figure, axes.ravel()


def panel(ax: "Axes", picture: np.ndarray, title: str) -> None:
    """Draw one picture without axes."""
    top = 255 if picture.dtype == np.uint8 else 1
    ax.imshow(picture, cmap="gray", vmin=0, vmax=top)
    ax.set_title(title)
    ax.set_axis_off()


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
    """
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape[:2])
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
    """
    picture = overlay(image, mask, color)
    if ax is not None:
        panel(ax, picture, title)
        return ax.figure
    figure, axes = grid(1, 1, picture.shape[0] / picture.shape[1], 3.6)
    panel(axes[0], picture, title)
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
    """
    count = len(images)
    if not count:
        raise SeglibError("there are no images to show; hand in at least one")
    for name, other in (("masks", masks), ("titles", titles)):
        if other is not None and len(other) != count:
            raise SeglibError(f"{count} images and {len(other)} {name}; hand in one for each image")
    columns = min(columns, count)
    height, wide = np.asarray(images[0]).shape[:2]
    figure, axes = grid(-(-count // columns), columns, height / wide, width)
    for index, ax in enumerate(axes):
        if index >= count:
            ax.set_visible(False)
            continue
        picture = np.asarray(images[index])
        if masks is not None:
            mask = np.asarray(masks[index])
            mask = mask / np.float32(255) if mask.dtype == np.uint8 else mask
            picture = overlay(picture, mask)
        panel(ax, picture, titles[index] if titles is not None else "")
    return figure


def errors(
    image: np.ndarray, truth: np.ndarray, mask: np.ndarray, threshold: float = 0.5
) -> np.ndarray:
    """Return the photo in grey with the wrong pixels in colour.

    Args:
        image: uint8 RGB (H, W, 3).
        truth: float (H, W) in [0, 1].
        mask: the prediction, float (H, W) in [0, 1].
        threshold: cut for both.

    Returns:
        uint8 RGB (H, W, 3): vermilion where too much is marked, blue where something is missed,
        paler where the thing was found.
    """
    image = as_image(image)
    inside = as_mask(truth, shape=image.shape[:2]) >= threshold
    marked = as_mask(mask, shape=image.shape[:2]) >= threshold
    grey = image.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    picture = np.where((inside & marked)[..., None], 0.45 * grey + 140, 0.75 * grey)
    for wrong, name in ((marked & ~inside, "vermilion"), (inside & ~marked, "blue")):
        colour = [int(COLOURS[name][place : place + 2], 16) for place in (1, 3, 5)]
        picture[wrong] = 0.2 * picture[wrong] + 0.8 * np.array(colour)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def cases(
    images: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    titles: Sequence[str] | None = None,
    columns: int = 2,
    width: float = 1.35,
) -> "Figure":
    """Draw cases side by side: the photo, the truth over it, the prediction's errors.

    Args:
        images: uint8 RGB (H, W, 3) each, of any sizes.
        truths: the true masks, float (H, W) each.
        masks: the predictions, float (H, W) each.
        titles: one short text per case, such as its score.
        columns: cases in a row.
        width: of a panel, in inches.

    Returns:
        The figure; colours as in `errors`.
    """
    count = len(images)
    lengths = {len(part) for part in (truths, masks, titles or images)} | {count}
    if not count or len(lengths) > 1:
        raise SeglibError(
            "cases need at least one photo, and a truth, a mask and a title for each; got "
            f"{count}, {len(truths)}, {len(masks)} and {len(titles or images)}"
        )
    columns = min(columns, count)
    ratio = max(image.shape[0] / image.shape[1] for image in images)
    figure, axes = grid(-(-count // columns), 3 * columns, ratio, width)
    for ax in axes[3 * count :]:
        ax.set_visible(False)
    for index, (image, truth, mask) in enumerate(zip(images, truths, masks, strict=True)):
        pictures = (image, overlay(image, truth), errors(image, truth, mask))
        names = (titles[index] if titles else "", "truth", "errors")
        for ax, picture, name in zip(axes[3 * index :], pictures, names, strict=False):
            panel(ax, picture, name)
            ax.title.set_fontsize("small")
    return figure
