#include "c_api.h"

#include <algorithm>
#include <exception>

#include "effects.h"
#include "resize.h"

namespace {

thread_local std::string last_error;

// No exception may reach Swift or Kotlin.
template <typename Work>
int guarded(Work work) {
  try {
    last_error.clear();
    work();
    return 0;
  } catch (const std::exception& error) {
    last_error = error.what();
    return -1;
  }
}

template <typename T>
seglib::Picture<T> copied(const T* values, int height, int width, int channels) {
  if (!values || height < 1 || width < 1) {
    throw seglib::Error("a picture is missing or empty; give its bytes, height and width");
  }
  seglib::Picture<T> picture(height, width, channels);
  std::copy(values, values + picture.data.size(), picture.data.begin());
  return picture;
}

seglib::Image photo_of(seglib_image image) {
  return copied(image.rgb, image.height, image.width, 3);
}

seglib::Mask mask_of(seglib_mask mask) { return copied(mask.values, mask.height, mask.width, 1); }

template <typename T>
void hand_out(const seglib::Picture<T>& picture, T* place) {
  if (!place) throw seglib::Error("there is no buffer for the result; give one");
  std::copy(picture.data.begin(), picture.data.end(), place);
}

}  // namespace

const char* seglib_error(void) { return last_error.c_str(); }

int seglib_prepare(seglib_image photo, float low, float high, int height, int width,
                   float* input) {
  return guarded([&] {
    const seglib::Image small = seglib::resize(photo_of(photo), height, width);
    seglib::Planes values(height, width, 3);
    const float step = (high - low) / 255;
    std::transform(small.data.begin(), small.data.end(), values.data.begin(),
                   [&](std::uint8_t level) { return low + level * step; });
    hand_out(values, input);
  });
}

int seglib_alpha(seglib_mask mask, seglib_image photo, float* alpha) {
  return guarded([&] { hand_out(seglib::alpha(mask_of(mask), photo_of(photo)), alpha); });
}

int seglib_blur(seglib_image photo, seglib_mask alpha, float share, uint8_t* frame) {
  return guarded([&] {
    const double sigma = static_cast<double>(share) * std::min(photo.height, photo.width);
    hand_out(seglib::blur_background(photo_of(photo), mask_of(alpha), sigma), frame);
  });
}

int seglib_replace(seglib_image photo, seglib_mask alpha, seglib_image scene, uint8_t* frame) {
  return guarded([&] {
    hand_out(seglib::replace_background(photo_of(photo), mask_of(alpha), photo_of(scene)), frame);
  });
}

int seglib_recolour(seglib_image photo, seglib_mask alpha, const uint8_t color[3], float strength,
                    float lift, uint8_t* frame) {
  return guarded([&] {
    if (!color) throw seglib::Error("there is no colour; give red, green and blue");
    hand_out(seglib::recolour_hair(photo_of(photo), mask_of(alpha), color, strength, lift), frame);
  });
}
