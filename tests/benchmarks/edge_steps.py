"""Measure what each post-processing step does to edges, on real photos and the shipped networks.

    SEGLIB_DATA=/folder/of/sets python tests/benchmarks/edge_steps.py

Prints a Markdown table for people (EG1800) and one for hair (Figaro-1k), validation photos all:
IoU, boundary IoU in the usual band (2 % of the diagonal) and in a narrow one (0.5 %), mean absolute
error, and the change of boundary IoU against the mask enlarged linearly with its standard error.
Exits with code 1 where a step of the default pipeline lowers the mean boundary IoU that it found.
"""

import argparse
import dataclasses
import sys

import numpy as np
from study import plain_errors, real_set

import seglib
from seglib import metrics, postprocess
from seglib.errors import SeglibError
from seglib.images import resize
from seglib.postprocess import Pipeline, PostprocessConfig, preset

SETS = (("eg1800", "person", "portrait"), ("figaro1k", "hair", "hair"))
NARROW = 0.005
PLAIN = preset("fast-portrait")
"""The network's mask, enlarged linearly: what every step is compared with."""

ALONE = {
    "raw, linear": {},
    "threshold 0.5, then linear": {"level": 0.5},
    "hysteresis 0.5, 0.9": {"hysteresis": (0.5, 0.9)},
    "largest component": {"largest": True},
    "holes up to 1 %": {"holes": 0.01},
    "holes of any size": {"holes": 1.0},
    "opening 1 pixel of 128": {"opening": 1 / 128},
    "closing 1 pixel of 128": {"closing": 1 / 128},
    "closing 3 pixels of 128": {"closing": 3 / 128},
    "Gaussian, sigma 1 pixel of 128": {"blur": 1 / 128},
    "box 3 x 3": {"box": 1 / 128},
    "smoothstep 0.3 to 0.7": {"curve": "smoothstep"},
    "smoothstep 0.3 to 0.5": {"curve": "smoothstep", "high": 0.5},
    "joint bilateral": {"upsample": "bilateral"},
    "guided, radius 2 of 128": {"upsample": "guided", "radius": 2 / 128},
    "guided, radius 4 of 128": {"upsample": "guided", "radius": 4 / 128},
    "guided, radius 6 of 128": {"upsample": "guided"},
    "guided, radius 8 of 128": {"upsample": "guided", "radius": 8 / 128},
    "guided, radius 12 of 128": {"upsample": "guided", "radius": 12 / 128},
    "guided, eps 1e-4": {"upsample": "guided", "eps": 1e-4},
    "guided, eps 1e-2": {"upsample": "guided", "eps": 1e-2},
}
"""Each step by itself, on top of `PLAIN`."""

BUILT_UP = {
    "default, 1: hysteresis": {"hysteresis": (0.5, 0.9)},
    "default, 2: and holes": {"holes": 0.01},
    "default, 3: and guided": {"upsample": "guided"},
    "default, 4: and smoothstep": {"curve": "smoothstep"},
}
"""The default's steps, one after the other."""

OLDER = (
    "portrait-webcam",
    "portrait-video",
    "portrait-android-1",
    "portrait-android-2",
    "portrait-clean-plate",
    "mobile-unet-desktop",
    "mobile-unet-python",
)


def pipelines() -> dict[str, Pipeline]:
    """Return the pipelines to compare by name; the first one is what the others are held against.

    Raises:
        SeglibError: the steps built up here are no longer the default's.
    """
    configs = {name: dataclasses.replace(PLAIN, **step) for name, step in ALONE.items()}
    config = PLAIN
    for name, step in BUILT_UP.items():
        config = configs[name] = dataclasses.replace(config, **step)
    steps = ("hysteresis", "holes", "largest", "opening", "closing", "blur", "upsample", "curve")
    default = PostprocessConfig()
    if any(getattr(config, step) != getattr(default, step) for step in steps):
        raise SeglibError("the default pipeline has other steps than these; change BUILT_UP")
    configs |= {f"preset {name}": preset(name) for name in OLDER}
    return {name: Pipeline(config) for name, config in configs.items()}


def measure(name: str, kind: str, model: str, count: int | None) -> dict[str, np.ndarray]:
    """Return per pipeline one row of scores per photo.

    Raises:
        SeglibError: the photos are not under $SEGLIB_DATA.
    """
    dataset = real_set(name, "val", kind)
    if count is not None:
        dataset = dataset.subset(count, seed=8)
    segmenter = seglib.load(model)
    lines = pipelines()
    rows: dict[str, list[tuple[float, ...]]] = {step: [] for step in lines}
    for image, truth in dataset:
        raw = segmenter.raw(image)
        for step, pipeline in lines.items():
            mask = pipeline.alpha(image, raw)
            rows[step].append(
                (
                    metrics.iou(mask, truth),
                    metrics.boundary_iou(mask, truth),
                    metrics.boundary_iou(mask, truth, width=NARROW),
                    float(np.abs(mask - truth).mean()),
                )
            )
    return {step: np.array(values) for step, values in rows.items()}


def table(rows: dict[str, np.ndarray]) -> str:
    """Return the scores as Markdown."""
    plain = next(iter(rows.values()))
    lines = [
        "| step | IoU | boundary IoU | change | boundary IoU, narrow | change | mean error |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for step, values in rows.items():
        iou, edge, narrow, error = values.mean(axis=0)
        gain = (values - plain).mean(axis=0)
        spread = (values - plain).std(axis=0, ddof=1) / len(values) ** 0.5
        lines.append(
            f"| {step} | {iou:.4f} | {edge:.4f} | {gain[1]:+.4f} ± {spread[1]:.4f} "
            f"| {narrow:.4f} | {gain[2]:+.4f} ± {spread[2]:.4f} | {error:.4f} |"
        )
    return "\n".join(lines)


def harmful(rows: dict[str, np.ndarray]) -> list[str]:
    """Return the default's steps that lower boundary IoU below the step before them.

    A loss within twice its standard error, photo by photo, is chance.
    """
    before, found = next(iter(rows.values()))[:, 1], []
    for step in BUILT_UP:
        gain = rows[step][:, 1] - before
        if gain.mean() < -1e-4 - 2 * gain.std(ddof=1) / len(gain) ** 0.5:
            found.append(step)
        before = rows[step][:, 1]
    return found


def foreground(count: int) -> str:
    """Return how far composites are off with and without foreground estimation, in levels.

    One picture is cut out by a known soft outline and set before a second one, which makes the
    photo, and before a third one, which is the truth. The error is that within the half-covered
    pixels of what `replace_background` makes of the photo.
    """
    from seglib.data import synthetic

    rng = np.random.default_rng(1)
    errors: dict[str, list[float]] = {"the photo's": [], "estimated": []}
    pictures = synthetic.portraits(count + 2, size=512, seed=3).images
    for person, old, new in zip(pictures, pictures[1:], pictures[2:], strict=False):
        alpha = _outline(person.shape[0], rng)
        photo = postprocess.alpha_blend(person, old, alpha)
        truth = postprocess.alpha_blend(person, new, alpha).astype(float)
        edge = (alpha > 0.02) & (alpha < 0.98)
        for name, pure in (("the photo's", False), ("estimated", True)):
            frame = postprocess.replace_background(photo, alpha, new, foreground=pure)
            errors[name].append(float(np.abs(frame - truth)[edge].mean()))
    rows = "\n".join(f"| {name} | {np.mean(values):.2f} |" for name, values in errors.items())
    return f"| foreground colours | error at the edge, of 255 levels |\n|---|---:|\n{rows}"


def _outline(size: int, rng: np.random.Generator) -> np.ndarray:
    """Return a wavy disc with a soft edge of about 12 pixels."""
    noise = resize(rng.random((24, 24), np.float32), (size, size)) - 0.5
    y, x = np.mgrid[:size, :size] / size - 0.5
    inside = 0.33 - np.hypot(x, y) + 0.12 * noise
    return (inside * size / 12 + 0.5).clip(0, 1).astype(np.float32)


@plain_errors
def main() -> int:
    """Print the tables and return 0, 1 (a default step does harm) or 2 (not measured)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, help="photos per set [all]")
    options = parser.parse_args()
    bad = []
    for name, kind, model in SETS:
        rows = measure(name, kind, model, options.count)
        photos = len(next(iter(rows.values())))
        print(f"\n**{kind}**: {photos} photos of {name}, network {model}\n")
        print(table(rows), flush=True)
        bad += [f"{kind}, {step}" for step in harmful(rows)]
    print(f"\n{foreground(8)}")
    if bad:
        print(f"these steps of the default lower boundary IoU: {'; '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
