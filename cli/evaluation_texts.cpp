#include "cli/evaluation_texts.h"

namespace tuwen_cli {

tuwen::Matrix encode_evaluation_texts(tuwen::Session& session, const tuwen::Model& model,
                                      std::span<const std::string> texts, int64_t context_length,
                                      const std::function<std::string(size_t)>& place) {
  auto how = tuwen::make<tuwen_tokenize_options>();
  how.evaluation_preprocessing = 1;
  how.split_special_tokens = 1;
  how.max_length = context_length;
  how.truncation = context_length > 0 ? TUWEN_TRUNCATION_LONGEST_FIRST : TUWEN_TRUNCATION_NONE;
  const tuwen::Tokens tokens = model.processor().tokenize(texts, &how);
  const int64_t longest = model.info().max_text_tokens;
  for (size_t r = 0; r < tokens.rows(); ++r) {
    const auto found = static_cast<int64_t>(tokens.ids(r).size());
    if (found > longest) {
      throw Failure(place(r) + ": length: expected at most " + std::to_string(longest) + " tokens, found " +
                    std::to_string(found));
    }
  }
  const tuwen_tokens_view& view = tokens.view();
  tuwen::Matrix rows(texts.size(), static_cast<size_t>(model.info().embedding_size));
  session.encode_tokens({view.ids, static_cast<size_t>(view.row_begin[view.rows])}, {view.row_begin, view.rows + 1},
                        rows.data);
  return rows;
}

}  // namespace tuwen_cli
