"""Compare the repository's address everywhere with the one in seglib/project.py.

`python tests/address.py` names every file that disagrees and exits with 1; with `--write` it
rewrites them instead. What is compared are addresses of this kind of place (a GitHub repository, a
Colab link into one, a Pages site) whose path ends in this repository's name or whose notebook is
ours; citations of other projects are left alone.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from seglib import project

FILES = (
    "README.md", "LICENSE-TEXT", "CITATION.cff", "_config.yml", "pyproject.toml",
    "book/*.md", "notebooks/*.ipynb",
)  # fmt: skip
# Where an address of ours stands, whoever owns it: group 1 is owner/name.
PLACES = (
    re.compile(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/[\w.-]+/notebooks/"),
    re.compile(r"@ git\+https://github\.com/([\w.-]+/[\w.-]+?)(?=[\\\"'\s])"),
    re.compile(r"git clone https://github\.com/([\w.-]+/[\w.-]+)"),
    re.compile(r"(?:repository-code|Repository|  url)\s*[:=]\s*\"?https://github\.com/([\w.-]+/[\w.-]+)"),
    re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues\)|blob/main/(?:LICENSE|seglib/))"),
    re.compile(r"the repository\]\(https://github\.com/([\w.-]+/[\w.-]+)\)"),
    re.compile(r"(?:authors, |url    = \{)https://github\.com/([\w.-]+/[\w.-]+)"),
)
PAGES = re.compile(r"((?:baseurl|url|Book)\s*[:=]\s*\"?)https://[\w-]+\.github\.io/[\w.-]+/")


def files(root: Path = ROOT) -> list[Path]:
    """Return every file in which the address may stand."""
    return sorted(path for pattern in FILES for path in root.glob(pattern))


def corrected(text: str) -> str:
    """Return a file's text with every address of this repository as project.py has it."""
    ours = project.ADDRESS.removeprefix("https://github.com/")
    for place in PLACES:
        text = place.sub(lambda m: m[0].replace(m[1], ours), text)
    owner, name = ours.split("/")
    return PAGES.sub(rf"\g<1>https://{owner}.github.io/{name}/", text)


def stale(root: Path = ROOT) -> list[str]:
    """Return one sentence for each file that holds another address."""
    return [
        f"{path.relative_to(root)} holds another address than seglib/project.py; "
        "run python tests/address.py --write"
        for path in files(root)
        if corrected(path.read_text(encoding="utf8")) != path.read_text(encoding="utf8")
    ]


def write(root: Path = ROOT) -> list[Path]:
    """Rewrite the address where it differs, and return the files that changed."""
    changed = []
    for path in files(root):
        text = path.read_text(encoding="utf8")
        if corrected(text) != text:
            path.write_text(corrected(text), encoding="utf8")
            changed.append(path)
    return changed


def main(arguments: list[str]) -> int:
    """Compare, or rewrite with `--write`."""
    if arguments == ["--write"]:
        for path in write():
            print(f"rewritten: {path.relative_to(ROOT)}")
        return 0
    found = stale()
    print("\n".join(found) or f"{len(files())} files hold the address {project.ADDRESS}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
