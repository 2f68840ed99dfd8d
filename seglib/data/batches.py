"""Batches for `keras.Model.fit` on every backend: shuffled, augmented, repeatable.

Batch `i` of epoch `e` depends on the seed, `e` and `i` alone. A run that is stopped after an epoch
and started again therefore sees the very pictures it would have seen.

Chapter: training on Colab.
"""

import keras
import numpy as np

from seglib.data.augment import AugmentConfig, augment
from seglib.errors import SeglibError
from seglib.images import resize


class Batches(keras.utils.PyDataset):
    """A data set in memory, cut into batches.

    Args:
        images: uint8 (count, height, width, 3) RGB.
        masks: uint8 (count, height, width) or (count, height, width, channels), 0..255.
        batch_size: pictures a batch; the last one may be smaller when `shuffle` is off.
        size: side of the square pictures handed out, pixels.
        augment: how far to change pictures, or None to leave them as they are.
        seed: start of all chance.
        shuffle: draw a new order each epoch and drop the incomplete last batch.
        known: bool (count, channels); false where a picture has no mask of that channel.

    Each batch is (x, y): x float32 (batch, size, size, 3) in 0..255, y float32 (batch, size, size,
    channels) in 0..1, or -1 where the mask is unknown.
    """

    def __init__(
        self,
        images: np.ndarray,
        masks: np.ndarray,
        batch_size: int = 32,
        size: int = 128,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        shuffle: bool = False,
        known: np.ndarray | None = None,
    ) -> None:
        super().__init__(workers=1)
        if len(images) != len(masks) or not len(images):
            raise SeglibError(
                f"{len(images)} images and {len(masks)} masks make no batches; "
                "give as many masks as images, and at least one"
            )
        self.images = images
        self.masks = masks[..., None] if masks.ndim == 3 else masks
        self.known = known
        self.batch_size = min(batch_size, len(images))
        self.size = size
        self.augment = augment
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0

    def __len__(self) -> int:
        """Batches an epoch."""
        whole, rest = divmod(len(self.images), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index` of the present epoch."""
        order = np.arange(len(self.images))
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        x = np.empty((len(chosen), self.size, self.size, 3), np.float32)
        y = np.empty((len(chosen), self.size, self.size, self.masks.shape[-1]), np.float32)
        rng = np.random.default_rng([self.seed, self.epoch, index])
        for row, picture in enumerate(chosen):
            image, mask = self._picture(picture, rng)
            x[row] = image
            y[row] = mask.reshape(self.size, self.size, -1) / np.float32(255)
        if self.known is not None:
            y[np.broadcast_to(~self.known[chosen, None, None], y.shape)] = -1
        return x, y

    def _picture(self, picture: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image, mask = self.images[picture], self.masks[picture]
        if self.augment is not None:
            return augment(image, mask, rng, self.size, self.augment)
        if image.shape[:2] == (self.size, self.size):
            return image, mask
        return resize(image, (self.size, self.size)), resize(mask, (self.size, self.size))

    def on_epoch_end(self) -> None:
        """Move to the next epoch's order and views."""
        self.epoch += 1
