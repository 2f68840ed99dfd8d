// LiteRT's C functions that the core calls, declared here because the Python wheel that brings
// libLiteRt.so brings no headers. They are LiteRT 2.3's; in 2.2 the environment was not yet the
// first argument of LiteRtCreateModelFromFile. The functions are looked up when the program runs,
// so a library of another version is refused with a sentence in place of a crash.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seglib::litert {

using Status = int;  // 0 is success
using Handle = void*;

constexpr int kCpu = 1;                 // LiteRtHwAccelerators
constexpr int kFloat32 = 1;             // LiteRtElementType
constexpr int kRead = 0, kWrite = 1;    // LiteRtTensorBufferLockMode

// LiteRtEnvOption with an integer in its LiteRtAny.
struct EnvironmentOption {
  int tag, padding, type;
  std::int64_t value;
};
constexpr int kAutoRegister = 24;   // kLiteRtEnvOptionTagAutoRegisterAccelerators
constexpr int kLeastSeverity = 25;  // kLiteRtEnvOptionTagMinLoggerSeverity
constexpr int kErrors = 3;          // LiteRtLogSeverity
constexpr int kInteger = 2;         // kLiteRtAnyTypeInt

// LiteRtRankedTensorType: the element type, then LiteRtLayout.
struct TensorType {
  int element_type;
  unsigned int rank : 7;
  bool has_strides : 1;
  std::int32_t dimensions[8];
  std::uint32_t strides[8];
};

// Each entry is a member of Api and a symbol of the library.
#define SEGLIB_LITERT_FUNCTIONS(F)                                                              \
  F(Status, LiteRtCreateEnvironment, int count, const EnvironmentOption* options,                 \
    Handle* environment)                                                                        \
  F(Status, LiteRtCreateModelFromFile, Handle environment, const char* path, Handle* model)     \
  F(Status, LiteRtCreateOptions, Handle* options)                                               \
  F(Status, LiteRtSetOptionsHardwareAccelerators, Handle options, int accelerators)             \
  F(Status, LiteRtCreateCompiledModel, Handle environment, Handle model, Handle options,        \
    Handle* compiled)                                                                           \
  F(Status, LiteRtGetNumModelSignatures, Handle model, std::size_t* count)                      \
  F(Status, LiteRtGetModelSignature, Handle model, std::size_t index, Handle* signature)        \
  F(Status, LiteRtGetNumSignatureInputs, Handle signature, std::size_t* count)                  \
  F(Status, LiteRtGetNumSignatureOutputs, Handle signature, std::size_t* count)                 \
  F(Status, LiteRtGetSignatureInputTensorByIndex, Handle signature, std::size_t i, Handle* t)   \
  F(Status, LiteRtGetSignatureOutputTensorByIndex, Handle signature, std::size_t i, Handle* t)  \
  F(Status, LiteRtGetRankedTensorType, Handle tensor, TensorType* type)                         \
  F(Status, LiteRtGetCompiledModelInputBufferRequirements, Handle compiled, std::size_t s,      \
    std::size_t i, Handle* requirements)                                                        \
  F(Status, LiteRtGetCompiledModelOutputBufferRequirements, Handle compiled, std::size_t s,     \
    std::size_t i, Handle* requirements)                                                        \
  F(Status, LiteRtCreateManagedTensorBufferFromRequirements, Handle environment,                \
    const TensorType* type, Handle requirements, Handle* buffer)                                \
  F(Status, LiteRtLockTensorBuffer, Handle buffer, void** memory, int mode)                     \
  F(Status, LiteRtUnlockTensorBuffer, Handle buffer)                                            \
  F(Status, LiteRtRunCompiledModel, Handle compiled, std::size_t signature,                     \
    std::size_t inputs, Handle* in, std::size_t outputs, Handle* out)                           \
  F(void, LiteRtDestroyTensorBuffer, Handle buffer)                                             \
  F(void, LiteRtDestroyCompiledModel, Handle compiled)                                          \
  F(void, LiteRtDestroyOptions, Handle options)                                                 \
  F(void, LiteRtDestroyModel, Handle model)                                                     \
  F(void, LiteRtDestroyEnvironment, Handle environment)

struct Api {
#define SEGLIB_MEMBER(result, name, ...) result (*name)(__VA_ARGS__) = nullptr;
  SEGLIB_LITERT_FUNCTIONS(SEGLIB_MEMBER)
#undef SEGLIB_MEMBER
};

}  // namespace seglib::litert
