"""Pictures of masks and curves in one style that colour-blind readers can tell apart.

Every function returns a matplotlib `Figure` that is already closed for pyplot: as the last
expression of a notebook cell it is shown once, and `figure.savefig(...)` works anywhere.

Chapter: all of them, after the setup cell.
"""

from seglib.viz.pictures import cases, contact_sheet, errors, overlay, show_overlay
from seglib.viz.plots import (
    curves,
    distribution,
    intervals,
    reliability,
    strengths,
)
from seglib.viz.runs import compare_runs, live_curves
from seglib.viz.style import COLOURS, OVERLAY, use_style

__all__ = [
    "COLOURS",
    "OVERLAY",
    "use_style",
    "overlay",
    "show_overlay",
    "contact_sheet",
    "errors",
    "cases",
    "curves",
    "compare_runs",
    "live_curves",
    "distribution",
    "intervals",
    "reliability",
    "strengths",
]
