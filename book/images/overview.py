"""Draw the README's picture: one photo, its two masks, and two finished frames.

    python book/images/overview.py
"""

from pathlib import Path

import numpy as np

import seglib
from seglib import images, postprocess, viz


def main() -> None:
    """Write overview.jpg beside this file."""
    photo = seglib.sample_photo()
    person, hair = seglib.load("portrait")(photo), seglib.load("hair")(photo)
    frames = [
        photo,
        viz.overlay(photo, person),
        postprocess.blur_background(photo, postprocess.smoothstep(person, 0.1, 0.9), 9),
        postprocess.recolour_hair(photo, postprocess.smoothstep(hair, 0.1, 0.9), (170, 40, 70)),
    ]
    strip = np.hstack([images.resize(frame, (320, 320)) for frame in frames])
    images.write_image(Path(__file__).with_name("overview.jpg"), strip)


if __name__ == "__main__":
    main()
