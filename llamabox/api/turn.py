"""The assistant's turn that a conversation's prompt asks for: how it is kept to, and how read."""

from __future__ import annotations

import dataclasses

from ..params import GenerationParams
from .formats import CallStart, Content, Event, Parser, ToolFormat
from .messages import ChatMessage, MessageBuilder, call_id
from .reasoning import reasoning_parser
from .thinking import Thinking
from .tools import ToolUse


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What is known of a turn before there is any of it.

    :param format: how the model writes calls.
    :param use: its tools.
    :param thinking: what is known of its reasoning; None if there will be none.
    """

    format: ToolFormat
    use: ToolUse
    thinking: Thinking | None = None

    def params(self, params: GenerationParams) -> GenerationParams:
        """The parameters with what the turn needs of the sampler."""
        return params

    def output(self) -> TurnOutput:
        """What reads one output; each choice has its own."""
        return TurnOutput(self._parser(), parallel=self.use.parallel)

    def _parser(self) -> Parser:
        inner = self.format.parser(self.use.tools) if self.use.tools else PlainParser()
        return inner if self.format.reasons else reasoning_parser(inner, self.thinking)


class PlainParser:
    """Output that is content as it is."""

    def feed(self, text: str) -> list[Event]:
        return [Content(text)] if text else []

    def close(self) -> list[Event]:
        return []


class TurnOutput:
    """Reads one output as it comes.

    :param parser: of its text; used up.
    :param parallel: there may be several calls; else what begins with a second one is left out.
    :ivar is_enough: nothing more of it is wanted, since it goes on behind the only call.
    """

    def __init__(self, parser: Parser, *, parallel: bool) -> None:
        self._parser = parser
        self._parallel = parallel
        self._builder = MessageBuilder()
        self.is_enough = False

    def feed(self, text: str, *, is_last: bool) -> tuple[Event, ...]:
        """The events of more text, each call with an id."""
        if self.is_enough:
            return ()
        events = self._parser.feed(text)
        if is_last:
            events += self._parser.close()
        told = tuple(self._told(events))
        self._builder.add(told)
        return told

    def _told(self, events: list[Event]) -> list[Event]:
        told: list[Event] = []
        for event in events:
            if isinstance(event, CallStart):
                if event.index > 0 and not self._parallel:
                    self.is_enough = True
                    break
                told.append(event if event.id else dataclasses.replace(event, id=call_id()))
            else:
                told.append(event)
        return told

    def message(self) -> ChatMessage:
        """The message so far."""
        return self._builder.message()
