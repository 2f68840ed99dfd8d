"""Images and masks: what they are in memory, and how files and other forms become them.

An image is uint8 RGB, H x W x 3. A mask is float32 in [0, 1], H x W, where 1 is the foreground; on
disk it is a grey PNG, 0..255. `as_image` and `as_mask` take what people hold instead, where it can
be read one way only, and refuse the rest. Chapter: data preparation.
"""

import io
import os
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from seglib.errors import SeglibError, renamed
from seglib.files import atomic_path, list_files

__all__ = [
    "as_image",
    "as_mask",
    "read_image",
    "read_mask",
    "read_labels",
    "read_folder",
    "write_image",
    "write_mask",
    "resize",
    "sample_photo",
]
__getattr__ = renamed(__name__, {"check_image": "as_image", "check_mask": "as_mask"})

MAX_PIXELS = 150_000_000  # more fill gigabytes once they are decoded, and no phone takes them
_JPEG = {"format": "JPEG", "quality": 95, "subsampling": 0}
_PNG, _WEBP = {"format": "PNG"}, {"format": "WEBP", "quality": 95}
_FORMATS = {".jpg": _JPEG, ".jpeg": _JPEG, ".png": _PNG, ".webp": _WEBP}
# Marks masks of ours: a nearly empty one may hold 0 and 1 of 255, and must not pass for labels.
_NOTE = ("Values", "0 to 255 are 0 to 1")
_MODES = ("1", "L", "LA", "P", "F", "RGB", "RGBA", "CMYK")
_PICTURES = (str, os.PathLike, Image.Image)


def as_image(value: Any, name: str = "image") -> np.ndarray:
    """Return a picture in any plain form as uint8 RGB, H x W x 3, C-contiguous.

    A contiguous uint8 RGB array comes back itself, not copied. Also taken are paths and PIL images,
    as `read_image` reads them; arrays (and tensors that NumPy can read) in any memory order: grey,
    RGBA (laid over white), 3 x H x W where the last axis cannot be channels, a batch of one; floats
    from 0 to 1, booleans, 16 bits up to 65535, whole numbers to 255. Errors call it `name`.
    """
    if isinstance(value, _PICTURES):
        return _rgb(value, f"the {name}")
    levels = _levels(_array(value, f"the {name}"), f"the {name}")
    if levels.shape[2] == 4:
        return _rgb(Image.fromarray(np.ascontiguousarray(levels)), f"the {name}")
    return np.repeat(levels, 3, axis=2) if levels.shape[2] == 1 else np.ascontiguousarray(levels)


def as_mask(value: Any, name: str = "mask", shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return a mask in any plain form as float32 in [0, 1], H x W, C-contiguous.

    Taken are booleans, floats from 0 to 1, numbers that are all 0 or 1, and grey levels up to 255
    (or 65535); H x W, H x W x 1, 1 x H x W, equal RGB channels, a matte that is all in the alpha of
    RGBA; as an array, a path or a PIL image. What may be class numbers is refused: few low numbers,
    also beside a void border of 255, or 0 and one other value that is not white. Errors call it
    `name`; `shape` is the (height, width, ...) it must have, where that matters.
    """
    what = f"the {name}"
    if isinstance(value, _PICTURES):
        mask = _mask(value, what)
    else:
        mask = _shares(_one_channel(_array(value, what), what), what)
    if shape is not None and mask.shape != tuple(shape[:2]):
        raise SeglibError(
            f"{what} is {mask.shape[1]}x{mask.shape[0]} but the image is "
            f"{shape[1]}x{shape[0]}; bring it to the image's size with seglib.images.resize"
        )
    return np.ascontiguousarray(mask)


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture file of at most `MAX_PIXELS` as uint8 RGB, H x W x 3.

    It is turned upright as its EXIF orientation says and converted to sRGB by its ICC profile (a
    damaged one is left aside). Grey, palette, CMYK and 16-bit pictures become 8-bit RGB,
    transparency is laid over white, and of an animation the first frame is read.
    """
    return _rgb(path)


def read_mask(path: str | Path, judge: bool = True) -> np.ndarray:
    """Read a mask file as float32 in [0, 1], H x W; see `as_mask` for what is taken and refused.

    Without `judge`, values are taken as shares of white even if they look like class numbers.
    """
    return _mask(path, judge=judge)


def read_labels(path: str | Path) -> np.ndarray:
    """Read class numbers as a file stores them: palette indices, or grey values of 1 to 32 bits."""
    picture, what = _decode(path)
    deep = picture.mode in ("RGB", "RGBA", "LA") and ";16" in str(picture.info["stored"])
    if deep or picture.info["kind"] in ("JPEG", "MPO"):
        raise SeglibError(f"{what} keeps no class numbers (JPEG or 16-bit RGB); save a grey PNG")
    numbers, _ = _numbers(picture, what)
    if numbers.min() < 0 or not np.all(numbers == np.floor(numbers)):
        raise SeglibError(f"{what} holds fractions or negative numbers, which are no classes")
    kind = np.int32 if numbers.dtype.kind in "if" else np.uint16
    return numbers.astype(np.uint8 if numbers.dtype.itemsize == 1 else kind)


def read_folder(folder: str | Path, size: int, count: int = 100) -> np.ndarray:
    """Read up to `count` photos of a folder or its `images/`, spread evenly: (N, size, size, 3)."""
    place = Path(folder, "images") if Path(folder, "images").is_dir() else Path(folder)
    files = list_files(place, _FORMATS)
    if not files:
        raise SeglibError(f"{place} holds no photos ({', '.join(_FORMATS)}); add some")
    chosen = files[:: -(-len(files) // count)]
    return np.stack([resize(read_image(file), (size, size)) for file in chosen])


def write_image(path: str | Path, image: Any) -> Path:
    """Write an image; the suffix (.jpg, .jpeg, .png, .webp) chooses the format.

    The file appears whole or not at all. JPEG and WebP have quality 95, JPEG no chroma subsampling,
    so that a recoloured edge keeps its colour. .png and .webp keep the transparency of a uint8
    H x W x 4 array, .jpg refuses it.
    """
    clear = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.shape[2:] == (4,)
    clear = clear and bool((image[..., 3] < 255).any())
    if clear and Path(path).suffix.lower() in (".jpg", ".jpeg"):
        raise SeglibError(f"{path} would lose the transparency; let its name end in .png or .webp")
    return _write(path, np.ascontiguousarray(image) if clear else as_image(image), _FORMATS)


def write_mask(path: str | Path, mask: Any) -> Path:
    """Write a mask as a grey 8-bit .png, rounded to the nearest of 0..255."""
    note = PngImagePlugin.PngInfo()
    note.add_text(*_NOTE)
    levels = np.rint(as_mask(mask) * 255).astype(np.uint8)
    return _write(path, levels, {".png": {"pnginfo": note, **_PNG}})


def sample_photo() -> np.ndarray:
    """Return NASA's portrait of the astronaut Eileen Collins (public domain), 512 x 512 x 3."""
    return read_image(Path(__file__).parent / "assets" / "astronaut.jpg")


def resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize H x W or H x W x C to `size` = (height, width), keeping the type.

    An axis that shrinks is averaged over the area a new pixel covers, one that grows is
    interpolated linearly. The centre of pixel i lies at i + 0.5, so the picture's edges stay where
    they are; the older `align_corners` shifts a mask by up to half a source pixel.
    """
    height, width = size
    if height < 1 or width < 1:
        raise SeglibError(f"cannot resize to {width}x{height}; both sides must be at least 1 pixel")
    averaged = array.dtype in (np.uint8, np.uint16, np.float32, np.float64)
    if array.ndim not in (2, 3) or array.size == 0 or not averaged:
        raise SeglibError(
            f"cannot resize {array.dtype} values of shape {array.shape} by averaging; "
            "hand in uint8 or float32, H x W or H x W x C"
        )
    if array.ndim == 3 and array.shape[2] > 4:
        # OpenCV's limit; masks of many labels have more.
        return np.stack([resize(plane, size) for plane in np.moveaxis(array, 2, 0)], axis=-1)
    if array.shape[:2] == (height, width):
        return array.copy()
    # Area first and linear second, since OpenCV's area filter does not average a growing axis.
    resized = np.ascontiguousarray(array)
    shrunk = (min(height, array.shape[0]), min(width, array.shape[1]))
    if shrunk != array.shape[:2]:
        resized = cv2.resize(resized, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if shrunk != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    if array.dtype.kind == "f":
        # Rounding in OpenCV's sums may end a hair outside, and 1.0000001 is no mask any more.
        np.clip(resized, array.min(), array.max(), out=resized)
    # OpenCV drops a last axis of length 1.
    return resized.reshape(height, width, *array.shape[2:])


def _array(value: Any, what: str) -> np.ndarray:
    """Return a view of numbers, H x W x 1, 3 or 4."""
    try:
        array = np.asarray(value)
    # Tensors that live on a graphics card, or want a gradient, raise what they please.
    except Exception as error:
        raise SeglibError(f"NumPy cannot read {what} ({error}); hand in an array") from error
    inner = array[0] if array.ndim == 4 and len(array) == 1 else array
    if inner.ndim == 2:
        inner = inner[..., None]
    elif inner.ndim == 3 and inner.shape[2] not in (1, 3, 4) and inner.shape[0] in (1, 3):
        inner = inner.transpose(1, 2, 0)
    shaped = inner.size and inner.ndim == 3 and inner.shape[2] in (1, 3, 4)
    if not shaped or array.dtype.kind not in "buif":
        raise SeglibError(
            f"{what} has shape {array.shape} and type {array.dtype} ({type(value).__name__}); hand "
            "in numbers, height x width, with 1, 3 or 4 channels last, a PIL image or a path"
        )
    return inner


def _levels(pixels: np.ndarray, what: str) -> np.ndarray:
    """Return a picture's values as uint8."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    # Written so that NaN, which fails every comparison, is refused as well.
    if low >= 0 and high <= 1 and pixels.dtype.kind in "bf":
        return np.rint(pixels * np.float32(255)).astype(np.uint8)
    # Fewer bits in 16 are refused: they would be all but black.
    limit = 0 if pixels.dtype == np.uint16 else 255
    if low >= 0 and high <= limit and np.all(pixels == np.floor(pixels)):
        return pixels.astype(np.uint8)
    if low >= 0 and 4096 <= high <= 65535 and pixels.dtype.kind in "iu":
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    raise SeglibError(
        f"{what} holds {pixels.dtype} values from {low:g} to {high:g}; expected are 0 to 255, "
        "floats from 0 to 1, or 16 bits up to 65535"
    )


def _one_channel(pixels: np.ndarray, what: str) -> np.ndarray:
    """Return the channel that the mask is in, H x W, or its alpha in 0..1."""
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    colour, opaque = pixels[..., :3], True
    grey = (colour == colour[..., :1]).all(axis=2)
    if pixels.shape[2] == 4:
        levels = _levels(pixels, what).astype(np.uint32)
        alpha = levels[..., 3]
        opaque = alpha.min() == 255
        seen = np.unique((levels[..., :3] @ np.array([65536, 256, 1], np.uint32))[alpha > 0])
        # The alpha of one colour, of a cut-out photo, or of a grey mask that it repeats.
        matte = np.ptp(alpha) > 0 and (len(seen) == 1 or (len(seen) > 32 and not grey.all()))
        if matte or (levels[..., :3] == alpha[..., None]).all():
            return pixels[..., 3] if pixels.dtype.kind == "f" else alpha / np.float32(255)
    if grey.all() and opaque:
        return colour[..., 0]
    example = ", ".join(f"{value:g}" for value in pixels[~grey if opaque else alpha < 255][0])
    raise SeglibError(
        f"{what} has {'colours' if opaque else 'transparency'} such as ({example}), so there is no "
        "telling its mask; save the colour or channel that is meant as a grey PNG, 0 and 255"
    )


def _shares(values: np.ndarray, what: str, top: int = 0) -> np.ndarray:
    """Return values up to `top` (default: the values tell) as 0..1, if they are no classes."""
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        return values.astype(np.float32, copy=False)
    whole = values.dtype.kind in "iu" or np.all(values == np.floor(values))
    if not (low >= 0 and high <= 65535 and whole):
        raise SeglibError(
            f"{what} has values from {low:g} to {high:g}; 0 to 1, or grey levels from 0 to 255, "
            "are expected"
        )
    top = top or (255 if high <= 255 else 65535)
    found = np.flatnonzero(np.bincount(values.ravel().astype(np.int64)))
    between = found[(found > 0) & (found < top)]
    if (
        # Few low numbers, with or without a void border of the highest.
        (0 < len(between) <= 32 and between[-1] <= top // 4)
        # One class, which is not white.
        or (len(found) == 2 and found[0] == 0 and high < 0.75 * top)
        or (top < 255 and 0 < len(between) <= 8)
        # Fewer bits in 16, or numbers of objects.
        or (top == 65535 > high and (high < 32768 or len(found) <= 256))
    ):
        listed = ", ".join(map(str, found[:4])) + (f", ..., {high:g}" if len(found) > 4 else "")
        raise SeglibError(
            f"{what} holds the values {listed}, which may be class numbers; choose the class (mask "
            f"== 1, of a file read_labels(path) == 1), or divide by {top} if 0 to {top} is meant"
        )
    return values.astype(np.float32) / np.float32(top)


def _decode(source: str | Path | Image.Image, what: str = "") -> tuple[Image.Image, str]:
    """Return a picture, turned upright, whose `info` tells how it was stored, and its name."""
    held = isinstance(source, Image.Image)
    what = what if held else str(source)
    try:
        with nullcontext(source) if held else open(source, "rb") as file, warnings.catch_warnings():
            # Pillow warns from 89 and refuses from 179 megapixels; our own limit lies between.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = source if held else Image.open(file)
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            stored = picture.tile[0][3] if getattr(picture, "tile", None) else ""
            kind = picture.format or "picture"
            picture.load()
            try:
                picture = ImageOps.exif_transpose(picture)
            # Orientation is a comfort: unreadable EXIF must not cost the picture.
            except Exception:
                picture = picture.copy()
        if picture.mode not in _MODES and not picture.mode.startswith("I"):
            alpha = picture.has_transparency_data
            picture = picture.convert("LA" if picture.mode == "La" else "RGBA" if alpha else "RGB")
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SeglibError(f"there is no file {what} to read; check name and permissions") from error
    except Image.DecompressionBombError as error:
        limit = f"{what} has more than {MAX_PIXELS / 1e6:.0f} megapixels"
        raise SeglibError(f"{limit}; make it smaller first") from error
    # Pillow's decoders let many kinds of exception through on damaged files.
    except Exception as error:
        raise SeglibError(
            f"{what} is empty, damaged, cut short or not a picture that can be read ({error}); "
            "get it again, as JPEG, PNG or WebP"
        ) from error
    picture.info.update(stored=stored if isinstance(stored, tuple) else (stored,), kind=kind)
    return picture, what


def _numbers(picture: Image.Image, what: str) -> tuple[np.ndarray, int]:
    """Return a grey picture's values as stored, and the highest possible (0: unknown)."""
    if picture.mode in ("1", "P", "F") or picture.mode.startswith("I"):
        return np.asarray(picture), 0
    if picture.mode != "L":
        return _one_channel(np.asarray(picture.convert("RGB")), what), 255
    # Pillow stretches what has fewer bits to 0..255.
    stored = picture.info["stored"]
    top = {"L;2": 3, "L;4": 15}.get(str(stored[0])[:3], 255)
    if picture.info["kind"] == "PPM" and len(stored) == 2:
        top = stored[1]
    values = np.asarray(picture)
    return values if top == 255 else np.rint(values * (top / 255)).astype(np.uint8), top


def _mask(source: str | Path | Image.Image, what: str = "", judge: bool = True) -> np.ndarray:
    picture, what = _decode(source, what)
    if picture.has_transparency_data and picture.mode not in ("1", "L"):
        values, top = _one_channel(np.asarray(picture.convert("RGBA")), what), 255
    else:
        values, top = _numbers(picture, what)
    if picture.mode == "P" and not picture.has_transparency_data:
        pixels = np.asarray(picture.convert("RGB"))
        if not np.ptp(pixels, axis=2).any():
            values = pixels[..., 0]
        # Of a coloured palette, 0 and 1 are a mask where 0 is black; more are class numbers.
        elif values.max() > 1 or any(picture.getpalette()[:3]):
            raise SeglibError(
                f"{what} is a {picture.info['kind']} with a palette of colours, as for class "
                f"numbers (here up to {values.max()}); choose one, as in read_labels(path) == 1"
            )
    if values.dtype.kind == "f" or (judge and picture.info.get(_NOTE[0]) != _NOTE[1]):
        return _shares(values, what, top)
    top = 65535 if picture.mode.startswith("I") else top or 255
    return values.astype(np.float32) / np.float32(top)


def _rgb(source: str | Path | Image.Image, what: str = "") -> np.ndarray:
    """Return a picture in sRGB, over white."""
    picture, what = _decode(source, what)
    profile = picture.info.get("icc_profile")
    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_levels(np.asarray(picture), what))
    modes = {"L": "L", "LA": "L", "CMYK": "CMYK"}
    image = _to_srgb(picture.convert(modes.get(picture.mode, "RGB")), profile).convert("RGB")
    if picture.has_transparency_data:
        white = Image.new("RGB", picture.size, (255, 255, 255))
        white.paste(image, mask=picture.convert("RGBA").getchannel("A"))
        image = white
    # A copy, since the array that shares Pillow's buffer cannot be written to.
    return np.array(image)


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        srgb = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, srgb, picture.mode, "RGB")
        if picture.mode == "RGB":
            steps = np.arange(0, 256, 51, dtype=np.uint8)
            colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(6, 36, 3)
            changed = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
            # From sRGB to sRGB nothing happens but rounding, which can be saved.
            if np.abs(changed.astype(int) - colours).max() <= 2:
                return picture
        return ImageCms.applyTransform(picture, transform)
    # Colours by a damaged profile, or of another kind, are a guess: they stay as they are stored.
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture


def _write(path: str | Path, levels: np.ndarray, formats: dict[str, dict[str, Any]]) -> Path:
    path = Path(path)
    options = formats.get(path.suffix.lower())
    if options is None:
        raise SeglibError(f"cannot write {path}; its name must end in {' or '.join(formats)}")
    with atomic_path(path) as temporary:
        Image.fromarray(levels).save(temporary, **options)
    return path
