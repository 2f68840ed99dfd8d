"""What a network that gives a mask and an alpha is trained by.

The losses are those of the matting project of 2019 (lizhengwei1992's): cross-entropy of the coarse
mask, the absolute difference of the alphas with its corner rounded, and the same difference of the
pictures that the alphas cut out. Here, a pixel whose alpha is unknown counts in neither of the last
two, so that photos with hard masks teach the coarse mask alone; there, every picture had an alpha.

Chapter: soft matting and sharper edges.
"""

from keras import KerasTensor, ops

from seglib.losses import Loss, bce_loss

ROUNDING = 1e-6
"""Under the root, so that the absolute difference has a slope at 0; it leaves a floor of 0.001."""


def alpha_loss(y_true: KerasTensor, y_pred: KerasTensor) -> KerasTensor:
    """Return how far two alphas are apart, plainly and times the picture, over the known pixels.

    The second term is called composed after Deep Image Matting (Xu et al., 2017), where it compares
    the pictures that two alphas compose of a known person and a known background. The project of
    2019 has neither and multiplies both alphas by the picture: a weight of brightness, between
    1 and 2 with the first term, under which a black head of hair counts half as much as a white
    wall. It is kept, since the first term alone never vanishes.

    Args:
        y_true: (batch, height, width, 4): the alpha in 0..1, below 0 where unknown, and the
            picture's red, green and blue in 0..1.
        y_pred: (batch, height, width, 1), the network's alpha.

    Returns:
        One number; 0.002 where all alphas are right, 0 where none is known.
    """
    y_true, y_pred = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    truth, picture = y_true[..., :1], y_true[..., 1:]
    known = ops.cast(truth >= 0, "float32")
    plain = _rounded(truth - y_pred)
    composed = ops.mean(_rounded((truth - y_pred) * picture), axis=-1, keepdims=True)
    return ops.sum((plain + composed) * known) / ops.maximum(ops.sum(known), 1.0)


def matting_losses() -> dict[str, Loss]:
    """Return the losses of a network with the outputs "mask" (the alpha) and "seg", to compile by.

    Targets are those of `seglib.matting.pictures.AlphaBatches`; "seg" learns by cross-entropy.
    """
    return {"mask": alpha_loss, "seg": bce_loss}


def _rounded(gap: KerasTensor) -> KerasTensor:
    return ops.sqrt(gap * gap + ROUNDING)
