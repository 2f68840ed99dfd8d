"""The field's data sets, as their sources describe them: the facts behind the catalogue.

Where a source states no size or count, the field is empty rather than guessed.

Chapter: data preparation.
"""

from seglib.data.sources.entry import Source


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

SOURCES = (
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
