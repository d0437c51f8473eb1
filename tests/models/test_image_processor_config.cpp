// preprocessor_config.json and the checks of options.
#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "models/image_processor.h"
#include "tests/support/expect_error.h"
#include "tests/support/temp_dir.h"

namespace tw {
namespace {

ImageProcessorOptions parsed(const std::string& text) { return parse_image_processor_config(text, "p.json"); }

// The published preprocessor_config.json of the base model.
ImageProcessorOptions published() {
  return parsed(R"({"crop_size": {"height": 224, "width": 224}, "do_center_crop": false, "do_convert_rgb": true,
    "do_normalize": true, "do_rescale": true, "do_resize": true, "feature_extractor_type": "ChineseCLIPFeatureExtractor",
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_processor_type": "ChineseCLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "rescale_factor": 0.00392156862745098,
    "size": {"height": 224, "width": 224}})");
}

TEST_CASE("image processor: configuration files", "[image]") {
  const ImageProcessorOptions defaults = parsed("{}");
  CHECK(defaults.do_resize);
  CHECK(defaults.size.shortest_edge == 224);
  CHECK(defaults.do_center_crop);
  CHECK(defaults.crop_size == ImageExtent{224, 224});
  CHECK(defaults.resample == ResizeFilter::bicubic);
  CHECK(defaults.rescale_factor == 1.0 / 255.0);
  CHECK(defaults.image_mean == std::vector{0.48145466, 0.4578275, 0.40821073});

  const ImageProcessorOptions base = published();
  CHECK(base.size.height == 224);
  CHECK(base.size.width == 224);
  CHECK(base.size.shortest_edge == 0);
  CHECK_FALSE(base.do_center_crop);

  CHECK(parsed(R"({"size": 336})").size.shortest_edge == 336);
  CHECK(parsed(R"({"size": [200, 100]})").size.height == 200);
  CHECK(parsed(R"({"size": {"shortest_edge": 5, "longest_edge": 9}})").size.longest_edge == 9);
  CHECK(parsed(R"({"crop_size": 8})").crop_size == ImageExtent{8, 8});
  CHECK(parsed(R"({"crop_size": [8, 9]})").crop_size == ImageExtent{8, 9});
  CHECK(parsed(R"({"size": null, "crop_size": null, "image_mean": null})").size.shortest_edge == 224);
  CHECK_FALSE(parsed(R"({"do_resize": null})").do_resize);
  CHECK(parsed(R"({"resample": null})").resample == ResizeFilter::bilinear);
  CHECK(parsed(R"({"resample": 1, "unknown": [1]})").resample == ResizeFilter::lanczos);
  CHECK(parsed(R"({"image_mean": 0.5, "image_std": [1, 2, 3]})").image_mean == std::vector{0.5});
  CHECK_FALSE(parsed(R"({"do_rescale": false, "rescale_factor": null})").do_rescale);
  for (const char* type :
       {"ChineseCLIPImageProcessor", "ChineseCLIPFeatureExtractor", "ChineseCLIPImageProcessorFast"}) {
    parsed(std::string(R"({"feature_extractor_type": ")") + type + "\"}");
  }
}

TEST_CASE("image processor: configuration files that are refused", "[image]") {
  const auto refuses = [](const std::string& text, ErrorCode code, const char* part) {
    CAPTURE(text);
    test::expect_error(
        code, [&] { parsed(text); }, "p.json", part);
  };
  refuses("[]", ErrorCode::malformed, "");
  refuses("{", ErrorCode::malformed, "");
  refuses(R"({"image_processor_type": "CLIPImageProcessor"})", ErrorCode::unsupported, "image_processor_type");
  refuses(R"({"feature_extractor_type": 3})", ErrorCode::unsupported, "feature_extractor_type");
  refuses(R"({"do_resize": 1})", ErrorCode::malformed, "do_resize");
  refuses(R"({"size": {"height": 224}})", ErrorCode::malformed, "size");
  refuses(R"({"size": {"height": 224, "width": 224, "shortest_edge": 3}})", ErrorCode::malformed, "size");
  refuses(R"({"size": {"longest_edge": 224}})", ErrorCode::malformed, "size");
  refuses(R"({"size": {"height": 224.0, "width": 224}})", ErrorCode::malformed, "size.height");
  refuses(R"({"size": {"height": 0, "width": 224}})", ErrorCode::malformed, "size.height");
  refuses(R"({"size": {"height": -5, "width": 224}})", ErrorCode::malformed, "size.height");
  refuses(R"({"size": {"height": 224, "width": 99999}})", ErrorCode::limit_exceeded, "size.width");
  refuses(R"({"size": 18446744073709551615})", ErrorCode::limit_exceeded, "size");
  refuses(R"({"size": "224"})", ErrorCode::malformed, "size");
  refuses(R"({"size": {"shortest_edge": 9, "longest_edge": 9}})", ErrorCode::malformed, "size.longest_edge");
  refuses(R"({"crop_size": {"shortest_edge": 9}})", ErrorCode::malformed, "crop_size");
  refuses(R"({"crop_size": [1, 2, 3]})", ErrorCode::malformed, "crop_size");
  refuses(R"({"resample": 6})", ErrorCode::malformed, "resample");
  refuses(R"({"resample": -1})", ErrorCode::malformed, "resample");
  refuses(R"({"resample": "bicubic"})", ErrorCode::malformed, "resample");
  refuses(R"({"rescale_factor": null})", ErrorCode::malformed, "rescale_factor");
  refuses(R"({"rescale_factor": "1/255"})", ErrorCode::malformed, "rescale_factor");
  refuses(R"({"image_mean": [1, 2]})", ErrorCode::malformed, "image_mean");
  refuses(R"({"image_std": [1, 2, "x"]})", ErrorCode::malformed, "image_std");
}

TEST_CASE("image processor: options that cannot be", "[image]") {
  const auto refuses = [](auto change, const char* field) {
    ImageProcessorOptions options = published();
    change(options);
    CAPTURE(field);
    test::expect_error(
        ErrorCode::invalid_argument, [&] { ImageProcessor{options}; }, field);
  };
  refuses([](auto& o) { o.size = {}; }, "size.height");
  refuses([](auto& o) { o.size.shortest_edge = 3; }, "size");
  refuses([](auto& o) { o.size = {.shortest_edge = 3, .longest_edge = 3}; }, "size.longest_edge");
  refuses([](auto& o) { o.size.longest_edge = 300; }, "size.longest_edge");
  refuses([](auto& o) { o.do_center_crop = true, o.crop_size.width = -1; }, "crop_size.width");
  refuses([](auto& o) { o.resample = static_cast<ResizeFilter>(6); }, "resample");
  refuses([](auto& o) { o.rescale_factor = std::numeric_limits<double>::infinity(); }, "rescale_factor");
  refuses([](auto& o) { o.image_std = {}; }, "image_std");
  refuses([](auto& o) { o.image_mean[1] = std::numeric_limits<double>::quiet_NaN(); }, "image_mean");
}

TEST_CASE("image processor: a model directory's file", "[image]") {
  const test::TempDir folder;
  test::expect_error(
      ErrorCode::io_error, [&] { ImageProcessor::from_directory(folder.path()); }, "preprocessor_config.json");
  folder.write("preprocessor_config.json", R"({"size": {"height": 30, "width": 20}, "do_center_crop": false})");
  CHECK(ImageProcessor::from_directory(folder.path()).output_extent(7, 9) == ImageExtent{30, 20});
}

}  // namespace
}  // namespace tw
