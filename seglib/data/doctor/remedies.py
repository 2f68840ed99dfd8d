"""What is done about each finding: who is left out, changed or moved, before anything is written.

Chapter: data preparation.
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from seglib.data import duplicates
from seglib.data.doctor.findings import Finding
from seglib.data.doctor.place import Place
from seglib.images import read_image

CHANGES = ("upright", "turn", "resize", "stretch", "binarise", "invert")
COPY = "left out: the same picture as"

Change = tuple[str, str, str]
"""(stem, kind, remedy), one of `CHANGES`; kind "" is every kind."""


@dataclass
class Plan:
    """What is done to whom.

    Attributes:
        dropped: stem -> fault.
        changes: (stem, kind) -> {remedy: fault}; kind "" is every kind.
        split: stem -> its new split.
        log: (stem, fault, change).
    """

    dropped: dict[str, str] = field(default_factory=dict)
    changes: dict[tuple[str, str], dict[str, str]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    split: dict[str, str] = field(default_factory=dict)
    log: list[tuple[str, str, str]] = field(default_factory=list)

    def made(self) -> set[Change]:
        """Return the changes to the pairs that stay."""
        return {
            (stem, kind, remedy)
            for (stem, kind), remedies in self.changes.items()
            for remedy in remedies
            if stem not in self.dropped
        }


def plan(findings: Collection[Finding], place: Place, earlier: Collection[Change] = ()) -> Plan:
    """Decide what is done about the findings on a set.

    Args:
        findings: what `examine` found in it.
        place: the set.
        earlier: changes that were made to its pairs already. One that is asked for again did not
            help, or the verdict turns with every look: such a pair is left out.
    """
    made = Plan()
    for finding in findings:
        for stem in finding.stems:
            if finding.remedy == "drop" or (stem, finding.kind, finding.remedy) in earlier:
                made.dropped[stem] = finding.fault
            elif finding.remedy in CHANGES:
                made.changes[stem, finding.kind][finding.remedy] = finding.fault
    made.split = {stem: place.split_of(stem) for stem in place.stems}
    _keep_one(findings, place, made, earlier)
    _place_lost(place, made)
    _move_people(findings, made)
    said = {stem for stem, _, change in made.log if change.startswith(COPY)}
    lost = sorted(set(made.dropped) - said)
    made.log += [(stem, made.dropped[stem], "left out") for stem in lost]
    return made


def _keep_one(
    findings: Collection[Finding], place: Place, made: Plan, earlier: Collection[Change]
) -> None:
    """Of each group of equal pictures, drop all but the best."""
    pairs = [f.stems for f in findings if f.remedy == "keep one"]
    for group in duplicates.groups(pairs):
        usable = [stem for stem in group if stem not in made.dropped]
        if not usable:
            continue

        def worth(stem: str) -> tuple[int, int, int, str]:
            mended = sum(one == stem for one, _, _ in {*earlier, *made.made()})
            height, width = read_image(place.photos[stem]).shape[:2]
            return -mended, height * width, place.photos[stem].stat().st_size, stem

        best = max(usable, key=worth)
        homes = {made.split.get(stem, "") for stem in group}
        if "train" in homes and made.split[best] not in ("train", ""):
            made.split[best] = "train"
            made.log.append((best, "leak", "moved to train"))
        for stem in usable:
            if stem != best:
                made.dropped[stem] = "leak" if len(homes - {""}) > 1 else "duplicate"
                made.log.append((stem, made.dropped[stem], f"{COPY} {best}"))


def _place_lost(place: Place, made: Plan) -> None:
    if not place.splits:
        return
    listed = Counter(stem for stem, _ in place.splits)
    for stem in sorted(made.split):
        if not made.split[stem]:
            made.split[stem] = "train"
            made.log.append((stem, "split", "put into train"))
        elif listed[stem] > 1:
            made.log.append((stem, "split", f"listed once, in {made.split[stem]}"))
    for stem in sorted(set(listed) - set(place.photos)):
        made.log.append((stem, "split", "line removed: no such photo"))


def _move_people(findings: Collection[Finding], made: Plan) -> None:
    for finding in findings:
        if finding.remedy != "to train":
            continue
        for stem in finding.stems:
            if stem not in made.dropped and made.split.get(stem, "train") != "train":
                made.split[stem] = "train"
                made.log.append((stem, finding.fault, "moved to train"))
