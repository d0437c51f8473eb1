#include "io/torch_tensors.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/tensor_reader.h"

namespace tw {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 10> kStorages = {{{"torch.FloatStorage", DType::f32},
                                                                           {"torch.HalfStorage", DType::f16},
                                                                           {"torch.BFloat16Storage", DType::bf16},
                                                                           {"torch.DoubleStorage", DType::f64},
                                                                           {"torch.LongStorage", DType::i64},
                                                                           {"torch.IntStorage", DType::i32},
                                                                           {"torch.ShortStorage", DType::i16},
                                                                           {"torch.CharStorage", DType::i8},
                                                                           {"torch.ByteStorage", DType::u8},
                                                                           {"torch.BoolStorage", DType::boolean}}};

constexpr std::array<std::string_view, 21> kGlobals = {"collections.OrderedDict",
                                                       "torch._utils._rebuild_tensor",
                                                       "torch._utils._rebuild_tensor_v2",
                                                       "torch._utils._rebuild_parameter",
                                                       "torch._utils._rebuild_parameter_with_state",
                                                       "torch._tensor._rebuild_from_type_v2",
                                                       "torch.nn.parameter.Parameter",
                                                       "torch.Tensor",
                                                       "torch.Size",
                                                       "torch.device",
                                                       "_codecs.encode",
                                                       "torch.FloatStorage",
                                                       "torch.HalfStorage",
                                                       "torch.BFloat16Storage",
                                                       "torch.DoubleStorage",
                                                       "torch.LongStorage",
                                                       "torch.IntStorage",
                                                       "torch.ShortStorage",
                                                       "torch.CharStorage",
                                                       "torch.ByteStorage",
                                                       "torch.BoolStorage"};

// Reads one state dict; `field_` names the tensor at hand.
class StateDictReader {
 public:
  StateDictReader(const PickleTree& tree, const std::string& file,
                  const std::function<TorchStorage(const TorchStorageId&)>& locate)
      : tree_(tree), file_(file), locate_(locate) {}

  std::vector<StoredTensor> read() {
    PickleValue dict = tree_.root();
    if (const PickleValue* inner = tree_.find(dict, "state_dict")) dict = *inner;
    if (dict.kind != PickleKind::dict) fail(ErrorCode::unsupported, "a dict of tensors", "another object");
    const std::span<const PickleValue> pairs = tree_.items(dict);
    std::vector<StoredTensor> tensors;
    for (size_t i = 0; i < pairs.size(); i += 2) {
      if (!is_tensor(pairs[i + 1])) continue;
      if (pairs[i].kind != PickleKind::string)
        fail(ErrorCode::malformed, "a string as the name of a tensor", "another type");
      const std::string_view name = tree_.text(pairs[i]);
      field_ = tensor_field(name);
      if (static_cast<int64_t>(name.size()) > kMaxNameBytes)
        fail(ErrorCode::limit_exceeded, "a name of at most 512 bytes", std::to_string(name.size()));
      if (static_cast<int64_t>(tensors.size()) == kMaxTensors)
        fail(ErrorCode::limit_exceeded, "at most " + std::to_string(kMaxTensors) + " tensors", "more");
      tensors.push_back(rebuild(pairs[i + 1]));
      tensors.back().info.name = std::string(name);
    }
    field_.clear();
    if (tensors.empty()) fail(ErrorCode::malformed, "a dict of tensors", "no tensor in it");
    return tensors;
  }

 private:
  std::string_view function(PickleValue call) const { return tree_.text(tree_.items(call)[0]); }

  bool is_tensor(PickleValue value) const {
    if (value.kind != PickleKind::call) return false;
    const std::string_view name = function(value);
    return name.starts_with("torch._utils.") || name == "torch._tensor._rebuild_from_type_v2" ||
           name == "torch.nn.parameter.Parameter" || name == "torch.Tensor";
  }

  StoredTensor rebuild(PickleValue value) {
    // Wrappers around the call that has the storage. A pickle may nest them without end.
    for (int depth = 0; depth < 8; ++depth) {
      if (value.kind != PickleKind::call) fail(ErrorCode::malformed, "a tensor", "another type");
      const std::string_view name = function(value);
      const std::span<const PickleValue> arguments = tree_.items(value).subspan(1);
      if (name == "torch._utils._rebuild_tensor" || name == "torch._utils._rebuild_tensor_v2")
        return rebuild_tensor(arguments);
      if (arguments.empty()) break;
      if (name == "torch._tensor._rebuild_from_type_v2") {  // (function, type, arguments, state)
        if (arguments.size() < 3 || arguments[2].kind != PickleKind::tuple) break;
        const std::string_view inner = tree_.text(arguments[0]);
        const std::span<const PickleValue> inner_arguments = tree_.items(arguments[2]);
        if (inner == "torch._utils._rebuild_tensor" || inner == "torch._utils._rebuild_tensor_v2")
          return rebuild_tensor(inner_arguments);
        if (inner_arguments.empty()) break;
        value = inner_arguments[0];
      } else {  // (data, requires_grad, hooks ...)
        value = arguments[0];
      }
    }
    fail(ErrorCode::unsupported, "a tensor built by torch._utils._rebuild_tensor_v2", "another construction");
  }

  // (storage, offset, size, stride[, requires_grad, hooks[, metadata]])
  StoredTensor rebuild_tensor(std::span<const PickleValue> arguments) {
    if (arguments.size() < 4 || arguments[0].kind != PickleKind::persistent || arguments[1].kind != PickleKind::integer)
      fail(ErrorCode::malformed, "storage, offset, size and stride", "other arguments");
    if (arguments.size() > 6 && !tree_.items(arguments[6]).empty())
      fail(ErrorCode::unsupported, "a tensor without conjugation or negation bits", "one with metadata");
    const TorchStorageId id = parse_storage_id(tree_, arguments[0], field_, file_);
    const int64_t first = arguments[1].number;
    StoredTensor tensor{{"", id.dtype, integers(arguments[2], "size")}, 0, integers(arguments[3], "stride")};
    if (tensor.strides.size() != tensor.info.shape.size())
      fail(ErrorCode::malformed, std::to_string(tensor.info.shape.size()) + " strides",
           std::to_string(tensor.strides.size()));

    const int64_t width = size_of(id.dtype);
    const TorchStorage storage = locate_(id);
    const int64_t begin = storage.offset + id.view_offset * width;
    const std::optional<int64_t> skip = first < 0 ? std::nullopt : checked_mul(first, width);
    const std::optional<int64_t> offset = skip ? checked_add(begin, *skip) : std::nullopt;
    if (offset) tensor.offset = *offset;
    if (!offset || !fits(tensor, begin, begin + id.view_elements * width)) {
      fail(ErrorCode::malformed, "elements inside a storage of " + std::to_string(id.view_elements),
           "size " + shape_text(tensor.info.shape) + ", stride " + shape_text(tensor.strides) + ", offset " +
               std::to_string(first));
    }
    if (is_row_major(tensor)) tensor.strides.clear();
    return tensor;
  }

  std::vector<int64_t> integers(PickleValue value, const char* what) {
    const std::span<const PickleValue> items = tree_.items(value);
    if (value.kind != PickleKind::tuple || items.size() > static_cast<size_t>(kMaxRank))
      fail(ErrorCode::malformed, std::string(what) + ": a tuple of at most 8 integers", "something else");
    std::vector<int64_t> numbers;
    for (const PickleValue item : items) {
      if (item.kind != PickleKind::integer || item.number < 0)
        fail(ErrorCode::malformed, std::string(what) + " of integers from 0", "something else");
      numbers.push_back(item.number);
    }
    return numbers;
  }

  // Whether the strides are those of a tensor without gaps; the stride of a dimension of size 1 does not matter.
  static bool is_row_major(const StoredTensor& tensor) {
    const std::vector<int64_t>& shape = tensor.info.shape;
    if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return true;  // and the others may be huge
    int64_t step = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      const int64_t size = shape[d];
      if (size != 1 && tensor.strides[d] != step) return false;
      step *= size;
    }
    return true;
  }

  [[noreturn]] void fail(ErrorCode code, const std::string& expected, const std::string& found) const {
    throw Error(code, {.file = file_, .field = field_, .expected = expected, .found = found});
  }

  const PickleTree& tree_;
  const std::string& file_;
  const std::function<TorchStorage(const TorchStorageId&)>& locate_;
  std::string field_;
};

}  // namespace

std::span<const std::string_view> torch_globals() { return kGlobals; }

TorchStorageId parse_storage_id(const PickleTree& tree, PickleValue persistent, const std::string& field,
                                const std::string& file) {
  const auto fail = [&](ErrorCode code, const std::string& expected, const std::string& found) {
    throw Error(code, {.file = file, .field = field, .expected = expected, .found = found});
  };
  // Python 2 wrote these texts as bytes.
  const auto is_text = [](PickleValue v) { return v.kind == PickleKind::string || v.kind == PickleKind::bytes; };
  const std::span<const PickleValue> parts = tree.items(persistent);
  if ((parts.size() != 5 && parts.size() != 6) || !is_text(parts[0]) || parts[1].kind != PickleKind::global ||
      !is_text(parts[2]) || parts[4].kind != PickleKind::integer || parts[4].number < 0)
    fail(ErrorCode::malformed, "('storage', class, key, location, numel)", "another persistent id");
  if (tree.text(parts[0]) != "storage") fail(ErrorCode::unsupported, "a storage", printable(tree.text(parts[0])));

  const auto type = std::find_if(kStorages.begin(), kStorages.end(),
                                 [&](const auto& known) { return known.first == tree.text(parts[1]); });
  if (type == kStorages.end()) fail(ErrorCode::unsupported, "a typed storage", printable(tree.text(parts[1])));
  TorchStorageId id{tree.text(parts[2]), type->second, parts[4].number, 0, parts[4].number};
  if (parts.size() == 6 && parts[5].kind != PickleKind::none) {  // (view key, offset, elements)
    const std::span<const PickleValue> view = tree.items(parts[5]);
    if (parts[5].kind != PickleKind::tuple || view.size() != 3 || view[1].kind != PickleKind::integer ||
        view[2].kind != PickleKind::integer || view[1].number < 0 || view[2].number < 0 ||
        view[1].number > id.elements || view[2].number > id.elements - view[1].number)
      fail(ErrorCode::malformed, "a view inside its storage", "another");
    id.view_offset = view[1].number;
    id.view_elements = view[2].number;
  }
  return id;
}

std::vector<StoredTensor> state_dict_tensors(const PickleTree& tree, const std::string& file,
                                             const std::function<TorchStorage(const TorchStorageId&)>& locate) {
  return StateDictReader(tree, file, locate).read();
}

}  // namespace tw
