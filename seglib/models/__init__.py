"""Networks: built from a frozen config, priced before they are trained, saved as weights + config.

Chapter: MobileNet-UNet design.
"""

from seglib.models.cost import Cost, LayerCost, cost
from seglib.models.mobile_unet import UNetConfig, mobile_unet
from seglib.models.storage import load, load_config, save

__all__ = ["Cost", "LayerCost", "UNetConfig", "cost", "load", "load_config", "mobile_unet", "save"]
