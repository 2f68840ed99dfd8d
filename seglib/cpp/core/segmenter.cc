#include "segmenter.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "litert_api.h"
#include "resize.h"

namespace seglib {

using litert::Api;
using litert::Handle;
using litert::TensorType;

namespace {

constexpr float kSlack = 0.05f;  // rounding in float16 files; logits are far outside

// The version of the Python package that the library lies in; empty where it lies elsewhere.
std::string package_version(const std::string& library) {
  namespace fs = std::filesystem;
  const std::string prefix = "ai_edge_litert-", suffix = ".dist-info";
  std::error_code ignored;
  const fs::path around = fs::path(library).parent_path().parent_path();
  for (const auto& entry : fs::directory_iterator(around, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.size() <= prefix.size() + suffix.size()) continue;
    const std::size_t end = name.size() - suffix.size();
    if (name.compare(0, prefix.size(), prefix) == 0 &&
        name.compare(end, suffix.size(), suffix) == 0) {
      return name.substr(prefix.size(), end - prefix.size());
    }
  }
  return "";
}

// The library stays loaded until the program ends: LiteRT's threads may outlive a model.
Api load_api(const std::string& library) {
  const std::string version = package_version(library);
  if (!version.empty() && version.compare(0, 4, "2.3.") != 0) {
    throw Error(library + " is LiteRT " + version +
                ", whose C functions may differ; install ai-edge-litert 2.3");
  }
  void* opened = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!opened) {
    throw Error("cannot load LiteRT from " + library +
                "; give the libLiteRt.so of the Python package ai-edge-litert 2.3");
  }
  Api api;
  const auto find = [&](auto& function, const char* name) {
    void* symbol = dlsym(opened, name);
    if (!symbol) {
      throw Error(library + " has no function " + name +
                  ", so it is not LiteRT 2.3; install ai-edge-litert 2.3");
    }
    std::memcpy(&function, &symbol, sizeof symbol);
  };
#define SEGLIB_FIND(result, name, ...) find(api.name, #name);
  SEGLIB_LITERT_FUNCTIONS(SEGLIB_FIND)
#undef SEGLIB_FIND
  // Not called; it is new in 2.3 and so tells that version from the ones before.
  void (*marker)() = nullptr;
  find(marker, "LiteRtCompiledModelIsNonCpuFullyAccelerated");
  return api;
}

std::size_t count(const TensorType& type) {
  std::size_t values = 1;
  for (unsigned i = 0; i < type.rank; ++i) {
    values *= static_cast<std::size_t>(std::max(type.dimensions[i], 0));
  }
  return values;
}

}  // namespace

struct Segmenter::Parts {
  // The file is looked at first, so that a missing model is called missing whatever the library.
  Parts(const std::string& model_path, const std::string& library)
      : path(model_path), metadata(read_metadata(model_path)), api(load_api(library)) {}
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  ~Parts() {
    // In the reverse of the order in which they were made; what was not made is null.
    if (output) api.LiteRtDestroyTensorBuffer(output);
    if (input) api.LiteRtDestroyTensorBuffer(input);
    if (compiled) api.LiteRtDestroyCompiledModel(compiled);
    if (options) api.LiteRtDestroyOptions(options);
    if (model) api.LiteRtDestroyModel(model);
    if (environment) api.LiteRtDestroyEnvironment(environment);
  }

  void check(litert::Status status, const char* what) const {
    if (status != 0) {
      throw Error(path + " " + what + " (LiteRT's status " + std::to_string(status) +
                  "); copy or export it again");
    }
  }

  void load();
  Handle buffer(Handle tensor, bool is_input, TensorType& type);
  Mask run(const Image& photo);

  std::string path;
  Metadata metadata;
  Api api;
  Handle environment = nullptr, model = nullptr, options = nullptr, compiled = nullptr;
  Handle input = nullptr, output = nullptr;
  int height = 0, width = 0, out_height = 0, out_width = 0;
};

void Segmenter::Parts::load() {
  // No other accelerators are looked for, and what LiteRT has to tell beside errors stays untold.
  const litert::EnvironmentOption wishes[] = {
      {litert::kAutoRegister, 0, litert::kInteger, litert::kCpu},
      {litert::kLeastSeverity, 0, litert::kInteger, litert::kErrors}};
  check(api.LiteRtCreateEnvironment(2, wishes, &environment), "finds no LiteRT environment");
  check(api.LiteRtCreateModelFromFile(environment, path.c_str(), &model),
        "is damaged or not for LiteRT");
  check(api.LiteRtCreateOptions(&options), "cannot be given options");
  check(api.LiteRtSetOptionsHardwareAccelerators(options, litert::kCpu), "cannot run on the CPU");
  check(api.LiteRtCreateCompiledModel(environment, model, options, &compiled),
        "is damaged or not for LiteRT");
  std::size_t signatures = 0, inputs = 0, outputs = 0;
  Handle signature = nullptr, in = nullptr, out = nullptr;
  check(api.LiteRtGetNumModelSignatures(model, &signatures), "has no signature");
  if (signatures < 1) throw Error(path + " has no signature; export the model again");
  check(api.LiteRtGetModelSignature(model, 0, &signature), "has no signature");
  check(api.LiteRtGetNumSignatureInputs(signature, &inputs), "has no inputs");
  check(api.LiteRtGetNumSignatureOutputs(signature, &outputs), "has no outputs");
  if (inputs != 1 || outputs != 1) {
    throw Error(path + " has " + std::to_string(inputs) + " inputs and " +
                std::to_string(outputs) + " outputs; one of each is expected");
  }
  check(api.LiteRtGetSignatureInputTensorByIndex(signature, 0, &in), "has no input");
  check(api.LiteRtGetSignatureOutputTensorByIndex(signature, 0, &out), "has no output");
  TensorType from{}, to{};
  input = buffer(in, true, from);
  output = buffer(out, false, to);
  if (from.rank != 4 || from.dimensions[0] != 1 || from.dimensions[3] != 3 || count(from) == 0) {
    throw Error(path + " has an input that is no RGB picture of 1 x height x width x 3");
  }
  height = from.dimensions[1];
  width = from.dimensions[2];
  // Flat output is told its shape by the metadata; row by row all layouts of one channel agree.
  const bool map = to.rank >= 3;
  out_height = metadata.output_height ? metadata.output_height : map ? to.dimensions[1] : height;
  out_width = metadata.output_width ? metadata.output_width : map ? to.dimensions[2] : width;
  if (count(to) != static_cast<std::size_t>(out_height) * out_width) {
    throw Error(path + " has an output that is no mask of one channel; export it again");
  }
}

Handle Segmenter::Parts::buffer(Handle tensor, bool is_input, TensorType& type) {
  check(api.LiteRtGetRankedTensorType(tensor, &type), "has a tensor without a shape");
  if (type.element_type != litert::kFloat32 || type.rank > 8) {
    throw Error(path + " does not read and give float32; export it with a float input and output");
  }
  Handle requirements = nullptr, made = nullptr;
  const auto ask = is_input ? api.LiteRtGetCompiledModelInputBufferRequirements
                            : api.LiteRtGetCompiledModelOutputBufferRequirements;
  check(ask(compiled, 0, 0, &requirements), "gets no buffer");
  check(api.LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, requirements,
                                                            &made),
        "gets no buffer");
  return made;
}

Mask Segmenter::Parts::run(const Image& photo) {
  check_image(photo, "photo");
  const Image small = resize(photo, height, width);
  const float step = (metadata.high - metadata.low) / 255;
  void* memory = nullptr;
  check(api.LiteRtLockTensorBuffer(input, &memory, litert::kWrite), "cannot be fed");
  float* values = static_cast<float*>(memory);
  for (std::uint8_t level : small.data) *values++ = metadata.low + level * step;
  check(api.LiteRtUnlockTensorBuffer(input), "cannot be fed");
  check(api.LiteRtRunCompiledModel(compiled, 0, 1, &input, 1, &output), "fails while running");
  Mask mask(out_height, out_width, 1);
  check(api.LiteRtLockTensorBuffer(output, &memory, litert::kRead), "gives nothing back");
  std::memcpy(mask.data.data(), memory, mask.data.size() * sizeof(float));
  check(api.LiteRtUnlockTensorBuffer(output), "gives nothing back");
  for (float& value : mask.data) {
    if (!(value >= -kSlack && value <= 1 + kSlack)) {
      throw Error(path + " gives values outside 0 to 1; export it with probabilities");
    }
    value = std::clamp(value, 0.0f, 1.0f);
  }
  return mask;
}

Segmenter::Segmenter(const std::string& model, const std::string& library)
    : parts_(std::make_unique<Parts>(model, library)) {
  parts_->load();
}

Segmenter::~Segmenter() = default;
Segmenter::Segmenter(Segmenter&&) noexcept = default;
Segmenter& Segmenter::operator=(Segmenter&&) noexcept = default;

Mask Segmenter::operator()(const Image& photo) { return parts_->run(photo); }
const Metadata& Segmenter::metadata() const { return parts_->metadata; }
int Segmenter::input_height() const { return parts_->height; }
int Segmenter::input_width() const { return parts_->width; }

}  // namespace seglib
