"""Measure on photos what the chapters show on drawn portraits where no photos are at hand.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/photo_records.py RESULTS.csv

Every row is one number on the test part of a real set: `value` of `network` (in `setting`), with
the ends of its 95 % bootstrap interval; where `against` names another network or setting, the
paired difference to it, photo by photo. Video has no row: no film of real people has true masks.
One thread, a few minutes.
"""

import argparse
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import edge_steps
import numpy as np
from study import one_thread, plain_errors, real_set, write_rows

import seglib
from seglib import evaluation, metrics, pretrained
from seglib.data import Dataset
from seglib.evaluation import robustness
from seglib.postprocess import Pipeline
from seglib.runtime import Segmenter

COLUMNS = ("study", "set", "photos", "network", "setting", "against", "score", "value", "low",
           "high", "seed", "sha256", "machine")  # fmt: skip
MACHINE = f"{platform.machine()} CPU, one thread"
SCORES = ("iou", "boundary_iou")
SEED = 0
"""Of the bootstrap, of the corruptions and of the photos that calibrate int8."""

CORRUPTED = (("blur", 2), ("darkness", 4), ("rotation", 90))
THRESHOLDS = (0.5, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9)
STEPS = ("default, 1: hysteresis", "default, 2: and holes", "default, 3: and guided",
         "default, 4: and smoothstep", "largest component", "joint bilateral",
         "smoothstep 0.3 to 0.5", "threshold 0.5, then linear")  # fmt: skip

Table = dict[str, np.ndarray]
"""By score, one value a photo."""


class Records:
    """The rows of the table, as they are measured."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def add(self, study: str, photos: Dataset, network: str, setting: str, score: str,
            value: float | evaluation.Interval, against: str = "") -> None:  # fmt: skip
        """Append one number, with its interval where it has one."""
        spread = isinstance(value, evaluation.Interval)
        ends = (value.mean, value.low, value.high) if spread else (value, None, None)
        low_high = ["" if end is None else f"{end:.4f}" for end in ends]
        weights = checksum(network)
        found = (study, photos.name, len(photos), network, setting, against, score, *low_high,
                 SEED, weights, MACHINE)  # fmt: skip
        self.rows.append(dict(zip(COLUMNS, found, strict=True)))

    def pair(self, study: str, photos: Dataset, network: str, by_setting: dict[str, Table]) -> None:
        """Append every setting's means, and the others' differences to the first."""
        first = next(iter(by_setting))
        for setting, table in by_setting.items():
            for score, values in table.items():
                found = evaluation.interval(values, seed=SEED)
                self.add(study, photos, network, setting, score, found)
                if setting != first and score in by_setting[first]:
                    gap = evaluation.paired(values, by_setting[first][score], seed=SEED)
                    self.add(study, photos, network, setting, score, gap, first)


def checksum(network: str) -> str:
    """Return the start of the checksum of a shipped network's file."""
    from seglib.files import sha256

    return sha256(pretrained.path(network))[:12]


def compare(records: Records) -> None:
    """The two portrait networks, as they are, how calibrated, and on corrupted photos."""
    models = {name: seglib.load(name) for name in ("portrait", "portrait_open")}
    for name in ("eg1800", "ccp_upper"):
        photos = real_set(name, "test", "person")
        scores = {n: evaluation.evaluate(s, photos, progress=False) for n, s in models.items()}
        ours, other = scores.values()
        for score in SCORES:
            for network, found in scores.items():
                records.add("compare", photos, network, "", score, found.interval(score))
                # The lowest twentieth says what the mean hides.
                low = found.quantiles(score, (0.05, 0.5))
                records.add("compare", photos, network, "5 % quantile", score, low[0.05])
                records.add("compare", photos, network, "median", score, low[0.5])
            gap = ours.against(other, score)
            records.add("compare", photos, "portrait", "", score, gap, "portrait_open")
        apart = evaluation.unpaired(ours.values(), other.values())
        records.add("compare", photos, "portrait", "unpaired", "iou", apart, "portrait_open")
        for network, segment in models.items():
            curve = evaluation.calibration(segment, photos, progress=False)
            add = records.add
            add("calibration", photos, network, "all pixels", "error", curve.error())
            add("calibration", photos, network, "0.1 to 0.9", "error", curve.error(0.1, 0.9))
            doubt = float(curve.share[1:-1].sum())
            add("calibration", photos, network, "0.1 to 0.9", "share of pixels", doubt)
            over = (curve.share * (curve.confidence - curve.observed))[1:-1]
            bias = float(np.nansum(over) / doubt)
            add("calibration", photos, network, "0.1 to 0.9", "value minus truth", bias)
    photos = real_set("eg1800", "test", "person")
    for network, segment in models.items():
        tables = {"none": scores_of(segment, photos)}
        for kind, level in CORRUPTED:
            hurt = replace(photos, read=corrupting(photos, kind, level))
            tables[f"{kind} {level}"] = scores_of(segment, hurt)
        records.pair("corruption", photos, network, tables)


def corrupting(photos: Dataset, kind: str, level: float) -> Callable:
    """Return a reader of corrupted photos."""
    import zlib

    def read(stem: str) -> tuple[np.ndarray, np.ndarray]:
        seed = [SEED, zlib.crc32(stem.encode())]
        return robustness.corrupt(*photos.read(stem), kind, level, seed)

    return read


def scores_of(segment: Callable, photos: Dataset) -> Table:
    """Return IoU and boundary IoU of every photo."""
    found = evaluation.evaluate(segment, photos, progress=False)
    return {score: found.values(score) for score in SCORES}


def conversion(records: Records, folder: Path) -> None:
    """What rounding and a wrong reading of the pixels cost, beside the float32 file."""
    from seglib import export, models

    model = models.load(pretrained.path("portrait", ".weights.h5"))
    photos = real_set("eg1800", "test", "person")
    known = real_set("eg1800", "train", "person").subset(100, SEED)
    known = known.arrays(model.input_shape[1])[0]
    files = {
        precision: export.to_tflite(
            model, folder / f"{precision}.tflite", precision, representative=known
        )
        for precision in ("float32", "float16", "dynamic", "int8")
    }
    segments = {precision: Segmenter(path) for precision, path in files.items()}
    segments["fed 0 to 1"] = Segmenter(files["float32"], value_range=(0, 1))
    segments["fed black"] = Segmenter(files["float32"], value_range=(0, 1e-6))
    segments["fed BGR"] = Segmenter(files["float32"], channels="bgr")
    segments["bias of the wrong sign"] = Segmenter(files["float32"], value_range=(255, 510))
    exact = [segments["float32"](image) >= 0.5 for image, _ in photos]
    tables = {}
    for setting, segment in segments.items():
        found = [(segment(image), truth) for image, truth in photos]
        tables[setting] = {
            "iou": np.array([metrics.iou(mask, truth) for mask, truth in found]),
            "boundary_iou": np.array([metrics.boundary_iou(mask, truth) for mask, truth in found]),
            "agreement": np.array(
                [metrics.iou(mask, same) for (mask, _), same in zip(found, exact, strict=True)]
            ),
        }
    records.pair("conversion", photos, "portrait", tables)


def skips(records: Records) -> None:
    """The portrait network with its skips silenced, the finest first, as chapter 03 does it."""
    from seglib import models

    weights = pretrained.path("portrait", ".weights.h5")
    model = models.load(weights)
    photos = real_set("eg1800", "test", "person")
    images, truths = photos.arrays(model.input_shape[1])
    truths = truths / np.float32(255)

    def table() -> Table:
        masks = model.predict(images.astype(np.float32), verbose=0, batch_size=16)[..., 0]
        pairs = list(zip(masks, truths, strict=True))
        return {score: np.array([getattr(metrics, score)(*pair) for pair in pairs])
                for score in SCORES}  # fmt: skip

    tables = {"all skips": table()}
    for level, setting in zip((3, 2, 1, 0), ("1/2", "1/4", "1/8", "all"), strict=True):
        gamma = model.get_layer(f"up{level}_skip_bn").gamma
        gamma.assign(0 * gamma)
        tables[f"silenced to {setting}"] = table()
    records.pair("skips", photos, "portrait", tables)


def thresholds(records: Records) -> None:
    """Hair: what each cut of the mask scores beside one half."""
    photos = real_set("figaro1k", "test", "hair")
    segment = seglib.load("hair")
    pairs = [(segment(image), truth) for image, truth in photos]
    tables = {}
    for cut in THRESHOLDS:
        found = [metrics.iou(mask >= cut, truth) for mask, truth in pairs]
        tables[f"cut at {cut:g}"] = {"iou": np.array(found)}
    records.pair("threshold", photos, "hair", tables)


def postprocessing(records: Records) -> None:
    """Steps of post-processing, each beside the mask enlarged linearly."""
    for name, kind, model in edge_steps.SETS:
        photos = real_set(name, "test", kind)
        segment = seglib.load(model)
        known = edge_steps.pipelines()
        first = "raw, linear"
        chosen: dict[str, Pipeline] = {step: known[step] for step in (first, *STEPS)}
        found: dict[str, list] = {step: [] for step in chosen}
        for image, truth in photos:
            raw = segment.raw(image)
            for step, pipeline in chosen.items():
                mask = pipeline.alpha(image, raw)
                found[step].append([getattr(metrics, score)(mask, truth) for score in SCORES])
        tables = {
            step: dict(zip(SCORES, np.array(values).T, strict=True))
            for step, values in found.items()
        }
        records.pair("post-processing", photos, model, tables)


@plain_errors
def main() -> int:
    """Write the table and return 0, or 2 where photos are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="the CSV file to write")
    options = parser.parse_args()
    one_thread()
    records = Records()
    with tempfile.TemporaryDirectory() as folder:
        for study in (compare, skips, thresholds, lambda r: conversion(r, Path(folder)),
                      postprocessing):  # fmt: skip
            study(records)
            write_rows(options.table, COLUMNS, records.rows)
            print(f"{len(records.rows)} rows", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
