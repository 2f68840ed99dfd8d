"""What a model file says about itself: `seglib.json` in a zip archive behind the `.tflite`.

A `.tflite` file is a FlatBuffer that is read from its front, a zip archive is read from its back,
so one file can be both. TensorFlow Lite Support packs label files ("associated files") the same way
(tensorflow/tflite-support, metadata_populator), and every TFLite runtime loads such a file as is.
`unzip -p model.tflite seglib.json` shows the metadata without any of our code. Only the standard
library is used here, because the runtime reads metadata wherever it runs.

Chapter: TFLite conversion.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError
from seglib.files import atomic_path

__all__ = ["read_metadata", "write_metadata", "check_tflite"]

_MEMBER = "seglib.json"


def read_metadata(path: str | Path) -> dict[str, Any] | None:
    """Return the metadata inside a `.tflite` file, or None where the file carries none."""
    _, members = _split(path)
    if _MEMBER not in members:
        return None
    try:
        metadata = json.loads(members[_MEMBER])
    except ValueError as error:
        raise SeglibError(
            f"the metadata in {path} is damaged ({error}); export the model again"
        ) from error
    if not isinstance(metadata, dict):
        raise SeglibError(f"the metadata in {path} is no JSON object; export the model again")
    return metadata


def write_metadata(path: str | Path, metadata: dict[str, Any]) -> None:
    """Put `metadata` inside the `.tflite` file at `path`, in place of what stood there before.

    Other files in the archive (labels packed by TensorFlow Lite Support) are kept. The bytes depend
    on the model and the metadata alone, so an export can be compared by its checksum. The new file
    is complete before it takes the old one's name.

    Args:
        path: a TFLite model.
        metadata: a dict which JSON can hold, for example
            `{"name": "portrait", "size": 128, "value_range": [0, 255], "layout": "hwc"}`.
    """
    model, members = _split(path)
    try:
        members[_MEMBER] = json.dumps(metadata, indent=1, sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise SeglibError(
            f"the metadata for {path} does not fit into JSON ({error}); "
            "use text, numbers, lists and dicts"
        ) from error
    buffer = io.BytesIO()
    # Stored, not compressed: a browser or a phone can find the JSON without an unzip library.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            # ZipInfo dates default to 1980, which keeps the bytes the same on every run.
            archive.writestr(zipfile.ZipInfo(name), content)
    with atomic_path(path) as temporary:
        temporary.write_bytes(model + buffer.getvalue())


def check_tflite(path: str | Path) -> bytes:
    """Return the bytes of a TFLite model file after a look at its identifier."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        problem = "there is no" if isinstance(error, FileNotFoundError) else "cannot read the"
        raise SeglibError(f"{problem} file {path}; give the path of a .tflite model") from error
    if content[4:8] != b"TFL3":
        raise SeglibError(
            f"{path} is no TFLite model (bytes 4 to 8 are not 'TFL3'); give a .tflite file"
        )
    return content


def _split(path: str | Path) -> tuple[bytes, dict[str, bytes]]:
    """Return the model's own bytes and the members of the archive behind them."""
    content = check_tflite(path)
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content, {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            members = {entry.filename: archive.read(entry) for entry in entries}
            start = min((entry.header_offset for entry in entries), default=archive.start_dir)
    # Beside BadZipFile: encrypted, unknown or damaged compression, each of its own kind.
    except Exception as error:
        raise SeglibError(
            f"the archive behind the model in {path} is damaged ({error}); copy or export it again"
        ) from error
    return content[:start], members
