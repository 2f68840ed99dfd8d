#include "filters.h"

#include <algorithm>
#include <cmath>

namespace seglib {
namespace {

int inside(int i, int count, Border border) {
  if (border == Border::kRepeat || count == 1) return std::clamp(i, 0, count - 1);
  while (i < 0 || i >= count) i = i < 0 ? -i : 2 * (count - 1) - i;
  return i;
}

// Weighted sums along rows and then along columns; sums in double, so that the differences of
// large means which the guided filter takes keep their digits.
Planes separable(const Planes& source, const std::vector<double>& kernel, Border border) {
  const int n = source.channels, reach = static_cast<int>(kernel.size()) / 2;
  Planes across(source.height, source.width, n), result(source.height, source.width, n);
  std::vector<double> sums(static_cast<std::size_t>(source.width) * n);
  for (int y = 0; y < source.height; ++y) {
    const float* in = source.row(y);
    float* out = across.row(y);
    for (int x = 0; x < source.width; ++x) {
      for (int c = 0; c < n; ++c) {
        double sum = 0;
        for (int k = -reach; k <= reach; ++k) {
          sum += kernel[k + reach] * in[inside(x + k, source.width, border) * n + c];
        }
        out[x * n + c] = static_cast<float>(sum);
      }
    }
  }
  for (int y = 0; y < source.height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int k = -reach; k <= reach; ++k) {
      const float* in = across.row(inside(y + k, source.height, border));
      const double weight = kernel[k + reach];
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight * in[i];
    }
    float* out = result.row(y);
    for (std::size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<float>(sums[i]);
  }
  return result;
}

}  // namespace

Planes box_mean(const Planes& source, int side, Border border) {
  return separable(source, std::vector<double>(side, 1.0 / side), border);
}

Planes gaussian(const Planes& source, double sigma) {
  const int side = static_cast<int>(std::lrint(sigma * 8 + 1)) | 1;
  std::vector<double> kernel(side);
  double sum = 0;
  for (int i = 0; i < side; ++i) {
    const double x = i - side / 2;
    sum += kernel[i] = std::exp(-0.5 * x * x / (sigma * sigma));
  }
  for (double& weight : kernel) weight /= sum;
  return separable(source, kernel, Border::kRepeat);
}

}  // namespace seglib
