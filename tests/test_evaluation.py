"""Intervals cover what they should; subsets, calibration and corruptions are what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seglib import SeglibError, metrics
from seglib.data import Dataset
from seglib.evaluation import (
    Calibration,
    calibration,
    cross_table,
    evaluate,
    interval,
    paired,
    subjects,
    unpaired,
)
from seglib.evaluation.robustness import (
    CORRUPTIONS,
    SUBSETS,
    attributes,
    corrupt,
    evaluate_corrupted,
    hard_subsets,
)

SCORES = hnp.arrays(float, st.integers(2, 40), elements=st.floats(0, 1))


def bright(photo: np.ndarray) -> np.ndarray:
    """Mark bright pixels: right on `photos` as they are, wrong where they are dark or grey."""
    return (photo[..., 0] > 127).astype(np.float32)


def photos(count: int = 8, size: int = 48, name: str = "blocks") -> Dataset:
    """White blocks of several sizes on black, off the middle; the mask is the block."""
    images = np.zeros((count, size, size, 3), np.uint8)
    masks = np.zeros((count, size, size), np.uint8)
    for row in range(count):
        masks[row, 8 : 26 + row, 14 : 30 + row] = 255
    images[:] = masks[..., None]
    return Dataset.from_arrays(images, masks, name, "person", "val")


# Intervals


@given(SCORES)
def test_an_interval_lies_among_the_scores_and_repeats(values):
    one = interval(values, draws=200)
    assert one.mean == pytest.approx(values.mean())
    assert values.min() - 1e-9 <= one.low <= one.high <= values.max() + 1e-9
    assert one == interval(values, draws=200)


def test_the_interval_is_that_of_scipy():
    from scipy import stats

    values = np.random.default_rng(4).beta(8, 1, 120)
    ours = interval(values, draws=6000)
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=6000, method="percentile", random_state=1
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(result.confidence_interval), abs=0.002)


def test_repeated_photos_of_a_person_add_nothing_when_drawn_together():
    values = np.random.default_rng(2).random(30)
    persons = np.arange(30)
    repeated = interval(np.repeat(values, 5), groups=np.repeat(persons, 5))
    assert repeated.low == pytest.approx(interval(values).low)
    assert repeated.high == pytest.approx(interval(values).high)
    apart = interval(np.repeat(values, 5))
    assert apart.high - apart.low < 0.6 * (repeated.high - repeated.low)


def test_pairs_tell_a_small_difference_that_two_means_cannot():
    rng = np.random.default_rng(3)
    hard = rng.beta(4, 1, 100)
    better, worse = hard, hard - 0.01 - 0.01 * rng.random(100)
    assert paired(better, worse).clear
    assert not unpaired(better, worse).clear
    assert paired(better, worse).mean == pytest.approx(unpaired(better, worse).mean)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval([0.5]), "two and one at least"),
        (lambda: interval([0.5, float("nan")]), "all numbers"),
        (lambda: interval([0.5, 0.6], level=95), "between 0 and 1"),
        (lambda: interval([0.5, 0.6], groups=["a"]), "1 groups for 2 scores"),
        (lambda: interval([0.5, 0.6], groups=["a", "a"]), "1 photos or persons"),
        (lambda: paired([0.5, 0.6], [0.5]), "do not pair up"),
    ],
)
def test_intervals_that_cannot_be_are_refused(call, message):
    with pytest.raises(SeglibError, match=message):
        call()


# Scores


def test_scores_pair_up_only_on_the_same_photos():
    dataset = photos()
    right = evaluate(bright, dataset, progress=False)
    shifted = evaluate(lambda photo: np.roll(bright(photo), 2, 0), dataset, progress=False)
    gap = right.against(shifted)
    assert gap.clear and gap.mean == pytest.approx(1 - shifted.means["iou"])
    assert right.quantiles("iou", (0, 1)) == {0: 1.0, 1: 1.0}
    # Large blocks are moved further, so the last photos are the worst.
    moved = evaluate(lambda x: np.roll(bright(x), int(bright(x).sum() // 100), 0), dataset)
    ordered = [row["iou"] for row in moved.worst(4)]
    assert ordered == sorted(moved.values())[:4] and ordered[0] < moved.values()[0]
    with pytest.raises(SeglibError, match="do not pair up"):
        right.against(evaluate(bright, photos(5), progress=False))
    with pytest.raises(SeglibError, match="use one of iou"):
        right.values("stem")


def test_persons_are_those_of_the_photos_where_the_set_names_them():
    stems = ["Tim_Henman_0003", "Tim_Henman_0001", "00017", "Frame02"]
    assert subjects(stems) == ("Tim_Henman", "Tim_Henman", "00017", "Frame02")
    assert evaluate(bright, photos(), progress=False).persons is None
    named = evaluate(bright, photos(name="lfw_hair"), progress=False)
    assert named.persons == named.stems


FORMS = {
    "bool": lambda mask: mask >= 0.5,
    "grey levels": lambda mask: np.rint(mask * 255).astype(np.uint8),
    "float64": lambda mask: mask.astype(float),
    "float16": lambda mask: mask.astype(np.float16),
    "one channel": lambda mask: mask[..., None],
    "Fortran order": np.asfortranarray,
    "turned": lambda mask: np.ascontiguousarray(mask.T).T,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_predictions_and_truths_are_understood_in_every_plain_form(form):
    dataset = photos()
    wanted = evaluate(bright, dataset, progress=False)
    assert evaluate(lambda photo: form(bright(photo)), dataset, progress=False) == wanted
    images, masks = zip(*dataset, strict=True)
    given = Dataset.from_arrays(images, [form(mask) for mask in masks], "blocks", "person", "val")
    assert evaluate(bright, given, progress=False) == wanted
    curve = calibration(lambda photo: form(bright(photo)), given, progress=False)
    assert curve.error() == 0
    assert attributes(images[3], form(masks[3])) == attributes(images[3], masks[3])


@pytest.mark.parametrize(
    ("segment", "words"),
    [
        (lambda photo: bright(photo) * 4 - 2, "mask of blocks"),
        (lambda photo: np.full(photo.shape[:2], np.nan), "mask of blocks"),
        (lambda photo: bright(photo)[::2, ::2], "24x24 but the image is 48x48"),
    ],
)
def test_what_is_no_mask_of_the_photo_is_refused_with_the_photos_name(segment, words):
    with pytest.raises(SeglibError, match=words):
        evaluate(segment, photos(), progress=False)


def test_photos_that_show_nothing_are_counted_apart():
    images, masks = (np.stack(arrays) for arrays in zip(*photos(8), strict=True))
    masks[:3] = 0
    images[0] = 0
    dataset = Dataset.from_arrays(images, masks, "blocks", "person", "val")
    scores = evaluate(bright, dataset, progress=False)
    assert scores.means["iou"] == 1 and len(scores.rows) == 5
    assert [row["stem"] for row in scores.empty_rows] == list(dataset.stems[:3])
    assert scores.empty["photos"] == 3 and scores.empty["false_alarms"] == 2
    assert scores.empty["marked"] == pytest.approx((images[:3, ..., 0] > 0).mean())
    assert scores.worst(1)[0]["iou"] == 1 and scores.interval().mean == 1
    assert sum(subset.count for subset in hard_subsets(scores, dataset)) >= 5
    nobody = evaluate(bright, Dataset.from_arrays(images[:3], masks[:3], "n", "person"))
    assert nobody.means == {} and nobody.empty == scores.empty
    with pytest.raises(SeglibError, match="shows anything"):
        nobody.interval()


# Calibration


@given(hnp.arrays(float, (6, 7), elements=st.floats(0, 1)), st.integers(1, 12))
def test_reliability_counts_every_pixel_once(mask, bins):
    truth = np.arange(42).reshape(6, 7) % 2
    table = metrics.reliability(mask, truth, bins)
    assert table.shape == (bins, 3)
    assert table.sum(axis=0) == pytest.approx([1, mask.mean(), 0.5])


def test_a_mask_that_says_what_is_true_has_no_calibration_error():
    rng = np.random.default_rng(5)
    values = rng.random((20, 40, 40)).astype(np.float32)
    truths = ((rng.random(values.shape) < values) * 255).astype(np.uint8)
    images = np.repeat(np.rint(values * 255).astype(np.uint8)[..., None], 3, axis=-1)
    dataset = Dataset.from_arrays(images, truths, "coins", "person")
    honest = calibration(lambda photo: photo[..., 0] / np.float32(255), dataset, progress=False)
    sure = calibration(bright, dataset, progress=False)
    assert honest.error() < 0.01
    # Those who say 1 for everything above one half are right in three of four pixels.
    assert sure.error() == pytest.approx(0.25, abs=0.01)
    assert sure.share.sum() == pytest.approx(1)
    assert np.isnan(sure.observed[5]) and sure.error(0.1, 0.9) == 0


def test_the_error_can_be_taken_over_doubtful_pixels():
    edges = np.linspace(0, 1, 11)
    share = np.array([0.9, *[0.0] * 6, 0.1, 0, 0])
    curve = Calibration(edges, share, np.full(10, 0.72), np.full(10, 0.62))
    assert curve.error(0.1, 0.9) == pytest.approx(0.1)
    with pytest.raises(SeglibError, match="1 or more"):
        metrics.reliability(np.zeros((2, 2)), np.zeros((2, 2)), 0)


# Hard subsets


def scene(inside=(200, 160, 130), outside=(40, 90, 160), box=(30, 70, 30, 70), size=100):
    """One photo with a block, and its mask."""
    image = np.full((size, size, 3), outside, np.uint8)
    mask = np.zeros((size, size), np.float32)
    mask[box[0] : box[1], box[2] : box[3]] = 1
    image[mask == 1] = inside
    return image, mask


def subsets_of(image: np.ndarray, mask: np.ndarray) -> set[str]:
    measured = attributes(image, mask)
    return {name for name, belongs in SUBSETS.items() if belongs(measured)}


def several() -> tuple[np.ndarray, np.ndarray]:
    image, mask = scene(box=(30, 70, 10, 40))
    mask[30:70, 60:90] = 1
    image[mask == 1] = 200, 160, 130
    return image, mask


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (scene(), set()),
        (scene((200, 200, 200), (60, 60, 60)), {"grey"}),
        (scene((110, 100, 90), (100, 110, 120)), {"low contrast"}),
        (scene((10, 6, 2), (65, 60, 80)), {"dark on dark"}),
        (scene(box=(40, 55, 40, 55)), {"small"}),
        (scene(box=(0, 70, 20, 70)), {"cut off"}),
        (scene(box=(10, 70, 0, 70)), {"cut off"}),
        (scene(box=(60, 100, 0, 100)), set()),
        (several(), {"in parts"}),
    ],
)
def test_photos_belong_to_the_groups_that_their_looks_say(pair, expected):
    assert subsets_of(*pair) == expected


def test_a_photo_in_one_tint_counts_as_grey():
    ramp = np.linspace(0.2, 1, 100)[None, :, None]
    sepia = np.broadcast_to(ramp * np.array([250, 240, 225]), (100, 100, 3)).astype(np.uint8)
    assert attributes(sepia, np.eye(100))["colour_spread"] < 4
    assert attributes(scene()[0], np.eye(100))["colour_spread"] > 4


@pytest.mark.parametrize("factor", [2, 3])
def test_traits_do_not_depend_on_the_photos_size(factor):
    large = (part.repeat(factor, 0).repeat(factor, 1) for part in several())
    assert attributes(*large) == pytest.approx(attributes(*several()), rel=0.02, abs=0.01)


def test_the_edge_step_is_the_difference_of_lightness():
    grey = scene((119, 119, 119), (48, 48, 48))  # CIELAB lightness 50 and 20
    measured = attributes(*grey)
    found = [measured[f"edge_{part}"] for part in ("step", "inside", "outside")]
    assert found == pytest.approx([30, 50, 20], abs=1)


def test_the_group_that_a_model_fails_on_is_found():
    easy, dark = scene(), scene((10, 6, 2), (65, 60, 80))
    pairs = [easy, dark] * 6
    images = np.stack([image for image, _ in pairs])
    masks = np.stack([(mask * 255).astype(np.uint8) for _, mask in pairs])
    dataset = Dataset.from_arrays(images, masks, "mixed", "person")
    scores = evaluate(bright, dataset, progress=False)
    found = {subset.name: subset for subset in hard_subsets(scores, dataset)}
    assert list(found) == ["plain", *SUBSETS]
    assert found["plain"].count == found["dark on dark"].count == 6
    assert found["plain"].mean == 1 and found["dark on dark"].mean == 0
    assert found["dark on dark"].gap.mean == -1
    assert found["grey"].gap is None and np.isnan(found["grey"].mean)
    with pytest.raises(SeglibError, match="not of these photos"):
        hard_subsets(scores, photos())


# Corruptions


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_repeats_grows_and_keeps_the_pair_together(kind):
    dataset = photos()
    image, mask = dataset[3]
    rows = evaluate_corrupted(bright, dataset, [kind], progress=False)
    assert [row.level for row in rows] == [0, *CORRUPTIONS[kind].levels]
    assert rows[0].scores == evaluate(bright, dataset, progress=False)
    assert rows == evaluate_corrupted(bright, dataset, [kind], progress=False)
    levels = CORRUPTIONS[kind].levels
    changed, moved = corrupt(image, mask, kind, levels[-1])
    assert changed.dtype == np.uint8 and changed.shape[:2] == moved.shape
    assert not np.array_equal(changed, image)
    if kind in ("rotation", "crop"):
        # The block is the mask wherever it goes.
        assert all(row.scores.means["iou"] > 0.93 for row in rows)
    else:
        assert np.array_equal(moved, mask)
        mild = corrupt(image, mask, kind, levels[0])[0]

        def change(other: np.ndarray) -> float:
            return float(np.abs(other.astype(int) - image).mean())

        assert change(changed) > change(mild)


def test_corruption_of_a_photo_does_not_depend_on_the_others():
    dataset = photos()
    noisy = evaluate_corrupted(bright, dataset, ["noise"], seed=3, progress=False)
    part = dataset.subset(4, seed=1)
    fewer = evaluate_corrupted(bright, part, ["noise"], seed=3, progress=False)
    kept = [row for row in noisy[-1].scores.rows if row["stem"] in part.stems]
    assert list(fewer[-1].scores.rows) == kept


def test_half_a_turn_is_both_mirrors_and_a_stop_is_half_the_light():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    mask = np.zeros((20, 30), np.float32)
    mask[2:9, 4:7] = 1
    turned, moved = corrupt(image, mask, "rotation", 180)
    assert np.array_equal(turned, image[::-1, ::-1])
    assert np.array_equal(moved, mask[::-1, ::-1])
    dark, _ = corrupt(image, mask, "darkness", 1)
    light = (image[image > 100] / 255.0) ** 2.2
    assert ((dark[image > 100] / 255.0) ** 2.2 / light).mean() == pytest.approx(0.5, abs=0.01)


def test_a_crop_keeps_its_share_around_the_thing():
    image, mask = scene(box=(60, 100, 70, 100))
    cropped, kept = corrupt(image, mask, "crop", 40)
    assert cropped.shape == (40, 40, 3)
    assert kept.mean() == pytest.approx(mask[60:, 60:].mean())


def test_an_unknown_corruption_is_refused():
    image, mask = scene()
    with pytest.raises(SeglibError, match="use one of blur"):
        corrupt(image, mask, "rain", 1)
    with pytest.raises(SeglibError, match="use one of blur"):
        evaluate_corrupted(bright, photos(), ["rain"], progress=False)
    with pytest.raises(SeglibError, match="above 0"):
        corrupt(image, mask, "blur", 0)


# Models and sets


def test_a_cross_table_marks_the_sets_that_trained_a_model():
    sets = [photos(name="one"), photos(5, name="two")]
    models = {"right": bright, "empty": lambda photo: np.zeros(photo.shape[:2], np.float32)}
    lines = cross_table(models, sets, {"right": ["two"]}, progress=False).splitlines()
    ones, noughts = "1.000 [1.000, 1.000]", "0.000 [0.000, 0.000]"
    assert lines[0] == "| | one | two |"
    assert lines[2:] == [f"| right | {ones} | {ones} * |", f"| empty | {noughts} | {noughts} |"]
    with pytest.raises(SeglibError, match="other names and one kind"):
        cross_table(models, [photos(), photos()], progress=False)
    with pytest.raises(SeglibError, match="at least"):
        cross_table({}, sets)
