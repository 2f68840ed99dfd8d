// Resizing with half-pixel centres, as seglib.images.resize does it.
#pragma once

#include "picture.h"

namespace seglib {

// Each axis that shrinks is averaged over the area a new pixel covers, each axis that grows is
// interpolated linearly. The arithmetic follows OpenCV's INTER_AREA step by step, so that a photo
// reaches the network with the same bytes as in Python.
Image resize(const Image& picture, int height, int width);
Picture<float> resize(const Picture<float>& picture, int height, int width);

// Averages a picture down, by halves as far as that goes (seglib.postprocess.edges.shrink).
Image shrink(const Image& picture, int height, int width);

// Crops a picture about its centre to the proportions of the size, and resizes it to that size.
Image cover(const Image& picture, int height, int width);

}  // namespace seglib
