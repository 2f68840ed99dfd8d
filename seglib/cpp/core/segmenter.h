// The one class: a `.tflite` file that is called with a photo and returns a mask.
#pragma once

#include <memory>
#include <string>

#include "metadata.h"
#include "picture.h"

namespace seglib {

// Loads a model that seglib exported and runs it with LiteRT on the CPU.
//
//   seglib::Segmenter segment("portrait.tflite", "/path/to/libLiteRt.so");
//   seglib::Mask mask = segment(photo);
//   seglib::Image frame = seglib::blur_background(photo, seglib::alpha(mask, photo), 18);
//
// It owns everything LiteRT made for it and frees it in its destructor. It can be moved, not
// copied. One thread at a time may call it.
class Segmenter {
 public:
  // Throws Error where the model or the library cannot be used.
  Segmenter(const std::string& model, const std::string& library);
  ~Segmenter();
  Segmenter(Segmenter&&) noexcept;
  Segmenter& operator=(Segmenter&&) noexcept;

  // The mask of a photo of any size, at the network's own output size, 0 to 1; what
  // seglib.Segmenter.raw returns in Python.
  Mask operator()(const Image& photo);

  const Metadata& metadata() const;
  int input_height() const;
  int input_width() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace seglib
