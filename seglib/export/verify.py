"""Is the written file the model? Every exporter asks on a few pictures before a file gets its name.

A conversion may fail without an error: weights lost, layers fused wrongly, values clipped. The
report on many pictures, with what each precision may cost, is in `parity`.

Chapter: TFLite conversion.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from seglib.errors import SeglibError
from seglib.export.converters import Unavailable
from seglib.export.graph import Graph
from seglib.runtime.engines import Engine, KerasEngine, run_images
from seglib.runtime.reading import model_input

# Mean absolute difference to Keras past which a file is broken and not merely rounded.
BROKEN = {
    "float32": 0.01, "float16": 0.02, "dynamic": 0.1, "int8": 0.15, "int8-weights": 0.1,
    "palettised": 0.15,
}  # fmt: skip


def verify(
    graph: Graph,
    open_export: Callable[[], Engine],
    path: Path,
    precision: str,
    images: np.ndarray | None = None,
) -> None:
    """Compare an export with its Keras model; warn where this machine cannot run it.

    Args:
        graph: the traced model.
        open_export: opens the export, which may say itself how it reads pictures.
        path: the name that the file is to get.
        precision: a key of `BROKEN`.
        images: uint8 (N, H, W, 3); two drawn ones by default.
    """
    images = probe_images(graph.input_shape) if images is None else images
    model = graph.model
    expected = run_images(KerasEngine(model), model_input(images, graph.metadata))
    if not np.isfinite(expected).all():
        problem = "the Keras model itself gives NaN or infinite values"
    elif expected.min() < -1e-3 or expected.max() > 1.001:
        raise SeglibError(
            f"the model {model.name} gives values from {expected.min():.3g} to "
            f"{expected.max():.3g}, and masks are probabilities from 0 to 1; end it in a sigmoid "
            "or softmax, or pass activation='sigmoid' (or 'softmax'), and check that it reads "
            f"values in {graph.metadata['value_range']}"
        )
    else:
        try:
            engine = open_export()
            engine.name = str(path)
            masks = run_images(engine, model_input(images, engine.metadata or graph.metadata))
        except (SeglibError, ImportError) as error:
            if not any(isinstance(e, Unavailable | ImportError) for e in (error, error.__cause__)):
                raise
            warnings.warn(f"{path} is written, but was not checked: {error}", stacklevel=3)
            return
        problem = difference(masks, expected, BROKEN[precision])
    if problem:
        raise SeglibError(
            f"the {precision} conversion of {model.name} is broken ({problem}), so {path} was not "
            "written; check that the model's own masks are finite, or choose another precision"
        )


def difference(masks: np.ndarray, expected: np.ndarray, most: float = 1) -> str:
    """Return how masks differ from the expected ones beyond any rounding, or ""."""
    if masks.size != expected.size:
        return f"shape {masks.shape} where the Keras model gives {expected.shape}"
    if not np.isfinite(masks).all():
        return "NaN or infinite values"
    # A net that is not trained yet may be flat to within one int8 step: that is not the export's.
    if np.ptp(masks) == 0 and np.ptp(expected) > 0.05:
        return "the same value everywhere"
    mean = float(np.abs(masks.reshape(expected.shape) - expected).mean())
    return f"mean difference {mean:.3g} to the Keras model, allowed {most}" if mean > most else ""


def operations(content: bytes) -> set[str]:
    """Return the names of the builtin operations that a `.tflite` is made of.

    One that reads variables (VAR_HANDLE) holds no weights: what it computes depends on what lay in
    memory, so its masks may even be right once.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator, Model

    model = Model.GetRootAs(content, 0)
    codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
    numbers = {max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes}
    return {name for name, number in vars(BuiltinOperator).items() if number in numbers}


def probe_images(input_shape: tuple[int, int, int]) -> np.ndarray:
    """Return two uint8 images (2, H, W, 3), unlike in every direction, to try an export on."""
    height, width, _ = input_shape
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)[None]
    ramp = np.stack([rows + 0 * columns, columns + 0 * rows, rows * columns], axis=-1)
    disc = (rows - 0.3) ** 2 + (columns - 0.6) ** 2 < 0.06
    return (np.stack([ramp, np.where(disc[..., None], 1 - ramp, ramp / 2)]) * 255).astype(np.uint8)
