#include "effects.h"

#include <algorithm>
#include <cmath>

#include "filters.h"
#include "resize.h"

namespace seglib {
namespace {

std::uint8_t level(float value) {
  return static_cast<std::uint8_t>(std::lrint(std::clamp(value, 0.0f, 255.0f)));
}

// The guided filter's a (red, green, blue) and b, averaged over the windows, four channels.
Planes guided_coefficients(const Mask& mask, const Image& guide, int radius, float eps) {
  const std::size_t count = mask.data.size();
  // r g b m, rm gm bm, rr gg bb, rg rb gb; colours about a middle, since a variance as a
  // difference of large squares loses its digits.
  Planes moments(mask.height, mask.width, 13);
  for (std::size_t i = 0; i < count; ++i) {
    float* v = &moments.data[i * 13];
    for (int c = 0; c < 3; ++c) v[c] = guide.data[i * 3 + c] * (1 / 255.0f) - 0.5f;
    v[3] = mask.data[i];
    for (int c = 0; c < 3; ++c) {
      v[4 + c] = v[c] * v[3];
      v[7 + c] = v[c] * v[c];
    }
    v[10] = v[0] * v[1];
    v[11] = v[0] * v[2];
    v[12] = v[1] * v[2];
  }
  const int side = 2 * radius + 1;
  moments = box_mean(moments, side, Border::kRepeat);
  Planes planes(mask.height, mask.width, 4);
  for (std::size_t i = 0; i < count; ++i) {
    const float* v = &moments.data[i * 13];
    double to[3], var[3];
    for (int c = 0; c < 3; ++c) {
      to[c] = v[4 + c] - static_cast<double>(v[c]) * v[3];
      var[c] = v[7 + c] - static_cast<double>(v[c]) * v[c] + eps;
    }
    const double rg = v[10] - static_cast<double>(v[0]) * v[1];
    const double rb = v[11] - static_cast<double>(v[0]) * v[2];
    const double gb = v[12] - static_cast<double>(v[1]) * v[2];
    // The symmetric 3 x 3 matrix is inverted by its cofactors.
    const double c00 = var[1] * var[2] - gb * gb, c01 = gb * rb - rg * var[2];
    const double c02 = rg * gb - var[1] * rb, c11 = var[0] * var[2] - rb * rb;
    const double c12 = rb * rg - var[0] * gb, c22 = var[0] * var[1] - rg * rg;
    const double scale = 1 / (var[0] * c00 + rg * c01 + rb * c02);
    const double slope[3] = {(c00 * to[0] + c01 * to[1] + c02 * to[2]) * scale,
                             (c01 * to[0] + c11 * to[1] + c12 * to[2]) * scale,
                             (c02 * to[0] + c12 * to[1] + c22 * to[2]) * scale};
    double offset = v[3];
    for (int c = 0; c < 3; ++c) {
      planes.data[i * 4 + c] = static_cast<float>(slope[c]);
      offset -= slope[c] * (v[c] + 0.5);
    }
    planes.data[i * 4 + 3] = static_cast<float>(offset);
  }
  return box_mean(planes, side, Border::kRepeat);
}

// image * (1 - mask) and 1 - mask, averaged over factor x factor blocks; the last ones repeat the
// frame's edge. Four channels.
Planes weighted_background(const Image& photo, const Mask& mask, int factor) {
  const int rows = (photo.height + factor - 1) / factor;
  const int columns = (photo.width + factor - 1) / factor;
  Planes small(rows, columns, 4);
  const float share = 1.0f / static_cast<float>(factor * factor);
  for (int y = 0; y < rows * factor; ++y) {
    const std::uint8_t* pixel = photo.row(std::min(y, photo.height - 1));
    const float* cover = mask.row(std::min(y, photo.height - 1));
    float* out = small.row(y / factor);
    for (int x = 0; x < columns; ++x, out += 4) {
      for (int i = x * factor; i < (x + 1) * factor; ++i) {
        const int column = std::min(i, photo.width - 1);
        const float weight = (1 - cover[column]) * share;
        for (int c = 0; c < 3; ++c) out[c] += pixel[column * 3 + c] * weight;
        out[3] += weight;
      }
    }
  }
  return small;
}

// front + mask * (image - what front and back explain of it), 0 to 255.
float unmix(float image, float mask, float front, float back) {
  return std::clamp((image - back - mask * (front - back)) * mask + front, 0.0f, 255.0f);
}

// Mean colour over windows, each pixel as its weight says; windows without weight keep theirs.
Planes local_mean(const Planes& colours, const Mask& weight, int side) {
  Planes sums(colours.height, colours.width, 4);
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    for (int c = 0; c < 3; ++c) sums.data[i * 4 + c] = colours.data[i * 3 + c] * weight.data[i];
    sums.data[i * 4 + 3] = weight.data[i];
  }
  sums = box_mean(sums, side, Border::kMirror);
  Planes result = colours;
  for (std::size_t i = 0; i < weight.data.size(); ++i) {
    const float total = sums.data[i * 4 + 3];
    if (total <= 1e-4f) continue;
    for (int c = 0; c < 3; ++c) result.data[i * 3 + c] = sums.data[i * 4 + c] / total;
  }
  return result;
}

}  // namespace

Mask guided_upsample(const Mask& mask, const Image& photo, int radius, float eps) {
  check_mask(mask);
  check_image(photo, "photo");
  if (radius < 0 || !(eps > 0)) {
    throw Error("the guided filter needs a radius from 0 and an eps above 0");
  }
  const int rows = std::min(mask.height, photo.height), columns = std::min(mask.width, photo.width);
  const Mask small = resize(mask, rows, columns);
  Planes planes = guided_coefficients(small, shrink(photo, rows, columns), radius, eps);
  for (std::size_t i = 0; i < planes.data.size(); ++i) {
    if (i % 4 < 3) planes.data[i] *= 1 / 255.0f;
  }
  Enlarged enlarged(planes, photo.height, photo.width);
  Mask result(photo.height, photo.width, 1);
  for (int y = 0; y < photo.height; ++y) {
    const float* a = enlarged.row(y);
    const std::uint8_t* colour = photo.row(y);
    float* out = result.row(y);
    for (int x = 0; x < photo.width; ++x, a += 4, colour += 3) {
      const float value = a[3] + colour[0] * a[0] + colour[1] * a[1] + colour[2] * a[2];
      out[x] = std::clamp(value, 0.0f, 1.0f);
    }
  }
  return result;
}

Mask smoothstep(const Mask& mask, float low, float high) {
  check_mask(mask);
  if (!(low < high)) throw Error("smoothstep needs low < high");
  Mask result = mask;
  for (float& value : result.data) {
    const float t = std::clamp((value - low) / (high - low), 0.0f, 1.0f);
    value = t * t * (3 - 2 * t);
  }
  return result;
}

Mask alpha(const Mask& mask, const Image& photo) {
  const double side = std::min(mask.height, mask.width);
  const int radius = std::max(1, static_cast<int>(std::lrint(0.05 * side)));
  return smoothstep(guided_upsample(mask, photo, radius));
}

Image blur_background(const Image& photo, const Mask& mask, double sigma) {
  check_image(photo, "photo");
  check_mask(mask);
  check_fit(photo, mask);
  if (!(sigma >= 0 && sigma < 1e6)) throw Error("sigma must be a number of pixels from 0 upwards");
  if (sigma == 0) return photo;
  const double pixels = static_cast<double>(photo.height) * photo.width;
  const int factor = std::max({1, static_cast<int>(sigma / 4),
                               static_cast<int>(std::ceil(std::sqrt(pixels / 24e6)))});
  // Averaging over blocks and growing back linearly blur too; the rest is left to the Gaussian.
  const double own = factor > 1 ? factor * factor / 4.0 : 0.0;
  const double rest = std::sqrt(std::max(sigma * sigma - own, 0.01)) / factor;
  const Planes behind = gaussian(weighted_background(photo, mask, factor), rest);
  Enlarged enlarged(behind, behind.height * factor, behind.width * factor);
  Image result(photo.height, photo.width, 3);
  for (int y = 0; y < photo.height; ++y) {
    const float* back = enlarged.row(y);
    const float* cover = mask.row(y);
    const std::uint8_t* in = photo.row(y);
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < photo.width; ++x, back += 4) {
      const float scale = 1 / std::max(back[3], 1e-6f);
      for (int c = 0; c < 3; ++c, ++in, ++out) {
        const float below = back[c] * scale;
        *out = level(below + (*in - below) * cover[x]);
      }
    }
  }
  return result;
}

Image estimate_foreground(const Image& photo, const Mask& mask, int reduce) {
  check_image(photo, "photo");
  check_mask(mask);
  check_fit(photo, mask);
  if (reduce < 1) throw Error("reduce must be a whole number from 1");
  const int rows = (photo.height + reduce - 1) / reduce;
  const int columns = (photo.width + reduce - 1) / reduce;
  const Image small = shrink(photo, rows, columns);
  Planes image(rows, columns, 3);
  std::copy(small.data.begin(), small.data.end(), image.data.begin());
  const Mask inside = resize(mask, rows, columns);
  Mask outside = inside;
  for (float& value : outside.data) value = 1 - value;
  const double radius = std::min(photo.height, photo.width) / 16.0;
  Planes front = image, back = image, near_front;
  for (double reach : {radius / reduce, radius / 15 / reduce}) {
    const int side = 2 * std::max(1, static_cast<int>(std::lrint(reach))) + 1;
    near_front = local_mean(front, inside, side);
    back = local_mean(back, outside, side);
    for (std::size_t i = 0; i < front.data.size(); ++i) {
      front.data[i] = unmix(image.data[i], inside.data[i / 3], near_front.data[i], back.data[i]);
    }
  }
  Enlarged fronts(near_front, photo.height, photo.width);
  Enlarged backs(back, photo.height, photo.width);
  Image result(photo.height, photo.width, 3);
  for (int y = 0; y < photo.height; ++y) {
    const float* above = fronts.row(y);
    const float* below = backs.row(y);
    const float* cover = mask.row(y);
    const std::uint8_t* in = photo.row(y);
    std::uint8_t* out = result.row(y);
    for (int i = 0; i < photo.width * 3; ++i) {
      out[i] = level(unmix(in[i], cover[i / 3], above[i], below[i]));
    }
  }
  return result;
}

Image alpha_blend(const Image& front, const Image& back, const Mask& mask) {
  check_image(front, "front image");
  check_image(back, "back image");
  check_mask(mask);
  check_fit(front, mask);
  check_fit(back, mask);
  Image result(front.height, front.width, 3);
  for (std::size_t i = 0; i < result.data.size(); ++i) {
    const float below = back.data[i];
    result.data[i] = level(below + (front.data[i] - below) * mask.data[i / 3]);
  }
  return result;
}

Image replace_background(const Image& photo, const Mask& mask, const Image& background,
                         bool foreground) {
  check_image(photo, "photo");
  check_image(background, "background");
  const Image scene = cover(background, photo.height, photo.width);
  return alpha_blend(foreground ? estimate_foreground(photo, mask, 4) : photo, scene, mask);
}

}  // namespace seglib
