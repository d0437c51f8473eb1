// cuBLASLt as its documentation has it, over the fake driver's streams and the host's memory: matrices by columns, what
// is described wrongly is a failed check, and any call can be told to fail.
#pragma once

#include <map>

#include "core/blaslt.h"
#include "tests/cuda/fake_cuda.h"

namespace tw::test {

// One way to compute products, and what is the matter with it.
struct FakeWay {
  enum class Fault { none, first_k, last_column, last_row, bias, residual, all, nan };
  double milliseconds = 0.5;  // an own kernel takes 1
  Fault fault = Fault::none;
  size_t workspace = 64;
  int status = 0;                 // of the candidate
  uint64_t most_rows = 1u << 30;  // of y: more it does not do
  bool refuses = false;           // when it is to compute
  int slow_at = 0;                // the product, from 1, that takes 100 milliseconds more
};

// What is asked of the fake library. One at a time, as with Driver.
struct FakeBlasLt {
  struct Matrix {
    int type;
    uint64_t rows, columns;
    int64_t stride;
  };
  struct Product {
    std::map<int, int> values;
    const void* bias = nullptr;
  };
  struct Preference {
    uint64_t workspace = 0;
    std::map<int, uint32_t> numbers;
  };

  std::vector<FakeWay> ways = {{}};
  int fails_at = 0;  // the call, from 1, that is refused; 0: none
  int calls = 0;
  int asked = 0;             // for candidates
  std::vector<int> by = {};  // products that each way was asked to compute
  std::set<void*> handles;
  std::map<void*, Matrix> matrices;
  std::map<void*, Product> products;
  std::map<void*, Preference> preferences;

  int next() { return ++calls == fails_at ? kRefused : 0; }
  bool nothing_left() const { return handles.empty() && matrices.empty() && products.empty() && preferences.empty(); }
  static constexpr int kRefused = 15;  // CUBLAS_STATUS_NOT_SUPPORTED
};
inline FakeBlasLt* fake_blaslt = nullptr;

namespace blaslt_semantics {

inline double read(int type, const void* from, int64_t i) {
  if (type == blaslt::kF32) return static_cast<double>(static_cast<const float*>(from)[i]);
  const uint16_t half = static_cast<const uint16_t*>(from)[i];
  return static_cast<double>(type == blaslt::kF16 ? f16_to_f32(half) : bf16_to_f32(half));
}
inline void write(int type, void* to, int64_t i, double v) {
  const auto f = static_cast<float>(v);
  if (type == blaslt::kF32) {
    static_cast<float*>(to)[i] = f;
  } else {
    static_cast<uint16_t*>(to)[i] = type == blaslt::kF16 ? f32_to_f16(f) : f32_to_bf16(f);
  }
}

// D = alpha A^T B + beta C + bias, all of it known.
struct Work {
  FakeBlasLt::Matrix a, b, d;
  const void *a_data, *b_data, *bias;
  void* d_data;
  double alpha, beta;
  FakeWay way;

  void run() const {
    using Fault = FakeWay::Fault;
    driver->milliseconds += way.milliseconds;
    if (way.fault == Fault::all) return;
    const auto k = static_cast<int64_t>(a.rows);
    const auto rows = static_cast<int64_t>(d.rows) - (way.fault == Fault::last_column ? 1 : 0);
    const auto columns = static_cast<int64_t>(d.columns) - (way.fault == Fault::last_row ? 1 : 0);
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (int64_t l = way.fault == Fault::first_k ? 1 : 0; l < k; ++l)
          sum += read(a.type, a_data, i * a.stride + l) * read(b.type, b_data, j * b.stride + l);
        sum *= alpha;
        if (beta != 0 && way.fault != Fault::residual) sum += beta * read(d.type, d_data, j * d.stride + i);
        if (bias != nullptr && way.fault != Fault::bias) sum += read(d.type, bias, i);
        if (way.fault == Fault::nan && i + j == 0) sum = NAN;
        write(d.type, d_data, j * d.stride + i, sum);
      }
    }
  }
};

template <class Map>
int create_in(Map& made, void** thing, typename Map::mapped_type value) {
  if (const int status = fake_blaslt->next()) return status;
  *thing = new char;
  made[*thing] = std::move(value);
  return 0;
}
template <class Map>
int destroy_in(Map& made, void* thing) {
  CHECK(made.erase(thing) == 1);
  delete static_cast<char*>(thing);
  return 0;
}

// Whether descriptions fit together as a product that this library is asked for.
inline bool fits(void* product, void* a, void* b, void* c, void* d) {
  const FakeBlasLt& f = *fake_blaslt;
  const auto& values = f.products.at(product).values;
  const FakeBlasLt::Matrix &ma = f.matrices.at(a), &mb = f.matrices.at(b), &md = f.matrices.at(d);
  const int bias_type = values.contains(blaslt::kBiasType) ? values.at(blaslt::kBiasType) : md.type;
  return c == d && values.contains(blaslt::kTransposeA) && values.at(blaslt::kTransposeA) == 1 && ma.rows == mb.rows &&
         ma.columns == md.rows && mb.columns == md.columns && ma.type == mb.type && ma.type != blaslt::kF32 &&
         (md.type == blaslt::kF32 || md.type == ma.type) && bias_type == md.type &&
         ma.stride >= static_cast<int64_t>(ma.rows) && mb.stride >= static_cast<int64_t>(mb.rows) &&
         md.stride >= static_cast<int64_t>(md.rows);
}

inline bool aligned(const void* address, uint64_t to) { return reinterpret_cast<uintptr_t>(address) % to == 0; }

}  // namespace blaslt_semantics

// An algorithm holds its way and the alignments that it was asked for.
inline const BlasLtApi kFakeBlasLt = {
    .version = []() -> size_t { return 130100; },
    .describe = [](int) { return "not supported"; },
    .create =
        [](void** library) {
          if (const int status = fake_blaslt->next()) return status;
          fake_blaslt->handles.insert(*library = new char);
          return 0;
        },
    .destroy =
        [](void* library) {
          CHECK(fake_blaslt->handles.erase(library) == 1);
          delete static_cast<char*>(library);
          return 0;
        },
    .create_product =
        [](void** product, int compute_type, int scale_type) {
          CHECK(compute_type == blaslt::kComputeF32);
          CHECK(scale_type == blaslt::kF32);
          return blaslt_semantics::create_in(fake_blaslt->products, product, {});
        },
    .destroy_product = [](void* product) { return blaslt_semantics::destroy_in(fake_blaslt->products, product); },
    .set_product =
        [](void* product, int attribute, const void* value, size_t bytes) {
          if (const int status = fake_blaslt->next()) return status;
          FakeBlasLt::Product& p = fake_blaslt->products.at(product);
          const bool bias = attribute == blaslt::kBiasPointer;
          REQUIRE(bytes == (bias ? sizeof(void*) : sizeof(int32_t)));
          std::memcpy(bias ? static_cast<void*>(&p.bias) : &p.values[attribute], value, bytes);
          return 0;
        },
    .create_matrix =
        [](void** matrix, int type, uint64_t rows, uint64_t columns, int64_t stride) {
          return blaslt_semantics::create_in(fake_blaslt->matrices, matrix, {type, rows, columns, stride});
        },
    .destroy_matrix = [](void* matrix) { return blaslt_semantics::destroy_in(fake_blaslt->matrices, matrix); },
    .create_preference =
        [](void** preference) { return blaslt_semantics::create_in(fake_blaslt->preferences, preference, {}); },
    .destroy_preference =
        [](void* preference) { return blaslt_semantics::destroy_in(fake_blaslt->preferences, preference); },
    .set_preference =
        [](void* preference, int attribute, const void* value, size_t bytes) {
          if (const int status = fake_blaslt->next()) return status;
          FakeBlasLt::Preference& p = fake_blaslt->preferences.at(preference);
          const bool workspace = attribute == blaslt::kMostWorkspace;
          REQUIRE(bytes == (workspace ? sizeof(uint64_t) : sizeof(uint32_t)));
          std::memcpy(workspace ? static_cast<void*>(&p.workspace) : &p.numbers[attribute], value, bytes);
          return 0;
        },
    .candidates =
        [](void* library, void* product, void* a, void* b, void* c, void* d, void* preference, int most,
           blaslt::Candidate* found, int* count) {
          CHECK(driver->recording == nullptr);
          CHECK(fake_blaslt->handles.count(library) == 1);
          CHECK(blaslt_semantics::fits(product, a, b, c, d));
          ++fake_blaslt->asked;
          if (const int status = fake_blaslt->next()) return status;
          FakeBlasLt::Preference& p = fake_blaslt->preferences.at(preference);
          CHECK(p.workspace == uint64_t{32} << 20);
          CHECK(p.numbers.size() == 5);
          CHECK(p.numbers[blaslt::kReductions] == blaslt::kInComputeType);
          *count = std::min(most, static_cast<int>(fake_blaslt->ways.size()));
          for (int i = 0; i < *count; ++i) {
            const FakeWay& way = fake_blaslt->ways[static_cast<size_t>(i)];
            found[i].algorithm = {{static_cast<uint64_t>(i), p.numbers[blaslt::kAlignmentA],
                                   p.numbers[blaslt::kAlignmentB], p.numbers[blaslt::kAlignmentC],
                                   p.numbers[blaslt::kAlignmentD]}};
            found[i].workspace = way.workspace;
            found[i].status = way.status;
          }
          return 0;
        },
    .check =
        [](void* library, void* product, void* a, void* b, void* c, void* d, const blaslt::Algorithm* algorithm,
           blaslt::Candidate* result) {
          CHECK(fake_blaslt->handles.count(library) == 1);
          CHECK(blaslt_semantics::fits(product, a, b, c, d));
          if (const int status = fake_blaslt->next()) return status;
          const FakeWay& way = fake_blaslt->ways.at(algorithm->data[0]);
          result->workspace = way.workspace;
          result->status = 0;
          return fake_blaslt->matrices.at(d).columns <= way.most_rows ? 0 : FakeBlasLt::kRefused;
        },
    .multiply =
        [](void* library, void* product, const void* alpha, const void* a, void* a_matrix, const void* b,
           void* b_matrix, const void* beta, const void* c, void* c_matrix, void* d, void* d_matrix,
           const blaslt::Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream) {
          FakeBlasLt& f = *fake_blaslt;
          CHECK(f.handles.count(library) == 1);
          CHECK(blaslt_semantics::fits(product, a_matrix, b_matrix, c_matrix, d_matrix));
          CHECK(c == d);
          const size_t number = algorithm->data[0];
          const FakeWay& way = f.ways.at(number);
          CHECK(way.workspace <= workspace_bytes);
          CHECK(f.matrices.at(d_matrix).columns <= way.most_rows);
          CHECK(blaslt_semantics::aligned(a, algorithm->data[1]));
          CHECK(blaslt_semantics::aligned(b, algorithm->data[2]));
          CHECK(blaslt_semantics::aligned(c, algorithm->data[3]));
          CHECK(blaslt_semantics::aligned(d, algorithm->data[4]));
          CHECK(blaslt_semantics::aligned(workspace, 256));
          if (const int status = f.next()) return status;
          if (way.refuses) return FakeBlasLt::kRefused;
          f.by.resize(f.ways.size());
          ++f.by[number];
          const FakeBlasLt::Product& p = f.products.at(product);
          const blaslt_semantics::Work work{.a = f.matrices.at(a_matrix),
                                            .b = f.matrices.at(b_matrix),
                                            .d = f.matrices.at(d_matrix),
                                            .a_data = a,
                                            .b_data = b,
                                            .bias = p.values.at(blaslt::kEpilogue) == blaslt::kBias ? p.bias : nullptr,
                                            .d_data = d,
                                            .alpha = static_cast<double>(*static_cast<const float*>(alpha)),
                                            .beta = static_cast<double>(*static_cast<const float*>(beta)),
                                            .way = way};
          const double more = f.by[number] == way.slow_at ? 100 : 0;
          driver->put(stream, {.run = [=, bytes = way.workspace] {
                        driver->milliseconds += more;
                        std::memset(workspace, 0x5A, bytes);
                        work.run();
                      }});
          return 0;
        },
};

inline const BlasLtLibrary& fake_library() {
  static const BlasLtLibrary library = {kFakeBlasLt, blaslt_text(kFakeBlasLt.version())};
  return library;
}
inline const BlasLtLibrary& missing_library() {
  static const BlasLtLibrary library = {{}, "no libcublasLt.so.13"};
  return library;
}

// A device with the library in use.
inline Device with_library(Device device, const BlasLtLibrary& (*library)() = fake_library) {
  device.blaslt = library;
  return device;
}

}  // namespace tw::test
