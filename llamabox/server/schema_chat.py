"""OpenAI's chat messages, checked and brought to one form."""

from __future__ import annotations

from typing import Any

from .schema_fields import Fields, json_type

__all__ = ["read_messages"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
"""Accepted roles; what the last one brings is a tool's result, in OpenAI's older form."""

MEDIA_PARTS = {
    "image_url": "image",
    "input_image": "image",
    "input_audio": "audio",
    "input_video": "video",
    "video_url": "video",
    "file": "file",
}

TEXT_PARTS = ("text", "refusal")
"""Kinds of parts that are text, which is in the field of that name."""

REASONING = ("reasoning_content", "reasoning", "thinking")
KEPT = ("name", "tool_call_id", *REASONING)
FURTHER = (*KEPT, "refusal", "tool_calls", "function_call")
"""What most messages do not have."""


def read_messages(fields: Fields) -> list[dict[str, Any]]:
    """The messages as chat templates take them.

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
    read: dict[str, Any] = {"role": "tool" if role == "function" else role, "content": content}
    if content is not None and not message.given(FURTHER):
        return read
    read |= {name: message.string(name) for name in message.given(KEPT)}
    if content is None and role == "assistant":
        read["content"] = message.string("refusal") or None
    calls = _read_calls(message)
    if calls:
        read["tool_calls"] = calls
    if read["content"] is None:
        says_something = calls or any(read.get(name) for name in REASONING)
        if role != "assistant" or not says_something:
            raise message.refuse("content", "is required")
    return read


def _read_content(message: Fields) -> str | list[dict[str, str]] | None:
    content = message.raw("content")
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list):
        wanted = "must be a string or an array of parts"
        raise message.refuse("content", f"{wanted}, not {json_type(content)}")
    return [_read_part(part) for part in message.objects("content") or ()]


def _read_part(part: Fields) -> dict[str, str]:
    kind = part.string("type")
    if kind in TEXT_PARTS:
        text = part.string(kind)
        if text is None:
            raise part.refuse(kind, "is required")
        return {"type": "text", "text": text}
    if kind in MEDIA_PARTS:
        raise part.refuse("type", f"{MEDIA_PARTS[kind]} input is not supported by this model")
    raise part.refuse("type", f"{kind!r} is not a kind of content")


def _read_calls(message: Fields) -> list[dict[str, Any]]:
    """Earlier calls; in OpenAI's older form there is one, which has no id."""
    calls = [_read_tool_call(call) for call in message.objects("tool_calls") or ()]
    old = message.object("function_call")
    if old is not None and not calls:
        calls = [{"type": "function", "function": _read_function(old)}]
    return calls


def _read_tool_call(call: Fields) -> dict[str, Any]:
    call.string("id")
    if call.string("type") not in (None, "function"):
        raise call.refuse("type", 'only "function" is supported')
    function = call.object("function")
    if function is None:
        raise call.refuse("function", "is required")
    return dict(call.values) | {"type": "function", "function": _read_function(function)}


def _read_function(function: Fields) -> dict[str, Any]:
    """A function that was called. What its arguments hold is looked at where the template wants an
    object, which OpenAI sends as JSON."""
    if not function.string("name"):
        raise function.refuse("name", "is required")
    if not isinstance(function.raw("arguments"), dict):
        function.string("arguments")
    return dict(function.values)
