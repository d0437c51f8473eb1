#include "io/torch_checkpoint.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>

#include "io/checkpoint.h"
#include "io/pickle_reader.h"
#include "tests/io/pickle_bytes.h"
#include "tests/io/safetensors_bytes.h"
#include "tests/io/zip_bytes.h"
#include "tests/support/expect_error.h"
#include "tests/support/memory_file.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

using namespace tw;
using namespace tw::test;

namespace {

const std::filesystem::path kData = std::filesystem::path(TUWEN_TEST_DATA) / "io";

int64_t elements(const TensorInfo& tensor) {
  int64_t n = 1;
  for (const int64_t d : tensor.shape) n *= d;
  return n;
}

std::vector<float> read_all(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  std::vector<float> out(static_cast<size_t>(elements(tensor)), std::nanf(""));
  checkpoint.read_f32(tensor, out);
  return out;
}

// Every tensor of one checkpoint is in the other with the same shape and bits, read whole and row by row.
void check_equal(const Checkpoint& got, const Checkpoint& expected) {
  for (const TensorInfo& tensor : expected.tensors()) {
    CAPTURE(tensor.name);
    const TensorInfo* found = got.find(tensor.name);
    REQUIRE(found != nullptr);
    REQUIRE(found->shape == tensor.shape);
    const std::vector<float> values = read_all(expected, tensor);
    CHECK(bytes_of(read_all(got, *found)) == bytes_of(values));
    if (tensor.shape.empty() || values.empty()) continue;
    const int64_t row = elements(tensor) / tensor.shape[0];
    for (int64_t first = 0; first < tensor.shape[0]; ++first) {
      std::vector<float> part(static_cast<size_t>(row * std::min<int64_t>(2, tensor.shape[0] - first)), std::nanf(""));
      got.read_f32_rows(*found, first, part);
      CHECK(std::equal(part.begin(), part.end(), values.begin() + first * row));
    }
  }
}

// A checkpoint with this pickle and one storage "0" of `bytes` bytes.
std::string archive(const std::string& pickle, size_t bytes = 64) {
  return zip_of({{"x/data.pkl", pickle}, {"x/data/0", std::string(bytes, '\0')}, {"x/version", "3\n"}}).bytes;
}

std::string state_dict(const std::string& value) {
  return pickle::proto() + pickle::dict(pickle::text("w") + value) + pickle::stop();
}

std::vector<StoredTensor> read(const std::string& bytes) {
  const TempDir dir;
  return read_torch_checkpoint(File::open(dir.write("m.bin", bytes)));
}

void expect(ErrorCode code, const std::string& bytes, const std::string& part) {
  expect_error(
      code, [&] { read(bytes); }, part, "m.bin");
}

// Reads every tensor of the file; false if it is refused. Anything but a tw::Error fails the test.
bool readable(const std::filesystem::path& path) {
  try {
    const Checkpoint checkpoint = Checkpoint::open(path);
    for (const TensorInfo& tensor : checkpoint.tensors()) {
      if (elements(tensor) > 1 << 20) continue;  // by a stride of 0
      std::vector<float> out(static_cast<size_t>(elements(tensor)));
      if (tensor.dtype == DType::f32) checkpoint.read_f32(tensor, out, false);
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("state dicts saved by PyTorch give PyTorch's values: views, shared storages, parameters, every type") {
  const Checkpoint expected = Checkpoint::open(kData / "torch.safetensors");
  CHECK(expected.tensors().size() == 23);
  for (const char* name : {"torch_zip.bin", "torch_legacy.bin"}) {
    CAPTURE(name);
    const Checkpoint got = Checkpoint::open(kData / name);
    CHECK(got.tensors().size() == expected.tensors().size());
    check_equal(got, expected);
    CHECK(got.find("half")->dtype == DType::f16);
    CHECK(got.find("bfloat")->dtype == DType::bf16);
    CHECK(got.find("double")->dtype == DType::f64);
  }
  check_equal(Checkpoint::open(kData / "torch_no_crc.bin"), Checkpoint::open(kData / "torch_no_crc.bin"));
}

TEST_CASE("sharded PyTorch files are read through their index") {
  const Checkpoint got = Checkpoint::open(kData / "sharded");
  const Checkpoint all = Checkpoint::open(kData / "torch_zip.bin");
  REQUIRE(got.tensors().size() == 4);
  for (const TensorInfo& tensor : got.tensors()) CHECK(read_all(got, tensor) == read_all(all, *all.find(tensor.name)));
  CHECK(got.file_of(*got.find("plain")) != got.file_of(*got.find("bfloat")));
}

TEST_CASE("a cn_clip checkpoint reads as the reference's converter writes it") {
  const Checkpoint expected = Checkpoint::open(kData / "cn_clip.safetensors");
  const Checkpoint original = Checkpoint::open(kData / "cn_clip.pt");
  check_equal(original, expected);
  CHECK(original.tensors().size() == expected.tensors().size());  // and nothing else, such as the pooler
  const Checkpoint converted = Checkpoint::open(kData / "converted.bin");
  check_equal(converted, expected);
  CHECK(converted.tensors().size() == expected.tensors().size());
}

TEST_CASE("integer buffers are listed and can be read") {
  const Checkpoint checkpoint = Checkpoint::open(kData / "torch_integers.bin");
  CHECK(checkpoint.tensors().size() == 3);
  CHECK(checkpoint.find("mask")->dtype == DType::boolean);
  std::vector<int64_t> ids(5);
  checkpoint.read_i64(*checkpoint.find("position_ids"), ids);
  CHECK(ids == std::vector<int64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("what is not a state dict of dense tensors is refused and named") {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"refused_module.bin", "global torch.nn.modules.linear.Linear"},
      {"refused_torchscript.pt", "TorchScript"},
      {"refused_quantized.bin", "global torch._utils._rebuild_qtensor"},
      {"refused_sparse.bin", "global torch._utils._rebuild_sparse_tensor"},
      {"refused_complex.bin", "ComplexFloatStorage"},
      {"refused_float8.bin", "global torch._utils._rebuild_tensor_v3"},
      {"refused_function.bin", "print"},
      {"refused_list.bin", "a dict of tensors"}};
  for (const auto& [name, part] : cases)
    expect_error(
        ErrorCode::unsupported, [&, file = name] { Checkpoint::open(kData / file); }, name, part);
  expect_error(
      ErrorCode::malformed, [&] { Checkpoint::open(kData / "refused_no_tensors.bin"); }, "no tensor in it");
}

TEST_CASE("files that are something else altogether") {
  const TempDir dir;
  const auto open = [&](const char* name, std::string_view bytes) { Checkpoint::open(dir.write(name, bytes)); };
  const char* pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n";
  expect_error(
      ErrorCode::malformed, [&] { open("pytorch_model.bin", pointer); }, "Git LFS pointer", "git lfs pull");
  expect_error(
      ErrorCode::malformed, [&] { open("model.safetensors", pointer); }, "Git LFS pointer");
  expect_error(
      ErrorCode::malformed, [&] { open("a.bin", "<!DOCTYPE html>"); }, "a file saved by PyTorch");
  expect_error(
      ErrorCode::malformed, [&] { open("a.pt", ""); }, "a file saved by PyTorch");
  std::string tar(1024, '\0');
  tar.replace(257, 5, "ustar");
  expect_error(
      ErrorCode::unsupported, [&] { open("a.bin", tar); }, "tar");
  open("renamed.bin.safetensors", read_text(kData / "torch_zip.bin"));  // the content decides
}

TEST_CASE("archives as other writers make them: sizes in place, zip64") {
  const std::string pickle = state_dict(pickle::tensor(pickle::storage("FloatStorage", "0", 16), 4, {2, 3}, {3, 1}));
  std::vector<float> values(16);
  for (size_t i = 0; i < 16; ++i) values[i] = static_cast<float>(i);
  for (const bool deferred : {true, false}) {
    for (const bool zip64_end : {true, false}) {
      for (const bool zip64_sizes : {true, false}) {
        const ZipBytes zip = zip_of(
            {{"any name/data.pkl", pickle}, {"any name/byteorder", "little"}, {"any name/data/0", bytes_of(values)}},
            {deferred, zip64_end, zip64_sizes});
        const TempDir dir;
        const Checkpoint checkpoint = Checkpoint::open(dir.write("m.bin", zip.bytes));
        CHECK(read_all(checkpoint, checkpoint.tensors().at(0)) == std::vector<float>{4, 5, 6, 7, 8, 9});
      }
    }
  }
}

TEST_CASE("every field of the zip headers has to agree") {
  const std::string pickle = state_dict(pickle::tensor(pickle::storage("FloatStorage", "0", 16), 0, {16}, {1}));
  const std::vector<ZipItem> items = {{"x/data.pkl", pickle}, {"x/data/0", std::string(64, 'd')}};
  const ZipBytes good = zip_of(items, {.deferred = false});
  const auto changed = [&](size_t at, const char* bytes, size_t count) {
    std::string copy = good.bytes;
    copy.replace(at, count, bytes, count);
    return copy;
  };
  const size_t local = good.local[1], central = good.central[1];
  expect(ErrorCode::malformed, changed(local, "PK\5\6", 4), "x/data/0");
  expect(ErrorCode::malformed, changed(local + 6, "\x08\x08", 2), "agrees with the directory");           // flags
  expect(ErrorCode::malformed, changed(local + 8, "\x08", 1), "agrees with the directory");               // method
  expect(ErrorCode::malformed, changed(local + 14, "\x01\x02\x03\x04", 4), "agrees with the directory");  // checksum
  expect(ErrorCode::malformed, changed(local + 18, "\x01", 1), "agrees with the directory");              // compressed
  expect(ErrorCode::malformed, changed(local + 22, "\x01", 1), "agrees with the directory");              // size
  expect(ErrorCode::malformed, changed(local + 26, "\x07", 1), "agrees with the directory");              // name length
  expect(ErrorCode::malformed, changed(local + 28, "\xff\xff", 2), "x/data/0");            // extra length
  expect(ErrorCode::malformed, changed(local + 30, "y", 1), "agrees with the directory");  // name
  expect(ErrorCode::malformed, changed(central, "PK\1\3", 4), "zip directory");
  expect(ErrorCode::unsupported, changed(central + 8, "\x01", 1), "encryption");
  expect(ErrorCode::malformed, changed(central + 10, "\x08", 1), "agrees with the directory");  // method
  for (const size_t entry : {size_t{0}, size_t{1}}) {  // deflated, as both headers say
    std::string deflated = good.bytes;
    deflated[good.local[entry] + 8] = deflated[good.central[entry] + 10] = 8;
    expect(ErrorCode::unsupported, deflated, "a compressed one");
  }
  expect(ErrorCode::malformed, changed(central + 20, "\x01", 1), "one size");
  expect(ErrorCode::malformed, changed(central + 28, "\xff", 1), "zip directory");  // name length
  expect(ErrorCode::malformed, changed(central + 32, "\xff", 1), "zip directory");  // comment length
  expect(ErrorCode::unsupported, changed(central + 34, "\x01", 1), "volume");
  expect(ErrorCode::malformed, changed(central + 42, "\x01", 1), "x/data/0");  // where the local header is
  expect(ErrorCode::malformed, changed(central + 42, "\xff\xff\xff\x7f", 4), "before the directory");
  expect(ErrorCode::truncated, changed(good.end, "PK\5\5", 4), "zip end record");
  expect(ErrorCode::unsupported, changed(good.end + 4, "\x01", 1), "volume");
  expect(ErrorCode::malformed, changed(good.end + 8, "\x01\0\x01", 3), "zip directory");  // one entry less
  expect(ErrorCode::malformed, changed(good.end + 8, "\x03\0\x03", 3), "zip directory");  // one more
  expect(ErrorCode::malformed, changed(good.end + 12, "\x01", 1), "zip directory");
  expect(ErrorCode::malformed, changed(good.end + 16, "\x01", 1), "zip directory");
  expect(ErrorCode::truncated, changed(good.end + 20, "\x01", 1), "without a comment");
  expect(ErrorCode::truncated, good.bytes + "x", "last 22 bytes");
  expect(ErrorCode::truncated, good.bytes.substr(0, good.bytes.size() - 1), "last 22 bytes");
  expect(ErrorCode::truncated, good.bytes.substr(0, 10), "22 bytes");
  std::string wrong = good.bytes;
  wrong[good.local[0] + 30 + 10 + 7 + 5] ^= 1;  // a byte of the pickle
  expect(ErrorCode::malformed, wrong, "CRC-32");
}

TEST_CASE("archives that try to be clever") {
  const std::string pickle = state_dict(pickle::tensor(pickle::storage("FloatStorage", "0", 16), 0, {16}, {1}));
  const std::string data(64, 'd');
  const auto with = [&](const std::vector<ZipItem>& items) { return zip_of(items).bytes; };
  expect(ErrorCode::malformed, with({{"x/data/0", data}}), "data.pkl");
  expect(ErrorCode::malformed, with({{"x/data.pkl", pickle}}), "storage 0");
  expect(ErrorCode::malformed, with({{"x/data.pkl", pickle}, {"y/data/0", data}}), "one folder");
  expect(ErrorCode::malformed, with({{"data.pkl", pickle}, {"data/0", data}}), "one folder");
  expect(ErrorCode::malformed, with({{"x/data.pkl", pickle}, {"x/data/0", data}, {"x/data/0", data}}), "twice");
  for (const char* name :
       {"/x/data.pkl", "x/../data.pkl", "../x", "x//data.pkl", "x\\data.pkl", "C:/data.pkl", "x/./y", ""})
    expect(ErrorCode::malformed, with({{name, pickle}}), "relative path");
  expect(ErrorCode::unsupported, with({{"x/data.pkl", pickle}, {"x/data/0", data}, {"x/byteorder", "big"}}), "little");
  expect(ErrorCode::unsupported, with({{"x/data.pkl", pickle}, {"x/data/0", data}, {"x/constants.pkl", "."}}),
         "TorchScript");
  expect(ErrorCode::unsupported, with({{"x/data.pkl", pickle}, {"x/code/a.py", "."}}), "TorchScript");
  expect(ErrorCode::malformed, with({{"x/data.pkl", pickle}, {"x/data/0", data + "x"}}), "65 bytes");
  expect(ErrorCode::malformed, with({{"x/data.pkl", pickle + "N."}, {"x/data/0", data}}), "2 more bytes");
  // Two directory records for one local header: the same bytes twice, as zip bombs have it.
  ZipBytes overlapping = zip_of({{"x/data.pkl", pickle}, {"x/data/0", data}, {"x/data/1", data}});
  const uint32_t at = static_cast<uint32_t>(overlapping.local[1]);
  std::memcpy(overlapping.bytes.data() + overlapping.central[2] + 42, &at, 4);
  expect(ErrorCode::malformed, overlapping.bytes, "agrees with the directory");
  std::memcpy(overlapping.bytes.data() + overlapping.central[2] + 46 + 7, "0", 1);
  expect(ErrorCode::malformed, overlapping.bytes, "twice");
  // An entry that reaches into the next one.
  ZipBytes reaching = zip_of({{"x/data.pkl", pickle}, {"x/data/0", data}, {"x/data/1", data}});
  const uint32_t larger = 100;
  std::memcpy(reaching.bytes.data() + reaching.central[1] + 20, &larger, 4);
  std::memcpy(reaching.bytes.data() + reaching.central[1] + 24, &larger, 4);
  expect(ErrorCode::malformed, reaching.bytes, "no overlap");
}

TEST_CASE("tensors that reach beyond their storage, or whose sizes overflow") {
  using namespace pickle;
  const std::string floats = storage("FloatStorage", "0", 16);
  const auto with = [&](int64_t offset, const std::vector<int64_t>& size, const std::vector<int64_t>& stride) {
    return archive(state_dict(tensor(floats, offset, size, stride)));
  };
  CHECK(read(with(0, {16}, {1})).size() == 1);
  CHECK(read(with(15, {1, 1}, {1000, 1000})).size() == 1);  // strides of dimensions of size 1 do not count
  CHECK(read(with(16, {0}, {1})).size() == 1);
  CHECK(read(with(3, {1 << 20, 4}, {0, 4})).size() == 1);
  struct Bad {
    int64_t offset;
    std::vector<int64_t> size, stride;
  };
  const int64_t huge = INT64_MAX;
  for (const Bad& bad : std::vector<Bad>{{0, {17}, {1}},
                                         {1, {16}, {1}},
                                         {16, {1}, {1}},
                                         {17, {0}, {1}},
                                         {-1, {1}, {1}},
                                         {0, {4, 4}, {5, 1}},
                                         {0, {2}, {16}},
                                         {huge, {1}, {1}},
                                         {huge / 4, {1}, {1}},
                                         {huge / 4 + 1, {0}, {1}},
                                         {0, {huge}, {1}},
                                         {0, {2, huge}, {0, 0}},
                                         {0, {huge, 2}, {1, 1}},
                                         {0, {3}, {huge}},
                                         {0, {2, 2}, {huge, 1}},
                                         {0, {1LL << 32, 1LL << 32}, {1, 1}},
                                         {0, {1LL << 62}, {4}}})
    expect(ErrorCode::malformed, with(bad.offset, bad.size, bad.stride), "a storage of 16");
  expect(ErrorCode::malformed, with(0, {-1}, {1}), "integers from 0");
  expect(ErrorCode::malformed, with(0, {2}, {-1}), "integers from 0");
  expect(ErrorCode::malformed, with(0, {2, 2}, {1}), "2 strides");
  expect(ErrorCode::malformed, with(0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)), "at most 8");
  for (const int64_t lie : {int64_t{15}, int64_t{17}, huge, int64_t{1} << 62, int64_t{-1}})
    expect(ErrorCode::malformed, archive(state_dict(tensor(storage("FloatStorage", "0", lie), 0, {1}, {1}))), "");
  expect(ErrorCode::malformed, archive(state_dict(tensor(storage("DoubleStorage", "0", 16), 0, {1}, {1}))), "64 bytes");
  expect(ErrorCode::malformed, archive(state_dict(tensor(storage("FloatStorage", "7", 16), 0, {1}, {1}))), "storage 7");
  expect(ErrorCode::malformed, archive(state_dict(tensor(storage("FloatStorage", "../0", 16), 0, {1}, {1}))),
         "storage ../0");
}

TEST_CASE("pickles that ask for code are refused before anything of them is used") {
  using namespace pickle;
  const std::vector<std::pair<std::string, std::string>> wanted = {{"os", "system"},
                                                                   {"posix", "system"},
                                                                   {"nt", "system"},
                                                                   {"subprocess", "Popen"},
                                                                   {"builtins", "eval"},
                                                                   {"builtins", "exec"},
                                                                   {"__builtin__", "eval"},
                                                                   {"builtins", "getattr"},
                                                                   {"builtins", "__import__"},
                                                                   {"operator", "attrgetter"},
                                                                   {"importlib", "import_module"},
                                                                   {"runpy", "_run_code"},
                                                                   {"pickle", "loads"},
                                                                   {"torch", "load"},
                                                                   {"torch.hub", "load"},
                                                                   {"numpy.testing._private.utils", "runstring"},
                                                                   {"webbrowser", "open"},
                                                                   {"socket", "create_connection"},
                                                                   {"shutil", "rmtree"},
                                                                   {"ctypes", "CDLL"},
                                                                   {"code", "InteractiveInterpreter"},
                                                                   {"pty", "spawn"},
                                                                   {"timeit", "timeit"},
                                                                   {"asyncio", "run"},
                                                                   {"collections", "OrderedDict.__init__"},
                                                                   {"torch._utils", "_rebuild_tensor_v2 "},
                                                                   {"torch", "FloatStorage\r"},
                                                                   {"", ""},
                                                                   {"torch._utils._rebuild_tensor_v2", ""},
                                                                   {"collections.OrderedDict\nx", "y"}};
  for (const auto& [module, name] : wanted) {
    CAPTURE(module, name);
    // Called at once, called later, as a class, as a wrapped tensor, and only mentioned.
    const std::string function = global(module, name);
    for (const std::string& value :
         {call(function, tuple(text("echo"))), function + ")\x81", function,
          call(global("torch._tensor", "_rebuild_from_type_v2"), tuple(function + none() + tuple(text("x")) + none()))})
      expect(ErrorCode::unsupported, archive(state_dict(value)), "global");
  }
  // Opcodes beyond the set: INST, OBJ, EXT1, STACK_GLOBAL, NEWOBJ_EX, PERSID, POP, DUP, FRAME, BUFFER.
  for (const int opcode : {0x69, 0x6f, 0x82, 0x93, 0x92, 0x50, 0x30, 0x32, 0x95, 0x97, 0x00, 0xff})
    expect(ErrorCode::unsupported, archive(state_dict(none() + static_cast<char>(opcode))), "opcode");
}

TEST_CASE("pickles whose values have the wrong type are refused, never misread") {
  using namespace pickle;
  const std::string floats = storage("FloatStorage", "0", 16);
  const std::string one = numbers({1});
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  // SETITEM and APPEND on anything but a dict and a list; BUILD on anything but an object.
  for (const std::string& target :
       {none(), integer(1), text("x"), tuple(""), floats, tensor(floats, 0, {1}, {1}), rebuild}) {
    expect(ErrorCode::malformed, archive(state_dict(target + none() + none() + "s")), "dict");
    expect(ErrorCode::malformed, archive(state_dict(target + mark() + none() + none() + "u")), "dict");
    expect(ErrorCode::malformed, archive(state_dict(target + none() + "a")), "list");
    expect(ErrorCode::malformed, archive(state_dict(target + mark() + "e")), "list");
  }
  expect(ErrorCode::malformed, archive(state_dict("]" + none() + none() + "s")), "dict");
  expect(ErrorCode::malformed, archive(state_dict("}" + none() + "a")), "list");
  expect(ErrorCode::malformed, archive(state_dict("}(" + none() + "u")), "odd number");
  for (const std::string& target : {none(), integer(1), text("x"), tuple(""), floats, rebuild, std::string("]")})
    expect(ErrorCode::malformed, archive(state_dict(target + none() + "b")), "BUILD");
  // REDUCE and NEWOBJ want a global and a tuple.
  for (const std::string& function : {none(), integer(7), text("os.system"), floats, tuple(rebuild)})
    for (const char* opcode : {"R", "\x81"})
      expect(ErrorCode::malformed, archive(state_dict(function + tuple("") + opcode)), "a global");
  for (const std::string& arguments : {none(), integer(7), std::string("]"), std::string("}"), floats})
    expect(ErrorCode::malformed, archive(state_dict(call(rebuild, arguments))), "a tuple of arguments");
  // Persistent ids.
  for (const std::string& id : {none(), text("storage"), integer(0), std::string("]"), tensor(floats, 0, {1}, {1})})
    expect(ErrorCode::malformed, archive(state_dict(id + "Q")), "persistent id");
  const std::string type = global("torch", "FloatStorage");
  const auto with_id = [&](const std::string& id) { return archive(state_dict(tensor(tuple(id) + "Q", 0, {1}, {1}))); };
  CHECK(read(with_id(text("storage") + type + text("0") + text("cuda:3") + big(16))).size() == 1);
  expect(ErrorCode::malformed, with_id(""), "persistent id");
  expect(ErrorCode::malformed, with_id(text("storage") + type + text("0") + text("cpu")), "persistent id");
  expect(ErrorCode::malformed, with_id(text("storage") + text("FloatStorage") + text("0") + text("cpu") + big(16)),
         "persistent id");
  expect(ErrorCode::malformed, with_id(text("storage") + type + integer(0) + text("cpu") + big(16)), "persistent id");
  expect(ErrorCode::malformed, with_id(text("storage") + type + text("0") + text("cpu") + text("16")), "persistent id");
  expect(ErrorCode::unsupported, with_id(text("module") + type + text("0") + text("cpu") + big(16)), "a storage");
  expect(ErrorCode::unsupported, with_id(text("storage") + rebuild + text("0") + text("cpu") + big(16)),
         "typed storage");
  // Arguments of the tensor.
  const auto with_arguments = [&](const std::string& arguments) {
    return archive(state_dict(call(rebuild, tuple(arguments))));
  };
  CHECK(read(with_arguments(floats + big(0) + one + one)).size() == 1);
  for (const std::string& bad :
       {std::string(), floats, floats + big(0) + one, none() + big(0) + one + one, floats + none() + one + one,
        floats + big(0) + none() + one, floats + big(0) + one + big(1), floats + big(0) + tuple(none()) + one,
        floats + big(0) + tuple(text("1")) + one, floats + truth(false) + one + one})
    expect(ErrorCode::malformed, with_arguments(bad), "\"w\"");
  expect(ErrorCode::unsupported,
         with_arguments(floats + big(0) + one + one + truth(false) + none() + dict(text("neg") + truth(true))),
         "negation");
  // Names, roots and wrappers.
  expect(ErrorCode::malformed, archive(proto() + dict(integer(1) + tensor(floats, 0, {1}, {1})) + stop()), "a string");
  for (const std::string& root : {none(), std::string("]"), integer(1), tensor(floats, 0, {1}, {1}), tuple("")})
    expect(ErrorCode::unsupported, archive(proto() + root + stop()), "a dict of tensors");
  expect(ErrorCode::unsupported, archive(proto() + dict(text("state_dict") + none()) + stop()), "a dict of tensors");
  expect(ErrorCode::limit_exceeded,
         archive(proto() + dict(text(std::string(513, 'n')) + tensor(floats, 0, {1}, {1})) + stop()), "512 bytes");
  std::string nested = tensor(floats, 0, {1}, {1});
  CHECK(read(archive(state_dict(call(global("torch._utils", "_rebuild_parameter"), tuple(nested))))).size() == 1);
  for (int i = 0; i < 20; ++i) nested = call(global("torch._utils", "_rebuild_parameter"), tuple(nested));
  expect(ErrorCode::unsupported, archive(state_dict(nested)), "another construction");
  // A wrapper around itself: memo 0 is the list that becomes the argument... and a dict that holds itself.
  expect(ErrorCode::malformed,
         archive(proto() + "}q" + std::string(1, '\0') + text("w") + "h" + std::string(1, '\0') + "s" + stop()),
         "no tensor in it");
}

TEST_CASE("pickles that break the machine itself: stack, memo, marks, lengths") {
  using namespace pickle;
  const auto parse = [](const std::string& bytes) {
    const std::vector<std::string_view> allowed = {"collections.OrderedDict"};
    return parse_pickle(bytes, allowed, "p");
  };
  for (const char* bytes : {".",
                            "a",
                            "s",
                            "e",
                            "u",
                            "t",
                            "R",
                            "b",
                            "Q",
                            "\x85",
                            "\x86",
                            "\x87",
                            "N\x86",
                            "NN\x87",
                            "(.",
                            "N(.",
                            "N(a",
                            "](N(a",
                            "(t(u",
                            "q\x01",
                            "N(q\x01",
                            "h\x05",
                            "j\x05\x05\x05\x05",
                            "}Ns"})
    CHECK_THROWS_AS(parse(std::string(bytes) + "."), Error);
  // Every cut of a pickle is truncated, wherever it falls.
  const std::string good = proto() +
                           dict(text("图文") + big(-5) + text("r") + std::string("G\x3f\xf0\0\0\0\0\0\0", 9) +
                                text("o") + call(global("collections", "OrderedDict"), ")") + text("m") + integer(-3) +
                                text("k") + "K\xff" + text("h") + "M\xff\xff" + text("b") + "U\x02hi") +
                           stop();
  const std::string more = good + "rest";  // the tree points into it
  const auto [tree, used] = parse(more);
  CHECK(used == good.size());
  const PickleTree& t = tree;
  CHECK(t.find(t.root(), "图文")->number == -5);
  CHECK(t.real(*t.find(t.root(), "r")) == 1.0);
  CHECK(t.find(t.root(), "o")->kind == PickleKind::dict);
  CHECK(t.find(t.root(), "m")->number == -3);
  CHECK(t.find(t.root(), "k")->number == 255);
  CHECK(t.find(t.root(), "h")->number == 65535);
  CHECK(t.text(*t.find(t.root(), "b")) == "hi");
  CHECK(t.find(t.root(), "absent") == nullptr);
  CHECK(t.find(*t.find(t.root(), "m"), "x") == nullptr);
  for (size_t n = 0; n < good.size(); ++n)
    expect_error(
        ErrorCode::truncated, [&] { parse(good.substr(0, n)); }, "pickle byte");
  // LONG1 of every length.
  for (const auto& [digits, value] :
       std::vector<std::pair<std::string, int64_t>>{{"", 0},
                                                    {"\x7f", 127},
                                                    {"\x80", -128},
                                                    {"\xff", -1},
                                                    {std::string("\xff\0", 2), 255},
                                                    {"\xff\xff\xff\xff\xff\xff\xff\x7f", INT64_MAX},
                                                    {std::string("\0\0\0\0\0\0\0\x80", 8), INT64_MIN}}) {
    const auto [number, size] = parse("\x8a" + std::string(1, static_cast<char>(digits.size())) + digits + ".");
    CHECK(number.root().kind == PickleKind::integer);
    CHECK(number.root().number == value);
  }
  CHECK(parse(std::string("\x8a\x09\0\0\0\0\0\0\0\0\1.", 12)).first.root().kind == PickleKind::big_integer);
  // Limits.
  expect_error(
      ErrorCode::limit_exceeded, [&] { parse(text(std::string(65537, 'x')) + "."); }, "65536");
  expect_error(
      ErrorCode::truncated, [&] { parse(text(std::string(60000, 'x')).substr(0, 100) + "."); }, "p");
  expect_error(
      ErrorCode::limit_exceeded, [&] { parse("X\xff\xff\xff\xff" + std::string("x.")); }, "65536");
  expect_error(
      ErrorCode::limit_exceeded, [&] { parse(std::string(70'000, 'N')); }, "stack");
  expect_error(
      ErrorCode::limit_exceeded, [&] { parse(std::string(70'000, '(')); }, "marks");
  expect_error(
      ErrorCode::limit_exceeded,
      [&] {
        std::string many = "]";
        for (int i = 0; i < 1'100'000; ++i) many += "]a";
        parse(many);
      },
      "containers");
  expect_error(
      ErrorCode::limit_exceeded,
      [&] {
        std::string many = "]";
        for (int i = 0; i < 2'200'000; ++i) many += "Na";
        parse(many);
      },
      "items");
  expect_error(
      ErrorCode::limit_exceeded,
      [&] {
        std::string many = "N";
        for (uint32_t i = 0; i < 1'100'000; ++i) {
          many += 'r';
          append_number(many, i);
        }
        parse(many);
      },
      "memo");
  expect_error(
      ErrorCode::unsupported, [&] { parse("\x80\x06N."); }, "protocol 2");
}

TEST_CASE("older files: every cut and every contradiction is an error") {
  const std::string good = read_text(kData / "torch_legacy.bin");
  CHECK(read(good).size() == 23);
  for (size_t n = 0; n < good.size(); n += n < 600 ? 1 : 7) CHECK_THROWS_AS(read(good.substr(0, n)), Error);
  expect(ErrorCode::malformed, good + "x", "end of file");
  std::string big_endian = good;
  const size_t at = big_endian.find("little_endian");
  REQUIRE(at != std::string::npos);
  const size_t truth = big_endian.find('\x88', at);
  big_endian[truth] = '\x89';
  expect(ErrorCode::unsupported, big_endian, "little_endian");
}

TEST_CASE("every byte of a PyTorch file may change: it is read or refused, never worse") {
  Random random(77);
  for (const char* name : {"torch_zip.bin", "torch_legacy.bin"}) {
    CAPTURE(name);
    const std::string good = read_text(kData / name);
    MemoryFile file;
    file.write(good);
    REQUIRE(readable(file.path()));
    size_t refused = 0;
    for (size_t at = 0; at < good.size(); ++at) {
      for (const int64_t change : {int64_t{1}, random.integer(2, 255)}) {
        file.write_byte(at, static_cast<char>(static_cast<unsigned char>(good[at]) ^ change));
        refused += !readable(file.path());
      }
      file.write_byte(at, good[at]);
    }
    CHECK(refused > good.size() / 4);  // of twice as many: the rest is padding, values, times
    REQUIRE(readable(file.path()));
  }
}

TEST_CASE("refused files cost little memory") {
  const auto peak_kib = [] {
    rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  };
  // Lies about sizes, each in a tiny file.
  const int64_t huge = int64_t{1} << 40;
  const std::string lie =
      archive(state_dict(pickle::tensor(pickle::storage("FloatStorage", "0", huge), 0, {huge}, {1})));
  const std::string header = R"({"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}})";
  const std::string safetensors = safetensors_file(header, "x");
  const TempDir dir;
  dir.write("a.bin", lie);
  dir.write("a.safetensors", safetensors);
  const long before = peak_kib();
  for (int i = 0; i < 2000; ++i) {
    CHECK_THROWS_AS(Checkpoint::open(dir.path() / "a.bin"), Error);
    CHECK_THROWS_AS(Checkpoint::open(dir.path() / "a.safetensors"), Error);
  }
  CHECK(peak_kib() - before < 8192);
}
