// From embeddings to logits, probabilities and the loss.
#include "api/boundary.h"
#include "api/handles.h"
#include "api/occupied.h"
#include "core/checked_math.h"

namespace tw {
namespace {

// A caller's matrix; null only if it is empty.
template <class T>
std::span<T> matrix_of(T* data, size_t rows, size_t columns, const char* name) {
  const auto r = static_cast<int64_t>(rows), c = static_cast<int64_t>(columns);
  const auto size = r < 0 || c < 0 ? std::nullopt : checked_mul(r, c);
  if (!size.has_value() || *size > INT64_MAX / 8) throw_argument(name, "a size that fits into memory", "an overflow");
  if (*size > 0) not_null(data, name);
  return {data, static_cast<size_t>(*size)};
}

}  // namespace
}  // namespace tw

using namespace tw;

tuwen_status tuwen_logits(tuwen_session* session, const float* image_embeddings, size_t images,
                          const float* text_embeddings, size_t texts, float* logits_per_image, float* logits_per_text) {
  return guarded([&] {
    const Occupied occupied(not_null(session, "session").busy);
    check_embeddings(session->session.model());
    const auto width = static_cast<size_t>(session->session.model().embedding_width());
    const auto i = matrix_of(image_embeddings, images, width, "image_embeddings");
    const auto t = matrix_of(text_embeddings, texts, width, "text_embeddings");
    if (logits_per_text != nullptr) {
      const auto per_text = matrix_of(logits_per_text, texts, images, "logits_per_text");
      session->session.compare(t, i, per_text);
      if (logits_per_image == nullptr) return;
      transpose(matrix_of(logits_per_image, images, texts, "logits_per_image"), per_text, static_cast<int64_t>(texts),
                static_cast<int64_t>(images));
    } else if (logits_per_image != nullptr) {
      // The same products of the same pairs, written the other way round.
      session->session.compare(i, t, matrix_of(logits_per_image, images, texts, "logits_per_image"));
    }
  });
}

tuwen_status tuwen_softmax(const float* logits, size_t rows, size_t columns, float* out) {
  return guarded([&] {
    const auto in = matrix_of(logits, rows, columns, "logits");
    probabilities(matrix_of(out, rows, columns, "probabilities"), in, static_cast<int64_t>(rows),
                  static_cast<int64_t>(columns));
  });
}

tuwen_status tuwen_contrastive_loss(const float* logits_per_text, size_t count, float* loss) {
  return guarded([&] {
    not_null(loss, "loss");
    if (count == 0) throw_argument("count", "at least 1", "0");
    *loss = contrastive_loss(matrix_of(logits_per_text, count, count, "logits_per_text"), static_cast<int64_t>(count));
  });
}
