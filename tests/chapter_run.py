"""Run one chapter as a reader who has nothing but seglib would: alone, in an empty folder.

    python tests/chapter_run.py

executes what has changed and lays out the book's source, executed chapters included, in build/book.
Each chapter is executed once: the tests keep their copies in build/executed, by content.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
EXECUTED, SOURCE = ROOT / "build" / "executed", ROOT / "build" / "book"
CELL_SECONDS, CHAPTER_SECONDS = 300, 900


def offline_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that reaches no network and finds no cache.

    Args:
        folder: where caches and settings that the process wants to keep may go.
        more: further variables; SEGLIB_DATA is taken over from nowhere else.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("SEGLIB_DATA", "SEGLIB_MODE")}
    own = {
        "PYTHONPATH": str(ROOT / "tests" / "offline"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
        # Shared by all runs: matplotlib takes seconds to list the fonts of an empty folder.
        "MPLCONFIGDIR": str(Path(tempfile.gettempdir()) / "seglib-matplotlib"),
        "IPYTHONDIR": str(folder / ".ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "SEGLIB_MODE": "smoke",
    }
    return {**kept, **own, **more}


def run_alone(
    chapter: Path, folder: Path, python: str = sys.executable, limit: int = CHAPTER_SECONDS,
    **environment: str,
) -> tuple[dict, float]:
    """Execute a chapter under nbmake and return it with its outputs, and the seconds it took.

    Args:
        chapter: the notebook in notebooks/; it is copied, never changed.
        folder: an empty folder.
        python: the interpreter; seglib is imported from where that one has it installed.
        limit: seconds that the whole chapter may take.
        environment: variables besides those of `offline_environment`.

    Raises:
        AssertionError: a cell failed; the message is nbmake's report.
        subprocess.TimeoutExpired: the chapter took longer than `limit`.
    """  # fmt: skip
    work = folder / "empty"
    work.mkdir()
    copy = Path(shutil.copy(chapter, work))
    command = [python, "-m", "pytest", "--nbmake", "--overwrite", f"--nbmake-timeout={limit}"]
    command += ["-q", "-p", "no:cacheprovider", f"--rootdir={work}", copy.name]
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=work, env=offline_environment(folder, **environment),
        capture_output=True, text=True, timeout=limit,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    assert done.returncode == 0, f"{chapter.name}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    return json.loads(copy.read_text(encoding="utf8")), seconds


def _content(photos: str) -> str:
    """Return a hash of all that a chapter's outputs depend on, the chapter itself excepted."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {photos}".encode())
    tracked = [*(ROOT / "seglib").rglob("*"), ROOT / "constraints.txt"]
    for path in sorted(path for path in tracked if path.is_file() and path.suffix != ".pyc"):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


def run_once(chapter: Path) -> tuple[dict, float]:
    """Return a chapter with its outputs, executed now or since the last change of what it needs.

    The photos of SEGLIB_DATA are used where that is set, as in the book. Seconds are 0 for a copy.
    """
    photos = os.environ.get("SEGLIB_DATA", "")
    key = hashlib.sha256(_content(photos).encode() + chapter.read_bytes()).hexdigest()[:16]
    kept = EXECUTED / f"{chapter.stem}-{key}.ipynb"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf8")), 0.0
    with tempfile.TemporaryDirectory() as folder:
        data = {"SEGLIB_DATA": photos} if photos else {}
        executed, seconds = run_alone(chapter, Path(folder), **data)
    EXECUTED.mkdir(parents=True, exist_ok=True)
    for old in EXECUTED.glob(f"{chapter.stem}-*.ipynb"):
        old.unlink()
    unfinished = kept.with_suffix(".part")
    unfinished.write_text(json.dumps(executed, ensure_ascii=False), encoding="utf8")
    unfinished.replace(kept)
    return executed, seconds


def lay_out_book() -> None:
    """Execute what has changed and copy the book's source to build/book."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    (SOURCE / "notebooks").mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md", "CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, SOURCE)
    shutil.copytree(ROOT / "book", SOURCE / "book")
    demo = Path("build", "live_demo", "site")
    if (ROOT / demo).is_dir():
        shutil.copytree(ROOT / demo, SOURCE / demo)
    for chapter in sorted(NOTEBOOKS.glob("*.ipynb")):
        executed, seconds = run_once(chapter)
        print(f"{chapter.stem}: {f'{seconds:.0f} s' if seconds else 'as it was'}", flush=True)
        content = json.dumps(executed, ensure_ascii=False)
        (SOURCE / "notebooks" / chapter.name).write_text(content, encoding="utf8")


def output_problems(notebook: dict) -> list[str]:
    """Return what an executed chapter shows against the contract.

    Pictures without caption or alternative text, figure cells that show no picture or more than
    one, stubs that are already right, solutions that are not, and an installation that took place.
    """
    found, section = [], "the opening"
    for number, cell in enumerate(notebook["cells"]):
        where = f"cell {number}"
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = next((x for x in text.splitlines() if x.startswith("#")), section)
            continue
        shown = [output for output in cell["outputs"] if "data" in output]
        pictures = [x for x in shown if any(kind.startswith("image/") for kind in x["data"])]
        # Libraries warn on standard error when they are imported; that is no answer of a cell.
        said = [x for x in cell["outputs"] if x.get("name") != "stderr"]
        printed = "".join("".join(x.get("text", "")) for x in said)
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        if pictures and not figure:
            found.append(f"{where}: shows a picture, but has no figure in its metadata")
        if figure and len(pictures) != 1:
            found.append(f"{where}: a figure is one picture, this shows {len(pictures)}")
        if figure and len(shown) > len(pictures):
            found.append(f"{where}: a figure cell shows something besides its picture")
        if "%pip" in text and printed:
            found.append(f"{where}: installed something although seglib is there")
        if "check." not in text or not section.startswith(("## Exercise", "### Solution")):
            continue
        solved = "solution" in cell["metadata"].get("tags", [])
        if solved and ("✘" in printed or "✔" not in printed):
            found.append(f"{where}: does not accept the solution: {printed.strip()}")
        if not solved and "✘" not in printed:
            found.append(f"{where}: the check accepts the open stub: {printed.strip()}")
    return found


if __name__ == "__main__":
    lay_out_book()
