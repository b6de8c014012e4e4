"""gpt-oss (harmony): messages with a channel, and a recipient where one is a call.

``<|channel|>analysis<|message|>...<|end|><|start|>assistant<|channel|>commentary to=functions.NAME
<|constrain|>json<|message|>{...}<|call|>``. The prompt ends with the first ``<|start|>assistant``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .markers import Markers
from .text_parser import Reading, Say, TextParser, drop
from .tool_format import (
    CallShapes,
    Json,
    Literal,
    OwnReasoning,
    Piece,
    Tags,
    Tool,
    ToolFormat,
)

_START, _CHANNEL, _CONSTRAIN, _MESSAGE = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"
_TO = "to="
_FUNCTIONS = "functions."
_HEADS = Markers(_START, _CHANNEL)
_ENDS = Markers("<|end|>", "<|call|>", "<|return|>", _START, _CHANNEL)
_WORD = re.compile(r"[\w.]*")
_RECIPIENT = re.compile(r"[^\s<]*")


class HarmonyParser(TextParser):
    """Text without a head is content."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__()
        self._names = {tool.name for tool in tools}
        self._channel = ""
        self._recipient = ""
        self._said: set[str] = set()

    def parse(self) -> Reading[None]:
        marker: str | None = ""
        while marker is not None:
            self.record()
            self._channel = self._recipient = ""
            if (yield from self._read_head(marker)):
                self.recorded()
                marker = yield from self._read_body()
            else:
                self.content(marker + self.recorded())
                marker = yield from self.pass_until(_ENDS, self.content)
            if marker and marker not in (_START, _CHANNEL):
                marker = yield from self._next_head()

    def _next_head(self) -> Reading[str | None]:
        """What is between two messages is nothing but white space."""
        yield from self.skip_space()
        return (yield from self.pass_until(_HEADS, self._say_content()))

    def _read_head(self, marker: str) -> Reading[bool]:
        """Take what is in front of a message; `marker` was taken."""
        while True:
            yield from self._read_field(marker)
            yield from self.skip_space()
            marker = yield from self.take(_START, _CHANNEL, _CONSTRAIN, _MESSAGE, _TO)
            if marker == _MESSAGE:
                return bool(self._channel or self._recipient)
            if not marker and not (self._channel and (yield from self.run(_WORD))):
                return False

    def _read_field(self, marker: str) -> Reading[None]:
        if marker == _START:
            self._channel = self._recipient = ""
            yield from self.take("assistant")
        elif marker == _TO:
            self._recipient = yield from self.run(_RECIPIENT)
        elif marker == _CHANNEL:
            self._channel = yield from self.run(_WORD)
        elif marker == _CONSTRAIN:
            yield from self.run(_WORD)

    def _read_body(self) -> Reading[str | None]:
        """Returns the marker that ends it."""
        name = self._recipient.removeprefix(_FUNCTIONS)
        is_call = bool(name) and (name != self._recipient or name in self._names)
        if is_call and self._names:
            return (yield from self._read_call(name))
        is_reasoning = self._channel == "analysis" and not is_call
        say = self._say_reasoning() if is_reasoning else self._say_content()
        return (yield from self.pass_until(_ENDS, say))

    def _read_call(self, name: str) -> Reading[str | None]:
        yield from self.skip_space()
        self.start_call(name)
        if (yield from self.peek()) == "{":
            yield from self.pass_json(self.arguments)
            return (yield from self.pass_until(_ENDS, drop))
        return (yield from self.pass_until(_ENDS, self.arguments))

    def _say_reasoning(self) -> Say:
        return self._apart(self.reasoning, "\n")

    def _say_content(self) -> Say:
        return self._apart(self.content, "\n\n")

    def _apart(self, say: Say, separator: str) -> Say:
        """Say the text of a message; if it has any, it stands apart from one before."""
        is_new = True

        def say_apart(text: str) -> None:
            nonlocal is_new
            if is_new and text:
                say(separator if separator in self._said else "")
                self._said.add(separator)
                is_new = False
            say(text)

        return say_apart


def _call(tool: Tool) -> tuple[Piece, ...]:
    return (
        Literal(f"<|channel|>commentary to={_FUNCTIONS}{tool.name} <|constrain|>json<|message|>"),
        Json(tool.parameters),
    )


HARMONY = ToolFormat(
    name="harmony",
    recognizes=lambda template: _CHANNEL in template and _MESSAGE in template,
    parser=HarmonyParser,
    shapes=CallShapes(
        call=_call,
        between=(Literal("<|call|><|start|>assistant"),),
        trigger=f"commentary to={_FUNCTIONS}",
    ),
    special_tokens=True,
    reasoning=OwnReasoning(
        tags=Tags("<|channel|>analysis<|message|>", "<|end|>"),
        resumed="<|start|>assistant",
        answer="<|channel|>final<|message|>",
    ),
    stops=("<|call|>",),
)
