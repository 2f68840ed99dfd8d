#include "options.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>

#ifndef SEGLIB_LITERT_LIBRARY
#define SEGLIB_LITERT_LIBRARY "libLiteRt.so"
#endif

namespace seglib {
namespace {

int whole(const std::string& text, const std::string& option, int most) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < 0 || value > most) {
    throw Error(option + " is '" + text + "'; give a whole number from 0 to " +
                std::to_string(most));
  }
  return static_cast<int>(value);
}

}  // namespace

std::optional<Options> parse(int count, char** words, const Dialect& dialect) {
  Options options;
  const char* from_environment = std::getenv("SEGLIB_LITERT");
  options.library = from_environment ? from_environment : SEGLIB_LITERT_LIBRARY;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto next = [&] {
      if (++i >= count) throw Error(word + " needs a value; see --help");
      return std::string(words[i]);
    };
    if (word == "--help" || word == "-h") {
      std::fputs(dialect.help, stdout);
      return std::nullopt;
    } else if (word == "--model") {
      options.model = next();
    } else if (word == "--litert") {
      options.library = next();
    } else if (word == "--image") {
      options.image = next();
    } else if (word == "--output") {
      options.output = next();
    } else if (word == "--background") {
      options.background = next();
    } else if (word == "--color") {
      options.recolour = true;
      for (std::uint8_t& part : options.color) {
        part = static_cast<std::uint8_t>(whole(next(), word, 255));
      }
    } else if (dialect.video && word == "--video") {
      options.video = next();
    } else if (dialect.video && word == "--camera") {
      options.camera = next();
      whole(options.camera, word, 99);
    } else if (dialect.video && word == "--frames") {
      options.frames = whole(next(), word, 1 << 30);
    } else if (dialect.masks && word == "--mask") {
      options.mask = next();
    } else if (dialect.masks && word == "--save-mask") {
      options.save_mask = next();
    } else {
      throw Error("there is no option " + word + "; see --help");
    }
  }
  const int sources = !options.image.empty() + !options.video.empty() + !options.camera.empty();
  if (sources != 1) {
    throw Error(dialect.video ? "give one of --image, --video and --camera; see --help"
                              : "give a photo with --image; see --help");
  }
  if (options.model.empty() == options.mask.empty()) {
    throw Error(dialect.masks ? "give either --model or --mask; see --help"
                              : "give a network with --model; see --help");
  }
  return options;
}

Image finish(const Image& photo, const Mask& mask, const Image& scene, const Options& options) {
  const Mask cover = alpha(mask, photo);
  if (options.recolour) return recolour_hair(photo, cover, options.color);
  if (!scene.data.empty()) return replace_background(photo, cover, scene);
  return blur_background(photo, cover, 0.025 * std::min(photo.height, photo.width));
}

void keep(const std::string& output, const std::string& input) {
  std::error_code ignored;
  if (!input.empty() && std::filesystem::equivalent(output, input, ignored)) {
    throw Error(output + " is a file that is read here; choose another name for the result");
  }
}

int guarded(const char* name, int (*program)(int, char**), int count, char** words) {
  try {
    return program(count, words);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: failed unexpectedly: %s\n", name, error.what());
    return 1;
  }
}

}  // namespace seglib
