// The scratch memory of a session: for session*.cpp alone.
#pragma once

#include "models/session.h"

namespace tw {

// Everything an encode writes to besides its output.
struct Session::Scratch {
  int64_t rows = 0;   // tokens in a slice
  int64_t items = 0;  // texts or images in it
  BertScratch text;
  VitScratch vision;
  OpMemory ops;
  // On a device.
  Tensor result;                // [items, J]
  uint8_t* pictures = nullptr;  // [images, S, S, 3], resized
  uint8_t* between = nullptr;   // the passes of their resize; shared with the towers, which run after that
  // What SliceInputs is made over; on a device it has its own.
  std::byte* inputs = nullptr;
  int64_t inputs_bytes = 0;
};

// Of what products read.
inline DType input_type(const ChineseClip& model, bool on_device) {
  return on_device && model.precision() == Precision::fp8 ? DType::e4m3 : model.activation_type();
}

// Byte pixels are RGB.
inline bool takes_pictures(const VisionConfig& c) { return c.num_channels == 3; }

}  // namespace tw
