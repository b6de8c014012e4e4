"""JSON of a request body, unless it is of so many small values that it would stop the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from ..errors import InvalidRequest

__all__ = ["LARGE_BODY", "json_array", "json_object"]

LARGE_BODY = 256 * 2**10
"""Bytes above which a body is parsed off the event loop."""
MAX_VALUES = 300_000
"""Strings, arrays and objects of a large body: orjson makes a million of them in half a second,
in which no other thread runs. The largest vocabularies have a bias for each token, by its id, in
fewer."""
SLICE = 2**20

_STARTS = (b'"', b"[", b"{")


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that ``body`` holds.

    :raises InvalidRequest: it is empty, not UTF-8, not JSON, not an object, or of too many values.
    """
    if not body:
        raise InvalidRequest("the request body is empty; a JSON object is needed")
    value = _json(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the request body must be a JSON object")
    return value


def json_array(body: bytes) -> Sequence[Any]:
    """The JSON array that ``body`` holds; raises as `json_object`."""
    value = _json(body)
    if not isinstance(value, list):
        raise InvalidRequest("the request body must be a JSON array")
    return value


def _json(body: bytes) -> Any:
    if len(body) > LARGE_BODY and _has_many_values(body):
        raise InvalidRequest(
            f"the request body holds more than {MAX_VALUES} strings, arrays and objects"
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the request body is not JSON: {error}") from None


def _has_many_values(body: bytes) -> bool:
    """Whether it has more than `MAX_VALUES`; what is written inside a string does not count."""
    if sum(map(body.count, _STARTS)) <= MAX_VALUES:
        return False
    # Of what is left, every quote begins or ends a string.
    text = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    n_values, is_inside = 0, False
    for start in range(0, len(text), SLICE):
        chars = np.frombuffer(text[start : start + SLICE], np.uint8)
        quotes = chars == ord('"')
        inside = np.logical_xor.accumulate(quotes) ^ is_inside
        opens = (chars == ord("[")) | (chars == ord("{"))
        n_values += np.count_nonzero(np.where(inside, quotes, opens))
        is_inside = bool(inside[-1])
    return n_values > MAX_VALUES
