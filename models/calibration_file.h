// What `tuwen calibrate` keeps: a calibration run in a safetensors file, for eight-bit and FP8 models to be made by.
#pragma once

#include <filesystem>

#include "models/quantization.h"

namespace tw {

// For each product of the blocks, numbered in the order of for_each_linear() from each tower's first: `text.0.largest`
// and `text.0.mean`, `vision.0.largest` ..., f32 [k]; and `text.weights`, `vision.weights`, u8 [64]: the SHA-256 of the
// first strips of all of them, in hexadecimal, which says what model it was. The file appears whole or not at all.
// Throws io_error.
void save_calibration(const Calibration& calibration, const ChineseClip& model, const std::filesystem::path& file);

// Of the model, in f32; its towers' alone are read. Throws what opening a checkpoint throws, and missing_tensor or
// shape_mismatch, naming file and tensor, where it is of another model.
Calibration read_calibration(const std::filesystem::path& file, const ChineseClip& model);

}  // namespace tw
