"""What the mask of the frame before is worth: `portrait_video` beside `portrait` and the smoothers.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/video_variant.py OUTPUT.csv [--model FILE]

Four parts, all on val photos of EG1800, which trained neither network:

- photos: both networks on single photos, the mask before empty, with the interval of the gap.
- clips: photos seen by a camera that pans and zooms slowly ("pan") or stands ("still"), with noise
  and light that are new in every frame. IoU, boundary IoU, flicker beyond the true motion in
  thousandths (`seglib.video.flicker`).
- cut: one clip cut onto another. IoU of each frame after the cut, the network not told of it; and
  in how many frames a way comes within 0.01 of the same network told of it, on the average of the
  cuts and on each of them.
- detector: share of cuts that `seglib.video.CutDetector` finds, and of other frames it takes for
  one.

Clips of other seeds are of other photos, with another motion and noise.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from study import real_set, write_rows

from seglib import Segmenter, data, metrics, pretrained, video
from seglib.evaluation import evaluate
from seglib.files import sha256
from seglib.images import resize

COLUMNS = (
    *("part", "kind", "way", "seed", "frame", "photos", "iou", "boundary_iou", "flicker"),
    *("gap_low", "gap_high", "share", "frames", "sha256"),
)
SET = "eg1800"
SIDE, FRAMES, FPS = 160, 24, 30.0
BEFORE_CUT = 12
SETTLED = 6
"""Frames at a clip's start that are not scored: every way has its first ones there."""


def clip(
    image: np.ndarray, mask: np.ndarray, seed: tuple[int, int], still: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Film a photo with a camera that moves, and the noise and the light of a room.

    Returns:
        uint8 (FRAMES, SIDE, SIDE, 3) and float32 (FRAMES, SIDE, SIDE).
    """
    rng = np.random.default_rng(seed)
    # To a size from which the frames are hardly reduced, so that no pixel is skipped.
    small = [round(side * 1.3 * SIDE / max(mask.shape)) for side in mask.shape]
    image, mask = resize(image, tuple(small)).astype(np.float32), resize(mask, tuple(small))
    height, width = mask.shape
    start, end = rng.uniform(0.72, 0.9, 2)
    places = rng.uniform(0, 1, (2, 2))
    # Slow: a few per cent of the window over the whole clip.
    places[1] = places[0] + np.clip(places[1] - places[0], -0.5, 0.5)
    if still:
        end, places[1] = start, places[0]
    hertz, phase = rng.uniform(1, 4), rng.uniform(0, 2 * np.pi)
    images, masks = [], []
    for index, at in enumerate(np.linspace(0, 1, FRAMES)):
        side = (start + (end - start) * at) * np.array([width, height])
        corner = (places[0] + (places[1] - places[0]) * at) * (np.array([width, height]) - side)
        scale = side / SIDE
        # From the frame's pixels to the photo's, both counted from centres.
        matrix = np.array([[scale[0], 0, 0], [0, scale[1], 0]])
        matrix[:, 2] = corner + scale / 2 - 0.5
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen, true = (
            cv2.warpAffine(part, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for part in (image, mask)
        )
        light = 1 + 0.04 * np.sin(2 * np.pi * hertz * index / FPS + phase) + rng.normal(0, 0.02)
        seen = seen * light + rng.normal(0, 6, seen.shape)
        images.append(np.rint(seen.clip(0, 255)).astype(np.uint8))
        masks.append(true)
    return np.stack(images), np.stack(masks).astype(np.float32)


def clips(photos: data.Dataset, count: int, seed: int, still: bool) -> list[tuple]:
    """Film `count` photos, chosen by the seed."""
    chosen = np.random.default_rng((seed, 9)).permutation(len(photos))[:count]
    return [clip(*photos[int(i)], (seed, int(i)), still) for i in chosen]


class Way:
    """A network, what it is told, and what steadies its masks."""

    def __init__(self, name: str, segmenter: Segmenter, smoother: str = "none") -> None:
        self.name, self.segmenter = name, segmenter
        self._smooth = video.smoother(smoother)

    def __call__(self, images: np.ndarray, told: tuple[int, ...] = ()) -> np.ndarray:
        """Return the masks of a film at the network's size; `told` are the frames to forget at."""
        self.segmenter.reset_state()
        if self._smooth is not None:
            self._smooth.reset()
        masks = []
        for index, image in enumerate(images):
            if index in told:
                self.segmenter.reset_state()
            mask = self.segmenter.raw(image)
            if self._smooth is not None:
                mask = self._smooth(mask, index / FPS, image)
            masks.append(mask)
        return np.stack(masks)


def ways(model: Path) -> list[Way]:
    """Return the ways to compare."""
    plain, film = (lambda: Segmenter(pretrained.path("portrait"))), (lambda: Segmenter(model))
    return [
        Way("portrait", plain()),
        Way("portrait, ema", plain(), "ema"),
        Way("portrait, motion", plain(), "motion"),
        Way("portrait_video", film()),
        Way("portrait_video, motion", film(), "motion"),
    ]


def at_network_size(masks: np.ndarray, side: int) -> np.ndarray:
    """Reduce true masks (N, SIDE, SIDE) to (N, side, side)."""
    return np.stack([resize(mask, (side, side)) for mask in masks])


def single_photos(model: Path, photos: data.Dataset) -> Iterator[dict]:
    """Score both networks on single photos."""
    film, plain = (
        evaluate(Segmenter(path), photos, progress=False)
        for path in (model, pretrained.path("portrait"))
    )
    for way, scores in (("portrait", plain), ("portrait_video", film)):
        gap = scores.against(plain)
        means = {name: scores.means[name] for name in ("iou", "boundary_iou")}
        yield {"way": way, "photos": len(photos), **means, "gap_low": gap.low, "gap_high": gap.high}


def moving(all_ways: list[Way], films: list[tuple], kind: str, seed: int) -> Iterator[dict]:
    """Score every way, and the network with the mask before always empty, on clips."""
    forgetful = "portrait_video, always empty"
    runs = [(way.name, way, ()) for way in all_ways]
    runs.append((forgetful, all_ways[3], tuple(range(FRAMES))))
    for name, way, told in runs:
        found = []
        for images, truths in films:
            masks = way(images, told)
            true = at_network_size(truths, masks.shape[1])
            late = range(SETTLED, FRAMES)
            found.append(
                (
                    np.mean([metrics.iou(masks[i], true[i]) for i in late]),
                    np.mean([metrics.boundary_iou(masks[i], true[i]) for i in late[::6]]),
                    1000 * video.flicker(masks[SETTLED:], true[SETTLED:]),
                )
            )
        scores = dict(zip(("iou", "boundary_iou", "flicker"), np.mean(found, axis=0), strict=True))
        yield {"kind": kind, "way": name, "seed": seed, "photos": len(films), **scores}


def after_cuts(all_ways: list[Way], films: list[tuple], seed: int) -> Iterator[dict]:
    """Score each frame after a cut, and count the frames until the cut is overcome."""
    told_name = "portrait_video, told"
    runs = [(way.name, way, ()) for way in all_ways[:4]]
    runs.append((told_name, all_ways[3], (BEFORE_CUT,)))
    curves = {}
    for name, way, told in runs:
        rows = []
        for (first, _), (second, truths) in zip(films, films[1:] + films[:1], strict=True):
            masks = way(np.concatenate([first[-BEFORE_CUT:], second]), told)[BEFORE_CUT:]
            true = at_network_size(truths, masks.shape[1])
            rows.append([metrics.iou(a, b) for a, b in zip(masks, true, strict=True)])
        curves[name] = np.array(rows)
    for name, rows in curves.items():
        own = curves[told_name if name == "portrait_video" else "portrait"]
        own = curves[told_name] if name == told_name else own
        shared = {"way": name, "seed": seed, "photos": len(films)}
        for frame, iou in enumerate(rows.mean(axis=0)):
            yield {**shared, "kind": "curve", "frame": frame, "iou": iou}
        together = until(rows.mean(axis=0), own.mean(axis=0))
        each = np.array([until(*pair) for pair in zip(rows, own, strict=True)])
        yield {**shared, "kind": "mean", "frames": together, "share": float(together < FRAMES)}
        yield {
            **shared,
            "kind": "each",
            "frames": float(np.quantile(each, 0.9)),
            "share": float(np.mean(each < FRAMES)),
        }


def until(scores: np.ndarray, wanted: np.ndarray) -> int:
    """Return how many frames lie before the first that is within 0.01 for good; FRAMES if none."""
    wrong = np.flatnonzero(scores < wanted - 0.01)
    return int(wrong[-1]) + 1 if len(wrong) else 0


def detected(films: list[tuple], kind: str, seed: int) -> Iterator[dict]:
    """Count what the detector of cuts says of every frame."""
    at_cut, elsewhere = [], []
    detector = video.CutDetector()
    for images, _ in films:
        found = [detector(image) for image in images]
        at_cut.append(found[0])
        elsewhere += found[1:]
    for way, share in (("cuts found", at_cut[1:]), ("false alarms", elsewhere)):
        shared = {"kind": kind, "way": way, "seed": seed, "photos": len(films)}
        yield {**shared, "share": float(np.mean(share))}


def as_text(row: dict) -> dict:
    """Round a row's fractions to four places."""
    return {key: f"{v:.4f}" if isinstance(v, float) else v for key, v in row.items()}


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", type=Path, help="a .tflite instead of the shipped one")
    parser.add_argument("--clips", type=int, default=40, help="clips of each kind and seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    model = options.model or pretrained.path("portrait_video")
    photos = real_set(SET, "val", "person")
    rows = [{"part": "photos", **row} for row in single_photos(model, photos)]
    for seed in options.seeds:
        compared = ways(model)
        for kind in ("pan", "still"):
            films = clips(photos, options.clips, seed, kind == "still")
            rows += [{"part": "clips", **row} for row in moving(compared, films, kind, seed)]
            rows += [{"part": "detector", **row} for row in detected(films, kind, seed)]
            if kind == "pan":
                rows += [{"part": "cut", **row} for row in after_cuts(compared, films, seed)]
    shared = {"sha256": sha256(model)[:12]}
    write_rows(options.output, COLUMNS, [{**as_text(row), **shared} for row in rows])


if __name__ == "__main__":
    main()
