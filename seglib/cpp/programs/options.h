// What the two programs share: their command line, the finishing of a frame, their exit codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "effects.h"
#include "segmenter.h"

namespace seglib {

struct Options {
  std::string model, library, image, video, camera, output, background = "blur";
  std::string mask, save_mask;  // PFM files, for tests and for looking
  bool recolour = false;
  std::uint8_t color[3] = {255, 0, 0};
  int frames = 0;  // of a video or camera; 0 is all
};

// Which words a program knows besides those of both.
struct Dialect {
  const char* name;
  const char* help;
  bool video;  // --video, --camera, --frames
  bool masks;  // --mask, --save-mask
};

// Reads the command line. Nothing where help was asked for, and then it was printed.
std::optional<Options> parse(int count, char** words, const Dialect& dialect);

// The finished frame. `scene` is the new background, or empty where it is blurred.
Image finish(const Image& photo, const Mask& mask, const Image& scene, const Options& options);

// Refuses to write over a file that was read.
void keep(const std::string& output, const std::string& input);

// Calls the program and turns an Error into one line and exit code 2, others into 1.
int guarded(const char* name, int (*program)(int, char**), int count, char** words);

}  // namespace seglib
