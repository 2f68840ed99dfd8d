"""Older networks for portraits and hair, rebuilt from published facts for a fair comparison.

One module a network. What all have in common: the input "image" is RGB, float32 (batch, size,
size, 3) in 0..255; the output "mask" is a probability in 0..1; the scaling of the values is a
layer of the network. Where an original read BGR, the means are reordered, which changes nothing
for a network trained here.

Defaults rebuild the published network, its oddities included; an option mends each oddity. One
thing differs everywhere: BatchNorm's momentum is 0.9, since a momentum of 0.99 or 0.999 leaves the
moving statistics far behind in a short training from scratch.

`seglib.models.build` makes them by name.

Chapter: the architecture zoo.
"""
