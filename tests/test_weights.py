"""The weights that ship: complete, described, equal to their Keras twins, and good on photos."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weights import package_model, recipe, recipes
from weights.training_mix import (
    SOURCE_SIZE,
    TrainingMix,
    close_up,
    without_copies,
)

import seglib
from seglib import data, export, images, models, pretrained
from seglib.evaluation import evaluate
from seglib.files import sha256
from seglib.metadata import read_metadata

NAMES = ("hair", "hair_open", "portrait", "portrait_open", "portrait_video")
FIELDS = {
    "name", "task", "licence", "terms", "training_data", "network", "parameters", "recipe",
    "scores", "limits", "log", "tflite_sha256",
}  # fmt: skip


def test_five_models_ship():
    assert pretrained.list_models() == list(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_everything_and_fits_its_file(name):
    card, path = pretrained.card(name), pretrained.path(name)
    assert set(card) >= FIELDS
    assert card["tflite_sha256"] == sha256(path)
    assert path.stat().st_size < 2 * 1024 * 1024
    inside = read_metadata(path)
    assert (inside["name"], inside["terms"]) == (name, card["terms"])
    assert all(
        rows and {"epoch", "loss", "val_iou"} <= set(rows[0]) for rows in card["log"].values()
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_open")])
def test_open_weights_name_open_data_only(name):
    card = pretrained.card(name)
    assert card["licence"] == "Apache-2.0"
    assert set(card["recipe"]["sets"]) == {"ccp_upper", "ccp_full"}
    assert all("Apache-2.0" in source for source in card["training_data"])


@pytest.mark.parametrize("name", NAMES)
def test_the_file_gives_the_masks_of_its_keras_weights(name):
    model = models.load(pretrained.path(name, ".weights.h5"))
    size = model.inputs[0].shape[1]
    photo = seglib.sample_photo()
    views = np.stack([images.resize(v, (size, size)) for v in (photo, photo[:256], photo[:, ::-1])])
    report = export.parity(model, [pretrained.path(name)], views)
    assert report.ok, report.table()


def test_the_astronaut_is_found():
    photo = seglib.sample_photo()
    person, hair = seglib.load("portrait")(photo), seglib.load("hair")(photo)
    # Hair, face and suit; the flag and the shuttle on either side.
    assert person[60, 220] > 0.8 and person[140, 220] > 0.8 and person[420, 220] > 0.8
    assert person[20, 20] < 0.3
    assert hair[60, 230] > 0.6
    assert hair[140, 220] < 0.4 and hair[400, 200] < 0.4
    assert hair[person < 0.3].mean() < 0.1


# The bars that were set before training; a card that claims more must also be right.
@pytest.mark.parametrize(
    ("name", "dataset"),
    [(name, dataset) for name in NAMES for dataset in package_model.VAL_SETS[
        "person" if name.startswith("portrait") else "hair"]],
)  # fmt: skip
def test_a_card_claims_what_its_file_scores(name, dataset, real_data, monkeypatch):
    monkeypatch.setenv("SEGLIB_DATA", str(real_data))
    card = pretrained.card(name)
    # What the cards call val is the test part since sets have three.
    photos = data.load(dataset, "test", card["task"])
    found = evaluate(seglib.load(name), photos, progress=False)
    claimed = card["scores"][f"{dataset} val"]
    assert claimed["photos"] == len(photos)
    # In a card, a photo that shows nothing counts as 1 where its mask is empty, else as 0.
    right = sum(not row["marked"] for row in found.empty_rows)
    mean = (found.means["iou"] * len(found.rows) + right) / len(photos)
    assert mean == pytest.approx(claimed["iou"], abs=0.003)


def test_a_cut_network_is_one_channel_of_the_joint_one():
    config = models.UNetConfig(
        size=32, encoder="mobilenet_v1", width=0.1, decoder_channels=(8, 8, 8, 8),
        labels=recipe.TASKS,
    )  # fmt: skip
    joint = models.mobile_unet(config)
    photo = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    for channel, task in enumerate(recipe.TASKS):
        single, single_config = recipe.cut(joint, config, task)
        assert single_config.labels == (task,)
        np.testing.assert_allclose(
            np.asarray(single(photo))[..., 0], np.asarray(joint(photo))[..., channel], atol=1e-6
        )


def test_calibration_makes_one_half_the_best_cut():
    config = models.UNetConfig(
        size=32, encoder="mobilenet_v1", width=0.1, decoder_channels=(8, 8, 8, 8), labels=("hair",)
    )
    keras.utils.set_random_seed(3)
    model = models.mobile_unet(config)
    images_ = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    before = np.asarray(model(images_.astype(np.float32)))
    # The truth is what the network says above 0.65, so that cut is perfect and 0.5 is not.
    logits = model.get_layer("logits")
    kernel, bias = logits.get_weights()
    middle = np.median(np.log(before / (1 - before)))
    logits.set_weights([50 * kernel, 50 * (bias - middle)])
    masks = np.uint8(255) * (np.asarray(model(images_.astype(np.float32))) >= 0.65)
    pool = TrainingMix(images_, masks, np.ones((6, 1), bool), np.ones((6, 1), int))
    wrong = ((np.asarray(model(images_.astype(np.float32))) >= 0.5) != (masks > 0)).mean()
    cut = recipe.calibrate(model, pool, recipes.RECIPES["open"])
    assert cut == pytest.approx(0.65, abs=0.06)
    after = ((np.asarray(model(images_.astype(np.float32))) >= 0.5) != (masks > 0)).mean()
    assert after < 0.5 * wrong


def test_training_leaves_out_what_scores_are_measured_on():
    size = SOURCE_SIZE
    drawn = data.synthetic.portraits(6, size=size, seed=11).images
    number = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    pool = TrainingMix(
        images=drawn[:5],
        masks=np.broadcast_to(number, (5, size, size, 2)),
        known=np.ones((5, 2), bool),
        repeat=np.arange(10).reshape(5, 2),
    )
    again = images.resize(images.resize(drawn[3], (90, 90)), (size, size))
    shown = np.stack([drawn[5], drawn[1][:, ::-1], again])
    left = without_copies(pool, shown)
    assert left.masks[:, 0, 0, 0].tolist() == [0, 2, 4]
    assert left.repeat.tolist() == [[0, 1], [4, 5], [8, 9]]
    np.testing.assert_array_equal(left.images, drawn[[0, 2, 4]])


@given(
    st.tuples(st.integers(1, 120), st.integers(1, 120)),
    st.tuples(st.integers(0, 200), st.integers(0, 100)),
    st.integers(0, 9),
)
def test_a_close_up_is_a_square_that_shows_the_hair(extent, corner, seed):
    hair = np.zeros((320, 220), np.float32)
    top, left = corner
    hair[top : top + extent[0], left : left + extent[1]] = 1
    rows, columns = close_up(hair, np.random.default_rng(seed))
    side = rows.stop - rows.start
    assert side == columns.stop - columns.start
    assert min(1.4 * max(extent), 220) - 1 <= side <= max(3 * max(extent), 56)
    assert rows.start >= 0 and rows.stop <= 320 and columns.start >= 0 and columns.stop <= 220
    # The window may lie a quarter of its side off the middle, so some hair can be cut off.
    assert hair[rows, columns].sum() >= 0.4 * hair.sum()
