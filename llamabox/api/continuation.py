"""Prompts that end inside the last message, for the model to go on with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from .adaptation import REASONING_FIELDS

ContinueField = bool | str
"""`content` or `reasoning_content`, whichever is to be continued; True for what is there."""

MARK = "\uf8f3\uf8f4\uf8f3"
"""Stands at the end of what is continued while the template renders; of Unicode's private use."""
SPACE = " "
"""After the mark, to see whether the template trims what it stands in."""


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """What there is of a message that is to be continued; nothing if none is.

    :param text: of the field that is continued, as the caller gave it.
    :param is_reasoning: it is the message's reasoning.
    """

    text: str = ""
    is_reasoning: bool = False


def begun_of(messages: Sequence[Mapping[str, Any]], wanted: ContinueField) -> Begun:
    """What there is of the last message, if it is to be continued; raises as `continued_field`."""
    if wanted is False:
        return Begun()
    last = messages[-1]
    if continued_field(last, wanted) == "content":
        return Begun(_text(last.get("content")))
    return Begun(_text(next(filter(None, map(last.get, REASONING_FIELDS)))), is_reasoning=True)


def continued_field(message: Mapping[str, Any], wanted: ContinueField) -> str:
    """Which field of the last message is continued.

    :raises InvalidRequest: it cannot be.
    """
    if message.get("role") != "assistant":
        raise _refusal("the last message is not the assistant's, so that it cannot be continued")
    if message.get("tool_calls"):
        raise _refusal("a message with tool calls cannot be continued")
    reasoning = any(message.get(name) for name in REASONING_FIELDS)
    if wanted is True:
        return "content" if message.get("content") or not reasoning else "reasoning_content"
    if wanted == "content":
        return wanted
    if wanted != "reasoning_content":
        raise _refusal(f"{wanted!r} is neither content nor reasoning_content")
    if not reasoning:
        raise _refusal("the last message has no reasoning to continue")
    if message.get("content"):
        raise _refusal("the last message has content, so that its reasoning cannot be continued")
    return wanted


def render_continued(
    messages: Sequence[Mapping[str, Any]],
    field: str,
    render: Callable[[Sequence[Mapping[str, Any]], bool], str],
) -> str:
    """The prompt up to the end of a field of the last message.

    :param render: renders messages as they are, with or without a generation prompt.
    :raises InvalidRequest: the template leaves the field out.
    """
    last = messages[-1]
    text = render([*messages[:-1], _marked(last, field)], False)
    head, mark, tail = text.rpartition(MARK)
    if mark:
        return head if tail.startswith(SPACE) else head.rstrip()
    if field != "content":
        raise _refusal("the chat template does not show the reasoning that is to be continued")
    return render(messages[:-1], True) + _text(last.get("content"))


def _marked(message: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The message with the mark at the end of a field, under each name of reasoning."""
    names = [field]
    if field != "content":
        names = [name for name in REASONING_FIELDS if message.get(name)]
    marked = dict(message)
    for name in names:
        value = message.get(name)
        if isinstance(value, str) or not value:
            marked[name] = (value or "") + MARK + SPACE
        elif field != "content":
            raise _refusal(f"{name} is no text, so that it cannot be continued")
        else:
            marked[name] = [*value[:-1], {**value[-1], "text": _text([value[-1]]) + MARK + SPACE}]
    return marked


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def _refusal(reason: str) -> InvalidRequest:
    return InvalidRequest(reason, param="continue_final_message")
