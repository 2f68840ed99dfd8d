"""Groups of hard photos, found from the photo and its true mask without further labels.

* grey: the colours' spread around their mean is below 4 (CIELAB a and b)
* low contrast: the median step of lightness across the mask's edge is below 12 (CIELAB, 0..100)
* dark on dark: the median lightness is below 30 on both sides of the edge
* small: the mask covers less than 0.05 of the photo, but something
* cut off: it covers more than 0.2 of the upper side, or of the upper half of another side
* empty: it covers nothing, so every marked pixel is wrong
* in parts: it has two or more pieces, those below a tenth of the largest not counted
* plain: none of these

A photo can belong to several groups. Two people who touch are one piece, and one person behind a
pole is two, so "in parts" finds several people only roughly; hair on both sides of a face is two
pieces as well. The lower half of the frame does not count for "cut off": it cuts the shoulders of
every head-and-shoulder portrait.

Side and back views are not among them: nothing in a photo and a mask tells reliably which way a
head looks. It would take labels, or a face detector whose own misses (dark faces, profiles, hair
over the eyes) would be taken for views from behind.

Chapter: evaluation and error analysis.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from seglib.data.dataset import Dataset
from seglib.errors import SeglibError
from seglib.evaluation.intervals import Interval, unpaired
from seglib.evaluation.scoring import Scores
from seglib.images import as_image, as_mask

GROUPS: dict[str, Callable[[dict[str, float]], bool]] = {
    "grey": lambda trait: trait["colour_spread"] < 4,
    "low contrast": lambda trait: trait["edge_step"] < 12,
    "dark on dark": lambda trait: max(trait["edge_inside"], trait["edge_outside"]) < 30,
    "small": lambda trait: 0 < trait["area"] < 0.05,
    "cut off": lambda trait: trait["cut"] > 0.2,
    "empty": lambda trait: trait["parts"] == 0,
    "in parts": lambda trait: trait["parts"] >= 2,
}
"""By name, whether a photo with these `traits` belongs to the group. "plain" is none of them."""

FEW = 5
"""Groups with fewer photos get no interval: five scores do not show their own spread."""


@dataclass(frozen=True)
class Group:
    """One group of photos and how a model does on it.

    Attributes:
        name: a key of `GROUPS`, or "plain".
        scores: the group's rows.
        mean: of the chosen score; NaN in an empty group.
        interval: of that mean; None in a group with fewer than `FEW` photos.
        gap: mean inside minus mean of all photos outside, with interval; None where either side has
            fewer than `FEW` photos.
    """

    name: str
    scores: Scores
    mean: float
    interval: Interval | None
    gap: Interval | None


def traits(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Measure what can make a photo hard.

    Args:
        image: uint8 RGB (h, w, 3).
        mask: the true mask, float (h, w) in 0..1; it is cut at one half.

    Returns:
        Numbers by name. `colour_spread` is the root mean square distance of the colours from their
        mean, CIELAB a and b; a photo in one tint, such as sepia, has little either. `edge_step` is
        the median difference of lightness across the edge, `edge_inside` and `edge_outside` the
        median lightness along it, all 0..100; without an edge the step is 100 and both sides have
        the photo's lightness. `area` is the share of the photo covered, `cut` the largest share
        covered of the upper side or of the upper half of the others, 0..1. `parts` counts pieces,
        those below a tenth of the largest left out.

    Raises:
        SeglibError: photo and mask differ in size, or one of them is not what it should be.
    """
    image = as_image(image)
    inside = as_mask(mask, shape=image.shape[:2]) >= 0.5
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    spread = np.sqrt(lab[..., 1:].var(axis=(0, 1)).sum())
    step, light_inside, light_outside = _edge(lab[..., 0], inside)
    half = max(1, len(inside) // 2)
    sides = (inside[0], inside[:half, 0], inside[:half, -1])
    return {
        "colour_spread": float(spread),
        "edge_step": step,
        "edge_inside": light_inside,
        "edge_outside": light_outside,
        "area": float(inside.mean()),
        "cut": float(max(side.mean() for side in sides)),
        "parts": _parts(inside),
    }


def by_difficulty(scores: Scores, dataset: Dataset, name: str = "iou") -> tuple[Group, ...]:
    """Split a model's scores by what makes photos hard.

    Args:
        scores: of the model on this data set.
        dataset: the same photos in the same order.
        name: the score.

    Returns:
        "plain" first, then a group for each entry of `GROUPS`, empty ones too.

    Raises:
        SeglibError: scores and photos are not the same.
    """
    if scores.stems != tuple(dataset.stems):
        raise SeglibError(
            f"the scores are not of these photos of {dataset.name}; score the same data set"
        )
    measured = [traits(image, mask) for image, mask in dataset]
    member = {
        group: np.array([bool(belongs(trait)) for trait in measured])
        for group, belongs in GROUPS.items()
    }
    member = {"plain": ~np.any(list(member.values()), axis=0), **member}
    return tuple(_group(group, scores, inside, name) for group, inside in member.items())


def hardest(groups: Sequence[Group]) -> Group | None:
    """Return the group that lies furthest below the rest for certain, or None."""
    below = [group for group in groups if group.gap is not None and group.gap.high < 0]
    return min(below, key=lambda group: group.gap.mean, default=None)


def _group(group: str, scores: Scores, inside: np.ndarray, name: str) -> Group:
    part, values = scores.where(inside), scores.values(name)
    count, rest = int(inside.sum()), int((~inside).sum())
    return Group(
        group,
        part,
        float(values[inside].mean()) if count else float("nan"),
        part.interval(name) if count >= FEW else None,
        unpaired(values[inside], values[~inside]) if min(count, rest) >= FEW else None,
    )


def _edge(light: np.ndarray, inside: np.ndarray) -> tuple[float, float, float]:
    """Compare the lightness within a few pixels on both sides of the edge, place by place."""
    cross = np.ones((3, 3), np.uint8)
    # Replicated beyond the photo: where the frame cuts the person there is no edge to see.
    eroded = cv2.erode(inside.astype(np.uint8), cross, borderType=cv2.BORDER_REPLICATE)
    edge = inside & (eroded == 0)
    if not edge.any():
        middle = float(np.median(light))
        return 100.0, middle, middle
    reach = 2 * max(1, round(0.015 * float(np.hypot(*light.shape)))) + 1

    def around(part: np.ndarray) -> np.ndarray:
        weight = part.astype(np.float32)
        total = cv2.boxFilter(light * weight, -1, (reach, reach), normalize=False)
        count = cv2.boxFilter(weight, -1, (reach, reach), normalize=False)
        return total[edge] / np.maximum(count[edge], 1)

    near_inside, near_outside = around(inside), around(~inside)
    step = np.median(np.abs(near_inside - near_outside))
    return float(step), float(np.median(near_inside)), float(np.median(near_outside))


def _parts(inside: np.ndarray) -> int:
    _, _, facts, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)
    areas = facts[1:, cv2.CC_STAT_AREA]
    return int(np.count_nonzero(areas >= 0.1 * areas.max())) if len(areas) else 0
