"""One entry of the catalogue: a data set, its terms, and how its files are got.

Chapter: data preparation.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One data set, or one way to bring one's own photos.

    Attributes:
        name: what `fetch`, `prepare` and `load` call it.
        title: its full name.
        shows: what the photos show.
        kinds: what its masks mark, the main one first; "mask" where the owner decides.
        layout: which reader of `seglib.data.sources.layouts` understands its files.
        licence: the licence as stated, or "none stated".
        terms: what that allows, in plain words.
        citation: what to cite, "" where there is nothing.
        count: how many pairs the source names; None where it does not say.
        size: pixels of the photos, as stated; "" where it varies or is unknown.
        raw: name of the folder its files are fetched to; sets of one repository share it.
        repository: owner/name on GitHub, for sets that can be fetched.
        commit: the commit to fetch, full or abbreviated; the archive must carry it.
        address: the archive to fetch; "" where only a person can get the files.
        keep: path patterns of the files the reader needs; others are left in the archive.
        steps: what a person does to get the files, in order.
        faults: what is known to be wrong with it.
    """

    name: str
    title: str
    shows: str
    kinds: tuple[str, ...]
    layout: str
    licence: str
    terms: str
    citation: str = ""
    count: int | None = None
    size: str = ""
    raw: str = ""
    repository: str = ""
    commit: str = ""
    address: str = ""
    keep: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def fetchable(self) -> bool:
        """Whether `seglib.data.fetch` can get it without a person."""
        return bool(self.address)
