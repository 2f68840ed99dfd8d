"""Train the segmentation and matting network of 2019 on alphas, and score it in the unknown band.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/matting_training.py RESULTS.csv --models DIR

Its alphas are those of drawn portraits, half of them composed onto what street photos show beside
their people; photos with hard masks teach the coarse mask alone. Every seed first learns coarse
masks at 64 pixels (`common`) and goes on from there at 96 in two ways that see the same pictures:
with the alpha's losses (`alpha`) and without (`hard`), so that their difference is what alphas cost
or gain. Beside them stand our own network with a feathering block that learns alone (`block`), and
with one behind it while all its weights move (`ours`, on request).

Scores: SAD, MSE and gradient error in the band on drawn portraits before backgrounds of val photos,
at 96 pixels and at twice that size; IoU on EG1800's val photos. Blur and filter get the
strength that is best on other pictures. Only the Apache-2.0 street photos train. A run's weights
stay in DIR and are not trained again; a run is short, and one that is stopped begins again.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import numpy as np
from study import one_thread, plain_errors, read_rows, real_set, write_rows
from weights.training_mix import TrainingMix, without_copies

from seglib import data
from seglib.data.synthetic import PortraitConfig, portraits
from seglib.files import atomic_path, sha256
from seglib.images import resize
from seglib.matting import (
    Pictures,
    before,
    matting_errors,
    unknown_band,
    with_alpha,
    with_masks,
)

DRAWN, SOURCE, SIDE, BATCH = 1200, 144, 96, 16
STREET, PHOTOS, OURS = ("ccp_upper", "ccp_full"), "eg1800", "portrait_open"
TEST, TUNE = (100, 991), (40, 992)
HEADS = PortraitConfig(empty=0, framing=(0.35, 0.5, 0.15, 0), company=0, overlay=0, grey=0)
RUNS = {  # name: (first weights, side, passes, highest rate, weight of the alpha's loss)
    "common": (None, 64, 4, 3e-3, 0.0),
    "alpha": ("common", SIDE, 3, 1.5e-3, 1.0),
    "block": (None, 128, 1, 1e-2, 1.0),
    "hard": ("common", SIDE, 3, 1.5e-3, 0.0),
    "ours": (None, 128, 2, 5e-4, 1.0),
}
COLUMNS = ("network", "way", "seed", "set", "pictures", "side", "setting", "score", "value")
SCORES = ("sad", "mse", "gradient")


@cache
def photos(name: str, split: str) -> data.Dataset:
    """Load a set of photos of people, once."""
    return real_set(name, split, "person")


@cache
def training_pictures() -> Pictures:
    """Drawn portraits in drawn and in photographed places, and street photos; no val photo."""
    arrays = [photos(name, "train").arrays(SOURCE) for name in STREET]
    images, masks = (np.concatenate(parts) for parts in zip(*arrays, strict=True))
    shown = [photos(name, "val").arrays(SOURCE)[0] for name in (*STREET, PHOTOS)]
    whole = np.ones((len(images), 1), int)
    pool = TrainingMix(images, masks, whole.astype(bool), whole)
    pool = without_copies(pool, np.concatenate(shown))
    drawn = portraits(DRAWN, SOURCE, seed=11, workers=1)
    known = with_alpha(drawn.images, drawn.alphas)
    places = clear_windows(photos("ccp_full", "train"))
    print(f"{len(pool.images)} photos with masks, {len(places)} backgrounds", flush=True)
    return known + before(known, places, seed=5) + with_masks(pool.images, pool.masks)


def clear_windows(dataset: data.Dataset, least: int = 64, seed: int = 0) -> list[np.ndarray]:
    """Cut out what photos show to the left and right of their person, as backgrounds.

    A window is as wide as the person leaves room for and up to twice as high, at any height; a
    photo gives none, one or two.

    Args:
        dataset: photos with masks of whole persons.
        least: narrower windows are left out, pixels.
        seed: at which height they lie.

    Returns:
        uint8 RGB pictures of several sizes, each without a pixel of the mask.
    """
    rng, found = np.random.default_rng(seed), []
    for image, mask in dataset:
        height, width = mask.shape
        columns = np.flatnonzero((mask > 0).any(axis=0))
        first, last = (columns[0], columns[-1] + 1) if len(columns) else (width, width)
        for left, right in ((0, first), (last, width)):
            if right - left < least:
                continue
            tall = min(height, 2 * (right - left))
            top = int(rng.integers(height - tall + 1))
            found.append(image[top : top + tall, left:right].copy())
    return found


@cache
def scored(count: int, seed: int, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw portraits before backgrounds of that split: images uint8, alphas 0..1, twice SIDE."""
    places = [
        place for name in ("ccp_full", PHOTOS) for place in clear_windows(photos(name, split))
    ]
    drawn = portraits(count, 2 * SIDE, seed, HEADS, workers=1)
    made = before(with_alpha(drawn.images, drawn.alphas), places, seed)
    return made.images, made.masks[..., 1].astype(np.float32) / 255


def network(kind: str, side: int):
    """Build what a run trains, with the outputs "mask" (the alpha) and "seg"."""
    import keras

    from seglib import models, pretrained
    from seglib.models.refine import START, feathered

    if kind in ("common", "alpha", "hard"):
        model = models.build("residual_matting", size=side, seg_output=True)
        # Before training, the alpha is the coarse mask: all ways begin alike.
        model.get_layer("feather_factors").bias.assign(START)
        return model
    coarse = models.load(pretrained.path(OURS, ".weights.h5"))
    full = feathered(coarse, scale=1)
    if kind == "ours":
        coarse.trainable = True
        for layer in coarse.layers:
            # So short a training would leave worse statistics than it found.
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    seg = full.get_layer("rest_of_mask").input
    return keras.Model(full.input, {"mask": full.output, "seg": seg}, name=kind)


def trained(kind: str, seed: int, folder: Path):
    """Return the network of a run, trained now or before."""
    import keras

    from seglib.matting import AlphaBatches, matting_losses
    from seglib.training import reestimate_batchnorm

    first, side, passes, rate, weight = RUNS[kind]
    path = folder / f"{kind}.{seed}.weights.h5"
    if path.exists():
        model = network(kind, side)
        model.load_weights(path)
        return model
    start = trained(first, seed, folder).get_weights() if first else None
    keras.utils.set_random_seed(seed)
    model = network(kind, side)
    if start:
        model.set_weights(start)
    # A blurred picture with a sharp alpha would teach to sharpen.
    policy = data.AugmentConfig(blur=0.0)
    pictures = training_pictures()
    if kind == "block":
        pictures = pictures.of(pictures.known[:, 1])
    batches = AlphaBatches(pictures, BATCH, side, augment=policy, seed=seed, shuffle=True)
    steps = passes * len(batches)
    plan = keras.optimizers.schedules.CosineDecay(
        rate / 25, steps, warmup_target=rate, warmup_steps=steps // 20
    )
    model.compile(
        keras.optimizers.AdamW(plan, weight_decay=1e-4),
        matting_losses(),
        loss_weights={"mask": weight, "seg": 0.0 if kind == "block" else 1.0},
        jit_compile=False,
    )
    begun = time.process_time()
    model.fit(batches, epochs=passes, shuffle=False, verbose=2)
    if kind != "ours":
        reestimate_batchnorm(model, batches, 40)
    print(kind, seed, f"{(time.process_time() - begun) / 60:.1f} minutes of a core", flush=True)
    with atomic_path(path) as temporary:
        model.save_weights(temporary)
    return model


def at_side(images: np.ndarray, side: int) -> np.ndarray:
    """Average pictures down (or masks up) to a side."""
    return np.stack([resize(image, (side, side)) for image in images])


def band_errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Mean errors in the band; its radius is the same share of every size."""
    radius = truth.shape[1] // 32
    rows = [
        matting_errors(alpha.clip(0, 1), true, unknown_band(true, radius))
        for alpha, true in zip(found, truth, strict=True)
    ]
    return {key: float(np.mean([getattr(row, key) for row in rows])) for key in SCORES}


def fixed_ways(side: int, masks: np.ndarray, images: np.ndarray) -> dict[str, dict[str, Callable]]:
    """Ways without weights, each with its strengths: what is made of a network's masks."""
    from seglib.postprocess import Pipeline, guided_upsample

    masks = at_side(masks, min(side, masks.shape[1])).clip(0, 1)
    large = at_side(masks, side).clip(0, 1)
    hard = (large >= 0.5).astype(np.float32)

    def blur(sigma: float) -> np.ndarray:
        return np.stack([cv2.GaussianBlur(mask, (0, 0), sigma) for mask in hard])

    def guided(given: np.ndarray, radius: int) -> np.ndarray:
        pairs = zip(given, images, strict=True)
        return np.stack([guided_upsample(mask, image, radius) for mask, image in pairs])

    small_hard, default = (masks >= 0.5).astype(np.float32), Pipeline()
    sigmas = [side / SIDE * s for s in (0.5, 0.75, 1, 1.5, 2, 3)]
    radii = (1, 2, 3, 4, 6, 9)
    pairs = list(zip(masks, images, strict=True))
    return {
        "hard": {"": lambda: hard},
        "hard, blurred": {f"sigma {s:g}": lambda s=s: blur(s) for s in sigmas},
        "enlarged": {"": lambda: large},
        "hard, guided": {f"radius {r}": lambda r=r: guided(small_hard, r) for r in radii},
        "guided": {f"radius {r}": lambda r=r: guided(masks, r) for r in radii},
        "default": {"": lambda: np.stack([default.alpha(image, mask) for mask, image in pairs])},
    }


def fixed_rows() -> list[dict]:
    """Score the ways without weights behind our network, at both sides."""
    import seglib
    from seglib import pretrained

    segment, rows = seglib.load(OURS), []
    name = f"{OURS} {sha256(pretrained.path(OURS))[:8]}"
    for side in (SIDE, 2 * SIDE):
        tables = []
        for (count, seed), split in ((TUNE, "train"), (TEST, "val")):
            images, alphas = scored(count, seed, split)
            masks = np.stack([segment.raw(image) for image in images])
            images, alphas = at_side(images, side), at_side(alphas, side).clip(0, 1)
            tables.append((fixed_ways(side, masks, images), alphas))
        (tune, tune_truth), (test, truth) = tables
        for way, strengths in tune.items():
            errors = {key: band_errors(make(), tune_truth) for key, make in strengths.items()}
            best = min(errors, key=lambda key: errors[key]["mse"])
            rows += band_rows(name, way, "", side, best, band_errors(test[way][best](), truth))
    masks = [segment.raw(image) for image, _ in photos(PHOTOS, "val")]
    return rows + photo_rows(name, "enlarged", "", masks)


def band_rows(network: str, way: str, seed, side: int, setting: str, errors: dict) -> list[dict]:
    """Rows of the errors in the band."""
    facts = (network, way, str(seed), "drawn, val places", str(TEST[0]), str(side), setting)
    return [
        dict(zip(COLUMNS, (*facts, key, f"{value:.5f}"), strict=True))
        for key, value in errors.items()
    ]


def photo_rows(network: str, way: str, seed, masks: Sequence[np.ndarray]) -> list[dict]:
    """Rows of the masks of EG1800's val photos, in order, scored at the photos' own size."""
    from seglib.evaluation import evaluate

    found, dataset = iter(masks), photos(PHOTOS, "val")
    means = evaluate(
        lambda photo: resize(next(found), photo.shape[:2]).clip(0, 1), dataset, progress=False
    ).means
    facts = (network, way, str(seed), PHOTOS, str(len(dataset)), str(len(masks[0])), "")
    return [
        dict(zip(COLUMNS, (*facts, key, f"{means[key]:.4f}"), strict=True))
        for key in ("iou", "boundary_iou")
    ]


def learnt_rows(kind: str, seed: int, folder: Path) -> list[dict]:
    """Train one run and score its outputs at both sides."""
    from seglib.postprocess import guided_upsample

    model = trained(kind, seed, folder)
    images, alphas = scored(*TEST, "val")
    side = model.input_shape[1]
    found, on = (
        model.predict(given.astype(np.float32), batch_size=BATCH, verbose=0)
        for given in (at_side(images, side), photos(PHOTOS, "val").arrays(side)[0])
    )
    rows = []
    # A way that was not trained in this run is not scored: the alpha of "hard", ours untouched.
    for output in {"hard": ("seg",), "block": ("mask",)}.get(kind, ("seg", "mask")):
        way, masks = {"seg": "coarse", "mask": "alpha"}[output], found[output][..., 0]
        errors = band_errors(at_side(masks, SIDE), at_side(alphas, SIDE).clip(0, 1))
        rows += band_rows(kind, way, seed, SIDE, "", errors)
        large = {"enlarged": at_side(masks, 2 * SIDE)}
        for radius in (1, 2):
            pairs = zip(masks, images, strict=True)
            guided = [guided_upsample(mask, image, radius) for mask, image in pairs]
            large[f"guided, radius {radius}"] = np.stack(guided)
        for setting, masks in large.items():
            rows += band_rows(kind, way, seed, 2 * SIDE, setting, band_errors(masks, alphas))
        rows += photo_rows(kind, way, seed, on[output][..., 0])
    return rows


@plain_errors
def main() -> int:
    """Do the runs that are missing; 2 where photos are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, help="CSV file of results")
    parser.add_argument("--models", type=Path, default=Path("build/matting"), help="weights, kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument(
        "--runs", nargs="+", choices=list(RUNS)[1:], default=["alpha", "block", "hard"]
    )
    options = parser.parse_args()

    one_thread()
    rows = read_rows(options.results)
    done = {(row["network"], row["seed"]) for row in rows}
    options.models.mkdir(parents=True, exist_ok=True)
    work = [(fixed_rows, ())] if not any(seed == "" for _, seed in done) else []
    work += [
        (learnt_rows, (kind, seed, options.models))
        for seed in options.seeds
        for kind in options.runs
        if (kind, str(seed)) not in done
    ]
    for job, arguments in work:
        new = job(*arguments)
        rows += new
        write_rows(options.results, COLUMNS, rows)
        for row in new:
            print(*row.values(), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
