// Runs image operations for scripts/check_images.py: one JSON request a line on standard input, one JSON answer a line
// on standard output. Results are told by their SHA-256.
//   {"op": "decode", "path": FILE}
//   {"op": "resize", "path": RAW, "shape": [h, w] or [h, w, 3], "to": [h, w], "filter": 0-5, "order": 0 or 1, "isa":
//   NAME}
//   {"op": "process", "path": FILE, "config": TEXT, "last": bool, "isa": NAME}
//   {"op": "array", "path": RAW, "shape": [3 numbers], "dtype": "u8" "f32" "f64", "first": bool, "config": ..., "last":
//   ..., "isa": ...}
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "core/cpu_info.h"
#include "core/error.h"
#include "core/sha256.h"
#include "models/image_processor.h"

namespace {

using namespace tw;
using nlohmann::json;

ResizeFunctions functions_of(const std::string& isa) {
  const CpuInfo cpu = query_cpu();
  if (isa == "avx512" && cpu.avx512) return {resize_horizontal_u8_avx512, resize_vertical_u8_avx512};
  if (isa == "avx2" && cpu.avx2) return {resize_horizontal_u8_avx2, resize_vertical_u8_avx2};
  if (isa == "reference") return {resize_horizontal_u8_reference, resize_vertical_u8_reference};
  throw Error(ErrorCode::unsupported, {.field = "isa", .found = isa});
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

json decode(const json& request) {
  const Image image = read_image(request.at("path").get<std::string>());
  return {{"shape", {image.height, image.width, 3}}, {"mode", name(image.source_mode)}, {"sha", tw::sha256(image.rgb)}};
}

json resize(const json& request, Resizer& resizer) {
  const std::string raw = read_file(request.at("path"));
  const std::vector<int32_t> shape = request.at("shape"), to = request.at("to");
  const int32_t channels = shape.size() == 3 ? shape[2] : 1;
  std::vector<uint8_t> out(static_cast<size_t>(to[0]) * static_cast<size_t>(to[1]) * static_cast<size_t>(channels));
  const ResizeSource source = {reinterpret_cast<const uint8_t*>(raw.data()), int64_t{shape[1]} * channels, shape[0],
                               shape[1], channels};
  resizer.resize(functions_of(request.at("isa")), static_cast<ResizeFilter>(request.at("filter").get<int>()),
                 static_cast<ResizeOrder>(request.at("order").get<int>()), source, out.data(), to[0], to[1]);
  return {{"sha", tw::sha256(out)}};
}

json described(const PixelValues& values) {
  const bool first = values.layout == ChannelLayout::channels_first;
  json shape =
      first ? json{values.channels, values.height, values.width} : json{values.height, values.width, values.channels};
  return {{"shape", shape}, {"dtype", name(values.dtype)}, {"sha", tw::sha256(values.data)}};
}

ImageProcessor processor_of(const json& request) {
  ImageProcessorOptions options = parse_image_processor_config(request.at("config").get<std::string>(), "config");
  if (request.at("last").get<bool>()) options.data_format = ChannelLayout::channels_last;
  return ImageProcessor(options);
}

json process(const json& request, ImageScratch& scratch) {
  const Image image = read_image(request.at("path").get<std::string>());
  const ImageProcessor processor = processor_of(request);
  const ResizeFunctions functions = functions_of(request.at("isa"));
  const PixelValues values = processor.process(image, functions, scratch);
  json answer = described(values);
  if (values.dtype == DType::f32) {  // the path through bytes and the table must agree
    PreparedImage prepared;
    processor.prepare(image, functions, scratch, prepared);
    std::vector<float> out(prepared.rgb.size());
    processor.write_values(prepared, out);
    answer["table_sha"] = tw::sha256(out);
  }
  return answer;
}

json process_array(const json& request, ImageScratch& scratch) {
  const std::string raw = read_file(request.at("path")), dtype = request.at("dtype");
  const std::vector<int32_t> shape = request.at("shape");
  const bool first = request.at("first");
  PixelArray array = {.data = std::as_bytes(std::span(raw)),
                      .layout = first ? ChannelLayout::channels_first : ChannelLayout::channels_last};
  array.dtype = dtype == "u8" ? DType::u8 : dtype == "f32" ? DType::f32 : DType::f64;
  array.height = shape[first ? 1 : 0];
  array.width = shape[first ? 2 : 1];
  array.channels = shape[first ? 0 : 2];
  return described(processor_of(request).process(array, functions_of(request.at("isa")), scratch));
}

}  // namespace

int main() {
  ImageScratch scratch;
  for (std::string line; std::getline(std::cin, line);) {
    json answer;
    try {
      const json request = json::parse(line);
      const std::string op = request.at("op");
      if (op == "decode") answer = decode(request);
      if (op == "resize") answer = resize(request, scratch.resizer);
      if (op == "process") answer = process(request, scratch);
      if (op == "array") answer = process_array(request, scratch);
    } catch (const Error& error) {
      answer = {{"error", name(error.code())}, {"message", error.what()}};
    } catch (const std::exception& error) {
      answer = {{"error", "exception"}, {"message", error.what()}};
    }
    std::cout << answer.dump() << "\n";
  }
}
