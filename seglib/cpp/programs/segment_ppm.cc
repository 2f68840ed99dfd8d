// One photo, without OpenCV: PPM in, PPM out. What the tests run, and all a server needs.
#include <cstdio>

#include "netpbm.h"
#include "options.h"

namespace {

constexpr seglib::Dialect kDialect = {
    "segment_ppm",
    "segment_ppm --model FILE.tflite --image IN.ppm --output OUT.ppm [options]\n"
    "\n"
    "  --background blur|SCENE.ppm  what becomes of the background [blur]\n"
    "  --color R G B                dye what the network finds, for networks that find hair\n"
    "  --litert FILE                libLiteRt.so of the Python package ai-edge-litert\n"
    "  --mask IN.pfm                take this small mask in place of a network's\n"
    "  --save-mask OUT.pfm          write the network's own mask\n",
    false, true};

int program(int count, char** words) {
  const auto options = seglib::parse(count, words, kDialect);
  if (!options) return 0;
  if (options->output.empty() && options->save_mask.empty()) {
    throw seglib::Error("nothing would be written; give --output or --save-mask");
  }
  const bool replaced = options->background != "blur";
  for (const std::string& read : {options->image, options->model, options->mask}) {
    seglib::keep(options->output, read);
    seglib::keep(options->save_mask, read);
  }
  if (replaced) seglib::keep(options->output, options->background);
  const seglib::Image photo = seglib::read_ppm(options->image);
  const seglib::Image scene = replaced ? seglib::read_ppm(options->background) : seglib::Image();
  const seglib::Mask mask = options->mask.empty()
                                ? seglib::Segmenter(options->model, options->library)(photo)
                                : seglib::read_pfm(options->mask);
  if (!options->save_mask.empty()) seglib::write_pfm(options->save_mask, mask);
  if (!options->output.empty()) {
    seglib::write_ppm(options->output, seglib::finish(photo, mask, scene, *options));
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  return seglib::guarded(kDialect.name, program, count, words);
}
