"""How `seglib.data.synthetic` draws: tools, then a person's parts, then the order they come in.

Tools that know nothing of people: `brushes` (noise and colour), `shapes` (outlines and frames),
`layers` (blending, and a canvas that remembers which layer covers what), `places` and `scenes`
(backgrounds), `overlay` and `camera`. A person: `looks` (tones and names of cuts), `figure` (who it
is and how it is lit), `cuts`, `hair`, `hair_look` and `hair_front`, `body`, `clothes`, `head` and
`face`. `person` puts them together, `pool` spreads a series over the cores.
Chapter: augmentation and synthetic portraits.
"""
