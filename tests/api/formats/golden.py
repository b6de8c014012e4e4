"""Outputs of models with the messages that they are, and the ways in which an output is cut."""

from __future__ import annotations

import codecs
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from llamabox.api.formats import Parser, Tool
from llamabox.api.messages import ChatMessage, MessageBuilder, ToolCall

WEATHER = Tool(
    "get_weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
ADD = Tool(
    "add",
    "Adds two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
        "required": ["a", "b"],
    },
)
TOOLS = (WEATHER, ADD)


@dataclass(frozen=True)
class Golden:
    """One output of a format.

    :param kind: plain, one, two, before (text before a call), broken, or what else it shows.
    :param text: what the model wrote.
    :param message: what that is; ids are "" where the format has none.
    :param tools: that were offered.
    """

    kind: str
    text: str
    message: ChatMessage
    tools: tuple[Tool, ...] = TOOLS


def said(
    content: str | None,
    *calls: tuple[str, str] | tuple[str, str, str],
    reasoning: str | None = None,
) -> ChatMessage:
    """A message, of (name, arguments) or (name, arguments, id) of each call."""
    made = [ToolCall(call[2] if len(call) == 3 else "", call[0], call[1]) for call in calls]
    return ChatMessage(content, reasoning, tuple(made))


def parsed(parser: Parser, pieces: Iterable[str]) -> ChatMessage:
    """The message of an output that comes in these pieces."""
    builder = MessageBuilder()
    for piece in pieces:
        builder.add(parser.feed(piece))
    builder.add(parser.close())
    return builder.message()


def cuts(text: str, *, seed: int = 0) -> Iterator[list[str]]:
    """The text whole, in two at every byte, by characters, by bytes, and at random places."""
    data = text.encode()
    yield [text]
    yield list(text)
    yield decoded(data[i : i + 1] for i in range(len(data)))
    for i in range(len(data) + 1):
        yield decoded((data[:i], data[i:]))
    rng = random.Random(seed)
    for _ in range(20):
        places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(2, 12)))
        bounds = zip([0, *places], [*places, len(data)], strict=True)
        yield decoded(data[start:end] for start, end in bounds)


def decoded(pieces: Iterable[bytes]) -> list[str]:
    """Whole characters, as the core hands them out."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [decoder.decode(piece) for piece in pieces] + [decoder.decode(b"", final=True)]


def check(golden: Golden, make: Callable[[tuple[Tool, ...]], Parser]) -> None:
    """The output gives its message, however it is cut."""
    for pieces in map(list, dict.fromkeys(map(tuple, cuts(golden.text)))):
        message = parsed(make(golden.tools), pieces)
        assert message == golden.message, pieces
