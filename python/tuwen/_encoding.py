"""BatchEncoding: what a tokenizer returns."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._batch import Batch
from ._frameworks import TensorType, framework_of, is_tensor, to_framework


class CharSpan(NamedTuple):
    start: int
    end: int


class TokenSpan(NamedTuple):
    start: int
    end: int


class Encoding:
    """One row of tokens, and where they came from."""

    def __init__(self, rows: Any, row: int, processor: Any) -> None:
        self._part = slice(int(rows.row_begin[row]), int(rows.row_begin[row + 1]))
        self._rows, self._processor = rows, processor

    def _list(self, name: str) -> list[Any]:
        return getattr(self._rows, name)[self._part].tolist()

    def __len__(self) -> int:
        return self._part.stop - self._part.start

    @property
    def ids(self) -> list[int]:
        return self._list("ids")

    @property
    def type_ids(self) -> list[int]:
        return self._list("type_ids")

    @property
    def attention_mask(self) -> list[int]:
        return self._list("attention_mask")

    @property
    def special_tokens_mask(self) -> list[int]:
        return self._list("special_tokens_mask")

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return [tuple(offset) for offset in self._list("offsets")]

    @property
    def tokens(self) -> list[str]:
        return [self._processor.token(i) for i in self.ids]

    @property
    def word_ids(self) -> list[int | None]:
        return [None if word < 0 else word for word in self._list("word_ids")]

    @property
    def sequence_ids(self) -> list[int | None]:
        return [None if sequence < 0 else sequence for sequence in self._list("sequence_ids")]

    @property
    def n_sequences(self) -> int:
        return max(self._list("sequence_ids"), default=-1) + 1 or 1

    def word_to_tokens(self, word: int, sequence: int = 0) -> TokenSpan | None:
        found = [i for i, source in enumerate(zip(self._list("sequence_ids"), self._list("word_ids"))) if source == (sequence, word)]
        return TokenSpan(found[0], found[-1] + 1) if found else None

    def char_to_token(self, char: int, sequence: int = 0) -> int | None:
        for i, (own, (begin, end)) in enumerate(zip(self._list("sequence_ids"), self.offsets)):
            if own == sequence and begin <= char < end:
                return i
        return None


class BatchEncoding(Batch):
    """Named lists or tensors of a batch, with attributes; by number the rows as `Encoding`."""

    _encodings: list[Encoding] | None = None  # not pickled

    def __init__(
        self,
        data: dict[str, Any] | None = None,
        encoding: Any = None,
        tensor_type: str | TensorType | None = None,
        prepend_batch_axis: bool = False,
    ) -> None:
        super().__init__(data)
        self._encodings = [encoding] if isinstance(encoding, Encoding) else encoding
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, str):
            return self.data[item]
        if self._encodings is None:
            raise KeyError("Invalid key. Only three types of key are available: (1) string, (2) integers for backend "
                           "Encoding, and (3) slices for data subsetting.")
        if isinstance(item, slice):
            return {key: value[item] for key, value in self.data.items()}
        return self._encodings[item]

    @property
    def encodings(self) -> list[Encoding] | None:
        return self._encodings

    @property
    def is_fast(self) -> bool:
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        return self._encodings[0].n_sequences if self._encodings else None

    def _row(self, name: str, index: int) -> Encoding:
        if self._encodings is None:
            raise ValueError(f"{name}() is not available: these rows did not come from a tokenizer")
        return self._encodings[index]

    def tokens(self, batch_index: int = 0) -> list[str]:
        return self._row("tokens", batch_index).tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        return self._row("word_ids", batch_index).word_ids

    words = word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        return self._row("sequence_ids", batch_index).sequence_ids

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        row, index = _row_and_index(batch_or_token_index, token_index)
        return self._row("token_to_sequence", row).sequence_ids[index]

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        row, index = _row_and_index(batch_or_token_index, token_index)
        return self._row("token_to_word", row).word_ids[index]

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        row, index = _row_and_index(batch_or_token_index, token_index)
        encoding = self._row("token_to_chars", row)
        return None if encoding.sequence_ids[index] is None else CharSpan(*encoding.offsets[index])

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        row, index = _row_and_index(batch_or_word_index, word_index)
        return self._row("word_to_tokens", row).word_to_tokens(index, sequence_index)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        row, index = _row_and_index(batch_or_char_index, char_index)
        return self._row("char_to_token", row).char_to_token(index, sequence_index)

    def convert_to_tensors(
        self, tensor_type: str | TensorType | None = None, prepend_batch_axis: bool = False
    ) -> BatchEncoding:
        framework = framework_of(tensor_type)
        if framework is None:
            return self
        for key, value in self.data.items():
            if not is_tensor(value):
                self.data[key] = _tensor(key, [value] if prepend_batch_axis else value, framework)
            elif isinstance(value, np.ndarray) and framework != "np":
                self.data[key] = to_framework(value, framework)
        return self

    def to(self, device: Any) -> BatchEncoding:
        return super().to(device)


def _row_and_index(first: int, second: int | None) -> tuple[int, int]:
    return (0, first) if second is None else (first, second)


def _tensor(key: str, value: Any, framework: str) -> Any:
    try:
        lengths = {len(row) for row in value} if value and isinstance(value[0], (list, tuple)) else set()
        if len(lengths) > 1:
            if framework != "np":
                raise ValueError("ragged")
            array = np.empty(len(value), dtype=object)
            array[:] = [np.asarray(row) for row in value]
            return array
        return to_framework(np.asarray(value), framework)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "Unable to create tensor, you should probably activate truncation and/or padding with 'padding=True' "
            f"'truncation=True' to have batched tensors with the same length. Perhaps your features (`{key}` in this "
            "case) have excessive nesting (inputs type `list` where type `int` is expected)."
        ) from error
