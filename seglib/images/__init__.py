"""Pictures and masks: reading, writing, checking and resizing, the same way everywhere.

An image is uint8 RGB, H x W x 3. A mask is float32 in [0, 1], H x W, where 1 is the thing that was
looked for. On disk a mask is a grey PNG, 0..255.

Chapter: data preparation.
"""

from seglib.images.arrays import check_image, check_mask, resize
from seglib.images.files import (
    MAX_PIXELS,
    read_folder,
    read_image,
    read_mask,
    sample_photo,
    write_image,
    write_mask,
)

__all__ = [
    "MAX_PIXELS",
    "read_image",
    "read_mask",
    "read_folder",
    "write_image",
    "write_mask",
    "sample_photo",
    "check_image",
    "check_mask",
    "resize",
]
