#include "core/error.h"

#include <catch2/catch.hpp>

using tw::Error;
using tw::ErrorCode;
using tw::printable;

TEST_CASE("an error says what, where, expected and found") {
  const Error e(ErrorCode::shape_mismatch, {.file = "m.safetensors", .field = "w", .expected = "[2]", .found = "[3]"});
  CHECK(std::string(e.what()) == "shape mismatch: m.safetensors: w: expected [2], found [3]");
  CHECK(e.code() == ErrorCode::shape_mismatch);
}

TEST_CASE("text from outside is made printable") {
  CHECK(printable("图文 ok") == "图文 ok");
  CHECK(printable(std::string_view("a\n\x1b\0b", 5)) == "a\\x0a\\x1b\\x00b");
  CHECK(printable("\xff\xc0\x80") == "\\xff\\xc0\\x80");
  CHECK(printable(std::string(1000, 'x'), 8) == "xxxxxxxx...");
}
