"""Padding of rows that were encoded before."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._encoding import BatchEncoding
from ._frameworks import is_tensor, is_torch_tensor, to_numpy
from ._tokenizer_options import PaddingStrategy, padding_strategy


def pad_encodings(
    tokenizer: Any,
    encoded_inputs: Any,
    padding: Any = True,
    max_length: int | None = None,
    pad_to_multiple_of: int | None = None,
    return_attention_mask: bool | None = None,
    return_tensors: Any = None,
    verbose: bool = True,
) -> BatchEncoding:
    """What BertTokenizerFast.pad does; ids of one row or of several, as lists or tensors."""
    if isinstance(encoded_inputs, (list, tuple)) and isinstance(encoded_inputs[0], Mapping):
        encoded_inputs = {key: [example[key] for example in encoded_inputs] for key in encoded_inputs[0]}
    if "input_ids" not in encoded_inputs:
        raise ValueError(
            "You should supply an encoding or a list of encodings to this method that includes input_ids, but you "
            f"provided {list(encoded_inputs.keys())}"
        )
    ids = encoded_inputs["input_ids"]
    if ids is None or len(ids) == 0:
        if return_attention_mask:
            encoded_inputs["attention_mask"] = []
        return encoded_inputs
    tensors = is_tensor(ids) or is_tensor(ids[0]) or isinstance(ids[0], np.generic)
    if tensors and return_tensors is None:
        return_tensors = "pt" if is_torch_tensor(ids) or is_torch_tensor(ids[0]) else "np"
    data = {key: _plain(value) for key, value in encoded_inputs.items()}
    single = not isinstance(data["input_ids"][0], list)
    rows = {key: [value] for key, value in data.items()} if single else data
    count = len(rows["input_ids"])
    if any(len(values) != count for values in rows.values()):
        raise AssertionError("Some items in the output dictionary have a different batch size than others.")
    strategy = padding_strategy(padding)
    length = _length(strategy, max(len(row) for row in rows["input_ids"]), max_length, pad_to_multiple_of)
    wants_mask = "attention_mask" in tokenizer.model_input_names if return_attention_mask is None else return_attention_mask
    if wants_mask and "attention_mask" not in rows:
        rows["attention_mask"] = [[1] * len(row) for row in rows["input_ids"]]
    fill = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id, "special_tokens_mask": 1}
    if wants_mask:
        fill["attention_mask"] = 0
    left = tokenizer.padding_side == "left"
    missing = [max(length - len(row), 0) for row in rows["input_ids"]]
    for key, value in fill.items():
        if key in rows:
            rows[key] = [
                [value] * n + list(row) if left else list(row) + [value] * n for row, n in zip(rows[key], missing)
            ]
    if single:
        rows = {key: values[0] for key, values in rows.items()}
    return BatchEncoding(rows, tensor_type=return_tensors)


def _plain(value: Any) -> Any:
    if is_tensor(value):
        return to_numpy(value).tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _length(strategy: PaddingStrategy, longest: int, max_length: int | None, multiple: int | None) -> int:
    if strategy == PaddingStrategy.DO_NOT_PAD:
        return 0
    length = longest if strategy == PaddingStrategy.LONGEST or max_length is None else max_length
    return -(-length // multiple) * multiple if multiple else length
