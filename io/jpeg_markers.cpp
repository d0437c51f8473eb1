#include "io/jpeg_markers.h"

#include <algorithm>
#include <string>

namespace tw {
namespace {

constexpr uint8_t kTemporary = 0x01, kStartOfImage = 0xD8, kEndOfImage = 0xD9, kStartOfScan = 0xDA;

bool is_restart(uint8_t marker) { return marker >= 0xD0 && marker <= 0xD7; }

// SOF0 to SOF15 without DHT, JPG and DAC, which share the range.
bool is_start_of_frame(uint8_t marker) {
  return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Baseline, extended and progressive, each with Huffman or arithmetic coding.
bool is_common_frame(uint8_t marker) {
  return marker == 0xC0 || marker == 0xC1 || marker == 0xC2 || marker == 0xC9 || marker == 0xCA;
}

bool is_progressive(uint8_t marker) { return marker == 0xC2 || marker == 0xCA; }

int read16(std::span<const uint8_t> b, size_t at) { return b[at] << 8 | b[at + 1]; }

// The position of the next marker's code at or after `at`, past fill bytes and whatever is no marker; the end if none.
size_t next_marker(std::span<const uint8_t> bytes, size_t at) {
  while (true) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    at = static_cast<size_t>(std::find(from, bytes.end(), uint8_t{0xFF}) - bytes.begin());
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    if (at >= bytes.size()) return bytes.size();
    const uint8_t code = bytes[at];
    if (code != 0 && code != kTemporary && !is_restart(code)) return at;  // else data that looks like a marker
    ++at;
  }
}

JpegHeader read_frame(const ImageSource& source, uint8_t marker, std::span<const uint8_t> segment) {
  if (segment.size() < 8)
    source.fail(ErrorCode::malformed, "start of frame", "at least 8 bytes", std::to_string(segment.size()));
  if (!is_common_frame(marker)) {
    source.fail(ErrorCode::unsupported, "JPEG process", "baseline, extended or progressive",
                "SOF" + std::to_string(marker - 0xC0));
  }
  if (segment[2] != 8) {
    source.fail(ErrorCode::unsupported, "sample precision", "8 bits", std::to_string(segment[2]) + " bits");
  }
  const JpegHeader header = {read16(segment, 5), read16(segment, 3), segment[7]};
  if (header.components != 1 && header.components != 3 && header.components != 4) {
    source.fail(ErrorCode::unsupported, "components", "1, 3 or 4", std::to_string(header.components));
  }
  source.check_size(header.width, header.height);
  return header;
}

}  // namespace

JpegHeader check_jpeg(const ImageSource& source) {
  const std::span<const uint8_t> bytes = source.bytes;
  JpegHeader header = {0, 0, 0};
  bool progressive = false;
  int64_t scans = 0;
  for (size_t at = next_marker(bytes, 2); at < bytes.size(); at = next_marker(bytes, at)) {
    const uint8_t marker = bytes[at++];
    if (marker == kEndOfImage) {
      if (scans == 0) source.fail(ErrorCode::malformed, "scans", "at least one", "none");
      return header;
    }
    if (marker == kStartOfImage) continue;  // the decoder knows whether it stands where it may

    if (bytes.size() - at < 2) source.fail_truncated("segment length");
    const auto length = static_cast<size_t>(read16(bytes, at));
    if (length < 2) source.fail(ErrorCode::malformed, "segment length", "at least 2 bytes", std::to_string(length));
    if (bytes.size() - at < length) source.fail_truncated("segment of " + std::to_string(length) + " bytes");
    if (is_start_of_frame(marker) && header.components == 0) {
      header = read_frame(source, marker, bytes.subspan(at, length));
      progressive = is_progressive(marker);
    }
    if (marker == kStartOfScan) {
      if (header.components == 0) source.fail(ErrorCode::malformed, "start of frame", "before the first scan", "none");
      ++scans;
      if (scans > source.limits.max_jpeg_scans) {
        source.fail(ErrorCode::limit_exceeded, "scans", "at most " + std::to_string(source.limits.max_jpeg_scans),
                    "more");
      }
      // Every progressive scan visits every coefficient again.
      constexpr int64_t kMostWork = int64_t{1} << 30;
      if (progressive && scans * header.width * header.height > kMostWork) {
        source.fail(ErrorCode::limit_exceeded, "scans", "scans times pixels at most " + std::to_string(kMostWork),
                    std::to_string(scans) + " scans or more");
      }
    }
    at += length;
  }
  if (header.components == 0) source.fail_truncated("start of frame");
  source.fail_truncated("end-of-image marker");
}

}  // namespace tw
