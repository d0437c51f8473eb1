// Intermediates by name.
#include <iterator>

#include "api/boundary.h"
#include "api/handles.h"

using namespace tw;

namespace {

tuwen_captured view_of(const std::string& name, const Captured& captured) {
  return {name.c_str(), captured.values.data(), captured.rows, captured.columns};
}

}  // namespace

tuwen_status tuwen_capture_create(const char* prefix, tuwen_capture** capture) {
  return guarded([&] {
    const std::string text = prefix == nullptr ? "" : prefix;
    not_null(capture, "capture");
    *capture = new tuwen_capture{text, Capture(text)};
  });
}

void tuwen_capture_free(tuwen_capture* capture) { delete capture; }

size_t tuwen_capture_count(const tuwen_capture* capture) {
  return capture == nullptr ? 0 : capture->capture.results().size();
}

tuwen_status tuwen_capture_at(const tuwen_capture* capture, size_t index, tuwen_captured* captured) {
  return guarded([&] {
    const auto& results = not_null(capture, "capture").capture.results();
    not_null(captured, "captured");
    if (index >= results.size()) {
      throw_argument("index", "less than " + std::to_string(results.size()), std::to_string(index));
    }
    const auto& [name, value] = *std::next(results.begin(), static_cast<std::ptrdiff_t>(index));
    *captured = view_of(name, value);
  });
}

tuwen_status tuwen_capture_get(const tuwen_capture* capture, const char* name, tuwen_captured* captured) {
  return guarded([&] {
    const auto& results = not_null(capture, "capture").capture.results();
    not_null(captured, "captured");
    const auto found = results.find(&not_null(name, "name"));
    if (found == results.end()) throw_argument("name", "the name of a captured intermediate", printable(name));
    *captured = view_of(found->first, found->second);
  });
}
