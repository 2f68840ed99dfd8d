"""The catalogue: where the field's data sets come from, what they show, under which terms.

Facts are as the sources state them; where a source states no size or count, the field is empty
rather than guessed.

Chapter: data preparation.
"""

import csv
import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from seglib.errors import SeglibError

MANIFESTS = Path(__file__).parent / "manifests"


@dataclass(frozen=True)
class Source:
    """One data set, or one way to bring one's own photos.

    Attributes:
        name: what `fetch`, `prepare` and `load` call it.
        title: its full name.
        shows: what the photos show.
        kinds: what its masks mark, the main one first; "mask" where the owner decides.
        layout: which reader of `seglib.data.layouts` understands its files.
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


def _github(repository: str, commit: str) -> dict[str, str]:
    return {
        "repository": repository,
        "commit": commit,
        "address": f"https://github.com/{repository}/archive/{commit}.tar.gz",
    }


_CCP = {
    "kinds": ("person", "hair", "skin", "clothes"),
    "licence": "Apache-2.0 (the repository's LICENSE)",
    "terms": "free to use with the licence and the citation; the photographers' rights are not "
    "addressed, so show the photos with care",
    "citation": "Yang, Luo, Lin: Clothing Co-Parsing by Joint Image Segmentation and Labeling. "
    "CVPR 2014",
    "count": 1004,
    "raw": "ccp",
    **_github("bearpaw/clothing-co-parsing", "fe34fb7"),
    "keep": ("LICENSE", "README.md", "label_list.mat", "photos/*", "annotations/pixel-level/*"),
    "faults": (
        "masks include bags and hats; passers-by are background",
        "whole photos and crops show the same people: they share stems and splits",
    ),
}
_HAIRSEG = {
    "kinds": ("hair",),
    "licence": "none stated",
    "raw": "hairseg",
    **_github("Kainasu/hair-seg-project", "59106b0"),
    "keep": ("README*", "data/Figaro1k/*", "data/Lfw/*"),
}
_LFW_CITATION = (
    "Kae, Sohn, Lee, Learned-Miller: Augmenting CRFs with Boltzmann Machine Shape Priors for Image "
    "Labeling. CVPR 2013; Huang, Ramesh, Berg, Learned-Miller: Labeled Faces in the Wild. "
    "Technical Report 07-49, University of Massachusetts, Amherst, 2007"
)
_OWN = {
    "kinds": ("mask",),
    "licence": "yours to say",
    "terms": "those of the photos you bring",
}

_SOURCES = (
    Source(
        name="ccp_full",
        title="Clothing Co-Parsing (CCP), whole photos",
        shows="full bodies, street fashion",
        layout="ccp",
        **_CCP,
    ),
    Source(
        name="ccp_upper",
        title="Clothing Co-Parsing (CCP), upper-body crops",
        shows="head to waist, square crops of the same photos",
        layout="ccp_upper",
        **_CCP,
    ),
    Source(
        name="eg1800",
        title="EG1800 / PFCN portraits (AutoPortraitMatting)",
        shows="head-and-shoulders portraits and selfies, fine hair edges",
        kinds=("person",),
        layout="eg1800",
        licence="for academic exchange only",
        terms="research and teaching only; the authors ask to be told; photos by Flickr users",
        citation="Shen et al.: Automatic Portrait Segmentation for Image Stylization. "
        "Eurographics 2016",
        count=1829,
        size="600x800",
        raw="eg1800",
        **_github("bio-punk/AutoPortraitMatting", "5c89932069955ccf18a81ba824e466f8135aced4"),
        keep=(
            "README*",
            "data/images_data_crop/*",
            "data/images_mask/*",
            "data/trainlist.mat",
            "data/testlist.mat",
        ),
        faults=(
            "its train and test lists share near-duplicates: prepare moves them to train",
            "some photos its lists name are not in the repository",
            "some masks fill nearly the whole photo",
            "six photos carry two masks whose IoU is 0.92 to 0.99 (mean 0.97): nobody can "
            "honestly score much above that",
        ),
    ),
    Source(
        name="figaro1k",
        title="Figaro1k",
        shows="heads in the wild, many from behind or from the side",
        layout="figaro1k",
        terms="research and teaching only",
        citation="Svanera, Muhammad, Leonardi, Benini: Figaro, hair detection and segmentation in "
        "the wild. ICIP 2016; Muhammad, Svanera, Leonardi, Benini: Hair detection, segmentation, "
        "and hairstyle classification in the wild. Image and Vision Computing 71, 2018",
        faults=("its masks are PBM files named .png", "some photos are mirrored copies of others"),
        **_HAIRSEG,
    ),
    Source(
        name="lfw_hair",
        title="LFW hair masks",
        shows="faces from the news, with black borders from alignment",
        layout="lfw_hair",
        size="250x250",
        terms="LFW is used for research: research and teaching only",
        citation=_LFW_CITATION,
        faults=(
            "its Training and Testing folders hold the same files: prepare takes each once and "
            "splits by person",
            "hair follows coarse superpixels, beards count as hair, some masks are plainly wrong",
            "people without hair have empty masks",
        ),
        **_HAIRSEG,
    ),
    Source(
        name="lfw_parts",
        title="LFW part labels, original .ppm",
        shows="faces from the news, with black borders from alignment",
        kinds=("hair", "skin"),
        layout="lfw_parts",
        licence="none stated",
        terms="LFW is used for research: research and teaching only",
        citation=_LFW_CITATION,
        count=2927,
        size="250x250",
        raw="lfw_parts",
        steps=(
            "get lfw-funneled.tgz from the LFW page of the University of Massachusetts "
            "(vis-www.cs.umass.edu/lfw)",
            "get parts_lfw_funneled_gt_images.tgz from its part labels page "
            "(vis-www.cs.umass.edu/lfw/part_labels)",
            "unpack both into one folder, so that it holds lfw_funneled/<name>/ and the .ppm files",
        ),
        faults=("hair follows coarse superpixels, beards count as hair",),
    ),
    Source(
        name="celebamask_hq",
        title="CelebAMask-HQ",
        shows="faces of celebrities, aligned and cropped",
        kinds=("hair", "skin", "clothes", "person"),
        layout="celebamask_hq",
        licence="non-commercial research and education only, with an agreement",
        terms="research and teaching only; no copies of photos or masks may be passed on",
        citation="Lee, Liu, Wu, Luo: MaskGAN: Towards Diverse and Interactive Facial Image "
        "Manipulation. CVPR 2020",
        count=30000,
        size="photos 1024x1024, masks 512x512",
        raw="celebamask_hq",
        steps=(
            "read the agreement at github.com/switchablenorms/CelebAMask-HQ",
            "download CelebAMask-HQ.zip from the Google Drive or Baidu link there",
            "unpack it: the folder holds CelebA-HQ-img/ and CelebAMask-HQ-mask-anno/",
        ),
        faults=(
            "one file per part, and parts overlap: they are merged in the authors' order",
            "absent parts have no file: people without hair are kept, with an empty mask",
        ),
    ),
    Source(
        name="supervisely_person",
        title="Supervisely Person",
        shows="people of all poses and sizes, often several",
        kinds=("person",),
        layout="supervisely",
        licence="free for academic purposes",
        terms="research and teaching only",
        citation="Supervisely Person Dataset, supervise.ly, 2018",
        count=5711,
        raw="supervisely_person",
        steps=(
            "make an account at supervisely.com and add the Supervisely Person data set to it",
            "download the project as JSON annotations with photos",
            "unpack it: each data set in it holds img/ and ann/",
        ),
    ),
    Source(
        name="folder",
        title="Your own photos: images/ and masks/",
        shows="what you bring",
        layout="folder",
        steps=(
            "put photos into images/ and masks of the same stems into masks/ (grey, 0 and 255 or "
            "0 and 1), or several kinds into masks/<kind>/; train/ and val/ may each hold such a "
            "pair of folders",
        ),
        **_OWN,
    ),
    Source(
        name="numpy",
        title="Your own photos: images.npy and masks.npy",
        shows="what you bring",
        layout="numpy",
        steps=(
            "save images.npy (n, h, w, 3) and masks.npy (n, h, w) side by side; the names "
            "img_uint8.npy and msk_uint8.npy of Portrait-Segmentation are known as well",
        ),
        **_OWN,
    ),
    Source(
        name="csv",
        title="Your own photos: a CSV of paths",
        shows="what you bring",
        layout="csv",
        steps=(
            "write a CSV with the columns image and mask (or mask_hair, mask_person ...), and if "
            "you like split and group; paths are relative to the CSV's folder",
        ),
        **_OWN,
    ),
)


def entries() -> tuple[Source, ...]:
    """Return every source of the catalogue, in the order of the book; also `seglib.data.list()`."""
    return _SOURCES


def source(name: str) -> Source:
    """Return the source of this name.

    Raises:
        SeglibError: there is none; the message lists those there are.
    """
    found = {entry.name: entry for entry in _SOURCES}
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise SeglibError(f"no source is called {name!r}{meant}; there are {', '.join(found)}")


def known_checksums(entry: Source) -> dict[str, str]:
    """Return path -> SHA-256 of those files of a source whose content is known beforehand.

    The list is short: only files that are the authors' own, byte for byte, are in it. All other
    files are covered by the manifest that the first fetch writes.
    """
    path = MANIFESTS / f"{entry.raw}.csv"
    if not entry.raw or not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["path"]: row["sha256"] for row in csv.DictReader(file)}


def cache_folder() -> Path:
    """Return the user's cache: `$SEGLIB_CACHE`, or seglib/ under `$XDG_CACHE_HOME` or ~/.cache.

    It has raw/ for fetched files and prepared/ for finished sets.
    """
    if os.environ.get("SEGLIB_CACHE"):
        return Path(os.environ["SEGLIB_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "seglib"
