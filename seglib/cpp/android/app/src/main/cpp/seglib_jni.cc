// The core for Kotlin and Java, see Core.kt. Android's bitmaps and camera hand over four bytes a
// pixel, rows with gaps between them; the core sees RGB without gaps.
#include <jni.h>

#include <algorithm>

#include "effects.h"
#include "resize.h"

namespace {

using seglib::Error;
using seglib::Image;
using seglib::Mask;

// No exception may leave for the virtual machine: it gets one of its own, with the same sentence.
template <typename Work>
void guarded(JNIEnv* env, Work work) {
  try {
    work();
  } catch (const std::exception& error) {
    env->ThrowNew(env->FindClass("java/lang/IllegalArgumentException"), error.what());
  }
}

std::uint8_t* bytes(JNIEnv* env, jobject buffer, jlong wanted) {
  void* address = buffer ? env->GetDirectBufferAddress(buffer) : nullptr;
  if (!address || env->GetDirectBufferCapacity(buffer) < wanted) {
    throw Error("a buffer is missing, not direct or too small; use ByteBuffer.allocateDirect");
  }
  return static_cast<std::uint8_t*>(address);
}

Image read_rgba(JNIEnv* env, jobject buffer, jint height, jint width, jint stride) {
  if (height < 1 || width < 1 || stride < 4 * width) {
    throw Error("a picture is empty, or its rows are shorter than 4 bytes a pixel");
  }
  // The last row may end without its gap.
  const jlong wanted = static_cast<jlong>(stride) * (height - 1) + 4 * width;
  const std::uint8_t* in = bytes(env, buffer, wanted);
  Image image(height, width, 3);
  for (int y = 0; y < height; ++y) {
    const std::uint8_t* from = in + static_cast<std::size_t>(stride) * y;
    std::uint8_t* to = image.row(y);
    for (int x = 0; x < width; ++x, from += 4, to += 3) std::copy(from, from + 3, to);
  }
  return image;
}

void write_rgba(JNIEnv* env, const Image& image, jobject buffer) {
  std::uint8_t* to = bytes(env, buffer, static_cast<jlong>(4) * image.height * image.width);
  for (std::size_t i = 0; i < image.data.size(); i += 3, to += 4) {
    std::copy(&image.data[i], &image.data[i] + 3, to);
    to[3] = 255;
  }
}

Mask read_mask(JNIEnv* env, jfloatArray values, jint height, jint width) {
  if (!values || height < 1 || width < 1 ||
      env->GetArrayLength(values) != static_cast<jlong>(height) * width) {
    throw Error("the mask's length is not its height times its width");
  }
  Mask mask(height, width, 1);
  env->GetFloatArrayRegion(values, 0, height * width, mask.data.data());
  return mask;
}

}  // namespace

extern "C" {

JNIEXPORT void JNICALL Java_book_segmentation_Core_prepare(JNIEnv* env, jobject, jobject rgba,
                                                           jint height, jint width, jint stride,
                                                           jint to_height, jint to_width,
                                                           jfloat low, jfloat high,
                                                           jfloatArray input) {
  guarded(env, [&] {
    const Image photo = read_rgba(env, rgba, height, width, stride);
    const Image small = seglib::resize(photo, to_height, to_width);
    if (!input || env->GetArrayLength(input) != static_cast<jlong>(small.data.size())) {
      throw Error("the input's length is not height times width times 3");
    }
    seglib::Planes values(to_height, to_width, 3);
    const float step = (high - low) / 255;
    std::transform(small.data.begin(), small.data.end(), values.data.begin(),
                   [&](std::uint8_t level) { return low + level * step; });
    env->SetFloatArrayRegion(input, 0, static_cast<jsize>(values.data.size()),
                             values.data.data());
  });
}

JNIEXPORT void JNICALL Java_book_segmentation_Core_blur(JNIEnv* env, jobject, jobject rgba,
                                                        jint height, jint width, jint stride,
                                                        jfloatArray mask, jint mask_height,
                                                        jint mask_width, jfloat share,
                                                        jobject frame) {
  guarded(env, [&] {
    const Image photo = read_rgba(env, rgba, height, width, stride);
    const Mask cover = seglib::alpha(read_mask(env, mask, mask_height, mask_width), photo);
    const double sigma = static_cast<double>(share) * std::min(height, width);
    write_rgba(env, seglib::blur_background(photo, cover, sigma), frame);
  });
}

JNIEXPORT void JNICALL Java_book_segmentation_Core_recolour(JNIEnv* env, jobject, jobject rgba,
                                                            jint height, jint width, jint stride,
                                                            jfloatArray mask, jint mask_height,
                                                            jint mask_width, jint red, jint green,
                                                            jint blue, jobject frame) {
  guarded(env, [&] {
    const Image photo = read_rgba(env, rgba, height, width, stride);
    const Mask cover = seglib::alpha(read_mask(env, mask, mask_height, mask_width), photo);
    const std::uint8_t color[3] = {static_cast<std::uint8_t>(red), static_cast<std::uint8_t>(green),
                                   static_cast<std::uint8_t>(blue)};
    write_rgba(env, seglib::recolour_hair(photo, cover, color), frame);
  });
}

}  // extern "C"
