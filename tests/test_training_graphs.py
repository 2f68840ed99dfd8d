"""Training graphs: several runs beside each other, and one that is drawn while it runs."""

import pytest

from seglib import SeglibError, notebook, viz
from seglib.training import Progress

ROWS = [{"epoch": e, "loss": 1 / e, "val_iou": 1 - 1 / (e + 1)} for e in (1, 2, 3)]
SHORT = [{"epoch": 1, "loss": 0.7}]


def test_each_run_is_a_line_in_each_panel():
    figure = viz.compare_runs({"a": ROWS, "b": SHORT}, ["loss", "val_loss", "val_iou"])
    assert [ax.get_title() for ax in figure.axes] == ["loss", "val_iou"]
    loss, iou = figure.axes
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]
    assert list(loss.lines[0].get_ydata()) == [row["loss"] for row in ROWS]
    assert len(iou.lines) == 1
    with pytest.raises(SeglibError, match="dice"):
        viz.compare_runs({"a": ROWS}, ["dice"])


def test_outside_a_notebook_the_bar_is_left_to_fit():
    assert viz.live_curves() is None


def test_in_a_notebook_one_picture_is_drawn_anew(monkeypatch):
    ipython = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, figure):
            shown.append(figure)

    def display(figure, display_id):
        shown.append(figure)
        return Handle()

    monkeypatch.setattr(notebook, "in_notebook", lambda: True)
    monkeypatch.setattr(ipython, "display", display)
    watch = viz.live_curves()
    watch(Progress([], 1, 6, None))
    watch(Progress(ROWS[:1], 2, 6, 61.0))
    watch(Progress(ROWS[:1], 3, 6, 50.0))  # nothing new so soon: drawing takes time, too
    watch(Progress(ROWS[:2], 4, 6, 30.0))
    assert [figure.get_suptitle() for figure in shown] == [
        "33% of 6 steps, 1:01 left",
        "67% of 6 steps, 0:30 left",
    ]
