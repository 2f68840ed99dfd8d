"""The repository's address, and whether it stands everywhere as it does here.

Whoever forks the book changes `ADDRESS` and runs `python tests/address.py --write`, which rewrites
the badges, setup cells and links; without `--write` it names every file that disagrees and exits
with 1. What is compared are addresses of this kind of place (a GitHub repository, a Colab link into
one, a Pages site) whose path ends in this repository's name or whose notebook is ours; citations of
other projects are left alone.
"""

import re
import sys
from pathlib import Path

ADDRESS = "https://github.com/segmentation-on-a-phone/book"
BRANCH = "main"
ROOT = Path(__file__).resolve().parent.parent
FILES = (
    "README.md", "LICENSE-TEXT", "CITATION.cff", "_config.yml", "pyproject.toml",
    "book/*.md", "notebooks/*.ipynb", "seglib/cli/*.py",
)  # fmt: skip
# Where an address of ours stands, whoever owns it: group 1 is owner/name.
PLACES = (
    re.compile(r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/[\w.-]+/notebooks/"),
    re.compile(r"@ git\+https://github\.com/([\w.-]+/[\w.-]+?)(?=[\\\"'\s])"),
    re.compile(r"git clone https://github\.com/([\w.-]+/[\w.-]+)"),
    re.compile(r"(?:repository-code|Repository|  url)\s*[:=]\s*\"?https://github\.com/([\w.-]+/[\w.-]+)"),
    re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/(?:issues\)|blob/main/(?:LICENSE|seglib/|\.github/))"),
    re.compile(r"the repository\]\(https://github\.com/([\w.-]+/[\w.-]+)\)"),
    re.compile(r"(?:authors, |url    = \{)https://github\.com/([\w.-]+/[\w.-]+)"),
)
PAGES = re.compile(r"((?:baseurl|url|Book)\s*[:=]\s*\"?)https://[\w-]+\.github\.io/[\w.-]+/")


def colab_link(notebook: str) -> str:
    """Return the address that opens a chapter, such as `00_quick_start.ipynb`, in Colab."""
    repository = ADDRESS.removeprefix("https://github.com/")
    return f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/notebooks/{notebook}"


def requirement(extra: str = "") -> str:
    """Return what `pip install` takes to install seglib, with an optional part, from there."""
    return f"seglib[{extra}] @ git+{ADDRESS}" if extra else f"seglib @ git+{ADDRESS}"


def files(root: Path = ROOT) -> list[Path]:
    """Return every file in which the address may stand."""
    return sorted(path for pattern in FILES for path in root.glob(pattern))


def corrected(text: str) -> str:
    """Return a file's text with every address of this repository as ADDRESS has it."""
    ours = ADDRESS.removeprefix("https://github.com/")
    for place in PLACES:
        text = place.sub(lambda m: m[0].replace(m[1], ours), text)
    owner, name = ours.split("/")
    return PAGES.sub(rf"\g<1>https://{owner}.github.io/{name}/", text)


def stale(root: Path = ROOT) -> list[str]:
    """Return one sentence for each file that holds another address."""
    return [
        f"{path.relative_to(root)} holds another address than tests/address.py; "
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
    print("\n".join(found) or f"{len(files())} files hold the address {ADDRESS}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
