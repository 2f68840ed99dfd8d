"""Soft edges: the band round them, their errors, and the layer that feathers a mask."""

import cv2
import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglib import SeglibError, data
from seglib.export import run_tflite, to_tflite
from seglib.matting import matting_errors, unknown_band
from seglib.models import UNetConfig, build, mobile_unet
from seglib.models.feathering import feathered

ALPHA = data.synthetic.portraits(3, 96, seed=7).alphas[1].astype(np.float32) / 255


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


@given(st.floats(0.01, 0.5))
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


def test_bad_alphas_and_bands_are_refused():
    with pytest.raises(SeglibError, match="marks no pixel"):
        matting_errors(ALPHA, ALPHA, np.zeros(ALPHA.shape, bool))
    with pytest.raises(SeglibError, match="marks no pixel"):
        matting_errors(ALPHA, ALPHA, np.ones((5, 5), bool))
    with pytest.raises(SeglibError):
        matting_errors(ALPHA[:50], ALPHA)
    with pytest.raises(SeglibError, match="radius is -1"):
        unknown_band(ALPHA, -1)


@pytest.fixture(scope="module")
def pair() -> tuple[keras.Model, keras.Model]:
    keras.utils.set_random_seed(3)
    net = mobile_unet(UNetConfig(32, "mobilenet_v1", 0.25, decoder_channels=(16, 16, 8, 8)))
    return net, feathered(net, 2)


def test_feathering_starts_as_the_mask_and_trains_alone(pair):
    net, full = pair
    assert full.input_shape == (None, 64, 64, 3) and full.output_shape == (None, 64, 64, 1)
    names = {weight.path.split("/")[0] for weight in full.trainable_weights}
    assert names == {"feather_conv", "feather_bn", "feather_factors"}
    images = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    before = [weight.copy() for weight in net.get_weights()]
    target = (images.mean(axis=-1, keepdims=True) > 127).astype(np.float32)
    full.compile(keras.optimizers.Adam(1e-2), "mse")
    losses = full.fit(images, target, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_feathered_network_goes_to_tflite(pair, tmp_path):
    _, full = pair
    images = data.synthetic.portraits(2, 64, seed=1).images
    path = to_tflite(full, tmp_path / "alpha.tflite")
    expected = np.asarray(full(images.astype(np.float32), training=False))
    np.testing.assert_allclose(
        run_tflite(path, images).reshape(expected.shape), expected, atol=1e-4
    )


def test_what_cannot_be_feathered_is_refused(pair):
    net, _ = pair
    with pytest.raises(SeglibError, match="whole numbers from 1"):
        feathered(net, 0)
    with pytest.raises(SeglibError, match="one mask of the same size"):
        feathered(build("dense_unet", size=64))
    with pytest.raises(SeglibError, match="one mask of the same size"):
        feathered("portrait.tflite")
