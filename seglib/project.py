"""The one place that knows where this project lives.

Whoever forks the book changes `ADDRESS` here and runs `python tests/address.py --write`, which
rewrites the badges, setup cells and links of the repository; `make check` fails while any of them
disagrees.
"""

ADDRESS = "https://github.com/segmentation-on-a-phone/book"
BRANCH = "main"

COLAB = "https://colab.research.google.com/github"


def pages_link(page: str = "") -> str:
    """Return the address of a page of the published book, for example `notebooks/00_x.html`."""
    owner, repository = ADDRESS.removeprefix("https://github.com/").split("/")
    return f"https://{owner}.github.io/{repository}/{page}"


def colab_link(notebook: str) -> str:
    """Return the address that opens a chapter in Colab.

    Args:
        notebook: the file's name inside `notebooks/`, such as `00_quick_start.ipynb`.
    """
    repository = ADDRESS.removeprefix("https://github.com/")
    return f"{COLAB}/{repository}/blob/{BRANCH}/notebooks/{notebook}"


def requirement(extra: str = "") -> str:
    """Return what `pip install` takes to install seglib from the repository.

    Args:
        extra: an optional part of seglib to install with it, such as `coreml`.
    """
    name = f"seglib[{extra}]" if extra else "seglib"
    return f"{name} @ git+{ADDRESS}"
