"""Measure what keeps a shipped network from a higher score: its size, its training or the labels.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/limits.py seglib/assets/limits.csv

For each set with masks of a task, IoU on the val split at the photos' own size of

- shipped: the network as it ships.
- seen: the same network on training photos of that set, as many as the val split has.
- own: the network tuned further on that set alone, from several seeds. No single network that
  serves all sets can be expected to know a set's habits better.
- size: the true masks themselves, reduced to the network's side and enlarged again.
- edge: the true masks with an edge that lies one pixel of the network's further out. What such a
  small step costs tells how well two people who draw the mask would have to agree.
- other: the network's masks against those of MediaPipe's, and `label` the latter against the true
  ones. Two networks that agree with each other better than with the labels hint at doubtful
  labels, though ours took some masks of its training photos from the other. Needs SEGLIB_PEERS;
  left out without.

Rows are written when they are known; started again, what is there is skipped.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import baselines
import cv2
import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows
from weights.recipe import set_norm
from weights.recipes import FLIPS

from seglib import data, metrics, models, pretrained
from seglib.evaluation import Scores, evaluate
from seglib.files import sha256
from seglib.images import resize
from seglib.runtime import Segmenter, keras_segmenter

NETWORKS = {
    "portrait": ("person", ("eg1800", "ccp_upper", "ccp_full")),
    "hair": ("hair", ("figaro1k", "lfw_hair", "ccp_upper")),
}
OTHERS = {"person": "mp_selfie", "hair": "mp_hair"}
SOURCE_SIZE, BATCH, RATE, STEPS, EPOCHS = 160, 16, 3e-4, 240, 2
COLUMNS = (
    *("network", "task", "set", "kind", "seed", "photos", "iou", "iou_low", "iou_high"),
    *("boundary_iou", "settings", "sha256"),
)


def size_alone(truth: np.ndarray, side: int) -> np.ndarray:
    """Reduce a true mask (h, w) to a square of `side` pixels and enlarge it again."""
    return resize(resize(truth, (side, side)), truth.shape)


def edge_moved(truth: np.ndarray, side: int) -> np.ndarray:
    """Move a true mask's edge outwards by one pixel of a square of `side` pixels."""
    inside = (truth >= 0.5).astype(np.uint8)
    step = max(truth.shape) / side
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return (distance <= step).astype(np.float32)


def of_truth(dataset: data.Dataset, change, side: int) -> Scores:
    """Score changed true masks against the true masks."""
    rows = [
        {"stem": stem, **metrics.scores(change(truth, side), truth)}
        for stem, (_, truth) in zip(dataset.stems, dataset, strict=True)
    ]
    return Scores(dataset.name, dataset.kind, tuple(rows))


def between(one: Callable, other: Callable, dataset: data.Dataset) -> Scores:
    """Score the masks of one network as if those of another, cut at 0.5, were true."""
    rows = [
        {"stem": stem, **metrics.scores(one(image), np.float32(other(image) >= 0.5))}
        for stem, (image, _) in zip(dataset.stems, dataset, strict=True)
    ]
    return Scores(dataset.name, dataset.kind, tuple(rows))


def tuned(name: str, task: str, home: str, seed: int):
    """Return a segmenter with the shipped weights, tuned on one set alone."""
    import keras

    from seglib.training import TrainConfig, fit

    keras.utils.set_random_seed(seed)
    model = models.load(pretrained.path(name, ".weights.h5"))
    # Trained as it will run: a few steps would only unsettle the statistics.
    set_norm(model, fixed=True)
    images, masks = real_set(home, "train", task).arrays(SOURCE_SIZE)
    per_epoch = STEPS // EPOCHS * BATCH
    rows = np.resize(np.random.default_rng(seed).permutation(len(images)), per_epoch)
    size = model.input_shape[1]
    batches = data.Batches(images[rows], masks[rows], BATCH, size, FLIPS, seed, shuffle=True)
    fit(model, batches, config=TrainConfig(EPOCHS, RATE, bn_batches=0, ema=0.98, seed=seed))
    return keras_segmenter(model)


@plain_errors
def main() -> int:
    """Measure what is missing; 2 where photos are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    one_thread()
    rows = read_rows(options.results)

    def save(name: str, kind: str, seed: int | str, scores: Scores, settings: str = "") -> None:
        one = scores.interval("iou", groups=scores.persons)
        numbers = (one.mean, one.low, one.high, scores.means["boundary_iou"])
        facts = (name, scores.kind, scores.dataset, kind, seed, len(scores.rows))
        texts = (*map(str, facts), *(f"{number:.4f}" for number in numbers))
        digest = sha256(pretrained.path(name))[:12]
        rows.append(dict(zip(COLUMNS, (*texts, settings, digest), strict=True)))
        write_rows(options.results, COLUMNS, rows)
        print(*texts, flush=True)

    def known(name: str, home: str, kind: str, seed: int | str = "") -> bool:
        key = (name, home, kind, str(seed))
        return any(key == (r["network"], r["set"], r["kind"], r["seed"]) for r in rows)

    for name in options.networks:
        task, homes = NETWORKS[name]
        segmenter = Segmenter(pretrained.path(name))
        side = pretrained.card(name)["network"]["size"]
        for home in homes:
            photos = real_set(home, "val", task)
            seen = real_set(home, "train", task).subset(len(photos), seed=0)
            if not known(name, home, "shipped"):
                save(name, "shipped", "", evaluate(segmenter, photos, progress=False))
            if not known(name, home, "seen"):
                save(name, "seen", "", evaluate(segmenter, seen, progress=False))
            for kind, change in (("size", size_alone), ("edge", edge_moved)):
                if not known(name, home, kind):
                    save(name, kind, "", of_truth(photos, change, side))
            if OTHERS[task] in baselines.available(task):
                other = baselines.load(OTHERS[task])
                if not known(name, home, "other"):
                    save(name, "other", "", between(segmenter, other, photos))
                if not known(name, home, "label"):
                    save(name, "label", "", evaluate(other, photos, progress=False))
            for seed in options.seeds:
                if not known(name, home, "own", seed):
                    found = evaluate(tuned(name, task, home, seed), photos, progress=False)
                    save(name, "own", seed, found, f"{STEPS} steps of {BATCH}, rate {RATE:g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
