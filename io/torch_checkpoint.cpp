#include "io/torch_checkpoint.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/checked_math.h"
#include "core/error.h"
#include "io/pickle_reader.h"
#include "io/torch_tensors.h"
#include "io/zip_reader.h"

namespace tw {
namespace {

constexpr int64_t kMaxPickleBytes = int64_t{32} << 20;

// The magic number 0x1950a86a20f9469cfc6c as a pickle of protocol 2: PROTO 2, LONG1 of 10 bytes, STOP.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);

[[noreturn]] void fail(ErrorCode code, const File& file, const std::string& field, const std::string& expected,
                       const std::string& found) {
  throw Error(code, {.file = file.path(), .field = field, .expected = expected, .found = found});
}

std::string read_prefix(const File& file, int64_t most) {
  std::string bytes(static_cast<size_t>(std::min(file.size(), most)), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

// The byte count of a storage, checked against what is there.
TorchStorage sized(const File& file, const TorchStorageId& id, int64_t offset, int64_t bytes) {
  const std::optional<int64_t> wanted = checked_mul(id.elements, size_of(id.dtype));
  if (!wanted || *wanted != bytes) {
    fail(ErrorCode::malformed, file, "storage " + printable(id.key),
         std::to_string(id.elements) + " elements of " + std::string(name(id.dtype)), std::to_string(bytes) + " bytes");
  }
  return {offset, bytes};
}

// --- the ZIP format: <top>/data.pkl, <top>/data/<key> for every storage, and a few small entries ---

std::vector<StoredTensor> read_zip(const File& file) {
  std::map<std::string, ZipEntry, std::less<>> entries;
  std::string top;
  for (ZipEntry& entry : read_zip_directory(file)) {
    const std::string folder = entry.name.substr(0, std::min(entry.name.find('/'), entry.name.size()));
    if (entries.empty()) top = folder;
    if (folder != top || folder.size() == entry.name.size())
      fail(ErrorCode::malformed, file, printable(entry.name), "all entries in one folder", "another folder");
    std::string inner = entry.name.substr(folder.size() + 1);
    if (inner == "constants.pkl" || inner.starts_with("code/")) {
      fail(ErrorCode::unsupported, file, printable(entry.name), "a state dict",
           "a TorchScript archive, which is a program");
    }
    entries.emplace(std::move(inner), std::move(entry));
  }
  const auto find = [&](const std::string& name) -> const ZipEntry* {
    const auto found = entries.find(name);
    return found == entries.end() ? nullptr : &found->second;
  };
  if (const ZipEntry* order = find("byteorder")) {
    const std::string text = read_zip_entry(file, *order, 16);
    if (text != "little") fail(ErrorCode::unsupported, file, printable(order->name), "little", printable(text));
  }
  const ZipEntry* data = find("data.pkl");
  if (data == nullptr) fail(ErrorCode::malformed, file, "zip directory", "an entry data.pkl", "none");

  const std::string pickle = read_zip_entry(file, *data, kMaxPickleBytes);
  const auto [tree, used] = parse_pickle(pickle, torch_globals(), file.path());
  if (used != pickle.size())
    fail(ErrorCode::malformed, file, printable(data->name), "one pickle",
         std::to_string(pickle.size() - used) + " more bytes");
  return state_dict_tensors(tree, file.path(), [&](const TorchStorageId& id) {
    const ZipEntry* entry = find("data/" + std::string(id.key));
    if (entry == nullptr)
      fail(ErrorCode::malformed, file, "storage " + printable(id.key), "an entry in the archive", "none");
    if (!entry->stored)
      fail(ErrorCode::unsupported, file, printable(entry->name), "a stored entry", "a compressed one");
    return sized(file, id, entry->offset, entry->size);
  });
}

// --- the older format: pickles of magic number, protocol, system, object and storage keys; then the storages ---

// Collects the storages of all persistent ids in the tree: their sizes are needed to find where each begins.
std::map<std::string_view, TorchStorageId> storages_of(const PickleTree& tree, std::span<const PickleValue> ids,
                                                       const File& file) {
  std::map<std::string_view, TorchStorageId> storages;
  for (const PickleValue value : ids) {
    const TorchStorageId id = parse_storage_id(tree, value, "persistent id", file.path());
    const auto [at, added] = storages.emplace(id.key, id);
    if (!added && (at->second.dtype != id.dtype || at->second.elements != id.elements))
      fail(ErrorCode::malformed, file, "storage " + printable(id.key), "one type and size", "two");
  }
  return storages;
}

std::vector<StoredTensor> parse_legacy(const File& file, std::string_view bytes) {
  size_t at = kLegacyMagic.size();
  const auto next = [&] {
    auto [tree, used] = parse_pickle(bytes.substr(at), torch_globals(), file.path());
    at += used;
    return std::move(tree);
  };
  const PickleTree protocol = next();
  if (protocol.root().kind != PickleKind::integer || protocol.root().number != 1001)
    fail(ErrorCode::unsupported, file, "protocol version", "1001", "another");
  const PickleTree system = next();
  const PickleValue* little = system.find(system.root(), "little_endian");
  if (little == nullptr || little->kind != PickleKind::boolean || little->number != 1)
    fail(ErrorCode::unsupported, file, "little_endian", "true", "another value");
  const PickleTree object = next();
  const PickleTree keys = next();
  if (keys.root().kind != PickleKind::list) fail(ErrorCode::malformed, file, "storage keys", "a list", "another type");

  const std::map<std::string_view, TorchStorageId> storages = storages_of(object, object.persistent_ids(), file);
  std::map<std::string_view, TorchStorage> located;
  int64_t offset = static_cast<int64_t>(at);
  for (const PickleValue value : keys.items(keys.root())) {
    const std::string_view key = keys.text(value);
    const auto storage = storages.find(key);
    if (storage == storages.end() || located.contains(key))
      fail(ErrorCode::malformed, file, "storage keys", "each storage of the object once", printable(key));
    int64_t elements;
    file.read_at(offset, std::as_writable_bytes(std::span(&elements, 1)));
    offset += 8;
    const std::optional<int64_t> size =
        elements < 0 ? std::nullopt : checked_mul(elements, size_of(storage->second.dtype));
    if (!size || *size > file.size() - offset) {
      fail(ErrorCode::truncated, file, "storage " + printable(key), std::to_string(elements) + " elements",
           std::to_string(file.size() - offset) + " bytes to the end of the file");
    }
    located.emplace(key, sized(file, storage->second, offset, *size));
    offset += *size;
  }
  if (offset != file.size())
    fail(ErrorCode::malformed, file, "end of file", std::to_string(offset) + " bytes", std::to_string(file.size()));
  return state_dict_tensors(object, file.path(), [&](const TorchStorageId& id) {
    const auto found = located.find(id.key);
    if (found == located.end())
      fail(ErrorCode::malformed, file, "storage " + printable(id.key), "it in the file", "none");
    return found->second;
  });
}

// The pickles' total size is not written anywhere: tries with more and more of the file.
std::vector<StoredTensor> read_legacy(const File& file) {
  for (int64_t most = int64_t{1} << 20;; most *= 4) {
    const std::string bytes = read_prefix(file, most);
    try {
      return parse_legacy(file, bytes);
    } catch (const Error& error) {
      const bool cut = error.code() == ErrorCode::truncated && most < std::min(file.size(), kMaxPickleBytes);
      if (!cut) throw;
    }
  }
}

}  // namespace

TorchFormat torch_format(const File& file) {
  const std::string head = read_prefix(file, 512);
  const std::string_view text = head;
  if (text.starts_with("PK\x03\x04")) return TorchFormat::zip;
  if (text.starts_with(kLegacyMagic)) return TorchFormat::legacy;
  if (text.size() == 512 && text.substr(257, 5) == "ustar") return TorchFormat::tar;
  return TorchFormat::none;
}

std::vector<StoredTensor> read_torch_checkpoint(const File& file) {
  switch (torch_format(file)) {
    case TorchFormat::zip:
      return read_zip(file);
    case TorchFormat::legacy:
      return read_legacy(file);
    case TorchFormat::tar:
      fail(ErrorCode::unsupported, file, "format", "a file saved by PyTorch 0.4 or later", "the older tar format");
    case TorchFormat::none:
      break;
  }
  fail(ErrorCode::malformed, file, "format", "a file saved by PyTorch", "something else");
}

}  // namespace tw
