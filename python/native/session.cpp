// The models: loading, and the plain encode calls.
#include "python/native/session.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <system_error>
#include <thread>

#include "python/native/common.h"

namespace tuwen::python {
namespace {

constexpr double kNoticeable = 2e10;  // floating-point operations: about a tenth of a second

}  // namespace

SharedSession::SharedSession(Model model, const tuwen_session_options& options)
    : model_(std::move(model)), info_(model_.info()), session_(model_, &options) {
  const auto per_token = [](int64_t width, int64_t mlp, int64_t layers) {
    return 2.0 * static_cast<double>(layers) * static_cast<double>(width) * static_cast<double>(4 * width + 2 * mlp);
  };
  text_cost_ = per_token(info_.text_width, info_.text_mlp, info_.text_layers);
  image_cost_ = per_token(info_.vision_width, info_.vision_mlp, info_.vision_layers);
}

// A signal can only be seen by the main thread while it has the GIL. So long work goes to another thread, and this one
// looks for signals; the work stops before its next layer.
void SharedSession::run(double cost, const std::function<void(tuwen_session*)>& work) {
  nb::gil_scoped_release unlocked;
  const std::lock_guard one_at_a_time(mutex_);
  if (cost < kNoticeable) return work(session_.get());
  std::mutex mutex;
  std::condition_variable done;
  bool finished = false;
  std::exception_ptr failure;
  std::thread worker;
  try {
    worker = std::thread([&] {
      try {
        work(session_.get());
      } catch (...) {
        failure = std::current_exception();
      }
      const std::lock_guard lock(mutex);
      finished = true;
      done.notify_one();
    });
  } catch (const std::system_error&) {
    return work(session_.get());
  }
  std::exception_ptr interrupt;
  {
    std::unique_lock lock(mutex);
    while (!done.wait_for(lock, std::chrono::milliseconds(50), [&] { return finished; })) {
      if (interrupt) {
        session_.cancel();
        continue;
      }
      lock.unlock();
      {
        nb::gil_scoped_acquire locked;
        if (PyErr_CheckSignals() != 0) interrupt = std::make_exception_ptr(nb::python_error());
      }
      if (interrupt) session_.cancel();
      lock.lock();
    }
  }
  worker.join();
  if (interrupt) std::rethrow_exception(interrupt);
  if (failure) std::rethrow_exception(failure);
}

namespace {

tuwen_precision precision_of(const std::string& dtype) {
  if (dtype == "float32") return TUWEN_F32;
  if (dtype == "bfloat16") return TUWEN_BF16;
  if (dtype == "float16") return TUWEN_F16;
  if (dtype == "int8") return TUWEN_INT8;
  if (dtype == "float8_e4m3fn") return TUWEN_FP8;
  raise(
      PyExc_ValueError,
      "dtype: expected \"float32\", \"bfloat16\", \"float16\", \"int8\" or \"float8_e4m3fn\", found \"" + dtype + "\"");
}

// Ids without padding, row after row. Kept between calls, so that short ones do not allocate.
struct PackedRows {
  std::vector<int32_t> ids, types;
  std::vector<int64_t> begin;
};

int32_t checked_id(int64_t id, int64_t end, const char* name) {
  if (id < 0 || id >= end) {
    raise(PyExc_IndexError,
          std::string(name) + ": " + std::to_string(id) + " is out of range, expected 0 to " + std::to_string(end - 1));
  }
  return static_cast<int32_t>(id);
}

void check_shape(const I64Array& array, const I64Array& ids, const char* name) {
  if (array.ndim() == 2 && array.shape(0) == ids.shape(0) && array.shape(1) == ids.shape(1)) return;
  raise(PyExc_ValueError, std::string(name) + ": expected the shape of input_ids, [" + std::to_string(ids.shape(0)) +
                              ", " + std::to_string(ids.shape(1)) + "]");
}

// Ones and then zeros, at least one of the former: how many. 0 for any other mask.
size_t length_of(const int64_t* mask, size_t size) {
  size_t length = 0;
  while (length < size && mask[length] == 1) ++length;
  for (size_t i = length; i < size; ++i) {
    if (mask[i] != 0) return 0;
  }
  return length;
}

// The rows of a padded batch, if `mask` says no more than where each one ends.
bool pack(PackedRows& rows, const I64Array& ids, const I64Array* mask, const I64Array* types, int64_t vocabulary,
          int64_t type_vocabulary) {
  const size_t count = ids.shape(0), width = ids.shape(1);
  rows.ids.clear();
  rows.types.clear();
  rows.begin.assign(1, 0);
  for (size_t r = 0; r < count; ++r) {
    const size_t length = mask == nullptr ? width : length_of(mask->data() + r * width, width);
    if (length == 0) return false;
    const int64_t* const row = ids.data() + r * width;
    for (size_t i = 0; i < width; ++i) {
      const int32_t id = checked_id(row[i], vocabulary, "input_ids");
      if (i < length) rows.ids.push_back(id);
    }
    if (types != nullptr) {
      const int64_t* const type_row = types->data() + r * width;
      for (size_t i = 0; i < width; ++i) {
        const int32_t type = checked_id(type_row[i], type_vocabulary, "token_type_ids");
        if (i < length) rows.types.push_back(type);
      }
    }
    rows.begin.push_back(static_cast<int64_t>(rows.ids.size()));
  }
  return true;
}

// get_text_features of a padded batch, or None when its mask needs the full forward pass.
nb::object encode_rows(SharedSession& self, const I64Array& ids, const std::optional<I64Array>& mask,
                       const std::optional<I64Array>& types, int64_t type_vocabulary) {
  thread_local PackedRows rows;
  if (ids.ndim() != 2) raise(PyExc_ValueError, "input_ids: expected [batch, tokens]");
  if (mask) check_shape(*mask, ids, "attention_mask");
  if (types) check_shape(*types, ids, "token_type_ids");
  const tuwen_model_info& info = self.info();
  if (static_cast<int64_t>(ids.shape(1)) > info.max_text_tokens) {
    raise(PyExc_ValueError, "input_ids: " + std::to_string(ids.shape(1)) + " tokens, but the position table holds " +
                                std::to_string(info.max_text_tokens));
  }
  if (!pack(rows, ids, mask ? &*mask : nullptr, types ? &*types : nullptr, info.vocabulary_size, type_vocabulary)) {
    return nb::none();
  }
  const size_t count = ids.shape(0);
  const NewArray out = new_array({count, static_cast<size_t>(info.embedding_size)});
  auto options = make<tuwen_encode_options>();
  options.raw = 1;
  const PackedRows& packed = rows;
  self.run(self.text_cost() * static_cast<double>(packed.ids.size()), [&](tuwen_session* session) {
    check(tuwen_encode_tokens(session, packed.ids.data(), packed.types.empty() ? nullptr : packed.types.data(),
                              packed.begin.data(), count, &options, out.data));
  });
  return nb::cast(out.array);
}

// get_image_features.
nb::ndarray<nb::numpy, float> encode_pixels(SharedSession& self, const F32Array& pixels) {
  const tuwen_model_info& info = self.info();
  if (pixels.ndim() != 4) raise(PyExc_ValueError, "pixel_values: expected [batch, channels, height, width]");
  if (static_cast<int64_t>(pixels.shape(2)) != info.image_size ||
      static_cast<int64_t>(pixels.shape(3)) != info.image_size) {
    raise(PyExc_ValueError, "pixel_values: Input image size (" + std::to_string(pixels.shape(2)) + "*" +
                                std::to_string(pixels.shape(3)) + ") doesn't match model (" +
                                std::to_string(info.image_size) + "*" + std::to_string(info.image_size) + ")");
  }
  const float* const end = pixels.data() + pixels.size();
  if (std::any_of(pixels.data(), end, [](float value) { return !std::isfinite(value); })) {
    raise(PyExc_ValueError, "pixel_values: expected finite numbers");
  }
  const size_t count = pixels.shape(0);
  const NewArray out = new_array({count, static_cast<size_t>(info.embedding_size)});
  auto options = make<tuwen_encode_options>();
  options.raw = 1;
  self.run(self.image_cost() * static_cast<double>(count) * static_cast<double>(info.image_tokens),
           [&](tuwen_session* session) {
             check(tuwen_encode_pixels(session, pixels.data(), pixels.size(), count, &options, out.data));
           });
  return out.array;
}

// logits_per_text of normalised embeddings.
nb::ndarray<nb::numpy, float> logits(SharedSession& self, const F32Array& texts, const F32Array& images) {
  const auto columns = static_cast<size_t>(self.info().embedding_size);
  if (texts.ndim() != 2 || images.ndim() != 2 || texts.shape(1) != columns || images.shape(1) != columns) {
    raise(PyExc_ValueError, "logits: expected embeddings of this model");
  }
  const NewArray out = new_array({texts.shape(0), images.shape(0)});
  self.run(0, [&](tuwen_session* session) {
    check(tuwen_logits(session, images.data(), images.shape(0), texts.data(), texts.shape(0), nullptr, out.data));
  });
  return out.array;
}

}  // namespace

tuwen_load_options load_options_of(const std::string& dtype, const std::string& plan, int threads) {
  if (plan != "exact" && plan != "fast")
    raise(PyExc_ValueError, "plan: expected \"exact\" or \"fast\", found \"" + plan + "\"");
  auto options = make<tuwen_load_options>();
  options.precision = precision_of(dtype);
  options.plan = plan == "fast" ? TUWEN_FAST : TUWEN_EXACT;
  options.threads = threads;
  options.allow_unexpected = 1;
  options.without_processor = 1;
  return options;
}

void bind_session(nb::module_& module) {
  nb::class_<SharedSession>(module, "Session", "A loaded model with its threads; calls wait for each other.")
      .def("encode_rows", &encode_rows, nb::arg("input_ids"), nb::arg("attention_mask").none() = nb::none(),
           nb::arg("token_type_ids").none() = nb::none(), nb::arg("type_vocabulary") = INT32_MAX,
           "Text features of rows padded on the right, or None when the mask is of another kind.")
      .def("encode_pixels", &encode_pixels, nb::arg("pixel_values"), "Image features.")
      .def("logits", &logits, nb::arg("text_embeds"), nb::arg("image_embeds"))
      .def_prop_ro("logit_scale", [](const SharedSession& self) { return self.info().logit_scale; })
      .def_prop_ro("device", [](SharedSession& self) { return self.device(); })
      .def_prop_ro("threads", [](SharedSession& self) { return self.threads(); })
      .def_prop_ro(
          "isa", [](SharedSession& self) { return self.isa(); }, "The kernels in use.");
  module.def("missing_for", &missing_for, nb::arg("device"),
             "What is missing for sessions on a device, in one sentence; empty if nothing is.");
  module.def(
      "contrastive_loss",
      [](const F32Array& logits_per_text) {
        if (logits_per_text.ndim() != 2 || logits_per_text.shape(0) != logits_per_text.shape(1)) {
          raise(PyExc_IndexError, "return_loss: the batch has other numbers of texts and images");
        }
        float loss = 0;
        check(tuwen_contrastive_loss(logits_per_text.data(), logits_per_text.shape(0), &loss));
        return loss;
      },
      nb::arg("logits_per_text"));
}

}  // namespace tuwen::python
