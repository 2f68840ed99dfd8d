"""Losses and metrics: order, gradients, empty masks, unknown pixels, agreement with each other."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from keras import ops

from seglib import SeglibError, losses, metrics

SHAPE = (2, 12, 10, 1)
MASKS = hnp.arrays(bool, (9, 11))


def truth() -> np.ndarray:
    """Two pictures: a block off the middle, and a smaller one."""
    masks = np.zeros(SHAPE, np.float32)
    masks[0, 2:8, 1:6] = 1
    masks[1, 5:8, 4:9] = 1
    return masks


def value(loss, y_true, y_pred, **options) -> float:
    return float(loss(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **options))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_better_masks_have_lower_loss(name):
    target = truth()
    answers = [target, 0.8 * target + 0.1, np.full(SHAPE, 0.5, np.float32), 1 - target]
    values = [value(losses.get(name), target, answer.astype(np.float32)) for answer in answers]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0, abs=1e-5)
    assert len(set(np.round(values, 4))) == 4


@pytest.mark.parametrize("name", losses.LOSSES)
def test_an_empty_mask_answered_by_nothing_costs_nothing(name):
    empty = np.zeros(SHAPE, np.float32)
    assert value(losses.get(name), empty, empty) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_unknown_pixels_change_neither_loss_nor_gradient(name):
    target = truth()
    target[1] = -1
    target[0, :, 7:] = -1
    answer = np.random.default_rng(0).uniform(0.05, 0.95, SHAPE).astype(np.float32)
    other = answer.copy()
    other[1] = 0.5
    other[0, :, 7:] = 0.1
    loss = losses.get(name)
    assert value(loss, target, answer) == pytest.approx(value(loss, target, other), rel=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="differentiates by TensorFlow")
@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_gradient_points_from_answer_to_truth(name):
    import tensorflow as tf

    target, answer = truth(), tf.Variable(np.full(SHAPE, 0.5, np.float32))
    with tf.GradientTape() as tape:
        loss = losses.get(name)(ops.convert_to_tensor(target), answer)
    gradient = tape.gradient(loss, answer).numpy()
    assert (gradient[target == 1] < 0).all()
    assert (gradient[target == 0] > 0).all()


def test_dice_per_image_lets_a_small_thing_count_as_much_as_a_large_one():
    target = np.zeros((2, 20, 20, 1), np.float32)
    target[0, :, :, :] = 1
    target[1, :2, :2] = 1
    missed = target.copy()
    missed[1] = 0
    pooled = value(losses.dice_loss, target, missed, per_image=False)
    single = value(losses.dice_loss, target, missed, per_image=True)
    assert pooled < 0.02
    assert single == pytest.approx(0.5 * (1 - 1 / 5), rel=1e-4)


def test_dice_loss_is_one_minus_dice_of_sharp_masks():
    rng = np.random.default_rng(3)
    target, answer = (rng.integers(0, 2, (1, 30, 30, 1)).astype(np.float32) for _ in range(2))
    score = metrics.dice(answer[0, ..., 0], target[0, ..., 0])
    assert value(losses.dice_loss, target, answer, smooth=0.0) == pytest.approx(1 - score, rel=1e-5)


def test_an_unknown_loss_lists_those_there_are():
    with pytest.raises(SeglibError, match="dice_bce"):
        losses.get("focal-ish")


@given(MASKS, MASKS)
def test_scores_stay_in_range_and_dice_follows_iou(mask, truth):
    scores = metrics.scores(mask, truth)
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["dice"] == pytest.approx(2 * scores["iou"] / (1 + scores["iou"]))
    assert scores["iou"] <= min(scores["precision"], scores["recall"]) + 1e-12


@given(MASKS)
def test_a_mask_agrees_with_itself(mask):
    assert set(metrics.scores(mask, mask).values()) == {1.0}


@given(MASKS, MASKS)
def test_swapping_mask_and_truth_swaps_precision_and_recall(mask, truth):
    assert metrics.precision(mask, truth) == metrics.recall(truth, mask)
    assert metrics.boundary_iou(mask, truth) == metrics.boundary_iou(truth, mask)


def test_iou_of_known_rectangles():
    mask, truth = np.zeros((10, 10)), np.zeros((10, 10))
    mask[2:6, 2:6] = 1
    truth[2:6, 4:8] = 1
    assert metrics.iou(mask, truth) == pytest.approx(8 / 24)
    assert metrics.precision(mask, truth) == metrics.recall(mask, truth) == 0.5


def test_boundary_iou_sees_a_ragged_edge_that_iou_forgives():
    truth = np.zeros((200, 200))
    truth[20:180, 20:180] = 1
    ragged = truth.copy()
    ragged[20:24, 20:180:2] = 0
    assert metrics.iou(ragged, truth) > 0.97
    assert metrics.boundary_iou(ragged, truth) < metrics.iou(ragged, truth) - 0.05


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(SeglibError, match=r"\(4, 4\).*\(5, 5\).*resize"):
        metrics.iou(np.zeros((4, 4)), np.zeros((5, 5)))
