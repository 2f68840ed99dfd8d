"""Every form in which people hold an image or a mask is read right, or refused in one sentence."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

import seglib
from seglib import SeglibError, images, metrics

SIDES = st.integers(1, 9)
ORDERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "mirrored": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "rotated": lambda a: np.rot90(np.ascontiguousarray(np.rot90(a)), -1),
    "swapped bytes": lambda a: a.astype(a.dtype.newbyteorder()),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}
PIXELS: dict[str, Callable[[np.ndarray], object]] = {
    "uint8": lambda a: a,
    "int64": lambda a: a.astype(np.int64),
    "levels as floats": lambda a: a.astype(np.float64),
    "float64": lambda a: a / 255,
    "float32": lambda a: a.astype(np.float32) / 255,
    "float16": lambda a: (a / 255).astype(np.float16),
    "uint16": lambda a: a.astype(np.uint16) * 257,
    "batch of one": lambda a: a[None],
    "RGBA": lambda a: np.dstack([a, np.full_like(a[..., :1], 255)]),
    "PIL": lambda a: Image.fromarray(np.ascontiguousarray(a)),
    "tensor": lambda a: np.asarray(a).view(np.ndarray),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a function which writes a picture and returns the path."""
    folder = tmp_path_factory.mktemp("forms")

    def write(picture: Image.Image | bytes, suffix: str = ".png", **options) -> str:
        path = folder / f"picture{suffix}"
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture.save(path, **options)
        return str(path)

    return write


def right_or_refused(call: Callable, value: object, expected: np.ndarray | None) -> None:
    """The call gives the expected value, or (only where it is None) one sentence."""
    if expected is None:
        with pytest.raises(SeglibError) as caught:
            call(value)
        assert "\n" not in str(caught.value)
    else:
        found = call(value)
        assert found.shape == expected.shape and found.flags.c_contiguous
        np.testing.assert_allclose(found, expected, atol=1e-6 if expected.dtype != np.uint8 else 0)


@given(st.data(), SIDES, SIDES, st.sampled_from(list(PIXELS)), st.sampled_from(list(ORDERS)))
def test_image_arrays(data, height, width, form, order):
    plain = data.draw(hnp.arrays(np.uint8, (height, width, 3)))
    plain[0, 0] = (255, 254, 2)  # else a dark one may be 0..1 as well
    value = PIXELS[form](ORDERS[order](plain))
    right_or_refused(images.as_image, value, plain)
    if width not in (1, 3, 4):
        right_or_refused(images.as_image, plain.transpose(2, 0, 1), plain)


def test_an_image_that_is_one_already_is_not_copied():
    photo = seglib.sample_photo()
    assert images.as_image(photo) is photo
    mask = np.zeros((4, 4), np.float32)
    assert np.shares_memory(images.as_mask(mask), mask)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (1, 5, 6), (1, 5, 6, 1), (1, 1, 5, 6)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "bool", "int32", "uint16"])
def test_grey_images_and_masks(shape, kind):
    levels = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8 + 23
    hard = np.uint8(255) * (levels > 99)
    grey = hard if kind == "bool" else levels
    scale = {"float32": 1 / 255, "bool": 1 / 255, "uint16": 257}.get(kind, 1)
    value = (grey * np.float64(scale)).astype(kind).reshape(shape)
    right_or_refused(images.as_image, value, np.repeat(grey[..., None], 3, axis=2))
    right_or_refused(images.as_mask, value, grey.astype(np.float32) / 255)


@pytest.mark.parametrize(
    "value",
    [
        np.full((5, 6, 3), 300),
        np.full((5, 6, 3), -1),
        np.full((5, 6, 3), 1.5),
        np.full((5, 6, 3), np.inf),
        np.full((5, 6, 3), 200, np.uint16),
        np.zeros((2, 5, 6, 3)),
        np.zeros((4, 5, 6)),
        np.zeros((5, 6, 3), complex),
        np.zeros((5, 6, 3), object),
        np.zeros((5, 0, 3)),
        np.zeros(()),
        [[1, 2], [3]],
        "no such file",
        None,
    ],
)
def test_what_is_no_plain_image_is_refused(value):
    right_or_refused(images.as_image, value, None)


def soft(side: int = 16) -> np.ndarray:
    """The levels of a soft mask, uint8: a disc with a wide edge."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.3
    return np.clip(255 * (1 - np.hypot(y, x) / side * 2.2) + 99, 0, 255).astype(np.uint8)


LOSSLESS = {
    ".webp": {"lossless": True, "exact": True},
    ".gif": {"optimize": False},  # else the numbers change
    ".jpg": {"quality": 100, "subsampling": 0},
}
HARD = np.uint8(soft() > 150)
CLASSES = HARD + HARD.T[::-1] * np.uint8(2) * (soft() > 180)
VOID = np.where(soft() // 40 == 2, np.uint8(255), HARD)
LEVELS: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
    "0 and 1": (HARD, HARD),
    "0 and 255": (HARD * np.uint8(255), HARD),
    "soft": (soft(), soft() / np.float32(255)),
    "empty": (HARD * np.uint8(0), HARD * 0),
    "all 1": (HARD * np.uint8(0) + 1, HARD * 0 + 1),
    "all 255": (HARD * np.uint8(0) + 255, HARD * 0 + 1),
    "classes": (CLASSES, None),
    "one class": (HARD * np.uint8(15), None),
    "a grey that is not white": (HARD * np.uint8(128), None),
    "void border": (VOID, None),
    "classes and void": (np.where(VOID == 255, VOID, CLASSES), None),
}
MASK_ARRAYS: dict[str, Callable[[np.ndarray], object]] = {
    "uint8": lambda a: a,
    "int32": lambda a: a.astype(np.int32),
    "uint16": lambda a: a.astype(np.uint16),
    "levels as floats": lambda a: a.astype(np.float32),
    "H x W x 1": lambda a: a[..., None],
    "1 x H x W": lambda a: a[None],
    "equal channels": lambda a: np.dstack([a] * 3),
    "opaque": lambda a: np.dstack([a, a, a, np.full_like(a, 255)]),
    "PIL": lambda a: Image.fromarray(np.ascontiguousarray(a)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("form", MASK_ARRAYS)
@pytest.mark.parametrize("levels", LEVELS)
def test_mask_arrays(levels, form, order):
    stored, expected = LEVELS[levels]
    expected = None if expected is None else expected.astype(np.float32)
    value = MASK_ARRAYS[form](ORDERS[order](stored))
    right_or_refused(images.as_mask, value, expected)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (np.full((4, 4), np.nan), "nan"),
        (np.full((4, 4), 1.01), "1.01"),
        (np.full((4, 4), -1), "-1"),
        (np.full((4, 4), 70000), "70000"),
        (np.arange(16).reshape(4, 4) * 1000, "class numbers"),
        (np.eye(4, dtype=np.uint16) * 4095, "class numbers"),
        (np.dstack([np.eye(4)] * 2), "shape"),
        (np.dstack([np.eye(4), np.zeros((4, 4)), np.eye(4)]), "colours"),
        (np.zeros((2, 4, 4, 1)), "shape"),
        ("mask", "no file mask"),
    ],
)
def test_what_is_no_plain_mask_is_refused(value, word):
    with pytest.raises(SeglibError, match=word):
        images.as_mask(value)


@given(st.data())
def test_no_array_at_all_ends_in_another_exception(data):
    dtype = data.draw(hnp.scalar_dtypes() | hnp.array_dtypes() | st.just(np.dtype(object)))
    value = data.draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0)))
    for call, kind in ((images.as_image, np.uint8), (images.as_mask, np.float32)):
        try:
            found = call(value)
        except SeglibError as error:
            assert "\n" not in str(error)
        else:
            assert found.dtype == kind and found.flags.c_contiguous and found.max() <= 255
            assert kind == np.uint8 or (found.min() >= 0 and found.max() <= 1)


def bits_png(levels: np.ndarray, bits: int) -> bytes:
    """A grey PNG of few bits, which Pillow does not write."""
    rows = np.unpackbits(levels[..., None].astype(np.uint8), axis=2)[:, :, 8 - bits :]
    packed = np.packbits(rows.reshape(len(levels), -1), axis=1)

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], bits, 0, 0, 0, 0)
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def palette(levels: np.ndarray, colours: str) -> Image.Image:
    picture = Image.fromarray(levels).convert("P")
    ramp = [value for level in range(256) for value in (level, level, level)]
    voc = np.random.default_rng(2).integers(30, 255, (256, 3))
    voc[0] = 0
    picture.putpalette(ramp if colours == "grey" else voc.ravel().tolist())
    return picture


LABEL_FILES: dict[str, tuple[Callable[[np.ndarray], Image.Image | bytes], str]] = {
    "8 bits": (Image.fromarray, ".png"),
    "16 bits": (lambda a: Image.fromarray(a.astype(np.uint16)), ".png"),
    "16 bits, TIFF": (lambda a: Image.fromarray(a.astype(np.uint16)), ".tif"),
    "32 bits": (lambda a: Image.fromarray(a.astype(np.int32)), ".tif"),
    "floats": (lambda a: Image.fromarray(a.astype(np.float32)), ".tif"),
    "BMP": (Image.fromarray, ".bmp"),
    "PGM": (Image.fromarray, ".pgm"),
    "WebP": (Image.fromarray, ".webp"),
    "RGB": (lambda a: Image.fromarray(np.dstack([a] * 3)), ".png"),
    "RGBA": (lambda a: Image.fromarray(np.dstack([a, a, a, np.full_like(a, 255)])), ".png"),
    "LA": (lambda a: Image.merge("LA", [Image.fromarray(x) for x in (a, a | 255)]), ".png"),
    "grey palette": (lambda a: palette(a, "grey"), ".png"),
    "palette": (lambda a: palette(a, "voc"), ".png"),
    "GIF": (lambda a: palette(a, "voc"), ".gif"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABEL_FILES)
@pytest.mark.parametrize("levels", LEVELS)
def test_mask_files(file, levels, kind):
    stored, expected = LEVELS[levels]
    write, suffix = LABEL_FILES[kind]
    path = file(write(stored), suffix, **LOSSLESS.get(suffix, {}))
    np.testing.assert_array_equal(images.read_labels(path), stored)
    expected = None if expected is None else expected.astype(np.float32)
    if kind in ("palette", "GIF") and stored.max() > 1:
        expected = None  # coloured indices are class numbers, 255 too
    right_or_refused(images.read_mask, path, expected)
    right_or_refused(images.as_mask, path, expected)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("white", [False, True])
def test_grey_files_of_few_bits_keep_their_numbers(file, bits, white):
    stored = HARD * (2**bits - 1 if white else 1)
    path = file(bits_png(stored, bits))
    np.testing.assert_array_equal(images.read_labels(path), stored)
    right_or_refused(images.read_mask, path, HARD.astype(np.float32))
    if bits > 1:
        path = file(bits_png(CLASSES, bits))
        np.testing.assert_array_equal(images.read_labels(path), CLASSES)
        right_or_refused(images.read_mask, path, None)


def test_a_pgm_keeps_its_numbers_whatever_its_highest_is(file):
    path = file(b"P5 16 16 40\n" + (CLASSES * 10).tobytes(), ".pgm")
    np.testing.assert_array_equal(images.read_labels(path), CLASSES * 10)


def test_sixteen_bit_masks_are_shares_of_65535(file):
    expected = soft() / np.float32(255)
    path = file(Image.fromarray(soft().astype(np.uint16) * 257))
    right_or_refused(images.read_mask, path, expected)
    path = file(Image.fromarray(np.where(VOID == 255, 65535, CLASSES).astype(np.uint16)))
    right_or_refused(images.read_mask, path, None)


PHOTO = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)


@pytest.mark.parametrize("under", ["white", "black", "green", "photo", "itself"])
@pytest.mark.parametrize("kind", [".png", ".tif", ".webp", "LA", "palette"])
def test_a_matte_in_the_alpha(file, under, kind):
    alpha = soft() if kind != "palette" else HARD * np.uint8(255)
    colours = {"white": (255,) * 3, "black": (0,) * 3, "green": (0, 255, 0)}
    colour = PHOTO if under == "photo" else alpha[..., None] * np.ones(3, np.uint8)
    colour = np.full_like(PHOTO, colours[under]) if under in colours else colour
    picture = Image.fromarray(np.dstack([colour, alpha]))
    if kind == "LA" and under not in ("green", "photo"):
        picture = picture.convert("LA")
    if kind == "palette":
        picture = picture.quantize(200, method=Image.Quantize.FASTOCTREE)
    path = file(picture, kind if kind.startswith(".") else ".png", **LOSSLESS.get(kind, {}))
    right_or_refused(images.read_mask, path, alpha.astype(np.float32) / 255)
    if kind != "palette":
        right_or_refused(images.as_mask, picture, alpha.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (np.dstack([PHOTO[..., :1].repeat(3, 2), soft()]), "transparency"),
        (np.dstack([np.full_like(PHOTO, 255), np.full_like(HARD, 8)]), "transparency"),
        (np.dstack([np.where(HARD[..., None], (255, 0, 0), (0, 0, 255)).astype(np.uint8), soft()]),
         "transparency"),
        (PHOTO, "colours"),
        (np.where(HARD[..., None], (200, 0, 0), 0).astype(np.uint8), r"\(200, 0, 0\)"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp"])
def test_a_mask_file_with_two_readings_says_what_was_found(file, picture, word, suffix):
    if suffix == ".gif":
        picture, word = picture[..., :3], "colours|numbers"
        if not np.ptp(picture, axis=2).any():
            return
    path = file(Image.fromarray(picture), suffix, **LOSSLESS.get(suffix, {}))
    with pytest.raises(SeglibError, match=word) as caught:
        images.read_mask(path)
    assert path in str(caught.value) and "rename" not in str(caught.value)
    assert suffix != ".gif" or "GIF" in str(caught.value)


def test_a_faint_mask_of_ours_reads_back_as_what_it_was(tmp_path):
    for top in (1, 2, 20):
        mask = np.eye(8, dtype=np.float32) * top / 255
        path = images.write_mask(tmp_path / "mask.png", mask)
        right_or_refused(images.read_mask, path, mask)


def test_class_numbers_are_not_made_up(file):
    with pytest.raises(SeglibError, match="JPEG"):
        images.read_labels(file(Image.fromarray(CLASSES), ".jpg"))
    with pytest.raises(SeglibError, match="colours"):
        images.read_labels(file(Image.fromarray(PHOTO)))
    with pytest.raises(SeglibError, match="fractions"):
        images.read_labels(file(Image.fromarray(soft() / np.float32(255)), ".tif"))


def test_metrics_take_masks_in_every_form():
    for truth in (HARD, HARD * 255, HARD.astype(bool), HARD[..., None] * 1.0):
        assert metrics.scores(HARD.astype(np.float16), truth)["iou"] == 1
    with pytest.raises(SeglibError, match="class numbers"):
        metrics.iou(HARD, VOID)


def p3_profile() -> bytes:
    """A profile with Display P3's colours and sRGB's curve, as an iPhone embeds it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    colours = {
        b"rXYZ": (0.51512, 0.2412, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.1571, 0.06657, 0.78407),
    }
    for index in range(count):
        name, place, _ = struct.unpack(">4sII", profile[132 + 12 * index : 144 + 12 * index])
        if name in colours:
            profile[place + 8 : place + 20] = struct.pack(
                ">3i", *(round(value * 65536) for value in colours[name])
            )
    return bytes(profile)


def in_p3(photo: np.ndarray) -> Image.Image:
    source, p3 = ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(p3_profile()))
    return ImageCms.profileToProfile(Image.fromarray(photo), source, p3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_photos_in_another_profile_are_converted_to_srgb(file, suffix):
    photo = images.resize(seglib.sample_photo(), (128, 128))
    path = file(in_p3(photo), suffix, icc_profile=p3_profile(), **LOSSLESS.get(suffix, {}))
    stored = np.asarray(Image.open(path))
    assert np.abs(stored.astype(int) - photo).max() > 8
    read = images.read_image(path)
    assert np.abs(read.astype(int) - photo).max() <= (9 if suffix == ".jpg" else 2)
    assert np.array_equal(images.as_image(Image.open(path)), read)
    # What is written looks the same: sRGB is what a file without a profile is in.
    again = file(Image.fromarray(read))
    assert np.array_equal(images.read_image(again), read)


def test_profiles_of_transparent_grey_and_palette_pictures(file):
    photo = images.resize(seglib.sample_photo(), (64, 64))
    picture = in_p3(photo)
    picture.putalpha(255)
    path = file(picture, icc_profile=p3_profile())
    assert np.abs(images.read_image(path).astype(int) - photo).max() <= 2
    few = in_p3(photo).quantize(64)
    path = file(few, icc_profile=p3_profile())
    expected = ImageCms.profileToProfile(
        few.convert("RGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(p3_profile())),
        ImageCms.createProfile("sRGB"),
    )
    assert np.abs(images.read_image(path).astype(int) - np.asarray(expected)).max() <= 2
    grey = Image.fromarray(photo[..., 0])
    path = file(grey, icc_profile=p3_profile())  # of the wrong kind: left aside
    assert np.array_equal(images.read_image(path)[..., 1], photo[..., 0])


def test_an_srgb_profile_changes_nothing(file):
    photo = images.resize(seglib.sample_photo(), (64, 64))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(images.read_image(file(Image.fromarray(photo), icc_profile=srgb)), photo)


@given(st.binary(max_size=400), st.integers(0, 500), st.sampled_from(["RGB", "L", "CMYK", "LA"]))
def test_a_damaged_profile_does_not_cost_the_picture(file, noise, place, mode):
    photo = Image.fromarray(PHOTO).convert(mode)
    profile = bytearray(p3_profile())
    profile[place : place + len(noise)] = noise
    path = file(photo, ".tif", icc_profile=bytes(profile))
    assert images.read_image(path).shape == (16, 16, 3)


@given(st.data())
def test_a_damaged_file_is_read_or_refused(file, data):
    suffix = data.draw(st.sampled_from([".png", ".jpg", ".gif", ".webp", ".tif", ".bmp", ".pgm"]))
    mode = data.draw(st.sampled_from(["L", "P"])) if suffix != ".jpg" else "L"
    picture = Image.fromarray(soft()).convert("L" if suffix in (".pgm", ".webp") else mode)
    buffer = io.BytesIO()
    picture.save(buffer, Image.registered_extensions()[suffix])
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = file(bytes(content[: data.draw(st.integers(1, len(content)))]), suffix)
    for call in (images.read_image, images.read_mask, images.read_labels):
        try:
            call(path)
        except SeglibError as error:
            assert path in str(error) and "\n" not in str(error)
