"""Chapters choose their size by SEGLIB_MODE and say computed numbers anywhere."""


import pytest

import seglib
from seglib import notebook


@pytest.mark.parametrize(("value", "size"), [(None, 1), ("smoke", 1), ("full", 9)])
def test_the_mode_sets_the_size(value, size, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEGLIB_MODE", raising=False)
    if value:
        monkeypatch.setenv("SEGLIB_MODE", value)
    assert notebook.mode() == (value or "smoke")
    assert notebook.scaled(smoke=1, full=9) == size


def test_another_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGLIB_MODE", "fast")
    with pytest.raises(seglib.SeglibError, match="smoke or to full"):
        notebook.scaled(smoke=1, full=2)


def test_a_script_prints_what_it_says(capsys: pytest.CaptureFixture) -> None:
    notebook.say("It covers **25%**.")
    assert capsys.readouterr().out == "It covers **25%**.\n"


def test_a_kernel_shows_markdown() -> None:
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    source = "from seglib import notebook\nnotebook.say('It covers **25%**.')"
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(page, timeout=120, kernel_name="python3").execute()
    (output,) = page.cells[0].outputs
    assert output["data"]["text/markdown"] == "It covers **25%**."
