"""One address, one version, pins that agree, and a wheel that holds what seglib needs."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import address
import seglib

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))


def requirements(name: str) -> dict[str, list[Requirement]]:
    """Return a requirement file as package name -> its lines."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / name).read_text(encoding="utf8").splitlines():
        line = line.partition("#")[0].strip()
        if line:
            parsed = Requirement(line)
            found.setdefault(canonicalize_name(parsed.name), []).append(parsed)
    return found


def test_one_address_everywhere() -> None:
    assert address.stale() == []


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """A copy of every file that holds the address."""
    for path in address.files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_a_moved_repository_is_rewritten_everywhere(fork: Path, monkeypatch) -> None:
    monkeypatch.setattr(address, "ADDRESS", "https://github.com/somebody/another-name")
    assert len(address.stale(fork)) >= 6
    about = fork / "book/about.md"
    cited = ("https://github.com/INRIA/scikit-learn-mooc", "https://keras-team.github.io/x/y")
    with about.open("a", encoding="utf8") as file:
        file.write("".join(f"\n- [source]({link})" for link in cited))
    address.write(fork)
    assert address.stale(fork) == []
    for path in address.files(fork):
        assert "segmentation-on-a-phone/book" not in path.read_text(encoding="utf8"), path
    assert all(f"({link})" in about.read_text(encoding="utf8") for link in cited)


def test_stale_files_are_named(fork: Path) -> None:
    files = ["CITATION.cff", "README.md", "_config.yml", "book/how_to_use.md"]
    for path in (fork / file for file in files):
        text = path.read_text(encoding="utf8").replace("segmentation-on-a-phone/book", "old/place")
        path.write_text(text, encoding="utf8")
    assert [sentence.split()[0] for sentence in address.stale(fork)] == files


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    assert citation["version"] == seglib.__version__
    assert re.search(r"^## (\d\S*)", changes, re.MULTILINE)[1] == seglib.__version__


@pytest.mark.parametrize("python", ["3.11.7", "3.12.1", "3.13.0"])
def test_every_requirement_is_pinned_for_every_python(python: str) -> None:
    pins = requirements("constraints.txt")
    environment = {"python_full_version": python, "python_version": python[:4]}
    for name, lines in requirements("requirements.txt").items():
        valid = [p for p in pins[name] if p.marker is None or p.marker.evaluate(environment)]
        assert len(valid) == 1, f"{name}: {valid}"
        version = str(valid[0].specifier).removeprefix("==")
        assert lines[0].specifier.contains(version), name


def test_the_book_tests_what_the_library_promises() -> None:
    pins = requirements("constraints.txt")
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    for line in [*PYPROJECT["project"]["dependencies"], *(x for extra in extras for x in extra)]:
        wanted = Requirement(line)
        if wanted.name != "seglib":
            for pin in pins[canonicalize_name(wanted.name)]:
                assert wanted.specifier.contains(str(pin.specifier).removeprefix("=="))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built in a copy so that the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "source"
    copy.mkdir()
    shutil.copytree(ROOT / "seglib", copy / "seglib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("seglib-*.whl"))


def test_the_wheel_holds_everything_that_seglib_reads(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = {p.relative_to(ROOT).as_posix() for p in (ROOT / "seglib").rglob("*") if p.is_file()}
    files = {f for f in files if "__pycache__" not in f and not Path(f).name.startswith(".")}
    assert files <= inside
    assert {name for name in inside if not name.startswith("seglib")} == set()
    assert any(name.endswith(".tflite") for name in inside)
    assert wheel.stat().st_size < 25e6  # Colab readers download it


def test_the_wheel_carries_both_licences_and_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    names = [name for name in archive.namelist() if ".dist-info/" in name]
    assert {Path(n).name for n in names if "licenses/" in n} == {"LICENSE", "LICENSE-TEXT"}
    entry = archive.read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert "seglib = seglib.cli:main" in entry


@pytest.mark.parametrize("target", ["book", "test", "check", "test-colab", "test-lowest"])
def test_make_says_which_python_it_lacks(target: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["make", target, "PYTHON=no-such-python"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "no-such-python" in done.stdout + done.stderr
