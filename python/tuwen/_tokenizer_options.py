"""Padding and truncation as callers may say them, as the compiled part takes them."""
from __future__ import annotations

import warnings
from enum import Enum
from typing import Any

from ._tokenizer_files import UNLIMITED

_LIMITED = int(1e20)  # model_max_length above this is none


class PaddingStrategy(str, Enum):
    LONGEST = "longest"
    MAX_LENGTH = "max_length"
    DO_NOT_PAD = "do_not_pad"


class TruncationStrategy(str, Enum):
    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    LONGEST_FIRST = "longest_first"
    DO_NOT_TRUNCATE = "do_not_truncate"


_PADDING_CODES = {PaddingStrategy.DO_NOT_PAD: 0, PaddingStrategy.LONGEST: 1, PaddingStrategy.MAX_LENGTH: 2}
_TRUNCATION_CODES = {
    TruncationStrategy.DO_NOT_TRUNCATE: 1,
    TruncationStrategy.LONGEST_FIRST: 2,
    TruncationStrategy.ONLY_FIRST: 3,
    TruncationStrategy.ONLY_SECOND: 4,
}


def padding_strategy(padding: bool | str | PaddingStrategy) -> PaddingStrategy:
    if padding is True:
        return PaddingStrategy.LONGEST
    return PaddingStrategy.DO_NOT_PAD if padding is False else PaddingStrategy(padding)


def truncation_strategy(truncation: bool | str | TruncationStrategy | None) -> TruncationStrategy:
    if truncation is True:
        return TruncationStrategy.LONGEST_FIRST
    return TruncationStrategy.DO_NOT_TRUNCATE if not truncation else TruncationStrategy(truncation)


def native_options(
    padding: Any, truncation: Any, max_length: int | None, stride: int, pad_to_multiple_of: int | None, model_max_length: float
) -> tuple[dict[str, Any], bool]:
    """The options, and whether truncation leaves no token of the texts where none are added to them."""
    if max_length is not None and padding is False and truncation is None:
        truncation = TruncationStrategy.LONGEST_FIRST
    pad, cut = padding_strategy(padding), truncation_strategy(truncation)
    if max_length is None:
        if model_max_length <= _LIMITED:
            if pad == PaddingStrategy.MAX_LENGTH or cut != TruncationStrategy.DO_NOT_TRUNCATE:
                max_length = int(model_max_length)
        else:
            if pad == PaddingStrategy.MAX_LENGTH:
                warnings.warn("Asking to pad to max_length but no maximum length is provided and the model has no "
                              "predefined maximum length. Default to no padding.", stacklevel=4)
                pad = PaddingStrategy.DO_NOT_PAD
            if cut != TruncationStrategy.DO_NOT_TRUNCATE:
                warnings.warn("Asking to truncate to max_length but no maximum length is provided and the model has no "
                              "predefined maximum length. Default to no truncation.", stacklevel=4)
                cut = TruncationStrategy.DO_NOT_TRUNCATE
    cuts, pads = cut != TruncationStrategy.DO_NOT_TRUNCATE, pad != PaddingStrategy.DO_NOT_PAD
    if cuts and pads and pad_to_multiple_of and max_length is not None and max_length % pad_to_multiple_of != 0:
        raise ValueError(f"Truncation and padding are both activated but truncation length ({max_length}) is not a "
                         f"multiple of pad_to_multiple_of ({pad_to_multiple_of}).")
    if max_length is not None and max_length < 0 and (cuts or pad == PaddingStrategy.MAX_LENGTH):
        raise OverflowError("max_length: can't convert negative int to unsigned")
    if stride < 0:
        raise OverflowError("stride: can't convert negative int to unsigned")
    to_nothing = cuts and max_length == 0
    if to_nothing:  # not even the added tokens fit, so that nothing is cut, as in the reference; without them everything
        cut, cuts = TruncationStrategy.DO_NOT_TRUNCATE, False
    used = max_length if max_length is not None and (cuts or pad == PaddingStrategy.MAX_LENGTH) else 0
    if pad == PaddingStrategy.MAX_LENGTH and not used:
        pad = PaddingStrategy.DO_NOT_PAD
    return {
        "padding": _PADDING_CODES[pad],
        "truncation": _TRUNCATION_CODES[cut],
        "max_length": min(int(used), UNLIMITED >> 40),
        "stride": int(stride) if cuts else 0,
        "pad_to_multiple_of": int(pad_to_multiple_of or 0) if pads else 0,
    }, to_nothing
