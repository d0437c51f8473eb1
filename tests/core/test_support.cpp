// The measuring tools themselves: hand-computed values for the oracle, and proof that guards and bounds can fail.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <set>

#include "tests/support/error_bound.h"
#include "tests/support/guarded.h"
#include "tests/support/oracle.h"
#include "tests/support/random.h"

using namespace tw::test;

namespace {

// True when `action`, run in a child process, ends in a signal (or in the sanitizer's report of one).
template <class Action>
bool faults(Action action) {
  const pid_t child = fork();
  if (child == 0) {
    close(STDERR_FILENO);
    std::signal(SIGSEGV, SIG_DFL);
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace

TEST_CASE("oracle: hand-computed values") {
  const Sum y = linear(Doubles{1, -2}, Doubles{3, 4, 5, 6}, Doubles{10, -20}, 1, 2, 2);
  CHECK(y.value == Doubles{5, -27});
  CHECK(y.magnitude == Doubles{21, 37});

  const Doubles normed = layer_norm(Doubles{1, 3}, Doubles{2, 5}, Doubles{0, 1}, 1, 2, 3.0);  // mean 2, variance 1
  CHECK(normed == Doubles{-1.0, 3.5});

  const Doubles p = softmax(Doubles{1000, 1000, 1000 + std::log(2.0)}, 1, 3);
  CHECK(p[0] == Approx(0.25));
  CHECK(p[2] == Approx(0.5));

  const double out = -std::numeric_limits<double>::infinity();
  const Attention a = attention(Doubles{2}, Doubles{1, 1, 50}, Doubles{4, -8, 1e9}, Doubles{0, 0, out}, 1, 3, 1, 0.5);
  CHECK(a.context == Doubles{-2});
  CHECK(a.magnitude == Doubles{6});
  CHECK(a.probabilities == Doubles{0.5, 0.5, 0});

  CHECK(l2_normalize(Doubles{3, 4}, 1, 2) == Doubles{0.6, 0.8});
  CHECK(std::isnan(l2_normalize(Doubles{0, 0}, 1, 2)[0]));

  // Two channels, 2x5 pixels, patch 2: the last column belongs to no patch.
  const Doubles pixels{1, 2, 3, 4, 9, 5, 6, 7, 8, 9, 10, 20, 30, 40, 9, 50, 60, 70, 80, 9};
  const Doubles w{1, 0, 0, 0, 0, 0, 0, 1};
  CHECK(patch_embedding(pixels, w, 2, 2, 5, 2, 1).value == Doubles{61, 83});
}

TEST_CASE("oracle: activations") {
  CHECK(activation("gelu", 1.0) == Approx(0.8413447460685429).epsilon(1e-15));
  CHECK(activation("gelu_new", 1.0) == Approx(0.8411919906082768).epsilon(1e-15));
  CHECK(activation("quick_gelu", -1.0) == Approx(-0.1542042340671787).epsilon(1e-14));
  CHECK(activation("mish", 1e4) == 1e4);
  CHECK(activation("relu6", 7.0) == 6.0);
  CHECK(activation("gelu_10", 11.0) == 10.0);
  CHECK(activation("selu", -1e3) == Approx(-1.7580993408473766).epsilon(1e-15));
  CHECK(activation("gelu", -1e3) == 0.0);
  CHECK_THROWS_AS(activation("GELU", 1.0), std::invalid_argument);
}

TEST_CASE("error bounds reject what they should") {
  const std::vector<float> got{1.0f, 2.0f};
  CHECK(check_sum(got, Doubles{1, 2}, Doubles{1, 2}, 1).ok());
  CHECK_FALSE(check_sum(got, Doubles{1, 2.00001}, Doubles{1000, 2}, 1).ok());
  CHECK(check_sum(got, Doubles{1, 2.00001}, Doubles{1000, 2}, 1).index == 1);
  CHECK_FALSE(check_sum(std::vector<float>{NAN}, Doubles{0}, Doubles{1e30}, 1).ok());
  CHECK_FALSE(check_sum(std::vector<float>{0.0f}, Doubles{NAN}, Doubles{1e30}, 1).ok());
  CHECK(check_sum(std::vector<float>{NAN}, Doubles{NAN}, Doubles{0}, 1).ok());
  CHECK_FALSE(check_sum(got, Doubles{1}, Doubles{1}, 1).ok());
  CHECK_FALSE(check_relative(got, Doubles{1, 2.1}, 1e-2, 0).ok());
  CHECK(summation_depth(64, 16) == 9.0);
}

TEST_CASE("guarded buffers notice every stray access") {
  for (const Edge edge : {Edge::begin, Edge::end}) {
    for (const int64_t offset : {0, 1, 15}) {
      Guarded<float> buffer(1001, edge, offset);
      CHECK(buffer.unwritten() == 1001);
      CHECK(std::isnan(buffer.data()[0]));
      for (float& v : buffer.span()) v = 0.0f;
      CHECK(buffer.unwritten() == 0);
      CHECK(buffer.surroundings_intact());
      buffer.data()[500] = NAN;
      CHECK(buffer.unwritten() == 0);  // another NaN is not the poison
      if (edge == Edge::end) {
        CHECK(buffer.data()[-1] != 0.0f);
        buffer.data()[-1] = 0.0f;
        CHECK_FALSE(buffer.surroundings_intact());
        CHECK(faults([&] { buffer.data()[1001 + offset] = 1.0f; }));
      } else {
        CHECK(faults([&] { buffer.data()[-1 - offset] = 1.0f; }));
      }
    }
  }
  Guarded<float> frozen(4, std::vector<float>{1, 2, 3, 4});
  frozen.freeze();
  CHECK(frozen.span()[3] == 4.0f);
  CHECK(faults([&] { frozen.data()[0] = 1.0f; }));
  Guarded<uint8_t> bytes(7);
  CHECK(bytes.unwritten() == 7);
  CHECK_FALSE(faults([&] { bytes.data()[6] = 1; }));
}

TEST_CASE("random inputs are what they claim") {
  Random a(7), b(7);
  CHECK(a.bits() == b.bits());
  std::set<float> seen;
  for (const float v : a.integer_vector(2000)) seen.insert(v);
  CHECK(seen == std::set<float>{-4, -3, -2, -1, 0, 1, 2, 3, 4});
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; ++i) {
    const double v = a.normal();
    sum += v, squares += v * v;
  }
  CHECK(std::abs(sum / 20000) < 0.03);
  CHECK(std::abs(squares / 20000 - 1) < 0.05);
}
