"""The quick check: every pair that cannot be trained on. The doctor finds much more.

Chapter: data preparation.
"""

from dataclasses import dataclass
from pathlib import Path

from seglib.errors import SeglibError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        stem: the pair's name, "" where the whole set is meant.
        fault: a short name out of `seglib.data.doctor.FAULTS`.
        message: what is wrong and what to do.
    """

    stem: str
    fault: str
    message: str


def validate(folder: str | Path, kind: str | None = None) -> list[Problem]:
    """Check the structure of a prepared data set and every pair of it.

    These are the doctor's findings on single pairs: "folder", "unmatched", "unreadable",
    "rotation", "size", "values", "empty", "full", "split" and "one class". Duplicates, masks inside
    out and doubtful labels take `seglib.data.doctor.examine`.

    Args:
        folder: the set.
        kind: the kind of mask; by default the set's first.

    Returns:
        All problems; an empty list means that the set can be trained on. Single empty masks are
        listed, since people without hair are worth knowing about, not because they must go.

    Chapter: data preparation.
    """
    from seglib.data.doctor import check_pairs

    try:
        findings = check_pairs(folder, kind)
    except SeglibError as error:
        return [Problem("", "folder", str(error))]
    return [
        Problem(one.stems[0] if len(one.stems) == 1 else "", one.fault, one.message)
        for one in findings
    ]
