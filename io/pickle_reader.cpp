#include "io/pickle_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "core/error.h"

namespace tw {
namespace {

constexpr size_t kMaxStack = 65'536;
constexpr size_t kMaxMemo = 1 << 20;
constexpr size_t kMaxContainers = 1 << 20;
constexpr size_t kMaxItems = 2 << 20;
constexpr size_t kMaxText = 64 << 10;

bool has_items(PickleKind kind) {
  switch (kind) {
    case PickleKind::tuple:
    case PickleKind::list:
    case PickleKind::set:
    case PickleKind::dict:
    case PickleKind::call:
    case PickleKind::persistent:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::span<const PickleValue> PickleTree::items(PickleValue value) const {
  if (!has_items(value.kind)) return {};
  return sequences_[static_cast<size_t>(value.number)];
}

std::string_view PickleTree::text(PickleValue value) const {
  const size_t index = static_cast<size_t>(value.number);
  if (value.kind == PickleKind::global) return globals_[index];
  const bool texts =
      value.kind == PickleKind::string || value.kind == PickleKind::bytes || value.kind == PickleKind::big_integer;
  return texts ? texts_[index] : std::string_view();
}

double PickleTree::real(PickleValue value) const {
  if (value.kind == PickleKind::integer) return static_cast<double>(value.number);
  return value.kind == PickleKind::real ? std::bit_cast<double>(value.number) : 0.0;
}

const PickleValue* PickleTree::find(PickleValue dict, std::string_view key) const {
  if (dict.kind != PickleKind::dict) return nullptr;
  const std::span<const PickleValue> pairs = items(dict);
  for (size_t i = pairs.size(); i >= 2; i -= 2)
    if (pairs[i - 2].kind == PickleKind::string && text(pairs[i - 2]) == key) return &pairs[i - 1];
  return nullptr;
}

// The stack machine of Python's pickle module (Lib/pickletools.py describes every opcode).
class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, std::span<const std::string_view> allowed, const std::string& file)
      : bytes_(bytes), allowed_(allowed), file_(file) {}

  size_t run() {
    for (;;) {
      opcode_at_ = at_;
      const auto opcode = static_cast<uint8_t>(take(1)[0]);
      if (opcode == '.') {
        tree_.root_ = pop();
        return at_;
      }
      execute(opcode);
    }
  }

  PickleTree take_tree() { return std::move(tree_); }

 private:
  void execute(uint8_t opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        if (const int64_t protocol = number<uint8_t>(); protocol > 5)
          fail(ErrorCode::unsupported, "protocol 2", std::to_string(protocol));
        break;
      case 'c':  // GLOBAL
        return push_global();
      case 'q':  // BINPUT
        return remember(number<uint8_t>());
      case 'r':  // LONG_BINPUT
        return remember(number<uint32_t>());
      case 'h':  // BINGET
        return recall(number<uint8_t>());
      case 'j':  // LONG_BINGET
        return recall(number<uint32_t>());
      case '(':  // MARK
        if (marks_.size() == kMaxStack) fail(ErrorCode::limit_exceeded, "at most 65536 marks", "more");
        return marks_.push_back(stack_.size());
      case ')':  // EMPTY_TUPLE
        return push(container(PickleKind::tuple, {}));
      case 't':  // TUPLE
        return push(container(PickleKind::tuple, pop_to_mark()));
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        return push(container(PickleKind::tuple, pop_several(opcode - 0x84u)));
      case ']':  // EMPTY_LIST
        return push(container(PickleKind::list, {}));
      case '}':  // EMPTY_DICT
        return push(container(PickleKind::dict, {}));
      case 0x8f:  // EMPTY_SET
        return push(container(PickleKind::set, {}));
      case 'a':  // APPEND
        return extend(PickleKind::list, pop_several(1));
      case 'e':  // APPENDS
        return extend(PickleKind::list, pop_to_mark());
      case 's':  // SETITEM
        return extend(PickleKind::dict, pop_several(2));
      case 'u':  // SETITEMS
        return extend(PickleKind::dict, pop_to_mark());
      case 'J':  // BININT
        return push({PickleKind::integer, number<int32_t>()});
      case 'K':  // BININT1
        return push({PickleKind::integer, number<uint8_t>()});
      case 'M':  // BININT2
        return push({PickleKind::integer, number<uint16_t>()});
      case 0x8a:  // LONG1
        return push_long(number<uint8_t>());
      case 'G':  // BINFLOAT, big-endian
        return push({PickleKind::real, std::bit_cast<int64_t>(__builtin_bswap64(number<uint64_t>()))});
      case 'X':  // BINUNICODE
        return push_text(PickleKind::string, number<uint32_t>());
      case 'U':  // SHORT_BINSTRING: str of Python 2, bytes of Python 3
        return push_text(PickleKind::bytes, number<uint8_t>());
      case 'N':  // NONE
        return push({PickleKind::none, 0});
      case 0x88:  // NEWTRUE
        return push({PickleKind::boolean, 1});
      case 0x89:  // NEWFALSE
        return push({PickleKind::boolean, 0});
      case 'R':   // REDUCE
      case 0x81:  // NEWOBJ
        return push_call();
      case 'b':  // BUILD: attributes of an object, such as _metadata of a state dict; nothing here needs them
        pop();
        if (top().kind != PickleKind::dict && top().kind != PickleKind::call)
          fail(ErrorCode::malformed, "BUILD of a dict or call", "another type");
        return;
      case 'Q': {  // BINPERSID
        const PickleValue id = pop();
        if (id.kind != PickleKind::tuple) fail(ErrorCode::malformed, "a tuple as persistent id", "another type");
        count_items(1);
        tree_.persistent_ids_.push_back({PickleKind::persistent, id.number});
        return push(tree_.persistent_ids_.back());
      }
      default:
        fail(ErrorCode::unsupported, "an opcode of PyTorch's weights-only reader", "opcode " + std::to_string(opcode));
    }
  }

  std::string_view take(size_t count) {
    if (count > bytes_.size() - at_) {
      throw Error(ErrorCode::truncated, {.file = file_,
                                         .field = "pickle byte " + std::to_string(at_),
                                         .expected = std::to_string(count) + " more bytes",
                                         .found = std::to_string(bytes_.size() - at_)});
    }
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string_view line() {
    const size_t end = bytes_.substr(at_, kMaxText).find('\n');
    const std::string_view text = take(end == std::string_view::npos ? bytes_.size() - at_ + 1 : end + 1);
    return text.substr(0, text.size() - 1);
  }

  void push(PickleValue value) {
    if (stack_.size() == kMaxStack) fail(ErrorCode::limit_exceeded, "at most 65536 values on the stack", "more");
    stack_.push_back(value);
  }

  // Values below the last mark are out of reach, as in Python.
  void require(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() - floor < count)
      fail(ErrorCode::malformed, std::to_string(count) + " values on the stack", std::to_string(stack_.size() - floor));
  }

  PickleValue& top() {
    require(1);
    return stack_.back();
  }

  PickleValue pop() {
    const PickleValue value = top();
    stack_.pop_back();
    return value;
  }

  std::vector<PickleValue> pop_several(size_t count) {
    require(count);
    std::vector<PickleValue> values(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return values;
  }

  std::vector<PickleValue> pop_to_mark() {
    if (marks_.empty()) fail(ErrorCode::malformed, "a mark on the stack", "none");
    std::vector<PickleValue> values = pop_several(stack_.size() - marks_.back());
    marks_.pop_back();
    return values;
  }

  void count_items(size_t more) {
    items_ += more;
    if (items_ > kMaxItems) fail(ErrorCode::limit_exceeded, "at most 2097152 items", "more");
  }

  PickleValue container(PickleKind kind, std::vector<PickleValue> values) {
    if (tree_.sequences_.size() == kMaxContainers)
      fail(ErrorCode::limit_exceeded, "at most 1048576 containers", "more");
    count_items(values.size());
    tree_.sequences_.push_back(std::move(values));
    return {kind, static_cast<int64_t>(tree_.sequences_.size() - 1)};
  }

  void extend(PickleKind kind, const std::vector<PickleValue>& values) {
    if (top().kind != kind)
      fail(ErrorCode::malformed, kind == PickleKind::list ? "a list to append to" : "a dict to set items of",
           "another type");
    if (kind == PickleKind::dict && values.size() % 2 != 0)
      fail(ErrorCode::malformed, "pairs of key and value", "an odd number of values");
    count_items(values.size());
    std::vector<PickleValue>& target = tree_.sequences_[static_cast<size_t>(top().number)];
    target.insert(target.end(), values.begin(), values.end());
  }

  void remember(uint32_t index) {
    if (memo_.size() == kMaxMemo && !memo_.contains(index))
      fail(ErrorCode::limit_exceeded, "at most 1048576 memo entries", "more");
    memo_[index] = top();
  }

  void recall(uint32_t index) {
    const auto found = memo_.find(index);
    if (found == memo_.end()) fail(ErrorCode::malformed, "a memo entry " + std::to_string(index), "none");
    push(found->second);
  }

  void push_text(PickleKind kind, size_t length) {
    if (length > kMaxText) fail(ErrorCode::limit_exceeded, "a text of at most 65536 bytes", std::to_string(length));
    count_items(1);
    tree_.texts_.push_back(take(length));
    push({kind, static_cast<int64_t>(tree_.texts_.size() - 1)});
  }

  // Little-endian two's complement of any length.
  void push_long(size_t length) {
    if (length > 8) return push_text(PickleKind::big_integer, length);
    const std::string_view digits = take(length);
    uint64_t value = !digits.empty() && (static_cast<uint8_t>(digits.back()) & 0x80u) != 0 ? ~uint64_t{0} : 0;
    for (size_t i = length; i-- > 0;) value = (value << 8) | static_cast<uint8_t>(digits[i]);
    push({PickleKind::integer, std::bit_cast<int64_t>(value)});
  }

  void push_global() {
    std::string name(line());
    name += '.';
    name += line();
    if (std::find(allowed_.begin(), allowed_.end(), name) == allowed_.end()) {
      throw Error(ErrorCode::unsupported,
                  {.file = file_,
                   .field = "pickle byte " + std::to_string(opcode_at_),
                   .found = "global " + printable(name),
                   .note = "the file asks for something that weights do not need; it is not loaded"});
    }
    // One entry for each distinct name: a file can repeat a global as often as it likes.
    std::vector<std::string>& known = tree_.globals_;
    const auto found = std::find(known.begin(), known.end(), name);
    const std::ptrdiff_t index = found - known.begin();
    if (found == known.end()) known.push_back(std::move(name));
    push({PickleKind::global, index});
  }

  void push_call() {
    const PickleValue arguments = pop();
    const PickleValue function = pop();
    if (arguments.kind != PickleKind::tuple || function.kind != PickleKind::global)
      fail(ErrorCode::malformed, "a global and a tuple of arguments", "other types");
    const std::span<const PickleValue> given = tree_.items(arguments);
    if (tree_.text(function) == "collections.OrderedDict" && given.empty())
      return push(container(PickleKind::dict, {}));
    std::vector<PickleValue> parts = {function};
    parts.insert(parts.end(), given.begin(), given.end());
    push(container(PickleKind::call, std::move(parts)));
  }

  [[noreturn]] void fail(ErrorCode code, const std::string& expected, const std::string& found) const {
    throw Error(
        code,
        {.file = file_, .field = "pickle byte " + std::to_string(opcode_at_), .expected = expected, .found = found});
  }

  std::string_view bytes_;
  std::span<const std::string_view> allowed_;
  const std::string& file_;
  size_t at_ = 0;
  size_t opcode_at_ = 0;
  size_t items_ = 0;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, PickleValue> memo_;
  PickleTree tree_;
};

std::pair<PickleTree, size_t> parse_pickle(std::string_view bytes, std::span<const std::string_view> allowed,
                                           const std::string& file) {
  PickleMachine machine(bytes, allowed, file);
  const size_t used = machine.run();
  return {machine.take_tree(), used};
}

}  // namespace tw
