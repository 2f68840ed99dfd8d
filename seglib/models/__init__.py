"""Networks: built from a frozen config, priced before they are trained, saved as weights + config.

`mobile_unet` is the book's own; `build` makes it and the older networks by name.

Chapter: MobileNet-UNet design.
"""

import importlib
import pkgutil

from seglib.models.build import NetConfig, build, configure, from_config, load, load_config, save

# Not in __all__, since `from seglib.models import *` must not hide Python's own `list`.
from seglib.models.build import list as list
from seglib.models.cost import cost
from seglib.models.encoders import load_encoder_weights
from seglib.models.unet import UNetConfig, add_previous, drop_previous, mobile_unet, reads_previous

__all__ = [
    "NetConfig",
    "UNetConfig",
    "add_previous",
    "build",
    "configure",
    "cost",
    "drop_previous",
    "from_config",
    "load",
    "load_config",
    "load_encoder_weights",
    "mobile_unet",
    "reads_previous",
    "save",
]

# What else lies in this folder adds its networks and weights to the tables of `build` and
# `encoders`; nothing here knows it by name.
for _found in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_found.name}")
