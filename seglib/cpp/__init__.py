"""The C++ core: the same network and the same finishing of a frame, without Python.

Phones, desktops and servers take these sources; nothing in seglib needs them. They lie in the
package so that a chapter can compile them wherever it runs, in Colab too:

- `core/`: one class, `Segmenter`, that loads a `.tflite` and returns masks through LiteRT's C
  functions, and the finishing of a frame with the formulas of `seglib.postprocess`. No dependency
  but the C++ library.
- `programs/`: `segment_ppm` for one photo without any library, `segment` for pictures, videos and
  cameras over OpenCV.
- `android/`, `ios/`: the same core in Kotlin and Swift apps.

mobile_unet_segmentation (rusito-23) had such a core for desktop and iOS; its idea is taken up here,
none of its code.

Chapter: shipping.
"""

from seglib.cpp.compiling import SOURCES, Build, build, lacking, litert_library
from seglib.cpp.library import Core

__all__ = ["SOURCES", "Build", "build", "lacking", "litert_library", "Core"]
