// Sessions: their options, and what they report.
#include "api/boundary.h"
#include "api/device.h"
#include "api/environment.h"
#include "api/handles.h"
#include "api/occupied.h"
#include "core/cpu_info.h"
#include "kernels/select.h"

namespace tw {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int64_t kDefaultRows = 2048, kDefaultDeviceRows = 16384;

Executor executor_of(const tuwen_session_options& options) {
  switch (options.thread_source) {
    case TUWEN_THREADS_OWN:
      return {};
    case TUWEN_THREADS_CALLER:
      return calling_thread();
    case TUWEN_THREADS_OPENMP:
      if (!openmp_available()) {
        throw Error(ErrorCode::unsupported,
                    {.field = "options.thread_source", .found = "OpenMP", .note = "this build has no OpenMP"});
      }
      return openmp();
    case TUWEN_THREADS_CUSTOM:
      if (options.executor.run == nullptr) throw_argument("options.executor.run", "a function", "NULL");
      return {options.executor.run, options.executor.self};
    default:
      throw_argument("options.thread_source", "0 to 3", std::to_string(options.thread_source));
  }
}

SessionOptions read_session_options(const tuwen_session_options* given) {
  const tuwen_session_options o = read_options(given, "options");
  check_reserved(o.reserved, "options");
  const CpuInfo cpu = query_cpu();
  const int threads = checked_choice(o.threads, kMaxThreads, "options.threads");
  if (o.max_rows < 0) throw_argument("options.max_rows", "0 or more tokens", std::to_string(o.max_rows));
  if (o.memory_budget < 0) throw_argument("options.memory_budget", "0 or more bytes", std::to_string(o.memory_budget));
  SessionOptions options;
  options.threads = threads == 0 ? cpu.cores : threads;
  if (o.thread_source == TUWEN_THREADS_CALLER) options.threads = 1;
  options.executor = executor_of(o);
  if (o.device != nullptr) options.device = open_device(o.device, "options.device");
  options.max_rows = o.max_rows != 0 ? o.max_rows : options.device ? kDefaultDeviceRows : kDefaultRows;
  options.kernels = &select_table(cpu, o.isa == nullptr ? wanted_isa() : o.isa);
  options.memory_budget = o.memory_budget;
  return options;
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_device_check(const char* device) {
  return guarded([&] { open_device(&not_null(device, "device"), "device"); });
}

tuwen_status tuwen_session_create(const tuwen_model* model, const tuwen_session_options* options,
                                  tuwen_session** session) {
  return guarded([&] {
    not_null(session, "session");
    *session = new tuwen_session(not_null(model, "model").loaded, read_session_options(options));
  });
}

tuwen_status tuwen_session_free(tuwen_session* session) {
  return guarded([&] {
    if (session == nullptr) return;
    Occupied::take(session->busy);  // and never given back
    delete session;
  });
}

tuwen_status tuwen_session_get_info(const tuwen_session* session, tuwen_session_info* info) {
  return guarded([&] {
    const Session& s = not_null(session, "session").session;
    tuwen_session_info value = {};
    value.threads = s.threads();
    value.scratch_bytes = s.scratch_bytes();
    set_field(value.isa, s.kernels().name);
    set_field(value.device, device_text(s.device()));
    set_field(value.device_name, s.device().name);
    value.device_weight_bytes = s.device_weight_bytes();
    set_field(value.products, s.product_library());
    write_info(info, value, "info");
  });
}

tuwen_status tuwen_session_estimate(const tuwen_model* model, const tuwen_session_options* options, int64_t* bytes) {
  return guarded([&] {
    not_null(bytes, "bytes");
    *bytes = Session::scratch_bytes(*not_null(model, "model").loaded->clip, read_session_options(options));
  });
}

void tuwen_session_cancel(tuwen_session* session) {
  if (session != nullptr) session->cancel.store(true, std::memory_order_relaxed);
}
