"""OpenAI's chat messages, checked and brought to the form that templates expect."""

from __future__ import annotations

from typing import Any

import orjson

from ..errors import InvalidRequest
from .schema_fields import Fields, json_type

__all__ = ["read_messages"]

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
"""Accepted roles, and what templates call them."""

MEDIA_PARTS = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "input_video": "video",
    "video_url": "video",
    "file": "file",
}

_KEPT = ("name", "tool_call_id", "reasoning_content")


def read_messages(fields: Fields) -> list[dict[str, Any]]:
    """The messages with plain-text content.

    :raises InvalidRequest: there are none, or one is not a message of this API.
    """
    messages = fields.objects("messages")
    if messages is None:
        raise fields.refuse("messages", "is required")
    if not messages:
        raise fields.refuse("messages", "must not be empty")
    return [_read_message(message) for message in messages]


def _read_message(message: Fields) -> dict[str, Any]:
    role = message.string("role")
    if role is None:
        raise message.refuse("role", "is required")
    if role not in ROLES:
        raise message.refuse("role", f"{role!r} is not one of {', '.join(ROLES)}")
    content = _read_content(message)
    calls = message.objects("tool_calls")
    if content is None and not (role == "assistant" and calls):
        raise message.refuse("content", "is required")
    read: dict[str, Any] = {"role": ROLES[role], "content": content or ""}
    read |= {name: message.string(name) for name in _KEPT if message.present(name)}
    if calls:
        read["tool_calls"] = [_read_tool_call(call) for call in calls]
    return read


def _read_content(message: Fields) -> str | None:
    content = message.raw("content")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        wanted = "must be a string or an array of parts"
        raise message.refuse("content", f"{wanted}, not {json_type(content)}")
    return "\n".join(_read_part(part) for part in message.objects("content") or ())


def _read_part(part: Fields) -> str:
    kind = part.string("type")
    if kind == "text":
        text = part.string("text")
        if text is None:
            raise part.refuse("text", "is required")
        return text
    if kind in MEDIA_PARTS:
        raise part.refuse("type", f"{MEDIA_PARTS[kind]} input is not supported by this model")
    raise part.refuse("type", f"{kind!r} is not a kind of content")


def _read_tool_call(call: Fields) -> dict[str, Any]:
    """One earlier call; templates want its arguments as an object, OpenAI sends them as JSON."""
    function = call.object("function")
    if function is None:
        raise call.refuse("function", "is required")
    if not function.string("name"):
        raise function.refuse("name", "is required")
    return dict(call.values) | {
        "type": "function",
        "function": dict(function.values) | {"arguments": _read_arguments(function)},
    }


def _read_arguments(function: Fields) -> dict[str, Any]:
    if isinstance(function.values.get("arguments"), dict):
        return dict(function.values["arguments"])
    source = function.string("arguments") or "{}"
    try:
        arguments = orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise _not_an_object(function, str(error)) from None
    if not isinstance(arguments, dict):
        raise _not_an_object(function, f"it is {json_type(arguments)}")
    return arguments


def _not_an_object(function: Fields, reason: str) -> InvalidRequest:
    return function.refuse("arguments", f"must hold a JSON object: {reason}")
