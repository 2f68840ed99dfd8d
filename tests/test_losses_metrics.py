"""Losses and metrics: order, gradients, empty masks, unknown pixels, types, agreement."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from keras import ops

from seglib import SeglibError, losses, metrics

SHAPE = (2, 12, 10, 1)
MASKS = hnp.arrays(bool, (9, 11))
ALL = pytest.mark.parametrize("name", losses.LOSSES)


def truth() -> np.ndarray:
    """Two pictures: a block off the middle, and a smaller one."""
    masks = np.zeros(SHAPE, np.float32)
    masks[0, 2:8, 1:6] = 1
    masks[1, 5:8, 4:9] = 1
    return masks


def value(loss, y_true, y_pred, **options) -> float:
    return float(loss(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), **options))


@ALL
def test_better_masks_have_lower_loss_and_an_empty_one_may_be_right(name):
    target = truth()
    answers = [target, 0.8 * target + 0.1, np.full(SHAPE, 0.5, np.float32), 1 - target]
    values = [value(losses.get(name), target, answer.astype(np.float32)) for answer in answers]
    assert values == sorted(values)
    assert values[0] == pytest.approx(0, abs=1e-5)
    # A hinge is content with 0.9; every other loss wants more.
    assert len(set(np.round(values, 4))) == (3 if name == "lovasz_hinge" else 4)
    empty = np.zeros(SHAPE, np.float32)
    assert value(losses.get(name), empty, empty) == pytest.approx(0, abs=1e-5)


@ALL
@pytest.mark.parametrize("kind", ["float16", "bfloat16", "float64"])
def test_the_type_of_the_prediction_does_not_matter(name, kind):
    loss = losses.get(name)
    # 65536 pixels are more than float16 can count.
    large = ops.ones((1, 256, 256, 1), kind)
    for target in (large, ops.cast(large, "uint8"), ops.cast(large, "bool")):
        assert float(loss(target, large)) < 1e-5
    target, half = truth(), ops.cast(np.full(SHAPE, 0.5), kind)
    plain = loss(ops.convert_to_tensor(target), ops.cast(half, "float32"))
    assert float(loss(ops.cast(target, kind), half)) == float(plain)
    both = losses.deep_supervision(loss, (1.0, 1.0))
    assert float(both(large, [large, large[:, ::2, ::2]])) < 2e-5


@ALL
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
@ALL
def test_the_gradient_points_from_answer_to_truth(name):
    import tensorflow as tf

    target, answer = truth(), tf.Variable(np.full(SHAPE, 0.5, np.float32))
    with tf.GradientTape() as tape:
        loss = losses.get(name)(ops.convert_to_tensor(target), answer)
    gradient = tape.gradient(loss, answer).numpy()
    assert (gradient[target == 1] <= 0).all() and (gradient[target == 0] >= 0).all()
    # Of many equally wrong pixels the Lovasz hinge moves those that its order puts first.
    assert (gradient != 0).mean() > (0.5 if name == "lovasz_hinge" else 0.999)


def test_tversky_charges_what_it_is_told_to():
    target = truth()
    answer = np.random.default_rng(1).uniform(0, 1, SHAPE).astype(np.float32)
    halves = value(losses.tversky_loss, target, answer, false_positives=0.5, false_negatives=0.5)
    assert halves == pytest.approx(value(losses.dice_loss, target, answer, smooth=2.0), rel=1e-5)
    missed, wrong = target.copy(), target.copy()
    missed[0, 2, 1:6] = 0
    wrong[0, 9, 1:6] = 1
    prices = {"false_positives": 0.1, "false_negatives": 0.9}
    assert value(losses.tversky_loss, target, missed, **prices) > 3 * value(
        losses.tversky_loss, target, wrong, **prices
    )


def test_focal_with_gamma_0_is_the_cross_entropy_and_else_forgives_nearly_right_pixels():
    target = truth()
    near, far = 0.8 * target + np.float32(0.1), 0.2 * target + np.float32(0.4)
    plain = value(losses.bce_loss, target, near)
    assert value(losses.focal_loss, target, near, gamma=0.0) == pytest.approx(plain, rel=1e-5)
    ratio = value(losses.focal_loss, target, far) / value(losses.focal_loss, target, near)
    assert ratio > 5 * value(losses.bce_loss, target, far) / plain


def test_squares_forgive_unsure_pixels():
    target = truth()
    unsure = 0.4 * target + np.float32(0.3)
    squared = value(losses.dice_loss, target, unsure, squared=True)
    assert squared < value(losses.dice_loss, target, unsure)


def test_the_edge_loss_charges_mistakes_at_the_edge_more():
    target = np.zeros((1, 40, 40, 1), np.float32)
    target[0, 8:32, 8:32] = 1
    at_edge, inside = target.copy(), target.copy()
    at_edge[0, 8, 10:14] = 0
    inside[0, 20, 18:22] = 0
    edge, plain = losses.edge_bce_loss, losses.bce_loss
    assert value(plain, target, at_edge) == pytest.approx(value(plain, target, inside), rel=1e-5)
    assert value(edge, target, at_edge) == pytest.approx(5 * value(edge, target, inside), rel=1e-4)


def test_a_positive_weight_multiplies_what_missed_pixels_cost():
    target = truth()
    missed, weight = np.zeros(SHAPE, np.float32), 3.0
    expected = weight / (1 + (weight - 1) * target.mean()) * value(losses.bce_loss, target, missed)
    found = value(losses.bce_loss, target, missed, positive_weight=weight)
    assert found == pytest.approx(expected, rel=1e-4)


@given(hnp.arrays(bool, (2, 5, 6, 1)), hnp.arrays(bool, (2, 5, 6, 1)))
def test_on_hard_masks_the_lovasz_hinge_orders_by_iou(target, answer):
    """At logits of +-1 every wrong pixel has error 2 and every right one 0: twice 1 - IoU."""
    p = 1 / (1 + np.exp(-np.where(answer, 1.0, -1.0)))
    both, either = (target & answer).sum((1, 2)), (target | answer).sum((1, 2))
    lost = 1 - np.where(either > 0, both / np.maximum(either, 1), 1.0)
    # Where the truth is empty, a single wrong pixel already costs the whole index.
    found = value(losses.lovasz_hinge_loss, target.astype(np.float32), p.astype(np.float32))
    assert found == pytest.approx(2 * lost.mean(), abs=1e-3)


def test_deep_supervision_adds_the_loss_of_every_scale():
    target = np.zeros((1, 16, 16, 1), np.float32)
    target[0, 4:12, 4:12] = 1
    masks = [target, target[:, ::2, ::2], target[:, ::4, ::4]]
    loss = losses.deep_supervision(losses.dice_bce_loss, (1.0, 0.4, 0.2))
    assert float(loss(ops.convert_to_tensor(target), masks)) == pytest.approx(0, abs=1e-4)
    worst = [masks[0], masks[1], 1 - masks[2]]
    assert float(loss(ops.convert_to_tensor(target), worst)) == pytest.approx(
        0.2 * value(losses.dice_bce_loss, masks[2], worst[2]), rel=1e-3
    )
    target[0, 0, 0] = -1
    lone = [masks[0], masks[1], masks[2].copy()]
    lone[2][0, 0, 0] = 1
    assert float(loss(ops.convert_to_tensor(target), lone)) == pytest.approx(0, abs=1e-4)
    with pytest.raises(SeglibError, match="as many weights"):
        loss(ops.convert_to_tensor(target), masks[:2])


def test_dice_per_image_lets_a_small_object_count_as_much_as_a_large_one():
    target = np.zeros((2, 20, 20, 1), np.float32)
    target[0, :, :, :] = 1
    target[1, :2, :2] = 1
    missed = target.copy()
    missed[1] = 0
    assert value(losses.dice_loss, target, missed, per_image=False) < 0.02
    single = value(losses.dice_loss, target, missed, per_image=True)
    assert single == pytest.approx(0.5 * (1 - 1 / 5), rel=1e-4)


def test_dice_loss_is_one_minus_dice_of_sharp_masks():
    rng = np.random.default_rng(3)
    target, answer = (rng.integers(0, 2, (1, 30, 30, 1)).astype(np.float32) for _ in range(2))
    score = metrics.dice(answer[0], target[0])
    assert value(losses.dice_loss, target, answer, smooth=0.0) == pytest.approx(1 - score, rel=1e-5)


def test_an_unknown_loss_lists_those_there_are():
    with pytest.raises(SeglibError, match="dice_bce"):
        losses.get("focal-ish")


@given(MASKS, MASKS)
def test_scores_stay_in_range_and_agree_with_each_other(mask, truth):
    scores, swapped = metrics.scores(mask, truth), metrics.scores(truth, mask)
    assert all(0 <= score <= 1 for score in scores.values())
    assert scores["dice"] == pytest.approx(2 * scores["iou"] / (1 + scores["iou"]))
    assert scores["iou"] <= min(scores["precision"], scores["recall"]) + 1e-12
    assert scores["precision"] == swapped["recall"]
    assert scores["boundary_iou"] == swapped["boundary_iou"]
    assert set(metrics.scores(mask, mask).values()) == {1.0}


def test_iou_of_known_rectangles():
    mask, truth = np.zeros((10, 10)), np.zeros((10, 10))
    mask[2:6, 2:6] = 1
    truth[2:6, 4:8] = 1
    assert metrics.iou(mask, truth) == pytest.approx(8 / 24)
    assert metrics.precision(mask, truth) == metrics.recall(mask, truth) == 0.5
    with pytest.raises(SeglibError, match=r"\(10, 10\).*\(5, 5\).*resize"):
        metrics.iou(mask, truth[:5, :5])


def test_boundary_iou_sees_a_ragged_edge_that_iou_forgives():
    truth = np.zeros((200, 200))
    truth[20:180, 20:180] = 1
    ragged = truth.copy()
    ragged[20:24, 20:180:2] = 0
    assert metrics.iou(ragged, truth) > 0.97
    assert metrics.boundary_iou(ragged, truth) < metrics.iou(ragged, truth) - 0.05
