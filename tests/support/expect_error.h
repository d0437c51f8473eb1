// Checking that something fails, with which code, and that the message names what it should.
#pragma once

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "core/error.h"

namespace tw::test {

// The tw::Error that `action` throws; the test case fails if it throws none. Any other exception passes through.
template <class Action>
Error error_of(Action&& action) {
  try {
    std::forward<Action>(action)();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error was thrown");
  throw std::logic_error("unreachable");
}

// Checks the code, and that every given part (one at least) occurs in the message.
template <class Action, class... Parts>
void expect_error(ErrorCode code, Action&& action, const Parts&... parts) {
  const Error error = error_of(std::forward<Action>(action));
  INFO(error.what());
  CHECK(name(error.code()) == name(code));
  const std::string message = error.what();
  for (const std::string& part : {std::string(parts)...}) CHECK_THAT(message, Catch::Matchers::Contains(part));
}

}  // namespace tw::test
