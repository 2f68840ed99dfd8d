"""The older networks: published numbers of weights, oddities and their mending."""

import functools
import json
import math

import keras
import numpy as np
import pytest

from seglib import SeglibError, export, models
from seglib.models.zoo import parts
from seglib.models.zoo.context import shuffle

# Small but allowed sides, for what needs a forward pass.
SMALL = {name: 32 for name in models.list()} | {"pyramid_pooling": 96}


@functools.cache
def small(name: str, **options) -> keras.Model:
    keras.utils.set_random_seed(1)
    return models.build(name, **({"size": SMALL[name]} | options))


def pictures(model: keras.Model, count: int = 1) -> np.ndarray:
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def run(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images, training=False))


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    # By name: a layer that moves in the graph also moves in the order of the weights.
    for layer in target.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


# Networks born in Keras are known by all their weights, those born in PyTorch by the trainable;
# pyramid_pooling is ours, pinned against slips.
@pytest.mark.parametrize(
    ("name", "options", "weights", "learned", "macs"),
    [
        ("add_unet", {}, 867_266, 856_066, 101_500_800),
        ("add_unet", {"size": 192}, 867_266, 856_066, 146_161_152),
        ("add_unet", {"late_head": False}, 867_266, 856_066, 100_272_000),
        ("transpose_unet", {}, 5_702_505, 5_676_281, 300_687_360),
        ("transpose_unet", {"size": 224}, 5_702_505, 5_676_281, 920_855_040),
        ("transpose_unet", {"up_width": 1.0}, 6_768_033, 6_740_321, 576_036_864),
        (
            *("transpose_unet", {"width": 0.75, "up_width": 0.75, "size": 192}),
            *(3_628_099, 3_607_687, 608_601_600),
        ),
        (
            *("transpose_unet", {"width": 0.5, "up_width": 0.5, "size": 224}),
            *(1_543_145, 1_529_785, 307_139_840),
        ),
        ("transpose_unet", {"width": 0.25, "size": 224}, 378_195, 371_639, 67_944_576),
        ("v2_unet", {}, 3_648_561, 3_630_593, 526_357_504),
        ("v2_unet", {"decoder": "bilinear"}, 3_648_561, 3_630_593, 2_019_791_872),
        ("dense_unet", {}, 6_314_945, 6_298_305, 5_121_414_144),
        ("dense_unet", {"activations": True}, 6_314_945, 6_298_305, 5_121_414_144),
        ("dilated_unet", {}, 2_410_569, 2_378_217, 3_699_605_504),
        ("dilated_unet", {"activations": True}, 2_410_569, 2_378_217, 3_699_605_504),
        ("shuffle_skipnet", {}, 943_170, 918_736, 718_229_504),
        ("shuffle_skipnet", {"separate_norms": True}, 943_202, 918_752, 718_229_504),
        ("shuffle_skipnet", {"stem_norm": True}, 943_266, 918_784, 718_229_504),
        ("esp_dense", {}, 243_071, 240_777, 755_027_968),
        ("esp_dense", {"inner_norms": False}, 241_991, 240_237, 755_027_968),
        ("residual_bisenet", {}, 145_017, 142_761, 224_278_784),
        ("residual_matting", {}, 833_129, 829_225, 218_661_888),
        ("residual_matting", {"feathering": False}, 832_078, 828_190, 152_601_600),
        ("pyramid_pooling", {}, 180_833, 171_889, 52_240_896),
    ],
)
def test_each_network_has_the_published_numbers(name, options, weights, learned, macs):
    model = models.build(name, **options)
    cost = models.cost(model)
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == learned
    assert cost.params == model.count_params() == weights
    assert cost.macs == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize("name", models.list())
def test_weights_travel_and_the_mask_is_a_probability_for_every_pixel(name, tmp_path):
    model = small(name)
    mask = run(model, pictures(model))
    side = SMALL[name] // (2 if name == "dense_unet" else 1)
    assert mask.shape == (1, side, side, 1) and mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    # Without training the features shrink from layer to layer, in a network without skips to less
    # than what the rounding of a number near 0.5 leaves: the reaction is read before the sigmoid.
    scores = keras.Model(model.input, model.get_layer("mask").input)
    assert np.ptp(run(scores, pictures(model))) > 0
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert model.output_names == ["mask"]
    config = models.configure(name, size=SMALL[name])
    path = models.save(model, config, tmp_path / "net.weights.h5")
    assert models.load_config(path) == config
    assert (config.size, config.labels) == (SMALL[name], ("mask",))
    np.testing.assert_array_equal(run(models.load(path), pictures(model)), mask)


@pytest.mark.parametrize("name", models.list())
def test_gradient_reaches_every_weight(name):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("gradients are read through TensorFlow here")
    # A network of its own, since training moves the statistics; a larger one, since BatchNorm
    # over one pixel cuts the gradient.
    model = models.build(name, size=max(64, SMALL[name]))
    images = pictures(model, 4)
    with tf.GradientTape() as tape:
        mask = model(images, training=True)
        target = tf.cast(tf.random.stateless_uniform(mask.shape, (1, 2)) > 0.5, tf.float32)
        loss = tf.reduce_mean(keras.losses.binary_crossentropy(target, mask))
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        assert gradient is not None, weight.path
        assert np.isfinite(gradient.numpy()).all(), weight.path
        # A bias before a BatchNorm is taken out again: nothing can reach it.
        assert weight.name == "bias" or np.abs(gradient.numpy()).max() > 0, weight.path


def test_a_config_keeps_the_defaults_of_its_day(tmp_path):
    config = models.configure("add_unet", size=32)
    path = models.save(small("add_unet"), config, tmp_path / "net.weights.h5")
    stored = json.loads((tmp_path / "net.json").read_text())
    assert (stored["network"], stored["options"]["width"]) == ("add_unet", 0.5)
    (tmp_path / "net.json").write_text(json.dumps({**stored, "network": "unet"}))
    with pytest.raises(SeglibError, match=r"net\.json describes no network.*'unet'.*add_unet"):
        models.load(path)


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("unet", {}, "mobile_unet, add_unet"),
        ("add_unet", {"alpha": 1}, "'alpha'; it has size, width"),
        ("mobile_unet", {"decoder_chanels": 1}, "do you mean decoder_channels"),
        ("mobile_unet", {"size": 100}, "multiple of 32"),
        ("add_unet", {"size": 100}, "multiple of 32"),
        ("pyramid_pooling", {"size": 128}, "multiple of 96"),
        ("add_unet", {"size": "160"}, "size is '160'; use a whole number"),
        ("add_unet", {"late_head": "no"}, "True or False"),
        ("v2_unet", {"decoder": "nearest"}, "transpose, bilinear"),
        ("v2_unet", {"dropout": 1}, "below 1"),
        ("transpose_unet", {"up_width": 0}, "above 0"),
        ("esp_dense", {"scaling": "imagenet"}, "unit, symmetric"),
        ("residual_matting", {"feathering": False, "seg_output": True}, "feathering=True"),
        ("esp_dense", {"encoder_weights": "imagenet"}, "no MobileNet encoder"),
    ],
)
def test_what_cannot_be_built_is_said(name, options, hint):
    with pytest.raises(SeglibError, match=hint):
        models.build(name, **options)


@pytest.mark.parametrize(
    ("name", "late"), [("add_unet", "late_head"), ("residual_bisenet", "late_projection")]
)
def test_a_linear_layer_may_run_before_the_enlargement(name, late):
    original, mended = small(name), small(name, **{late: False})
    copy_weights(original, mended)
    images = pictures(original)
    np.testing.assert_allclose(run(mended, images), run(original, images), atol=1e-5)
    assert models.cost(mended).macs < models.cost(original).macs


@pytest.mark.parametrize(("name", "more"), [("dense_unet", 4), ("dilated_unet", 5)])
def test_missing_activations_make_a_decoder_linear(name, more):
    original, mended = small(name), small(name, activations=True)
    copy_weights(original, mended)
    images = pictures(original)
    assert np.abs(run(mended, images) - run(original, images)).max() > 1e-4
    counts = [
        sum(isinstance(layer, keras.layers.ReLU) for layer in net.layers)
        for net in (original, mended)
    ]
    assert counts[1] - counts[0] == more


def test_networks_hand_out_more_on_request():
    assert small("dense_unet", full_size=True).output_shape == (None, 32, 32, 1)
    model = small("residual_matting", seg_output=True)
    found = model(pictures(model))
    assert set(found) == {"mask", "seg"}
    assert found["seg"].shape == found["mask"].shape == (1, 32, 32, 1)


def test_values_are_scaled_as_the_projects_did():
    grey = np.full((1, 32, 32, 3), 127.5, np.float32)
    expected = {
        "unit": [0.5] * 3,
        "symmetric": [0] * 3,
        "hair": [(127.5 - 29.244) / std for std in (69.883, 63.374, 61.386)],
        "portrait": [
            (127.5 - mean) / std / 255
            for mean, std in zip((0.507, 0.477, 0.446), (0.289, 0.278, 0.286), strict=True)
        ],
        "centred": [(127.5 - mean) / 255 for mean in (121, 112, 104)],
    }
    assert set(expected) == set(parts.SCALINGS)
    for scaling, values in expected.items():
        image, scaled = parts.scaled_input(32, 32, scaling, 0.9)
        found = run(keras.Model(image, scaled), grey)
        np.testing.assert_allclose(found[0, 0, 0], values, atol=1e-4)


def test_enlargement_conventions_on_four_pixels():
    row = np.array([0.0, 1, 2, 3], np.float32)
    for convention, expected in (
        ("corners", np.linspace(0, 3, 8)),
        ("tf1", np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 3])),
    ):
        x = keras.ops.convert_to_tensor(row[:, None] + 10 * row[None])[None, ..., None]
        found = keras.ops.convert_to_numpy(parts.Resize(2, convention)(x))[0, ..., 0]
        np.testing.assert_allclose(found, expected[:, None] + 10 * expected[None], atol=1e-5)


def test_pooling_counts_zeros_and_never_picks_them():
    below_zero = np.full((1, 4, 4, 1), -2.0, np.float32)
    x = keras.Input((4, 4, 1))
    largest = keras.layers.MaxPooling2D(3, 2)(parts.LowPadding2D()(x))
    mean = parts.average_pool(x, "mean")
    largest, mean = keras.Model(x, [largest, mean])(below_zero)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(largest), -2)
    # A corner sees four pixels and five zeros.
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mean)[0, 0, 0], -2 * 4 / 9, rtol=1e-6)


def test_shuffling_deals_the_groups_out_in_turn():
    x = keras.Input((1, 1, 6))
    found = run(keras.Model(x, shuffle(x, "deal")), np.arange(6.0).reshape(1, 1, 1, 6))
    np.testing.assert_array_equal(found.ravel(), [0, 2, 4, 1, 3, 5])


def test_symmetric_padding_looks_one_pixel_further_up_and_left():
    picture = np.arange(16.0, dtype=np.float32).reshape(1, 4, 4, 1)
    x = keras.Input((4, 4, 1))
    centre = np.zeros((3, 3, 1, 1), np.float32)
    centre[1, 1] = 1
    same = keras.layers.Conv2D(1, 3, 2, padding="same", use_bias=False)(x)
    for output, first in ((same, 1), (parts.conv(x, 1, "shift", 3, 2), 0)):
        model = keras.Model(x, output)
        model.set_weights([centre])
        np.testing.assert_array_equal(
            run(model, picture)[0, ..., 0], picture[0, first::2, first::2, 0]
        )


# One for grouped convolutions, shuffling and padding by a constant, one for gathered rows, one for
# slices, products and two inputs joined, one for the operations of MobileNet V3.
@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("shuffle_skipnet", {}, "TRANSPOSE_CONV"),
        ("residual_bisenet", {}, "GATHER"),
        ("residual_matting", {}, "STRIDED_SLICE"),
        ("add_unet", {}, "RESIZE_NEAREST_NEIGHBOR"),
        ("mobile_unet", {"encoder": "mobilenet_v3_small"}, "HARD_SWISH"),
    ],
)
def test_export_needs_no_operations_of_tensorflow(name, options, wanted, tmp_path):
    path = export.to_tflite(small(name, **options), tmp_path / "net.tflite")
    names = {op.name for op in export.ops(path)}
    assert wanted in names
    assert not [op for op in names if op.startswith(("Flex", "CUSTOM"))]
