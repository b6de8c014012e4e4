"""The assistant's turn that a conversation's prompt asks for: how it is kept to, and how read."""

from __future__ import annotations

import dataclasses

from ..errors import InvalidRequest
from ..params import GenerationParams
from .constraints import ConstraintCompiler
from .formats import GENERIC, CallShapes, CallStart, Content, Event, Parser, ToolFormat
from .messages import ChatMessage, MessageBuilder, call_id
from .reasoning import RetoldParser, reasoning_parser
from .thinking import Thinking
from .tools import ToolUse


@dataclasses.dataclass(frozen=True, slots=True)
class Turn:
    """What is known of a turn before there is any of it.

    :param format: how the model writes calls.
    :param use: its tools.
    :param constraints: makes grammars of calls.
    :param thinking: what is known of its reasoning; None if there will be none between tags.
    :param grammar: what calls that have to be made, or have to keep to a schema, keep to; as all
        that an output keeps to, it holds behind the reasoning.
    :param reasoning_format: where reasoning is told; see `ReasoningParams`.
    """

    format: ToolFormat
    use: ToolUse
    constraints: ConstraintCompiler
    thinking: Thinking | None = None
    grammar: str = ""
    reasoning_format: str = "auto"
    _beside: dict[str, str] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # The grammar of the calls and the schema that was asked for last, by that schema.

    @classmethod
    def begin(
        cls,
        template_format: ToolFormat,
        use: ToolUse,
        constraints: ConstraintCompiler,
        thinking: Thinking | None,
        *,
        reasoning_format: str = "auto",
    ) -> Turn:
        """A turn in the format of its template; the grammar of its calls is compiled, which blocks.

        :raises InvalidRequest: the schema of a tool's arguments is wrong.
        """
        is_native = not use.is_forced or template_format.shapes_of(use.tools) is not None
        used_format = template_format if is_native else GENERIC
        turn = cls(
            used_format,
            use,
            constraints,
            thinking,
            reasoning_format=reasoning_format,
        )
        if not use.is_constrained:
            return turn
        try:
            grammar = turn._call_grammar()
            constraints.compile(GenerationParams(grammar=grammar))
        except InvalidRequest as error:
            raise InvalidRequest(f"tools: {error}", param="tools") from None
        return dataclasses.replace(turn, grammar=grammar)

    def params(self, params: GenerationParams) -> GenerationParams:
        """The parameters with what the turn needs of the sampler.

        :raises InvalidRequest: the output is to keep to another grammar than that of its calls, or
            to no JSON schema.
        """
        special = params.special or self._needs_special
        if not self.use.tools:
            params = params.replace(special=special)
            return params if self.format.reasoning is None else self._constrained(params)
        stops = tuple(stop for stop in self.format.stops if stop not in params.stop)
        constrained = self._constrained(params)
        return constrained.replace(stop=params.stop + stops, special=special)

    @property
    def _needs_special(self) -> bool:
        """Whether there are control tokens among what its parser looks for."""
        if self.thinking is not None and self.thinking.is_special:
            return True
        is_parsed = self.format.reasoning is not None or bool(self.use.tools)
        return is_parsed and self.format.special_tokens

    def _constrained(self, params: GenerationParams) -> GenerationParams:
        """A JSON schema is for the answer; calls need not keep to it."""
        if self.grammar and (params.grammar or params.regex):
            name = "grammar" if params.grammar else "regex"
            raise InvalidRequest(f"{name}: goes with no calls that are constrained", param=name)
        if self.grammar and (self.use.is_forced or not params.json_schema):
            return params.replace(grammar=self.grammar, json_schema="")
        if params.json_schema:
            return params.replace(grammar=self._grammar_beside(params.json_schema), json_schema="")
        return params

    def _grammar_beside(self, schema: str) -> str:
        """That of an answer that keeps to a schema, or calls; a long one takes a while."""
        grammar = self._beside.get(schema)
        if grammar is None:
            try:
                grammar = self._call_grammar(content=schema)
                self.constraints.compile(GenerationParams(grammar=grammar))
            except InvalidRequest as error:
                raise InvalidRequest(f"json_schema: {error}", param="json_schema") from None
            self._beside.clear()
            self._beside[schema] = grammar
        return grammar

    def _call_grammar(self, content: str = "") -> str:
        """Of reasoning, which no grammar holds for, the core has the grammar see the opening."""
        own, thinking = self.format.reasoning, self.thinking
        is_open = thinking is not None and thinking.is_open
        return self.constraints.calls(
            self._shapes,
            self.use.tools,
            required=self.use.is_forced,
            parallel=self.use.parallel,
            content=content,
            lead=own.lead(is_open=is_open) if own and thinking else "",
            may_lead=not is_open,
            answer=own.answer if own else "",
        )

    @property
    def _shapes(self) -> CallShapes:
        shapes = self.format.shapes_of(self.use.tools) or GENERIC.shapes
        assert shapes is not None
        return shapes

    def output(self) -> TurnOutput:
        """What reads one output; each choice has its own."""
        return TurnOutput(self._parser(), parallel=self.use.parallel)

    def _parser(self) -> Parser:
        told = self.reasoning_format
        own = self.format.reasoning
        if own is not None:
            inner = self.format.parser(self.use.tools)
            is_open = self.thinking is not None and self.thinking.is_open
            if is_open:
                inner.feed(own.opening)
            if told in ("auto", "deepseek"):
                return inner
            return RetoldParser(inner, own.tags, both=told != "none", is_open=is_open)
        is_marked = self.format.marks_answers or bool(self.use.tools)
        inner = self.format.parser(self.use.tools) if is_marked else PlainParser()
        return inner if self.thinking is None else reasoning_parser(inner, self.thinking, told)


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
        self._ids: set[str] = set()
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
                told.append(self._with_own_id(event))
            else:
                told.append(event)
        return told

    def _with_own_id(self, start: CallStart) -> CallStart:
        """Models may write none, or one twice."""
        if not start.id or start.id in self._ids:
            start = dataclasses.replace(start, id=call_id())
        self._ids.add(start.id)
        return start

    def message(self) -> ChatMessage:
        """The message so far."""
        return self._builder.message()
