"""Networks: built from a frozen config, priced before they are trained, saved as weights + config.

`mobile_unet` is the book's own; `build` makes it and the older networks by name.

Chapter: MobileNet-UNet design.
"""

from seglib.models.cost import Cost, LayerCost, cost
from seglib.models.encoder_weights import load_encoder_weights
from seglib.models.factory import NetConfig, build, configure, from_config

# Not in __all__, since `from seglib.models import *` must not hide Python's own `list`.
from seglib.models.factory import list as list
from seglib.models.mobile_unet import UNetConfig, mobile_unet
from seglib.models.previous import add_previous, drop_previous, reads_previous
from seglib.models.storage import load, load_config, save

__all__ = [
    "Cost",
    "LayerCost",
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
