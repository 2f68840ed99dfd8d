// Averages over windows, for float pictures of any number of channels.
#pragma once

#include "picture.h"

namespace seglib {

enum class Border { kRepeat, kMirror };  // the edge pixel again; or the picture mirrored about it

// Mean over squares of `side` pixels (odd), as cv::blur.
Planes box_mean(const Planes& source, int side, Border border);

// Gaussian of `sigma` pixels, edges repeated, as cv::GaussianBlur with a kernel of 8 sigma.
Planes gaussian(const Planes& source, double sigma);

}  // namespace seglib
