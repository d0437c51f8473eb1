// A model, its session, and whose turn it is.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "tuwen/tuwen.hpp"

namespace tuwen::python {

// Any thread may call any method; calls wait for each other, without the GIL.
class SharedSession {
 public:
  SharedSession(Model model, const tuwen_session_options& options);

  const tuwen_model_info& info() const { return info_; }
  // Floating-point operations a token takes, about.
  double text_cost() const { return text_cost_; }
  double image_cost() const { return image_cost_; }
  int threads() const { return session_.info().threads; }
  std::string isa() const { return session_.info().isa; }
  std::string device() const { return session_.info().device; }

  // Runs `work` on the session without the GIL, which the caller holds. What takes noticeably long, by its cost in
  // operations, can be interrupted by a signal.
  void run(double cost, const std::function<void(tuwen_session*)>& work);

 private:
  Model model_;
  tuwen_model_info info_;
  Session session_;
  std::recursive_mutex mutex_;  // a signal's handler that calls the model gets TUWEN_BUSY instead of a deadlock
  double text_cost_ = 0, image_cost_ = 0;
};

// Of "float32", "bfloat16", "float16", "int8" or "float8_e4m3fn", and of "exact" or "fast"; raises ValueError for
// another dtype or plan.
tuwen_load_options load_options_of(const std::string& dtype, const std::string& plan, int threads);

}  // namespace tuwen::python
