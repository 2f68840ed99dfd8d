"""Picture files are read and written right; whatever cannot be read is named in one sentence."""

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

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def assert_refused(call, path: Path) -> str:
    """The call must raise one sentence that names the file; return it."""
    with pytest.raises(SeglibError) as caught:
        call(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_importing_the_package_is_light():
    code = """
import sys, seglib, seglib.viz, seglib.check, seglib.notebook
dir(seglib)
assert not {"tensorflow", "keras", "matplotlib", "IPython"} & set(sys.modules)
seglib.sample_photo()
assert "tensorflow" not in sys.modules
assert not hasattr(seglib, "no_such_room")
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_sample_photo_is_an_image_that_may_be_drawn_on():
    photo = seglib.sample_photo()
    assert photo.shape == (512, 512, 3) and photo.dtype == np.uint8
    photo[0, 0] = 0
    # The suit is orange: red and blue are not swapped.
    assert photo[350, 100, 0] > 2 * photo[350, 100, 2]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_written_image_reads_back_and_a_cut_one_is_refused(tmp_path, suffix):
    photo = seglib.sample_photo()[::4, ::3]
    path = seglib.write_image(tmp_path / f"new/photo{suffix}", photo)
    difference = np.abs(seglib.read_image(path).astype(int) - photo)
    assert difference.max() == 0 if suffix == ".png" else difference.mean() < 3
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    content = path.read_bytes()
    for kept in (0.9, 0.5, 0.1):
        path.write_bytes(content[: int(len(content) * kept)])
        assert "cut short" in assert_refused(seglib.read_image, path)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**31), st.sampled_from([1, 0.004]))
def test_a_written_mask_reads_back_within_half_a_level(tmp_path_factory, height, width, seed, top):
    mask = np.random.default_rng(seed).random((height, width), np.float32) * np.float32(top)
    path = images.write_mask(tmp_path_factory.mktemp("mask") / "mask.png", mask)
    read = images.read_mask(path)
    assert read.dtype == np.float32
    assert read.shape == mask.shape
    assert np.abs(read - mask).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, WHITE),
        ("LA", (100, 0), WHITE),
        ("RGBA", (255, 0, 0, 255), RED),
        ("RGBA", (255, 0, 0, 0), WHITE),
        ("RGBA", (0, 0, 0, 51), (204, 204, 204)),
        ("PA", (0, 0), WHITE),
        ("I;16", 257 * 100, (100, 100, 100)),
        ("F", 0.4, (102, 102, 102)),
        ("HSV", (0, 255, 255), RED),
        ("CMYK", (0, 255, 255, 0), RED),
    ],
)
def test_pictures_of_every_mode(tmp_path, mode, colour, expected):
    picture = Image.new(mode, (3, 2), colour)
    read = [images.as_image(picture)]
    if mode not in ("PA", "HSV"):
        path = tmp_path / "picture.tif"
        picture.save(path)
        read.append(seglib.read_image(path))
    for image in read:
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
    assert np.array_equal(images.as_image(Image.open(path)), image)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_broken_exif_does_not_cost_the_picture(tmp_path):
    path = tmp_path / "broken-exif.jpg"
    Image.new("RGB", (8, 8), GREEN).save(path, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")
    assert seglib.read_image(path).shape == (8, 8, 3)


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
    for content in ("", "not a picture"):
        path = tmp_path / "text.jpg"
        path.write_text(content, encoding="utf-8")
        assert "empty" in assert_refused(seglib.read_image, path)
        assert "not a picture" in assert_refused(images.read_labels, path)
    closed = Image.open(seglib.write_image(tmp_path / "closed.png", seglib.sample_photo()))
    closed.close()
    with pytest.raises(SeglibError, match="the photo is"):
        images.as_image(closed, "photo")


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


def by_half_pixel_rule(row: np.ndarray, length: int) -> np.ndarray:
    """Linear interpolation as the definition writes it, one sample at a time."""
    centres = (np.arange(length) + 0.5) * len(row) / length - 0.5
    return np.interp(centres, np.arange(len(row)), row)


@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**31))
def test_growing_follows_half_pixel_centres_and_shrinking_averages(length, factor, seed):
    row = np.random.default_rng(seed).random(length * factor).astype(np.float32)
    grown = images.resize(row[None], (1, length * factor * 2))[0]
    assert np.allclose(grown, by_half_pixel_rule(row, len(grown)), atol=1e-5)
    shrunk = images.resize(row[None], (1, length))[0]
    assert np.allclose(shrunk, row.reshape(length, factor).mean(1), atol=1e-5)
    both = images.resize(np.stack([row, row]), (5, length))
    assert np.allclose(both, shrunk, atol=1e-5)
    mirrored = images.resize(row[None, ::-1], (1, 7))
    assert np.allclose(mirrored[:, ::-1], images.resize(row[None], (1, 7)), atol=1e-5)


SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))


@given(SIZES, SIZES, st.sampled_from([None, 1, 3, 5]), st.sampled_from([np.uint8, np.float32]))
def test_resizing_keeps_constants_range_type_and_channels(old, new, channels, kind):
    shape = old if channels is None else (*old, channels)
    noise = np.random.default_rng(1).integers(40, 200, shape).astype(kind)
    noise = noise / kind(199) if kind == np.float32 else noise
    resized = images.resize(noise, new)
    assert resized.shape == (*new, *shape[2:])
    assert resized.dtype == kind
    assert noise.min() <= resized.min() <= resized.max() <= noise.max()
    assert resized is not noise
    assert (images.resize(np.ones(shape, kind), new) == 1).all()


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
