"""Networks: shapes, ranges, counted costs, weights that travel, configs that are refused."""

import json

import keras
import numpy as np
import pytest

from seglib import SeglibError, models
from seglib.models import UNetConfig, mobile_unet
from seglib.models.encoders import ENCODERS

SMALL = {"size": 64, "width": 0.25, "decoder_channels": (16, 16, 8, 8)}
PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("decoder", ["bilinear", "transpose"])
def test_every_pair_of_encoder_and_decoder_gives_probabilities_of_the_input_size(encoder, decoder):
    model = mobile_unet(UNetConfig(**SMALL, encoder=encoder, decoder=decoder, labels=("a", "b")))
    masks = keras.ops.convert_to_numpy(model(PICTURES))
    assert masks.shape == (2, 64, 64, 2)
    assert masks.min() >= 0 and masks.max() <= 1
    assert model.inputs[0].name == "image"


@pytest.mark.parametrize("width", [0.1, 0.35, 1.3])
def test_any_width_builds_an_encoder_with_channels_in_multiples_of_eight(width):
    model = mobile_unet(UNetConfig(size=32, width=width))
    encoder = [layer for layer in model.layers if layer.name.startswith(("stem", "block"))]
    assert all(layer.output.shape[-1] % 8 == 0 for layer in encoder)


def test_encoders_match_the_papers_without_their_classifiers():
    # keras.applications rebuilds the papers' networks; ours must have the very same weights.
    for encoder, app, last in (
        ("mobilenet_v1", keras.applications.MobileNet, "conv_pw_13_relu"),
        ("mobilenet_v2", keras.applications.MobileNetV2, "block_16_project_BN"),
        ("mobilenet_v3_small", keras.applications.MobileNetV3Small, "expanded_conv_10_add"),
        ("mobilenet_v3_large", keras.applications.MobileNetV3Large, "expanded_conv_14_add"),
    ):
        theirs = app(input_shape=(128, 128, 3), include_top=False, weights=None)
        theirs = keras.Model(theirs.input, theirs.get_layer(last).output)
        ours = mobile_unet(UNetConfig(encoder=encoder, width=1.0))
        bottom = ours.get_layer("up0_resize").input
        ours = keras.Model(ours.input, bottom)
        assert ours.count_params() == theirs.count_params()


def test_macs_of_a_network_counted_by_hand():
    x = keras.Input((8, 8, 3))
    y = keras.layers.Conv2D(4, 3, 2, padding="same")(x)  # 4*4 places, 9*3 inputs, 4 outputs
    y = keras.layers.DepthwiseConv2D(3, padding="same")(y)  # 4*4 places, 9 inputs, 4 channels
    y = keras.layers.Conv2DTranspose(2, 2, 2)(y)  # 4*4*4 inputs, 4 cells, 2 outputs
    total = models.cost(keras.Model(x, y))
    assert total.macs == 16 * 27 * 4 + 16 * 9 * 4 + 64 * 4 * 2
    assert total.params == (27 * 4 + 4) + (9 * 4 + 4) + (4 * 2 * 4 + 2)
    assert total.bytes == 4 * (8 * 8 * 3 + 2 * 4 * 4 * 4 + 8 * 8 * 2)


def test_macs_grow_with_the_square_of_the_side():
    small, large = (models.cost(mobile_unet(UNetConfig(size=s))) for s in (64, 128))
    assert large.macs == 4 * small.macs
    assert large.params == small.params


def test_normalisation_is_inside():
    model = mobile_unet(UNetConfig(**SMALL))
    grey = model.get_layer("rescale")(np.array([0.0, 127.5, 255.0], np.float32))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(grey), [-1, 0, 1], atol=1e-6)


def test_last_convolution_before_the_last_upsampling_gives_the_same_mask():
    model = mobile_unet(UNetConfig(**SMALL))
    before = model.get_layer("dropout").output
    after = keras.layers.UpSampling2D(2, interpolation="bilinear")(before)
    features = keras.ops.convert_to_numpy(keras.Model(model.input, after)(PICTURES))
    kernel, bias = (keras.ops.convert_to_numpy(w) for w in model.get_layer("logits").weights)
    late = features @ kernel[0, 0] + bias
    expected = keras.ops.convert_to_numpy(model(PICTURES))
    np.testing.assert_allclose(1 / (1 + np.exp(-late)), expected, atol=1e-5)


def test_weights_travel_with_their_config(tmp_path):
    config = UNetConfig(**SMALL, labels=("hair",))
    model = mobile_unet(config)
    path = models.save(model, config, tmp_path / "net.weights.h5")
    again = models.load(path)
    assert models.load_config(path) == config
    np.testing.assert_array_equal(model(PICTURES), again(PICTURES))


def test_what_a_config_cannot_be_is_said(tmp_path):
    for wrong, hint in (
        ({"size": 100}, "multiple of 32"),
        ({"encoder": "resnet"}, "mobilenet_v2"),
        ({"decoder": "nearest"}, "bilinear"),
        ({"width": 0}, "above 0"),
        ({"dropout": 1}, "below 1"),
        ({"labels": ()}, "at least one"),
        ({"decoder_channels": (8, 8)}, "four"),
    ):
        with pytest.raises(SeglibError, match=hint):
            UNetConfig(**wrong)


def test_broken_weight_files_are_named(tmp_path):
    config = UNetConfig(**SMALL)
    path = models.save(mobile_unet(config), config, tmp_path / "net.weights.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SeglibError, match="net.weights.h5"):
        models.load(path)
    path.write_bytes(whole)
    described = path.with_name("net.json")
    described.write_text(json.dumps({**json.loads(described.read_text()), "width": 0.5}))
    with pytest.raises(SeglibError, match="net.weights.h5 does not hold"):
        models.load(path)
    described.write_text("{")
    with pytest.raises(SeglibError, match="net.json is no network config"):
        models.load(path)
    described.unlink()
    with pytest.raises(SeglibError, match="net.json is missing"):
        models.load(path)
    with pytest.raises(SeglibError, match="weights.h5"):
        models.load(tmp_path / "net.keras")
