"""What makes photos hard: damage that a camera does to them, and what is on them.

Corruptions follow the benchmark of Hendrycks and Dietterich (ICLR 2019), with those that a phone's
photos meet. Lengths are fractions of the photo's longer side, so that a large photo and a small one
are hurt alike; what is drawn by chance depends on the seed and the photo's name alone. Geometry
moves the true mask along; beyond the border photo and mask are mirrored as in training.

Hard subsets are found from the photo and its true mask without further labels; a photo can belong
to several. Two people who touch are one piece, and one person behind a pole is two, so "in parts"
finds several people only roughly; hair on both sides of a face is two pieces as well.

Chapter: evaluation and error analysis.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from seglib.data.augment import compress
from seglib.data.dataset import Dataset, Pair
from seglib.errors import SeglibError
from seglib.evaluation.compare import Interval, unpaired
from seglib.evaluation.evaluate import Scores, Segment, evaluate
from seglib.images import as_image, as_mask


def _noise(image: np.ndarray, mask: np.ndarray, level: float, rng: np.random.Generator) -> Pair:
    # Drawn at 256 pixels and enlarged: grains of one size in the picture, not one size in pixels,
    # which a large photo would average away when it is made small for the network.
    scale = 256 / max(image.shape)
    small = tuple(max(1, round(scale * side)) for side in image.shape[:2])
    grain = level * rng.standard_normal((*small, 3), dtype=np.float32)
    grain = cv2.resize(grain, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.clip(np.rint(image + grain), 0, 255).astype(np.uint8), mask


def _dark(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    # Light halves with each stop; 2.2 is the display's exponent. Dark greys fall together for good,
    # as eight bits leave them no room.
    levels = 255 * (np.arange(256) / 255) * 2 ** (-level / 2.2)
    return cv2.LUT(image, np.rint(levels).astype(np.uint8)), mask


def _rotate(image: np.ndarray, mask: np.ndarray, level: float, rng: np.random.Generator) -> Pair:
    height, width = mask.shape
    angle = level if rng.random() < 0.5 else -level
    # OpenCV counts from pixel centres.
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
    how = {"dsize": (width, height), "borderMode": cv2.BORDER_REFLECT_101}
    return cv2.warpAffine(image, matrix, **how), cv2.warpAffine(mask, matrix, **how)


def _crop(image: np.ndarray, mask: np.ndarray, level: float, _rng: np.random.Generator) -> Pair:
    # Around the foreground's centre, or a narrow window might show none of it.
    found = np.argwhere(mask >= 0.5)
    centre = found.mean(axis=0) if len(found) else np.array(mask.shape) / 2
    spans = []
    for side, middle in zip(mask.shape, centre, strict=True):
        kept = max(1, round(level / 100 * side))
        start = int(np.clip(round(middle - kept / 2), 0, side - kept))
        spans.append(slice(start, start + kept))
    return np.ascontiguousarray(image[*spans]), np.ascontiguousarray(mask[*spans])


class Corruption(NamedTuple):
    """What a level counts, levels from mild to strong, and (image, mask, level, rng) -> Pair."""

    unit: str
    levels: tuple[float, ...]
    apply: Callable[[np.ndarray, np.ndarray, float, np.random.Generator], Pair]


CORRUPTIONS: dict[str, Corruption] = {
    "blur": Corruption(
        "sigma, % of the longer side",
        (0.5, 1, 2, 4),
        lambda x, mask, level, _: (cv2.GaussianBlur(x, (0, 0), level / 100 * max(x.shape)), mask),
    ),
    "noise": Corruption("deviation, of 255", (10, 20, 40, 80), _noise),
    "jpeg": Corruption(
        "quality", (50, 20, 10, 5), lambda x, mask, level, _: (compress(x, round(level)), mask)
    ),
    "darkness": Corruption("stops", (1, 2, 4, 6), _dark),
    "rotation": Corruption("degrees", (15, 30, 90, 180), _rotate),
    "crop": Corruption("% of each side kept", (80, 60, 40, 20), _crop),
}


class Corrupted(NamedTuple):
    """Scores on photos that were changed in one way; kind "none", level 0: as they are."""

    kind: str
    level: float
    scores: Scores


def corrupt(
    image: np.ndarray, mask: np.ndarray, kind: str, level: float, seed: int | Sequence[int] = 0
) -> Pair:
    """Return a changed photo and the mask that is true of it, of one size (a crop's is smaller).

    Args:
        image: uint8 RGB (h, w, 3).
        mask: (h, w) in 0..1.
        kind: a key of `CORRUPTIONS`.
        level: how strong, in the kind's unit.
        seed: of what is drawn by chance.
    """
    _check(kind)
    if not level > 0:
        raise SeglibError(f"the level of {kind} is {level}; use a number above 0")
    image = as_image(image)
    mask = as_mask(mask, shape=image.shape)
    return CORRUPTIONS[kind].apply(image, mask, level, np.random.default_rng(seed))


def evaluate_corrupted(
    segment: Segment,
    dataset: Dataset,
    kinds: Sequence[str] = tuple(CORRUPTIONS),
    seed: int = 0,
    progress: bool = True,
) -> list[Corrupted]:
    """Score a model on a set as it is, then with every kind and level of corruption."""
    for kind in kinds:
        _check(kind)
    rows = [Corrupted("none", 0, evaluate(segment, dataset, progress=progress))]
    for kind in kinds:
        for level in CORRUPTIONS[kind].levels:

            def read(stem: str, kind: str = kind, level: float = level) -> Pair:
                return corrupt(*dataset.read(stem), kind, level, [seed, zlib.crc32(stem.encode())])

            scores = evaluate(segment, replace(dataset, read=read), progress=progress)
            rows.append(Corrupted(kind, level, scores))
    return rows


SUBSETS: dict[str, Callable[[dict[str, float]], bool]] = {
    "grey": lambda photo: photo["colour_spread"] < 4,
    "low contrast": lambda photo: photo["edge_step"] < 12,
    "dark on dark": lambda photo: max(photo["edge_inside"], photo["edge_outside"]) < 30,
    "small": lambda photo: 0 < photo["area"] < 0.05,
    "cut off": lambda photo: photo["cut"] > 0.2,
    "in parts": lambda photo: photo["parts"] >= 2,
}
"""By name, whether a photo with these `attributes` belongs to it. "plain" is none of them."""

FEW = 5
"""Subsets with fewer photos get no interval: five scores do not show their own spread."""


class HardSubset(NamedTuple):
    """A subset's number of photos, mean score (NaN without any) and gap to all other photos' mean.

    The gap is None where either side has fewer than `FEW` photos.
    """

    name: str
    count: int
    mean: float
    gap: Interval | None


def attributes(image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Measure what can make a photo (uint8 RGB) with this true mask (cut at one half) hard.

    Returns:
        Numbers by name. `colour_spread` is the root mean square distance of the colours from their
        mean, CIELAB a and b; a photo in one tint, such as sepia, has little either. `edge_step` is
        the median difference of lightness across the edge, `edge_inside` and `edge_outside` the
        median lightness along it, all 0..100; without an edge the step is 100 and both sides have
        the photo's lightness. `area` is the fraction of the photo covered, `cut` the largest
        fraction covered of the upper side or of the upper half of the others, 0..1 (the lower half
        cuts the shoulders of every portrait). `parts` counts pieces, those below a tenth of the
        largest left out.
    """
    image = as_image(image)
    inside = as_mask(mask, shape=image.shape) >= 0.5
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    step, light_inside, light_outside = _edge(lab[..., 0], inside)
    half = max(1, len(inside) // 2)
    sides = (inside[0], inside[:half, 0], inside[:half, -1])
    facts = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=8)[2]
    areas = facts[1:, cv2.CC_STAT_AREA]
    return {
        "colour_spread": float(np.sqrt(lab[..., 1:].var(axis=(0, 1)).sum())),
        "edge_step": step,
        "edge_inside": light_inside,
        "edge_outside": light_outside,
        "area": float(inside.mean()),
        "cut": float(max(side.mean() for side in sides)),
        "parts": int((areas >= 0.1 * areas.max(initial=0)).sum()),
    }


def hard_subsets(scores: Scores, dataset: Dataset, name: str = "iou") -> list[HardSubset]:
    """Split a model's scores (of `name`) on this set by what makes its photos hard.

    Returns:
        "plain" first, then one for each entry of `SUBSETS`, those without photos too.
    """
    if {*scores.stems, *(row["stem"] for row in scores.empty_rows)} != set(dataset.stems):
        raise SeglibError(
            f"the scores are not of these photos of {dataset.name}; score the same data set"
        )
    measured = [attributes(*dataset.read(stem)) for stem in scores.stems]
    member = {
        subset: np.array([bool(belongs(photo)) for photo in measured])
        for subset, belongs in SUBSETS.items()
    }
    values, found = scores.values(name), []
    for subset, inside in {"plain": ~np.any(list(member.values()), axis=0), **member}.items():
        few = min(inside.sum(), (~inside).sum()) < FEW
        gap = None if few else unpaired(values[inside], values[~inside])
        mean = float(values[inside].mean()) if inside.any() else float("nan")
        found.append(HardSubset(subset, int(inside.sum()), mean, gap))
    return found


def _check(kind: str) -> None:
    if kind not in CORRUPTIONS:
        raise SeglibError(f"no corruption is called {kind!r}; use one of {', '.join(CORRUPTIONS)}")


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

    near, far = around(inside), around(~inside)
    return tuple(float(np.median(light)) for light in (np.abs(near - far), near, far))
