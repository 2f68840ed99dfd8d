"""Pictures of masks and curves in one style that colour-blind readers can tell apart.

Every function returns a matplotlib `Figure` that is already closed for pyplot: as the last
expression of a notebook cell it is shown once, and `figure.savefig(...)` works anywhere. Nothing to
show, or lists that differ in length, is a `SeglibError`.
"""

from seglib.viz.photos import (
    COLOURS,
    OVERLAY,
    cases,
    contact_sheet,
    errors,
    overlay,
    show_overlay,
    use_style,
)
from seglib.viz.plots import (
    compare_runs,
    curves,
    distribution,
    intervals,
    live_curves,
    reliability,
    strengths,
)

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
