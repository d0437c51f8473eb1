// Numbers as Python's json module prints them, for files that have to be those of Python tools byte for byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tuwen_cli {

// Appends repr(number): the fewest digits that read back to the same double, with an exponent below 1e-4 and from 1e16
// on; NaN, Infinity and -Infinity as json.dumps has them.
void append_python_float(std::string& out, double number);
// Appends repr(round(number, 6)).
void append_python_rounded(std::string& out, double number);
// Appends "[0.5, 1e-05]", each float widened to a double.
void append_python_floats(std::string& out, std::span<const float> numbers);
// Appends "[1, 2]".
void append_python_ints(std::string& out, std::span<const int64_t> numbers);
// Appends the text in quotes; what is not ASCII becomes \uXXXX, as json.dumps has it without ensure_ascii=False.
void append_python_string(std::string& out, const std::string& text);

}  // namespace tuwen_cli
