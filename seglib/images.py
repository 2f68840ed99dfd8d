"""Images and masks: what they are in memory, and how files and other forms become them.

An image is uint8 RGB, H x W x 3. A mask is float32 in [0, 1], H x W, where 1 is the foreground. On
disk a mask is a grey PNG, 0..255. `as_image` and `as_mask` take what people hold instead, where its
meaning is plain, and refuse the rest.

Chapter: data preparation.
"""

import io
import os
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, UnidentifiedImageError

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

MAX_PIXELS = 150_000_000
"""Larger pictures are refused: decoded, they fill gigabytes, and a phone takes none of them."""

_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
_PROFILE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# Marks masks of ours: a nearly empty one may hold 0 and 1 of 255, and must not be taken for labels.
_SHARES = ("Values", "0 to 255 are 0 to 1")


def as_image(value: Any, name: str = "image") -> np.ndarray:
    """Return a picture in any plain form as uint8 RGB, H x W x 3, C-contiguous.

    A contiguous uint8 RGB array comes back itself, not copied. Also taken are:

    - a path or a PIL image, as `read_image` reads them (turned upright, in sRGB);
    - arrays (and tensors that NumPy can read) in any memory order; grey (H x W, H x W x 1), RGBA
      (laid over white), 3 x H x W where the last axis cannot be channels, and a batch of one;
    - floats from 0 to 1, booleans, uint16 up to 65535, other numbers if whole and 0 to 255.

    Args:
        value: the picture.
        name: what an error calls it.
    """
    if isinstance(value, str | os.PathLike):
        return read_image(value)
    if isinstance(value, Image.Image):
        return np.array(_rgb(_upright(value), f"the {name}"))
    pixels = _channels_last(_array(value, name), f"the {name}")
    levels = _levels(pixels, f"the {name}")
    if levels.shape[2] == 4:
        return np.array(_rgb(Image.fromarray(np.ascontiguousarray(levels)), f"the {name}"))
    if levels.shape[2] == 1:
        return np.repeat(levels, 3, axis=2)
    return np.ascontiguousarray(levels)


def as_mask(value: Any, name: str = "mask", shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return a mask in any plain form as float32 in [0, 1], H x W, C-contiguous.

    Taken are booleans, floats from 0 to 1, numbers that are all 0 or 1, and grey levels up to 255
    (or 65535); H x W, H x W x 1, 1 x H x W, equal RGB channels, a matte that is all in the alpha of
    RGBA; as an array, a path or a PIL image. What may be class numbers is refused: few low numbers,
    also beside a void border of 255, or 0 and one other value that is not white.

    Args:
        value: the mask.
        name: what an error calls it.
        shape: (height, width, ...) it must have, where that matters.
    """
    if isinstance(value, str | os.PathLike):
        mask = read_mask(value)
    elif isinstance(value, Image.Image):
        mask = _mask(_upright(value), f"the {name}")
    else:
        pixels = _channels_last(_array(value, name), f"the {name}")
        mask = _shares(_one_channel(pixels, f"the {name}"), f"the {name}")
    if shape is not None and mask.shape != tuple(shape[:2]):
        raise SeglibError(
            f"the {name} is {mask.shape[1]}x{mask.shape[0]} but the image is "
            f"{shape[1]}x{shape[0]}; bring it to the image's size with seglib.images.resize"
        )
    return np.ascontiguousarray(mask)


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture file as uint8 RGB, H x W x 3.

    The picture is turned upright as its EXIF orientation says, and its colours are converted to
    sRGB by its ICC profile (a damaged profile is left aside). Grey, palette, CMYK and 16-bit
    pictures become 8-bit RGB; transparency is laid over white. Of an animation, the first frame is
    read. More than `MAX_PIXELS` are refused.
    """
    # A copy, since the array that shares Pillow's buffer cannot be written to.
    return np.array(_rgb(_open(path), str(path)))


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask file as float32 in [0, 1], H x W; see `as_mask` for what is taken and refused."""
    return _mask(_open(path), str(path))


def read_grey(path: str | Path) -> np.ndarray:
    """Read a mask file as `read_mask` does, but as shares of white whatever its values look like.

    For those who judge the values themselves, or over a whole set.
    """
    return _mask(_open(path), str(path), judge=False)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a file of class numbers as the integers that it stores, H x W, uint8 to int32.

    That is the index in a palette picture, and the value itself in grey ones of 1 to 32 bits.
    """
    picture = _open(path)
    if picture.info["kind"] in ("JPEG", "MPO"):
        raise SeglibError(f"{path} is a JPEG, which makes up class numbers; get a lossless file")
    if picture.mode in ("1", "L", "P", "F") or picture.mode.startswith("I"):
        numbers, _ = _numbers(picture)
    elif ";16" in str(picture.info["stored"]):
        raise SeglibError(f"{path} has several channels of 16 bits; save class numbers as grey")
    else:
        numbers = _one_channel(np.asarray(_convert(picture, str(path))), str(path))
    if numbers.min() < 0 or not _whole(numbers):
        raise SeglibError(f"{path} holds fractions or negative numbers, which are no classes")
    kind = np.int32 if numbers.dtype.kind in "if" else np.uint16
    return numbers.astype(np.uint8 if numbers.dtype.itemsize == 1 else kind)


def read_folder(folder: str | Path, size: int, count: int = 100) -> np.ndarray:
    """Read up to `count` photos of a folder, evenly spread over its sorted names.

    Args:
        folder: a folder of photos, or a prepared data set, whose `images/` is then read.
        size: side of the squares the photos are stretched to, pixels.
        count: how many at most; about 100 suffice to calibrate an int8 conversion.

    Returns:
        uint8 (N, size, size, 3).
    """
    place = Path(folder, "images")
    place = place if place.is_dir() else Path(folder)
    files = list_files(place, _FORMATS)
    if not files:
        raise SeglibError(f"{place} holds no photos ({', '.join(_FORMATS)}); add some")
    chosen = files[:: -(-len(files) // count)]
    return np.stack([resize(read_image(file), (size, size)) for file in chosen])


def write_image(path: str | Path, image: Any) -> Path:
    """Write an image; the suffix (.jpg, .jpeg, .png, .webp) chooses the format.

    The file appears whole or not at all. JPEG and WebP are written at quality 95, JPEG without
    chroma subsampling, so that a recoloured edge keeps its colour.
    """
    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise SeglibError(f"cannot write {path}; its name must end in {' or '.join(_FORMATS)}")
    options = {"JPEG": {"quality": 95, "subsampling": 0}, "WEBP": {"quality": 95}}.get(kind, {})
    picture = Image.fromarray(as_image(image))
    with atomic_path(path) as temporary:
        picture.save(temporary, format=kind, **options)
    return path


def write_mask(path: str | Path, mask: Any) -> Path:
    """Write a mask as a grey 8-bit .png, rounded to the nearest of 0..255."""
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise SeglibError(f"cannot write {path}; a mask's name must end in .png")
    picture = Image.fromarray(np.rint(as_mask(mask) * 255).astype(np.uint8))
    note = PngImagePlugin.PngInfo()
    note.add_text(*_SHARES)
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=note)
    return path


def sample_photo() -> np.ndarray:
    """Return the built-in photograph, uint8 RGB, 512 x 512 x 3.

    It is NASA's portrait of the astronaut Eileen Collins (public domain), as `skimage.data` has it.
    """
    return read_image(Path(__file__).parent / "assets" / "astronaut.jpg")


def resize(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize H x W or H x W x C to `size` = (height, width), keeping the type.

    Each axis that shrinks is averaged over the area a new pixel covers, which neither aliases nor
    shifts; each axis that grows is interpolated linearly. Both use half-pixel centres: the centre
    of pixel i lies at i + 0.5, so the picture's edges stay where they are. The older convention
    (`align_corners`, or no offset) shifts a mask by up to half a source pixel.

    Types that cannot be averaged (class numbers, booleans) are refused.
    """
    height, width = size
    if height < 1 or width < 1:
        raise SeglibError(f"cannot resize to {width}x{height}; both sides must be at least 1 pixel")
    if array.ndim not in (2, 3) or array.size == 0:
        raise SeglibError(f"cannot resize an array of shape {array.shape}; H x W or H x W x C")
    if array.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        raise SeglibError(
            f"cannot resize {array.dtype} values by averaging; convert them to float32 first"
        )
    if array.ndim == 3 and array.shape[2] > 4:
        # OpenCV's limit; masks of many labels have more.
        return np.stack([resize(plane, size) for plane in np.moveaxis(array, 2, 0)], axis=-1)
    # Area first and linear second, since OpenCV's area filter does not average a growing axis.
    resized = np.ascontiguousarray(array)
    shrunk = (min(height, array.shape[0]), min(width, array.shape[1]))
    if shrunk != array.shape[:2]:
        resized = cv2.resize(resized, shrunk[::-1], interpolation=cv2.INTER_AREA)
    if shrunk != (height, width):
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    if shrunk == (height, width) == array.shape[:2]:
        return array.copy()
    if array.dtype.kind == "f":
        # Rounding in OpenCV's sums may end a hair outside, and 1.0000001 is no mask any more.
        np.clip(resized, array.min(), array.max(), out=resized)
    # OpenCV drops a last axis of length 1.
    return resized.reshape(height, width, *array.shape[2:])


def _array(value: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(value) if hasattr(value, "__array__") else None
    # Tensors that live on a graphics card, or want a gradient, raise what they please.
    except Exception as error:
        raise SeglibError(f"NumPy cannot read the {name} ({error}); hand in an array") from error
    if array is None:
        raise SeglibError(
            f"the {name} is a {type(value).__name__}; hand in a NumPy array, a PIL image or a path"
        )
    if array.dtype.kind not in "buif":
        raise SeglibError(f"the {name} holds {array.dtype} values; numbers are expected")
    return array


def _channels_last(array: np.ndarray, what: str) -> np.ndarray:
    """Return a view, H x W x 1, 3 or 4."""
    inner = array[0] if array.ndim == 4 and len(array) == 1 else array
    if inner.size and inner.ndim == 2:
        return inner[..., None]
    if inner.size and inner.ndim == 3 and inner.shape[2] in (1, 3, 4):
        return inner
    if inner.size and inner.ndim == 3 and inner.shape[0] in (1, 3):
        return inner.transpose(1, 2, 0)
    raise SeglibError(
        f"{what} has shape {array.shape}; height x width is expected, with 1, 3 (RGB) or 4 (RGBA) "
        "channels last, and no batch"
    )


def _levels(pixels: np.ndarray, what: str) -> np.ndarray:
    """Return a picture's values as uint8."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = pixels.min(), pixels.max()
    # Written so that NaN, which fails every comparison, is refused as well.
    if low >= 0 and high <= 1 and pixels.dtype.kind in "bf":
        return np.rint(pixels * np.float32(255)).astype(np.uint8)
    if pixels.dtype == np.uint16 and (high >= 4096 or high == 0):
        return _from_sixteen_bits(pixels)
    if pixels.dtype != np.uint16 and low >= 0 and high <= 255 and _whole(pixels):
        return pixels.astype(np.uint8)
    raise SeglibError(
        f"{what} holds {pixels.dtype} values from {low:g} to {high:g}; expected are uint8, floats "
        "from 0 to 1, or uint16 up to 65535"
    )


def _from_sixteen_bits(values: np.ndarray) -> np.ndarray:
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _whole(values: np.ndarray) -> bool:
    return values.dtype.kind != "f" or bool((values == np.rint(values)).all())


def _one_channel(pixels: np.ndarray, what: str) -> np.ndarray:
    """Return the channel that the mask is in, H x W, or its alpha as float32."""
    if pixels.shape[2] == 4:
        levels = _levels(pixels, what).astype(np.uint32)
        alpha = levels[..., 3]
        colours = np.unique((levels[..., :3] @ np.array([65536, 256, 1], np.uint32))[alpha > 0])
        coloured = bool(np.ptp(levels[..., :3], axis=2).any())
        # A matte in the alpha of one colour, of a cut-out photo, or in all four channels.
        matte = np.ptp(alpha) > 0 and (len(colours) == 1 or (len(colours) > 32 and coloured))
        if matte or (levels[..., :3] == alpha[..., None]).all():
            return pixels[..., 3] if pixels.dtype.kind == "f" else alpha / np.float32(255)
        if alpha.min() < 255:
            raise SeglibError(
                f"{what} has transparency and colours, so its mask is ambiguous; "
                "save the mask alone as a grey PNG"
            )
    if (pixels[..., 1:3] != pixels[..., :1]).any():
        row, column = np.argwhere((pixels[..., 1:3] != pixels[..., :1]).any(axis=2))[0]
        colour = ", ".join(f"{value:g}" for value in pixels[row, column, :3])
        raise SeglibError(
            f"{what} has colours such as ({colour}), so it is no mask; pick the colour or channel "
            "that is meant and save it as a grey PNG, 0 and 255"
        )
    return pixels[..., 0]


def _shares(values: np.ndarray, what: str, top: int = 0) -> np.ndarray:
    """Return a mask's values as float32 in [0, 1], if they are no class numbers.

    Args:
        values: H x W of any type.
        what: begins the sentence that refuses them.
        top: the highest that can be stored, 3 to 65535; by default told by the values.
    """
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        return values.astype(np.float32, copy=False)
    if not (low >= 0 and high <= 65535 and _whole(values)):
        raise SeglibError(
            f"{what} has values from {low:g} to {high:g}; 0 to 1, or grey levels from 0 to 255, "
            "are expected"
        )
    top = top or (255 if high <= 255 else 65535)
    found = np.flatnonzero(np.bincount(values.ravel().astype(np.int64)))
    between = found[(found > 0) & (found < top)]
    classes = (
        # Few low numbers, with or without a void border of the highest.
        (0 < len(between) <= 32 and between[-1] <= top // 4)
        # One class, which is not white.
        or (len(found) == 2 and found[0] == 0 and high < 0.75 * top)
        or (top < 255 and 0 < len(between) <= 8)
        # Fewer bits in 16, or numbers of objects.
        or (top == 65535 > high and (high < 32768 or len(found) <= 256))
    )
    if classes:
        listed = ", ".join(map(str, found[:4])) + (f", ..., {high:g}" if len(found) > 4 else "")
        raise SeglibError(
            f"{what} holds the values {listed}, which may be class numbers; choose the class, as "
            f"in read_labels(path) == 1, or divide by {top} if they are shares of white"
        )
    return values.astype(np.float32) / np.float32(top)


def _open(path: str | Path) -> Image.Image:
    """Decode a file completely and turn it upright."""
    path = Path(path)
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; check the name and the folder")
    if path.stat().st_size == 0:
        raise SeglibError(f"{path} is empty; copy or download it again")
    too_large = f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels; make it smaller first"
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 and refuses from 179 megapixels; our own limit lies between.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path)
        with picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise SeglibError(too_large)
            return _upright(picture)
    except SeglibError:
        raise
    except Image.DecompressionBombError as error:
        raise SeglibError(too_large) from error
    except PermissionError as error:
        raise SeglibError(f"cannot read {path}; check its permissions") from error
    except UnidentifiedImageError as error:
        raise SeglibError(
            f"{path} is not a picture that can be read; use a JPEG, PNG or WebP file"
        ) from error
    # Pillow's decoders let many kinds of exception through on damaged files.
    except Exception as error:
        raise SeglibError(
            f"{path} is damaged or cut short ({error}); copy or download it again"
        ) from error


def _upright(picture: Image.Image) -> Image.Image:
    """Return a decoded copy, turned as its EXIF says; its `info` tells how it was stored."""
    stored = picture.tile[0].args if getattr(picture, "tile", None) else ""
    stored = stored if isinstance(stored, tuple) else (stored,)
    kind = picture.format or ""
    picture.load()
    try:
        upright = ImageOps.exif_transpose(picture)
    # Orientation is a comfort: unreadable EXIF must not cost the picture.
    except Exception:
        upright = picture.copy()
    upright.info.update(stored=stored, kind=kind)
    return upright


def _numbers(picture: Image.Image) -> tuple[np.ndarray, int]:
    """Return a one-channel picture's values as its file stores them, and the highest possible."""
    values, stored = np.asarray(picture), picture.info["stored"]
    if picture.mode != "L":
        return values, 65535 if picture.mode.startswith("I;16") else 0
    # Pillow stretches what has fewer bits to 0..255.
    if str(stored[0]).startswith(("L;2", "L;4")):
        top = 3 if stored[0][2] == "2" else 15
    else:
        top = stored[1] if picture.info["kind"] == "PPM" and len(stored) > 1 else 255
    return values if top == 255 else np.rint(values * (top / 255)).astype(np.uint8), top


def _mask(picture: Image.Image, what: str, judge: bool = True) -> np.ndarray:
    if picture.has_transparency_data and picture.mode not in ("1", "L"):
        values, top = _one_channel(np.asarray(picture.convert("RGBA")), what), 255
    elif picture.mode == "P":
        values, top = _palette_mask(picture, what), 0
    elif picture.mode in ("1", "L", "F") or picture.mode.startswith("I"):
        values, top = _numbers(picture)
    else:
        values, top = _one_channel(np.asarray(_convert(picture, what)), what), 255
    if values.dtype.kind != "f" and (not judge or picture.info.get(_SHARES[0]) == _SHARES[1]):
        return values.astype(np.float32) / np.float32(top or 255)
    return _shares(values, what, top)


def _palette_mask(picture: Image.Image, what: str) -> np.ndarray:
    """Return the grey levels of a palette picture, or its indices if they are 0 and 1."""
    index, pixels = np.asarray(picture), np.asarray(picture.convert("RGB"))
    if not np.ptp(pixels, axis=2).any():
        return pixels[..., 0]
    if index.max() > 1 or any(picture.getpalette()[:3]):
        raise SeglibError(
            f"{what} is a palette picture ({picture.info['kind']}) with colours for "
            f"{len(np.unique(index))} numbers up to {index.max()}, so it is no mask; choose the "
            "class, as in read_labels(path) == 1, and save it as a grey PNG, 0 and 255"
        )
    return index


def _rgb(picture: Image.Image, what: str) -> Image.Image:
    """Convert to RGB and sRGB, over white."""
    profile = picture.info.get("icc_profile")
    if picture.mode == "F":
        picture = Image.fromarray(_levels(np.asarray(picture), what))
    elif picture.mode.startswith("I"):
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise SeglibError(f"{what} holds more than 16 bits a pixel; save it with 8 or 16 bits")
        picture = Image.fromarray(_from_sixteen_bits(values))
    if not picture.has_transparency_data:
        picture = picture if profile and picture.mode in ("L", "CMYK") else _convert(picture, what)
        return _to_srgb(picture, profile)
    base = picture.convert("L" if picture.mode == "LA" else "RGB")
    white = Image.new("RGB", picture.size, (255, 255, 255))
    white.paste(_to_srgb(base, profile), mask=picture.convert("RGBA").getchannel("A"))
    return white


def _convert(picture: Image.Image, what: str) -> Image.Image:
    try:
        return picture.convert("RGB")
    except ValueError as error:
        raise SeglibError(
            f"{what} has colour mode {picture.mode}, which has no conversion; save it as RGB"
        ) from error


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _PROFILE_MODES.get(source.profile.xcolor_space.strip())
            if mode == picture.mode:
                to = ImageCms.createProfile("sRGB")
                transform = ImageCms.buildTransform(source, to, mode, "RGB")
                if mode != "RGB" or not _keeps(transform):
                    picture = ImageCms.applyTransform(picture, transform)
        # Colours by a damaged profile are anybody's guess: they stay as they are stored.
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return picture.convert("RGB")


def _keeps(transform: ImageCms.ImageCmsTransform) -> bool:
    """Return whether a transform is the identity but for rounding, as from sRGB to sRGB."""
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(6, 36, 3)
    converted = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return int(np.abs(converted.astype(int) - colours).max()) <= 2


__getattr__ = renamed(__name__, {"check_image": "as_image", "check_mask": "as_mask"})
