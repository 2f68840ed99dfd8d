"""Every chapter keeps the contract; and a chapter that breaks any rule of it is caught."""

import copy
import json
from collections.abc import Callable

import pytest

import chapter_contract as contract

NAME = "04_dice_loss.ipynb"
RECORD = {"smoke": 12.2, "full": None, "machine": "2 CPU cores"}
RECORDS = {"chapters": {"04_dice_loss": RECORD}}
CHAPTERS = sorted(contract.NOTEBOOKS.glob("*.ipynb"))
FIGURE = {
    "figure": {"name": "fig-dice-curve", "caption": "The loss falls as the overlap grows."},
    "image": {"alt": "Line plot: the loss starts high and falls to zero where both masks agree."},
}
HIDDEN = {"tags": ["hide-input", "solution"], "cellView": "form"}


def text(source: str) -> dict:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, **metadata: object) -> dict:
    empty = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "metadata": metadata, "source": source, **empty}


def exercise(number: int) -> list[dict]:
    return [
        text(f"## Exercise {number}: Count\n\nHow many?"),
        code("answer = None", tags=["exercise"]),
        code("check.number(answer, 3)"),
        text(f"### Solution to exercise {number}\n\nCount them."),
        code("# @title Solution\nanswer = 3\ncheck.number(answer, 3)", **HIDDEN),
    ]


@pytest.fixture
def chapter() -> dict:
    """A chapter that keeps every rule."""
    badge = contract.BADGE.format(link=contract.address.colab_link(NAME))
    opening = (
        "| In this chapter | |\n|---|---|\n| **Promise** | You write a loss. |\n"
        "| **You need** | [MobileNet-UNet](03_mobilenet_unet.ipynb) |\n"
        f"| **Run time** | {contract.run_time(RECORD)} |\n| **Runtime type** | CPU. |\n\n"
        "**You will learn**\n\n- to see\n- to count\n- to compare\n"
    )
    cells = [
        text(f"# Dice loss\n\n{badge}"),
        text(opening),
        code(contract.setup_source()),
        text("## A first loss\n\nA kernel of 3 by 3, 128 pixels, `0.5`, and $p = 0.5$ in 2024."),
        code("from seglib import check, losses"),
        text("Now the curve."),
        code("plt.plot(x)", mystnb=FIGURE),
        *exercise(1),
        *exercise(2),
        text("## Summary\n\n- one\n- two\n- three"),
        text("## What's next\n\n[API](../book/api.md#losses-and-metrics)"),
        text("## Further reading\n\n- [V-Net, 12% better](https://a.org)\n- [U-Net](https://b.org)"),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def found(notebook: dict) -> list[str]:
    """The problems of the sample chapter, whose links need no other chapter to exist yet."""
    problems = contract.problems(NAME, notebook, RECORDS)
    return [p for p in problems if "03_mobilenet_unet.ipynb, which does not exist" not in p]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_keeps_the_contract(path) -> None:
    records = json.loads(contract.RUNTIMES.read_text(encoding="utf8"))
    assert contract.problems(path.name, contract.load(path), records) == []


def test_chapters_share_no_figure_name() -> None:
    assert contract.shared_names({path.name: contract.load(path) for path in CHAPTERS}) == []


def test_the_sample_chapter_keeps_the_contract(chapter: dict) -> None:
    assert found(chapter) == []


def replaced(number: int, old: str, new: str) -> Callable[[dict], None]:
    """Return a change of one cell's text that must have something to change."""

    def change(notebook: dict) -> None:
        before = notebook["cells"][number]["source"]
        assert old in before
        notebook["cells"][number]["source"] = before.replace(old, new)

    return change


def meta(number: int, value: dict) -> Callable[[dict], None]:
    return lambda notebook: notebook["cells"][number].update(metadata=value)


def dropped(number: int) -> Callable[[dict], None]:
    return lambda notebook: notebook["cells"].pop(number)


def drawn(**changes: object) -> Callable[[dict], None]:
    """Return a change of the figure's metadata."""
    mystnb = copy.deepcopy(FIGURE)
    mystnb["figure"].update({k: v for k, v in changes.items() if k != "alt"})
    mystnb["image"]["alt"] = changes.get("alt", FIGURE["image"]["alt"])
    return meta(6, {"mystnb": mystnb})


def added(number: int, *cells: dict) -> Callable[[dict], None]:
    def change(notebook: dict) -> None:
        for offset, cell in enumerate(cells):
            notebook["cells"].insert(number, {**cell, "id": f"new-{offset}"})

    return change


def prose(words: str) -> Callable[[dict], None]:
    return added(6, text(words))


BROKEN = {
    "an old format": (lambda n: n.update(nbformat_minor=4), "nbformat"),
    "another kernel": (lambda n: n["metadata"].update(kernelspec={"name": "ir"}), "kernel"),
    "two cells with one id": (lambda n: n["cells"][3].update(id="cell-4"), "share one"),
    "a raw cell": (lambda n: n["cells"][3].update(cell_type="raw"), "raw cells"),
    "an output": (lambda n: n["cells"][4].update(outputs=[{}]), "carries outputs"),
    "an execution count": (lambda n: n["cells"][4].update(execution_count=1), "carries outputs"),
    "no title": (replaced(0, "# Dice loss", "Dice loss"), "# Title"),
    "a badge of another chapter": (replaced(0, "04_dice", "05_dice"), "no Colab badge"),
    "a missing row": (replaced(1, "**Promise**", "**Aim**"), "needs the rows"),
    "a prerequisite without a link": (
        replaced(1, "[MobileNet-UNet](03_mobilenet_unet.ipynb)", "UNets"), "neither links"),
    "a later prerequisite": (replaced(1, "03_mobilenet_unet", "05_tflite"), "later chapter"),
    "no runtime type": (replaced(1, "| CPU.", "| Fast."), "neither CPU nor GPU"),
    "a GPU without the menu": (replaced(1, "| CPU.", "| GPU."), "where to choose it"),
    "a GPU that only the header knows": (
        replaced(1, "| CPU.", "| GPU. Runtime → Change runtime type"), "disagree"),
    "two goals": (replaced(1, "- to see\n", ""), "3 to 6 goals"),
    "an own setup cell": (replaced(2, "-q", "-qU"), "word for word"),
    "a setup cell of another address": (replaced(2, "github.com", "gitlab.com"), "word for word"),
    "a second installation": (replaced(4, "from", "%pip install x\nfrom"), "outside the setup"),
    "a run time nobody measured": (replaced(1, "15 seconds", "2 seconds"), "the record says"),
    "a cell of 31 lines": (replaced(4, "from", "a = 1\n" * 30 + "from"), "31 lines"),
    "three code cells in a row": (added(5, code("a"), code("b")), "code cells in a row"),
    "a bare figure": (meta(6, {}), "no `mystnb` figure"),
    "a figure name with spaces": (drawn(name="Dice curve"), "name is not of the form"),
    "a caption that is a word": (drawn(caption="Loss."), "caption is not a sentence"),
    "a caption with a number": (drawn(caption="The loss falls to 0.031 in the end."), "is typed"),
    "a short alternative text": (drawn(alt="A plot."), "fewer than 40"),
    "an alternative text that is the caption": (
        drawn(caption="The loss falls as the overlap of the two masks grows.",
              alt="The loss falls as the overlap of the two masks grows."), "repeats the caption"),
    "one exercise": (lambda n: n["cells"].__delitem__(slice(12, 17)), "two are the least"),
    "a wrong exercise number": (replaced(12, "Exercise 2", "Exercise 3"), "is not `## Exercise 2"),
    "an exercise without a solution": (
        replaced(10, "### Solution to exercise 1", "Look:"), "has no"),
    "a stub without a tag": (meta(8, {}), "stub cell tagged"),
    "an exercise without a check": (replaced(9, "check.number", "print"), "followed by a cell"),
    "an open solution": (meta(11, {"tags": ["solution"]}), "not tagged"),
    "a solution open in Colab": (meta(11, {"tags": HIDDEN["tags"]}), "open in Colab"),
    "an unchecked solution": (replaced(11, "check.number", "print"), "does not end in a call"),
    "no summary": (dropped(17), "does not end in the sections"),
    "a summary without points": (replaced(17, "- one\n", ""), "at least 3 points"),
    "nothing next": (
        replaced(18, "[API](../book/api.md#losses-and-metrics)", "Rest."), "links to no"),
    "one source": (replaced(19, "- [U-Net](https://b.org)", ""), "fewer than 2 sources"),
    "a directive": (prose("```{note}\nHello\n```"), "shows raw"),
    "a colon fence": (prose("::: note\nHello\n:::"), "shows raw"),
    "a role": (prose("See {ref}`here`."), "shows raw"),
    "a label": (prose("(my-label)=\nText"), "shows raw"),
    "a picture beside the notebook": (prose("![A cat](cat.png)"), "no full address"),
    "a picture without words": (prose("![](https://a.org/x.png)"), "no alternative text"),
    "an <img> without words": (prose('<img src="https://a.org/x.png">'), "<img>"),
    "a dead link": (prose("[there](11_nowhere.ipynb)"), "does not exist"),
    "two titles": (prose("# Another title"), "first-level headings"),
    "two sections in a cell": (prose("## One\n\n## Two"), "its own cell"),
    "a broken formula": (prose(r"$\\\\frac{1}{2}$"), "doubled backslash"),
    "a banned word": (prose("You simply call it."), "simply"),
    "a typed percentage": (prose("It covers 25% of the photo."), "is typed"),
    "a typed score": (prose("It reaches 0.93 on the test set."), "is typed"),
    "a typed time": (prose("It takes 3 ms on a phone."), "is typed"),
    "a typed size": (prose("The file has 1,100 KiB."), "is typed"),
    "a package that Colab lacks": (replaced(4, "from seglib", "from myst_nb"), "do not have"),
    "a folder of one machine": (replaced(4, "from", "a = '/home/me'\nfrom"), "one machine"),
    "a shell line": (replaced(4, "from", "!ls\nfrom"), "shell line"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_chapter_is_caught(kind: str, chapter: dict) -> None:
    change, complaint = BROKEN[kind]
    change(chapter)
    problems = found(chapter)
    assert any(complaint in problem for problem in problems), problems


def test_long_cells_and_lines_are_caught(chapter: dict) -> None:
    code = next(cell for cell in chapter["cells"][3:] if cell["cell_type"] == "code")
    code["source"] = "a = 1\n" * 25 + "b = 1"
    assert any("26 lines of code" in problem for problem in found(chapter))
    code["source"] = f"a = '{80 * 'x'}'"
    assert any("scrolls" in problem for problem in found(chapter))
    chapter["cells"] += [{**text("more"), "id": f"more-{n}"} for n in range(60)]
    assert any("cells, more than" in problem for problem in found(chapter))


def test_a_wrong_file_name_is_caught(chapter: dict) -> None:
    assert any("NN_topic" in problem for problem in contract.problems("dice.ipynb", chapter))


def test_a_chapter_without_a_record_is_caught(chapter: dict) -> None:
    assert any("no entry" in p for p in contract.problems(NAME, chapter, {"chapters": {}}))


def test_a_figure_name_of_two_chapters_is_caught(chapter: dict) -> None:
    assert len(contract.shared_names({"01_a.ipynb": chapter, "02_b.ipynb": chapter})) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(2, "5 seconds"), (15.2, "20 seconds"), (89, "90 seconds"), (90, "2 minutes"),
     (121, "3 minutes")],
)  # fmt: skip
def test_run_times_are_rounded_up(value: float, words: str) -> None:
    assert contract.seconds(value) == words


def test_code_links_and_formulas_are_no_prose() -> None:
    words = contract.prose("a `0.5` b $0.5$ c [12%](https://x.org/0.5) d <b title='3 ms'>e</b>")
    assert words.split() == ["a", "b", "c", "d", "e"]
