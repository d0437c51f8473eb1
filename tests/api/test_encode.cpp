#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "tests/api/fixtures.h"
#include "tests/support/goldens.h"
#include "tests/support/temp_dir.h"

using namespace tuwen::test;

namespace {

const std::string kLong = "a a a a a a a a a a a a a a a a a a a a a a a a a";

double norm(std::span<const float> row) {
  double squares = 0;
  for (const float v : row) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

float largest_difference(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace

TEST_CASE("embeddings and logits are the reference's") {
  const tw::test::Goldens goldens(base_model() + "/goldens.safetensors");
  tuwen::Session session(model());
  const auto pixels = goldens.f32("pixel_values");
  tuwen::Matrix images(static_cast<size_t>(pixels.dim(0)), 20);
  session.encode_pixels(pixels.values, images.data);
  CHECK(largest_difference(images.data, goldens.f32("image.embeds").values) < 1e-5f);

  const auto ids = goldens.i64("input_ids"), mask = goldens.i64("attention_mask"),
             types = goldens.i64("token_type_ids");
  std::vector<int32_t> packed, packed_types;
  std::vector<int64_t> row_begin{0};
  for (int64_t r = 0; r < ids.dim(0); ++r) {
    for (int64_t t = 0; t < ids.dim(1); ++t) {
      const auto at = static_cast<size_t>(r * ids.dim(1) + t);
      if (mask.values[at] == 0) continue;
      packed.push_back(static_cast<int32_t>(ids.values[at]));
      packed_types.push_back(static_cast<int32_t>(types.values[at]));
    }
    row_begin.push_back(static_cast<int64_t>(packed.size()));
  }
  tuwen::Matrix texts(row_begin.size() - 1, 20);
  tuwen::check(tuwen_encode_tokens(session.get(), packed.data(), packed_types.data(), row_begin.data(), texts.rows,
                                   nullptr, texts.data.data()));
  CHECK(largest_difference(texts.data, goldens.f32("text.embeds").values) < 1e-5f);

  const tuwen::Matrix per_image = session.logits(images, texts);
  CHECK(largest_difference(per_image.data, goldens.f32("logits_per_image").values) < 1e-4f);
  tuwen::Matrix per_text(texts.rows, images.rows), both(images.rows, texts.rows);
  tuwen::check(tuwen_logits(session.get(), images.data.data(), images.rows, texts.data.data(), texts.rows,
                            both.data.data(), per_text.data.data()));
  CHECK(both.data == per_image.data);
  for (size_t i = 0; i < images.rows; ++i) {
    for (size_t t = 0; t < texts.rows; ++t) CHECK(per_text(t, i) == per_image(i, t));
  }
}

TEST_CASE("pictures go through the same numbers as their pixel values") {
  tuwen::Session session(model());
  const auto images = pictures(5);
  const tuwen::Matrix pixels = model().processor().preprocess(images);
  REQUIRE(pixels.columns == 3 * 18 * 18);
  tuwen::Matrix from_pixels(images.size(), 20);
  session.encode_pixels(pixels.data, from_pixels.data);
  CHECK(session.encode_images(images).data == from_pixels.data);
}

TEST_CASE("texts go through the same numbers as their token ids") {
  tuwen::Session session(model());
  const auto some = texts(20);
  const tuwen::Tokens tokens = model().processor().tokenize(some);
  const tuwen_tokens_view view = tokens.view();
  tuwen::Matrix from_ids(some.size(), 20);
  session.encode_tokens({view.ids, static_cast<size_t>(view.row_begin[view.rows])}, {view.row_begin, view.rows + 1},
                        from_ids.data);
  CHECK(session.encode_texts(some).data == from_ids.data);
}

TEST_CASE("an embedding has the same bits in any company, with any threads") {
  const auto images = pictures(7);
  const auto some = texts(40);
  tuwen::Session alone(model());
  std::vector<float> image_bits, text_bits;
  for (const auto& image : images) {
    const auto one = alone.encode_images({&image, 1});
    image_bits.insert(image_bits.end(), one.data.begin(), one.data.end());
  }
  for (const auto& text : some) {
    const auto one = alone.encode_texts({text});
    text_bits.insert(text_bits.end(), one.data.begin(), one.data.end());
  }
  for (const int threads : {1, 2, 3, 7}) {
    for (const tuwen_thread_source source : {TUWEN_THREADS_OWN, TUWEN_THREADS_OPENMP, TUWEN_THREADS_CALLER}) {
      auto options = tuwen::make<tuwen_session_options>();
      options.threads = threads;
      options.thread_source = source;
      options.max_rows = 32;  // several slices
      tuwen_session* probe = nullptr;
      if (tuwen_session_create(model().get(), &options, &probe) == TUWEN_UNSUPPORTED) continue;  // built without OpenMP
      tuwen_session_free(probe);
      tuwen::Session session(model(), &options);
      CHECK(session.encode_images(images).data == image_bits);
      CHECK(session.encode_texts(some).data == text_bits);
    }
  }
}

TEST_CASE("files of pictures give the same bits as the pictures, with any threads") {
  const std::string folder = TUWEN_TEST_DATA "/images/files/";
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path().string());
  std::ranges::sort(paths);
  std::vector<std::string> readable;
  std::vector<tuwen::Image> images;
  for (const std::string& path : paths) {
    if (status_of([&] { images.push_back(tuwen::Image::read(path)); }) == TUWEN_OK) readable.push_back(path);
  }
  REQUIRE(readable.size() > 33);  // more than are prepared at once
  const tuwen::ProcessorView processor = model().processor();
  auto steps = processor.preprocess_options();
  steps.threads = 1;
  const tuwen::Matrix pixels = processor.preprocess(images, &steps);
  tuwen::Session alone(model());
  tuwen::Matrix expected(images.size(), 20);
  alone.encode_pixels(pixels.data, expected.data);
  for (const int threads : {1, 2, 3, 7}) {
    steps.threads = threads;
    CHECK(processor.preprocess(images, &steps).data == pixels.data);
    auto options = tuwen::make<tuwen_session_options>();
    options.threads = threads;
    tuwen::Session session(model(), &options);
    CHECK(session.encode_images(images).data == expected.data);
    CHECK(session.encode_image_files(readable).data == expected.data);
  }
  CHECK(processor.preprocess(images).data == pixels.data);
  steps.threads = -1;
  CHECK(status_of([&] { processor.preprocess(images, &steps); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("of several bad pictures the first is reported, by its name") {
  const auto file_of = [](auto call) -> std::string {
    try {
      call();
    } catch (const tuwen::Error& error) {
      return error.file();
    }
    return "no error";
  };
  const tw::test::TempDir folder;
  const std::string good = TUWEN_TEST_DATA "/images/files/", broken = folder.write("broken.bmp", "BM").string();
  std::string some;
  for (const auto& entry : std::filesystem::directory_iterator(good)) {
    if (status_of([&] { tuwen::Image::read(entry.path().string()); }) == TUWEN_OK) some = entry.path().string();
  }
  std::vector<std::string> paths(50, some);
  paths[21] = "missing.png";
  paths[20] = broken;
  paths[45] = "too late.png";
  for (const int threads : {1, 2, 7}) {
    auto options = tuwen::make<tuwen_session_options>();
    options.threads = threads;
    tuwen::Session session(model(), &options);
    for (int repeat = 0; repeat < 5; ++repeat) CHECK(file_of([&] { session.encode_image_files(paths); }) == broken);
    CHECK(session.encode_image_files(std::span(paths).first(20)).rows == 20);  // as usable as before
    std::vector<const char*> names(3, some.c_str());
    names[1] = nullptr;
    float out[3 * 20];
    CHECK(tuwen_encode_image_files(session.get(), names.data(), 3, nullptr, nullptr, out) == TUWEN_INVALID_ARGUMENT);
    CHECK(tuwen_last_error()->field == std::string("paths[1]"));

    std::ifstream in(some, std::ios::binary);
    std::vector<std::string> files(3, std::string(std::istreambuf_iterator<char>(in), {}));
    CHECK(session.encode_image_buffers(files).data ==
          session.encode_image_files(std::vector<std::string>(3, some)).data);
    files[2] = "BM";
    CHECK(file_of([&] { session.encode_image_buffers(files); }) == "image[2]");
    const void* starts[] = {files[0].data(), nullptr};
    const size_t sizes[] = {files[0].size(), 5};
    CHECK(tuwen_encode_image_buffers(session.get(), starts, sizes, 2, nullptr, nullptr, out) == TUWEN_INVALID_ARGUMENT);
    CHECK(tuwen_last_error()->field == std::string("files[1]"));
  }

  std::vector<tuwen::Image> images = pictures(9);
  images[4] = picture(1, 2000, 1);  // its longer side would have 200,000 pixels
  images[5] = picture(1, 1, 2000);
  auto steps = model().processor().preprocess_options();
  steps.do_resize = steps.do_center_crop = 1;
  steps.resize_height = steps.resize_width = 0;
  steps.shortest_edge = 100;
  steps.crop_height = steps.crop_width = 18;
  std::vector<const tuwen_image*> handles;
  for (const tuwen::Image& image : images) handles.push_back(image.get());
  std::vector<float> values(9 * 3 * 18 * 18);
  for (const int threads : {1, 4}) {
    steps.threads = threads;
    CHECK(tuwen_preprocess(model().processor().get(), handles.data(), 9, &steps, values.data(), values.size()) ==
          TUWEN_LIMIT_EXCEEDED);
    CHECK(tuwen_last_error()->file == std::string("image[4]"));
  }
}

TEST_CASE("raw embeddings point the same way and have their own length") {
  tuwen::Session session(model());
  auto raw = tuwen::make<tuwen_encode_options>();
  raw.raw = 1;
  const auto images = pictures(2);
  const tuwen::Matrix unit = session.encode_images(images), features = session.encode_images(images, &raw);
  for (size_t r = 0; r < unit.rows; ++r) {
    CHECK(norm(unit.row(r)) == Approx(1.0).epsilon(1e-6));
    const double length = norm(features.row(r));
    CHECK(std::abs(length - 1.0) > 1e-3);
    for (size_t c = 0; c < unit.columns; ++c) {
      CHECK(features(r, c) / length == Approx(static_cast<double>(unit(r, c))).margin(1e-6));
    }
  }
}

TEST_CASE("texts too long for the position table") {
  tuwen::Session session(model());
  try {
    session.encode_texts({"a", kLong});
    FAIL("nothing was thrown");
  } catch (const tuwen::Error& error) {
    CHECK(error.status() == TUWEN_INVALID_ARGUMENT);
    CHECK(error.file() == "text[1]");
    CHECK(error.expected() == "at most 20 tokens");
    CHECK(error.found() == "27");
  }
  auto cut = tuwen::make<tuwen_encode_options>();
  cut.truncate = 1;
  auto tokenize = tuwen::make<tuwen_tokenize_options>();
  tokenize.max_length = 20;
  const tuwen::Tokens tokens = model().processor().tokenize({kLong}, &tokenize);
  REQUIRE(tokens.ids(0).size() == 20);
  tuwen::Matrix expected(1, 20);
  session.encode_tokens(tokens.ids(0), std::vector<int64_t>{0, 20}, expected.data);
  CHECK(session.encode_texts({kLong}, &cut).data == expected.data);
}

TEST_CASE("bad ids and shapes are errors, and the session works on") {
  tuwen::Session session(model());
  const tuwen::Matrix before = session.encode_texts({"a"});
  std::vector<float> out(20);
  const auto encode = [&](std::vector<int32_t> ids, std::vector<int64_t> row_begin) {
    return tuwen_encode_tokens(session.get(), ids.data(), nullptr, row_begin.data(), row_begin.size() - 1, nullptr,
                               out.data());
  };
  CHECK(encode({2, 64, 3}, {0, 3}) == TUWEN_INVALID_ARGUMENT);
  CHECK(encode({2, -1, 3}, {0, 3}) == TUWEN_INVALID_ARGUMENT);
  CHECK(encode({}, {0, 0}) == TUWEN_INVALID_ARGUMENT);
  const auto says = [](const char* field, const char* expected, const char* found) {
    const tuwen_error& error = *tuwen_last_error();
    CHECK(std::string(error.field) == field);
    CHECK(std::string(error.expected) == expected);
    CHECK(std::string(error.found) == found);
  };
  CHECK(encode({1, 2}, {1, 2}) == TUWEN_INVALID_ARGUMENT);
  says("row_begin[0]", "0", "1");
  CHECK(encode({1, 2}, {0, 3, 2}) == TUWEN_INVALID_ARGUMENT);
  says("row_begin[2]", "3 or more", "2");
  CHECK(encode({1, 2}, {0, -1}) == TUWEN_INVALID_ARGUMENT);
  says("row_begin[1]", "0 or more", "-1");
  const std::vector<float> pixels(3 * 18 * 18 - 1);
  CHECK(tuwen_encode_pixels(session.get(), pixels.data(), pixels.size(), 1, nullptr, out.data()) ==
        TUWEN_INVALID_ARGUMENT);
  CHECK(session.encode_texts({"a"}).data == before.data);
}

TEST_CASE("nothing in, nothing out") {
  tuwen::Session session(model());
  CHECK(session.encode_texts(std::vector<std::string>{}).rows == 0);
  CHECK(session.encode_images({}).rows == 0);
  CHECK(session.logits(tuwen::Matrix(0, 20), tuwen::Matrix(0, 20)).data.empty());
}

TEST_CASE("probabilities and loss") {
  tuwen::Matrix logits(2, 3);
  logits.data = {1, 2, 3, 1000, 0, -1000};
  const tuwen::Matrix p = tuwen::softmax(logits);
  CHECK(p(0, 0) == Approx(0.09003057f).epsilon(1e-6));
  CHECK(p(0, 2) == Approx(0.66524096f).epsilon(1e-6));
  CHECK(p(1, 0) == 1.0f);
  CHECK(p(1, 2) == 0.0f);
  tuwen::Matrix square(2, 2);
  square.data = {2, 0, 1, 3};
  // Cross-entropies of the rows: log(1 + e^-2), log(1 + e^-2); of the columns: log(1 + e^-1), log(1 + e^-3).
  const double expected =
      (2 * std::log1p(std::exp(-2.0)) + std::log1p(std::exp(-1.0)) + std::log1p(std::exp(-3.0))) / 4;
  CHECK(static_cast<double>(tuwen::contrastive_loss(square)) == Approx(expected).epsilon(1e-6));
}

TEST_CASE("intermediates by several prefixes, and by stars") {
  const auto captured = [](const std::string& prefixes) {
    tuwen::Session session(model());
    tuwen::Capture capture(prefixes);
    auto options = tuwen::make<tuwen_encode_options>();
    options.capture = capture.get();
    session.encode_texts({"a a"}, &options);
    std::vector<std::string> names;
    for (size_t i = 0; i < capture.size(); ++i) names.emplace_back(capture.at(i).name);
    return names;
  };
  using Names = std::vector<std::string>;
  CHECK(captured("text.layers.*.output") == Names{"text.layers.0.output", "text.layers.1.output"});
  CHECK(captured("text.layers.1.o  text.pooled ") == Names{"text.layers.1.output", "text.pooled"});
  CHECK(captured("*.layers.1.*t") == Names{"text.layers.1.attention", "text.layers.1.context", "text.layers.1.output"});
  CHECK(captured("*beds text.emb") == Names{"text.embeddings", "text.embeds"});
  CHECK(captured("*").size() == captured("").size());
  CHECK(captured("layers output text.layers.*.outputs").empty());
}

TEST_CASE("intermediates by name") {
  const tw::test::Goldens goldens(base_model() + "/goldens.safetensors");
  tuwen::Session session(model());
  const auto pixels = goldens.f32("pixel_values");
  const auto count = static_cast<size_t>(pixels.dim(0));
  tuwen::Capture all, layer("vision.layers.1.");
  auto options = tuwen::make<tuwen_encode_options>();
  tuwen::Matrix plain(count, 20), captured(count, 20);
  session.encode_pixels(pixels.values, plain.data);

  options.capture = all.get();
  for (int run = 0; run < 2; ++run) {  // the second call replaces what the first left
    session.encode_pixels(pixels.values, captured.data, &options);
    CHECK(largest_difference(captured.data, plain.data) < 1e-5f);
    const tuwen_captured output = all["vision.layers.1.output"];
    CHECK(output.rows == static_cast<int64_t>(count) * 10);
    CHECK(output.columns == 40);
    const auto golden = goldens.f32("vision.layers.1.output");  // of the first pictures
    CHECK(largest_difference({output.data, golden.values.size()}, golden.values) < 2e-4f);
  }
  CHECK(status_of([&] { all["vision.layers.2.output"]; }) == TUWEN_INVALID_ARGUMENT);

  options.capture = layer.get();
  session.encode_pixels(pixels.values, captured.data, &options);
  REQUIRE(layer.size() > 0);
  CHECK(layer.size() < all.size());
  for (size_t i = 0; i < layer.size(); ++i) CHECK(std::string(layer.at(i).name).starts_with("vision.layers.1."));
  CHECK(status_of([&] { layer.at(layer.size()); }) == TUWEN_INVALID_ARGUMENT);
}
