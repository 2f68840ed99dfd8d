"""The page of failures: each has cause, cure and a link to a section that computes something."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "troubleshooting.md"
ENTRIES = re.split(r"^## ", PAGE.read_text(encoding="utf8"), flags=re.MULTILINE)[1:]
LINKS = re.findall(r"\]\(\.\./notebooks/([^)#]+)#([^)]+)\)", PAGE.read_text(encoding="utf8"))


def anchor(heading: str) -> str:
    """Name a heading as MyST does, after GitHub's way."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: anchor(entry.splitlines()[0]))
def test_an_entry_says_why_what_to_do_and_where_it_is_shown(entry):
    for part in ("**Why.**", "**Cure.**", "**See it.**"):
        assert entry.count(part) == 1
    assert re.search(r"\(\.\./notebooks/\w+\.ipynb#", entry.partition("**See it.**")[2])


@pytest.mark.parametrize(("chapter", "target"), sorted(set(LINKS)))
def test_a_link_leads_to_a_section_with_an_executed_cell(chapter, target):
    notebook = json.loads((ROOT / "notebooks" / chapter).read_text(encoding="utf8"))
    section, code = "", {}
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            for heading in re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE):
                section = anchor(heading)
                code.setdefault(section, 0)
        elif section:
            code[section] += 1
    assert target in code, f"{chapter} has no section #{target}; it has {', '.join(code)}"
    assert code[target] > 0, f"{chapter}#{target} computes nothing"


def test_the_field_s_pains_are_all_there():
    assert len(ENTRIES) >= 13
