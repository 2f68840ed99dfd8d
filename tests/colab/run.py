"""Do in a fresh environment what a reader does in Colab, and see that it works.

`make test-colab` makes .venv-colab with the packages of pins.txt, builds the wheel, installs it the
way a setup cell does, compares the packages before and after (only additions pass), then runs
every chapter alone and offline, and the tests of the shipped weights under Colab's older Keras.
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chapter_contract import EXTRAS
from chapter_run import NOTEBOOKS, output_problems, run_alone

PINS = Path(__file__).with_name("pins.txt")
FOLDER = ROOT / ".venv-colab"
PYTHON = FOLDER / "bin" / "python"
BASE = FOLDER / "base.txt"  # the packages before seglib; its age says whether pins.txt is newer
TESTS = ("tests/test_pretrained.py", "tests/test_runtime.py")


def pip(*arguments: str) -> str:
    """Run pip of the environment and return what it prints."""
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def packages() -> dict[str, str]:
    """Return name -> version of everything installed."""
    lines = pip("list", "--format=freeze").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def make_environment() -> None:
    """Make Colab's packages, or take away what an earlier run added to them."""
    if not BASE.is_file() or BASE.stat().st_mtime < PINS.stat().st_mtime:
        print("making .venv-colab with Colab's packages (minutes)", flush=True)
        venv.create(FOLDER, clear=True, with_pip=True)
        pip("install", "--quiet", "--requirement", str(PINS))
        BASE.write_text("\n".join(packages()), encoding="utf8")
    added = set(packages()) - set(BASE.read_text(encoding="utf8").split())
    if added:
        pip("uninstall", "--yes", "--quiet", *sorted(added))


def build_wheel(folder: Path) -> Path:
    """Build the wheel from a copy, so that no earlier build leaks into it."""
    copy = folder / "source"
    copy.mkdir()
    shutil.copytree(ROOT / "seglib", copy / "seglib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, copy)
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(copy))
    return next(folder.glob("seglib-*.whl"))


def install(what: str) -> list[str]:
    """Install as a setup cell does; return the packages that were not added but changed."""
    before = packages()
    pip("install", "--quiet", what)
    after = packages()
    added = [f"{name} {version}" for name, version in after.items() if name not in before]
    print(f"pip install {Path(what).name} adds {', '.join(added) or 'nothing'}", flush=True)
    return [
        f"{name} {version} became {after.get(name, 'nothing')}"
        for name, version in before.items()
        if after.get(name) != version
    ]


def run_chapter(chapter: Path) -> list[str]:
    """Run one chapter and return what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            executed, seconds = run_alone(chapter, Path(folder), python=str(PYTHON))
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return [str(error)]
    print(f"{chapter.stem}: {seconds:.0f} s", flush=True)
    return [f"{chapter.stem}, {problem}" for problem in output_problems(executed)]


def main() -> int:
    """Return 0 when nothing changed that Colab brings and every chapter ran."""
    if sys.version_info[:2] != (3, 13):
        print(f"Colab has Python 3.13; {sys.version.split()[0]} stands in for it")
    make_environment()
    chapters = sorted(NOTEBOOKS.glob("*.ipynb"))
    of_extra = {
        extra: [c for c in chapters if f"seglib[{extra}]" in c.read_text(encoding="utf8")]
        for extra in EXTRAS
    }
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        problems = install(str(wheel))
        for chapter in chapters:
            if not any(chapter in found for found in of_extra.values()):
                problems += run_chapter(chapter)
        # -P: seglib comes from the wheel, not from the folder that pytest is started in.
        tests = [str(PYTHON), "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        if subprocess.run(tests, cwd=ROOT).returncode:
            problems.append(f"{' '.join(TESTS)} fail under Colab's packages")
        for extra, found in of_extra.items():
            problems += install(f"{wheel}[{extra}]")
            for chapter in found:
                problems += run_chapter(chapter)
    print("\n".join(problems) or f"{len(chapters)} chapters run; no package of Colab's changed")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
