"""What the doctor can find: the faults, how grave each is, and one finding.

Chapter: data preparation.
"""

from dataclasses import dataclass

MEND = "mend"
LOOK = "look"

FAULTS = {
    "folder": "the folder, dataset.json or splits.csv cannot be used",
    "unmatched": "a photo without its mask, or a mask without its photo",
    "unreadable": "a file that is empty, cut short or no picture",
    "rotation": "the photo is turned by its EXIF tag",
    "size": "the mask has another size than its photo",
    "values": "colours, class numbers or unknown classes in a mask",
    "jpeg": "a mask that was compressed with losses",
    "polarity": "the background is marked in place of the thing",
    "empty": "a mask that marks nothing",
    "full": "a mask that marks nearly everything",
    "one class": "no mask of the set tells the thing from the rest",
    "split": "a photo in two splits, in none, or one that does not exist",
    "leak": "one picture in two splits",
    "duplicate": "one picture twice in a split",
    "identity": "one person, by the names, in two splits",
    "disagree": "two masks of one picture that differ",
    "edges": "a mask whose outline follows no edge of the photo",
    "model": "a mask that a model plainly disagrees with",
    "grey": "a photo without colours",
    "blank": "a photo of one colour",
    "balance": "splits or classes of very unequal weight",
}
"""Each fault's name and what it means, in the order of a report."""


def thing(kind: str) -> str:
    """Return what a message calls what the masks show: nobody may have said what it is."""
    return "thing" if kind == "mask" else kind


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        fault: a name out of `FAULTS`.
        severity: "mend" where training would suffer, "look" where only a person can tell.
        message: what is wrong and what to do.
        stems: the pairs it is about; none where the whole set is meant.
        kind: the kind of mask it is about; "" where the photo or every kind is meant.
        remedy: what `mend` does about it: "drop", "upright" (turn the photo), "turn" (photo and
            mask), "resize", "stretch" (make 0 and 1 to 0 and 255), "binarise", "invert",
            "keep one", "to train", "splits", or "" where it leaves things as they are.

    Chapter: data preparation.
    """

    fault: str
    severity: str
    message: str
    stems: tuple[str, ...] = ()
    kind: str = ""
    remedy: str = ""
