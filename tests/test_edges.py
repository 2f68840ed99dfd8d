"""Filters that follow the photo's edges, and the colour under an edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import seglib
from mask_shapes import disc, random_mask
from seglib import SeglibError, data, metrics
from seglib import postprocess as pp
from seglib.images import resize
from seglib.postprocess import edges, masks


def random_image(height: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def two_colours(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A red disc on a blue ground, and its exact outline."""
    inside = disc(size, size * 0.3, soft=1)
    image = inside[..., None] * (200, 40, 30) + (1 - inside[..., None]) * (30, 60, 190)
    return np.rint(image).astype(np.uint8), inside


@given(st.integers(2, 24), st.integers(2, 24), st.integers(0, 4), st.integers(0, 99))
@settings(max_examples=30)
def test_with_a_large_eps_the_guided_filter_is_a_box_blur_of_a_box_blur(h, w, radius, seed):
    mask = random_mask(h, w, seed)
    filtered = pp.guided_upsample(mask, random_image(h, w, seed), radius, eps=1e6)
    twice = masks.box_blur(masks.box_blur(mask, radius), radius)
    assert np.allclose(filtered, twice, atol=1e-4)


def solved(mask: np.ndarray, guide: np.ndarray, radius: int, eps: float) -> np.ndarray:
    """The guided filter by its definition: one least-squares problem per window."""
    height, width = mask.shape
    colour = np.pad(guide / 255, ((radius,) * 2, (radius,) * 2, (0, 0)), mode="edge")
    values = np.pad(mask.astype(float), radius, mode="edge")
    planes = np.empty((height, width, 4))
    side = 2 * radius + 1
    for y in range(height):
        for x in range(width):
            pixels = colour[y : y + side, x : x + side].reshape(-1, 3)
            centred = pixels - pixels.mean(axis=0)
            wanted = values[y : y + side, x : x + side].ravel()
            square = centred.T @ centred / len(pixels) + eps * np.eye(3)
            slope = np.linalg.solve(square, centred.T @ (wanted - wanted.mean()) / len(pixels))
            planes[y, x] = (*slope, wanted.mean() - slope @ pixels.mean(axis=0))
    padded = np.pad(planes, ((radius,) * 2, (radius,) * 2, (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(0, 1))
    means = windows.mean(axis=(3, 4))
    return ((means[..., :3] * guide / 255).sum(axis=2) + means[..., 3]).clip(0, 1)


@pytest.mark.parametrize("eps", [1e-4, 1e-2])
def test_the_guided_filter_is_its_definition(eps):
    mask, guide = random_mask(13, 17, 5), random_image(13, 17, 6)
    found = pp.guided_upsample(mask, guide, 2, eps)
    assert np.allclose(found, solved(mask, guide, 2, eps), atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_mask_stays_constant(value):
    photo = seglib.sample_photo()[:90, :70]
    small = np.full((16, 16), value, np.float32)
    for grown in (pp.guided_upsample(small, photo), pp.joint_bilateral_upsample(small, photo)):
        assert grown.shape == (90, 70)
        assert grown.dtype == np.float32
        assert np.allclose(grown, value, atol=1e-4)


@pytest.mark.parametrize(
    "grow", [lambda m, i: pp.guided_upsample(m, i, 2), pp.joint_bilateral_upsample]
)
def test_the_outline_snaps_to_the_photos_edge(grow):
    image, truth = two_colours(240)
    small = pp.blur(resize(truth, (40, 40)), 1)
    linear = metrics.boundary_iou(resize(small, truth.shape), truth, width=0.004)
    assert metrics.boundary_iou(grow(small, image), truth, width=0.004) > linear + 0.1


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40)
def test_enlarging_one_axis_after_the_other_equals_resize(h, w, more_rows, more_columns):
    small = np.random.default_rng(h * w).random((h, w), np.float32)
    size = (h + more_rows, w + more_columns)
    (tall,) = edges.taller([small], size[0])
    cuts = [slice(0, 1), slice(1, None)][: size[0]]
    whole = np.concatenate([edges.wider(tall[rows], size[1]) for rows in cuts])
    assert np.allclose(whole, resize(small, size), atol=1e-5)


def test_the_old_background_no_longer_shines_through():
    alpha = disc(160, 50, soft=8)
    colours = (180, 120, 90), (0, 220, 0), (255, 255, 255)
    person, old, new = (np.full((160, 160, 3), colour, np.uint8) for colour in colours)
    photo = pp.alpha_blend(person, old, alpha)
    truth = pp.alpha_blend(person, new, alpha).astype(int)
    edge = (alpha > 0) & (alpha < 1)
    shining, pure = (
        np.abs(pp.replace_background(photo, alpha, new, foreground=foreground) - truth)[edge].mean()
        for foreground in (False, True)
    )
    assert shining > 15
    assert pure < shining / 3


@pytest.mark.parametrize("reduce", [1, 4])
def test_the_foreground_is_the_photo_where_the_mask_is_one(reduce):
    photo, mask = seglib.sample_photo(), disc(512, 150, soft=30)
    front = pp.estimate_foreground(photo, mask, reduce=reduce)
    assert np.abs(front.astype(int) - photo)[mask == 1].max() <= 1
    assert np.array_equal(pp.estimate_foreground(photo, np.ones((512, 512))), photo)


@pytest.mark.parametrize(
    "call",
    [
        lambda i, m: pp.guided_upsample(m, i, radius=-1),
        lambda i, m: pp.guided_upsample(m, i, eps=0),
        lambda i, m: pp.guided_upsample(m, i, eps=float("nan")),
        lambda i, m: pp.guided_upsample(m, i, radius=1.5),
        lambda i, m: pp.guided_upsample(m, i[..., :2]),
        lambda i, m: pp.estimate_foreground(i, m, reduce=1.5),
        lambda i, m: pp.estimate_foreground(i, m[:3]),
    ],
)
def test_bad_values_are_refused(call):
    with pytest.raises(SeglibError):
        call(random_image(8, 8, 0), random_mask(8, 8, 0))


@pytest.mark.parametrize(
    ("name", "kind", "model"), [("eg1800", "person", "portrait"), ("figaro1k", "hair", "hair")]
)
def test_on_real_photos_the_default_raises_boundary_iou(real_data, name, kind, model):
    segmenter, pipeline = seglib.load(model), pp.Pipeline()
    gains = []
    for image, truth in data.load(name, "val", kind).subset(12, seed=3):
        raw = segmenter.raw(image)
        before = metrics.boundary_iou(resize(raw, truth.shape), truth)
        gains.append(metrics.boundary_iou(pipeline.alpha(image, raw), truth) - before)
    assert np.mean(gains) > 0.01
