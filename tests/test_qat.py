"""BatchNorm folding and quantisation-aware training: the same masks, with fewer operations."""

import keras
import numpy as np
import pytest

from export_net import SIZE, other_net
from export_net import net as trained
from export_net import pictures as small_pictures
from seglib import SeglibError, Segmenter
from seglib.export import ops, qat, to_tflite
from seglib.export.qat import fold_batchnorm
from seglib.runtime import run_images


@pytest.fixture(scope="module")
def net() -> keras.Model:
    return trained()


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return small_pictures()[0][:8]


@pytest.fixture(scope="module")
def aware(net, pictures) -> keras.Model:
    return qat.quantisation_aware(net, pictures)


def norms(model: keras.Model) -> int:
    return sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


@pytest.mark.parametrize("make", [trained, other_net])
def test_folding_takes_every_batchnorm_and_keeps_the_masks(make, pictures):
    model = make()
    folded = fold_batchnorm(model)
    assert norms(model) > 10 and norms(folded) == 0
    images = pictures.astype(np.float32)
    np.testing.assert_allclose(
        folded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-4
    )


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
    images = draw.normal(size=(2, 6, 6, 3)).astype(np.float32)
    folded = fold_batchnorm(model)
    assert norms(folded) == 0
    np.testing.assert_allclose(
        folded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5
    )


def test_a_batchnorm_is_kept_where_others_read_the_convolution():
    layers = keras.layers
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(3, 1)(inputs)
    model = keras.Model(inputs, layers.Add()([x, layers.BatchNormalization()(x)]))
    folded = fold_batchnorm(model)
    assert norms(folded) == 1
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(
        folded.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5
    )


def test_what_cannot_be_folded_is_refused(net):
    with pytest.raises(SeglibError, match="only a functional Keras model"):
        fold_batchnorm("portrait.tflite")
    inputs = keras.Input((SIZE, SIZE, 3))
    with pytest.raises(SeglibError, match="holds the models"):
        fold_batchnorm(keras.Model(inputs, net(inputs)))


def test_the_file_is_int8_throughout_without_representative_images(aware, pictures, tmp_path):
    path = to_tflite(aware, tmp_path / "aware.tflite", "int8")
    kinds = {op.dtype for op in ops(path) if op.name not in ("DEQUANTIZE", "QUANTIZE")}
    assert kinds == {"int8"}
    expected = aware.predict(pictures.astype(np.float32), verbose=0)
    gaps = np.abs(run_images(path, pictures).reshape(expected.shape) - expected)
    # A step of the mask is 1/256; an integer kernel may round the other way now and then.
    assert gaps.mean() < 0.5 / 256 and gaps.max() < 16 / 256


def test_a_model_without_rescaling_is_int8_from_its_first_layer(tmp_path):
    inputs = keras.Input((SIZE, SIZE, 3))
    reading = {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.3)}
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, keras.layers.Activation("sigmoid")(keras.layers.Conv2D(1, 1)(x)))
    images = small_pictures()[0][:8]
    path = to_tflite(
        qat.quantisation_aware(model, images, **reading), tmp_path / "x.tflite", "int8", **reading
    )
    assert {op.dtype for op in ops(path)[1:-1]} == {"int8"}
    fed = (images[0] / 255 - reading["mean"]) / reading["std"]
    expected = np.asarray(model(fed[None].astype(np.float32)))[0, ..., 0]
    assert np.abs(Segmenter(path).raw(images[0]) - expected).max() < 0.02 < np.ptp(expected)


def test_it_learns_and_reloads(net, aware, pictures, tmp_path):
    images, target = pictures.astype(np.float32), 1 - small_pictures()[1][:8]
    model = qat.quantisation_aware(net, pictures)
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    history = model.fit(images, target, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save_weights(tmp_path / "aware.weights.h5")
    again = qat.quantisation_aware(net)
    again.load_weights(tmp_path / "aware.weights.h5")
    np.testing.assert_array_equal(
        again.predict(images, verbose=0), model.predict(images, verbose=0)
    )


def test_sensitivity_ranks_every_part_and_leaves_the_model_as_it_was(aware, pictures):
    before = aware.predict(pictures.astype(np.float32), verbose=0)
    costs = qat.sensitivity(aware, pictures[:1])
    names = [name for name, _ in costs]
    assert "logits" in names and "mask_quant" in names and len(set(names)) == len(names)
    assert [cost for _, cost in costs] == sorted((cost for _, cost in costs), reverse=True)
    np.testing.assert_array_equal(aware.predict(pictures.astype(np.float32), verbose=0), before)


def test_models_that_int8_cannot_follow_are_refused(net, pictures):
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.PReLU(name="odd")(x)
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(x))
    with pytest.raises(SeglibError, match=r"odd \(PReLU\) has no int8 form"):
        qat.quantisation_aware(model)
    with pytest.raises(SeglibError, match="rounds nothing"):
        qat.sensitivity(net, pictures)
