"""Checks tick right answers, cross wrong ones, and say what differs first."""

import numpy as np
import pytest

from seglib import check

MASK = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
IMAGE = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (lambda: check.number(3, 3), True),
        (lambda: check.number(np.float32(3.0000001), 3), True),
        (lambda: check.number(3.1, 3), False),
        (lambda: check.number(float("nan"), 3), False),
        (lambda: check.number("three", 3), False),
        (lambda: check.number(np.zeros(2), 0), False),
        (lambda: check.array([[1, 2]], np.array([[1, 2]])), True),
        (lambda: check.array([[1, 2]], np.array([[1], [2]])), False),
        (lambda: check.array(np.array([1, np.nan]), np.array([1, 2])), False),
        (lambda: check.array(["a"], np.array([1])), False),
        (lambda: check.image(IMAGE, IMAGE), True),
        (lambda: check.image(IMAGE + np.uint8(2), IMAGE), True),
        (lambda: check.image(IMAGE + np.uint8(3), IMAGE), False),
        (lambda: check.image(IMAGE / 255, IMAGE), False),
        (lambda: check.image(np.full((1, 1, 3), 255, np.uint8), np.zeros((1, 1, 3))), False),
        (lambda: check.mask(MASK, MASK), True),
        (lambda: check.mask(MASK * 255, MASK), False),
        (lambda: check.mask(1 - MASK, MASK), False),
        (lambda: check.function(np.square, lambda x: x * x, [(MASK,), (2.0,)]), True),
        (lambda: check.function(np.square, lambda x: x, [(1.0,), (2.0,)]), False),
        (lambda: check.function(lambda: 1, lambda x: x, [(1.0,)]), False),
        (lambda: check.function(np.square, np.square, []), False),
        (lambda: check.names(("b", "a", "a"), ["a", "b"]), True),
        (lambda: check.names(["a"], ["a", "b"]), False),
        (lambda: check.names(["a", "b", "c"], ["a", "b"]), False),
        (lambda: check.names("ab", ["a", "b"]), False),
        (lambda: check.names(3, ["a", "b"]), False),
    ],
)
def test_verdicts(verdict, expected: bool, capsys: pytest.CaptureFixture) -> None:
    assert bool(verdict()) is expected
    printed = capsys.readouterr().out
    assert printed.startswith(check.TICK if expected else check.CROSS)
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    "verdict",
    [
        lambda: check.number(None, 3),
        lambda: check.array(None, MASK),
        lambda: check.image(None, IMAGE),
        lambda: check.mask(None, MASK),
        lambda: check.function(None, np.square, [(1.0,)]),
        lambda: check.function(lambda x: None, np.square, [(1.0,)]),
        lambda: check.names(None, ["a"]),
    ],
)
def test_an_open_answer_is_not_yet(verdict, capsys: pytest.CaptureFixture) -> None:
    assert not verdict()
    assert "not yet" in capsys.readouterr().out


def test_the_first_differing_pixel_is_named(capsys: pytest.CaptureFixture) -> None:
    wrong = IMAGE.copy()
    wrong[1, 2] = 200, 100, 0
    wrong[2, 0] = 0
    check.image(wrong, IMAGE)
    assert capsys.readouterr().out.strip() == (
        "✘ 2 of 12 places differ, the first at row 1, column 2: got 200 100 0, expected 18 19 20"
    )


def test_a_function_is_called_with_copies_and_its_error_is_shown(capsys) -> None:
    def spoils(mask: np.ndarray) -> np.ndarray:
        mask[:] = 0
        return mask

    assert not check.function(spoils, np.copy, [(MASK.copy(),)])
    check.function(lambda x: x / "a", np.square, [(1.0,)])
    assert "case 1 raises TypeError" in capsys.readouterr().out


def test_a_notebook_does_not_echo_the_verdict() -> None:
    from IPython.core.formatters import DisplayFormatter

    shown, _ = DisplayFormatter().format(check.number(1, 1))
    assert shown == {}


def masks_of_a_square() -> tuple[np.ndarray, np.ndarray]:
    """A square that rests for 30 frames and then moves for 30, and what a noisy network saw."""
    truths = np.zeros((60, 24, 48), np.float32)
    for index in range(60):
        left = 2 + max(0, index - 30)
        truths[index, 8:16, left : left + 10] = 1
    noise = np.random.default_rng(0).normal(0, 0.04, truths.shape)
    return (truths + noise).clip(0, 1).astype(np.float32), truths


def test_smoothers_are_judged_by_flicker_and_lag(capsys: pytest.CaptureFixture) -> None:
    from seglib import video

    masks, truths = masks_of_a_square()
    cases = {
        "not yet": lambda: None,
        "0.0": lambda: lambda mask, time, image: mask,  # does nothing: flickers as before
        "frames late": lambda: video.Ema(0.3),
        "raises": lambda: lambda mask, time, image: mask / "a",
        "shape": lambda: lambda mask, time, image: mask * 9,
    }
    for words, make in cases.items():
        assert not check.smoother(make, masks, truths), words
        assert words in capsys.readouterr().out
    assert not check.smoother(None, masks, truths)
    assert not check.smoother(lambda: lambda *_: None, masks, truths)
    assert check.smoother(lambda: video.OneEuro(beta=3.0), masks, truths, calmer=1.5)
    assert check.TICK in capsys.readouterr().out
