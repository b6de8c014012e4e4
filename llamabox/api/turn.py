"""The assistant's turn that a conversation's prompt asks for: how it is kept to, and how read."""

from __future__ import annotations

import dataclasses

from ..errors import InvalidRequest
from ..params import GenerationParams
from .constraints import LARK, ConstraintCompiler
from .formats import GENERIC, CallShapes, CallStart, Content, Event, Parser, ToolFormat
from .messages import ChatMessage, MessageBuilder, call_id
from .reasoning import reasoning_parser
from .thinking import Thinking
from .tools import ToolUse


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What is known of a turn before there is any of it.

    :param format: how the model writes calls.
    :param use: its tools.
    :param constraints: makes grammars of calls.
    :param thinking: what is known of its reasoning; None if there will be none.
    :param grammar: what calls that have to be made, or have to keep to a schema, keep to.
    """

    format: ToolFormat
    use: ToolUse
    constraints: ConstraintCompiler
    thinking: Thinking | None = None
    grammar: str = ""

    @classmethod
    def begin(
        cls,
        template_format: ToolFormat,
        use: ToolUse,
        constraints: ConstraintCompiler,
        thinking: Thinking | None,
    ) -> Turn:
        """A turn in the format of its template; the grammar of its calls is compiled, which blocks.

        :raises InvalidRequest: the schema of a tool's arguments is wrong.
        """
        can_force = template_format.shapes is not None
        used_format = template_format if can_force or not use.is_forced else GENERIC
        turn = cls(used_format, use, constraints, thinking)
        if not use.is_constrained:
            return turn
        try:
            grammar = turn._call_grammar()
            constraints.compile(turn._behind_reasoning(GenerationParams(grammar=grammar)))
        except InvalidRequest as error:
            raise InvalidRequest(f"tools: {error}", param="tools") from None
        return dataclasses.replace(turn, grammar=grammar)

    def params(self, params: GenerationParams) -> GenerationParams:
        """The parameters with what the turn needs of the sampler.

        :raises InvalidRequest: the output is to keep to another grammar than that of its calls.
        """
        if not self.use.tools:
            return self._behind_reasoning(params)
        stops = tuple(stop for stop in self.format.stops if stop not in params.stop)
        special = params.special or self.format.special_tokens
        constrained = self._behind_reasoning(self._constrained(params))
        return constrained.replace(stop=params.stop + stops, special=special)

    def _constrained(self, params: GenerationParams) -> GenerationParams:
        """A JSON schema is for the answer; calls need not keep to it."""
        if self.grammar and (params.grammar or params.regex):
            name = "grammar" if params.grammar else "regex"
            raise InvalidRequest(f"{name}: goes with no calls that are constrained", param=name)
        if self.grammar and (self.use.is_forced or not params.json_schema):
            return params.replace(grammar=self.grammar, json_schema="")
        if params.json_schema:
            grammar = self._call_grammar(content=params.json_schema)
            return params.replace(grammar=grammar, json_schema="")
        return params

    def _behind_reasoning(self, params: GenerationParams) -> GenerationParams:
        """What the output keeps to holds behind reasoning that the prompt has opened."""
        is_guided = (params.grammar or "").startswith(LARK) or params.json_schema or params.regex
        if self.thinking is None or not self.thinking.is_open or not is_guided:
            return params
        return params.replace(constrained_after=self.thinking.tags.closing)

    def _call_grammar(self, content: str = "") -> str:
        return self.constraints.calls(
            self._shapes,
            self.use.tools,
            required=self.use.is_forced,
            parallel=self.use.parallel,
            content=content,
        )

    @property
    def _shapes(self) -> CallShapes:
        shapes = self.format.shapes or GENERIC.shapes
        assert shapes is not None
        return shapes

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
