// The tokenizer.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>

#include "python/native/common.h"

namespace tuwen::python {
namespace {

// Rows of tokens, and the arrays over them.
class TokenRows {
 public:
  explicit TokenRows(tuwen_tokens* tokens) : handle_(tokens) {
    check(tuwen_tokens_get(tokens, &view_));
    check(tuwen_tokens_get_sources(tokens, &sources_));
  }

  const tuwen_tokens_view& view() const { return view_; }
  const tuwen_token_sources& sources() const { return sources_; }
  size_t tokens() const { return static_cast<size_t>(view_.row_begin[view_.rows]); }

 private:
  std::unique_ptr<tuwen_tokens, Deleter<tuwen_tokens_free>> handle_;
  tuwen_tokens_view view_ = {};
  tuwen_token_sources sources_ = {};
};

template <auto Pointer>
void array_property(nb::class_<TokenRows>& type, const char* name) {
  type.def_prop_ro(name, [](nb::handle self) {
    const auto& rows = nb::cast<const TokenRows&>(self);
    return python::view(Pointer(rows), {rows.tokens()}, self);
  });
}

tuwen_tokenize_options options_of(int padding, int truncation, int64_t max_length, int64_t stride,
                                  int64_t pad_to_multiple_of, bool return_overflow, bool add_special_tokens,
                                  bool split_special_tokens, bool pad_left, bool truncate_left) {
  auto o = make<tuwen_tokenize_options>();
  o.padding = padding;
  o.truncation = truncation;
  o.max_length = max_length;
  o.stride = stride;
  o.pad_to_multiple_of = pad_to_multiple_of;
  o.return_overflow = return_overflow;
  o.no_special_tokens = !add_special_tokens;
  o.split_special_tokens = split_special_tokens;
  o.padding_side = pad_left ? TUWEN_SIDE_LEFT : TUWEN_SIDE_RIGHT;
  o.truncation_side = truncate_left ? TUWEN_SIDE_LEFT : TUWEN_SIDE_RIGHT;
  return o;
}

// Texts that were split before: their words one after the other.
struct SplitTexts {
  explicit SplitTexts(const nb::sequence& texts) {
    const size_t count = nb::len(texts);
    for (size_t t = 0; t < count; ++t) {
      lists.emplace_back(nb::cast<nb::sequence>(texts[t]));
      words.insert(words.end(), lists.back().views().begin(), lists.back().views().end());
      begin.push_back(words.size());
    }
  }
  std::vector<TextList> lists;
  std::vector<tuwen_text> words;
  std::vector<size_t> begin{0};
};

nb::sequence no_texts() { return nb::borrow<nb::sequence>(nb::list()); }

TokenRows tokenize(const Processor& processor, const nb::sequence& texts, const std::optional<nb::sequence>& pairs,
                   bool split, const tuwen_tokenize_options& options) {
  tuwen_tokens* tokens = nullptr;
  const size_t count = nb::len(texts);
  if (pairs && nb::len(*pairs) != count) raise(PyExc_ValueError, "texts and pairs differ in number");
  if (split) {
    const SplitTexts first(texts);
    const SplitTexts second(pairs ? *pairs : no_texts());
    nb::gil_scoped_release unlocked;
    check(tuwen_tokenize_words(processor.get(), first.words.data(), first.begin.data(), second.words.data(),
                               pairs ? second.begin.data() : nullptr, count, &options, &tokens));
  } else {
    const TextList first(texts);
    const TextList second(pairs ? *pairs : no_texts());
    nb::gil_scoped_release unlocked;
    check(tuwen_tokenize(processor.get(), first.views().data(), pairs ? second.views().data() : nullptr, count,
                         &options, &tokens));
  }
  return TokenRows(tokens);
}

nb::str string_of(std::string_view text) {
  return nb::steal<nb::str>(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
}

std::optional<nb::str> token_of(const Processor& processor, int64_t id) {
  tuwen_text text = {};
  if (id < 0 || id > INT32_MAX) return std::nullopt;
  if (tuwen_token_text(processor.get(), static_cast<int32_t>(id), &text) != TUWEN_OK) return std::nullopt;
  return string_of({text.data, text.size});
}

std::optional<int32_t> id_of(const Processor& processor, const nb::str& token) {
  const TextList text(nb::borrow<nb::sequence>(nb::make_tuple(token)));
  int32_t id = -1;
  check(tuwen_token_id(processor.get(), text.views()[0], &id));
  return id < 0 ? std::nullopt : std::optional(id);
}

}  // namespace

void bind_processor(nb::module_& module) {
  nb::class_<TokenRows> rows(module, "TokenRows", "Rows of tokens; row r is at row_begin[r] to row_begin[r + 1].");
  array_property<[](const TokenRows& r) { return r.view().ids; }>(rows, "ids");
  array_property<[](const TokenRows& r) { return r.view().type_ids; }>(rows, "type_ids");
  array_property<[](const TokenRows& r) { return r.view().attention_mask; }>(rows, "attention_mask");
  array_property<[](const TokenRows& r) { return r.view().special_tokens_mask; }>(rows, "special_tokens_mask");
  array_property<[](const TokenRows& r) { return r.sources().word_ids; }>(rows, "word_ids");
  array_property<[](const TokenRows& r) { return r.sources().sequence_ids; }>(rows, "sequence_ids");
  rows.def_prop_ro("offsets",
                   [](nb::handle self) {
                     const auto& r = nb::cast<const TokenRows&>(self);
                     return python::view(r.view().offsets, {r.tokens(), size_t{2}}, self);
                   })
      .def_prop_ro("row_begin",
                   [](nb::handle self) {
                     const auto& r = nb::cast<const TokenRows&>(self);
                     return python::view(r.view().row_begin, {r.view().rows + 1}, self);
                   })
      .def_prop_ro("row_text",
                   [](nb::handle self) {
                     const auto& r = nb::cast<const TokenRows&>(self);
                     return python::view(r.view().row_text, {r.view().rows}, self);
                   })
      .def("__len__", [](const TokenRows& r) { return r.view().rows; });

  nb::class_<Processor>(module, "Processor", "The tokenizer of a model directory.")
      .def(
          "__init__",
          [](Processor* self, const std::string& directory) { new (self) Processor(Processor::load(directory)); },
          nb::arg("directory"), nb::call_guard<nb::gil_scoped_release>())
      .def(
          "tokenize",
          [](const Processor& self, const nb::sequence& texts, const std::optional<nb::sequence>& pairs, bool split,
             int padding, int truncation, int64_t max_length, int64_t stride, int64_t pad_to_multiple_of,
             bool return_overflow, bool add_special_tokens, bool split_special_tokens, bool pad_left,
             bool truncate_left) {
            return tokenize(self, texts, pairs, split,
                            options_of(padding, truncation, max_length, stride, pad_to_multiple_of, return_overflow,
                                       add_special_tokens, split_special_tokens, pad_left, truncate_left));
          },
          nb::arg("texts"), nb::arg("pairs").none() = nb::none(), nb::kw_only(), nb::arg("split") = false,
          nb::arg("padding") = 0, nb::arg("truncation") = 1, nb::arg("max_length") = 0, nb::arg("stride") = 0,
          nb::arg("pad_to_multiple_of") = 0, nb::arg("return_overflow") = false, nb::arg("add_special_tokens") = true,
          nb::arg("split_special_tokens") = false, nb::arg("pad_left") = false, nb::arg("truncate_left") = false)
      .def("token", &token_of, nb::arg("id"), "The spelling of an id, or None.")
      .def("token_id", &id_of, nb::arg("token"), "The id of a spelling, or None.")
      .def(
          "decode",
          [](const Processor& self, const std::vector<int32_t>& ids, bool skip_special_tokens, bool cleanup) {
            uint32_t flags = cleanup ? TUWEN_DECODE_CLEANUP : TUWEN_DECODE_NO_CLEANUP;
            if (skip_special_tokens) flags |= TUWEN_DECODE_SKIP_SPECIAL;
            return string_of(self.decode(ids, flags));
          },
          nb::arg("ids"), nb::arg("skip_special_tokens") = false, nb::arg("cleanup") = true)
      .def_prop_ro("vocabulary_size", [](const Processor& self) { return self.info().vocabulary_size; });
}

}  // namespace tuwen::python
