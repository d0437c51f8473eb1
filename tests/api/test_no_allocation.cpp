// Encoding pixel values and token ids allocates nothing: every malloc of the process is counted.
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/api/fixtures.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// The sanitizers bring their own malloc.
#else

namespace {
std::atomic<long> g_allocations{0};
}

#pragma GCC visibility push(default)  // for the library, too
extern "C" {
// NOLINTBEGIN: names that glibc gives
void* __libc_malloc(size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
// NOLINTEND

void* malloc(size_t size) {
  ++g_allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++g_allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  ++g_allocations;
  return __libc_realloc(old, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  ++g_allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, size_t alignment, size_t size) {
  ++g_allocations;
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? 12 : 0;
}
}
#pragma GCC visibility pop

using namespace tuwen::test;

TEST_CASE("an encode call allocates nothing") {
  const tuwen::Matrix pixels = model().processor().preprocess(pictures(5));
  const tuwen::Tokens tokens = model().processor().tokenize(texts(50));
  const tuwen_tokens_view view = tokens.view();
  std::vector<float> images(5 * 20), embeddings(view.rows * 20), logits(5 * view.rows);
  for (const tuwen_thread_source source : {TUWEN_THREADS_OWN, TUWEN_THREADS_CALLER}) {
    auto options = tuwen::make<tuwen_session_options>();
    options.threads = 2;
    options.thread_source = source;
    tuwen::Session session(model(), &options);
    const long before = g_allocations;
    for (int i = 0; i < 3; ++i) {
      session.encode_pixels(pixels.data, images);
      session.encode_tokens({view.ids, static_cast<size_t>(view.row_begin[view.rows])}, {view.row_begin, view.rows + 1},
                            embeddings);
      tuwen_logits(session.get(), images.data(), 5, embeddings.data(), view.rows, logits.data(), nullptr);
    }
    const long during = g_allocations - before;
    CHECK(during == 0);
  }
  const long before = g_allocations;
  tuwen::Session counted(model());
  CHECK(g_allocations > before);  // the counter works
}

#endif
