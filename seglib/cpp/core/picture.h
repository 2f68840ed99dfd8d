// What goes in and out of the core: pictures as plain values, and the one exception it throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace seglib {

// Something the caller can mend. what() is one sentence: what is wrong, where, and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Rows of pixels from the top, without gaps, `channels` values each. It owns its values: copying
// copies them, moving hands them on, and nothing else keeps a pointer to them.
template <typename T>
struct Picture {
  int height = 0, width = 0, channels = 1;
  std::vector<T> data;

  Picture() = default;
  Picture(int rows, int columns, int per_pixel, T value = T())
      : height(rows), width(columns), channels(per_pixel),
        data(static_cast<std::size_t>(rows) * columns * per_pixel, value) {}

  T* row(int y) { return data.data() + static_cast<std::size_t>(y) * width * channels; }
  const T* row(int y) const { return data.data() + static_cast<std::size_t>(y) * width * channels; }
  bool same_size(int rows, int columns) const { return height == rows && width == columns; }
};

using Image = Picture<std::uint8_t>;  // three channels: red, green, blue, 0 to 255
using Mask = Picture<float>;          // one channel: 1 where the thing is, 0 elsewhere
using Planes = Picture<float>;        // several channels of in-between results

inline void check_image(const Image& image, const char* name) {
  if (image.height < 1 || image.width < 1 || image.channels != 3 ||
      image.data.size() != static_cast<std::size_t>(image.height) * image.width * 3) {
    throw Error(std::string("the ") + name + " is no RGB picture; give height x width x 3 bytes");
  }
}

inline void check_mask(const Mask& mask, const char* name = "mask") {
  if (mask.height < 1 || mask.width < 1 || mask.channels != 1 ||
      mask.data.size() != static_cast<std::size_t>(mask.height) * mask.width) {
    throw Error(std::string("the ") + name + " is no mask; give height x width floats");
  }
  for (float value : mask.data) {
    // Written so that NaN, which fails every comparison, is refused as well.
    if (!(value >= 0 && value <= 1)) {
      throw Error(std::string("the ") + name + " has values outside 0 to 1; give probabilities");
    }
  }
}

inline void check_fit(const Image& image, const Mask& mask) {
  if (!mask.same_size(image.height, image.width)) {
    throw Error("image and mask differ in size; enlarge the mask with guided_upsample or resize");
  }
}

}  // namespace seglib
