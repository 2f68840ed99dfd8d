"""What the live demo's scripts compute equals `seglib.postprocess`, in headless Chromium."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

import browser_site
import seglib
from browser_site import call
from seglib import postprocess
from seglib.images import resize
from seglib.postprocess import PostprocessConfig

pytest.importorskip("playwright")
if browser_site.chromium() is None:
    pytest.skip("no Chromium here: apt-get install chromium", allow_module_level=True)

LEVEL = 1 / 255
SIZES = [(97, 131), (240, 320), (362, 270)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser_site.Site]:
    # The runtime is not needed here, so these tests run without npm's registry.
    site = browser_site.Site(tmp_path_factory.mktemp("site") / "html", "left out by this test")
    yield site
    site.close()


@pytest.fixture(scope="module")
def page(site: browser_site.Site) -> Iterator[Any]:
    with browser_site.browsers() as launch:
        page = launch().new_page()
        page.goto(site.page)
        yield page


def photo(size: tuple[int, int]) -> np.ndarray:
    """Return the sample photo, stretched, with some noise that no filter expects."""
    noise = np.random.default_rng(5).integers(-6, 7, (*size, 3))
    return (resize(seglib.sample_photo(), size) + noise).clip(0, 255).astype(np.uint8)


def person(size: tuple[int, int] = (128, 128), seed: int = 0) -> np.ndarray:
    """Return a soft mask with a body, a faint and a sure blob beside it, and holes."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = np.mgrid[:height, :width] / np.array([[[height]], [[width]]])
    mask = np.zeros(size)
    blobs = [(0.4, 0.5, 0.25, 1.0), (1.0, 0.5, 0.45, 1.0), (0.2, 0.9, 0.07, 0.8)]
    blobs += [(0.25, 0.1, 0.09, 0.97)]
    blobs += [(*rng.random(2), 0.04, rng.uniform(0.4, 1)) for _ in range(3)]
    for row, column, radius, value in blobs:
        mask = np.maximum(mask, value * (np.hypot(y - row, x - column) < radius))
    for row, column, radius in [(0.45, 0.45, 0.03), (0.8, 0.6, 0.09), (0.4, 0.6, 0.02)]:
        mask *= np.hypot(y - row, x - column) > radius
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.3)
    return (soft + rng.normal(0, 0.01, size)).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
def test_a_photo_is_resized_as_the_networks_input_is(site, page, size) -> None:
    image = photo(size)
    for height, width in ((128, 128), (size[0], 64), (size[0] // 2, size[1] // 2), (500, 500)):
        given = call(page, "pictures.js", "resizePicture", site.array(image), width, height)
        wanted = resize(image, (height, width))
        difference = np.abs(given.astype(int) - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("name", "function", "settings"),
    [
        ("threshold", postprocess.threshold, (0.4,)),
        ("smoothstep", postprocess.smoothstep, (0.3, 0.7)),
        ("blur", postprocess.blur, (1.7,)),
        ("opening", postprocess.opening, (3,)),
        ("opening", postprocess.opening, (1,)),
        ("closing", postprocess.closing, (4,)),
        ("closing", postprocess.closing, (7,)),
        ("hysteresis", postprocess.hysteresis, (0.5, 0.9)),
        ("hysteresis", postprocess.hysteresis, (0.2, 0.97)),
        ("largestComponent", postprocess.largest_component, ()),
        ("fillHoles", postprocess.fill_holes, (0.01,)),
        ("fillHoles", postprocess.fill_holes, (1.0,)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_mask_is_cleaned_alike(site, page, name, function, settings, seed) -> None:
    mask = person(((128, 128), (90, 141))[seed % 2], seed)
    given = call(page, "masks.js", name, site.array(mask), *settings)
    np.testing.assert_allclose(given, function(mask, *settings), atol=1e-5)


def test_where_nothing_is_sure_nothing_is_left(site, page) -> None:
    faint = person() * np.float32(0.3)
    for name, settings in (("hysteresis", (0.5, 0.9)), ("largestComponent", (0.5,))):
        assert not call(page, "masks.js", name, site.array(faint), *settings).any()
    full = np.full((9, 12), 0.7, np.float32)
    np.testing.assert_array_equal(call(page, "masks.js", "fillHoles", site.array(full), 1), full)


@pytest.mark.parametrize("size", SIZES)
def test_a_mask_is_enlarged_along_the_same_edges(site, page, size) -> None:
    image, mask = photo(size), person()
    given = call(page, "edges.js", "guidedUpsample", site.array(mask), site.array(image), 6, 1e-3)
    assert np.abs(given - postprocess.guided_upsample(mask, image, 6, 1e-3)).max() <= LEVEL


def configurations(site: browser_site.Site) -> dict[str, PostprocessConfig]:
    """Return the page's own settings and what its controls can make of them."""
    portrait = PostprocessConfig(**_tuples(site.info["defaults"]["portrait_open"]))
    hair = PostprocessConfig(**_tuples(site.info["defaults"]["hair_open"]))
    every_step = dataclasses.replace(
        portrait, opening=0.02, closing=0.02, largest=True, blur=0.01, low=0.1, high=0.95
    )
    return {
        "portrait": portrait,
        "wide blur": dataclasses.replace(portrait, sigma=0.07),
        "faint blur": dataclasses.replace(portrait, sigma=0.004),
        "grey": dataclasses.replace(portrait, effect="grey"),
        "replace": dataclasses.replace(portrait, effect="replace"),
        "replace, lit": dataclasses.replace(portrait, effect="replace", light=0.6),
        "replace, old colours": dataclasses.replace(portrait, effect="replace", foreground=False),
        "every step": every_step,
        "no step": dataclasses.replace(
            portrait, hysteresis=None, holes=0, upsample="linear", curve="none"
        ),
        "hair": hair,
        "hair, blond": dataclasses.replace(hair, color=(235, 205, 130), lift=1.0),
        "hair, faint": dataclasses.replace(hair, color=(20, 60, 200), strength=0.4, lift=0.0),
    }


def _tuples(config: dict) -> dict:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in config.items()}


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_composed_alike(site, page, size) -> None:
    image, mask, scene = photo(size), person(), photo((200, 150))[::-1].copy()
    here = [site.array(array) for array in (image, mask, scene)]
    for name, config in configurations(site).items():
        pipeline = postprocess.Pipeline(config)
        settings = dataclasses.asdict(config)
        alpha = call(page, "pipeline.js", "alpha", here[0], here[1], settings)
        assert np.abs(alpha - pipeline.alpha(image, mask)).max() <= LEVEL, name
        # From one alpha, so that a difference in it is not blamed on the frame.
        wanted = scene if config.effect == "replace" else None
        exact = pipeline.compose(image, alpha, wanted)
        reduce = site.info["foreground_reduce"]
        given = call(
            page, "pipeline.js", "frame", here[0], site.array(alpha), settings, here[2], reduce
        )
        difference = np.abs(given.astype(int) - exact)
        assert difference.max() <= 1, f"{name}: {difference.max()}, {(difference > 1).sum()}"


def test_the_default_settings_are_those_of_the_library(site) -> None:
    assert configurations(site)["portrait"] == PostprocessConfig()
    assert configurations(site)["hair"].hysteresis == PostprocessConfig().hysteresis
