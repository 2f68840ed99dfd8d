"""Compositing: what is cut out fits anywhere, light moves as told, crops follow the mask."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglib import SeglibError, data
from seglib.data import composite, synthetic
from seglib.data.synthetic import PortraitConfig

SOFT = PortraitConfig(empty=0, framing=(0, 1, 0, 0), overlay=0, noise=(0, 0), jpeg=0, blur=(0, 0))


def disc(size: int = 64, soft: float = 6.0) -> np.ndarray:
    """A mask with a wide soft edge, float32 (size, size)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip(0.5 + (0.3 * size - np.hypot(x, y)) / soft, 0, 1).astype(np.float32)


def mixture(mask: np.ndarray, person=(200, 80, 40), behind=(20, 120, 220)) -> np.ndarray:
    """What a camera sees of a person of one colour before a wall of another."""
    share = mask[..., None]
    return np.rint(share * person + (1 - share) * behind).astype(np.uint8)


def figure(head: int = 20, left: int = 40, top: int = 12, size: int = 160) -> np.ndarray:
    """A head on a neck over a broad body, float32 (size, size)."""
    mask = np.zeros((size, size), np.float32)
    y, x = np.mgrid[:size, :size]
    middle = left + 1.5 * head
    mask[np.hypot((x - middle) / (head / 2), (y - top - 0.6 * head) / (0.6 * head)) <= 1] = 1
    mask[(abs(x - middle) < 0.2 * head) & (y > top + head) & (y < top + 2 * head)] = 1
    mask[(abs(x - middle) < 1.5 * head) & (y >= top + 1.5 * head)] = 1
    return mask


def test_soft_edges_lose_the_old_background():
    mask = disc()
    colours = composite.foreground(mixture(mask), mask).astype(int)
    assert np.abs(colours[mask > 0.15] - (200, 80, 40)).max() <= 20
    # The plain photo is far off there: the test would notice a copy.
    plain = mixture(mask).astype(int)
    assert np.abs(plain[(mask > 0.15) & (mask < 0.9)] - (200, 80, 40)).max() > 100


def test_foreground_keeps_what_is_surely_person():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    mask = np.zeros((40, 50), np.float32)
    mask[5:30, 10:40] = 1
    np.testing.assert_array_equal(composite.foreground(image, mask)[mask == 1], image[mask == 1])


def test_mixing_the_estimate_with_the_wall_gives_the_photo_again():
    mask = disc()
    image = mixture(mask)
    again = mixture(mask, composite.foreground(image, mask))
    assert np.abs(again.astype(int) - image)[mask > 0.15].max() <= 12


def test_cut_out_is_straight_rgba():
    mask = disc()
    cut = composite.cut_out(mixture(mask), mask)
    assert cut.shape == (64, 64, 4) and cut.dtype == np.uint8
    np.testing.assert_array_equal(cut[..., 3], np.rint(255 * mask))


def test_a_composite_shows_only_the_new_background():
    mask = disc()
    wall = np.full((30, 90, 3), (0, 200, 0), np.uint8)
    result = composite.compose(mixture(mask), mask, wall, light=0).astype(int)
    assert result.shape == (64, 64, 3)
    assert (result[mask == 0] == (0, 200, 0)).all()
    assert np.abs(result - mixture(mask, behind=(0, 200, 0))).max() <= 12


def test_a_background_is_cut_evenly_and_not_squeezed():
    mask = np.zeros((20, 20), np.float32)
    mask[10, 10] = 1
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 90
    result = composite.compose(np.full((20, 20, 3), 90, np.uint8), mask, wide, light=0)
    assert (result == 90).all()


def test_light_moves_to_the_background_and_by_half_at_half_strength():
    portrait = synthetic.draw(5, 96, SOFT)
    person = portrait.alpha > 0.9
    dark = (portrait.image * 0.2).astype(np.uint8)
    bright = [
        composite.match_light(portrait.image, portrait.alpha, dark, strength)[person].mean()
        for strength in (0, 0.5, 1)
    ]
    assert bright[0] == pytest.approx(portrait.image[person].mean(), abs=1)
    assert bright[0] > bright[1] + 10 > bright[2] + 20
    assert bright[2] == pytest.approx(dark.mean(), abs=25)


def test_inputs_are_left_alone():
    mask, image = disc(), mixture(disc())
    wall = np.full((64, 64, 3), 9, np.uint8)
    before = mask.copy(), image.copy(), wall.copy()
    composite.compose(image, mask, wall, 1.0)
    composite.tone(image, 0.5)
    composite.remask(mask, 0.5, 0.1)
    for was, now in zip(before, (mask, image, wall), strict=True):
        np.testing.assert_array_equal(was, now)


def test_persons_on_backgrounds_keep_their_masks():
    portraits = synthetic.portraits(4, 48, 3, SOFT, workers=1)
    walls = [np.full((48, 48, 3), value, np.uint8) for value in (0, 255)]
    source = portraits.dataset("person")
    first, again = (composite.on_backgrounds(source, walls, seed=2) for _ in range(2))
    assert len(first) == 4 and first.kind == "person"
    shades = set()
    for (image, mask), (_, truth), (same, _) in zip(first, source, again, strict=True):
        np.testing.assert_array_equal(mask, truth)
        np.testing.assert_array_equal(image, same)
        shades |= set(np.unique(image[mask == 0]))
    assert shades == {0, 255}


def test_only_whole_persons_go_on_backgrounds():
    hair = synthetic.portraits(2, 32, workers=1).dataset("hair")
    with pytest.raises(SeglibError, match="whole person"):
        composite.on_backgrounds(hair, [np.zeros((9, 9, 3), np.uint8)])
    with pytest.raises(SeglibError, match="no backgrounds"):
        composite.on_backgrounds(synthetic.portraits(1, 32).dataset("person"), [])


def test_remask_cuts_and_drops_spots_and_holes():
    mask = np.zeros((40, 40), np.float32)
    mask[5:35, 5:35] = 0.6
    mask[20, 20] = 0.2
    mask[0, 0] = 0.9
    plain = composite.remask(mask)
    assert set(np.unique(plain)) == {0, 1} and plain[20, 20] == 0 and plain[0, 0] == 1
    clean = composite.remask(mask, smallest=0.01)
    assert clean[0, 0] == 0 and clean[20, 20] == 1 and clean.sum() == 900
    assert composite.remask(mask, 0.61).sum() == 1


@given(st.floats(-1, 1))
def test_tone_bends_red_and_blue_and_keeps_black_and_white(warmth):
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    bent = composite.tone(ramp, warmth).astype(int)
    assert (bent[0, 0] == 0).all() and (bent[0, 255] == 255).all()
    assert (np.diff(bent, axis=1) >= 0).all()
    assert np.sign(bent[..., 0].sum() - bent[..., 2].sum()) in (0, np.sign(warmth))


@settings(max_examples=40, deadline=None)
@given(st.integers(14, 26), st.integers(0, 60), st.integers(2, 30))
def test_the_face_crop_is_the_head_wherever_it_stands(head, left, top):
    mask = figure(head, left, top)
    box = composite.crop_box(mask, "face", 0)
    assert abs(box[0] - top) <= 0.35 * head
    assert 1.0 * head <= box[2] - box[0] <= 1.9 * head
    assert box[1] <= left + 1.2 * head and left + 1.8 * head <= box[3]
    upper = composite.crop_box(mask, "upper", 0)
    assert upper[2] - upper[0] > 1.5 * (box[2] - box[0])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["face", "upper"]), st.floats(0, 1))
def test_crops_lie_inside_the_picture(seed, part, margin):
    portrait = synthetic.draw(seed, 40, PortraitConfig(empty=0, overlay=0))
    if portrait.alpha.max() < 0.5:
        return
    top, left, bottom, right = composite.crop_box(portrait.alpha, part, margin)
    assert 0 <= top < bottom <= 40 and 0 <= left < right <= 40
    image, mask = composite.crop(portrait.image, portrait.alpha, part, margin)
    np.testing.assert_array_equal(image, portrait.image[top:bottom, left:right])
    np.testing.assert_array_equal(mask, portrait.alpha[top:bottom, left:right])
    assert mask.max() >= 0.5


def test_face_crops_of_portraits_hold_the_face():
    config = PortraitConfig(
        empty=0, back_view=0, company=0, overlay=0, hat=0, hand=0, framing=(0, 0.5, 0.5, 0)
    )
    inside = total = 0
    for seed in range(25):
        portrait = synthetic.draw((9, seed), 96, config)
        rows, columns = np.nonzero(portrait.labels == synthetic.HAIR)
        if portrait.style in ("short", "buzz", "bob", "bun") and len(rows):
            top, left, bottom, right = composite.crop_box(portrait.alpha, "face")
            inside += ((rows >= top) & (rows < bottom) & (columns >= left)
                       & (columns < right)).mean()  # fmt: skip
            total += 1
    assert total >= 5 and inside / total > 0.9


def test_real_portraits_are_cropped_and_composed(real_data):
    photos = data.open_folder(real_data / "eg1800", "val", "person").subset(6)
    wall = np.full((50, 80, 3), (0, 255, 0), np.uint8)
    for image, mask in photos:
        face, part = composite.crop(image, mask, "face")
        assert face.shape[:2] == part.shape and 0.25 < part.mean() < 0.98
        result = composite.compose(image, mask, wall)
        assert (result[mask == 0] == (0, 255, 0)).all()


def test_bad_input_is_refused():
    image, mask = np.zeros((8, 9, 3), np.uint8), np.ones((8, 9), np.float32)
    empty, small = 0 * mask, mask[:4]
    for wrong, message in [
        (lambda: composite.foreground(image, small), "resize"),
        (lambda: composite.foreground(image / 255, mask), "uint8"),
        (lambda: composite.cut_out(image, mask * 255), "0 to 1"),
        (lambda: composite.compose(image, mask, mask), "background"),
        (lambda: composite.compose(image, mask, image, 2), "strength"),
        (lambda: composite.match_light(image, empty, image), "empty"),
        (lambda: composite.remask(mask, 0), "threshold"),
        (lambda: composite.tone(image, 3), "warmth"),
        (lambda: composite.crop_box(mask, "feet"), "feet"),
        (lambda: composite.crop_box(mask, "face", -1), "margins"),
        (lambda: composite.crop(image, empty), "empty"),
    ]:
        with pytest.raises(SeglibError, match=message):
            wrong()
