"""BertTokenizerFast: from texts to token ids and back."""
from __future__ import annotations

import os
from typing import Any, Iterable, Mapping

import numpy as np

from . import _tokenizer_files as tokenizer_files
from ._encoding import BatchEncoding, Encoding
from ._frameworks import framework_of, is_tensor, to_framework, to_numpy
from ._padding import pad_encodings
from ._tokenizer_options import native_options

_INVALID_TEXT = (
    "text input must be of type `str` (single example), `List[str]` (batch or single pretokenized example) or "
    "`List[List[str]]` (batch of pretokenized examples)."
)


class BertTokenizerFast:
    """The tokenizer of Chinese-CLIP. Its ids are those of the class of this name in transformers 4.37.2."""

    is_fast = True
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    padding_side = "right"
    truncation_side = "right"
    pad_token_type_id = 0
    split_special_tokens = False

    def __init__(self, vocab_file: Any = None, tokenizer_file: Any = None, **options: Any) -> None:
        """Options as in tokenizer_config.json: do_lower_case, unk_token ..., strip_accents, model_max_length."""
        files: dict[str, bytes] = {}
        for name, path in (("vocab.txt", vocab_file), ("tokenizer.json", tokenizer_file)):
            if path is not None:
                with open(path, "rb") as file:
                    files[name] = file.read()
        if not files:
            raise ValueError("BertTokenizerFast: give vocab_file or tokenizer_file, or use from_pretrained()")
        self._set_up(files, options)

    def _set_up(self, files: dict[str, bytes], options: dict[str, Any]) -> None:
        config = {**tokenizer_files.DEFAULTS, **tokenizer_files.config_of(files), **options}
        for name in ("padding_side", "truncation_side"):
            side = config.get(name, "right")
            if side not in ("right", "left"):
                raise ValueError(f"{name.replace('_', ' ')} should be selected between 'right' and 'left', current value: {side}")
            setattr(self, name, side)
        limit = config.get("model_max_length", config.get("max_len"))
        self.model_max_length: float = tokenizer_files.UNLIMITED if limit is None else limit
        self.clean_up_tokenization_spaces = config["clean_up_tokenization_spaces"]
        self.split_special_tokens = bool(config.pop("split_special_tokens", False))
        self.model_input_names = list(config.pop("model_input_names", type(self).model_input_names))
        self.name_or_path = config.pop("name_or_path", "")
        self.init_kwargs = config
        self._files = {name: files[name] for name in tokenizer_files.NAMES if name in files}
        self._native = tokenizer_files.load(self._files, config)
        self._vocabulary: dict[str, int] | None = None

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        """Of a directory, a vocab.txt, or a model id that lies in the local Hugging Face cache."""
        where = {key: kwargs.pop(key) for key in ("cache_dir", "revision", "subfolder") if key in kwargs}
        for ignored in ("force_download", "resume_download", "proxies", "token", "use_auth_token", "local_files_only",
                        "trust_remote_code", "use_fast", "_from_auto"):
            kwargs.pop(ignored, None)
        tokenizer = cls.__new__(cls)
        name = os.fspath(pretrained_model_name_or_path)
        tokenizer._set_up(tokenizer_files.read_directory(name, **where), {"name_or_path": name, **kwargs})
        return tokenizer

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> tuple[str, ...]:
        if os.path.isfile(save_directory):
            raise ValueError(f"Provided path ({save_directory}) should be a directory, not a file")
        os.makedirs(save_directory, exist_ok=True)
        config = {
            **self.init_kwargs,
            "model_max_length": self.model_max_length,
            "clean_up_tokenization_spaces": self.clean_up_tokenization_spaces,
            "padding_side": self.padding_side,
            "truncation_side": self.truncation_side,
            "tokenizer_class": "BertTokenizer",
        }
        files = {
            **self._files,
            tokenizer_files.CONFIG: tokenizer_files.to_json(config),
            "special_tokens_map.json": tokenizer_files.to_json(self.special_tokens_map),
        }
        if "vocab.txt" not in files:
            files["vocab.txt"] = self._vocabulary_file()
        return tuple(tokenizer_files.write(save_directory, files))

    def save_vocabulary(self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None) -> tuple[str]:
        name = (filename_prefix + "-" if filename_prefix else "") + "vocab.txt"
        (path,) = tokenizer_files.write(save_directory, {name: self._files.get("vocab.txt") or self._vocabulary_file()})
        return (path,)

    def _vocabulary_file(self) -> bytes:
        return "".join((self._native.token(i) or f"[unused-{i}]") + "\n" for i in range(len(self))).encode("utf-8")

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_native", "_vocabulary")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._native = tokenizer_files.load(self._files, self.init_kwargs)
        self._vocabulary = None

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(name_or_path='{self.name_or_path}', vocab_size={self.vocab_size}, "
            f"model_max_length={self.model_max_length}, is_fast=True, padding_side='{self.padding_side}', "
            f"truncation_side='{self.truncation_side}', special_tokens={self.special_tokens_map})"
        )

    # ---- Encoding

    def __call__(
        self, text: Any = None, text_pair: Any = None, text_target: Any = None, text_pair_target: Any = None, **kwargs: Any
    ) -> BatchEncoding:
        """Tokens of one text or a batch, alone or in pairs; see `batch_encode_plus` for the options."""
        if text is None and text_target is None:
            raise ValueError("You need to specify either `text` or `text_target`.")
        encodings = None if text is None else self._encode_any(text, text_pair, **kwargs)
        if text_target is None:
            return encodings  # type: ignore[return-value]
        targets = self._encode_any(text_target, text_pair_target, **kwargs)
        if encodings is None:
            return targets
        encodings["labels"] = targets["input_ids"]
        return encodings

    def _encode_any(self, text: Any, text_pair: Any, is_split_into_words: bool = False, **kwargs: Any) -> BatchEncoding:
        if not _is_text(text) or (text_pair is not None and not _is_text(text_pair)):
            raise ValueError(_INVALID_TEXT)
        batched = isinstance(text, (list, tuple))
        if is_split_into_words:
            batched = batched and len(text) > 0 and isinstance(text[0], (list, tuple))
        if not batched:
            return self.encode_plus(text, text_pair, is_split_into_words=is_split_into_words, **kwargs)
        if isinstance(text_pair, str):
            raise TypeError("when tokenizing batches of text, `text_pair` must be a list or tuple with the same length as `text`.")
        if text_pair is not None and len(text) != len(text_pair):
            raise ValueError(f"batch length of `text`: {len(text)} does not match batch length of `text_pair`: {len(text_pair)}.")
        batch = list(zip(text, text_pair)) if text_pair is not None else text
        return self.batch_encode_plus(batch, is_split_into_words=is_split_into_words, **kwargs)

    def encode_plus(self, text: Any, text_pair: Any = None, return_tensors: Any = None, **kwargs: Any) -> BatchEncoding:
        """One text or pair: lists of tokens, or a batch of one where tensors or overflowing tokens are asked for."""
        batch = self.batch_encode_plus([(text, text_pair)] if text_pair else [text], return_tensors=return_tensors, **kwargs)
        if return_tensors is not None or kwargs.get("return_overflowing_tokens"):
            return batch
        first = {key: value[0] if value and isinstance(value[0], list) else value for key, value in batch.items()}
        return BatchEncoding(first, batch.encodings)

    def batch_encode_plus(
        self,
        batch_text_or_text_pairs: Any,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        return_tensors: Any = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        split_special_tokens: bool | None = None,
    ) -> BatchEncoding:
        """A list of texts, or of pairs as tuples. `split_special_tokens` reads "[SEP]" in a text as ordinary characters."""
        if not isinstance(batch_text_or_text_pairs, (list, tuple)):
            raise TypeError(f"batch_text_or_text_pairs has to be a list or a tuple (got {type(batch_text_or_text_pairs)})")
        limits, to_nothing = native_options(padding, truncation, max_length, stride, pad_to_multiple_of, self.model_max_length)
        if len(batch_text_or_text_pairs) == 0:
            raise IndexError("list index out of range: the batch is empty")
        texts, pairs = _split_batch(batch_text_or_text_pairs, is_split_into_words)
        if to_nothing and not add_special_tokens:
            texts, pairs = [[] if is_split_into_words else ""] * len(texts), None
        framework = framework_of(return_tensors)
        rows = self._native.tokenize(
            texts, pairs, split=is_split_into_words, return_overflow=return_overflowing_tokens,
            add_special_tokens=add_special_tokens,
            split_special_tokens=self.split_special_tokens if split_special_tokens is None else split_special_tokens,
            pad_left=self.padding_side == "left", truncate_left=self.truncation_side == "left",
            **limits,
        )
        wanted = {"input_ids": "ids"}
        if _default(return_token_type_ids, "token_type_ids" in self.model_input_names):
            wanted["token_type_ids"] = "type_ids"
        if _default(return_attention_mask, "attention_mask" in self.model_input_names):
            wanted["attention_mask"] = "attention_mask"
        if return_special_tokens_mask:
            wanted["special_tokens_mask"] = "special_tokens_mask"
        if return_offsets_mapping:
            wanted["offset_mapping"] = "offsets"
        data = _columns(rows, wanted, framework)
        if return_length:
            data["length"] = _scalars(np.diff(rows.row_begin), framework)
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = _scalars(rows.row_text, framework)
        return BatchEncoding(data, [Encoding(rows, r, self._native) for r in range(len(rows))], framework)

    def encode(self, text: Any, text_pair: Any = None, return_tensors: Any = None, **kwargs: Any) -> Any:
        """The ids alone."""
        return self.encode_plus(text, text_pair, return_tensors=return_tensors, **kwargs)["input_ids"]

    def tokenize(self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any) -> list[str]:
        return self.encode_plus(text, pair, add_special_tokens=add_special_tokens, **kwargs).tokens()

    def pad(self, encoded_inputs: Any, padding: Any = True, **kwargs: Any) -> BatchEncoding:
        """Pads what was encoded before; options as of a call, and return_attention_mask."""
        return pad_encodings(self, encoded_inputs, padding, **kwargs)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        return 3 if pair else 2

    def build_inputs_with_special_tokens(self, token_ids_0: list[int], token_ids_1: list[int] | None = None) -> list[int]:
        second = [] if token_ids_1 is None else [*token_ids_1, self.sep_token_id]
        return [self.cls_token_id, *token_ids_0, self.sep_token_id, *second]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        return [0] * (len(token_ids_0) + 2) + ([] if token_ids_1 is None else [1] * (len(token_ids_1) + 1))

    # ---- Decoding and the vocabulary

    def decode(
        self, token_ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None, **kwargs: Any
    ) -> str:
        """Text of ids. Chinese comes back with a space between characters, as in the reference."""
        ids = to_numpy(token_ids).tolist() if is_tensor(token_ids) else token_ids
        cleanup = _default(clean_up_tokenization_spaces, self.clean_up_tokenization_spaces)
        known = []
        for i in [ids] if isinstance(ids, (int, np.integer)) else ids:
            if not 0 <= i < 2**32:
                raise OverflowError(f"token_ids: {i} is out of range")
            if i < 2**31:
                known.append(int(i))
        return self._native.decode(known, skip_special_tokens, bool(cleanup))

    def batch_decode(self, sequences: Iterable[Any], skip_special_tokens: bool = False, **kwargs: Any) -> list[str]:
        return [self.decode(row, skip_special_tokens=skip_special_tokens, **kwargs) for row in sequences]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """None for an id that is none."""
        if isinstance(ids, (int, np.integer)):
            return self._native.token(int(ids))
        special = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._native.token(int(i)) for i in ids if int(i) not in special]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of unk_token for a token that is none."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            found = self._native.token_id(tokens)
            return self.unk_token_id if found is None else found
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return self._native.decode(self.convert_tokens_to_ids(tokens), False, False)

    def get_vocab(self) -> dict[str, int]:
        if self._vocabulary is None:
            spelled = ((self._native.token(i), i) for i in range(self._native.vocabulary_size))
            self._vocabulary = {token: i for token, i in spelled if token is not None}
        return dict(self._vocabulary)

    @property
    def vocab(self) -> dict[str, int]:
        return self.get_vocab()

    @property
    def vocab_size(self) -> int:
        return self._native.vocabulary_size

    def __len__(self) -> int:
        return self._native.vocabulary_size

    # ---- Special tokens

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        names = (*tokenizer_files.SPECIAL_TOKENS, "bos_token", "eos_token")
        found = {name: tokenizer_files.spelling(self.init_kwargs.get(name)) for name in names}
        tokens: dict[str, Any] = {name: token for name, token in found.items() if token}
        if self.additional_special_tokens:
            tokens["additional_special_tokens"] = self.additional_special_tokens
        return tokens

    @property
    def additional_special_tokens(self) -> list[str]:
        return [tokenizer_files.spelling(token) for token in self.init_kwargs.get("additional_special_tokens") or []]  # type: ignore[misc]

    @property
    def all_special_tokens(self) -> list[str]:
        named = [token for key, token in self.special_tokens_map.items() if key != "additional_special_tokens"]
        return list(dict.fromkeys([*named, *self.additional_special_tokens]))

    @property
    def all_special_ids(self) -> list[int]:
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def __getattr__(self, name: str) -> Any:
        """unk_token, unk_token_id, and so on of the others."""
        token_name = name[:-3] if name.endswith("_token_id") else name
        if token_name not in (*tokenizer_files.SPECIAL_TOKENS, "bos_token", "eos_token") or "init_kwargs" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        token = tokenizer_files.spelling(self.init_kwargs.get(token_name))
        return token if name == token_name or token is None else self.convert_tokens_to_ids(token)


def _default(given: Any, default: Any) -> Any:
    return default if given is None else given


def _is_text(text: Any) -> bool:
    """A string, or a list of strings, of pairs or of lists of strings, by its first element."""
    if isinstance(text, str):
        return True
    if not isinstance(text, (list, tuple)):
        return False
    if not text or isinstance(text[0], str):
        return True
    return isinstance(text[0], (list, tuple)) and (not text[0] or isinstance(text[0][0], (str, list, tuple)))


def _split_batch(batch: Any, words: bool) -> tuple[list[Any], list[Any] | None]:
    """Texts and, where there are any, their pairs."""
    firsts, seconds = [], []
    for item in batch:
        first, second = _split_item(item, words)
        firsts.append(first)
        seconds.append(second)
    if all(second is None for second in seconds):
        return firsts, None
    if any(second is None for second in seconds):
        raise ValueError("batch: texts with and without a pair do not go together; encode them apart")
    return firsts, seconds


def _split_item(item: Any, words: bool) -> tuple[Any, Any]:
    is_text = _is_words if words else (lambda value: isinstance(value, str))
    if is_text(item):
        return item, None
    if isinstance(item, (list, tuple)) and len(item) == 2 and is_text(item[0]) and is_text(item[1]):
        return item[0], item[1]
    expected = "words or a pair of lists of words" if words else "a str or a pair of them"
    raise TypeError(f"TextEncodeInput must be {expected}, got {item!r:.80}")


def _is_words(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(word, str) for word in value)


def _scalars(values: np.ndarray, framework: str | None) -> Any:
    return values.tolist() if framework is None else to_framework(values.astype(np.int64), framework)


def _columns(rows: Any, wanted: Mapping[str, str], framework: str | None) -> dict[str, Any]:
    """Lists a row, or arrays [rows, tokens] where a framework is asked for and the rows are equally long."""
    begin = rows.row_begin
    lengths = np.diff(begin)
    if framework is not None and (lengths == lengths[0]).all():
        shape = (len(rows), int(lengths[0]))
        arrays = {key: getattr(rows, name) for key, name in wanted.items()}
        return {
            key: to_framework(array.astype(np.int64).reshape(shape + array.shape[1:]), framework)
            for key, array in arrays.items()
        }
    bounds = begin.tolist()
    data = {}
    for key, name in wanted.items():
        values = getattr(rows, name).tolist()
        if key == "offset_mapping":
            values = [tuple(value) for value in values]
        data[key] = [values[a:b] for a, b in zip(bounds, bounds[1:])]
    return data


BertTokenizer = BertTokenizerFast
