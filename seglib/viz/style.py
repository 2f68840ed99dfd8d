"""One look for all figures: colours that colour-blind readers can tell apart, a white ground.

Chapter: all of them, after the setup cell.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
