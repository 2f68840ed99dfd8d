// Resizing with half-pixel centres, as seglib.images.resize does it.
#pragma once

#include "picture.h"

namespace seglib {

// Each axis that shrinks is averaged over the area a new pixel covers, each axis that grows is
// interpolated linearly. The arithmetic follows OpenCV's INTER_AREA step by step, so that a photo
// reaches the network with the same bytes as in Python.
Image resize(const Image& picture, int height, int width);
Picture<float> resize(const Picture<float>& picture, int height, int width);

// A picture enlarged linearly, one row at a time from the top: what goes through the rows of a
// photo needs no enlarged copy of its maps. It looks at the picture, which has to outlive it.
class Enlarged {
 public:
  Enlarged(const Picture<float>& picture, int height, int width);

  // Row y, width * channels values; valid until the next call.
  const float* row(int y);

 private:
  struct Place {
    int first, second;
    float share;
  };
  static std::vector<Place> places(int from, int to);
  void fill(std::vector<float>& line, int y) const;

  const Picture<float>& picture_;
  std::vector<Place> down_, right_;
  std::vector<float> lines_[2], row_;
  int held_[2] = {-1, -1};
};

// Averages a picture down, by halves as far as that goes (seglib.postprocess.edges.shrink).
Image shrink(const Image& picture, int height, int width);

// Crops a picture about its centre to the proportions of the size, and resizes it to that size.
Image cover(const Image& picture, int height, int width);

}  // namespace seglib
