"""The doctor's report: findings, and the set's balance, as a table, as JSON or as a page.

Chapter: data preparation.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from seglib.data.doctor.findings import FAULTS, MEND, Finding
from seglib.files import atomic_path

EXAMPLES = 3


@dataclass(frozen=True)
class Report:
    """What the doctor found.

    Attributes:
        folder: the set.
        name: the set's name.
        kinds: the kinds of mask that were looked at.
        count: pairs.
        splits: split -> lines in splits.csv; empty where there is none.
        findings: in the order of `FAULTS`.
        balance: kind -> part ("all" or a split) -> {"count": pairs, "mean": share of the pixels
            that are marked, "empty": share of the masks that mark nothing}, shares 0..1.
        classes: class -> share of all pixels, for sets with class indices.

    Chapter: data preparation.
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
        return any(finding.severity == MEND for finding in self.findings)

    def of(self, fault: str) -> list[Finding]:
        """Return the findings of one fault."""
        return [finding for finding in self.findings if finding.fault == fault]

    def counts(self) -> dict[str, dict[str, int]]:
        """Return fault -> severity -> count, for what was found."""
        table: dict[str, dict[str, int]] = {}
        for (fault, severity), count in Counter(
            (finding.fault, finding.severity) for finding in self.findings
        ).items():
            table.setdefault(fault, {})[severity] = count
        return table

    def table(self) -> str:
        """Return the report as text: counts, the first examples of each fault, the balance."""
        splits = ", ".join(f"{count} {name}" for name, count in self.splits.items())
        lines = [
            f"{self.name}: {self.count} pairs ({splits or 'no splits'}), "
            f"masks of {', '.join(self.kinds) or 'nothing'}"
        ]
        rows = [("fault", "mend", "look", "what it is")]
        for fault, by_severity in self.counts().items():
            mend, look = (str(by_severity.get(name, "")) for name in ("mend", "look"))
            rows.append((fault, mend, look, FAULTS[fault]))
        if len(rows) == 1:
            lines.append("nothing found")
        else:
            lines += ["", *(f"{a:<11}{b:>5}{c:>6}  {d}" for a, b, c, d in rows)]
            lines += ["", *self._examples()]
        lines += ["", *self._balance()]
        if self.must_mend:
            lines.append("some of this must be mended before training")
        return "\n".join(lines).rstrip()

    def _examples(self) -> list[str]:
        lines = []
        for fault in self.counts():
            found = self.of(fault)
            found = sorted(found, key=lambda finding: finding.severity != MEND)
            lines += [f"{fault}: {finding.message}" for finding in found[:EXAMPLES]]
            if len(found) > EXAMPLES:
                lines.append(f"{fault}: ... and {len(found) - EXAMPLES} more")
        return lines

    def _balance(self) -> list[str]:
        return [
            f"{kind}, {part}: {row['mean']:.1%} of the pixels, "
            f"{row['empty']:.1%} of {row['count']} masks empty"
            for kind, parts in self.balance.items()
            for part, row in parts.items()
        ]

    def to_dict(self) -> dict:
        """Return everything as plain values for JSON."""
        return {
            "folder": str(self.folder),
            "name": self.name,
            "kinds": list(self.kinds),
            "count": self.count,
            "splits": self.splits,
            "must_mend": self.must_mend,
            "counts": self.counts(),
            "balance": self.balance,
            "classes": self.classes,
            "findings": [
                {**asdict(finding), "stems": list(finding.stems)} for finding in self.findings
            ],
        }

    def write_html(self, path: str | Path, thumbnails: int = 24) -> Path:
        """Write the report as one page that needs no other file and asks no server.

        Args:
            path: the page.
            thumbnails: how many findings of each fault are shown with their pictures; the others
                are listed.

        Raises:
            SeglibError: the page cannot be written.
        """
        from seglib.data.doctor.page import page

        path = Path(path)
        content = page(self, thumbnails)
        with atomic_path(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
        return path
