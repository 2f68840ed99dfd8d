// Dyeing hair in CIE Lab, see recolour_hair in effects.h.
#include <algorithm>
#include <array>
#include <cmath>

#include "effects.h"

namespace seglib {
namespace {

struct Lab {
  float lightness, a, b;
};

// sRGB levels as linear light (IEC 61966-2-1).
const std::array<float, 256>& linear_table() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> values{};
    for (int i = 0; i < 256; ++i) {
      const double v = i / 255.0;
      values[i] =
          static_cast<float>(v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4));
    }
    return values;
  }();
  return table;
}

std::uint8_t from_linear(float light) {
  const float v = std::clamp(light, 0.0f, 1.0f);
  const float curve = v <= 0.0031308f ? v * 12.92f : 1.055f * std::pow(v, 1 / 2.4f) - 0.055f;
  return static_cast<std::uint8_t>(std::lrint(std::clamp(curve, 0.0f, 1.0f) * 255));
}

float bent(float t) { return t > 0.008856f ? std::cbrt(t) : 7.787f * t + 16 / 116.0f; }

float straight(float t) {
  return t > 0.206893f ? t * t * t : (t - 16 / 116.0f) / 7.787f;
}

Lab to_lab(const std::uint8_t* rgb) {
  const auto& light = linear_table();
  const float r = light[rgb[0]], g = light[rgb[1]], b = light[rgb[2]];
  // sRGB's primaries, white D65.
  const float x = bent((0.412453f * r + 0.357580f * g + 0.180423f * b) / 0.950456f);
  const float height = 0.212671f * r + 0.715160f * g + 0.072169f * b;
  const float y = bent(height);
  const float z = bent((0.019334f * r + 0.119193f * g + 0.950227f * b) / 1.088754f);
  const float lightness = height > 0.008856f ? 116 * y - 16 : 903.3f * height;
  return {lightness, 500 * (x - y), 200 * (y - z)};
}

void from_lab(const Lab& lab, std::uint8_t* rgb) {
  const bool dark = lab.lightness <= 8;
  const float height = dark ? lab.lightness / 903.3f : 0;
  const float fy = dark ? 7.787f * height + 16 / 116.0f : (lab.lightness + 16) / 116;
  const float y = dark ? height : fy * fy * fy;
  const float x = straight(fy + lab.a / 500) * 0.950456f;
  const float z = straight(fy - lab.b / 200) * 1.088754f;
  rgb[0] = from_linear(3.240479f * x - 1.537150f * y - 0.498535f * z);
  rgb[1] = from_linear(-0.969256f * x + 1.875991f * y + 0.041556f * z);
  rgb[2] = from_linear(0.055648f * x - 0.204043f * y + 1.057311f * z);
}

// Mean lightness of the hair over at most about 20,000 evenly spaced pixels of its bounding box.
double mean_lightness(const Image& photo, const Mask& mask) {
  int top = mask.height, left = mask.width, bottom = 0, right = 0;
  for (int y = 0; y < mask.height; ++y) {
    for (int x = 0; x < mask.width; ++x) {
      if (mask.row(y)[x] <= 0) continue;
      top = std::min(top, y);
      bottom = y + 1;
      left = std::min(left, x);
      right = std::max(right, x + 1);
    }
  }
  const double area = static_cast<double>(bottom - top) * (right - left);
  const int step = std::max(1, static_cast<int>(std::ceil(std::sqrt(area / 20000))));
  double sum = 0, weights = 0;
  for (int y = top; y < bottom; y += step) {
    for (int x = left; x < right; x += step) {
      const double weight = mask.row(y)[x];
      sum += weight * to_lab(photo.row(y) + x * 3).lightness;
      weights += weight;
    }
  }
  return sum / std::max(weights, 1e-6);
}

}  // namespace

Image recolour_hair(const Image& photo, const Mask& mask, const std::uint8_t color[3],
                    float strength, float lift) {
  check_image(photo, "photo");
  check_mask(mask);
  check_fit(photo, mask);
  if (!(strength >= 0 && strength <= 1 && lift >= 0 && lift <= 1)) {
    throw Error("strength and lift must be numbers from 0 to 1");
  }
  Image result = photo;
  const auto covered = [](float value) { return value > 0; };
  if (std::none_of(mask.data.begin(), mask.data.end(), covered)) return result;
  const Lab tone = to_lab(color);
  // Kept off the ends, where the logarithm of white is 0 and no exponent moves it.
  const double start = std::clamp(mean_lightness(photo, mask), 0.0, 98.0);
  const double goal = std::clamp(start + lift * (tone.lightness - start), 0.0, 98.0);
  const float exponent =
      static_cast<float>(std::log((goal + 1) / 101) / std::log((start + 1) / 101));
  for (std::size_t i = 0; i < mask.data.size(); ++i) {
    const float weight = mask.data[i] * strength;
    if (weight <= 0) continue;
    Lab lab = to_lab(&photo.data[i * 3]);
    const float bright = (std::max(lab.lightness, 0.0f) + 1) / 101;
    const float lightness = 101 * std::pow(bright, exponent) - 1;
    // Down to nothing at black, and at white, in straight lines.
    const float shade = std::min(lightness / std::max(tone.lightness, 1.0f),
                                 (100 - lightness) / std::max(100 - tone.lightness, 1.0f));
    const float chroma = std::clamp(shade, 0.0f, 1.0f);
    lab.lightness += (lightness - lab.lightness) * weight;
    lab.a += (chroma * tone.a - lab.a) * weight;
    lab.b += (chroma * tone.b - lab.b) * weight;
    from_lab(lab, &result.data[i * 3]);
  }
  return result;
}

}  // namespace seglib
