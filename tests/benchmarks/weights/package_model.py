"""Turn the recipe's runs into the files that ship: `.tflite`, Keras weights, config and card.

In `tests/benchmarks`:

    python -m weights.package_model runs

The scores in a card are those of the `.tflite` itself, on the val splits, at the photos' own size.

Chapter: training on Colab.
"""

import argparse
import csv
import json
from dataclasses import asdict
from pathlib import Path

from weights.recipes import RECIPES

from seglib import data, export, models
from seglib.evaluation import evaluate
from seglib.files import atomic_path, sha256
from seglib.pretrained import FOLDER
from seglib.runtime import Segmenter

NAMES = {"person": "portrait", "hair": "hair"}
VAL_SETS = {
    "person": ("eg1800", "ccp_upper", "ccp_full"),
    "hair": ("figaro1k", "lfw_hair", "ccp_upper"),
}
CCP = "Clothing Co-Parsing street photos (Yang, Luo, Lin, CVPR 2014; Apache-2.0)"
RESEARCH = {
    "licence": "research and teaching only",
    "terms": "research and teaching only, as are the photos that trained them",
    "training_data": [
        "EG1800 portraits (Shen et al., Eurographics 2016; for academic exchange only)",
        "Figaro1k hair (Svanera et al., 2018; no terms stated)",
        "LFW hair labels (Kae et al., CVPR 2013; no terms stated)",
        CCP,
        "person masks of the hair photos: MediaPipe Selfie Segmentation (Apache-2.0) as teacher",
        "start of the encoder: EfficientNet-Lite0 (Apache-2.0), trained on ImageNet (Deng et al., "
        "CVPR 2009; its photos for research and teaching only)",
    ],
}
HAIR_TEACHER = "hair masks of the portraits: MediaPipe Hair (Apache-2.0) as teacher"
OPEN = {
    "licence": "Apache-2.0",
    "terms": "Apache-2.0; trained on Apache-2.0 street photos and synthetic portraits only",
    "training_data": [CCP, "synthetic portraits drawn by seglib.data.synthetic (Apache-2.0)"],
}
LOGGED = ("loss", "iou", "val_loss", "val_iou")
LIMITS = {
    "person": [
        "One mask for everybody in the frame; passers-by may be marked or missed.",
        "Edges are drawn at 128 pixels and then enlarged: single hairs and fingers are lost.",
        "Hats and bags count as the person in part of the training data.",
        "Photos that are very noisy, turned, or cropped to a part of a face score much lower.",
    ],
    "hair": [
        "Small heads, as in street photos, score lowest.",
        "Where LFW trained the network, beards may count as hair, as they do there.",
        "Dark collars, hats and backgrounds beside the head may be taken for hair.",
        "Photos that are very blurred or noisy, turned, or cropped to a part of the head score much"
        " lower.",
    ],
}


def package_model(runs: Path, variant: str, task: str, folder: Path = FOLDER) -> Path:
    """Write the four files of one model and return the `.tflite`.

    Args:
        runs: the recipe's output folder.
        variant: "all" or "open".
        task: "person" or "hair".
        folder: where the files go.
    """
    name = NAMES[task] + ("_open" if variant == "open" else "")
    about = {"name": name, "task": task, **(OPEN if variant == "open" else RESEARCH)}
    if (variant, task) == ("all", "hair"):
        about["training_data"] = [*about["training_data"], HAIR_TEACHER]
    story = {
        "recipe": asdict(RECIPES[variant]),
        "limits": LIMITS[task],
        "log": log(runs / variant, task),
    }
    return write(runs / variant / f"{task}.weights.h5", about, story, folder)


def write(weights: Path, about: dict, story: dict, folder: Path = FOLDER) -> Path:
    """Write `.tflite`, Keras weights, config and card; return the `.tflite`.

    Args:
        weights: the trained network.
        about: name, task, licence, terms and training data: what the `.tflite` says of itself.
        story: recipe, limits and log, which the card says besides.
        folder: where the files go.
    """
    name, task = about["name"], about["task"]
    model, config = models.load(weights), models.load_config(weights)
    models.save(model, config, folder / f"{name}.weights.h5")
    metadata = {**about, "labels": list(config.labels)}
    path = export.to_tflite(model, folder / f"{name}.tflite", "float16", metadata=metadata)
    content = {
        **about,
        "network": asdict(config),
        "parameters": model.count_params(),
        "tflite_sha256": sha256(path),
        "recipe": story["recipe"],
        "scores": scores(path, task),
        "limits": story["limits"],
        "log": story["log"],
    }
    with atomic_path(folder / f"{name}.card.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def scores(path: Path, task: str) -> dict[str, dict[str, float]]:
    """Score a `.tflite` on the val split of every set that has masks of its task."""
    found = {}
    for name in VAL_SETS[task]:
        dataset = data.load(name, "val", task)
        means = evaluate(Segmenter(path), dataset).means
        found[f"{name} val"] = {score: round(mean, 4) for score, mean in means.items()}
        found[f"{name} val"]["photos"] = len(dataset)
    return found


def log(runs: Path, task: str) -> dict[str, list[dict[str, float]]]:
    """Read the history of every stage that led to a model."""
    stages = [*sorted(folder.name for folder in runs.glob("joint[0-9]")), task]
    # The network for video has no last stage of its own.
    stages += [folder.name for folder in runs.glob(f"{task}.polish")]
    logs = {}
    for stage in stages:
        with open(runs / stage / "history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        logs[stage] = [
            {"epoch": int(row["epoch"])} | {key: round(float(row[key]), 4) for key in LOGGED}
            for row in rows
        ]
    return logs


def main() -> None:
    """Package every model whose weights the runs folder holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="the recipe's output folder")
    runs = parser.parse_args().runs
    for variant in ("all", "open"):
        for task in NAMES:
            if (runs / variant / f"{task}.weights.h5").exists():
                print(package_model(runs, variant, task))


if __name__ == "__main__":
    main()
