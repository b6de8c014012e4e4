"""The assistant's message, put together from a parser's events."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass

from .formats.events import CallArguments, CallStart, Content, Event, Reasoning

_ID_CHARACTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool.

    :param id: as the model wrote it, else a random one.
    :param name: as the model wrote it; perhaps of no tool that was offered.
    :param arguments: JSON text as the model wrote it: an object, unless the model made a mistake
        or was cut off.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """An assistant's message.

    :param content: None if there is nothing but calls.
    :param reasoning: None if there is none.
    """

    content: str | None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


def call_id() -> str:
    """An id for a call whose format has none."""
    return "call_" + "".join(secrets.choice(_ID_CHARACTERS) for _ in range(24))


class MessageBuilder:
    """Adds events up to a message."""

    def __init__(self) -> None:
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[tuple[CallStart, list[str]]] = []

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Content(text):
                    self._content.append(text)
                case Reasoning(text):
                    self._reasoning.append(text)
                case CallStart():
                    self._calls.append((event, []))
                case CallArguments(index, fragment):
                    self._calls[index][1].append(fragment)

    def message(self) -> ChatMessage:
        """The message so far; its content is "" if there is nothing at all."""
        content, reasoning = "".join(self._content), "".join(self._reasoning)
        calls = tuple(
            ToolCall(start.id, start.name, "".join(fragments)) for start, fragments in self._calls
        )
        return ChatMessage(content or (None if calls else ""), reasoning or None, calls)
