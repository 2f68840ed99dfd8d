"""Checks for the exercises: a tick, or a cross with the first thing that differs.

Every check prints its verdict, so the reader sees it, and returns something that counts as True or
False, so the tests see it. An answer that is still None is "not yet", never an error: the chapter
runs on. (The habit is that of Neuromatch Academy's notebooks.) `tolerance` is the largest allowed
absolute difference of an entry.
"""

from collections.abc import Callable, Iterable

import numpy as np

TICK, CROSS = "✔", "✘"


_OPEN = "not yet: the answer is still open (None)"


class Verdict(int):
    """True or False that a notebook does not echo below the line it already printed."""

    def _ipython_display_(self) -> None:
        """Show nothing: the verdict was printed."""

    def __repr__(self) -> str:
        return repr(bool(self))


def number(answer: float | None, expected: float, tolerance: float = 1e-6) -> Verdict:
    """Compare one number."""
    return _report(*_number(answer, expected, tolerance))


def array(answer: np.ndarray | None, expected: np.ndarray, tolerance: float = 1e-6) -> Verdict:
    """Compare two arrays of any shape; the cross names the first entry that differs."""
    return _report(*_array(answer, expected, tolerance))


def image(answer: np.ndarray | None, expected: np.ndarray, tolerance: int = 2) -> Verdict:
    """Compare two uint8 RGB images (H, W, 3); the cross names the first pixel that differs."""
    holds = getattr(answer, "dtype", type(answer).__name__)
    if answer is not None and holds != np.uint8:
        return _report(False, f"an image holds uint8, this one holds {holds}")
    return array(answer, expected, tolerance)


def mask(answer: np.ndarray | None, expected: np.ndarray, tolerance: float = 1e-3) -> Verdict:
    """Compare two masks (H, W) in [0, 1]; the cross names the first pixel that differs."""
    values = np.zeros(1) if answer is None else np.asarray(answer)
    if values.size and (values.min() < 0 or values.max() > 1):
        found = f"{values.min():g} and {values.max():g}"
        return _report(False, f"a mask lies between 0 and 1, this one between {found}")
    return array(answer, expected, tolerance)


def function(
    answer: Callable | None, reference: Callable, cases: Iterable[tuple], tolerance: float = 1e-5
) -> Verdict:
    """Call the reader's function and a right one with the same arguments and compare the results.

    Args:
        answer: the reader's function; it may return None while the exercise is open.
        reference: the function to agree with, such as `seglib.metrics.dice`.
        cases: argument tuples, at least one.
        tolerance: as for `array`.
    """
    if answer is None:
        return _report(False, _OPEN)
    count = 0
    for count, arguments in enumerate(cases, 1):
        copies = [np.array(a) if isinstance(a, np.ndarray) else a for a in arguments]
        try:
            got = answer(*copies)
        except Exception as error:  # the reader's own code: show its error, keep the chapter going
            return _report(False, f"case {count} raises {type(error).__name__}: {error}")
        ok, message = _array(got, reference(*arguments), tolerance)
        if not ok:
            return _report(False, message if got is None else f"case {count}: {message}")
    return _report(count > 0, f"agrees in {count} cases")


def smoother(
    answer: Callable | None,
    masks: np.ndarray,
    truths: np.ndarray,
    fps: float = 30.0,
    calmer: float = 2.0,
    most_lag: float = 0.5,
) -> Verdict:
    """Run the reader's smoother over a video's masks and measure what it gains and costs.

    Args:
        answer: a function without arguments that returns a new `seglib.video.Smoother`, which gets
            None as picture; or None while the exercise is open.
        masks: (N, h, w) in [0, 1], of a subject that moves for some of the time.
        truths: the same shape.
        fps: frames a second.
        calmer: by what factor `seglib.video.flicker` has to fall where the truth is still.
        most_lag: how late the masks may be in frames, by `seglib.video.lag`.
    """
    from seglib.video import flicker, lag

    smooth = None if answer is None else answer()
    if smooth is None:
        return _report(False, _OPEN)
    masks, result = np.asarray(masks), []
    for index, mask in enumerate(masks):
        try:
            steady = smooth(mask.copy(), index / fps, None)
        except Exception as error:  # the reader's own code, as in `function`
            return _report(False, f"frame {index} raises {type(error).__name__}: {error}")
        if steady is None:
            return _report(False, _OPEN)
        steady = np.asarray(steady)
        if steady.shape != mask.shape or not (steady.min() >= 0 and steady.max() <= 1):
            return _report(False, f"frame {index}: a mask of shape {mask.shape} in 0..1 expected")
        result.append(steady)
    moves = np.abs(np.diff(np.asarray(truths, np.float32), axis=0)).max(axis=(1, 2)) > 0
    # The longest stretch without motion, from a quarter on.
    ends = np.flatnonzero(np.concatenate([[True], moves, [True]]))
    longest = int(np.argmax(np.diff(ends)))
    still = slice((3 * ends[longest] + ends[longest + 1]) // 4, ends[longest + 1])
    steady = np.stack(result)
    before, after = flicker(masks[still]), flicker(steady[still])
    late = lag(steady, np.asarray(truths))
    if not after * calmer <= before:
        return _report(False, f"the flicker is {after:.4f} of {before:.4f}; 1/{calmer:g} is asked")
    if not late <= most_lag:
        return _report(False, f"the masks are {late:.2f} frames late; up to {most_lag:g} is asked")
    return _report(True, f"flicker {after:.4f} of {before:.4f}, {late:.2f} frames late")


def names(answer: Iterable[str] | None, expected: Iterable[str]) -> Verdict:
    """Compare two collections of names; neither order nor repetition counts."""
    if answer is None:
        return _report(False, _OPEN)
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return _report(False, f"expected a list of names, got {type(answer).__name__}")
    got, want = set(answer), set(expected)
    for found, what in ((got - want, "does not belong"), (want - got, "is missing")):
        if found:
            return _report(False, f"{min(map(str, found))!r} {what}")
    return _report(True, f"{', '.join(sorted(want))}: right")


def _report(ok: bool, message: str) -> Verdict:
    print(f"{TICK if ok else CROSS} {message}")
    return Verdict(bool(ok))


def _number(answer: object, expected: float, tolerance: float) -> tuple[bool, str]:
    if answer is None:
        return False, _OPEN
    try:
        value = float(np.asarray(answer))
    except (TypeError, ValueError):
        return False, f"expected one number, got {type(answer).__name__}"
    if not abs(value - expected) <= tolerance:
        return False, f"got {value:.6g}, expected {expected:.6g} (within {tolerance:g})"
    return True, f"{value:.6g} is right"


def _array(answer: object, expected: object, tolerance: float) -> tuple[bool, str]:
    """Return whether the arrays agree, and the sentence to show."""
    if answer is None:
        return False, _OPEN
    got, want = np.asarray(answer), np.asarray(expected)
    if got.dtype.kind not in "biuf":
        return False, f"expected numbers, got {type(answer).__name__}"
    if want.ndim == 0 and got.ndim == 0:
        return _number(got, float(want), tolerance)
    if got.shape != want.shape:
        return False, f"the shape is {got.shape}, expected {want.shape}"
    far = ~(np.abs(got.astype(np.float64) - want.astype(np.float64)) <= tolerance)
    if not far.any():
        return True, f"all {want.size} values agree"
    if want.ndim == 3:
        far = far.any(axis=-1)
    first = tuple(int(i) for i in np.argwhere(far)[0])

    def few(value: np.ndarray) -> str:
        return " ".join(f"{entry:.6g}" for entry in np.atleast_1d(value).astype(float))

    place = f"row {first[0]}, column {first[1]}" if len(first) == 2 else f"index {first}"
    return False, (
        f"{np.count_nonzero(far)} of {far.size} places differ, the first at {place}: "
        f"got {few(got[first])}, expected {few(want[first])}"
    )
