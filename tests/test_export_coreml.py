"""Each Core ML package, read back from disk and executed here, gives the Keras model's masks."""

import keras
import numpy as np
import pytest

from export_net import coreml, masks_of, net, other_net, pictures
from seglib.errors import SeglibError
from seglib.export import Program, run_coreml, to_coreml


@pytest.mark.parametrize(
    ("precision", "largest", "mean"), [("float32", 1e-4, 1e-6), ("float16", 0.05, 2e-3)]
)
def test_masks_are_those_of_keras(precision, largest, mean):
    images = pictures()[0][40:44]
    program = Program(coreml(precision))
    gaps = np.abs(program.masks(images) - masks_of(net(), images))
    assert program.precision == precision
    assert gaps.max() < largest
    assert gaps.mean() < mean


def test_the_other_encoder_and_decoder(tmp_path):
    images = pictures()[0][:2]
    path = to_coreml(other_net(), tmp_path / "other.mlpackage", "float32")
    np.testing.assert_allclose(
        Program(path).masks(images), masks_of(other_net(), images), atol=1e-4
    )


def test_less_usual_layers_keep_their_geometry(tmp_path):
    layers = keras.layers
    x = inputs = keras.Input((17, 22, 3))
    x = layers.Conv2D(6, 5, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(4, 3, dilation_rate=2)(x)
    x = layers.ZeroPadding2D(((1, 3), (2, 0)))(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = layers.Conv2DTranspose(4, 4, strides=2)(x)
    x = layers.Conv2DTranspose(4, 2, strides=3, padding="same")(x)
    x = layers.Resizing(30, 41)(x)
    model = keras.Model(inputs, layers.Softmax()(layers.Conv2D(3, 1)(x)))
    images = np.random.default_rng(0).integers(0, 256, (2, 17, 22, 3), np.uint8)
    path = to_coreml(model, tmp_path / "odd.mlpackage", "float32")
    expected = masks_of(model, images)
    assert np.ptp(expected) > 0.2
    np.testing.assert_allclose(Program(path).masks(images), expected, atol=1e-4)


def test_the_package_takes_a_picture_and_names_its_parts():
    import coremltools as ct

    spec = ct.models.MLModel(str(coreml("float16")), skip_model_load=True).get_spec()
    (picture,) = spec.description.input
    (mask,) = spec.description.output
    assert (picture.name, mask.name) == ("image", "mask")
    kind = picture.type.imageType
    assert (kind.width, kind.height) == (64, 64)
    assert kind.colorSpace == kind.ColorSpace.Value("RGB")
    assert list(mask.type.multiArrayType.shape) == [1, 64, 64, 1]
    kept = spec.description.metadata
    assert kept.author == "the authors"
    assert kept.license == "Apache-2.0"
    assert kept.shortDescription == "small net"


def test_metadata_is_kept():
    metadata = Program(coreml("float16")).metadata
    assert metadata["size"] == 64
    assert metadata["value_range"] == [0, 255]
    assert metadata["precision"] == "float16"
    assert len(metadata["weights_sha256"]) == 64


def test_one_image_gives_named_outputs():
    result = run_coreml(coreml("float32"), pictures()[0][0])
    assert list(result) == ["mask"]
    assert result["mask"].shape == (1, 64, 64, 1)
    assert result["mask"].dtype == np.float32


class Poisoned(keras.layers.Layer):
    """Gives NaN where a picture is not black."""

    def call(self, x):
        return keras.ops.sqrt(-x)


def test_a_failed_export_leaves_the_earlier_package(tmp_path):
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("earlier")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1)(Poisoned()(inputs)))
    with pytest.raises(SeglibError, match=r"NaN.*net\.mlpackage was not written"):
        to_coreml(model, path)
    assert (path / "Manifest.json").read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_package_replaces_an_earlier_one(tmp_path):
    path = tmp_path / "net.mlpackage"
    path.mkdir()
    (path / "Manifest.json").write_text("earlier")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid")(inputs))
    to_coreml(model, path)
    assert run_coreml(path, np.zeros((8, 8, 3), np.uint8))["mask"].shape == (1, 8, 8, 1)
    assert list(tmp_path.iterdir()) == [path]


def test_unknown_operations_are_named(tmp_path):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.AveragePooling2D(2)(inputs)
    with pytest.raises(SeglibError, match="'avg_pool'"):
        to_coreml(keras.Model(inputs, outputs), tmp_path / "net.mlpackage")
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(SeglibError, match=r"net\.mlmodel.*\.mlpackage"):
        to_coreml(net(), tmp_path / "net.mlmodel")
    with pytest.raises(SeglibError, match=r"'int8'.*float32, float16"):
        to_coreml(net(), tmp_path / "net.mlpackage", "int8")
    photos = tmp_path / "photos.mlpackage"
    photos.mkdir()
    with pytest.raises(SeglibError, match="no Core ML package"):
        to_coreml(net(), photos)
    with pytest.raises(SeglibError, match=r"absent\.mlpackage"):
        Program(tmp_path / "absent.mlpackage")
    (photos / "Manifest.json").write_text("{}")
    with pytest.raises(SeglibError, match=r"photos\.mlpackage cannot be read"):
        Program(photos)
    with pytest.raises(SeglibError, match=r"uint8 picture of shape \(64, 64, 3\)"):
        run_coreml(coreml("float32"), np.zeros((64, 64, 3), np.float32))
