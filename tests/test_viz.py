"""Figures are shown once, colours can be told apart, overlays tint what the mask names."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

import seglib
from seglib import notebook, viz
from seglib.training import Progress

ROWS = [{"epoch": e, "loss": 1 / e, "val_iou": 1 - 1 / (e + 1)} for e in (1, 2, 3)]
SHORT = [{"epoch": 1, "loss": 0.7}]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return seglib.sample_photo()


@pytest.fixture(scope="module")
def mask(photo: np.ndarray) -> np.ndarray:
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[100:300, 150:350] = 1
    return mask


def drawn(figure) -> np.ndarray:
    """Return a figure's pixels as a reader sees them."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))


@pytest.mark.parametrize("name", ["show_overlay", "contact_sheet", "curves"])
def test_a_figure_is_closed_for_pyplot_and_not_blank(name: str, photo, mask) -> None:
    import matplotlib.pyplot as plt

    arguments = {
        "show_overlay": (photo, mask),
        "contact_sheet": ([photo] * 3, [mask] * 3, 2, ["a", "b", "c"]),
        "curves": ([{"epoch": 1, "loss": 0.7}, {"epoch": 2, "loss": 0.4, "val_iou": 0.8}],),
    }[name]
    figure = getattr(viz, name)(*arguments)
    assert plt.get_fignums() == []
    assert drawn(figure).std() > 5


def test_overlay_tints_inside_and_leaves_the_outside(photo, mask) -> None:
    tinted = viz.overlay(photo, mask, color=(0, 0, 255))
    away = mask == 0
    away[300], away[:, 350] = False, False  # the outline's own places
    assert np.array_equal(tinted[away], photo[away])
    blue = tinted[mask == 1].astype(int) - photo[mask == 1]
    assert (blue[:, 2] >= 0).all() and (blue[:, :2] <= 0).all()


def test_the_outline_lies_on_the_edge(photo, mask) -> None:
    color = (1, 2, 3)
    line = (viz.overlay(photo, mask, color) == color).all(axis=-1)
    assert line[100, 200] and line[200, 150] and line[299, 200] and line[200, 349]
    assert not line[200, 200]


def test_a_mask_of_another_size_is_refused(photo) -> None:
    with pytest.raises(seglib.SeglibError, match="8x7"):
        viz.overlay(photo, np.zeros((7, 8), np.float32))


def test_a_contact_sheet_has_a_panel_for_each_photo(photo, mask) -> None:
    figure = viz.contact_sheet([photo] * 5, [mask] * 5, columns=3)
    assert sum(ax.get_visible() for ax in figure.axes) == 5
    as_bytes = viz.contact_sheet([photo], [(mask * 255).astype(np.uint8)])
    assert np.array_equal(drawn(as_bytes), drawn(viz.contact_sheet([photo], [mask])))
    with pytest.raises(seglib.SeglibError, match="no images"):
        viz.contact_sheet([])
    with pytest.raises(seglib.SeglibError, match="2 images and 1 masks"):
        viz.contact_sheet([photo, photo], [mask])


def test_curves_put_losses_and_scores_apart() -> None:
    rows = [
        {"epoch": 1, "lr": 0.1, "loss": 0.9, "val_loss": 0.8, "val_iou": 0.5},
        {"epoch": 2, "lr": 0.1, "loss": 0.5, "val_loss": 0.6, "val_iou": 0.7},
    ]
    figure = viz.curves(rows)
    labels = [[line.get_label() for line in ax.lines] for ax in figure.axes]
    assert labels == [["loss", "val_loss"], ["val_iou"]]
    assert list(figure.axes[1].lines[0].get_ydata()) == [0.5, 0.7]
    assert list(figure.axes[0].lines[0].get_xdata()) == [1, 2]


def test_curves_without_anything_to_draw_are_refused() -> None:
    for rows, words in (([{"epoch": 1, "seconds": 3}], "no column"), ([], "no rows")):
        with pytest.raises(seglib.SeglibError, match=words):
            viz.curves(rows)
    with pytest.raises(seglib.SeglibError, match="dice"):
        viz.compare_runs({"a": ROWS}, ["dice"])


# Viénot, Brettel and Mollon (1999): what dichromats see, as matrices on linear RGB.
DICHROMAT = {
    "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
}


@pytest.mark.parametrize("vision", DICHROMAT)
def test_line_colours_can_be_told_apart(vision: str) -> None:
    import cv2

    def lab(color: str) -> np.ndarray:
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        seen = np.clip(np.array(DICHROMAT[vision]) @ rgb**2.2, 0, 1) ** (1 / 2.2)
        return cv2.cvtColor(seen.astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0]

    lines = list(viz.COLOURS.values())[:4]
    distances = [np.linalg.norm(lab(a) - lab(b)) for a, b in itertools.combinations(lines, 2)]
    assert min(distances) > 10  # about 2 is the least that an eye can see


def test_the_style_draws_in_the_books_colours() -> None:
    import matplotlib as mpl

    with mpl.rc_context():
        viz.use_style()
        figure = viz.curves([{"epoch": 1, "loss": 1.0}])
        assert figure.axes[0].lines[0].get_color() == viz.COLOURS["blue"]


@pytest.fixture(scope="module")
def scored() -> dict:
    """What `seglib.evaluation` makes of two models on a few blocks."""
    from seglib.data import Dataset
    from seglib.evaluation import calibration, evaluate
    from seglib.evaluation.robustness import evaluate_corrupted

    images = np.zeros((6, 32, 32, 3), np.uint8)
    for row, image in enumerate(images):
        image[8 : 20 + row, 8:24] = 200
    dataset = Dataset.from_arrays(images, images[..., 0], "blocks", "person")
    models = {
        "good": lambda photo: photo[..., 0] / np.float32(255),
        "late": lambda photo: np.roll(photo[..., 0], 2, 0) / np.float32(255),
    }
    return {
        "distribution": {m: evaluate(s, dataset, progress=False) for m, s in models.items()},
        "reliability": {m: calibration(s, dataset, progress=False) for m, s in models.items()},
        "strengths": {
            m: evaluate_corrupted(s, dataset, ["noise", "crop"], progress=False)
            for m, s in models.items()
        },
    }


@pytest.mark.parametrize("name", ["distribution", "reliability", "strengths"])
def test_evaluations_are_drawn_with_a_line_for_each_model(name: str, scored) -> None:
    figure = getattr(viz, name)(scored[name])
    assert drawn(figure).std() > 5
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [label for label in labels if label in ("good", "late")] == ["good", "late"]
    with pytest.raises(seglib.SeglibError, match="hand in"):
        getattr(viz, name)({})


def test_strengths_show_the_means_from_the_unchanged_photos_on(scored) -> None:
    figure = viz.strengths(scored["strengths"])
    noise, crop = figure.axes
    assert (noise.get_title(), crop.get_title()) == ("noise", "crop")
    means = [row.scores.means["iou"] for row in scored["strengths"]["late"]]
    assert list(noise.lines[1].get_ydata()) == means[:5]
    assert list(crop.lines[1].get_ydata()) == [means[0], *means[5:]]


def test_intervals_stand_where_they_are_named() -> None:
    from seglib.evaluation import Interval

    rows = {"first": Interval(0.5, 0.4, 0.7), "none": None, "last": Interval(0.2, 0.1, 0.3)}
    (ax,) = viz.intervals(rows, "IoU", zero=True).axes
    assert [text.get_text() for text in ax.get_yticklabels()] == list(rows)
    ends = [tuple(bar.get_segments()[0][:, 0]) for bar in ax.collections]
    assert ends == [pytest.approx((0.4, 0.7)), pytest.approx((0.1, 0.3))]
    with pytest.raises(seglib.SeglibError, match="hand in"):
        viz.intervals({"none": None}, "IoU")


def test_errors_are_coloured_by_their_kind(photo) -> None:
    truth, found = np.zeros((2, *photo.shape[:2]), np.float32)
    truth[100:200], found[150:250] = 1, 1
    picture = viz.errors(photo, truth, found).astype(int)
    missed, extra, right = picture[120, 5], picture[220, 5], picture[170, 5]
    assert missed[2] > missed[0] + 60 and extra[0] > extra[2] + 60
    assert np.ptp(right) <= 1
    with pytest.raises(seglib.SeglibError):
        viz.errors(photo, truth[:50], found)


def test_cases_have_three_panels_each(photo, mask) -> None:
    small = photo[::4, ::4][:60], mask[::4, ::4][:60]
    pairs = [(photo, mask), small, (photo, mask)]
    images, truths = zip(*pairs, strict=True)
    figure = viz.cases(images, truths, [1 - truth for truth in truths], ["0.1", "0.2", "0.3"])
    shown = [ax for ax in figure.axes if ax.get_visible()]
    assert len(shown) == 9 and shown[3].get_title() == "0.2"
    with pytest.raises(seglib.SeglibError, match="3, 3 and 2"):
        viz.cases(images, truths, truths, ["0.1", "0.2"])


def test_each_run_is_a_line_in_each_panel():
    figure = viz.compare_runs({"a": ROWS, "b": SHORT}, ["loss", "val_loss", "val_iou"])
    assert [ax.get_title() for ax in figure.axes] == ["loss", "val_iou"]
    loss, iou = figure.axes
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]
    assert list(loss.lines[0].get_ydata()) == [row["loss"] for row in ROWS]
    assert len(iou.lines) == 1


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
