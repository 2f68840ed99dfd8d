"""Measure the pipeline's frames against the same work in plain NumPy, in one run.

    python tests/benchmarks/postprocess_speed.py

Prints a Markdown table: CPU milliseconds per frame on one thread (`time.process_time`, which other
programs on the machine disturb less), the frames a second that this allows on one quiet core and at
most on two, wall time on two threads as it was, and the ratio to NumPy. The NumPy version does the
same steps on the same reduced copies, with array operations in place of OpenCV, and its frames are
compared with the pipeline's before it is timed. Exits with code 1 where an effect is below --fps or
--ratio.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

import seglib
from seglib.errors import SeglibError
from seglib.postprocess import Pipeline, PostprocessConfig, cover, hair, light

ALONE = "mask alone"

EFFECTS = {
    ALONE: None,
    "blur": PostprocessConfig(effect="blur"),
    "replace": PostprocessConfig(effect="replace"),
    "replace, light and linear": PostprocessConfig(effect="replace", light=0.5, linear=True),
    "grey": PostprocessConfig(effect="grey"),
    "recolour": PostprocessConfig(effect="recolour", color=(170, 40, 70)),
}
"""What has to run in real time; each on top of the default's clean-up and guided enlargement."""

SLOWER = {
    "bokeh": PostprocessConfig(effect="bokeh", sigma=0.04),
    "recolour in HSV": PostprocessConfig(effect="recolour", space="hsv"),
    "replace, colour transfer": PostprocessConfig(effect="replace", transfer=1.0),
    "blur, bilateral enlargement": PostprocessConfig(effect="blur", upsample="bilateral"),
    "clone": PostprocessConfig(effect="clone"),
}
"""Timed as well, without a bar and without a NumPy twin."""


def np_resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge linearly with half-pixel centres."""
    for axis, count in enumerate(size):
        old = array.shape[axis]
        place = ((np.arange(count) + 0.5) * (old / count) - 0.5).clip(0, old - 1)
        low = place.astype(int)
        high = np.minimum(low + 1, old - 1)
        share = (place - low).astype(np.float32)
        share = share.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
        array = array.take(low, axis) * (1 - share) + array.take(high, axis) * share
    return array


def np_shrink(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Average over areas, as sums of a running total at fractional places."""
    for axis, count in enumerate(size):
        total = np.cumsum(array, axis=axis, dtype=np.float64)
        total = np.concatenate([np.zeros_like(total.take([0], axis)), total], axis)
        edges = np.arange(count + 1) * (array.shape[axis] / count)
        low = np.minimum(edges.astype(int), array.shape[axis])
        high = np.minimum(low + 1, array.shape[axis])
        share = (edges - low).reshape([-1 if i == axis else 1 for i in range(array.ndim)])
        sums = total.take(low, axis) * (1 - share) + total.take(high, axis) * share
        array = (np.diff(sums, axis=axis) * (count / array.shape[axis])).astype(np.float32)
    return array


def np_box(array: np.ndarray, radius: int) -> np.ndarray:
    """Average over squares by running totals, the frame's edge repeated."""
    side = 2 * radius + 1
    for axis in (0, 1):
        pad = [(radius + (i == axis), radius) if i == axis else (0, 0) for i in range(array.ndim)]
        pad[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(array, pad, mode="edge"), axis=axis, dtype=np.float64)
        count = total.shape[axis]
        upper = total.take(range(side, count), axis)
        array = ((upper - total.take(range(count - side), axis)) / side).astype(np.float32)
    return array


def np_gauss(array: np.ndarray, sigma: float) -> np.ndarray:
    """Blur by a Gaussian, one axis after the other, a shifted copy for each weight."""
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        pad = [(radius, radius) if i == axis else (0, 0) for i in range(array.ndim)]
        padded = np.pad(array, pad, mode="edge")
        count = array.shape[axis]
        array = sum(
            weight * padded[(slice(None),) * axis + (slice(i, i + count),)]
            for i, weight in enumerate(weights)
        )
    return array


def np_alpha(pipeline: Pipeline, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Clean (at the mask's size, by the library), enlarge by a guided filter, smoothstep."""
    config = pipeline.config
    mask = pipeline.clean(mask)
    radius = round(config.radius * min(mask.shape))
    colour = image.astype(np.float32) / 255
    guide = np_shrink(colour, mask.shape)
    mean, mean_mask = np_box(guide, radius), np_box(mask, radius)
    cross = np_box(guide * mask[..., None], radius) - mean * mean_mask[..., None]
    square = np_box(guide[..., :, None] * guide[..., None, :], radius)
    square = square - mean[..., :, None] * mean[..., None, :] + config.eps * np.eye(3)
    slope = np.linalg.solve(square, cross[..., None])[..., 0]
    offset = mean_mask - (slope * mean).sum(axis=-1)
    planes = np_box(np.dstack([slope, offset]).astype(np.float32), radius)
    planes = np_resize(planes, image.shape[:2])
    alpha = (planes[..., :3] * colour).sum(axis=-1) + planes[..., 3]
    t = ((alpha - config.low) / (config.high - config.low)).clip(0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def np_blur(image: np.ndarray, alpha: np.ndarray, sigma: float) -> np.ndarray:
    """Blur the background by normalised convolution on a reduced copy."""
    factor = int(sigma / 4)
    height, width = alpha.shape
    weight = (1 - alpha)[..., None]
    both = np.concatenate([image * weight, weight], axis=2)
    both = both.reshape(height // factor, factor, width // factor, factor, 4).mean(axis=(1, 3))
    both = np_gauss(both, (sigma**2 - factor**2 / 4) ** 0.5 / factor)
    both = np_resize(both, (height, width))
    back = both[..., :3] / np.maximum(both[..., 3:], 1e-6)
    return np.rint(image * (1 - weight) + back * weight).clip(0, 255).astype(np.uint8)


def np_replace(
    image: np.ndarray, alpha: np.ndarray, scene: np.ndarray, config: PostprocessConfig
) -> np.ndarray:
    """Replace the background with the foreground's own colours, by blur fusion."""
    factor = 4
    height, width = alpha.shape
    blocks = (height // factor, factor, width // factor, factor)
    small = np.rint(image.astype(np.float32).reshape(*blocks, 3).mean(axis=(1, 3)))
    inside = alpha.reshape(blocks).mean(axis=(1, 3))[..., None]
    front, back = small, small
    for reach in (height / 16 / factor, height / 16 / 15 / factor):
        radius = max(1, round(reach))
        fronts, backs = (
            np_box(np.concatenate([colour * share, share], axis=2), radius)
            for colour, share in ((front, inside), (back, 1 - inside))
        )
        near = [
            np.where(both[..., 3:] > 1e-4, both[..., :3] / np.maximum(both[..., 3:], 1e-4), old)
            for both, old in ((fronts, front), (backs, back))
        ]
        front = np_unmix(small, inside, *near)
        back = near[1]
    shares = alpha[..., None]
    grown = [np_resize(colours, (height, width)) for colours in near]
    front = np.rint(np_unmix(image, shares, *grown)).astype(np.uint8)
    if config.light:
        table = light.light_table(image, alpha, scene, config.light)[0]
        front = np.dstack([table[front[..., channel], channel] for channel in range(3)])
    if not config.linear:
        return np.rint(scene + (front - scene.astype(np.float32)) * shares).astype(np.uint8)
    levels = np.arange(256) / 255
    curve = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    curve = curve.astype(np.float32)
    mixed = curve[scene] + (curve[front] - curve[scene]) * shares
    encoded = np.where(mixed <= 0.0031308, mixed * 12.92, 1.055 * mixed ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


def np_unmix(
    image: np.ndarray, share: np.ndarray, front: np.ndarray, back: np.ndarray
) -> np.ndarray:
    """Give what front and back leave unexplained to the front."""
    return (front + share * (image - share * front - (1 - share) * back)).clip(0, 255)


def np_grey(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Take the colour out of the background."""
    grey = np.rint(image @ np.float32([0.299, 0.587, 0.114]))[..., None]
    return np.rint(grey + (image - grey) * alpha[..., None]).astype(np.uint8)


def np_recolour(image: np.ndarray, alpha: np.ndarray, config: PostprocessConfig) -> np.ndarray:
    """Dye in CIE Lab; the colour's own tone is found by the library."""
    tone = hair.find_tone(image, alpha, config.color, config.lift)
    white = np.float32([0.950456, 1.0, 1.088754])
    matrix = np.float32(
        [
            [0.412453, 0.35758, 0.180423],
            [0.212671, 0.71516, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    values = image.astype(np.float32) / 255
    values = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    xyz = values @ (matrix / white[:, None]).T
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    old = 116 * f[..., 1] - 16
    lab = np.stack([old, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)
    new = 101 * ((np.maximum(old, 0) + 1) / 101) ** tone.exponent - 1
    chroma = np.minimum(new / tone.lightness, (100 - new) / (100 - tone.lightness)).clip(0, 1)
    dyed = np.stack([new, chroma * tone.a, chroma * tone.b], axis=-1)
    lab = lab + (dyed - lab) * (alpha * config.strength)[..., None]
    fy = (lab[..., 0] + 16) / 116
    f = np.stack([fy + lab[..., 1] / 500, fy, fy - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787)
    linear = (xyz @ np.linalg.inv(matrix / white[:, None]).T).clip(0, 1)
    rgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(rgb * 255).astype(np.uint8)


def frame(
    pipeline: Pipeline, name: str, image: np.ndarray, mask: np.ndarray, scene: np.ndarray
) -> np.ndarray:
    """Compose the pipeline's frame, or its alpha alone."""
    if name == ALONE:
        return pipeline.alpha(image, mask)
    wanted = pipeline.config.effect in ("replace", "clone")
    return pipeline(image, mask, scene if wanted else None)


def np_frame(
    pipeline: Pipeline, name: str, image: np.ndarray, mask: np.ndarray, scene: np.ndarray
) -> np.ndarray:
    """Compose the same in NumPy."""
    config = pipeline.config
    alpha = np_alpha(pipeline, image, mask)
    if name == ALONE:
        return alpha
    if config.effect == "blur":
        return np_blur(image, alpha, config.sigma * min(alpha.shape))
    if config.effect == "replace":
        return np_replace(image, alpha, scene, config)
    return np_grey(image, alpha) if config.effect == "grey" else np_recolour(image, alpha, config)


def cpu_and_wall(job: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the medians of CPU and wall milliseconds over `runs`, after one to warm up."""
    job()
    found = []
    for _ in range(runs):
        cpu, wall = time.process_time(), time.perf_counter()
        job()
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    return tuple(1000 * statistics.median(column) for column in zip(*found, strict=True))


def main() -> int:
    """Run the comparison and return 0 (bars met), 1 (missed) or 2 (not measured)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("H", "W"))
    parser.add_argument("--fps", type=float, default=60, help="least frames a second [60]")
    parser.add_argument("--ratio", type=float, default=10, help="least ratio to NumPy [10]")
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    (height, width), runs = options.size, options.runs
    if height % 4 or width % 4:
        print("the NumPy version needs sides that are multiples of 4", file=sys.stderr)
        return 2
    # A wide frame, as a camera gives it, around the head of the sample photo.
    photo = cover(seglib.sample_photo()[:288], (height, width))
    scene = np.ascontiguousarray(cover(seglib.sample_photo()[224:], (height, width))[:, ::-1])
    try:
        masks = {name: seglib.load(name).raw(photo) for name in ("portrait", "hair")}
    except SeglibError as error:
        print(error, file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    print(f"{width}x{height}, mask {masks['hair'].shape[1]}x{masks['hair'].shape[0]}\n")
    print(
        "| effect | CPU ms | fps, 1 core | fps, 2 cores at most | wall ms, 2 threads "
        "| NumPy CPU ms | ratio |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    missed = []
    for name, config in (EFFECTS | SLOWER).items():
        mask = masks["hair" if config and config.effect == "recolour" else "portrait"]
        one, two = Pipeline(config, threads=1), Pipeline(config, threads=2)
        cpu, _ = cpu_and_wall(partial(frame, one, name, photo, mask, scene), runs)
        _, wall = cpu_and_wall(partial(frame, two, name, photo, mask, scene), runs)
        line = f"| {name} | {cpu:.1f} | {1000 / cpu:.0f} | {2000 / cpu:.0f} | {wall:.1f} |"
        if name in SLOWER:
            print(f"{line} | |", flush=True)
            continue
        plain = np_frame(one, name, photo, mask, scene)
        away = np.abs(frame(one, name, photo, mask, scene).astype(np.float32) - plain).mean()
        if away > (0.005 if config is None else 1):
            print(f"{name}: the NumPy version is off by {away:.2f} on average", file=sys.stderr)
            return 2
        slow, _ = cpu_and_wall(partial(np_frame, one, name, photo, mask, scene), 3)
        print(f"{line} {slow:.0f} | {slow / cpu:.1f} |", flush=True)
        if 2000 / cpu < options.fps or slow / cpu < options.ratio:
            missed.append(name)
    if missed:
        print(f"below the bars: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
