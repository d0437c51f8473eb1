// What a session does with its device's memory and recordings, and where the device fails: over a fake driver
// (fake_cuda.h).
#include <algorithm>
#include <atomic>

#include "tests/cuda/fake_cuda.h"
#include "tests/cuda/picture_cases.h"
#include "tests/cuda/tower_cases.h"
#include "tests/support/expect_error.h"

namespace tw::test {

TEST_CASE("cuda session: a shape that comes again is recorded, and then launched with what is there now") {
  Driver fake;
  driver = &fake;
  const auto model = load(tiny_config());
  Inputs in(tiny_config());
  {
    Session device(model, {.device = fake_device()}), cpu(model, {});
    const std::vector<float> first = encode_all(device, in);
    CHECK(fake.recordings.empty());
    CHECK(encode_all(device, in) == first);
    CHECK(fake.recordings.size() == 3);  // texts, bytes, values
    CHECK(fake.launches == 3);
    std::reverse(in.ids.begin(), in.ids.end());
    std::reverse(in.bytes.begin(), in.bytes.end());
    std::reverse(in.values.begin(), in.values.end());
    const std::vector<float> other = encode_all(device, in);
    CHECK(fake.launches == 6);
    CHECK(other != first);
    CHECK(largest_difference(other, encode_all(cpu, in)) < 1e-5);

    // Anything that a slice depends on besides contents is another shape: three times with and without normalisation,
    // of other lengths with the same sum, of fewer items.
    for (int times = 0; times < 3; ++times)
      CHECK(largest_difference(encode_all(device, in, {.normalize = false}),
                               encode_all(cpu, in, {.normalize = false})) < 1e-4);
    CHECK(fake.recordings.size() == 6);
    for (const std::vector<int64_t>& offsets : {std::vector<int64_t>{0, 17, 34, 52}, {0, 52 - 36, 52}, {0, 36, 52}}) {
      for (int times = 0; times < 3; ++times) {
        const TextBatch texts{in.ids, offsets, {}, {}};
        std::vector<float> here((offsets.size() - 1) * 12), there(here.size());
        cpu.encode_texts(texts, here);
        device.encode_texts(texts, there);
        CHECK(largest_difference(here, there) < 1e-5);
      }
    }
    CHECK(fake.recordings.size() == 8);  // the last two are of one shape: only the order of lengths differs
  }
  CHECK(fake.recordings.empty());
}

TEST_CASE("cuda session: recordings are of the shapes that were used last") {
  Driver fake;
  driver = &fake;
  const auto model = load(tiny_config());
  Session device(model, {.device = fake_device()});
  std::vector<int32_t> ids(36, 3);
  std::vector<float> out(12);
  const auto encode = [&](int64_t tokens, bool normalize) {
    const std::vector<int64_t> offsets = {0, tokens};
    device.encode_texts({std::span(ids).first(static_cast<size_t>(tokens)), offsets, {}, {}}, out,
                        {.normalize = normalize});
  };
  constexpr int64_t kShapes = RecordedSlices::kMost;
  for (int times = 0; times < 2; ++times)
    for (int64_t i = 0; i < kShapes; ++i) encode(1 + i / 2, i % 2 == 0);
  CHECK(fake.recordings.size() == kShapes);
  encode(36, true);  // takes the place of (1, normalised)
  CHECK(fake.recordings.size() == kShapes - 1);
  const int before = fake.launches;
  encode(1, false);
  CHECK(fake.launches == before + 1);
  encode(1, true);
  CHECK(fake.launches == before + 1);
}

TEST_CASE("cuda session: without recordings, or where one is refused, slices are as before") {
  Driver fake;
  driver = &fake;
  const auto model = load(tiny_config());
  const Inputs in(tiny_config());
  Session plain(model, {.device = fake_device()});
  const std::vector<float> expected = encode_all(plain, in);

  DeviceApi unable = kFake;
  unable.begin_recording = nullptr;
  Session without(model, {.device = {device_handle(unable, 1), &cuda_table()}});
  for (int times = 0; times < 3; ++times) CHECK(encode_all(without, in) == expected);
  CHECK(fake.recordings.empty());

  // Whichever call of a recording fails, in the slice that is recorded.
  std::vector<float> out(3 * 12);
  const std::vector<float> texts(expected.begin(), expected.begin() + std::ssize(out));
  for (int n = 1; n <= 12; ++n) {
    CAPTURE(n);
    Session session(model, {.device = fake_device()});
    session.encode_texts(in.texts(), out);
    const int before = fake.calls;
    fake.fails_at = before + n;
    try {
      session.encode_texts(in.texts(), out);
      CHECK(out == texts);
    } catch (const Error& e) {
      CHECK(e.detail().found == kFake.describe(kLost));
    }
    fake.fails_at = 0;
    CHECK(fake.recording == nullptr);
    for (int times = 0; times < 2; ++times) {
      session.encode_texts(in.texts(), out);
      CHECK(out == texts);
    }
  }
}

TEST_CASE("cuda session: weights are on a device once, for all its sessions, as long as the model is there") {
  Driver fake;
  driver = &fake;
  auto model = load(tiny_config());
  {
    const Session first(model, {.device = fake_device()});
    const size_t with_one = fake.memory.size();
    const int calls = fake.calls;
    const Session second(model, {.device = fake_device()});
    CHECK(fake.memory.size() == with_one + 3);  // activations and inputs
    CHECK(fake.calls - calls == 11);
    CHECK(model->on_device(fake_device())->weight_bytes() == model->weight_bytes());
    CHECK(fake.streams.size() == 4);
  }
  CHECK_FALSE(fake.memory.empty());
  CHECK(fake.mapped.empty());
  model.reset();
  CHECK(fake.nothing_left());
}

TEST_CASE("cuda session: a device of sm_90a computes what others do, from weights in tiles") {
  Driver fake;
  driver = &fake;
  const Inputs in(tiny_config());
  for (const Precision precision : {Precision::f32, Precision::bf16, Precision::f16, Precision::fp8}) {
    const auto model = load(tiny_config(), precision);
    Session others(model, {.device = fake_device()}), device(model, {.device = fake_device_sm90()}),
        small(model, {.max_rows = 1, .device = fake_device_sm90()});
    const std::vector<float> expected = encode_all(others, in), found = encode_all(device, in);
    // In sums of f32, whose order is another, and then in roundings.
    CHECK(largest_difference(found, expected) <= (precision == Precision::f32 ? 0 : 0.02));
    CHECK(encode_all(small, in) == found);
    CHECK(model->on_device(fake_device_sm90()) != model->on_device(fake_device()));
  }
}

TEST_CASE("cuda session: whichever call of the driver fails, there is one error, nothing leaks, and the CPU goes on") {
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  const auto reference_model = load(config);
  Session reference(reference_model, {});
  const std::vector<float> expected = encode_all(reference, in);
  const auto on_device = [&](const std::shared_ptr<const ChineseClip>& model) {
    Session session(model, {.device = fake_device()});
    return encode_all(session, in);
  };
  Driver counting;
  driver = &counting;
  int calls_of_work = 0;
  {
    const auto model = load(config);
    on_device(model);
    calls_of_work = counting.calls;
  }
  REQUIRE(calls_of_work > 100);
  REQUIRE(counting.nothing_left());
  for (int n = 1; n <= calls_of_work; ++n) {
    CAPTURE(n);
    Driver fake;
    fake.fails_at = n;
    fake.error = n % 2 == 0 ? kLost : kOutOfMemory;
    driver = &fake;
    {
      auto model = load(config);
      std::vector<float> out;
      try {
        out = on_device(model);
        // Refused was what is not needed for a result: giving the thread its former device back, a wait for what has
        // already been waited for.
        CHECK(largest_difference(out, expected) < 1e-5);
      } catch (const Error& e) {
        REQUIRE(e.code() == (n % 2 == 0 ? ErrorCode::internal : ErrorCode::out_of_memory));
        REQUIRE(e.detail().file == "fake");
        REQUIRE_FALSE(e.detail().field.empty());
        REQUIRE(e.detail().found == kFake.describe(fake.error));
      }
      Session cpu(model, {});
      REQUIRE(encode_all(cpu, in) == expected);
      fake.fails_at = 0;  // a device that is not lost
      if (n % 8 == 0) REQUIRE(largest_difference(on_device(model), expected) < 1e-5);
    }
    REQUIRE(fake.nothing_left());
  }
}

TEST_CASE("cuda session: slices of a call take turns, on pixels, texts and pictures, and no result depends on that") {
  Driver fake;
  driver = &fake;
  const auto model = load(tiny_config());
  Session small(model, {.max_rows = 1, .device = fake_device()}), large(model, {.device = fake_device()});
  Random random(9);
  constexpr int64_t kTexts = 3, kTokens = 18, kImages = 5, kWidth = 12;
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets = {0};
  for (int64_t i = 0; i < kTexts; ++i) {
    for (int64_t t = 0; t < kTokens; ++t) ids.push_back(static_cast<int32_t>(random.integer(0, 19)));
    offsets.push_back(std::ssize(ids));
  }
  const std::vector<float> values = random.uniform_vector(kImages * 8 * 8 * 3, -2, 2);
  const std::vector<Image> pictures = some_pictures(7);
  const ImageProcessorOptions options = ways_to(8, ResizeFilter::bicubic)[1];
  const auto encode_many = [&](Session& session) {
    std::vector<float> out((kTexts + kImages) * kWidth);
    session.encode_texts({ids, offsets, {}, {}}, std::span(out).first(kTexts * kWidth));
    session.encode_images({values.data(), false, nullptr, kImages}, std::span(out).last(kImages * kWidth));
    const std::vector<float> more = encode(session, options, pictures);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  };
  const std::vector<float> expected = encode_many(large);
  CHECK(fake.follows == 0);
  CHECK(encode_many(small) == expected);
  CHECK(fake.follows == 1 + 1 + 2);  // slices that are not the first: of two texts, of four images
  const int before = fake.launches;
  for (int times = 0; times < 3; ++times) CHECK(encode_many(small) == expected);
  CHECK(fake.launches > before + 12);

  // Whichever call fails, the next call of the session starts afresh.
  const int calls_before = fake.calls;
  encode_many(small);
  const int calls = fake.calls - calls_before;
  int failures = 0;
  for (int n = 1; n <= calls; ++n) {
    CAPTURE(n);
    fake.fails_at = fake.calls + n;
    try {
      const std::vector<float> out = encode_many(small);
      CHECK(out == expected);
    } catch (const Error& e) {
      ++failures;
      REQUIRE(e.detail().found == kFake.describe(kLost));
    }
    fake.fails_at = 0;
    for (const FakeStream& s : fake.work) REQUIRE(s.waiting.empty());
    if (n % 16 == 0) REQUIRE(encode_many(small) == expected);
  }
  CHECK(failures > calls - 8);  // all but what gives the thread its device back
}

TEST_CASE("cuda session: one that failed can be tried again, and others do not notice") {
  Driver fake;
  driver = &fake;
  const auto model = load(tiny_config());
  const Inputs in(tiny_config());
  Session a(model, {.device = fake_device()}), b(model, {.device = fake_device()});
  const std::vector<float> expected = encode_all(a, in);
  const int before = fake.calls;
  encode_all(a, in);
  for (int n = 1; n <= fake.calls - before && fake.fails_at == 0; ++n) {
    CAPTURE(n);
    fake.fails_at = fake.calls + n;
    bool failed = false;
    try {
      encode_all(a, in);
    } catch (const Error&) {
      failed = true;
    }
    fake.fails_at = 0;
    if (n <= 4) CHECK(failed);  // use, copy, launch, wait
    CHECK(encode_all(b, in) == expected);
    CHECK(encode_all(a, in) == expected);
    if (n == 12) break;
  }
}

TEST_CASE("cuda session: what is not done on a device is refused by name") {
  Driver fake;
  driver = &fake;
  const ChineseClipConfig config = tiny_config();
  const Inputs in(config);
  expect_error(
      ErrorCode::unsupported,
      [&] {
        Device older = fake_device();
        older.fp8 = false;
        Session(load(config, Precision::fp8), {.device = older});
      },
      "E4M3", "fake");
  expect_error(
      ErrorCode::unsupported, [&] { Session(load(config, Precision::f16), {}); }, "f16", "on a device");
  expect_error(
      ErrorCode::unsupported, [&] { Session(load(config, Precision::int8), {.device = fake_device()}); }, "fake",
      "int8");
  const auto model = load(config);
  const int64_t bytes = Session::scratch_bytes(*model, {.device = fake_device()});
  expect_error(
      ErrorCode::limit_exceeded, [&] { Session(model, {.memory_budget = bytes - 1, .device = fake_device()}); },
      "memory budget", std::to_string(bytes));
  CHECK(fake.nothing_left());
  Session session(model, {.memory_budget = bytes, .device = fake_device()});
  CHECK(session.scratch_bytes() == bytes);
  Capture capture;
  Profile profile;
  expect_error(
      ErrorCode::unsupported, [&] { encode_all(session, in, {.capture = &capture}); }, "capture");
  expect_error(
      ErrorCode::unsupported, [&] { encode_all(session, in, {.profile = &profile}); }, "profile");
  const std::atomic<bool> cancel{true};
  expect_error(
      ErrorCode::cancelled, [&] { encode_all(session, in, {.cancel = &cancel}); }, "encode");
}

}  // namespace tw::test
