"""Mend the portraits' machine-made masks with polygons and strokes that were drawn by hand.

    python tests/benchmarks/portraits/mend.py MACHINE OUT

MACHINE is the folder that `machine_masks.py` wrote; the strokes lie beside this file in
`mends/<stem>.json`: `{"note": "...", "person": [...], "hair": [...]}`, each operation in order:

    {"do": "add" | "remove", "shape": "polygon", "points": [[x, y], ...]}
    {"do": "add" | "remove", "shape": "stroke", "points": [[x, y], ...], "width": 7}
    {"do": "tidy", "thick": 9}    drops slivers thinner than that, and specks, left by removals
    {"do": "clear"}                                  empties the mask (nothing of the kind is there)
    {"do": "soften", "shape": "polygon", "points": ...}   the photo's edge inside the polygon

Coordinates are pixels of the 640 px photo. Writes the masks and `changed.csv`: pixels changed (mask
value moved by more than a quarter) per portrait and kind.
"""

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
LEVELS = 16


def region(operation: dict, shape: tuple[int, int]) -> np.ndarray:
    """Return where an operation works, 0..1, with an anti-aliased edge."""
    scale = 8  # eighths of a pixel, for the anti-aliased edge
    canvas = np.zeros(shape, np.uint8)
    points = np.round(np.array(operation["points"], np.float32) * scale).astype(np.int32)[None]
    if operation["shape"] == "polygon":
        cv2.fillPoly(canvas, points, 255, cv2.LINE_AA, 3)
    else:
        cv2.polylines(canvas, points, False, 255, int(operation["width"]), cv2.LINE_AA, 3)
    return canvas.astype(np.float32) / 255


def tidied(mask: np.ndarray, thick: int) -> np.ndarray:
    """Drop what is thinner than `thick` pixels or smaller than its square times five."""
    brush = np.ones((thick, thick), np.uint8)
    opened = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_OPEN, brush)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened)
    large = np.array([k > 0 and stats[k, 4] >= 5 * thick**2 for k in range(count)])
    return mask * cv2.dilate(large[labels].astype(np.uint8), np.ones((thick // 2 * 2 + 3,) * 2))


def apply(mask: np.ndarray, operations: list[dict], photo: np.ndarray | None) -> np.ndarray:
    """Return `mask` (float32, 0..1) after the operations, in order."""
    for operation in operations:
        if operation["do"] == "clear":
            mask = np.zeros_like(mask)
            continue
        if operation["do"] == "tidy":
            mask = tidied(mask, operation["thick"])
            continue
        where = region(operation, mask.shape)
        if operation["do"] == "soften":
            if photo is None:
                raise ValueError("soften needs the photo: give PHOTOS")
            from machine_masks import guided

            mask = mask + where * (guided(photo, mask, 5, 1e-3) - mask)
        else:
            target = {"add": 1.0, "remove": 0.0}[operation["do"]]
            mask = mask + where * (target - mask)
    return mask


def main(machine: Path, out: Path, photos: Path | None = None) -> None:
    rows = []
    for path in sorted(machine.glob("*/*.png")):
        kind, stem = path.parent.name, path.stem
        before = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(np.float32) / 255
        strokes = HERE / "mends" / f"{stem}.json"
        drawn = json.loads(strokes.read_text("utf-8")) if strokes.exists() else {}
        operations = drawn.get(kind, [])
        photo = None
        if photos is not None and any(x["do"] == "soften" for x in operations):
            photo = cv2.imread(str(photos / f"{stem}.jpg"))[..., ::-1]
        after = apply(before, operations, photo)
        levels = np.round(np.round(after * LEVELS) * (255 / LEVELS)).astype(np.uint8)
        target = out / kind / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target), levels, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        changed = int((np.abs(levels / 255 - before) > 0.25).sum())
        if drawn:
            rows.append((stem, kind, len(operations), changed, drawn["note"]))
    with open(HERE / "changed.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("stem", "kind", "operations", "pixels_changed", "note"))
        writer.writerows(sorted(rows))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
