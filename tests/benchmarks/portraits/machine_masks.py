"""Make the masks of the 100 portraits that nobody has mended yet.

    python tests/benchmarks/portraits/machine_masks.py PHOTOS PERSON PEERS OUT

PHOTOS holds the portraits at 640 px, PERSON their person masks (MediaPipe selfie, enlarged along
the photo's edges), PEERS the file `mp_hair.tflite`. Hair is made here: three parts MediaPipe hair
and one part `hair_open`, once on the whole photo and once more on the crop around what the first
look found (a larger head, more detail), then a colour guided filter and a steeper edge. Specks
below .12 % of the photo go. Masks keep 17 grey levels: what an edge needs, and it packs well.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

import seglib
from seglib.images import resize

LEVELS = 16
HAIR_OPEN = 0.25  # its share: MediaPipe hair is the better of the two where people labelled


def mediapipe_hair(folder: Path):
    """Return a function photo -> hair mask of the photo's size."""
    interpreter = Interpreter(str(folder / "mp_hair.tflite"), num_threads=2)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]["index"]
    leave = interpreter.get_output_details()[0]["index"]

    def run(photo: np.ndarray) -> np.ndarray:
        given = np.zeros((1, 512, 512, 4), np.float32)  # the fourth channel: no mask before
        given[0, ..., :3] = resize(photo, (512, 512)) / 255.0
        interpreter.set_tensor(entry, given)
        interpreter.invoke()
        logits = interpreter.get_tensor(leave)[0]
        mask = 1 / (1 + np.exp(logits[..., 0] - logits[..., 1]))
        return resize(mask.astype(np.float32), photo.shape[:2])

    return run


def guided(photo: np.ndarray, mask: np.ndarray, radius: int = 6, eps: float = 1e-3) -> np.ndarray:
    """The colour guided filter of He, Sun and Tang (2013): `mask` with the photo's edges."""
    guide = photo.astype(np.float32) / 255

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, (2 * radius + 1, 2 * radius + 1))

    centre, level = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - centre * level[..., None]
    spread = np.stack([mean(guide * guide[..., k : k + 1]) for k in range(3)], axis=-1)
    spread = spread - centre[..., :, None] * centre[..., None, :] + eps * np.eye(3)
    slope = np.linalg.solve(spread, covariance[..., None])[..., 0].astype(np.float32)
    offset = level - (slope * centre).sum(-1)
    return np.clip((mean(slope) * guide).sum(-1) + mean(offset), 0, 1)


def hair_mask(photo: np.ndarray, look) -> np.ndarray:
    height, width = photo.shape[:2]
    mask = look(photo)
    rows, columns = np.nonzero(mask > 0.5)
    if len(rows) > 50:
        top, bottom = np.percentile(rows, [1, 99])
        left, right = np.percentile(columns, [1, 99])
        pad = 0.25 * max(bottom - top, right - left) + 8
        box = (
            slice(int(max(0, top - pad)), int(min(height, bottom + pad))),
            slice(int(max(0, left - pad)), int(min(width, right + pad))),
        )
        crop = photo[box]
        if crop.size < 0.8 * photo.size:
            mask[box] = 0.35 * mask[box] + 0.65 * look(np.ascontiguousarray(crop))
    mask = np.clip((guided(photo, mask) - 0.25) / 0.5, 0, 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    large = np.array([k > 0 and stats[k, 4] >= 0.0012 * height * width for k in range(count)])
    return mask * cv2.dilate(large[labels].astype(np.uint8), np.ones((7, 7)))


def main(photos: Path, person: Path, peers: Path, out: Path) -> None:
    mediapipe, own = mediapipe_hair(peers), seglib.load("hair_open")

    def look(photo: np.ndarray) -> np.ndarray:
        return (1 - HAIR_OPEN) * mediapipe(photo) + HAIR_OPEN * own(photo)

    for kind in ("person", "hair"):
        (out / kind).mkdir(parents=True, exist_ok=True)
    for path in sorted(photos.glob("*.jpg")):
        photo, name = seglib.read_image(path), f"{path.stem}.png"
        masks = {"hair": hair_mask(photo, look), "person": seglib.images.read_mask(person / name)}
        for kind, mask in masks.items():
            levels = np.round(mask * LEVELS) * (255 / LEVELS)
            cv2.imwrite(str(out / kind / name), np.round(levels).astype(np.uint8))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
