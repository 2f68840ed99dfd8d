// A photo, a video file or a camera, over OpenCV. OpenCV reads, writes and shows; its BGR ends at
// the two functions below, and the core sees RGB.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <vector>

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#ifdef SEGLIB_HAS_WINDOW
#include <opencv2/highgui.hpp>
#endif

#include "options.h"

namespace {

constexpr seglib::Dialect kDialect = {
    "segment",
    "segment --model FILE.tflite (--image FILE | --video FILE | --camera NUMBER) [options]\n"
    "\n"
    "  --output FILE            where the result goes; without it a window shows it (q closes)\n"
    "  --background blur|FILE   what becomes of the background [blur]\n"
    "  --color R G B            dye what the network finds, for networks that find hair\n"
    "  --frames NUMBER          stop after so many frames\n"
    "  --litert FILE            libLiteRt.so of the Python package ai-edge-litert\n",
    true, false};

using Clock = std::chrono::steady_clock;

seglib::Image from_opencv(const cv::Mat& bgr) {
  seglib::Image image(bgr.rows, bgr.cols, 3);
  // A Mat over our own bytes: it does not own them and ends with this function.
  cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.data.data());
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return image;
}

cv::Mat to_opencv(seglib::Image& image) {
  cv::Mat bgr;
  cv::cvtColor(cv::Mat(image.height, image.width, CV_8UC3, image.data.data()), bgr,
               cv::COLOR_RGB2BGR);
  return bgr;
}

seglib::Image read_picture(const std::string& path) {
  const cv::Mat bgr = cv::imread(path, cv::IMREAD_COLOR);
  if (bgr.empty()) {
    throw seglib::Error("cannot read a picture from " + path + "; give a JPEG or PNG file");
  }
  return from_opencv(bgr);
}

// Results go to a second name first, so that a broken run leaves what stood there.
class Target {
 public:
  explicit Target(const std::string& path) : path_(path) {
    const std::filesystem::path whole(path);
    part_ = (whole.parent_path() / (".part-" + whole.filename().string())).string();
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() {
    std::error_code ignored;
    std::filesystem::remove(part_, ignored);
  }
  const std::string& part() const { return part_; }
  void keep() const {
    std::error_code failed;
    std::filesystem::rename(part_, path_, failed);
    if (failed) fail();
  }
  [[noreturn]] void fail() const {
    throw seglib::Error("cannot write " + path_ + "; choose another place or another suffix");
  }

 private:
  std::string path_, part_;
};

bool show([[maybe_unused]] const cv::Mat& bgr, [[maybe_unused]] int wait) {
#ifdef SEGLIB_HAS_WINDOW
  cv::imshow("segment", bgr);
  const int key = cv::waitKey(wait);
  return key != 'q' && key != 27;
#else
  throw seglib::Error("this program was built without windows; give --output");
#endif
}

double milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

void run_image(seglib::Segmenter& segment, const seglib::Image& scene,
               const seglib::Options& options) {
  const seglib::Image photo = read_picture(options.image);
  seglib::Image frame = seglib::finish(photo, segment(photo), scene, options);
  if (options.output.empty()) {
    show(to_opencv(frame), 0);
    return;
  }
  const Target target(options.output);
  bool written = false;
  try {
    written = cv::imwrite(target.part(), to_opencv(frame));
  } catch (const cv::Exception&) {  // an unknown suffix
  }
  if (!written) target.fail();
  target.keep();
}

void run_video(seglib::Segmenter& segment, const seglib::Image& scene,
               const seglib::Options& options) {
  cv::VideoCapture source;
  const bool camera = !options.camera.empty();
  const std::string name = camera ? "camera " + options.camera : options.video;
  if (camera ? !source.open(std::stoi(options.camera)) : !source.open(options.video)) {
    throw seglib::Error("cannot open " + name + "; check the " +
                        (camera ? "number and that no other program uses it" : "file"));
  }
  cv::VideoWriter writer;
  const Target target(options.output.empty() ? "unused" : options.output);
  std::vector<double> networks, finishes;
  cv::Mat bgr;
  cv::Size size;
  while ((options.frames == 0 || static_cast<int>(networks.size()) < options.frames) &&
         source.read(bgr)) {
    const seglib::Image photo = from_opencv(bgr);
    const auto started = Clock::now();
    const seglib::Mask mask = segment(photo);
    networks.push_back(milliseconds(started));
    const auto masked = Clock::now();
    seglib::Image frame = seglib::finish(photo, mask, scene, options);
    finishes.push_back(milliseconds(masked));
    if (options.output.empty()) {
      if (!show(to_opencv(frame), 1)) break;
      continue;
    }
    if (!writer.isOpened()) {
      const double rate = source.get(cv::CAP_PROP_FPS);
      size = bgr.size();
      const int codec = cv::VideoWriter::fourcc('m', 'p', '4', 'v');
      if (!writer.open(target.part(), codec, rate > 1 ? rate : 25, size)) target.fail();
    }
    cv::Mat result = to_opencv(frame);
    // A video has one size; a camera that is turned may change its own.
    if (result.size() != size) cv::resize(result, result, size, 0, 0, cv::INTER_AREA);
    writer.write(result);
  }
  if (networks.empty()) throw seglib::Error(name + " gave no frame; check it in another program");
  writer.release();
  if (!options.output.empty()) target.keep();
  std::printf("%zu frames, median %.1f ms for the mask and %.1f ms for the frame\n",
              networks.size(), median(networks), median(finishes));
}

int program(int count, char** words) {
  const auto options = seglib::parse(count, words, kDialect);
  if (!options) return 0;
  const bool replaced = options->background != "blur";
  for (const std::string& read : {options->image, options->video, options->model}) {
    seglib::keep(options->output, read);
  }
  if (replaced) seglib::keep(options->output, options->background);
  seglib::Segmenter segment(options->model, options->library);
  const seglib::Image scene = replaced ? read_picture(options->background) : seglib::Image();
  if (options->image.empty()) {
    run_video(segment, scene, *options);
  } else {
    run_image(segment, scene, *options);
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  return seglib::guarded(kDialect.name, program, count, words);
}
