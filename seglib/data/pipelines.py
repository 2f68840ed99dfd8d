"""Other people's augmentation in the place of ours.

albumentations set the convention: a pipeline is called with `image=` and `mask=` and returns a
dictionary of the two. Anything that follows it can be handed to `Batches`.

Chapter: augmentation and synthetic portraits.
"""

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from seglib.errors import SeglibError
from seglib.images import resize


class Pipeline:
    """Runs a callable on the pictures of a batch and checks what it returns.

    A callable with a method `set_random_seed` (albumentations 2) is seeded for each picture, so
    that batches repeat, and each thread works with a copy of its own. Others see to their chance
    themselves.

    Args:
        change: called with `image=` uint8 (h, w, 3) and `mask=` uint8 (h, w) or (h, w, channels);
            returns a dictionary with "image" and "mask" of the same types, of any size.
    """

    def __init__(self, change: Callable[..., dict[str, Any]]) -> None:
        self.change = change
        self._own = threading.local()

    def __getstate__(self) -> dict[str, Any]:
        return {"change": self.change}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def __call__(
        self,
        images: Sequence[np.ndarray],
        masks: Sequence[np.ndarray],
        seeds: Sequence[int],
        size: int,
        labels: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Change a batch.

        Args:
            images: uint8 (h, w, 3) each.
            masks: uint8 (h, w, channels) each.
            seeds: one number a picture, for callables that take a seed.
            size: side of the square results; other sizes are resized to it.
            labels: masks hold class numbers.

        Returns:
            images uint8 (count, size, size, 3), masks uint8 (count, size, size, channels).

        Raises:
            SeglibError: the callable returns something else than a photo and its mask.
        """
        change = self._of_this_thread()
        pairs = []
        for image, mask, seed in zip(images, masks, seeds, strict=True):
            if hasattr(change, "set_random_seed"):
                change.set_random_seed(int(seed))
            flat = mask[..., 0] if mask.shape[2] == 1 else mask
            pairs.append(_pair(change(image=image, mask=flat), mask.shape[2]))
        return squares(*zip(*pairs, strict=True), size, labels)

    def _of_this_thread(self) -> Callable[..., dict[str, Any]]:
        if not hasattr(self.change, "set_random_seed"):
            return self.change
        if not hasattr(self._own, "change"):
            self._own.change = copy.deepcopy(self.change)
        return self._own.change


def _pair(result: Any, channels: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(result, dict) or not {"image", "mask"} <= result.keys():
        raise SeglibError(
            "the augmentation returned no dictionary with image and mask; "
            "it must follow albumentations: f(image=..., mask=...) -> {'image': ..., 'mask': ...}"
        )
    image, mask = np.asarray(result["image"]), np.asarray(result["mask"])
    if image.dtype != np.uint8 or mask.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise SeglibError(
            f"the augmentation returned a photo of {image.dtype} {image.shape} and a mask of "
            f"{mask.dtype}; uint8 is expected, so leave out Normalize and ToTensor: the network "
            "scales pixels itself"
        )
    if image.shape[:2] != mask.shape[:2] or mask.size != channels * image[..., 0].size:
        raise SeglibError(
            f"the augmentation returned a photo of {image.shape} and a mask of {mask.shape}; "
            "both must be changed alike"
        )
    return image, mask.reshape(*image.shape[:2], channels)


def squares(
    images: Sequence[np.ndarray], masks: Sequence[np.ndarray], size: int, labels: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Stretch pictures to squares and stack them; class numbers take the nearest pixel."""
    side = (size, size)
    images = [image if image.shape[:2] == side else resize(image, side) for image in images]
    masks = [mask if mask.shape[:2] == side else _square(mask, size, labels) for mask in masks]
    return np.stack(images), np.stack(masks)


def _square(mask: np.ndarray, size: int, labels: bool) -> np.ndarray:
    if not labels:
        return resize(mask, (size, size))
    # The other nearest flag of OpenCV is off by up to half a pixel.
    nearest = cv2.INTER_NEAREST_EXACT
    layers = [cv2.resize(layer, (size, size), interpolation=nearest) for layer in _layers(mask)]
    return np.stack(layers, axis=-1)


def _layers(mask: np.ndarray) -> list[np.ndarray]:
    return [np.ascontiguousarray(mask[..., channel]) for channel in range(mask.shape[2])]
