#include "cli/shard.h"

#include <charconv>

#include "cli/command.h"

namespace tuwen_cli {

Shard parse_shard(const std::string& text) {
  constexpr size_t kMost = 1000000;
  size_t index = 0, count = 0;
  const char* const last = text.data() + text.size();
  const auto [slash, first_error] = std::from_chars(text.data(), last, index);
  const bool separated = first_error == std::errc() && slash != last && *slash == '/';
  const auto [end, second_error] = std::from_chars(separated ? slash + 1 : last, last, count);
  if (!separated || second_error != std::errc() || end != last || index < 1 || index > count || count > kMost) {
    throw UsageError("--shard " + text + ": expected I/N with I from 1 to N, such as 2/4");
  }
  return {index - 1, count};
}

std::pair<size_t, size_t> part_of(Shard shard, size_t total) {
  const size_t each = total / shard.count, more = total % shard.count;
  const auto begin_of = [&](size_t i) { return each * i + (i < more ? i : more); };
  return {begin_of(shard.index), begin_of(shard.index + 1)};
}

}  // namespace tuwen_cli
