// Pictures as the encoder takes them, decoded and resized ahead of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "cli/read_ahead.h"

namespace tuwen_cli {

using Pixels = std::vector<float>;  // [3, S, S] of a model's picture size S

// On the calling thread alone. Throws Failure, which leaves the picture's name to the caller, where the processor makes
// another size of it than the model takes.
Pixels pixels_of(const tuwen::Model& model, const tuwen::Image& image);

// The same of a picture file's content. Throws Failure for whatever is wrong with it, out of memory apart.
Pixels pixels_of(const tuwen::Model& model, std::string_view file);

// Of the files at `paths`, in their order, on as many threads as `session` has. All arguments have to live as long as
// what is returned.
ReadAhead<Pixels> pictures_ahead(const tuwen::Model& model, const tuwen::Session& session,
                                 const std::vector<std::string>& paths);

// One batch.
tuwen::Matrix encode_pixels(tuwen::Session& session, const std::vector<Pixels>& pictures, size_t columns,
                            const tuwen_encode_options* how = nullptr);

}  // namespace tuwen_cli
