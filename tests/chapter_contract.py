"""The chapter contract of book/contributing.md as functions: each rule yields what breaks it.

`python tests/chapter_contract.py [notebook ...]` prints every problem of the named chapters (all of
them without arguments) and exits with 1 when there is one. It reads JSON and runs no chapter, so
`make check` has the answer in a second.
"""

import csv
import functools
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import address

NOTEBOOKS = ROOT / "notebooks"
RUNTIMES = ROOT / "book" / "runtimes.json"
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"
ROWS = ("Promise", "You need", "Run time", "Runtime type")
LAST_SECTIONS = ("Summary", "What's next", "Further reading")
MOST_LINES, CODE_RUN, ALT_LENGTH = 30, 2, 40
LINES, COLUMNS, CELLS = 25, 80, 60
FINDINGS = ROOT / "tests" / "findings.csv"
BANNED = re.compile(r"\b(simply|just|easily|easy|obviously|trivially|of course)\b", re.IGNORECASE)
# A measured quantity: a decimal fraction, a percentage, or a number with a unit that a run decides.
MEASURED = re.compile(
    r"(?<![\w.-])(\d+\.\d+|\d[\d,]*(\.\d+)?\s?(%|percent\b|(ms|milliseconds?|(?<=\s)s|seconds?|minutes?|"
    r"hours?|[KMG]i?B|kB|bytes|fps|FPS|M?MACs?|[GM]?FLOPs?|parameters|epochs|images?/s|"
    r"times (faster|slower|smaller|larger))\b))"
)
DRAWS = re.compile(
    r"plt\.(subplots|figure|imshow|plot|show)\(|viz\.(show_overlay|contact_sheet|curves)\("
)
DIRECTIVE = re.compile(r"^\s*(:::|```+\s*\{|\(\S+\)=\s*$)|\{[\w:+-]+\}`", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")

# Optional parts of seglib that a chapter may ask for, and the module that shows they are there.
EXTRAS = {"coreml": "coremltools", "data": "imagehash"}


def setup_source(extra: str = "") -> str:
    """Return the one text that a setup cell may have; `extra` is an optional part of seglib."""
    first = f"    import {EXTRAS[extra]}\n" if extra else ""
    return (
        f"try:\n{first}    import seglib\n"
        "except ModuleNotFoundError:  # in Colab: adds seglib and changes no other package\n"
        f'    %pip install -q "{address.requirement(extra)}"\n'
        "    import seglib"
    )


@functools.cache
def findings() -> list[dict[str, str]]:
    """Return the sentences with numbers that records or assertions hold; see test_findings.py."""
    with open(FINDINGS, newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def source(cell: dict) -> str:
    """Return a cell's text."""
    return "".join(cell["source"])


def tags(cell: dict) -> list[str]:
    """Return a cell's tags."""
    return cell["metadata"].get("tags", [])


def prose(text: str) -> str:
    """Return Markdown without code, mathematics, link targets, link texts and HTML tags."""
    text = re.sub(r"^(```+|~~~+).*?^\1", " ", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"(`+).+?\1", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$\$.+?\$\$", " ", text, flags=re.DOTALL)
    text = re.sub(r"\$[^$\n]+\$", " ", text)
    text = re.sub(r"<(code|pre)\b.*?</\1>", " ", text, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", " ", text)
    return LINK.sub(" ", text)


def seconds(value: float) -> str:
    """Word a run time the way chapter headers do, rounded up so that no promise is too short."""
    if value < 90:
        return f"{max(5, math.ceil(value / 5) * 5)} seconds"
    return f"{math.ceil(value / 60)} minutes"


def run_time(record: dict) -> str:
    """Return the run-time row of a chapter from its entry in book/runtimes.json."""
    text = f"{seconds(record['smoke'])} in smoke mode ({record['machine']})"
    if record.get("full") is None:
        return text + "; full mode not measured yet"
    return text + f"; {seconds(record['full'])} in full mode ({record['full_machine']})"


def header_rows(text: str) -> dict[str, str]:
    """Return the rows of the opening table as name -> content."""
    rows = re.findall(r"^\|\s*\*\*(.+?)\*\*\s*\|\s*(.*?)\s*\|\s*$", text, re.MULTILINE)
    return dict(rows)


def check_file(name: str, notebook: dict) -> Iterator[str]:
    """Name, format, stable cell ids, one kernel, nothing executed."""
    if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", name):
        yield f"file name {name} is not of the form NN_topic.ipynb"
    if (notebook["nbformat"], notebook["nbformat_minor"]) < (4, 5):
        yield "nbformat is older than 4.5, so cells have no stable ids"
    ids = [cell.get("id") for cell in notebook["cells"]]
    if None in ids or len(set(ids)) != len(ids):
        yield "a cell has no id, or two cells share one"
    if notebook["metadata"].get("kernelspec", {}).get("name") != "python3":
        yield "the kernel is not python3"
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "raw":
            yield f"cell {number}: raw cells show in no reader"
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield f"cell {number}: carries outputs or an execution count; clear both"


def check_opening(name: str, notebook: dict) -> Iterator[str]:
    """Title and badge, the opening table, the goals, then the setup cell."""
    cells = notebook["cells"]
    if [cell["cell_type"] for cell in cells[:3]] != ["markdown", "markdown", "code"]:
        yield "does not open with title, opening table and setup cell"
        return
    title, table, setup = (source(cell) for cell in cells[:3])
    if not re.match(r"# \S", title):
        yield "cell 0: does not begin with a `# Title`"
    if BADGE.format(link=address.colab_link(name)) not in title:
        yield f"cell 0: has no Colab badge that links to {address.colab_link(name)}"
    rows = header_rows(table)
    if tuple(rows) != ROWS:
        yield f"cell 1: the opening table needs the rows {', '.join(ROWS)}, in this order"
        return
    needs = re.findall(r"\(([^)]+\.ipynb)\)", rows["You need"])
    if not needs and not rows["You need"].startswith("Nothing"):
        yield "cell 1: `You need` neither links to a chapter nor begins with `Nothing`"
    if any(need >= name for need in needs):
        yield "cell 1: `You need` names this or a later chapter"
    gpu = rows["Runtime type"].startswith("GPU")
    if not gpu and not rows["Runtime type"].startswith("CPU"):
        yield "cell 1: `Runtime type` begins with neither CPU nor GPU"
    if gpu and "Runtime → Change runtime type" not in rows["Runtime type"]:
        yield "cell 1: a GPU chapter says where to choose it: Runtime → Change runtime type"
    if gpu != (notebook["metadata"].get("accelerator") == "GPU"):
        yield "cell 1: `Runtime type` and the notebook's metadata `accelerator` disagree"
    goals = table.partition("**You will learn**")[2]
    if not 3 <= len(re.findall(r"^[-*] ", goals, re.MULTILINE)) <= 6:
        yield "cell 1: `You will learn` is not a list of 3 to 6 goals"
    if setup not in [setup_source(extra) for extra in ("", *EXTRAS)]:
        yield "cell 2: is not the setup cell of book/contributing.md, word for word"
    if any("%pip" in source(c) or "!pip" in source(c) for c in cells[3:]):
        yield "installs packages outside the setup cell"


def check_run_time(name: str, notebook: dict, records: dict) -> Iterator[str]:
    """The run time in the header is the measured one."""
    record = records["chapters"].get(name.removesuffix(".ipynb"))
    if record is None:
        yield "has no entry in book/runtimes.json; run tests/benchmarks/chapter_times.py"
    elif len(notebook["cells"]) > 1:
        said = header_rows(source(notebook["cells"][1])).get("Run time")
        if said != run_time(record):
            yield f"cell 1: says run time {said!r}, but the record says {run_time(record)!r}"


def check_cells(name: str, notebook: dict) -> Iterator[str]:
    """Short code cells, text between them."""
    run, revised = 0, name < "2"  # measurement pages may be wider
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            run = 0
            continue
        count = source(cell).count("\n") + 1
        most = LINES if revised and "hide-input" not in tags(cell) else MOST_LINES
        if count > most:
            yield f"cell {number}: {count} lines of code, more than {most}; use seglib"
        long = [line for line in source(cell).splitlines() if len(line) > COLUMNS]
        if revised and long and "{{" not in long[0] and number != 2:
            yield f"cell {number}: a line of more than {COLUMNS} characters scrolls: {long[0][:40]}"
        run += "solution" not in tags(cell)
        if run > CODE_RUN:
            yield f"cell {number}: more than {CODE_RUN} code cells in a row without text between"
    if revised and len(notebook["cells"]) > CELLS:
        yield f"has {len(notebook['cells'])} cells, more than {CELLS}"


def check_figures(name: str, notebook: dict) -> Iterator[str]:
    """Every cell that draws has a named, captioned figure with an alternative text."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        book = cell["metadata"].get("mystnb", {})
        figure, alt = book.get("figure"), book.get("image", {}).get("alt", "")
        if figure is None and not alt:
            if DRAWS.search(re.sub(r"(?ms)^def .*?(?=^\S|\Z)", "", source(cell))):
                yield f"cell {number}: draws, but has no `mystnb` figure in its metadata"
            continue
        figure = figure or {}
        if not re.fullmatch(r"fig-[a-z0-9-]+", figure.get("name", "")):
            yield f"cell {number}: the figure's name is not of the form fig-words-with-hyphens"
        if not re.fullmatch(r"[A-Z].{19,}\.", figure.get("caption", ""), re.DOTALL):
            yield f"cell {number}: the caption is not a sentence that says what the figure shows"
        if len(alt) < ALT_LENGTH:
            yield f"cell {number}: the alternative text has fewer than {ALT_LENGTH} characters"
        if alt and alt == figure.get("caption"):
            yield f"cell {number}: the alternative text repeats the caption; describe the picture"


def check_exercises(name: str, notebook: dict) -> Iterator[str]:
    """At least two exercises: task, stub, check, then a hidden solution that is checked too."""
    exercises = [(h, part) for h, part in sections(notebook) if h.startswith("Exercise")]
    if len(exercises) < 2 and name < "2":
        yield f"has {len(exercises)} exercises; two are the least"
    for expected, (heading, cells) in enumerate(exercises, 1):
        where = f"exercise {expected}"
        if not re.match(rf"Exercise {expected}: \S", heading):
            yield f"{where}: the heading is not `## Exercise {expected}: ...`"
        split = next(
            (i for i, cell in enumerate(cells)
             if re.search(rf"^### Solution to exercise {expected}\b", source(cell), re.MULTILINE)),
            None,
        )
        if split is None:
            yield f"{where}: has no `### Solution to exercise {expected}`"
            continue
        task = [cell for cell in cells[:split] if cell["cell_type"] == "code"]
        solution = [cell for cell in cells[split:] if cell["cell_type"] == "code"]
        if not task or "exercise" not in tags(task[0]):
            yield f"{where}: does not begin with a stub cell tagged `exercise`"
        if not task or "check." not in source(task[-1]) or "exercise" in tags(task[-1]):
            yield f"{where}: the stub is not followed by a cell that calls `check`"
        hidden = {"hide-input", "solution"}
        if not solution or any(not hidden <= set(tags(cell)) for cell in solution):
            yield f"{where}: a solution cell is not tagged `hide-input` and `solution`"
        elif any(cell["metadata"].get("cellView") != "form" for cell in solution) or any(
            not source(cell).startswith("# @title Solution") for cell in solution
        ):
            yield f"{where}: is open in Colab; use cellView form and `# @title Solution`"
        if not solution or "check." not in source(solution[-1]):
            yield f"{where}: the solution does not end in a call of `check`"


def sections(notebook: dict) -> list[tuple[str, list[dict]]]:
    """Split a notebook at its `## ` headings into (heading, cells); the cell with it included."""
    found: list[tuple[str, list[dict]]] = []
    for cell in notebook["cells"]:
        heading = re.search(r"^## (.+)$", source(cell), re.MULTILINE)
        if cell["cell_type"] == "markdown" and heading:
            found.append((heading[1].strip(), []))
        if found:
            found[-1][1].append(cell)
    return found


def check_ending(name: str, notebook: dict) -> Iterator[str]:
    """Summary, what's next with a link, further reading with citations."""
    text = "\n\n".join(source(c) for c in notebook["cells"] if c["cell_type"] == "markdown")
    headings = re.findall(r"^## (.+?)\s*$", text, re.MULTILINE)
    if tuple(headings[-3:]) != LAST_SECTIONS:
        yield f"does not end in the sections {', '.join(LAST_SECTIONS)}"
        return
    parts = re.split(r"^## .+$", text, flags=re.MULTILINE)[-3:]
    if len(re.findall(r"^[-*] ", parts[0], re.MULTILINE)) < 3:
        yield "the summary is not a list of at least 3 points"
    if not re.search(r"\]\([^)]+\.(ipynb|md)(#[^)]*)?\)", parts[1]):
        yield "`What's next` links to no chapter and no page"
    if len(re.findall(r"^[-*] .*\]\(https://", parts[2], re.MULTILINE)) < 2:
        yield "`Further reading` lists fewer than 2 sources with links"


def check_markdown(name: str, notebook: dict) -> Iterator[str]:
    """Markdown that reads the same in the book, in Colab and on GitHub."""
    titles = 0
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "markdown":
            continue
        text = source(cell)
        bare = re.sub(r"^(```+)(?!\s*\{).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
        titles += len(re.findall(r"^# \S", bare, re.MULTILINE))
        if len(re.findall(r"^## ", bare, re.MULTILINE)) > 1:
            yield f"cell {number}: has two `## ` headings; give each section its own cell"
        if re.search(r"\\\\[A-Za-z]", source(cell)):
            yield f"cell {number}: a doubled backslash before a letter, which breaks a formula"
        if found := DIRECTIVE.search(bare):
            yield f"cell {number}: {found[0].strip()!r} shows raw in Colab; use Markdown or HTML"
        for image in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", bare):
            if not image[0] or not image[1].startswith("https://"):
                yield f"cell {number}: image {image[1]} has no alternative text or no full address"
        for image in re.findall(r"<img\b[^>]*>", bare):
            if not re.search(r'alt="[^"]+"', image) or 'src="https://' not in image:
                yield f"cell {number}: an <img> has no alternative text or no full address"
        for target in LINK.findall(bare):
            if re.match(r"https?:|mailto:|#", target):
                continue
            if not (NOTEBOOKS / target.partition("#")[0]).is_file():
                yield f"cell {number}: links to {target}, which does not exist"
    if titles != 1:
        yield f"has {titles} first-level headings instead of one"


def check_words(name: str, notebook: dict) -> Iterator[str]:
    """No word that belittles; no number typed by hand that no record or assertion holds."""
    held = [row["text"] for row in findings() if row["file"] == name]
    for number, cell in enumerate(notebook["cells"]):
        book = cell["metadata"].get("mystnb", {})
        texts = [book.get("figure", {}).get("caption", ""), book.get("image", {}).get("alt", "")]
        if cell["cell_type"] == "markdown":
            texts.append(re.sub(r"(?m)^\| \*\*Run time\*\*.*$", "", source(cell)))
        for text in map(prose, texts):
            for found in BANNED.finditer(text):
                yield f"cell {number}: the word {found[0]!r}; say what is to be done instead"
            for fragment in held:
                text = text.replace(fragment, " ")
            for found in MEASURED.finditer(text):
                yield f"cell {number}: {found[0]!r} is typed; hold it in tests/findings.csv"


def check_code(name: str, notebook: dict) -> Iterator[str]:
    """Nothing that exists only on the author's machine or only in the book."""
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        if re.search(r"\b(myst_nb|jupyterquiz|google\.colab)\b", source(cell)):
            yield f"cell {number}: uses a package that some readers do not have"
        if re.search(r"[\"'](/home|/root|/work|/tmp|/content|[A-Z]:\\)", source(cell)):
            yield f"cell {number}: names a folder of one machine"
        if re.search(r"(?m)^\s*!", source(cell)):
            yield f"cell {number}: a shell line; use Python or a seglib function"


RULES = (
    check_file, check_opening, check_cells, check_figures, check_exercises, check_ending,
    check_markdown, check_words, check_code,
)


def problems(name: str, notebook: dict, records: dict | None = None) -> list[str]:
    """Return everything in which a chapter breaks the contract, as sentences.

    Args:
        name: the chapter's file name.
        notebook: its JSON.
        records: the content of book/runtimes.json; None leaves the run time unchecked.
    """
    found = [problem for rule in RULES for problem in rule(name, notebook)]
    if records is not None:
        found += check_run_time(name, notebook, records)
    return found


def shared_names(notebooks: dict[str, dict]) -> list[str]:
    """Return figure names that two chapters use; the book needs each of them once."""
    seen: dict[str, str] = {}
    found = []
    for name, notebook in notebooks.items():
        for cell in notebook["cells"]:
            figure = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
            if figure and figure in seen:
                found.append(f"{name}: the figure name {figure} is taken by {seen[figure]}")
            elif figure:
                seen[figure] = name
    return found


def load(path: Path) -> dict:
    """Read a notebook's JSON."""
    return json.loads(path.read_text(encoding="utf8"))


def main(arguments: list[str]) -> int:
    """Print the problems of the named chapters, or of all."""
    paths = [Path(a) for a in arguments] or sorted(NOTEBOOKS.glob("*.ipynb"))
    records = json.loads(RUNTIMES.read_text(encoding="utf8"))
    found = [f"{p.name}: {x}" for p in paths for x in problems(p.name, load(p), records)]
    found += shared_names({path.name: load(path) for path in paths})
    print("\n".join(found) or f"{len(paths)} chapters keep the contract")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
