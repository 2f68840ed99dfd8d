"""Training that can be stopped and started again without losing or changing anything.

Chapter: training on Colab.
"""

from seglib.training.config import RECIPES, TrainConfig, recipe
from seglib.training.devices import all_devices, join, precision
from seglib.training.distil import distil
from seglib.training.experiment import DataConfig, Experiment, read_experiment, write_experiment
from seglib.training.logs import History, read_history
from seglib.training.loop import fit
from seglib.training.measures import MeanIoU, reestimate_batchnorm
from seglib.training.progress import Progress
from seglib.training.running import run

__all__ = [
    "TrainConfig",
    "fit",
    "History",
    "read_history",
    "RECIPES",
    "recipe",
    "MeanIoU",
    "reestimate_batchnorm",
    "Progress",
    "distil",
    "precision",
    "all_devices",
    "join",
    "DataConfig",
    "Experiment",
    "read_experiment",
    "write_experiment",
    "run",
]
