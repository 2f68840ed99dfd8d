"""The two rings hold: a core that imports no leaf, no circles, and budgets of lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from house import (
    CORE,
    LEAF_ROOMS,
    ROOT,
    circles,
    copy_core,
    files,
    imports,
    is_face,
    is_leaf,
    lines,
    room,
)  # fmt: skip

ORDER = {name: place for place, name in enumerate((*CORE, *LEAF_ROOMS))}

# What is reached; these numbers only go down. The aims: 6,500, 18,500, 100, 400 and 15,000.
CORE_LINES, ALL_LINES, ALL_FILES, FILE_LINES, TEST_LINES = 7_950, 22_250, 114, 400, 17_200


def test_every_file_has_its_room() -> None:
    assert {room(module) for module in files()} - {""} <= set(ORDER)


def test_the_core_imports_no_leaf() -> None:
    wrong = [
        f"{module} imports the leaf {other}"
        for module in files()
        if not is_leaf(module) and not is_face(module)
        for other in sorted(imports(module))
        if is_leaf(other)
    ]
    assert wrong == []


def test_imports_run_one_way_between_rooms() -> None:
    # A leaf inside a core room stands above the whole core, as the leaf rooms do.
    wrong = [
        f"{module} imports {other}"
        for module in files()
        if room(module) and not is_face(module)
        for other in sorted(imports(module))
        if room(other) and ORDER[room(other)] > ORDER[room(module)] and not is_leaf(module)
    ]
    wrong += [
        f"{module} imports {other}"
        for module in files()
        if room(module) in CORE and is_leaf(module)
        for other in sorted(imports(module))
        if room(other) in LEAF_ROOMS
    ]
    assert wrong == []


def test_there_is_no_circle_of_files() -> None:
    assert circles({module: set(imports(module)) for module in files()}) == []


def test_budgets() -> None:
    sizes = {module: lines(path) for module, path in files().items()}
    core = sum(size for module, size in sizes.items() if not is_leaf(module))
    assert core <= CORE_LINES, f"the core has {core} lines"
    assert sum(sizes.values()) <= ALL_LINES, f"the package has {sum(sizes.values())} lines"
    assert len(sizes) <= ALL_FILES, f"the package has {len(sizes)} files"
    assert {m: n for m, n in sizes.items() if n > FILE_LINES} == {}


def test_budget_of_the_tests() -> None:
    folder = next(iter(files().values())).parent.parent / "tests"
    code = [path for path in folder.rglob("*.py") if "benchmarks" not in path.parts]
    total = sum(map(lines, code))
    assert total <= TEST_LINES, f"the tests have {total} lines"


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}, [["a", "b", "c"]]),
    ],
)
def test_circles_are_found(graph: dict[str, set[str]], expected: list[list[str]]) -> None:
    assert circles(graph) == expected


def test_the_core_passes_its_tests_without_any_leaf(tmp_path: Path) -> None:
    copy_core(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    where = (
        "import seglib, importlib.util as u; print(seglib.__file__, u.find_spec('seglib.video'))"
    )
    told = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert told.stdout.split() == [str(tmp_path / "seglib" / "__init__.py"), "None"]
    names = ("images", "metadata", "pretrained", "batches", "augment", "edges", "postprocess")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += [f"tests/test_{name}.py" for name in (*names, "pipeline", "hair_colour")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
