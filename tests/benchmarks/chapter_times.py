"""Measure how long chapters take and write it where readers look.

`python tests/benchmarks/chapter_times.py [--full] [--machine TEXT] [notebook ...]` runs the named
chapters (all without arguments) alone in empty folders, writes book/runtimes.json and the run-time
row of each chapter's opening table. `--full` measures full mode instead of smoke mode; `--machine`
names the machine when its processor count does not say enough, such as "one NVIDIA T4". `--table`
measures nothing and only writes the rows again.
"""

import argparse
import json
import os
import re
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import chapter_contract as contract
from chapter_run import NOTEBOOKS, run_alone

FULL_LIMIT = 6 * 3600


def measure(chapter: Path, mode: str, machine: str, record: dict) -> dict:
    """Return a chapter's record with the seconds of one mode measured anew."""
    more = {"SEGLIB_MODE": mode}
    if "SEGLIB_DATA" in os.environ and mode == "full":
        more["SEGLIB_DATA"] = os.environ["SEGLIB_DATA"]
    limit = FULL_LIMIT if mode == "full" else 900
    with tempfile.TemporaryDirectory() as folder:
        _, seconds = run_alone(chapter, Path(folder), limit=limit, **more)
    key = "machine" if mode == "smoke" else "full_machine"
    return {"full": None, **record, mode: round(seconds, 1), key: machine}


def write_row(chapter: Path, record: dict) -> None:
    """Put the measured time into the chapter's opening table; nothing else in the file changes."""
    notebook = contract.load(chapter)
    cell = notebook["cells"][1]
    row = f"| **Run time** | {contract.run_time(record)} |"
    text, count = re.subn(r"(?m)^\|\s*\*\*Run time\*\*.*$", row, contract.source(cell))
    if not count:
        sys.exit(f"{chapter.name}: cell 1 has no row **Run time**")
    cell["source"] = text.splitlines(keepends=True)
    content = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    chapter.write_text(content + "\n", encoding="utf8")


def main() -> None:
    """Measure, then write the record and the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--machine", default=f"{os.cpu_count()} CPU cores")
    options = parser.parse_args()
    for chapter in options.notebooks or sorted(NOTEBOOKS.glob("*.ipynb")):
        records = json.loads(contract.RUNTIMES.read_text(encoding="utf8"))
        record = records["chapters"].get(chapter.stem, {})
        if not options.table:
            mode = "full" if options.full else "smoke"
            record = measure(chapter, mode, options.machine, record)
        if "smoke" not in record:
            sys.exit(f"{chapter.name}: measure smoke mode first")
        records["chapters"][chapter.stem] = record
        records["chapters"] = dict(sorted(records["chapters"].items()))
        content = json.dumps(records, indent=1) + "\n"
        contract.RUNTIMES.write_text(content, encoding="utf8")
        write_row(chapter, record)
        print(f"{chapter.stem}: {contract.run_time(record)}")


if __name__ == "__main__":
    main()
