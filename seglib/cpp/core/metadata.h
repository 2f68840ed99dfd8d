// What a model file says about itself: `seglib.json` in the zip archive behind the `.tflite`.
#pragma once

#include <string>
#include <vector>

namespace seglib {

struct Metadata {
  std::string name;
  int output_height = 0, output_width = 0;  // 0 where the file names none
  float low = 0, high = 255;                // what black and white are to the model
  std::vector<std::string> labels;          // a name for each output channel
};

// Reads the metadata of a model that seglib exported, with a look at the file's identifier first.
// Throws Error where the file is missing, no TFLite model, cut short, or carries no metadata: there
// is no telling then which range of values the network was trained on, and a wrong one costs
// accuracy without a word.
Metadata read_metadata(const std::string& path);

}  // namespace seglib
