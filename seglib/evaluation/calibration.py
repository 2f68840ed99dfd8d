"""Whether a mask can be taken at its word: of the pixels valued 0.7, are 7 in 10 the thing?

The curve is the reliability diagram of DeGroot and Fienberg (1983), the one number the expected
calibration error of Naeini, Cooper and Hauskrecht (2015). In a mask nearly all pixels lie far from
any edge and are certain and right, which makes that number small for every network; so it can also
be formed over the doubtful pixels alone.

Chapter: evaluation and error analysis.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from tqdm.auto import tqdm

from seglib import metrics
from seglib.data.dataset import Dataset
from seglib.runtime import reset_state


@dataclass(frozen=True)
class Calibration:
    """The reliability curve of one model on one set. All arrays are float64 (bins,).

    Attributes:
        edges: (bins + 1,), where the bins begin and end.
        share: of all pixels, how many fall into each bin; photos count the same, large or small.
        confidence: mean mask value in each bin, NaN where it is empty.
        observed: share of the bin's pixels that are the thing, NaN where it is empty.
    """

    edges: np.ndarray
    share: np.ndarray
    confidence: np.ndarray
    observed: np.ndarray

    def error(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return the expected calibration error over the bins between two mask values, 0..1.

        Args:
            low: leave out bins that begin below.
            high: leave out bins that end above.

        Returns:
            The mean distance of confidence and observed, weighted by pixels; 0 without pixels.
        """
        slack = 1e-9  # tenths are no binary fractions
        inside = (self.edges[:-1] >= low - slack) & (self.edges[1:] <= high + slack)
        inside &= self.share > 0
        weight = self.share[inside]
        gaps = np.abs(self.confidence[inside] - self.observed[inside])
        return float(weight @ gaps / weight.sum()) if weight.size else 0.0


def calibration(
    segment: Callable[[np.ndarray], np.ndarray],
    dataset: Dataset,
    bins: int = 10,
    progress: bool = True,
) -> Calibration:
    """Run a model over a data set and compare its mask values with the truth.

    Args:
        segment: uint8 RGB (h, w, 3) -> float32 (h, w) in 0..1.
        dataset: photos and true masks.
        bins: equal steps of the mask value.
        progress: show a bar.
    """
    table = np.zeros((bins, 3))
    for image, truth in tqdm(dataset, desc=f"calibration, {dataset.name}", disable=not progress):
        reset_state(segment)
        table += metrics.reliability(segment(image), truth, bins)
    share, confidence, observed = (table / len(dataset)).T
    filled = np.where(share > 0, share, np.nan)
    return Calibration(np.linspace(0, 1, bins + 1), share, confidence / filled, observed / filled)
