#include "cli/model_identity.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <string_view>
#include <vector>

#include "cli/json_writer.h"

namespace tuwen_cli {
namespace {

void add_weights(ContentHasher& hasher, const tuwen::Checkpoint& checkpoint) {
  std::vector<size_t> order(checkpoint.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::string_view(checkpoint.at(a).name) < std::string_view(checkpoint.at(b).name);
  });
  std::vector<char> values;
  for (const size_t index : order) {
    const tuwen_tensor tensor = checkpoint.at(index);
    values.resize(tensor.size);
    tuwen::check(tuwen_checkpoint_read(checkpoint.get(), index, values.data(), values.size()));
    std::string what = std::to_string(tensor.dtype);
    for (int32_t d = 0; d < tensor.rank; ++d) what += " " + std::to_string(tensor.shape[d]);
    hasher.add_part(tensor.name);
    hasher.add_part(what);
    hasher.add_part({values.data(), values.size()});
  }
}

std::string image_steps(const tuwen_preprocess_options& o) {
  std::ostringstream text;
  JsonWriter json(text);
  json.begin_array();
  for (const int32_t v : {o.do_resize, o.filter, o.do_center_crop, o.do_rescale, o.do_normalize}) json.value(v);
  for (const int64_t v :
       {o.resize_height, o.resize_width, o.shortest_edge, o.longest_edge, o.crop_height, o.crop_width}) {
    json.value(v);
  }
  json.value(o.rescale_factor).array(o.mean).array(o.std).end_array();
  return text.str();
}

void add_vocabulary(ContentHasher& hasher, const tuwen::Processor& processor) {
  const int32_t size = processor.info().vocabulary_size;
  for (int32_t id = 0; id < size; ++id) {
    tuwen_text token = {};
    const bool known = tuwen_token_text(processor.get(), id, &token) == TUWEN_OK;  // ids may have gaps
    hasher.add_part(known ? std::string_view(token.data, token.size) : std::string_view());
  }
}

}  // namespace

ContentHash model_identity(const std::string& directory) {
  const tuwen::Checkpoint checkpoint = tuwen::Checkpoint::open(directory);
  const tuwen::Processor processor = tuwen::Processor::load(directory);
  ContentHasher hasher;
  hasher.add_part(checkpoint.config_json());
  add_weights(hasher, checkpoint);
  hasher.add_part(image_steps(processor.preprocess_options()));
  add_vocabulary(hasher, processor);
  return hasher.finish();
}

}  // namespace tuwen_cli
