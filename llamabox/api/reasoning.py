"""The parser of reasoning, in front of that of the answer."""

from __future__ import annotations

from .formats.events import Content, Event, Parser, Reasoning
from .formats.markers import Markers
from .formats.text_parser import SPACE, Reading, TextParser
from .formats.tool_format import Tags
from .thinking import Thinking

__all__ = ["ReasoningParser", "RetoldParser", "reasoning_parser"]


def reasoning_parser(inner: Parser, thinking: Thinking, format_: str) -> Parser:
    """The parser of an output that may begin with reasoning.

    :param inner: parses the answer.
    :param format_: where the reasoning is told; see `ReasoningParams`.
    """
    return ReasoningParser(
        inner,
        thinking,
        told=format_ != "none",
        in_content=format_ in ("none", "deepseek-legacy"),
    )


class RetoldParser:
    """Has the reasoning that another parser tells in the content, between its tags.

    :param both: tell it as such, too.
    :param is_open: the prompt has opened it.
    """

    def __init__(self, inner: Parser, tags: Tags, *, both: bool, is_open: bool) -> None:
        self._inner = inner
        self._tags = tags
        self._both = both
        self._is_inside = is_open and not both

    def feed(self, text: str) -> list[Event]:
        return self._retold(self._inner.feed(text))

    def close(self) -> list[Event]:
        return self._retold(self._inner.close())

    def _retold(self, events: list[Event]) -> list[Event]:
        told: list[Event] = []
        for event in events:
            is_reasoning = isinstance(event, Reasoning)
            if is_reasoning is not self._is_inside:
                tag = self._tags.opening if is_reasoning else self._tags.closing
                told.append(Content(tag))
                self._is_inside = is_reasoning
            if self._both or not is_reasoning:
                told.append(event)
            if isinstance(event, Reasoning):
                told.append(Content(event.text))
        return told


class ReasoningParser(TextParser):
    """Splits the reasoning off the front of an output; what follows goes to another parser.

    White space around the reasoning and in front of the answer is dropped. What looks like a tag
    further on is part of the answer, and an output that nothing closes is reasoning to its end.

    :param inner: parses the answer.
    :param thinking: what the prompt says.
    :param told: say the reasoning as such.
    :param in_content: leave it, as the model wrote it, in the content; `inner` sees none of it.
    """

    def __init__(
        self, inner: Parser, thinking: Thinking, *, told: bool = True, in_content: bool = False
    ) -> None:
        self._inner = inner
        self._tags = thinking.tags
        self._is_open = thinking.is_open
        self._told = told
        self._in_content = in_content
        self._has_thought = thinking.is_begun
        self._gap: list[str] = []
        super().__init__()

    def parse(self) -> Reading[None]:
        tags = self._tags
        space = yield from self.run(SPACE)
        tag = yield from self.take(tags.opening, tags.closing)
        if not self._is_open and not tag:
            self.content(space)
            return
        if self._is_open and self._in_content and self._told and tag != tags.opening:
            self._keep(tags.opening)
        self._keep(space + tag)
        if tag != tags.closing:
            if self._is_open and not tag:
                self._say(space)
            marker = yield from self.pass_until(Markers(tags.closing), self._think)
            if marker is None:
                return
            self._keep(marker)
        space = yield from self.run(SPACE)
        self._keep(space)

    def content(self, text: str) -> None:
        if text:
            self._events += self._inner.feed(text)

    def close(self) -> list[Event]:
        return super().close() + self._inner.close()

    def _think(self, text: str) -> None:
        self._keep(text)
        self._say(text)

    def _keep(self, text: str) -> None:
        if self._in_content and text:
            self._events.append(Content(text))

    def _say(self, text: str) -> None:
        """Say reasoning; white space at its end waits for what follows."""
        if not self._told:
            return
        if not self._has_thought:
            text = text.lstrip()
        body = text.rstrip()
        if body:
            self.reasoning("".join(self._gap) + body)
            self._gap.clear()
            self._has_thought = True
        if len(body) < len(text):
            self._gap.append(text[len(body) :])
