"""The study of int8: its copy with unequal channels has to give the same masks."""

from pathlib import Path

import keras
import numpy as np
import pytest

from seglib import models


@pytest.fixture
def unequal(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "benchmarks"))
    import quantisation

    return quantisation.unequal


@pytest.mark.parametrize(
    "encoder", ["mobilenet_v2", "efficientnet_lite0", "efficientnet_lite0_short"]
)
def test_a_copy_with_unequal_channels_computes_the_same(encoder, unequal):
    keras.utils.set_random_seed(3)
    model = models.build("mobile_unet", size=64, encoder=encoder, width=0.35)
    copy = unequal(model, seed=1)
    changed = [
        not np.array_equal(old, new)
        for old, new in zip(model.get_weights(), copy.get_weights(), strict=True)
    ]
    assert sum(changed) > 10
    photos = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    for old, new in zip(*(behind_it(one, photos) for one in (model, copy)), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-4 * np.abs(old).max())


def behind_it(model, photos):
    """Maps that must not change: what activations and doublings give, and the masks."""
    kinds = (keras.layers.ReLU, keras.layers.UpSampling2D)
    outputs = [layer.output for layer in model.layers if isinstance(layer, kinds)]
    return [np.array(one) for one in keras.Model(model.input, [*outputs, model.output])(photos)]
