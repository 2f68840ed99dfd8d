"""The book's table of contents, configuration and pages fit together; `make book` does the rest."""

import json
import re
from pathlib import Path

import pytest
import yaml

import chapter_contract as contract

ROOT = Path(__file__).resolve().parent.parent
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
LISTED = [TOC["root"]] + [c["file"] for part in TOC["parts"] for c in part["chapters"]]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = sorted((ROOT / "book").glob("*.md"))
SMOKE_BUDGET = 15 * 60


def names(paths: list[Path]) -> set[str]:
    return {path.relative_to(ROOT).with_suffix("").as_posix() for path in paths}


def test_every_page_and_chapter_is_listed_once_and_exists() -> None:
    assert len(LISTED) == len(set(LISTED))
    assert set(LISTED) == names(CHAPTERS) | names(PAGES)


def test_chapters_stand_in_the_order_of_their_numbers() -> None:
    chapters = [name for name in LISTED if name.startswith("notebooks/")]
    assert chapters == sorted(chapters)


def test_pages_are_executed_and_errors_stop_the_build() -> None:
    execute = CONFIG["execute"]
    assert execute["execute_notebooks"] == "auto"
    assert execute["allow_errors"] is False
    assert execute["run_in_temp"] is True


@pytest.mark.parametrize("folder", [".venv", ".pytest_cache", "tests", "_build", "seglib"])
def test_what_is_no_page_is_excluded(folder: str) -> None:
    # A stray Markdown file in such a folder is a warning, and a warning fails the build.
    assert any(Path(folder).match(pattern) for pattern in CONFIG["exclude_patterns"])


def test_smoke_runs_of_all_chapters_stay_within_the_budget() -> None:
    records = json.loads(contract.RUNTIMES.read_text(encoding="utf8"))["chapters"]
    assert set(records) == {path.stem for path in CHAPTERS}
    assert sum(record["smoke"] for record in records.values()) < SMOKE_BUDGET


def test_readme_and_intro_lead_to_every_chapter() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf8")
    intro = (ROOT / "book" / "intro.md").read_text(encoding="utf8")
    for chapter in CHAPTERS:
        assert contract.address.colab_link(chapter.name) in readme
        assert f"(notebooks/{chapter.name})" in readme
        assert f"(../notebooks/{chapter.name})" in intro


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda path: path.stem)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf8"), flags=re.M | re.S)
    text = re.sub(r"`[^`]+`", "", text) if page.stem == "contributing" else text
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith("http"):
            assert (page.parent / target).is_file(), target


def test_no_page_says_an_address_of_a_workplace() -> None:
    for page in [*PAGES, *CHAPTERS, ROOT / "README.md"]:
        assert not re.search(r"/work/|shared/data|/root/", page.read_text(encoding="utf8")), page


def test_api_page_shows_every_public_module() -> None:
    shown = set(re.findall(r"automodule:: (\S+)", (ROOT / "book/api.md").read_text("utf8")))
    modules = set()
    for path in (ROOT / "seglib").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            modules.add(".".join(part for part in parts if part != "__init__"))
    assert shown - modules == set()
    # `seglib` itself only hands names on; the others are commands or a package's inner parts.
    inner = {
        "seglib",
        "seglib.data.splits",
        "seglib.data.workers",
        "seglib.export.mil_kernels",
        "seglib.models.zoo.parts",
        "seglib.video.queues",
    }
    inside = ("doctor.", "synthetic.")
    packages = ("seglib.cli", *(f"seglib.data.{part}" for part in inside))
    assert {name for name in modules - shown if not name.startswith(packages)} == inner
