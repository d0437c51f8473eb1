// Embeddings of pictures: decoded, resized, cropped and encoded, by the threads of a session and its device.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "models/image_processor.h"
#include "models/session.h"

namespace tw {

// Both functions are called by several threads at once.
struct PictureSource {
  // The i-th picture, in `memory` if it has to be decoded.
  std::function<const Image&(int64_t i, Image& memory)> get;
  // What errors call it.
  std::function<std::string(int64_t i)> name;
};

// Runs the body; an error that names no file is thrown as one of the picture that name() names.
template <class Name, class Body>
void naming_picture(Name name, Body body) {
  try {
    body();
  } catch (const Error& error) {
    if (!error.detail().file.empty()) throw;
    ErrorDetail detail = error.detail();
    detail.file = name();
    throw Error(error.code(), std::move(detail));
  }
}

// What one thread prepares pictures in.
struct PictureWorker {
  Image read;
  ImageScratch scratch;
  PreparedImage prepared;
  ResizePasses passes;
};

// What is used again from call to call.
struct PictureMemory {
  std::vector<PictureWorker> workers;
  std::vector<uint8_t> bytes;  // [count, S, S, 3]
  std::vector<float> values;   // [count, 3, S, S]
};

// Pictures that are preprocessed at a time on the CPU, where it bounds their memory. A device gets as many at once as
// the slices of its session have.
constexpr int64_t kPicturesAtOnce = 32;

// out [count, J]. On a device, pictures of bytes are resized there, those that are small enough (StagedPictures), with
// the same bits. Throws what the source throws, what ImageProcessor::prepare() and Session::encode_images() throw, with
// the picture's name, and shape_mismatch for a processor that does not make images of the model's size.
void encode_pictures(Session& session, const ImageProcessor& processor, const PictureSource& source, int64_t count,
                     PictureMemory& memory, std::span<float> out, const EmbedOptions& options = {});

}  // namespace tw
