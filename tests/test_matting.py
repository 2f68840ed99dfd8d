"""Soft edges: the band round them, their errors, the layer that feathers a mask, and training."""

import cv2
import keras
import numpy as np
import pytest

from seglib import SeglibError, data
from seglib.export import to_tflite
from seglib.losses import bce_loss
from seglib.matting import (
    AlphaBatches,
    Pictures,
    alpha_loss,
    before,
    matting_errors,
    matting_losses,
    unknown_band,
    with_alpha,
    with_masks,
)
from seglib.models import build
from seglib.models.refine import feathered
from seglib.runtime import run_images

DRAWN = data.synthetic.portraits(6, 96, seed=7)
ALPHA = DRAWN.alphas[1].astype(np.float32) / 255


def test_the_band_holds_every_soft_pixel_and_grows_with_its_radius():
    soft = (ALPHA > 0.02) & (ALPHA < 0.98)
    narrow, wide = unknown_band(ALPHA, 0), unknown_band(ALPHA, 6)
    assert soft.any() and narrow[soft].all() and wide[narrow].all()
    assert narrow.sum() < wide.sum() < ALPHA.size
    hard = np.zeros((20, 20), np.float32)
    hard[5:15, 5:15] = 1
    assert 0 < unknown_band(hard, 0).sum() < hard.size


def test_the_right_alpha_has_no_error_and_a_worse_one_more():
    assert matting_errors(ALPHA, ALPHA).sad == matting_errors(ALPHA, ALPHA).gradient == 0
    hard = (ALPHA >= 0.5).astype(np.float32)
    blurred = np.clip(cv2.GaussianBlur(hard, (0, 0), 6), 0, 1)
    near, far = matting_errors(hard, ALPHA), matting_errors(blurred, ALPHA)
    assert 0 < near.sad < far.sad and 0 < near.mse < far.mse and near.pixels == far.pixels


@pytest.mark.parametrize("gap", [0.01, 0.1, 0.5])
def test_known_differences_give_known_errors(gap):
    truth = np.full((30, 40), 0.5, np.float32)
    errors = matting_errors(truth - np.float32(gap), truth, np.ones((30, 40), bool))
    assert errors.sad == pytest.approx(1.2 * gap, rel=1e-3)
    assert errors.mse == pytest.approx(gap**2, rel=1e-3)
    assert errors.gradient == pytest.approx(0, abs=1e-6)


def test_a_slope_has_its_size_in_the_gradient_error():
    ramp = np.tile(np.linspace(0, 1, 101, dtype=np.float32), (40, 1))
    inner = np.zeros(ramp.shape, bool)
    inner[10:30, 10:90] = True
    errors = matting_errors(np.full_like(ramp, 0.5), ramp, inner)
    assert errors.gradient == pytest.approx(inner.sum() * 0.01**2 / 1000, rel=0.02)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: matting_errors(ALPHA, ALPHA, np.zeros(ALPHA.shape, bool)), "marks no pixel"),
        (lambda: matting_errors(ALPHA, ALPHA, np.ones((5, 5), bool)), "marks no pixel"),
        (lambda: matting_errors(ALPHA[:50], ALPHA), "50"),
        (lambda: unknown_band(ALPHA, -1), "radius is -1"),
    ],
)
def test_bad_alphas_and_bands_are_refused(call, words):
    with pytest.raises(SeglibError, match=words):
        call()


@pytest.fixture(scope="module")
def pair() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(3)
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image / 255)
    net = keras.Model(image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
    return net, feathered(net, 2)


def test_feathering_starts_as_the_mask_and_trains_alone(pair):
    net, full = pair
    assert full.input_shape == (None, 64, 64, 3) and full.output_shape == (None, 64, 64, 1)
    names = {weight.path.split("/")[0] for weight in full.trainable_weights}
    assert names == {"feather_conv", "feather_bn", "feather_factors"}
    images = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    before = [weight.copy() for weight in net.get_weights()]
    target = (images.mean(axis=-1, keepdims=True) > 127).astype(np.float32)
    full.compile(keras.optimizers.Adam(1e-2), "mse", jit_compile=False)
    losses = full.fit(images, target, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_feathered_network_goes_to_tflite(pair, tmp_path):
    _, full = pair
    images = data.synthetic.portraits(2, 64, seed=1).images
    path = to_tflite(full, tmp_path / "alpha.tflite")
    expected = np.asarray(full(images.astype(np.float32), training=False))
    np.testing.assert_allclose(
        run_images(path, images).reshape(expected.shape), expected, atol=1e-4
    )


def test_what_cannot_be_feathered_is_refused(pair):
    net, _ = pair
    with pytest.raises(SeglibError, match="whole numbers from 1"):
        feathered(net, 0)
    with pytest.raises(SeglibError, match="one mask of the same size"):
        feathered(build("dense_unet", size=64))
    with pytest.raises(SeglibError, match="one mask of the same size"):
        feathered("portrait.tflite")


def alpha_target(alpha: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Pack alphas (n, h, w), below 0 where unknown, and a picture as the loss takes them."""
    return np.concatenate([alpha[..., None], picture], axis=-1).astype(np.float32)


@pytest.mark.parametrize(
    ("truth", "found", "brightness"), [(0, 0, 1), (1, 0, 0), (0.25, 1, 0.5), (0.7, 0.2, 1)]
)
def test_the_alpha_loss_is_the_gap_and_the_gap_times_the_brightness(truth, found, brightness):
    target = alpha_target(np.full((2, 5, 6), truth), np.full((2, 5, 6, 3), brightness))
    loss = float(alpha_loss(target, np.full((2, 5, 6, 1), found, np.float32)))
    gap = abs(truth - found)
    expected = np.hypot(gap, 1e-3) + np.hypot(gap * brightness, 1e-3)
    assert loss == pytest.approx(expected, abs=1e-5)


def test_a_picture_without_an_alpha_moves_the_mask_alone():
    picture = np.full((2, 8, 8, 3), 0.5, np.float32)
    alpha = np.stack([np.full((8, 8), 0.25), np.full((8, 8), -1.0)])
    target = alpha_target(alpha, picture)
    found = np.full((2, 8, 8, 1), 0.75, np.float32)
    only = alpha_target(alpha[:1], picture[:1])
    assert float(alpha_loss(target, found)) == pytest.approx(float(alpha_loss(only, found[:1])))
    moved = np.full((2, 8, 8, 1), 0.75, np.float32)
    moved[1] = 0.1
    assert float(alpha_loss(target, moved)) == pytest.approx(float(alpha_loss(target, found)))
    assert float(alpha_loss(target[1:], moved[1:])) == 0
    losses = matting_losses()
    assert losses["mask"] is alpha_loss and losses["seg"] is bce_loss


def test_compositing_keeps_the_true_alpha_and_changes_the_place():
    drawn = with_alpha(DRAWN.images, DRAWN.alphas)
    place = np.zeros((40, 60, 3), np.uint8)
    place[:, :] = (0, 200, 0)
    moved = before(drawn, [place], seed=2, light=(0.0, 0.0))
    np.testing.assert_array_equal(moved.masks, drawn.masks)
    np.testing.assert_array_equal(moved.masks[..., 1], DRAWN.alphas)
    assert moved.known.all()
    away = DRAWN.alphas == 0
    np.testing.assert_array_equal(moved.images[away], np.broadcast_to((0, 200, 0), (away.sum(), 3)))
    # Whole pixels keep the person's colour; a soft one is mixed by its alpha.
    whole = DRAWN.alphas == 255
    gaps = np.abs(moved.images.astype(int) - DRAWN.images)
    assert gaps[whole].max() <= 2 < gaps[away].mean()


def test_hard_masks_and_alphas_reach_the_network_apart():
    drawn = with_alpha(DRAWN.images, DRAWN.alphas)
    hard = np.where(DRAWN.alphas[:2] >= 128, 255, 0).astype(np.uint8)
    mixed = drawn + with_masks(DRAWN.images[:2], hard)
    assert len(mixed) == 8 and mixed.known[:, 1].tolist() == [True] * 6 + [False] * 2
    x, y = AlphaBatches(mixed, batch_size=8, size=96)[0]
    np.testing.assert_array_equal(x, mixed.images)
    assert x.shape == (8, 96, 96, 3) and y["mask"].shape == (8, 96, 96, 4)
    np.testing.assert_allclose(y["mask"][:6, ..., 0], DRAWN.alphas / 255, atol=1e-6)
    assert (y["mask"][6:, ..., 0] == -1).all()
    np.testing.assert_allclose(y["mask"][..., 1:] * 255, x, atol=1e-3)
    np.testing.assert_array_equal(y["seg"][:6, ..., 0], DRAWN.alphas >= 128)
    np.testing.assert_array_equal(y["seg"][6:, ..., 0] * 255, hard)


@pytest.mark.parametrize("seed", range(4))
def test_turned_and_zoomed_targets_stay_what_they_are(seed):
    mixed = with_alpha(DRAWN.images, DRAWN.alphas) + with_masks(DRAWN.images, DRAWN.alphas)
    batches = AlphaBatches(
        mixed, 12, 64, augment=data.AugmentConfig(noise=0, blur=0), seed=seed, shuffle=True
    )
    x, y = batches[0]
    assert set(np.unique(y["seg"])) <= {0, 1}
    alpha, unknown = y["mask"][..., 0], (y["mask"][..., 0] < 0).all((1, 2))
    assert unknown.sum() == 6 and alpha[~unknown].min() >= 0 and alpha.max() <= 1
    # Cut before the turn in one and after it in the other, they may differ along the edge.
    assert np.mean(y["seg"][~unknown, ..., 0] != (alpha[~unknown] >= 0.5)) < 0.02
    np.testing.assert_allclose(y["mask"][..., 1:], x / 255, atol=1e-6)


def test_both_outputs_learn_from_a_mixed_batch():
    keras.utils.set_random_seed(1)
    image = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image / 255)
    outputs = {
        name: keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name=name)(x)
        for name in ("mask", "seg")
    }
    # As small as can be: build("residual_matting", seg_output=True) has outputs of these names.
    model = keras.Model(image, outputs)
    mixed = with_alpha(DRAWN.images, DRAWN.alphas) + with_masks(DRAWN.images, DRAWN.alphas)
    batches = AlphaBatches(mixed, 12, 32)
    model.compile(keras.optimizers.Adam(3e-3), matting_losses(), jit_compile=False)
    history = model.fit(batches, epochs=8, verbose=0).history
    assert history["mask_loss"][-1] < history["mask_loss"][0]
    assert history["seg_loss"][-1] < history["seg_loss"][0]


def test_pictures_that_do_not_fit_are_refused():
    drawn = with_alpha(DRAWN.images, DRAWN.alphas)
    some = drawn.of(np.arange(6) < 2)
    assert isinstance(some, Pictures) and len(some) == 2
    with pytest.raises(SeglibError, match="hard mask"):
        before(with_masks(DRAWN.images, DRAWN.alphas), [DRAWN.images[0]])
    with pytest.raises(SeglibError, match="at least one picture"):
        before(drawn, [])
    with pytest.raises(SeglibError, match="uint8"):
        with_alpha(DRAWN.images, DRAWN.alphas.astype(np.float32))
    with pytest.raises(SeglibError, match="one size"):
        drawn + with_alpha(DRAWN.images[:, :64, :64], DRAWN.alphas[:, :64, :64])
