"""The fast way to a frame: 8 bits, bands of rows on several threads, only what the mask touches.

Each function gives what a function of `seglib.postprocess` gives in floating point, to within 2 of
255 levels, and takes the alpha at the photo's size, float32 H x W, already checked.

Chapter: post-processing.
"""

import math

import cv2
import numpy as np

from seglib.images import resize
from seglib.postprocess import composite, defocus, foreground, hair, light
from seglib.postprocess.bands import Grower, Workers

REDUCE = 4
"""By how much the copies are reduced on which the foreground's colours are found."""


def blurred(
    workers: Workers,
    image: np.ndarray,
    alpha: np.ndarray,
    width: float,
    bokeh: bool,
    frame: np.ndarray,
) -> None:
    """Write `blur_background` or `bokeh_background` to `frame`.

    Args:
        workers: threads and buffers.
        image: uint8 RGB, H x W x 3.
        alpha: float32, H x W.
        width: sigma or radius in pixels, above 0.
        bokeh: discs of light in place of a Gaussian.
        frame: uint8, H x W x 3.

    Chapter: post-processing.
    """
    if bokeh:
        factor = defocus.bokeh_factor(width, alpha.shape)
    else:
        factor = defocus.blur_factor(width, alpha.shape)
    share = workers.buffer("share", alpha.shape, np.uint8)
    behind = workers.buffer("behind", image.shape, np.uint16)

    def weigh(rows: slice) -> None:
        cv2.convertScaleAbs(alpha[rows], dst=share[rows], alpha=-255, beta=255)
        weight = cv2.cvtColor(share[rows], cv2.COLOR_GRAY2RGB)
        np.multiply(image[rows], weight, out=behind[rows], dtype=np.uint16)

    workers.each(weigh, alpha.shape)
    # Weights of the same 8 bits as what they weighed, so that the quotient of both is fair; 16 bits
    # hold the products whole, so that it is exact where the weights are small.
    weight = _blocks(np.multiply(share, 255, dtype=np.uint16), factor)
    small = cv2.merge([*cv2.split(_blocks(behind, factor)), weight]).astype(np.float32)
    small[..., :3] *= np.float32(1 / 255)
    small[..., 3] *= np.float32(1 / 255**2)
    spread = defocus.bokeh_small if bokeh else defocus.blur_small
    *colours, weight = cv2.split(spread(small, width, factor))
    weight = 1 / np.maximum(weight, np.float32(1e-6))
    colours = cv2.merge([cv2.multiply(colour, weight) for colour in colours])
    # OpenCV rounds and cuts to 0..255 in one step.
    colours = cv2.convertScaleAbs(np.maximum(colours, 0))
    size = (colours.shape[0] * factor, colours.shape[1] * factor)
    grown = Grower(colours, size, workers.buffer("grown", (*size, 3), np.uint8))

    def lay(rows: slice) -> None:
        weight = cv2.cvtColor(share[rows], cv2.COLOR_GRAY2RGB)
        total = np.multiply(grown.rows(rows)[:, : alpha.shape[1]], weight, dtype=np.uint16)
        cv2.bitwise_not(weight, dst=weight)
        total += np.multiply(image[rows], weight, dtype=np.uint16)
        cv2.convertScaleAbs(total, dst=frame[rows], alpha=1 / 255)

    workers.each(lay, alpha.shape)


def blended(
    workers: Workers, front: np.ndarray, back: np.ndarray, alpha: np.ndarray, frame: np.ndarray
) -> None:
    """Write `alpha_blend` of two uint8 pictures to `frame`. Chapter: post-processing."""

    def lay(rows: slice) -> None:
        share = cv2.convertScaleAbs(alpha[rows], alpha=255)
        share = cv2.cvtColor(share, cv2.COLOR_GRAY2RGB)
        # Products of two levels fit in 16 bits, so the frame is rounded once.
        total = np.multiply(front[rows], share, dtype=np.uint16)
        cv2.bitwise_not(share, dst=share)
        total += np.multiply(back[rows], share, dtype=np.uint16)
        cv2.convertScaleAbs(total, dst=frame[rows], alpha=1 / 255)

    workers.each(lay, alpha.shape)


def replaced(
    workers: Workers,
    image: np.ndarray,
    alpha: np.ndarray,
    scene: np.ndarray,
    strength: float,
    pure: bool,
    linear: bool,
    frame: np.ndarray,
) -> None:
    """Write `replace_background` to `frame`: sure pixels are copied, the others done in floats.

    Args:
        workers: threads and buffers.
        image: uint8 RGB, H x W x 3.
        alpha: float32, H x W.
        scene: the new background, uint8 RGB, H x W x 3.
        strength: of `match_light`.
        pure: take the old background out of half-covered pixels.
        linear: mix in linear light.
        frame: uint8, H x W x 3.

    Chapter: post-processing.
    """
    table = light.light_table(image, alpha, scene, strength) if strength else None
    if not pure and not linear:
        blended(workers, image if table is None else cv2.LUT(image, table), scene, alpha, frame)
        return
    if pure:
        around = np.dstack(foreground.local_colours(image, alpha, reduce=REDUCE))

    def lay(rows: slice) -> None:
        part, mask = frame[rows], alpha[rows]
        np.copyto(part, scene[rows])
        front = image[rows] if table is None else cv2.LUT(image[rows], table)
        sure = mask >= 1
        cv2.copyTo(front, sure.view(np.uint8), part)
        places = cv2.findNonZero(((mask > 0) ^ sure).view(np.uint8))
        if places is None:
            return
        x, y = places.reshape(-1, 2).T
        shares = mask[y, x]
        if pure:
            old = image[rows][y, x][None].astype(np.float32)
            near = foreground.at_places(around, alpha.shape, y + rows.start, x)[None]
            above = foreground.unmix(old, shares[None], near[..., :3], near[..., 3:])
            above = np.rint(above).astype(np.uint8)
            above = above[0] if table is None else cv2.LUT(above, table)[0]
        else:
            above = front[y, x]
        part[y, x] = composite.mix(above, scene[rows][y, x], shares[:, None], linear)

    workers.each(lay, alpha.shape)


def dyed(
    workers: Workers,
    image: np.ndarray,
    alpha: np.ndarray,
    tone: hair.Tone,
    strength: float,
    frame: np.ndarray,
) -> None:
    """Write `recolour_hair` to `frame`, in each band within the hair's own columns.

    Chapter: post-processing.
    """

    def lay(rows: slice) -> None:
        np.copyto(frame[rows], image[rows])
        top, left, bottom, right = light.box(alpha[rows])
        place = np.s_[rows.start + top : rows.start + bottom, left:right]
        weight = alpha[place] * np.float32(strength)
        if weight.any():
            frame[place] = hair.dye(image[place], weight, tone)

    workers.each(lay, alpha.shape)


def _blocks(picture: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of factor x factor blocks; the last ones repeat the frame's edge."""
    height, width = picture.shape[:2]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    if (rows * factor, columns * factor) != (height, width):
        beyond = (rows * factor - height, columns * factor - width)
        picture = cv2.copyMakeBorder(picture, 0, beyond[0], 0, beyond[1], cv2.BORDER_REPLICATE)
    # Halves first, since OpenCV is fastest at them.
    while factor % 2 == 0:
        factor //= 2
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = cv2.resize(picture, half, interpolation=cv2.INTER_AREA)
    return resize(picture, (rows, columns))
