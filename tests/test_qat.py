"""BatchNorm folding and quantisation-aware training: the same masks, with fewer operations."""

import keras
import numpy as np
import pytest

from export_net import SIZE, masks_of, net, other_net, pictures
from seglib import SeglibError, Segmenter
from seglib.export import ops, qat, to_tflite
from seglib.export.qat import fold_batchnorm
from seglib.runtime import run_images

PICTURES = pictures()[0][:8]


@pytest.fixture(scope="module")
def aware() -> keras.Model:
    return qat.quantisation_aware(net(), PICTURES)


def norms(model: keras.Model) -> int:
    return sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def assert_folds(model: keras.Model, images: np.ndarray, left: int = 0, atol: float = 1e-5) -> None:
    folded = fold_batchnorm(model)
    assert norms(folded) == left
    np.testing.assert_allclose(masks_of(folded, images), masks_of(model, images), atol=atol)


@pytest.mark.parametrize("make", [net, other_net])
def test_folding_takes_every_batchnorm_and_keeps_the_masks(make):
    assert norms(make()) > 10
    assert_folds(make(), PICTURES, atol=1e-4)


@pytest.mark.parametrize("name", ["Conv2D", "DepthwiseConv2D", "Conv2DTranspose"])
@pytest.mark.parametrize("plain", [True, False])
def test_each_kind_of_convolution_folds(name, plain):
    layers = keras.layers
    kind = getattr(layers, name)
    options = {"depth_multiplier": 2} if name == "DepthwiseConv2D" else {"filters": 5}
    inputs = keras.Input((6, 6, 3))
    x = kind(kernel_size=3, use_bias=not plain, bias_initializer="ones", **options)(inputs)
    x = layers.BatchNormalization(center=plain, scale=not plain)(x)
    model = keras.Model(inputs, x)
    draw = np.random.default_rng(1)
    norm = model.layers[-1]
    norm.set_weights([draw.uniform(0.3, 2, weight.shape) for weight in norm.get_weights()])
    assert_folds(model, draw.normal(size=(2, 6, 6, 3)))


def test_a_batchnorm_is_kept_where_others_read_the_convolution():
    layers = keras.layers
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(3, 1)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))
    assert_folds(model, np.random.default_rng(0).normal(size=(2, 6, 6, 3)), left=1)


def test_what_cannot_be_folded_is_refused():
    with pytest.raises(SeglibError, match="only a functional Keras model"):
        fold_batchnorm("portrait.tflite")
    inputs = keras.Input((SIZE, SIZE, 3))
    with pytest.raises(SeglibError, match="holds the models"):
        fold_batchnorm(keras.Model(inputs, net()(inputs)))


def test_the_file_is_int8_throughout_without_representative_images(aware, tmp_path):
    path = to_tflite(aware, tmp_path / "aware.tflite", "int8")
    kinds = {op.dtype for op in ops(path) if op.name not in ("DEQUANTIZE", "QUANTIZE")}
    assert kinds == {"int8"}
    expected = masks_of(aware, PICTURES)
    gaps = np.abs(run_images(path, PICTURES).reshape(expected.shape) - expected)
    # A step of the mask is 1/256; an integer kernel may round the other way now and then.
    assert gaps.mean() < 0.5 / 256 and gaps.max() < 16 / 256


def test_a_model_without_rescaling_is_int8_from_its_first_layer(tmp_path):
    inputs = keras.Input((SIZE, SIZE, 3))
    reading = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.3)}
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(keras.layers.Conv2D(1, 1)(x)))
    aware = qat.quantisation_aware(model, PICTURES, **reading)
    path = to_tflite(aware, tmp_path / "x.tflite", "int8", **reading)
    assert {op.dtype for op in ops(path)[1:-1]} == {"int8"}
    fed = (PICTURES[0] / 255 - reading["mean"]) / reading["std"]
    expected = np.asarray(model(fed[None].astype(np.float32)))[0, ..., 0]
    assert np.abs(Segmenter(path).raw(PICTURES[0]) - expected).max() < 0.02 < np.ptp(expected)


def test_it_learns_and_reloads(tmp_path):
    model = qat.quantisation_aware(net(), PICTURES)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    history = model.fit(PICTURES, 1 - pictures()[1][:8], epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save_weights(tmp_path / "aware.weights.h5")
    again = qat.quantisation_aware(net())
    again.load_weights(tmp_path / "aware.weights.h5")
    np.testing.assert_array_equal(masks_of(again, PICTURES), masks_of(model, PICTURES))


def test_sensitivity_ranks_every_part_and_leaves_the_model_as_it_was(aware):
    before = masks_of(aware, PICTURES)
    costs = qat.sensitivity(aware, PICTURES[:1])
    names = [name for name, _ in costs]
    assert "logits" in names and "mask_quant" in names and len(set(names)) == len(names)
    assert [cost for _, cost in costs] == sorted((cost for _, cost in costs), reverse=True)
    np.testing.assert_array_equal(masks_of(aware, PICTURES), before)


def test_models_that_int8_cannot_follow_are_refused():
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.PReLU(name="odd")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    with pytest.raises(SeglibError, match=r"odd \(PReLU\) has no int8 form"):
        qat.quantisation_aware(model)
    with pytest.raises(SeglibError, match="rounds nothing"):
        qat.sensitivity(net(), PICTURES)
