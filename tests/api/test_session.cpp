#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <tuple>

#include "tests/api/fixtures.h"

using namespace tuwen::test;

namespace {

// An executor that runs everything on the calling thread, after doing something else first.
struct Hook {
  void (*before)(void*) = nullptr;
  void* argument = nullptr;
  int runs = 0;

  static void run(void* self, int32_t, void (*task)(void*), void* task_argument) {
    auto& hook = *static_cast<Hook*>(self);
    ++hook.runs;
    if (hook.before != nullptr) hook.before(hook.argument);
    task(task_argument);
  }
  tuwen_session_options options(int threads = 4) {
    auto o = tuwen::make<tuwen_session_options>();
    o.threads = threads;
    o.thread_source = TUWEN_THREADS_CUSTOM;
    o.executor = {run, this};
    return o;
  }
};

}  // namespace

TEST_CASE("the caller's own executor, which may deliver fewer threads than asked for") {
  Hook hook;
  const tuwen_session_options options = hook.options();
  tuwen::Session custom(model(), &options), own(model());
  CHECK(custom.encode_texts({"a", "b"}).data == own.encode_texts({"a", "b"}).data);
  CHECK(hook.runs > 0);

  auto none = tuwen::make<tuwen_session_options>();
  none.thread_source = TUWEN_THREADS_CUSTOM;
  CHECK(status_of([&] { tuwen::Session(model(), &none); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("an executor with real threads") {
  const auto run = [](void*, int32_t wanted, void (*task)(void*), void* argument) {
    std::vector<std::thread> threads;
    for (int32_t i = 1; i < wanted; ++i) threads.emplace_back(task, argument);
    task(argument);
    for (std::thread& thread : threads) thread.join();
  };
  auto options = tuwen::make<tuwen_session_options>();
  options.threads = 3;
  options.thread_source = TUWEN_THREADS_CUSTOM;
  options.executor = {run, nullptr};
  tuwen::Session custom(model(), &options), own(model());
  const auto images = pictures(4);
  CHECK(custom.encode_images(images).data == own.encode_images(images).data);
}

TEST_CASE("a second call on a session gets busy, and so does freeing it") {
  struct Second {
    tuwen_session* session = nullptr;
    tuwen_status encode = TUWEN_OK, logits = TUWEN_OK, free = TUWEN_OK;
  } second;
  Hook hook;
  hook.argument = &second;
  hook.before = [](void* argument) {
    auto& s = *static_cast<Second*>(argument);
    std::thread([&s] {  // while the first call runs
      float out[20];
      const tuwen_text text = {"a", 1};
      s.encode = tuwen_encode_texts(s.session, &text, 1, nullptr, out);
      s.logits = tuwen_logits(s.session, out, 1, out, 1, out, nullptr);
      s.free = tuwen_session_free(s.session);
    })
        .join();
  };
  const tuwen_session_options options = hook.options();
  tuwen::Session session(model(), &options);
  second.session = session.get();
  const tuwen::Matrix first = session.encode_texts({"a"});
  CHECK(second.encode == TUWEN_BUSY);
  CHECK(second.logits == TUWEN_BUSY);
  CHECK(second.free == TUWEN_BUSY);
  hook.before = nullptr;
  CHECK(session.encode_texts({"a"}).data == first.data);
}

TEST_CASE("a running call can be cancelled") {
  tuwen_session* target = nullptr;
  Hook hook;
  hook.argument = &target;
  hook.before = [](void* argument) { tuwen_session_cancel(*static_cast<tuwen_session**>(argument)); };
  const tuwen_session_options options = hook.options();
  tuwen::Session session(model(), &options);
  target = session.get();
  const auto images = pictures(2);
  CHECK(status_of([&] { session.encode_texts({"a"}); }) == TUWEN_CANCELLED);
  CHECK(status_of([&] { session.encode_images(images); }) == TUWEN_CANCELLED);
  hook.before = nullptr;
  CHECK(status_of([&] { session.encode_texts({"a"}); }) == TUWEN_OK);
  session.cancel();  // nothing is running: no effect
  CHECK(status_of([&] { session.encode_texts({"a"}); }) == TUWEN_OK);
}

TEST_CASE("a call that takes too long ends") {
  tuwen::Session session(model());
  auto options = tuwen::make<tuwen_encode_options>();
  options.timeout_seconds = 1e-9;
  CHECK(status_of([&] { session.encode_texts({"a"}, &options); }) == TUWEN_CANCELLED);
  options.timeout_seconds = 1e300;
  CHECK(status_of([&] { session.encode_texts({"a"}, &options); }) == TUWEN_OK);
  options.timeout_seconds = -1;
  CHECK(status_of([&] { session.encode_texts({"a"}, &options); }) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("a session keeps its model alive") {
  tuwen_model* handle = nullptr;
  tuwen::check(tuwen_model_load(base_model().c_str(), nullptr, &handle));
  tuwen_session* session = nullptr;
  tuwen::check(tuwen_session_create(handle, nullptr, &session));
  tuwen_model_free(handle);
  std::vector<float> out(20);
  const tuwen_text text = {"a", 1};
  REQUIRE(tuwen_encode_texts(session, &text, 1, nullptr, out.data()) == TUWEN_OK);
  tuwen::Session other(model());
  CHECK(out == other.encode_texts({"a"}).data);
  CHECK(tuwen_session_free(session) == TUWEN_OK);
}

TEST_CASE("scratch memory is known beforehand and can be limited") {
  auto options = tuwen::make<tuwen_session_options>();
  options.threads = 2;
  int64_t bytes = 0;
  tuwen::check(tuwen_session_estimate(model().get(), &options, &bytes));
  CHECK(bytes > 0);
  CHECK(tuwen::Session(model(), &options).info().scratch_bytes == bytes);
  options.memory_budget = bytes;
  CHECK(status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_OK);
  options.memory_budget = bytes - 1;
  CHECK(status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_LIMIT_EXCEEDED);

  options.memory_budget = 0;
  options.max_rows = 100;
  int64_t fewer = 0;
  tuwen::check(tuwen_session_estimate(model().get(), &options, &fewer));
  CHECK(fewer < bytes);
}

TEST_CASE("the instruction set can be chosen") {
  auto options = tuwen::make<tuwen_session_options>();
  options.isa = "reference";
  tuwen::Session reference(model(), &options), fastest(model());
  CHECK(std::string(reference.info().isa) == "reference");
  CHECK(std::string(fastest.info().isa) == tuwen::system_info().isa);
  const tuwen::Matrix a = reference.encode_texts({"a", "b"}), b = fastest.encode_texts({"a", "b"});
  for (size_t i = 0; i < a.data.size(); ++i) CHECK(a.data[i] == Approx(b.data[i]).margin(1e-5));
  options.isa = "abacus";
  CHECK(status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_UNSUPPORTED);
}

TEST_CASE("the device can be named") {
  auto options = tuwen::make<tuwen_session_options>();
  options.device = "cpu";
  tuwen::Session named(model(), &options), unnamed(model());
  const tuwen_session_info info = named.info();
  CHECK(std::string(info.device) == "cpu");
  CHECK(std::string(info.device_name).empty());
  CHECK(info.device_weight_bytes == 0);
  CHECK(named.encode_texts({"a", "b"}).data == unnamed.encode_texts({"a", "b"}).data);
  CHECK(tuwen::missing_for("cpu").empty());

  // One sentence, and the same by the check as by the session; no machine has this one.
  options.device = "cuda:999999";
  CHECK(status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_UNSUPPORTED);
  const std::string missing = tuwen::missing_for(options.device);
  CHECK(missing.starts_with("device \"cuda"));
  CHECK(missing.find('\n') == std::string::npos);

  for (const char* name : {"", "gpu", "cuda:", "cuda:-1", "cuda:+1", "cuda:1x", "cuda:99999999999", "CUDA", "cpu:0"}) {
    CAPTURE(name);
    options.device = name;
    CHECK(status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_INVALID_ARGUMENT);
    CHECK(status_of([&] { tuwen::missing_for(name); }) == TUWEN_INVALID_ARGUMENT);
  }
  CHECK(tuwen_device_check(nullptr) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("a session that was warmed up encodes as one that was not") {
  tuwen::Session cold(model()), warm(model());
  const auto some = texts(9);
  const auto images = pictures(3);
  warm.warm_up(40, 3, 12);
  warm.warm_up(0, 1, 1);
  warm.warm_up(2, 0, 0);
  warm.warm_up(0, 0, 1000);
  CHECK(warm.encode_texts(some).data == cold.encode_texts(some).data);
  CHECK(warm.encode_images(images).data == cold.encode_images(images).data);
  for (const auto& [pictures, count, tokens] :
       {std::tuple<size_t, size_t, size_t>{0, 1, 0}, {0, 1, 21}, {SIZE_MAX, 0, 0}, {0, SIZE_MAX, 3}}) {
    CAPTURE(pictures, count, tokens);
    CHECK(tuwen_session_warm_up(warm.get(), pictures, count, tokens) == TUWEN_INVALID_ARGUMENT);
  }
  CHECK(tuwen_session_warm_up(nullptr, 1, 1, 1) == TUWEN_INVALID_ARGUMENT);
}

TEST_CASE("wrong session options") {
  const auto refused = [](auto change) {
    auto options = tuwen::make<tuwen_session_options>();
    change(options);
    return status_of([&] { tuwen::Session(model(), &options); }) == TUWEN_INVALID_ARGUMENT;
  };
  CHECK(refused([](auto& o) { o.threads = -1; }));
  CHECK(refused([](auto& o) { o.threads = 1 << 20; }));
  CHECK(refused([](auto& o) { o.thread_source = 4; }));
  CHECK(refused([](auto& o) { o.max_rows = -1; }));
  CHECK(refused([](auto& o) { o.max_rows = INT64_MAX; }));
  CHECK(refused([](auto& o) { o.memory_budget = -1; }));
  CHECK(refused([](auto& o) { o.reserved = 1; }));
}

TEST_CASE("sessions on one model run side by side") {
  const auto some = texts(30);
  const auto images = pictures(3);
  tuwen::Session alone(model());
  const tuwen::Matrix text_bits = alone.encode_texts(some), image_bits = alone.encode_images(images);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      auto options = tuwen::make<tuwen_session_options>();
      options.threads = 2;
      tuwen::Session session(model(), &options);
      for (int i = 0; i < 5; ++i) {
        if (session.encode_texts(some).data != text_bits.data) ++wrong;
        if (session.encode_images(images).data != image_bits.data) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
