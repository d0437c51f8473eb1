// Looking for cuBLASLt on a machine that need not have it.
#include <catch2/catch.hpp>

#include "core/blaslt.h"

namespace tw::test {

TEST_CASE("blaslt: what is missing is said") {
  constexpr const char *kNowhere[] = {"libtuwen-has-none.so.13", "libtuwen-has-none.so"},
                       *kAnother[] = {"libtuwen-has-none.so.13", "libm.so.6"};
  const BlasLtLibrary none = open_blaslt(kNowhere, 13), another = open_blaslt(kAnother, 13);
  CHECK_FALSE(none.api);
  CHECK(none.text == "no libtuwen-has-none.so.13");
  CHECK_FALSE(another.api);
  CHECK(another.text == "libm.so.6 lacks functions");
}

TEST_CASE("blaslt: a version is told as it is written") {
  CHECK(blaslt_text(130100) == "cuBLASLt 13.1.0");
  CHECK(blaslt_text(120402) == "cuBLASLt 12.4.2");
}

}  // namespace tw::test
