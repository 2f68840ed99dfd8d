"""Each chapter runs alone: an empty folder, seglib installed, no network, smoke mode.

Once, on the photos of SEGLIB_DATA where that is set and on drawings where not; `make test-offline`
runs all of them once more with nothing but what seglib brings. Afterwards the outputs are looked
at: every picture captioned, every solution accepted. The book is built from these copies.
"""

import os
from pathlib import Path

import pytest

from chapter_run import NOTEBOOKS, output_problems, run_alone, run_once

CHAPTERS = sorted(NOTEBOOKS.glob("*.ipynb"))
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


@pytest.mark.chapters
@each_chapter
def test_chapter_runs_alone(chapter: Path) -> None:
    executed, _ = run_once(chapter)
    assert output_problems(executed) == []


@pytest.mark.offline
@each_chapter
def test_chapter_runs_without_any_photos(chapter: Path, tmp_path: Path) -> None:
    if "SEGLIB_DATA" not in os.environ:
        pytest.skip("that is how the chapters were run already")
    executed, _ = run_alone(chapter, tmp_path)
    assert output_problems(executed) == []


def test_there_are_chapters() -> None:
    assert len(CHAPTERS) >= 9


def cell(source: str, outputs: list, **metadata: object) -> dict:
    return {"cell_type": "code", "source": source, "outputs": outputs, "metadata": metadata}


PICTURE = {"output_type": "display_data", "data": {"image/png": "", "text/plain": ""}}
WORDS = {"output_type": "execute_result", "data": {"text/plain": "3"}}
FIGURE = {"figure": {"name": "fig-x", "caption": "It grows."}}
CHECK = "check.number(answer, 1)"


def printed(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        (cell("plot()", [PICTURE]), "no figure in its metadata"),
        (cell("plot()", [], mystnb=FIGURE), "this shows 0"),
        (cell("plot()", [PICTURE, PICTURE], mystnb=FIGURE), "this shows 2"),
        (cell("plot()", [PICTURE, WORDS], mystnb=FIGURE), "besides its picture"),
        (cell("%pip install x", [printed("Collecting")]), "installed something"),
        (cell(CHECK, [printed("✔ 1 is right")]), "accepts the open stub"),
        (cell(CHECK, [printed("✘ no")], tags=["solution"]), "does not accept the solution"),
        (cell(CHECK, [], tags=["solution"]), "does not accept the solution"),
    ],
)
def test_wrong_outputs_are_found(broken: dict, complaint: str) -> None:
    heading = {"cell_type": "markdown", "source": "## Exercise 1: Count", "metadata": {}}
    assert any(complaint in problem for problem in output_problems({"cells": [heading, broken]}))


def test_right_outputs_pass() -> None:
    cells = [
        {"cell_type": "markdown", "source": "## Exercise 1: Count", "metadata": {}},
        cell("plot()", [PICTURE], mystnb=FIGURE),
        cell(CHECK, [printed("✘ not yet")]),
        cell(CHECK, [printed("✔ 1 is right")], tags=["solution"]),
        cell("%pip install x", [{**printed("untested TensorFlow"), "name": "stderr"}]),
    ]
    assert output_problems({"cells": cells}) == []


def test_the_network_is_blocked(offline: dict[str, str]) -> None:
    import subprocess
    import sys

    code = (
        "import socket, urllib.request\n"
        "try: urllib.request.urlopen('https://example.org', timeout=5)\n"
        "except OSError as error: print('lookup', 'blocked' in str(error))\n"
        "try: socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
        "except OSError as error: print('connect', 'blocked' in str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=offline, capture_output=True, text=True)
    assert done.stdout.split() == ["lookup", "True", "connect", "True"], done.stderr
