"""Do in a fresh environment what a reader does in Colab, and see that it works.

    python tests/colab/run.py [newest | oldest | lowest] ...

`newest` and `oldest` (the default, `make test-colab`) make .venv-colab/<name> with the packages of
a runtime of Colab's, build the wheel, install it the way a setup cell does, compare the packages
before and after (only additions pass), then run every chapter alone and offline, in /content where
that can be made, and tests of the shipped weights. `lowest` (`make test-lowest`) installs the lower
bound of everything that pyproject.toml promises to run with, and runs tests of the core there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from chapter_contract import EXTRAS
from chapter_run import NOTEBOOKS, output_problems, run_alone

PYTHONS = {"newest": (3, 13), "oldest": (3, 12), "lowest": (3, 11)}
TESTS = {
    "newest": ("pretrained", "runtime"),
    "oldest": ("pretrained", "runtime", "batches", "video_sources", "audit"),
    "lowest": (
        "pretrained", "runtime", "forms", "data_forms", "losses_metrics", "models", "batches",
        "training", "export_tflite", "video_sources", "postprocess", "evaluation",
    ),
}  # fmt: skip


class Environment:
    """A virtual environment with some packages, and what is run in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = ROOT / ".venv-colab" / name
        self.python = self.folder / "bin" / "python"
        self.base = self.folder / "base.txt"  # the packages before seglib

    def pip(self, *arguments: str) -> str:
        """Run pip of the environment and return what it prints."""
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def packages(self) -> dict[str, str]:
        """Return name -> version of everything installed."""
        lines = self.pip("list", "--format=freeze").splitlines()
        return dict(line.split("==") for line in lines if "==" in line)

    def make(self, requirements: str) -> None:
        """Install what is listed, or take away what an earlier run added to it."""
        wanted = self.folder / "wanted.txt"
        if not self.base.is_file() or wanted.read_text(encoding="utf8") != requirements:
            print(f"making .venv-colab/{self.name} (minutes)", flush=True)
            venv.create(self.folder, clear=True, with_pip=True)
            wanted.write_text(requirements, encoding="utf8")
            self.pip("install", "--quiet", "--requirement", str(wanted))
            self.base.write_text("\n".join(self.packages()), encoding="utf8")
        added = set(self.packages()) - set(self.base.read_text(encoding="utf8").split())
        if added:
            self.pip("uninstall", "--yes", "--quiet", *sorted(added))

    def install(self, what: str) -> list[str]:
        """Install as a setup cell does; return the packages that were not added but changed."""
        before = self.packages()
        self.pip("install", "--quiet", what)
        after = self.packages()
        added = [f"{name} {version}" for name, version in after.items() if name not in before]
        print(f"pip install {Path(what).name} adds {', '.join(added) or 'nothing'}", flush=True)
        return [
            f"{name} {version} became {after.get(name, 'nothing')}"
            for name, version in before.items()
            if after.get(name) != version
        ]

    def run_chapter(self, chapter: Path) -> list[str]:
        """Run one chapter and return what is wrong with it."""
        paths = os.pathsep.join([str(ROOT / "tests" / "offline"), str(HERE)])  # google.colab
        with content_folder() as folder:
            try:
                executed, seconds = run_alone(chapter, folder, str(self.python), PYTHONPATH=paths)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                return [str(error)]
        print(f"{chapter.stem}: {seconds:.0f} s", flush=True)
        return [f"{chapter.stem}, {problem}" for problem in output_problems(executed)]

    def run_tests(self) -> list[str]:
        """Run the tests for these packages. -P: seglib comes from the wheel, not from here."""
        names = [f"tests/test_{name}.py" for name in TESTS[self.name]]
        command = [str(self.python), "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *names]
        done = subprocess.run(command, cwd=ROOT)
        return [f"{' '.join(names)} fail with these packages"] * bool(done.returncode)


@contextmanager
def content_folder() -> Iterator[Path]:
    """Hand out the folder that Colab starts in, empty, or another where it cannot be made."""
    folder = Path("/content")
    try:
        folder.mkdir()
    except OSError:
        with tempfile.TemporaryDirectory() as other:
            yield Path(other)
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def build_wheel(folder: Path, python: Path) -> Path:
    """Build the wheel from a copy, so that no earlier build leaks into it."""
    copy = folder / "source"
    copy.mkdir()
    shutil.copytree(ROOT / "seglib", copy / "seglib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, copy)
    command = [str(python), "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    subprocess.run([*command, str(folder), str(copy)], check=True)
    return next(folder.glob("seglib-*.whl"))


def lower_bounds() -> str:
    """Return the requirements of seglib and of training and data, each at its lower bound."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"]
    promised = [*project["dependencies"], *extras["train"], *extras["data"], *extras["widgets"]]
    exact = [re.sub(r">=\s*([\d.]+)", r"==\1.*", line) for line in promised]
    return "\n".join([*exact, "pytest>=8", "hypothesis>=6", ""])


def run_colab(name: str) -> list[str]:
    """Return what goes wrong with the packages of one of Colab's runtimes."""
    environment = Environment(name)
    environment.make((HERE / f"{name}.txt").read_text(encoding="utf8"))
    chapters = sorted(NOTEBOOKS.glob("*.ipynb"))
    of_extra = {
        extra: [c for c in chapters if f"seglib[{extra}]" in c.read_text(encoding="utf8")]
        for extra in EXTRAS
    }
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder), environment.python)
        problems = environment.install(str(wheel))
        for chapter in chapters:
            if not any(chapter in found for found in of_extra.values()):
                problems += environment.run_chapter(chapter)
        problems += environment.run_tests()
        for extra, found in of_extra.items():
            problems += environment.install(f"{wheel}[{extra}]")
            for chapter in found:
                problems += environment.run_chapter(chapter)
    return problems


def run_lowest(name: str) -> list[str]:
    """Return what goes wrong with the lower bounds."""
    environment = Environment(name)
    environment.make(lower_bounds())
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder), environment.python)
        return environment.install(str(wheel)) + environment.run_tests()


def main(names: list[str]) -> int:
    """Return 0 when nothing changed that was there and everything ran."""
    failed = 0
    for name in names or ["newest", "oldest"]:
        if sys.version_info[:2] != PYTHONS[name]:
            meant = ".".join(map(str, PYTHONS[name]))
            print(f"{name}: Python {meant} is meant; {sys.version.split()[0]} stands in for it")
        problems = (run_lowest if name == "lowest" else run_colab)(name)
        print("\n".join(problems) or f"{name}: everything runs; no package changed", flush=True)
        failed += bool(problems)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
