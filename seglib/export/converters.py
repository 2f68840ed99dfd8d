"""What exporters share: converters that print nothing, and a check that a file is the model.

Converters print hundreds of lines and give up in many ways; a conversion may also fail without an
error: weights lost, layers fused wrongly, values clipped. So every exporter runs what it made on a
few pictures before a file gets its name. The report on many pictures is in `parity`.

Chapter: TFLite conversion.
"""

import contextlib
import importlib
import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglib.errors import SeglibError
from seglib.runtime.engines import Engine, KerasEngine, one_line, run_images
from seglib.runtime.reading import model_input

if TYPE_CHECKING:
    import keras

    from seglib.export.graph import Graph

# Mean absolute difference to Keras past which a file is broken and not merely rounded.
BROKEN = {
    "float32": 0.01, "float16": 0.02, "dynamic": 0.1, "int8": 0.15, "int8-weights": 0.1,
    "palettised": 0.15,
}  # fmt: skip

_lock = threading.RLock()


class Unavailable(SeglibError):
    """This machine cannot run a file, which is no fault of the file."""


class MissingPackage(Unavailable):
    """A format needs a package that is not installed; the message says how to install it."""


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Keep what converters print off the screen and hand it over as texts when the block ends.

    Their compilers write straight to the process's output, so the file descriptors are turned
    aside: one block runs at a time, and what other threads print meanwhile is kept back too.
    """
    lines: list[str] = []
    with _lock, tempfile.TemporaryFile() as log, contextlib.ExitStack() as stack:
        text = io.StringIO()  # never closed: TensorFlow keeps what stderr is when it first warns
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
            saved = os.dup(number)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, number)
            os.dup2(log.fileno(), number)
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.ERROR)
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        warnings.simplefilter("ignore")
        try:
            yield lines
        finally:
            log.seek(0)
            lines += [text.getvalue(), log.read().decode(errors="replace")]


@contextlib.contextmanager
def converting(kind: str, model: "keras.Model") -> Iterator[None]:
    """Run a converter without its output; what makes it give up becomes one SeglibError."""
    log: list[str] = []
    try:
        with quiet() as log:
            yield
    except SeglibError:
        raise
    except Exception as error:  # converters raise many kinds; every one means "cannot"
        found = [line.strip() for line in "".join(log).splitlines() if "error:" in line.lower()]
        reason = (found[0][:200] if found else one_line(error)).rstrip(".")
        raise SeglibError(
            f"the model {model.name} could not be converted to {kind} ({reason}); use layers with "
            "float32 weights and operations which the format knows"
        ) from error


def named(path: str | Path, suffix: str) -> Path:
    """Return the path of a file to write, which must end as its format does."""
    if not Path(path).name.endswith(suffix):
        raise SeglibError(f"{path} does not end in {suffix}; give the file such a name")
    return Path(path)


def import_package(name: str, install: str = "") -> Any:
    """Import a package that one format needs, without its notices."""
    try:
        with quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackage(
            f"{name} cannot be imported ({error}); install it with: pip install {install or name}"
        ) from error


def verify(
    graph: "Graph",
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
