"""A chat's events as the deltas of a stream, and its calls as fields of a message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ..api import CallArguments, CallStart, Content, Event, Reasoning, ToolCall

__all__ = ["EMPTY_DELTA", "call_fields", "deltas"]

EMPTY_DELTA = b'{"content":""}'


def deltas(events: Iterable[Event], *, is_legacy: bool) -> list[bytes]:
    """The deltas, as JSON; text of one kind that comes at once is one of them.

    :param is_legacy: a call is a ``function_call``.
    """
    found: list[bytes] = []
    texts: list[str] = []
    last: Event | None = None
    for event in events:
        if texts and (type(event) is not type(last) or isinstance(event, CallStart)):
            found.append(_text_delta(last, "".join(texts), is_legacy=is_legacy))
            texts = []
        last = event
        if isinstance(event, CallStart):
            found.append(_start_delta(event, is_legacy=is_legacy))
        else:
            texts.append(event.fragment if isinstance(event, CallArguments) else event.text)
    if texts:
        found.append(_text_delta(last, "".join(texts), is_legacy=is_legacy))
    return found


def call_fields(calls: Sequence[ToolCall], *, is_legacy: bool) -> dict[str, Any]:
    """The fields of a message that hold its calls; none if there are none."""
    functions = [{"name": call.name, "arguments": call.arguments} for call in calls]
    if not functions:
        return {}
    if is_legacy:
        return {"function_call": functions[0]}
    return {
        "tool_calls": [
            {"id": call.id, "type": "function", "function": function}
            for call, function in zip(calls, functions, strict=True)
        ]
    }


def _start_delta(start: CallStart, *, is_legacy: bool) -> bytes:
    function = {"name": start.name, "arguments": ""}
    if is_legacy:
        return orjson.dumps({"function_call": function})
    call = {"index": start.index, "id": start.id, "type": "function", "function": function}
    return orjson.dumps({"tool_calls": [call]})


def _text_delta(last: Event | None, text: str, *, is_legacy: bool) -> bytes:
    """The delta of text, of the kind of the last event."""
    value = orjson.dumps(text)
    match last:
        case Content():
            return b'{"content":%b}' % value
        case Reasoning():
            return b'{"reasoning_content":%b}' % value
        case CallArguments() if is_legacy:
            return b'{"function_call":{"arguments":%b}}' % value
        case CallArguments(index):
            return b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (index, value)
        case _:
            raise AssertionError(last)
