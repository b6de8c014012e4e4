"""Checks of the fields of parameters: each raises `InvalidRequest` with the field's name."""

from __future__ import annotations

import math
import os

from .errors import InvalidRequest
from .samplers import SAMPLER_CHARS

MAX_INT = 2**31 - 1
MAX_FLOAT = 1e30
MAX_SAMPLERS = 32
MIN_RATE = 0.001
"""Tokens per second that a request can ask for at all."""
MAX_RATE = 1e6
MEASURED = -1
MAX_BIAS_LENGTH = 4096
"""Of all texts among the biases together, in characters."""
MAX_KEY_LENGTH = 1024


def check_int(params: object, name: str, low: int, high: int = MAX_INT) -> None:
    value = getattr(params, name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequest(f"{name}: {value!r} is not an integer", param=name)
    if not low <= value <= high:
        raise InvalidRequest(f"{name}: {value} is not within {low} to {high}", param=name)


def check_float(
    params: object, name: str, low: float = -MAX_FLOAT, high: float = MAX_FLOAT
) -> None:
    value = getattr(params, name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and math.isnan(value)):
        raise InvalidRequest(f"{name}: {value!r} is not a number", param=name)
    if not low <= value <= high:
        raise InvalidRequest(f"{name}: {value} is not within {low} to {high}", param=name)


def check_bool(params: object, name: str) -> None:
    value = getattr(params, name)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{name}: {value!r} is not a boolean", param=name)


def check_rate(params: object, name: str, *, may_be_measured: bool = False) -> None:
    """Tokens per second, or 0 for no limit."""
    value = getattr(params, name)
    if may_be_measured and value == MEASURED and not isinstance(value, bool):
        return
    check_float(params, name)
    if may_be_measured and not 0 <= value <= MAX_RATE:
        raise InvalidRequest(
            f"{name}: {value} is neither {MEASURED} nor within 0 to {MAX_RATE:.0f}", param=name
        )
    check_float(params, name, 0, MAX_RATE)
    if 0 < value < MIN_RATE:
        raise InvalidRequest(
            f"{name}: {value} is neither 0 nor within {MIN_RATE} to {MAX_RATE:.0f}", param=name
        )


def check_key(params: object, name: str) -> None:
    value = getattr(params, name)
    if value is not None and not (isinstance(value, str) and len(value) <= MAX_KEY_LENGTH):
        raise InvalidRequest(
            f"{name}: neither None nor a string of {MAX_KEY_LENGTH} characters at most", param=name
        )


def check_choice(params: object, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(params, name)
    if value not in choices:
        raise InvalidRequest(f"{name}: {value!r} is none of {', '.join(choices)}", param=name)


def check_strings(params: object, name: str) -> None:
    value = getattr(params, name)
    if not isinstance(value, tuple):
        raise InvalidRequest(f"{name}: {value!r} is not a tuple of strings", param=name)
    for text in value:
        if not isinstance(text, str) or not text:
            raise InvalidRequest(f"{name}: {text!r} is not a string, or is empty", param=name)
        check_encodable(text, name)


def check_encodable(text: str, name: str) -> None:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidRequest(f"{name}: {text!r} has lone surrogates", param=name)


def check_logit_bias(params: object, name: str) -> None:
    pairs = getattr(params, name)
    if not isinstance(pairs, tuple):
        raise InvalidRequest(f"{name}: {pairs!r} is not a tuple", param=name)
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InvalidRequest(f"{name}: {pair!r} is not a pair", param=name)
        token, bias = pair
        if isinstance(token, str) and token:
            check_encodable(token, name)
        elif not isinstance(token, int) or isinstance(token, bool) or not 0 <= token <= MAX_INT:
            raise InvalidRequest(f"{name}: {token!r} is not a token id", param=name)
        is_number = isinstance(bias, (int, float)) and not isinstance(bias, bool)
        if not is_number or not (abs(bias) <= MAX_FLOAT or bias == -math.inf):
            raise InvalidRequest(f"{name}: {bias!r} is not a bias", param=name)
    if sum(len(token) for token, _ in pairs if isinstance(token, str)) > MAX_BIAS_LENGTH:
        raise InvalidRequest(f"{name}: texts of more than {MAX_BIAS_LENGTH} characters", param=name)


def check_pairs(params: object, name: str) -> None:
    pairs = getattr(params, name)
    if not isinstance(pairs, tuple) or not all(isinstance(p, tuple) and len(p) == 2 for p in pairs):
        raise InvalidRequest(f"{name}: {pairs!r} is not a tuple of pairs", param=name)


def check_scales(params: object, name: str) -> None:
    """Of LoRA adapters: (number, scale) pairs, or None."""
    pairs = getattr(params, name)
    if pairs is None:
        return
    check_pairs(params, name)
    for number, scale in pairs:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_INT:
            raise InvalidRequest(f"{name}: {number!r} is not an adapter's number", param=name)
        check_scale(scale, name)
    if len({number for number, _ in pairs}) < len(pairs):
        raise InvalidRequest(f"{name}: an adapter is there twice", param=name)


def check_scale(scale: object, name: str) -> None:
    is_number = isinstance(scale, (int, float)) and not isinstance(scale, bool)
    if not is_number or not abs(scale) <= MAX_FLOAT:  # type: ignore[arg-type]
        raise InvalidRequest(f"{name}: {scale!r} is not a scale", param=name)


def check_scaled_files(params: object, name: str) -> None:
    """(path, scale) pairs."""
    check_pairs(params, name)
    pairs = getattr(params, name)
    for path, scale in pairs:
        if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
            raise InvalidRequest(f"{name}: {path!r} is not a path", param=name)
        check_scale(scale, name)


def check_samplers(params: object, name: str) -> None:
    check_strings(params, name)
    samplers: tuple[str, ...] = getattr(params, name)
    known = SAMPLER_CHARS.values()
    strange = next((sampler for sampler in samplers if sampler not in known), None)
    if strange is not None:
        raise InvalidRequest(f"{name}: there is no sampler {strange!r}", param=name)
    if len(samplers) > MAX_SAMPLERS:
        raise InvalidRequest(f"{name}: more than {MAX_SAMPLERS}", param=name)
