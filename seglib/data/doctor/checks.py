"""What is wrong with one pair by itself, and which masks of a set are inside out.

Chapter: data preparation.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from seglib.data import dataset
from seglib.data.doctor.findings import Finding, finding
from seglib.data.duplicates import THUMB, Fingerprint, fingerprint
from seglib.errors import SeglibError
from seglib.images import read_image, read_labels, read_mask, resize

# About one mask in 500 of five real sets lies below, and about half of those are plainly wrong.
_EDGE_FIT = 0.02
_OUTLINE_SIDE = 256  # outlines are judged at this size: edges of one pixel, and faster
_SHORTEST = 200  # outline pixels; shorter ones lie on an edge, or do not, by chance
_SOFT = 0.5  # of a mask's pixels; alphas of hair in the sun have a fifth in between
_BINS = 8  # a channel, of colours
_ENOUGH = 8  # pairs; fewer say nothing about what is usual
_ELSEWHERE = -0.25  # correlation with the mean mask, below which a mask marks other places

_ORIENTATION = 0x0112
# What brings a mask, painted on the photo as it was stored, to the photo as its EXIF tag shows it.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: partial(np.rot90, k=2),
    4: np.flipud,
    5: np.transpose,
    6: partial(np.rot90, k=3),
    7: lambda mask: np.rot90(mask, 2).T,
    8: np.rot90,
}


@dataclass
class PairReport:
    """What one pair showed, in a few kilobytes whatever the photo's size.

    Attributes:
        stem: the pair's name.
        findings: what is wrong with this pair by itself.
        thumb: uint8 (32, 32, 3), the photo; None where it cannot be read.
        masks: kind -> uint8 (32, 32), 0..255.
        shares: kind -> share of the photo that is marked, 0..1.
        print: what the photo is known again by.
        counts: class number -> pixels, for sets with labels.
        agreement: kind -> IoU with a model's mask, where one was given.
    """

    stem: str
    findings: list[Finding] = field(default_factory=list)
    thumb: np.ndarray | None = None
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    print: Fingerprint | None = None
    counts: dict[int, int] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)


def check_pair(
    picks: dict[str, tuple[int, ...]],
    classes: frozenset[int],
    deep: bool,
    segment: Callable[[np.ndarray], np.ndarray] | None,
    pair: tuple[str, Path, dict[str, Path]],
) -> PairReport:
    """Look at one pair.

    Args:
        picks: kind -> class numbers that count, for kinds that come from labels.
        classes: the class numbers that the set knows.
        deep: False looks only for what makes a pair unusable.
        segment: a model from photo to mask, to compare the masks with.
        pair: its stem, its photo, and kind -> mask.
    """
    stem, photo_path, masks = pair
    report, photo, seen = PairReport(stem), None, set()
    for kind, path in masks.items():
        pick, first = picks.get(kind), path not in seen
        seen.add(path)
        # One file of class numbers stands for all kinds.
        labels = _check_labels(path, classes, report) if pick is not None and first else []
        report.findings += labels
        try:
            photo, mask = dataset.read_pair(photo_path, path, pick)
        except SeglibError as error:
            if first and not any(one.remedy for one in labels):
                report.findings.append(_why(photo_path, path, stem, kind, error))
            continue
        _check_share(report, kind, mask)
        if pick is None:
            report.findings += _check_values(path, mask, stem, kind, deep)
        if deep:
            _check_fit(report, photo_path, kind, photo, mask)
        if deep and segment is not None:
            # A model that keeps the mask of the frame before would take this for the same film.
            getattr(segment, "reset_state", lambda: None)()
            report.agreement[kind] = _agreement(segment(photo), mask)
    if deep and photo is not None:
        report.thumb, report.print = resize(photo, (THUMB, THUMB)), fingerprint(photo)
        if float(photo.std(axis=(0, 1)).max()) < 2:
            report.findings.append(finding("blank", (stem,), photo=photo_path))
        elif _is_grey(photo):
            report.findings.append(finding("grey", (stem,), photo=photo_path))
    return report


def _why(photo: Path, path: Path, stem: str, kind: str, error: SeglibError) -> Finding:
    """Say which fault made the loader refuse a pair."""

    def found(case: str) -> Finding:
        return finding(case, (stem,), kind, error=error, photo=photo, mask=path.name)

    try:
        size, shown = read_image(photo).shape[:2], read_image(path).shape[:2]
    except SeglibError:
        return found("unreadable")
    if shown != size:
        with Image.open(photo) as stored:
            if orientation(stored) > 4 and shown == (stored.height, stored.width):
                return found("turned size")
        if shown == size[::-1]:
            return found("on its side")
        alike = abs(shown[0] * size[1] / (shown[1] * size[0]) - 1) < 0.02
        return found("other size" if alike else "other shape")
    try:
        levels = np.unique(read_mask(path, judge=False))
    except SeglibError:
        # A coloured mask can be read one way only if it is black and one other colour.
        levels = np.unique(read_image(path).reshape(-1, 3), axis=0).max(axis=1)
    return found("one other value" if len(levels) == 2 and levels[0] == 0 else "no mask")


def _check_labels(path: Path, known: frozenset[int], report: PairReport) -> list[Finding]:
    """Count the classes of a label file and name those that the set does not know."""
    try:
        with Image.open(path) as picture:
            if picture.format == "JPEG":
                return [finding("lossy classes", (report.stem,), mask=path)]
        numbers, pixels = np.unique(read_labels(path), return_counts=True)
    except (OSError, SeglibError):
        return []
    report.counts = dict(zip(numbers.tolist(), pixels.tolist(), strict=True))
    unknown = [str(number) for number in report.counts if number not in known]
    if not unknown:
        return []
    # The usual number of what nobody wanted to judge.
    case = "void" if unknown == ["255"] else "unknown classes"
    return [finding(case, (report.stem,), mask=path, names=", ".join(unknown[:5]))]


def _check_share(report: PairReport, kind: str, mask: np.ndarray) -> None:
    share = report.shares[kind] = float(np.mean(mask))
    if share == 0:
        nothing = "nothing" if kind == "mask" else f"no {kind}"
        report.findings.append(finding("empty", (report.stem,), kind, nothing=nothing))
    if share > 0.97:
        report.findings.append(finding("full", (report.stem,), kind, share=share))


def _check_values(path: Path, mask: np.ndarray, stem: str, kind: str, deep: bool) -> list[Finding]:
    """Judge how a mask file is written, and whether its values are those of an alpha."""
    levels = np.rint(read_mask(path, judge=False) * 255).astype(np.uint8)
    if levels.max() == 1 and mask.max() == 1:
        return [finding("0 and 1", (stem,), kind, mask=path)]
    soft = float(np.mean((mask > 0.1) & (mask < 0.9)))
    if soft > _SOFT:
        return [finding("noise", (stem,), kind, mask=path, share=soft)]
    if not deep:
        return []
    with Image.open(path) as picture:
        lossy = picture.format if picture.format in ("JPEG", "WEBP") else ""
    if lossy or is_lossy(levels):
        how = f"is a {lossy}" if lossy else "was a JPEG once"
        return [finding("lossy", (stem,), kind, mask=path, how=how)]
    if path.suffix.lower() != ".png":
        return [finding("format", (stem,), kind, mask=path)]
    counts = np.bincount(levels.ravel(), minlength=256)
    between = np.flatnonzero(counts[1:255]) + 1
    # A soft edge has many levels with few pixels each; a third class has one with many.
    if 0 < len(between) <= 8 and counts[between].max() > 0.01 * levels.size:
        listed = ", ".join(map(str, np.flatnonzero(counts)))
        return [finding("levels", (stem,), kind, mask=path, levels=listed)]
    return []


def _check_fit(
    report: PairReport, path: Path, kind: str, photo: np.ndarray, mask: np.ndarray
) -> None:
    """Judge whether a mask lies on its photo, which a tag may turn."""
    small = resize(mask, (THUMB, THUMB))
    report.masks[kind] = np.rint(small * 255).astype(np.uint8)
    tag, fit = orientation(path), edge_fit(photo, mask)
    if tag == 1:
        if fit is not None and fit < _EDGE_FIT:
            report.findings.append(finding("edges", (report.stem,), kind))
        return
    as_stored = turned(mask, tag)
    other = edge_fit(photo, as_stored) if as_stored.shape == mask.shape else None
    if fit is not None and other is not None and other > fit + 0.05 and fit < 0.1:
        report.findings.append(finding("turned mask", (report.stem,), kind, photo=path))
    else:
        report.findings.append(finding("tag", (report.stem,), photo=path))


def _agreement(guess: np.ndarray, mask: np.ndarray) -> float:
    guess, truth = guess >= 0.5, mask >= 0.5
    either = np.count_nonzero(guess | truth)
    # Too small an area for a share to mean anything counts as agreement.
    return np.count_nonzero(guess & truth) / either if either > 0.01 * mask.size else 1.0


def orientation(picture: Path | Image.Image) -> int:
    """Return the number of the EXIF tag, 1 (as it is stored) to 8; 1 where it makes no sense."""
    if isinstance(picture, Path):
        with Image.open(picture) as opened:
            return orientation(opened)
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    # Pillow lets many kinds of exception through on damaged EXIF.
    except Exception:
        return 1
    return value if value in _TURNS else 1


def turned(mask: np.ndarray, tag: int) -> np.ndarray:
    """Return a mask (h, w) of the photo as stored as one of the photo as its tag shows it."""
    return mask if tag == 1 else np.ascontiguousarray(_TURNS[tag](mask))


def _is_grey(photo: np.ndarray) -> bool:
    """Return whether a photo holds no colours beyond JPEG's rounding."""
    spread = photo.max(axis=2).astype(np.int16) - photo.min(axis=2)
    return float(np.mean(spread > 8)) < 0.005


def is_lossy(levels: np.ndarray) -> bool:
    """Return whether a grey mask, uint8 (h, w), carries the ringing of a JPEG compression.

    JPEG leaves specks on both sides of an edge: almost white ones in the white and almost black
    ones in the black, each darker or lighter than its four neighbours; and it leaves them in those
    of its 8 x 8 blocks that the edge runs through. A soft edge falls off evenly, and the specks of
    single hairs keep to no blocks.
    """
    square = np.ones((3, 3), np.uint8)
    outline = cv2.morphologyEx((levels >= 128).astype(np.uint8), cv2.MORPH_GRADIENT, square)
    edge = outline | ((levels >= 25) & (levels <= 230)).astype(np.uint8)
    apart = cv2.dilate(edge, np.ones((7, 7), np.uint8)) == 0
    dark = apart & (levels > 0) & (levels < 25)
    bright = apart & (levels > 230) & (levels < 255)
    cross = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8)
    specks = (levels > cv2.dilate(levels, cross)) | (levels < cv2.erode(levels, cross))
    fewer = min(np.count_nonzero(specks & dark), np.count_nonzero(specks & bright))
    if fewer <= max(4, 0.003 * np.count_nonzero(outline)):
        return False
    return np.count_nonzero(_blocks(dark | bright) & ~_blocks(edge > 0)) <= 0.1 * fewer


def _blocks(marked: np.ndarray) -> np.ndarray:
    """Return which whole 8 x 8 blocks of a bool array hold something marked."""
    height, width = (side // 8 for side in marked.shape)
    return marked[: height * 8, : width * 8].reshape(height, 8, width, 8).any(axis=(1, 3))


def edge_fit(photo: np.ndarray, mask: np.ndarray) -> float | None:
    """Measure how much better a mask's outline lies on the photo's edges than beside them.

    Every pixel gets the rank of its gradient among all pixels, 0..1, the largest within two pixels
    counting. The result is the mean rank on the outline less the mean rank on the same outline
    moved by 6% of the side into eight directions.

    Args:
        photo: uint8 (h, w, 3).
        mask: (h, w), 0..1.

    Returns:
        About 0.25 for a good mask, about 0 for one that has nothing to do with the photo; None
        where the outline is too short to tell.
    """
    scale = _OUTLINE_SIDE / max(mask.shape)
    if scale < 1:
        size = tuple(max(8, round(side * scale)) for side in mask.shape)
        photo, mask = resize(photo, size), resize(mask.astype(np.float32), size)
    square = np.ones((3, 3), np.uint8)
    outline = cv2.morphologyEx((mask >= 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, square)
    outline[:3] = outline[-3:] = 0
    outline[:, :3] = outline[:, -3:] = 0
    if np.count_nonzero(outline) < _SHORTEST:
        return None
    smooth = cv2.GaussianBlur(photo, (0, 0), 1.0).astype(np.float32)
    across, down = (cv2.Scharr(smooth, cv2.CV_32F, x, 1 - x) for x in (1, 0))
    steep = cv2.dilate(np.hypot(across, down).max(axis=2), np.ones((5, 5), np.uint8))
    ranks = np.searchsorted(np.sort(steep, axis=None), steep) / steep.size
    height, width = outline.shape
    step, beside = max(6, round(0.06 * max(height, width))), []
    for down in (-step, 0, step):
        for right in (-step, 0, step):
            move = np.array([[1, 0, right], [0, 1, down]], np.float32)
            moved = cv2.warpAffine(outline, move, (width, height))
            if (down or right) and moved.any():
                beside.append(float(ranks[moved > 0].mean()))
    return float(ranks[outline > 0].mean()) - float(np.mean(beside))


def inside_out(photos: np.ndarray, masks: np.ndarray, kind: str) -> tuple[dict[int, bool], bool]:
    """Find the masks in which the background is marked in place of the foreground.

    One mask alone cannot tell: hair that fills the frame around a face looks like the background
    around a hair cut. So three witnesses are heard, the last two of them from the rest of the set:

    1. the frame: the top and the upper sides are marked, and something within is not;
    2. the place: the set's mean mask resembles what is *not* marked here. Over 3,911 masks of
       EG1800, Figaro1k and LFW the correlation with the mean never fell below -0.18, and turned
       inside out it is below -0.25 for nine in ten;
    3. the colours: what is marked here has the colours that are left out elsewhere (a naive Bayes
       vote over coarse RGB bins, after Swain and Ballard, Color Indexing, IJCV 1991).

    Args:
        photos: uint8 (n, side, side, 3), small copies of the photos.
        masks: uint8 (n, side, side), 0..255, small copies of the masks.
        kind: what the masks show; a "person" cannot surround the middle of its own photo.

    Returns:
        Row -> whether every witness says so (else one is missing or undecided), and whether the set
        as a whole is inside out.
    """
    soft = masks.astype(np.float32) / 255
    share = soft.mean(axis=(1, 2))
    usable = np.flatnonzero((share > 0.003) & (share < 0.997))
    if not len(usable):
        return {}, False
    photos, soft = photos[usable], soft[usable]
    if len(usable) < _ENOUGH:
        odd = np.flatnonzero((_frame(soft) > 0.8) & (_centre(soft) < 0.5))
        return {int(usable[row]): kind == "person" for row in odd}, False
    mean = soft.mean(axis=0, keepdims=True)
    flipped = bool(_frame(mean)[0] > max(0.5, _centre(mean)[0] + 0.1))
    found = _odd_ones(photos, 1 - soft if flipped else soft)
    if flipped:
        found = {row: True for row in range(len(usable)) if row not in found}
    return {int(usable[row]): sure for row, sure in found.items()}, flipped


def _odd_ones(photos: np.ndarray, masks: np.ndarray) -> dict[int, bool]:
    frame, suspect = _frame(masks), np.zeros(len(masks), bool)
    # The second round measures against a mean that the first round's suspects are left out of.
    for _ in range(2):
        usual = masks[~suspect].mean(axis=0)
        with np.errstate(invalid="ignore"):
            place = np.array([np.corrcoef(mask.ravel(), usual.ravel())[0, 1] for mask in masks])
        suspect = (place < _ELSEWHERE) & (frame > 0.4)
        if np.count_nonzero(~suspect) < _ENOUGH:
            return {}
    steps = (photos // (256 // _BINS)).astype(np.int32)
    bins = (steps[..., 0] * _BINS + steps[..., 1]) * _BINS + steps[..., 2]
    colours, weights = bins[~suspect].ravel(), masks[~suspect].ravel()
    marked = np.bincount(colours, weights, _BINS**3) + 1
    rest = np.bincount(colours, 1 - weights, _BINS**3) + 1
    votes = np.log(marked / marked.sum()) - np.log(rest / rest.sum())
    found = {}
    for row in np.flatnonzero(suspect):
        here, mask = votes[bins[row]], masks[row]
        vote = np.average(here, weights=mask) - np.average(here, weights=1 - mask)
        if vote < 1:
            found[int(row)] = bool(vote < 0.3)
    return found


def _frame(masks: np.ndarray) -> np.ndarray:
    """Return how much of the top and of the upper sides is marked, 0..1, one value a mask.

    The bottom is left out, since shoulders and long hair reach it.
    """
    side = masks.shape[1]
    band, upper = max(1, side // 10), side * 2 // 3
    parts = (masks[:, :band], masks[:, band:upper, :band], masks[:, band:upper, -band:])
    return np.concatenate([part.reshape(len(masks), -1) for part in parts], axis=1).mean(axis=1)


def _centre(masks: np.ndarray) -> np.ndarray:
    quarter = masks.shape[1] // 4
    return masks[:, quarter:-quarter, quarter:-quarter].mean(axis=(1, 2))
