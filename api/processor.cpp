// The processor of a model directory: tokenizer and image options.
#include "api/processor.h"

#include "api/boundary.h"

namespace tw {

tuwen_processor load_processor(const std::string& directory) {
  return {BertTokenizer::from_directory(directory), ImageProcessor::from_directory(directory)};
}

}  // namespace tw

using namespace tw;

tuwen_status tuwen_processor_load(const char* directory, tuwen_processor** processor) {
  return guarded([&] {
    not_null(processor, "processor");
    *processor = new tuwen_processor(load_processor(checked_path(directory, "directory")));
  });
}

void tuwen_processor_free(tuwen_processor* processor) { delete processor; }

tuwen_status tuwen_processor_get_info(const tuwen_processor* processor, tuwen_processor_info* info) {
  return guarded([&] {
    const BertTokenizer& t = not_null(processor, "processor").tokenizer;
    tuwen_processor_info value = {};
    value.vocabulary_size = t.id_end();
    value.unk_id = t.unk_id();
    value.sep_id = t.sep_id();
    value.pad_id = t.pad_id();
    value.cls_id = t.cls_id();
    value.mask_id = t.mask_id().value_or(-1);
    value.model_max_length = t.config().model_max_length.value_or(0);
    write_info(info, value, "info");
  });
}
