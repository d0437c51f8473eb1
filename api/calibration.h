// What an eight-bit model is calibrated on.
#pragma once

#include "api/handles.h"
#include "models/quantization.h"

namespace tw {

// The caller's pictures and texts; in the place of texts that are not given, built-in captions as the model's tokenizer
// reads them, and without a tokenizer what is known of its ids. The result refers to `loaded` and to the caller's
// pictures. Throws invalid_argument for null pointers, and for inputs that need a processor that is not there.
CalibrationInputs calibration_inputs(const LoadedModel& loaded, const ChineseClipConfig& config,
                                     const tuwen_load_options& options);

}  // namespace tw
