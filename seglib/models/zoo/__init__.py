"""Older networks for portraits and hair, rebuilt from published facts for a fair comparison.

`seglib.models.build` makes them by name: from "image", RGB, float32 (batch, size, size, 3) in
0..255, to "mask", a probability in 0..1 (batch, size, size, 1). Options that several have:

- `size`: side of the input in pixels, a multiple of 32 unless the network says otherwise;
- `width`: factor on the encoder's channels; ImageNet weights fit the published widths;
- `scaling`: a key of `seglib.models.zoo.parts.SCALINGS`. ImageNet weights expect "symmetric";
- `bn_momentum`: fraction of BatchNorm's old moving statistics kept at each step;
- `dropout`: rate in the decoder, 0 to below 1; acts in training only.

Defaults rebuild the published network, its oddities included; an option mends each oddity. The
scaling of the values is a layer of the network: where an original read BGR, the means are
reordered, which changes nothing for a network trained here. One thing differs everywhere:
BatchNorm's momentum is 0.9, since 0.99 or 0.999 leaves the moving statistics far behind in a short
training from scratch. Those which gave logits end in a sigmoid here.

Chapter: the architecture zoo.
"""

from seglib.models.build import NETWORKS
from seglib.models.zoo.context import esp_dense, pyramid_pooling, shuffle_skipnet
from seglib.models.zoo.residual import residual_bisenet, residual_matting
from seglib.models.zoo.unets import add_unet, dense_unet, dilated_unet, transpose_unet, v2_unet

NETWORKS |= {
    "add_unet": (add_unet, "mobilenet_v1"),
    "transpose_unet": (transpose_unet, "mobilenet_v1"),
    "v2_unet": (v2_unet, "mobilenet_v2"),
    "dense_unet": (dense_unet, "mobilenet_v1"),
    "dilated_unet": (dilated_unet, None),
    "shuffle_skipnet": (shuffle_skipnet, None),
    "esp_dense": (esp_dense, None),
    "residual_bisenet": (residual_bisenet, None),
    "residual_matting": (residual_matting, None),
    "pyramid_pooling": (pyramid_pooling, "mobilenet_v2"),
}
