"""The book's network and what every network shares: shapes, costs, configs, weights on disk."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from house import copy_core
from seglib import SeglibError, models
from seglib.models import UNetConfig, mobile_unet
from seglib.models.encoders import ENCODERS

layers = keras.layers
SMALL = {"size": 64, "width": 0.25, "decoder_channels": (16, 16, 8, 8)}
PICTURES = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)


def by_hand() -> keras.Model:
    """The network of the defaults in plain Keras, as a reader builds it."""

    def conv_bn(x, layer, act=True):
        x = layers.BatchNormalization()(layer(x))
        return layers.ReLU(6)(x) if act else x

    def inverted_residual(x, channels, stride=1, expand=6):
        y = wide = x
        if expand > 1:
            y = wide = conv_bn(x, layers.Conv2D(expand * x.shape[-1], 1, use_bias=False))
        y = conv_bn(y, layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False))
        y = conv_bn(y, layers.Conv2D(channels, 1, use_bias=False), act=False)
        if stride == 1 and x.shape[-1] == channels:
            y = layers.Add()([x, y])
        return y, wide

    image = keras.Input((128, 128, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x, skips = conv_bn(x, layers.Conv2D(16, 3, 2, padding="same", use_bias=False)), []
    stages = [(8, 1, 1, 1), (16, 6, 2, 2), (16, 6, 3, 2), (32, 6, 4, 2)]
    for channels, expand, repeats, stride in [
        *stages,
        (48, 6, 3, 1),
        (80, 6, 3, 2),
        (160, 6, 1, 1),
    ]:
        for i in range(repeats):
            x, wide = inverted_residual(x, channels, stride if i == 0 else 1, expand)
            if i == 0 and stride == 2:
                skips.append(wide)
    for skip, channels in zip(reversed(skips), (96, 64, 32, 24), strict=True):
        x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        skip = conv_bn(skip, layers.Conv2D(channels // 2, 1, use_bias=False), act=False)
        x = layers.Concatenate()([x, skip])
        x = conv_bn(x, layers.DepthwiseConv2D(3, padding="same", use_bias=False))
        x = conv_bn(x, layers.Conv2D(channels, 1, use_bias=False))
    x = layers.Conv2D(1, 1)(layers.Dropout(0.1)(x))
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return keras.Model(image, layers.Activation("sigmoid")(x))


def test_the_network_built_by_hand_is_the_librarys():
    ours, theirs = mobile_unet(), by_hand()
    for model in (ours, theirs):
        cost = models.cost(model)
        assert (cost.params, model.count_params()) == (554_389, 554_389)
        assert cost.macs == 46_819_328
    kept = [w.shape for layer in theirs.layers for w in layer.get_weights()]
    assert sorted(kept) == sorted(w.shape for layer in ours.layers for w in layer.get_weights())


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


def test_macs_of_a_network_counted_by_hand():
    x = keras.Input((8, 8, 3))
    y = layers.Conv2D(4, 3, 2, padding="same")(x)  # 4*4 places, 9*3 inputs, 4 outputs
    y = layers.DepthwiseConv2D(3, padding="same")(y)  # 4*4 places, 9 inputs, 4 channels
    y = layers.Conv2DTranspose(2, 2, 2)(y)  # 4*4*4 inputs, 4 cells, 2 outputs
    inner = keras.Model(x, y)
    total = models.cost(inner)
    assert total.macs == 16 * 27 * 4 + 16 * 9 * 4 + 64 * 4 * 2
    assert total.params == (27 * 4 + 4) + (9 * 4 + 4) + (4 * 2 * 4 + 2)
    assert total.bytes == 4 * (8 * 8 * 3 + 2 * 4 * 4 * 4 + 8 * 8 * 2)
    # A model inside a model, as people put a ready encoder into theirs.
    z = keras.Input((8, 8, 3))
    outer = models.cost(keras.Model(z, layers.Conv2D(1, 1, use_bias=False)(inner(z))))
    assert (outer.macs, outer.params) == (total.macs + 64 * 2, total.params + 2)
    assert outer.layers[1].name == f"{inner.name}/{inner.layers[1].name}"
    twice = models.cost(keras.Model(z, layers.Add()([inner(z), inner(z + 1)])))
    assert (twice.macs, twice.params) == (2 * total.macs, total.params)


def test_cost_of_layers_that_are_shared_grouped_dilated_or_separable():
    x = keras.Input((8, 8, 6))
    y = layers.Conv2D(9, 3, padding="same", groups=3, dilation_rate=2, use_bias=False)(x)
    y = layers.SeparableConv2D(5, 3, padding="same", use_bias=False)(y)
    shared = layers.Conv2D(5, 1, use_bias=False, name="shared")
    cost = models.cost(keras.Model(x, shared(shared(y))))
    assert cost.macs == 64 * (9 * 9 * 2 + (9 * 9 + 9 * 5) + 2 * 25)
    assert cost.params == 9 * 9 * 2 + (9 * 9 + 9 * 5) + 25
    assert [layer.name for layer in cost.layers][-2:] == ["shared", "shared/2"]


def test_cost_of_a_part_of_a_network_counts_that_part():
    model = mobile_unet(UNetConfig(**SMALL))
    part = keras.Model(model.input, model.get_layer("block3_expand_relu").output)
    model(PICTURES)
    assert 0 < models.cost(part).macs < models.cost(model).macs
    assert models.cost(part).params == part.count_params()
    with pytest.raises(SeglibError, match="fixed size"):
        models.cost(keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(1, 1)]))


def test_normalisation_is_inside():
    model = mobile_unet(UNetConfig(**SMALL))
    grey = model.get_layer("rescale")(np.array([0.0, 127.5, 255.0], np.float32))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(grey), [-1, 0, 1], atol=1e-6)


def test_last_convolution_before_the_last_upsampling_gives_the_same_mask():
    model = mobile_unet(UNetConfig(**SMALL))
    before = model.get_layer("dropout").output
    after = layers.UpSampling2D(2, interpolation="bilinear")(before)
    features = keras.ops.convert_to_numpy(keras.Model(model.input, after)(PICTURES))
    kernel, bias = (keras.ops.convert_to_numpy(w) for w in model.get_layer("logits").weights)
    late = features @ kernel[0, 0] + bias
    expected = keras.ops.convert_to_numpy(model(PICTURES))
    np.testing.assert_allclose(1 / (1 + np.exp(-late)), expected, atol=1e-5)


def test_weights_travel_with_their_config(tmp_path):
    config = UNetConfig(**SMALL, labels=["Größe"])
    model = mobile_unet(config)
    path = models.save(model, config, tmp_path / "net.weights.h5")
    described = tmp_path / "net.json"
    # As an editor on Windows leaves it.
    content = json.dumps(json.loads(described.read_text("utf-8")), ensure_ascii=False)
    described.write_text(content, "utf-8-sig")
    assert models.load_config(path) == config
    expected = keras.ops.convert_to_numpy(model(PICTURES))
    np.testing.assert_array_equal(expected, models.load(path)(PICTURES))
    # A whole file is one that Keras itself wrote.
    for name in ("whole.keras", "whole.h5"):
        model.save(tmp_path / name)
        np.testing.assert_array_equal(expected, models.load(tmp_path / name)(PICTURES))


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"size": 100}, "multiple of 32"),
        ({"size": "128"}, "'128'; use a whole number, such as 128"),
        ({"size": 128.0}, "a whole number"),
        ({"encoder": "resnet"}, "mobilenet_v2"),
        ({"decoder": "nearest"}, "bilinear"),
        ({"width": 0}, "above 0"),
        ({"width": float("nan")}, "a number, such as 0.5"),
        ({"dropout": 1}, "below 1"),
        ({"previous": 1}, "True or False"),
        ({"labels": ()}, "at least one"),
        ({"labels": (1,)}, "text"),
        ({"decoder_channels": (8, 8)}, "four"),
        ({"decoder_channels": 8}, "values, such as"),
    ],
)
def test_what_a_config_cannot_be_is_said(wrong, hint):
    with pytest.raises(SeglibError, match=hint):
        UNetConfig(**wrong)


def test_configs_take_what_is_plain():
    plain = UNetConfig(size=64, width=1.0, labels=("person",))
    assert UNetConfig(size=np.int64(64), width=1, labels="person") == plain
    assert type(UNetConfig(size=np.int64(64)).size) is int


def test_broken_weight_files_are_named(tmp_path):
    config = UNetConfig(**SMALL)
    path = models.save(mobile_unet(config), config, tmp_path / "net.weights.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SeglibError, match="net.weights.h5"):
        models.load(path)
    path.write_bytes(whole)
    described = path.with_name("net.json")
    content = json.loads(described.read_text("utf-8"))
    for change, message in (
        (json.dumps({**content, "width": 0.5}), "net.weights.h5 does not hold"),
        (json.dumps({**content, "widht": 0.5}), "describes no network.*do you mean width"),
        ("{", "net.json describes no network"),
        ("[1]", "net.json describes no network"),
        ('{"network": "add_unet", "options": [1]}', "net.json describes no network"),
        (None, "net.json is missing"),
    ):
        described.unlink() if change is None else described.write_text(change, "utf-8")
        with pytest.raises(SeglibError, match=message):
            models.load(path)
    for name, message in (("net.h5", "does not hold a whole network"), ("net.txt", "weights.h5")):
        (tmp_path / name).write_bytes(whole)
        with pytest.raises(SeglibError, match=message):
            models.load(tmp_path / name)


def test_networks_are_known_by_name_and_the_core_does_without_the_others(tmp_path):
    assert models.list()[:2] == ("mobile_unet", "add_unet") and len(models.list()) == 11
    assert models.build("add_unet", size=32).name == "add_unet"
    copy_core(tmp_path)
    script = (
        "from seglib import SeglibError, models\n"
        "assert models.list() == ('mobile_unet',) and models.build('mobile_unet', size=32)\n"
        "for name, start in (('add_unet', None), ('mobile_unet', 'imagenet')):\n"
        "    try:\n"
        "        models.build(name, encoder_weights=start)\n"
        "    except SeglibError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert "no network 'add_unet'" in done.stdout and "is missing" in done.stdout, done.stderr
