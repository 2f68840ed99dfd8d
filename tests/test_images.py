"""Pictures of every kind become uint8 RGB; whatever cannot is named in one sentence."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import seglib
from seglib import SeglibError, images

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def assert_refused(call, path: Path) -> str:
    """The call must raise one sentence that names the file; return it."""
    with pytest.raises(SeglibError) as caught:
        call(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_importing_the_package_is_light():
    code = (
        "import sys, seglib; dir(seglib); heavy = {'tensorflow', 'keras', 'matplotlib', 'cv2'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules); "
        "seglib.sample_photo(); assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_room"):
        seglib.no_such_room  # noqa: B018


def test_sample_photo_is_an_image_that_may_be_drawn_on():
    photo = seglib.sample_photo()
    assert images.as_image(photo).shape == (512, 512, 3)
    photo[0, 0] = 0
    # The suit is orange: red and blue are not swapped.
    assert photo[350, 100, 0] > 2 * photo[350, 100, 2]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_written_image_reads_back(tmp_path, suffix):
    photo = seglib.sample_photo()[::4, ::3]
    path = seglib.write_image(tmp_path / f"new/photo{suffix}", photo)
    difference = np.abs(seglib.read_image(path).astype(int) - photo)
    assert difference.max() == 0 if suffix == ".png" else difference.mean() < 3
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31))
def test_a_written_mask_reads_back_within_half_a_level(tmp_path_factory, height, width, seed):
    mask = np.random.default_rng(seed).random((height, width), np.float32)
    path = images.write_mask(tmp_path_factory.mktemp("mask") / "mask.png", mask)
    read = images.read_mask(path)
    assert read.dtype == np.float32
    assert read.shape == mask.shape
    assert np.abs(read - mask).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (100, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
    ],
)
def test_grey_and_transparent_pictures(tmp_path, mode, colour, expected):
    path = tmp_path / "picture.png"
    Image.new(mode, (3, 2), colour).save(path)
    image = seglib.read_image(path)
    assert image.shape == (2, 3, 3)
    assert np.array_equal(np.unique(image.reshape(-1, 3), axis=0), [expected])


def test_a_palette_picture_keeps_its_colours_and_its_transparency(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLUE])
    picture.putdata([0, 1])
    picture.save(tmp_path / "opaque.png")
    picture.save(tmp_path / "transparent.png", transparency=0)
    assert seglib.read_image(tmp_path / "opaque.png").tolist() == [[list(RED), list(BLUE)]]
    assert seglib.read_image(tmp_path / "transparent.png").tolist() == [[[255] * 3, list(BLUE)]]


def test_a_cmyk_jpeg(tmp_path):
    path = tmp_path / "print.jpg"
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(path, quality=95)
    assert np.abs(seglib.read_image(path)[8, 8].astype(int) - RED).max() < 12


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path, suffix):
    path = tmp_path / f"deep{suffix}"
    values = np.array([[0, 257 * 100, 65535]], np.uint16)
    Image.fromarray(values).save(path)
    assert seglib.read_image(path)[0, :, 0].tolist() == [0, 100, 255]
    assert images.read_mask(path)[0].tolist() == pytest.approx([0, 100 / 255, 1])


def test_more_bits_or_floats_are_refused(tmp_path):
    path = tmp_path / "float.tif"
    Image.fromarray(np.full((2, 2), 1.5, np.float32)).save(path)
    assert "floats from 0 to 1" in assert_refused(seglib.read_image, path)
    path = tmp_path / "long.tif"
    Image.fromarray(np.full((2, 2), 70000, np.int32)).save(path)
    assert "16 bits" in assert_refused(seglib.read_image, path)


def test_a_colour_mode_without_a_conversion_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "print.jpg"
    Image.new("YCbCr", (2, 2)).save(path.with_suffix(".tif"))

    def refuse(*_args):
        raise ValueError("conversion not supported")  # as Pillow before 12 does for Lab

    monkeypatch.setattr(Image.Image, "convert", refuse)
    assert "conversion" in assert_refused(seglib.read_image, path.with_suffix(".tif"))


@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, (0, 0)), (3, (1, 2)), (6, (0, 1)), (8, (2, 0))]
)
def test_exif_orientation_is_applied(tmp_path, orientation, corner):
    stored = np.zeros((2, 3, 3), np.uint8)
    stored[0, 0] = RED
    picture = Image.fromarray(stored)
    exif = picture.getexif()
    exif[0x0112] = orientation
    path = tmp_path / "phone.png"
    picture.save(path, exif=exif)
    image = seglib.read_image(path)
    assert image.shape[:2] == ((3, 2) if orientation in (6, 8) else (2, 3))
    assert tuple(np.argwhere(image[..., 0] == 255)[0]) == corner


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_cost_the_picture(tmp_path):
    path = tmp_path / "broken-exif.jpg"
    Image.new("RGB", (8, 8), GREEN).save(path, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")
    assert seglib.read_image(path).shape == (8, 8, 3)


def test_one_pixel(tmp_path):
    path = seglib.write_image(tmp_path / "one.png", np.full((1, 1, 3), 7, np.uint8))
    assert seglib.read_image(path).tolist() == [[[7, 7, 7]]]
    assert (images.resize(seglib.read_image(path), (5, 4)) == 7).all()


def test_a_photo_of_108_megapixels_is_read_and_a_larger_one_refused(tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (12000, 9000), 1).save(path)
    image = seglib.read_image(path)
    assert image.shape == (9000, 12000, 3)
    assert image.min() == 255
    for side in (12300, 14000):
        Image.new("1", (side, side)).save(path)
        assert "150 megapixels" in assert_refused(seglib.read_image, path)


def test_files_that_are_no_pictures(tmp_path):
    assert "no file" in assert_refused(seglib.read_image, tmp_path / "absent.jpg")
    assert "no file" in assert_refused(seglib.read_image, tmp_path)
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert "empty" in assert_refused(seglib.read_image, empty)
    text = tmp_path / "text.jpg"
    text.write_text("not a picture")
    assert "not a picture" in assert_refused(seglib.read_image, text)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = seglib.write_image(tmp_path / f"cut{suffix}", seglib.sample_photo())
    content = path.read_bytes()
    for share in (0.9, 0.5, 0.1):
        path.write_bytes(content[: int(len(content) * share)])
        assert "cut short" in assert_refused(seglib.read_image, path)


def test_masks_with_colours_or_transparency_are_refused(tmp_path):
    path = tmp_path / "mask.png"
    Image.new("RGB", (2, 2), RED).save(path)
    assert "colours" in assert_refused(images.read_mask, path)
    Image.new("RGBA", (2, 2), (255, 255, 255, 9)).save(path)
    assert "transparency" in assert_refused(images.read_mask, path)
    Image.new("RGBA", (2, 2), (255, 255, 255, 255)).save(path)
    assert (images.read_mask(path) == 1).all()


def test_writing_refuses_what_it_cannot_write(tmp_path):
    photo = np.zeros((2, 2, 3), np.uint8)
    assert ".jpg" in assert_refused(lambda p: seglib.write_image(p, photo), tmp_path / "a.gif")
    mask = np.zeros((2, 2), np.float32)
    assert ".png" in assert_refused(lambda p: images.write_mask(p, mask), tmp_path / "a.jpg")
    (tmp_path / "file").touch()
    assert_refused(lambda p: seglib.write_image(p, photo), tmp_path / "file" / "a.png")


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = seglib.write_image(tmp_path / "photo.png", np.zeros((2, 2, 3), np.uint8))
    before = path.read_bytes()

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    message = assert_refused(lambda p: seglib.write_image(p, np.ones((2, 2, 3), np.uint8)), path)
    assert "disk is full" in message
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "NoneType"),
        (np.zeros((2, 2, 5), np.uint8), "shape"),
        (np.zeros((0, 2, 3), np.uint8), "shape"),
        (np.full((2, 2, 3), 1.5), "float64"),
        (np.full((2, 2, 3), np.nan), "nan"),
    ],
)
def test_as_image_refuses(value, word):
    with pytest.raises(SeglibError, match=f"the photo .*{word}"):
        images.as_image(value, "photo")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (None, "NoneType"),
        (np.zeros((2, 2, 2), np.float32), "shape"),
        (np.full((2, 2), 7, np.uint8), "class numbers"),
        (np.full((2, 2), 1.5, np.float32), "1.5"),
        (np.full((2, 2), np.nan, np.float32), "nan"),
    ],
)
def test_as_mask_refuses(value, word):
    with pytest.raises(SeglibError, match=word):
        images.as_mask(value)


def test_as_mask_takes_booleans_and_compares_sizes():
    assert images.as_mask(np.eye(2, dtype=bool)).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(SeglibError, match="2x2 but the image is 3x2"):
        images.as_mask(np.zeros((2, 2)), shape=(2, 3, 3))


def by_half_pixel_rule(row: np.ndarray, length: int) -> np.ndarray:
    """Linear interpolation as the definition writes it, one sample at a time."""
    centres = (np.arange(length) + 0.5) * len(row) / length - 0.5
    return np.interp(centres, np.arange(len(row)), row)


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**31))
def test_growing_follows_half_pixel_centres(length, factor, seed):
    row = np.random.default_rng(seed).random(length).astype(np.float32)
    grown = images.resize(row[None], (1, length * factor))[0]
    assert np.allclose(grown, by_half_pixel_rule(row, length * factor), atol=1e-5)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**31))
def test_shrinking_by_a_whole_factor_averages_blocks(length, factor, seed):
    rows = np.random.default_rng(seed).random((length * factor, 3)).astype(np.float32)
    shrunk = images.resize(rows, (length, 3))
    assert np.allclose(shrunk, rows.reshape(length, factor, 3).mean(1), atol=1e-5)


@given(
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.tuples(st.integers(1, 30), st.integers(1, 30)),
    st.sampled_from([None, 1, 3, 5]),
)
def test_resizing_keeps_constants_range_type_and_channels(old, new, channels):
    shape = old if channels is None else (*old, channels)
    noise = np.random.default_rng(1).integers(40, 200, shape, dtype=np.uint8)
    resized = images.resize(noise, new)
    assert resized.shape == (*new, *shape[2:])
    assert resized.dtype == np.uint8
    assert noise.min() <= resized.min() <= resized.max() <= noise.max()
    assert resized is not noise
    assert (images.resize(np.full(shape, 9, np.uint8), new) == 9).all()


@given(st.integers(2, 40), st.integers(2, 40))
def test_resizing_commutes_with_mirroring(old, new):
    ramp = np.linspace(0, 1, old, dtype=np.float32)[None] ** 2
    mirrored = images.resize(ramp[:, ::-1].copy(), (1, new))
    assert np.allclose(mirrored[:, ::-1], images.resize(ramp, (1, new)), atol=1e-5)


def test_one_axis_may_shrink_while_the_other_grows():
    image = np.arange(8, dtype=np.float32).reshape(4, 2)
    expected = np.stack([by_half_pixel_rule(row, 6) for row in image.reshape(2, 2, 2).mean(1)])
    assert np.allclose(images.resize(image, (2, 6)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("array", "size"),
    [
        (np.zeros((2, 2), np.float32), (0, 2)),
        (np.zeros((0, 2), np.float32), (2, 2)),
        (np.zeros((2, 2), bool), (4, 4)),
        (np.zeros((2, 2), np.int64), (4, 4)),
    ],
)
def test_resize_refuses(array, size):
    with pytest.raises(SeglibError, match="cannot resize"):
        images.resize(array, size)


@given(
    st.integers(3, 90), st.integers(3, 90), st.integers(1, 90), st.integers(1, 90), st.booleans()
)
def test_resized_masks_stay_between_their_lowest_and_highest_value(h, w, height, width, ones):
    mask = np.random.default_rng(h * w).random((h, w), np.float32) > 0.3
    mask = np.ones((h, w), np.float32) if ones else mask.astype(np.float32)
    result = images.resize(mask, (height, width))
    assert mask.min() <= result.min() and result.max() <= mask.max()
