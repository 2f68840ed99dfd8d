"""Training that can be stopped and started again without losing or changing anything.

Chapter: training on Colab.
"""

import importlib
from typing import Any

from seglib.errors import renamed
from seglib.training.config import TrainConfig
from seglib.training.fit import ADDED, fit
from seglib.training.fit import History as History
from seglib.training.fit import Progress as Progress
from seglib.training.objective import MeanIoU, reestimate_batchnorm

# Where the names come from that `fit` does without; they are looked up when they are first used.
_LATER = {
    "read_history": "logs",
    "distil": "teacher",
    "precision": "devices",
    "all_devices": "devices",
    "join": "devices",
    "RECIPES": "experiment",
    "recipe": "experiment",
    "DataConfig": "experiment",
    "Experiment": "experiment",
    "read_experiment": "experiment",
    "write_experiment": "experiment",
    "train_experiment": "experiment",
}
__all__ = ["MeanIoU", "TrainConfig", "fit", "reestimate_batchnorm", *_LATER]
ADDED |= {
    "tensorboard": "seglib.training.logs:TensorBoard",
    "notify": "seglib.training.logs:notifications",
}
_renamed = renamed(__name__, {"run": "train_experiment"})


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        return _renamed(name)
    return getattr(importlib.import_module(f"seglib.training.{_LATER[name]}"), name)
