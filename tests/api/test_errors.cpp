#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "tests/api/fixtures.h"

using namespace tuwen::test;

namespace {

// What a later header might add behind today's last field.
struct NewerOptions {
  tuwen_load_options known;
  int64_t added;
};

tuwen_status load_with(const void* options, tuwen_model** model) {
  return tuwen_model_load(base_model().c_str(), static_cast<const tuwen_load_options*>(options), model);
}

}  // namespace

TEST_CASE("a missing model directory is an error that names it") {
  tuwen_model* model = nullptr;
  REQUIRE(tuwen_model_load("no/such/directory", nullptr, &model) == TUWEN_IO_ERROR);
  CHECK(model == nullptr);
  const tuwen_error* error = tuwen_last_error();
  CHECK(error->status == TUWEN_IO_ERROR);
  CHECK(std::string(error->file).find("no/such/directory") != std::string::npos);
  CHECK(std::string(error->message).find(error->file) != std::string::npos);
}

TEST_CASE("an empty path is an error, and not the current directory") {
  tuwen_model* loaded = nullptr;
  tuwen_processor* processor = nullptr;
  tuwen_image* image = nullptr;
  auto info = tuwen::make<tuwen_model_info>();
  const auto names = [](tuwen_status status, const char* argument) {
    return status == TUWEN_INVALID_ARGUMENT && std::string(tuwen_last_error()->field) == argument;
  };
  CHECK(names(tuwen_model_load("", nullptr, &loaded), "directory"));
  CHECK(names(tuwen_model_inspect("", nullptr, &info), "directory"));
  CHECK(names(tuwen_processor_load("", &processor), "directory"));
  CHECK(names(tuwen_image_read("", nullptr, &image), "path"));
}

TEST_CASE("null pointers are errors that name the argument") {
  tuwen_model* loaded = nullptr;
  tuwen_session* session = nullptr;
  tuwen_image* image = nullptr;
  tuwen_tokens* tokens = nullptr;
  tuwen_processor* processor = nullptr;
  float number = 0;
  const auto names = [](tuwen_status status, const char* argument) {
    return status == TUWEN_INVALID_ARGUMENT && std::string(tuwen_last_error()->field) == argument;
  };
  CHECK(names(tuwen_model_load(nullptr, nullptr, &loaded), "directory"));
  CHECK(names(tuwen_model_load("x", nullptr, nullptr), "model"));
  CHECK(names(tuwen_model_get_info(nullptr, nullptr), "model"));
  CHECK(names(tuwen_model_inspect(nullptr, nullptr, nullptr), "directory"));
  CHECK(names(tuwen_processor_load(nullptr, &processor), "directory"));
  CHECK(names(tuwen_processor_get_info(nullptr, nullptr), "processor"));
  CHECK(names(tuwen_session_create(nullptr, nullptr, &session), "model"));
  CHECK(names(tuwen_session_get_info(nullptr, nullptr), "session"));
  CHECK(names(tuwen_image_read(nullptr, nullptr, &image), "path"));
  CHECK(names(tuwen_image_decode(nullptr, 3, nullptr, &image), "bytes"));
  CHECK(names(tuwen_image_from_pixels(nullptr, 0, &image), "pixels"));
  CHECK(names(tuwen_image_get(nullptr, nullptr), "image"));
  CHECK(names(tuwen_tokenize(nullptr, nullptr, nullptr, 0, nullptr, &tokens), "processor"));
  CHECK(names(tuwen_tokenize(model().processor().get(), nullptr, nullptr, 1, nullptr, &tokens), "texts"));
  CHECK(names(tuwen_tokens_get(nullptr, nullptr), "tokens"));
  CHECK(names(tuwen_encode_pixels(nullptr, &number, 1, 1, nullptr, &number), "session"));
  CHECK(names(tuwen_encode_texts(nullptr, nullptr, 0, nullptr, nullptr), "session"));
  CHECK(names(tuwen_logits(nullptr, nullptr, 0, nullptr, 0, nullptr, nullptr), "session"));
  CHECK(names(tuwen_softmax(nullptr, 1, 1, &number), "logits"));
  CHECK(names(tuwen_softmax(&number, 1, 1, nullptr), "probabilities"));
  CHECK(names(tuwen_contrastive_loss(&number, 1, nullptr), "loss"));
  CHECK(names(tuwen_capture_get(nullptr, "x", nullptr), "capture"));
  CHECK(names(tuwen_get_system_info(nullptr), "info"));

  tuwen_model_free(nullptr);
  tuwen_image_free(nullptr);
  tuwen_tokens_free(nullptr);
  tuwen_processor_free(nullptr);
  tuwen_capture_free(nullptr);
  tuwen_session_cancel(nullptr);
  CHECK(tuwen_session_free(nullptr) == TUWEN_OK);
  CHECK(tuwen_capture_count(nullptr) == 0);
}

TEST_CASE("arrays too large for memory are refused before anything is touched") {
  float number = 0;
  CHECK(tuwen_softmax(&number, SIZE_MAX, 2, &number) == TUWEN_INVALID_ARGUMENT);
  CHECK(tuwen_contrastive_loss(&number, SIZE_MAX / 2, &number) == TUWEN_INVALID_ARGUMENT);
  tuwen::Session session(model());
  CHECK(tuwen_encode_pixels(session.get(), &number, SIZE_MAX, SIZE_MAX, nullptr, &number) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("option structs of older and newer headers") {
  tuwen_model* model = nullptr;
  auto options = tuwen::make<tuwen_load_options>();

  SECTION("no size") {
    options.struct_size = 0;
    REQUIRE(load_with(&options, &model) == TUWEN_INVALID_ARGUMENT);
    CHECK(std::string(tuwen_last_error()->field) == "options.struct_size");
  }
  SECTION("an older struct ends early: what lies behind it is not read") {
    options.struct_size = sizeof options.struct_size + sizeof options.precision;
    options.memory_budget = 1;  // would refuse the model
    REQUIRE(load_with(&options, &model) == TUWEN_OK);
  }
  SECTION("a newer struct whose new fields are zero") {
    NewerOptions newer = {options, 0};
    newer.known.struct_size = sizeof newer;
    REQUIRE(load_with(&newer, &model) == TUWEN_OK);
  }
  SECTION("a newer struct that asks for something unknown") {
    NewerOptions newer = {options, 1};
    newer.known.struct_size = sizeof newer;
    REQUIRE(load_with(&newer, &model) == TUWEN_INVALID_ARGUMENT);
  }
  SECTION("a value that is none") {
    options.towers = 3;
    REQUIRE(load_with(&options, &model) == TUWEN_INVALID_ARGUMENT);
    CHECK(std::string(tuwen_last_error()->field) == "options.towers");
  }
  tuwen_model_free(model);
}

TEST_CASE("info structs of older headers get only the fields they have") {
  struct Guarded {
    tuwen_system_info info;
    char behind[16];
  } guarded;
  std::memset(&guarded, 0x5A, sizeof guarded);
  guarded.info.struct_size = offsetof(tuwen_system_info, features);
  REQUIRE(tuwen_get_system_info(&guarded.info) == TUWEN_OK);
  CHECK(guarded.info.cpus >= 1);
  CHECK(guarded.info.features[0] == 0x5A);
  CHECK(guarded.info.struct_size == offsetof(tuwen_system_info, features));
}

TEST_CASE("each thread has its own last error") {
  REQUIRE(tuwen_softmax(nullptr, 1, 1, nullptr) == TUWEN_INVALID_ARGUMENT);
  const std::string here = tuwen_last_error()->message;
  std::thread([&] {
    CHECK(tuwen_last_error()->status == TUWEN_OK);
    CHECK(tuwen_contrastive_loss(nullptr, 0, nullptr) == TUWEN_INVALID_ARGUMENT);
  }).join();
  CHECK(here == tuwen_last_error()->message);
}

TEST_CASE("names of statuses") {
  CHECK(std::string(tuwen_status_name(TUWEN_OK)) == "ok");
  CHECK(std::string(tuwen_status_name(TUWEN_BUSY)) == "busy");
  CHECK(std::string(tuwen_status_name(TUWEN_INTERNAL)) != "?");
  CHECK(std::string(tuwen_status_name(TUWEN_INTERNAL + 1)) == "?");
  CHECK(std::string(tuwen_status_name(-1)) == "?");
}

TEST_CASE("the C++ interface throws what the C interface reports") {
  try {
    tuwen::Model::load("no/such/directory");
    FAIL("nothing was thrown");
  } catch (const tuwen::Error& error) {
    CHECK(error.status() == TUWEN_IO_ERROR);
    CHECK(error.file().find("no/such/directory") != std::string::npos);
    CHECK(std::string(error.what()) == tuwen_last_error()->message);
  }
}
