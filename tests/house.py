"""The package as a graph: files, what each imports (lazy imports counted), and its length."""

import ast
import shutil
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "seglib"

# From the ground up: a file imports only from its own room and from rooms that stand before it.
CORE = (
    "errors", "registry", "files", "images", "metadata", "losses", "metrics", "runtime",
    "pretrained", "models", "data", "postprocess", "training", "evaluation", "export",
)  # fmt: skip
LEAF_ROOMS = (
    "matting", "video", "benchmark", "viz", "widgets", "check", "notebook", "cpp", "cli",
)  # fmt: skip
# Files and folders of core rooms that belong to no core: nothing in the core imports them.
LEAVES_IN_ROOMS = (
    "models/zoo", "models/refine.py", "models/imagenet.py",
    "data/sources", "data/doctor", "data/synthetic", "data/composite.py", "data/duplicates.py",
    "data/previous.py", "data/workers.py",
    "training/experiment.py", "training/logs.py", "training/teacher.py", "training/devices.py",
    "evaluation/robustness.py",
    "export/convert.py", "export/qat.py", "export/onnx.py", "export/ncnn.py", "export/audit.py",
    "export/layout.py", "export/parity.py", "export/delegate_test_models.py",
)  # fmt: skip


@cache
def files() -> dict[str, Path]:
    """Return module name -> file, for every file of the package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def statements(path: Path) -> int:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree))


@cache
def imports(module: str) -> frozenset[str]:
    """Return the files that a file imports; a name taken from a room's face counts for its home."""
    known, found = files(), set()
    tree = ast.parse(known[module].read_text(encoding="utf-8"))
    only_types = {
        id(node)
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and getattr(test.test, "id", "") == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                found.add(inside if inside in known else home(node.module, alias.name))
    return frozenset(found - {module})


@cache
def home(module: str, name: str) -> str:
    """Return the file that defines a name which a room's `__init__` hands on."""
    path = files()[module]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        handed_on = isinstance(node, ast.ImportFrom) and node.module in files()
        if handed_on and any((alias.asname or alias.name) == name for alias in node.names):
            return home(node.module, name)
        # Lazily loading faces list their names in a table: {"name": "module"}.
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if getattr(key, "value", None) == name and isinstance(
                    getattr(value, "value", None), str
                ):
                    for place in (f"{module}.{value.value}", f"seglib.{value.value}", value.value):
                        if place in files():
                            return home(place, name) if place != module else module
    return module


def room(module: str) -> str:
    """Return the room of a file: `seglib.data.sources.prepare` -> `data`."""
    return module.split(".")[1] if "." in module else ""


def is_leaf(module: str) -> bool:
    inside = files()[module].relative_to(PACKAGE).as_posix()
    in_leaf_room = room(module) in LEAF_ROOMS
    return in_leaf_room or any(inside == x or inside.startswith(f"{x}/") for x in LEAVES_IN_ROOMS)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def is_face(module: str) -> bool:
    """Tell whether a file is a room's `__init__`, which only hands names on."""
    return files()[module].name == "__init__.py"


def copy_core(folder: Path) -> None:
    """Copy the package into a folder without any of its leaves, as if nobody had written them."""
    leaves = {path for module, path in files().items() if is_leaf(module)}

    def left_out(place: str, names: list[str]) -> list[str]:
        inside = [Path(place, name) for name in names]
        empty = [p for p in inside if p.is_dir() and set(p.rglob("*.py")) and not
                 set(p.rglob("*.py")) - leaves]  # fmt: skip
        return [path.name for path in inside if path in leaves or path in empty]

    shutil.copytree(PACKAGE, folder / "seglib", ignore=left_out)
    # An editable installation would find the leaves where they are.
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in str(f)]\n",
        encoding="utf-8",
    )
