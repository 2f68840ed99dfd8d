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
from seglib import SeglibError, data, images, metrics, postprocess

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
}
LOSSLESS = {
    ".webp": {"lossless": True, "exact": True},
    ".gif": {"optimize": False},  # else the numbers change
    ".jpg": {"quality": 100, "subsampling": 0},
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Return a function which writes a picture and returns the path."""
    folder = tmp_path_factory.mktemp("forms")

    def write(picture: Image.Image | np.ndarray | bytes, suffix: str = ".png", **options) -> str:
        path = folder / f"picture{suffix}"
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
            picture.save(path, **LOSSLESS.get(suffix, {}), **options)
        return str(path)

    return write


def right(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape and found.flags.c_contiguous
    np.testing.assert_allclose(found, expected, atol=1e-6 if found.dtype == np.float32 else 0)


def refused(call: Callable, value: object, word: str = "") -> str:
    with pytest.raises(SeglibError, match=word) as caught:
        call(value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(
    st.data(),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(list(PIXELS)),
    st.sampled_from(list(ORDERS)),
)
def test_image_arrays(data, height, width, form, order):
    plain = data.draw(hnp.arrays(np.uint8, (height, width, 3)))
    plain[0, 0] = (255, 254, 2)  # else a dark one may be 0..1 as well
    right(images.as_image(PIXELS[form](ORDERS[order](plain))), plain)
    if width not in (1, 3, 4):
        right(images.as_image(plain.transpose(2, 0, 1)), plain)


def test_what_is_plain_already_is_not_copied():
    photo, mask = seglib.sample_photo(), np.zeros((4, 4), np.float32)
    assert images.as_image(photo) is photo
    assert np.shares_memory(images.as_mask(mask), mask)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (1, 5, 6), (1, 5, 6, 1), (1, 1, 5, 6)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "bool", "int32", "uint16"])
def test_grey_images_and_masks(shape, kind):
    levels = np.arange(30, dtype=np.uint8).reshape(5, 6) * 8 + 23
    grey = np.uint8(255) * (levels > 99) if kind == "bool" else levels
    scale = {"float32": 1 / 255, "bool": 1 / 255, "uint16": 257}.get(kind, 1)
    value = (grey * np.float64(scale)).astype(kind).reshape(shape)
    right(images.as_image(value), np.repeat(grey[..., None], 3, axis=2))
    right(images.as_mask(value), grey.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (np.full((5, 6, 3), 300), "300"),
        (np.full((5, 6, 3), -1), "-1"),
        (np.full((5, 6, 3), 1.5), "1.5"),
        (np.full((5, 6, 3), np.nan), "nan"),
        (np.full((5, 6, 3), np.inf), "inf"),
        (np.full((5, 6, 3), 200, np.uint16), "uint16"),
        (np.zeros((2, 5, 6, 3)), "shape"),
        (np.zeros((4, 5, 6)), "shape"),
        (np.zeros((5, 6, 3), complex), "complex"),
        (np.zeros((5, 0, 3)), "shape"),
        ([[1, 2], [3]], "cannot read"),
        ("no such picture", "no file no such picture"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_plain_image_is_refused(value, word):
    refused(lambda v: images.as_image(v, "photo"), value, word)


def soft(side: int = 16) -> np.ndarray:
    """The levels of a soft mask, uint8: a disc with a wide edge."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.3
    return np.clip(255 * (1 - np.hypot(y, x) / side * 2.2) + 99, 0, 255).astype(np.uint8)


HARD = np.uint8(soft() > 150)
CLASSES = HARD + HARD.T[::-1] * np.uint8(2) * (soft() > 180)
VOID = np.where(soft() // 40 == 2, np.uint8(255), HARD)
# What is stored, and the mask that it is; None where that cannot be told.
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
    "1 x H x W": lambda a: a[None],
    "equal channels": lambda a: np.dstack([a] * 3),
    "opaque": lambda a: np.dstack([a, a, a, np.full_like(a, 255)]),
    "PIL": lambda a: Image.fromarray(np.ascontiguousarray(a)),
}


@pytest.mark.parametrize("form", MASK_ARRAYS)
@pytest.mark.parametrize("levels", LEVELS)
def test_mask_arrays(levels, form):
    stored, expected = LEVELS[levels]
    for order in ORDERS.values():
        value = MASK_ARRAYS[form](order(stored))
        if expected is None:
            refused(images.as_mask, value, "class numbers")
        else:
            right(images.as_mask(value), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (np.full((4, 4), np.nan), "nan"),
        (np.full((4, 4), 1.01), "1.01"),
        (np.full((4, 4), 70000), "70000"),
        (np.full((4, 4), -1), "-1"),
        (np.arange(16).reshape(4, 4) * 1000, "class numbers"),
        (np.eye(4, dtype=np.uint16) * 4095, "class numbers"),
        (np.dstack([np.eye(4)] * 2), "shape"),
        (np.dstack([np.eye(4), np.zeros((4, 4)), np.eye(4)]), "colours"),
        (np.zeros((5, 4)), "4x5 but the image is 4x4"),
    ],
)
def test_what_is_no_plain_mask_is_refused(value, word):
    refused(lambda v: images.as_mask(v, shape=(4, 4, 3)), value, word)


@given(st.data())
def test_no_array_at_all_ends_in_another_exception(data):
    dtype = data.draw(hnp.scalar_dtypes() | hnp.array_dtypes() | st.just(np.dtype(object)))
    value = data.draw(
        hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    )
    for call, kind in ((images.as_image, np.uint8), (images.as_mask, np.float32)):
        try:
            found = call(value)
        except SeglibError as error:
            assert "\n" not in str(error)
        else:
            assert found.dtype == kind and found.flags.c_contiguous
            assert kind == np.uint8 or (found.min() >= 0 and found.max() <= 1)


def bits_png(levels: np.ndarray, bits: int) -> bytes:
    """A grey PNG of few bits, which Pillow does not write."""
    rows = np.unpackbits(levels[..., None].astype(np.uint8), axis=2)[:, :, 8 - bits :]
    lines = np.packbits(rows.reshape(len(levels), -1), axis=1)
    head = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], bits, 0, 0, 0, 0)
    content = zlib.compress(np.pad(lines, ((0, 0), (1, 0))))
    chunks = b""
    for name, part in ((b"IHDR", head), (b"IDAT", content), (b"IEND", b"")):
        chunks += struct.pack(">I", len(part)) + name + part
        chunks += struct.pack(">I", zlib.crc32(name + part))
    return b"\x89PNG\r\n\x1a\n" + chunks


def palette(levels: np.ndarray, grey: bool = False) -> Image.Image:
    picture = Image.fromarray(levels).convert("P")
    colours = np.random.default_rng(2).integers(30, 255, (256, 3))
    colours[0] = 0
    picture.putpalette((np.arange(768) // 3 if grey else colours.ravel()).tolist())
    return picture


FILES: dict[str, tuple[Callable[[np.ndarray], object], str]] = {
    "8 bits": (lambda a: a, ".png"),
    "16 bits": (lambda a: a.astype(np.uint16), ".png"),
    "16 bits, TIFF": (lambda a: a.astype(np.uint16), ".tif"),
    "32 bits": (lambda a: a.astype(np.int32), ".tif"),
    "floats": (lambda a: a.astype(np.float32), ".tif"),
    "BMP": (lambda a: a, ".bmp"),
    "PGM": (lambda a: a, ".pgm"),
    "WebP": (lambda a: a, ".webp"),
    "RGB": (lambda a: np.dstack([a] * 3), ".png"),
    "RGBA": (lambda a: np.dstack([a, a, a, np.full_like(a, 255)]), ".png"),
    "LA": (lambda a: Image.merge("LA", [Image.fromarray(x) for x in (a, a | 255)]), ".png"),
    "grey palette": (lambda a: palette(a, grey=True), ".png"),
    "palette": (palette, ".png"),
    "GIF": (palette, ".gif"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("levels", LEVELS)
def test_mask_and_label_files(file, levels, kind):
    stored, expected = LEVELS[levels]
    form, suffix = FILES[kind]
    path = file(form(stored), suffix)
    np.testing.assert_array_equal(images.read_labels(path), stored)
    if expected is None or (form == palette and stored.max() > 1):
        # Coloured indices are class numbers, 255 too.
        message = refused(images.read_mask, path, "class numbers")
        assert path in message and ("GIF" in message) == (kind == "GIF")
        return
    right(images.read_mask(path), expected.astype(np.float32))
    right(images.as_mask(path), expected.astype(np.float32))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_grey_files_of_few_bits_keep_their_numbers(file, bits):
    for white in (1, 2**bits - 1):
        path = file(bits_png(HARD * white, bits))
        np.testing.assert_array_equal(images.read_labels(path), HARD * white)
        right(images.read_mask(path), HARD.astype(np.float32))
    path = file(b"P5 16 16 40\n" + (CLASSES * bits).tobytes(), ".pgm")
    np.testing.assert_array_equal(images.read_labels(path), CLASSES * bits)
    if bits > 1:
        path = file(bits_png(CLASSES, bits))
        np.testing.assert_array_equal(images.read_labels(path), CLASSES)
        refused(images.read_mask, path, "class numbers")


def test_sixteen_bit_masks_are_shares_of_65535(file):
    path = file(soft().astype(np.uint16) * 257)
    right(images.read_mask(path), soft() / np.float32(255))
    refused(images.read_mask, file(np.where(VOID == 255, np.uint16(65535), CLASSES)), "class")


PHOTO = np.random.default_rng(1).integers(0, 255, (16, 16, 3), np.uint8)


@pytest.mark.parametrize("under", [(255, 255, 255), (0, 0, 0), (0, 255, 0), "photo", "itself"])
@pytest.mark.parametrize("kind", [".png", ".tif", ".webp", "LA", "palette"])
def test_a_matte_in_the_alpha(file, under, kind):
    alpha = soft() if kind != "palette" else HARD * np.uint8(255)
    colour = {"photo": PHOTO, "itself": alpha[..., None]}.get(under, np.array(under))
    picture = Image.fromarray(np.dstack([colour * np.ones_like(PHOTO), alpha]).astype(np.uint8))
    if kind == "LA":
        picture = picture.convert("LA")
    if kind == "palette":
        picture = picture.quantize(200, method=Image.Quantize.FASTOCTREE)
    path = file(picture, kind if kind.startswith(".") else ".png")
    if kind == "LA" and under == "photo":
        # The grey photo might as well be the mask.
        refused(images.read_mask, path, "transparency")
        return
    right(images.read_mask(path), alpha / np.float32(255))
    right(images.as_mask(Image.open(path)), alpha / np.float32(255))


RED_BLUE = np.where(HARD[..., None], (255, 0, 0), (0, 0, 255)).astype(np.uint8)


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (np.dstack([PHOTO[..., :1]] * 3 + [soft()]), "transparency"),
        (np.dstack([np.full_like(PHOTO, 255), np.full_like(HARD, 8)]), "transparency"),
        (np.dstack([RED_BLUE, soft()]), "transparency"),
        (PHOTO, "colours"),
        (RED_BLUE // 255 * 200, r"colours such as \(0, 0, 200\)"),
    ],
)
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_mask_file_with_two_readings_says_what_was_found(file, picture, word, suffix):
    path = file(picture, suffix)
    assert path in refused(images.read_mask, path, word)


def test_class_numbers_are_not_made_up(file):
    refused(images.read_labels, file(CLASSES, ".jpg"), "JPEG")
    refused(images.read_labels, file(PHOTO), "colours")
    refused(images.read_labels, file(soft() / np.float32(255), ".tif"), "fractions")


def profile(space: bytes = b"RGB ") -> bytes:
    """A colour profile: Display P3 with sRGB's curve, as of an iPhone, or four inks."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    xyz = b"XYZ \0\0\0\0"
    curve = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", 157286, 62119, 3417, 5072, 2651)
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\5test\0" + bytes(79), b"wtpt": xyz + white}
    if space == b"RGB ":
        colours = ((33759, 15807, -69), (19135, 45367, 2745), (10296, 4363, 51385))
        for name, colour in zip((b"r", b"g", b"b"), colours, strict=True):
            tags[name + b"XYZ"], tags[name + b"TRC"] = xyz + struct.pack(">3i", *colour), curve
    else:
        # From white to black by black ink alone: the corners of a table in Lab.
        corners = b"".join(bytes([0 if k else 255, 128, 128]) for k in (0, 1) * 8)
        matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
        tables = bytes(range(256))
        head = b"mft1\0\0\0\0\4\3\2\0" + matrix
        tags[b"A2B0"] = head + tables * 4 + corners + tables * 3
    body, place = b"", 132 + 12 * len(tags)
    table = struct.pack(">I", len(tags))
    for name, content in tags.items():
        table += name + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    kinds = b"\2\x40\0\0" + (b"mntr" if space == b"RGB " else b"prtr") + space
    kinds += b"XYZ " if space == b"RGB " else b"Lab "
    head = struct.pack(">I4x", place + len(body)) + kinds + bytes(12) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + body


def in_p3(photo: np.ndarray) -> Image.Image:
    p3 = ImageCms.ImageCmsProfile(io.BytesIO(profile()))
    return ImageCms.profileToProfile(Image.fromarray(photo), ImageCms.createProfile("sRGB"), p3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", "RGBA"])
def test_photos_in_another_profile_are_converted_to_srgb(file, suffix):
    photo = images.resize(seglib.sample_photo(), (128, 128))
    picture = in_p3(photo)
    assert np.abs(np.asarray(picture).astype(int) - photo).max() > 8
    if suffix == "RGBA":
        picture.putalpha(255)
    path = file(picture, suffix if suffix != "RGBA" else ".png", icc_profile=profile())
    read = images.read_image(path)
    assert np.abs(read.astype(int) - photo).max() <= (9 if suffix == ".jpg" else 2)
    assert np.array_equal(images.as_image(Image.open(path)), read)
    # What is written looks the same: sRGB is what a file without a profile is in.
    assert np.array_equal(images.read_image(file(read)), read)
    # A mask is no colour.
    path = file(soft(), icc_profile=profile())
    right(images.read_mask(path), soft() / np.float32(255))


def test_profiles_of_ink_and_of_the_wrong_kind(file):
    inks = Image.frombytes("CMYK", (16, 16), np.dstack([PHOTO, soft()]).tobytes())
    for suffix in (".tif", ".jpg"):
        read = images.read_image(file(inks, suffix, icc_profile=profile(b"CMYK")))
        # By this profile black ink alone counts, by Pillow's plain rule all four do.
        assert np.ptp(read.astype(int), axis=2).max() < 12
        assert np.corrcoef(read[..., 0].ravel(), soft().ravel())[0, 1] < -0.98
    assert np.array_equal(images.read_image(file(PHOTO, icc_profile=profile(b"CMYK"))), PHOTO)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(images.read_image(file(PHOTO, icc_profile=srgb)), PHOTO)


@given(st.binary(max_size=400), st.integers(0, 500), st.sampled_from(["RGB", "L", "CMYK", "LA"]))
def test_a_damaged_profile_does_not_cost_the_picture(file, noise, place, mode):
    damaged = bytearray(profile(b"CMYK" if mode == "CMYK" else b"RGB "))
    damaged[place : place + len(noise)] = noise
    path = file(Image.fromarray(PHOTO).convert(mode), ".tif", icc_profile=bytes(damaged))
    assert images.read_image(path).shape == (16, 16, 3)


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.data(), st.sampled_from([".png", ".jpg", ".gif", ".webp", ".tif", ".bmp", ".pgm"]))
def test_a_damaged_file_is_read_or_refused(file, data, suffix):
    with open(file(soft(), suffix), "rb") as whole:
        content = bytearray(whole.read())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = file(bytes(content[: data.draw(st.integers(1, len(content)))]), suffix)
    for call in (images.read_image, images.read_mask, images.read_labels):
        try:
            call(path)
        except SeglibError as error:
            assert path in str(error) and "\n" not in str(error)


def test_metrics_take_masks_in_every_form():
    for truth in (HARD, HARD * 255, HARD.astype(bool), HARD[..., None] * 1.0):
        assert metrics.scores(HARD.astype(np.float16), truth)["iou"] == 1
    refused(lambda truth: metrics.iou(HARD, truth), VOID, "class numbers")


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (1, 40), (3, 2)], ids=str)
def test_pictures_of_a_few_pixels_go_through_every_door(shape, tmp_path):
    rng = np.random.default_rng(7)
    photo = rng.integers(0, 256, (*shape, 3), np.uint8)
    mask = np.zeros(shape, np.float32)
    mask[0, 0] = 1
    pairs = data.Dataset.from_arrays([photo, photo], [mask, mask], "tiny", "mask")
    data.write_folder(tmp_path / "tiny", pairs)
    again = data.open_folder(tmp_path / "tiny")
    assert np.array_equal(again[0][0], photo) and np.array_equal(again[0][1], mask)
    assert data.validate(tmp_path / "tiny") is not None
    for size in (1, 8):
        x, y = data.Batches([photo], [mask], 1, size, data.AugmentConfig())[0]
        assert x.shape == (1, size, size, 3) and y.shape == (1, size, size, 1)
    assert metrics.iou(mask, mask) == metrics.boundary_iou(mask, mask) == 1
    for effect in ("blur", "bokeh", "grey", "recolour", "multiply", "clone", "replace"):
        scene = photo[::-1] if effect in ("clone", "replace") else None
        frame = postprocess.Pipeline(postprocess.PostprocessConfig(effect=effect))(
            photo, mask, scene
        )
        assert frame.shape == photo.shape and frame.dtype == np.uint8
