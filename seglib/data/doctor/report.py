"""The report on a set: as text, as JSON or as a page.

Chapter: data preparation.
"""

import base64
import html
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from seglib.data.doctor.findings import FAULTS, LOOK, MEND, Finding, index_folder
from seglib.errors import SeglibError
from seglib.files import atomic_path
from seglib.images import resize

_EXAMPLES = 3
_HEIGHT = 150  # pixels of the page's pictures
_WIDEST = 4 * _HEIGHT
_OUTLINE = (213, 94, 0)  # the vermilion of Okabe and Ito, seen on skin and on hair

# Nothing may be fetched or run: a stem is a file name, and file names come from strangers.
_HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1a1a1a; --ground: #fff; --line: #ccc; --mend: #b03a00; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #eee; --ground: #16181c; --line: #555; --mend: #ff9e5e; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  margin: 0 auto; max-width: 80rem; padding: 1rem; }}
table {{ border-collapse: collapse; margin-bottom: 1.5rem; }}
th, td {{ text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }}
.cards {{ display: flex; flex-wrap: wrap; gap: .8rem; padding: 0; list-style: none; }}
.cards li {{ border: 1px solid var(--line); border-radius: 6px; padding: .5rem; max-width: 38rem; }}
.cards p {{ margin: .3rem 0 0; max-width: 32rem; overflow-wrap: anywhere; font-size: .9rem; }}
img {{ max-width: 100%; height: auto; display: block; }}
.mend {{ color: var(--mend); font-weight: bold; }} a {{ color: inherit; }}
</style></head><body><h1>{title}</h1>
"""


@dataclass(frozen=True)
class Report:
    """What the doctor found.

    Attributes:
        folder: the set.
        name: the set's name.
        kinds: the kinds of mask that were looked at.
        count: pairs.
        splits: split -> its photos, as the loader counts them; empty without a splits.csv.
        findings: in the order of `FAULTS`.
        balance: kind -> part ("all" or a split) -> {"count": pairs, "mean": share of the pixels
            that are marked, "empty": share of the masks that mark nothing}, shares 0..1.
        classes: class -> share of all pixels, for sets with class numbers.
    """

    folder: Path
    name: str
    kinds: tuple[str, ...]
    count: int
    splits: dict[str, int]
    findings: tuple[Finding, ...]
    balance: dict[str, dict[str, dict[str, float]]]
    classes: dict[str, float]

    @property
    def must_mend(self) -> bool:
        """Whether something must be mended before training."""
        return any(one.severity == MEND for one in self.findings)

    def of(self, fault: str) -> list[Finding]:
        """Return the findings of one fault, those to mend first."""
        found = [one for one in self.findings if one.fault == fault]
        return sorted(found, key=lambda one: one.severity != MEND)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return fault -> severity -> count, for what was found."""
        table: dict[str, dict[str, int]] = {}
        for one in self.findings:
            row = table.setdefault(one.fault, {})
            row[one.severity] = row.get(one.severity, 0) + 1
        return table

    def table(self) -> str:
        """Return the report as text: counts, the first examples of each fault, the balance."""
        splits = ", ".join(f"{count} {name}" for name, count in self.splits.items())
        lines = [
            f"{self.name}: {self.count} pairs ({splits or 'no splits'}), "
            f"masks of {', '.join(self.kinds) or 'nothing'}"
        ]
        counts = self.counts()
        head = ["", f"{'fault':<11}{MEND:>5}{LOOK:>6}  what it is"]
        lines += head if counts else ["nothing found"]
        for fault, by in counts.items():
            lines.append(f"{fault:<11}{by.get(MEND, ''):>5}{by.get(LOOK, ''):>6}  {FAULTS[fault]}")
        lines.append("")
        for fault in counts:
            found = self.of(fault)
            lines += [f"{fault}: {one.message}" for one in found[:_EXAMPLES]]
            if len(found) > _EXAMPLES:
                lines.append(f"{fault}: ... and {len(found) - _EXAMPLES} more")
        lines += ["", *(" ".join(row) for row in self._balance())]
        if self.must_mend:
            lines.append("some of this must be mended before training")
        return "\n".join(lines).rstrip()

    def _balance(self) -> list[tuple[str, str, str]]:
        return [
            (f"{kind}, {part}:", f"{row['mean']:.1%} of the pixels,",
             f"{row['empty']:.1%} of {row['count']} masks empty")
            for kind, parts in self.balance.items()
            for part, row in parts.items()
        ]  # fmt: skip

    def to_dict(self) -> dict:
        """Return everything as plain values for JSON."""
        findings = [{**asdict(one), "stems": list(one.stems)} for one in self.findings]
        return {
            **{name: getattr(self, name) for name in ("name", "count", "splits", "balance")},
            "folder": str(self.folder),
            "kinds": list(self.kinds),
            "classes": self.classes,
            "must_mend": self.must_mend,
            "counts": self.counts(),
            "findings": findings,
        }

    def write_html(self, path: str | Path, thumbnails: int = 24) -> Path:
        """Write the report as one page that needs no other file and asks no server.

        Args:
            path: the page.
            thumbnails: how many findings of each fault are shown with their pictures; the others
                are listed.
        """
        try:
            read = index_folder(self.folder, self.kinds[0] if len(self.kinds) == 1 else None).read
        except (SeglibError, IndexError):
            read = None
        title = html.escape(f"{self.name}: what the doctor found")
        parts = [_HEAD.format(title=title)]
        verdict = "Some of this must be mended" if self.must_mend else "Nothing must be mended"
        parts.append(f"<p>{self.count} pairs. {verdict}.</p>")
        anchors = {fault: f'<a href="#{fault.replace(" ", "-")}">{fault}</a>' for fault in FAULTS}
        rows = [("fault", "to mend", "to look at", "what it is")]
        rows += [
            (anchors[fault], by.get(MEND, 0), by.get(LOOK, 0), html.escape(FAULTS[fault]))
            for fault, by in self.counts().items()
        ]
        parts.append(_table(rows) if rows[1:] else "<p>Nothing was found.</p>")
        classes = sorted(self.classes.items(), key=lambda item: -item[1])[:12]
        shares = [(f"class {name}:", f"{share:.2%} of the pixels", "") for name, share in classes]
        parts.append(_table([[html.escape(cell) for cell in r] for r in self._balance() + shares]))
        for fault in self.counts():
            found = self.of(fault)
            parts.append(f'<h2 id="{fault.replace(" ", "-")}">{fault} ({len(found)})</h2>')
            cards = "".join(_card(one, read) for one in found[:thumbnails])
            parts.append(f'<p>{html.escape(FAULTS[fault])}</p><ul class="cards">{cards}</ul>')
            if rest := [f"<li>{html.escape(one.message)}</li>" for one in found[thumbnails:]]:
                listed = f"<ul>{''.join(rest)}</ul>"
                parts.append(f"<details><summary>{len(rest)} more</summary>{listed}</details>")
        with atomic_path(path) as temporary:
            temporary.write_text("\n".join([*parts, "</body></html>\n"]), encoding="utf-8")
        return Path(path)


def _table(rows: list) -> str:
    cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"


def _card(one: Finding, read: Callable | None) -> str:
    """Return a finding with its photos, each plain and with its mask drawn over it."""
    strips = [_strip(*pair) for stem in one.stems[:4] if read and (pair := read(stem, one.kind))]
    picture = ""
    if strips:
        _, data = cv2.imencode(".jpg", np.hstack(strips)[:, :_WIDEST, ::-1])
        names = html.escape(", ".join(one.stems[:4]), quote=True)
        code = base64.b64encode(data).decode()
        picture = f'<img src="data:image/jpeg;base64,{code}" alt="{names}: photo and mask">'
    mark = '<span class="mend">mend</span> ' if one.severity == MEND else ""
    return f"<li>{picture}<p>{mark}{html.escape(one.message)}</p></li>"


def _strip(photo: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    width = max(1, min(_WIDEST, round(photo.shape[1] * _HEIGHT / photo.shape[0])))
    photo = resize(photo, (_HEIGHT, width))
    if mask is None:
        return photo
    mask = resize(mask, (_HEIGHT, width))
    drawn = np.ascontiguousarray(photo // 2 + (photo // 2 * mask[..., None]).astype(np.uint8))
    inside = (mask >= 0.5).astype(np.uint8)
    around, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, around, -1, _OUTLINE, 1)
    return np.hstack([photo, drawn])
