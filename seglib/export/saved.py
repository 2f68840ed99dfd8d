"""Keras model to TensorFlow's own formats, for those who still need them.

A frozen GraphDef (`.pb`) is one file: the graph with its weights as constants. The mobile runtimes
of 2017, OpenCV's `dnn` module and older converters read it. A SavedModel is a folder with the graph
and its variables, which TensorFlow Serving and most converters read.

Chapter: TFLite conversion.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import conversion_error, quiet
from seglib.export.graph import Graph, facts, metadata_text, trace
from seglib.export.proof import probe_images, problem_with
from seglib.files import atomic_path

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Mean absolute difference to Keras past which a float32 file is broken.
_BROKEN = 0.01


def to_graphdef(
    model: "keras.Model", path: str | Path, metadata: dict[str, Any] | None = None
) -> Path:
    """Write a segmentation model as a frozen GraphDef and run it before it gets its name.

    The node `image` takes float32 (1, H, W, 3) of raw values 0..255, the node `mask` gives
    (1, H, W, C) probabilities. The metadata lie beside the file, in `NAME.pb.json`.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities.
        path: the file to write, ending in `.pb`.
        metadata: what to keep about the model.

    Raises:
        SeglibError: the model cannot be converted, the graph gives other masks than the model, or
            the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".pb":
        raise SeglibError(f"{path} does not end in .pb; give the file such a name")
    log: list[str] = []
    try:
        with quiet() as log:
            import tensorflow as tf
            from tensorflow.python.framework.convert_to_constants import (
                convert_variables_to_constants_v2,
            )

            graph = trace(model, finish=lambda mask: tf.identity(mask))
            frozen = convert_variables_to_constants_v2(graph.function)
            content = _renamed(frozen.graph.as_graph_def(), frozen.outputs[0].op.name)
    except SeglibError:
        raise
    except Exception as error:  # TensorFlow raises many kinds; every one means "cannot"
        raise conversion_error("GraphDef", model, error, log) from error
    text = metadata_text({**(metadata or {}), **facts(graph, "float32")}, path)
    _prove(graph, lambda x: _run(_function(content, str(path)), x), f"{path}")
    with (
        atomic_path(path.with_name(f"{path.name}.json")) as beside,
        atomic_path(path) as temporary,
    ):
        beside.write_text(text, encoding="utf-8")
        temporary.write_bytes(content)
    return path


def to_savedmodel(
    model: "keras.Model", path: str | Path, metadata: dict[str, Any] | None = None
) -> Path:
    """Write a segmentation model as a SavedModel folder and run it before it gets its name.

    Its signature `serving_default` maps `image` to `mask` with batch 1. The metadata lie in
    `assets.extra/seglib.json`, the place that TensorFlow leaves to such files.

    Args:
        model: input (None, H, W, 3) of raw values 0..255, output (None, H, W, C) probabilities.
        path: the folder to write; there must be none of that name.
        metadata: what to keep about the model.

    Raises:
        SeglibError: there is such a folder, the model cannot be converted, the folder gives other
            masks than the model, or it cannot be written.
    """
    path = Path(path)
    if path.exists():
        raise SeglibError(f"{path} exists; choose another name, or move it away first")
    log: list[str] = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as folder:
            new = Path(folder, path.name)
            with quiet() as log:
                import tensorflow as tf

                graph = trace(model)
                tf.saved_model.save(graph.module, str(new), {"serving_default": graph.function})
            text = metadata_text({**(metadata or {}), **facts(graph, "float32")}, path)
            (new / "assets.extra").mkdir()
            (new / "assets.extra" / "seglib.json").write_text(text, encoding="utf-8")
            _prove(graph, lambda x: run_savedmodel(new, x), f"{path}")
            new.rename(path)
    except SeglibError:
        raise
    except OSError as error:
        raise SeglibError(
            f"cannot write {path} ({error.strerror or error}); choose another place"
        ) from error
    except Exception as error:  # TensorFlow raises many kinds; every one means "cannot"
        raise conversion_error("SavedModel", model, error, log) from error
    return path


def run_graphdef(path: str | Path, images: np.ndarray) -> np.ndarray:
    """Run a frozen GraphDef on uint8 images (N, H, W, 3) and return its masks (N, H, W, C).

    Raises:
        SeglibError: the file is missing, no GraphDef, or has no nodes `image` and `mask`.
    """
    path = Path(path)
    if not path.is_file():
        raise SeglibError(f"there is no file {path}; give the path of a frozen GraphDef")
    return _run(_function(path.read_bytes(), str(path)), images)


def run_savedmodel(path: str | Path, images: np.ndarray) -> np.ndarray:
    """Run a SavedModel on uint8 images (N, H, W, 3) and return its masks (N, H, W, C).

    Raises:
        SeglibError: the folder is missing, no SavedModel, or has no signature `serving_default`.
    """
    path = Path(path)
    if not (path / "saved_model.pb").is_file():
        raise SeglibError(f"{path} is no SavedModel; give a folder that holds saved_model.pb")
    import tensorflow as tf

    try:
        with quiet():
            loaded = tf.saved_model.load(str(path))
            call = loaded.signatures["serving_default"]
    except Exception as error:  # TensorFlow raises many kinds; every one means "damaged"
        raise SeglibError(
            f"{path} cannot be read ({type(error).__name__}); export it again"
        ) from error
    return _run(lambda image: call(image=image)["mask"], images)


def _renamed(graph: "tf.compat.v1.GraphDef", output: str) -> bytes:
    """Return the graph's bytes with its output node called `mask`."""
    for node in graph.node:
        if node.name == output:
            node.name = "mask"
    return graph.SerializeToString(deterministic=True)


def _function(content: bytes, name: str) -> Any:
    """Return a frozen graph as a function of one picture."""
    import tensorflow as tf

    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(content)
        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.import_graph_def(definition, name=""), signature=[]
        )
        return wrapped.prune(
            wrapped.graph.as_graph_element("image:0"), wrapped.graph.as_graph_element("mask:0")
        )
    except Exception as error:  # protobuf and TensorFlow raise many kinds
        raise SeglibError(
            f"{name} is no frozen graph with the nodes image and mask "
            f"({type(error).__name__}); export it again"
        ) from error


def _run(call: Any, images: np.ndarray) -> np.ndarray:
    import tensorflow as tf

    pictures = images[:, None].astype(np.float32)
    return np.stack([np.asarray(call(tf.constant(picture)))[0] for picture in pictures])


def _prove(graph: Graph, run: Any, name: str) -> None:
    problem = problem_with(graph, run, probe_images(graph.input_shape), _BROKEN)
    if problem:
        raise SeglibError(
            f"the conversion of {graph.model.name} is broken ({problem}), so {name} was not "
            "written; check the model's own masks"
        )
