"""Picture files of every kind, read as images and masks; images and masks written as files.

Chapter: data preparation.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images.arrays import check_image, check_mask, resize

MAX_PIXELS = 150_000_000
"""Larger pictures are refused: decoded, they fill gigabytes, and a phone takes none of them."""

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture file as uint8 RGB, H x W x 3.

    The picture is turned upright as its EXIF orientation says. Grey, palette, CMYK and 16-bit
    pictures are converted to 8-bit RGB; transparency is laid over white. Of an animation, the first
    frame is read.

    Raises:
        SeglibError: the file is missing, empty, truncated, no picture, a floating-point picture or
            larger than `MAX_PIXELS`.
    """
    path = Path(path)
    # A copy, since the array that shares Pillow's buffer cannot be written to.
    return np.array(_as_rgb(_open(path), path))


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask file as float32 in [0, 1], H x W.

    White (255, or 65535 in a 16-bit file) is 1. A file that holds 0 and 1 therefore reads as almost
    black; `seglib.data.validate` reports such files.

    Raises:
        SeglibError: as for `read_image`, and where the file has colours or transparency, since
            there is no telling which of them is the mask.
    """
    path = Path(path)
    picture = _open(path)
    if picture.mode.startswith("I"):
        return _sixteen_bit(picture, path).astype(np.float32) / np.float32(65535)
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L"), dtype=np.float32) / np.float32(255)
    if picture.has_transparency_data and picture.convert("RGBA").getextrema()[3] != (
        255,
        255,
    ):
        raise SeglibError(
            f"{path} has transparent pixels, so its mask is ambiguous; save it as a grey PNG"
        )
    rgb = np.asarray(_as_rgb(picture, path))
    grey = rgb[..., 0]
    if not (np.array_equal(grey, rgb[..., 1]) and np.array_equal(grey, rgb[..., 2])):
        raise SeglibError(f"{path} has colours, so it is no mask; save it as a grey PNG, 0 to 255")
    return grey.astype(np.float32) / np.float32(255)


def read_folder(folder: str | Path, size: int, count: int = 100) -> np.ndarray:
    """Read up to `count` photos of a folder, evenly spread over its sorted names.

    Args:
        folder: a folder of photos, or a prepared data set, whose `images/` is then read.
        size: side of the squares the photos are stretched to, pixels.
        count: how many at most; about 100 suffice to calibrate an int8 conversion.

    Returns:
        uint8 (N, size, size, 3).

    Raises:
        SeglibError: there is no such folder, it holds no photos, or one cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SeglibError(f"there is no folder {folder}; give one with photos")
    place = folder / "images" if (folder / "images").is_dir() else folder
    files = sorted(file for file in place.iterdir() if file.suffix.lower() in _FORMATS)
    if not files:
        raise SeglibError(f"{place} holds no photos ({', '.join(_FORMATS)}); add some")
    chosen = files[:: -(-len(files) // count)]
    return np.stack([resize(read_image(file), (size, size)) for file in chosen])


def write_image(path: str | Path, image: np.ndarray) -> Path:
    """Write a uint8 RGB image; the suffix (.jpg, .jpeg, .png, .webp) chooses the format.

    The file appears whole or not at all. JPEG and WebP are written at quality 95, JPEG without
    chroma subsampling, so that a recoloured edge keeps its colour.

    Raises:
        SeglibError: unknown suffix, not an image, folder not writable or disk full.
    """
    return _write(Path(path), Image.fromarray(check_image(image)), _FORMATS)


def write_mask(path: str | Path, mask: np.ndarray) -> Path:
    """Write a float mask in [0, 1] as a grey 8-bit PNG, rounded to the nearest of 0..255.

    Raises:
        SeglibError: the suffix is not .png, not a mask, folder not writable or disk full.
    """
    levels = np.rint(check_mask(mask) * 255).astype(np.uint8)
    return _write(Path(path), Image.fromarray(levels), {".png": "PNG"})


def sample_photo() -> np.ndarray:
    """Return the built-in photograph, uint8 RGB, 512 x 512 x 3.

    It is NASA's portrait of the astronaut Eileen Collins (public domain), as `skimage.data` has it.
    """
    return read_image(Path(__file__).parent.parent / "assets" / "astronaut.jpg")


def _open(path: Path) -> Image.Image:
    """Decode a file completely and turn it upright."""
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; check the name and the folder")
    if path.stat().st_size == 0:
        raise SeglibError(f"{path} is empty; copy or download it again")
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 and refuses from 179 megapixels; our own limit lies between.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except PermissionError as error:
        raise SeglibError(f"cannot read {path}; check its permissions") from error
    except UnidentifiedImageError as error:
        raise SeglibError(
            f"{path} is not a picture that can be read; use a JPEG, PNG or WebP file"
        ) from error
    # Pillow's decoders let many kinds of exception through on damaged files.
    except Exception as error:
        raise _damaged(path, error) from error
    with picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise _too_large(path)
        try:
            picture.load()
        except Exception as error:
            raise _damaged(path, error) from error
        try:
            return ImageOps.exif_transpose(picture)
        # Orientation is a comfort: unreadable EXIF must not cost the picture.
        except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
            return picture.copy()


def _too_large(path: Path) -> SeglibError:
    return SeglibError(
        f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
    )


def _damaged(path: Path, error: Exception) -> SeglibError:
    return SeglibError(f"{path} is damaged or cut short ({error}); copy or download it again")


def _as_rgb(picture: Image.Image, path: Path) -> Image.Image:
    if picture.mode == "RGB":
        return picture
    if picture.mode == "F":
        raise SeglibError(f"{path} holds floating-point values; save it with 8 or 16 bits")
    if picture.mode.startswith("I"):
        grey = (_sixteen_bit(picture, path) // 257).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(picture, mask=picture.getchannel("A"))
        return white
    try:
        return picture.convert("RGB")
    except ValueError as error:
        raise SeglibError(
            f"{path} has colour mode {picture.mode}, which has no conversion; save it as RGB"
        ) from error


def _sixteen_bit(picture: Image.Image, path: Path) -> np.ndarray:
    """Return the values of a 16-bit grey picture, whichever mode Pillow chose for it."""
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise SeglibError(f"{path} holds more than 16 bits per pixel; save it with 8 or 16 bits")
    return values


def _write(path: Path, picture: Image.Image, formats: dict[str, str]) -> Path:
    kind = formats.get(path.suffix.lower())
    if kind is None:
        raise SeglibError(f"cannot write {path}; its name must end in {' or '.join(formats)}")
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    with atomic_path(path) as temporary:
        picture.save(temporary, format=kind, **options)
    return path
