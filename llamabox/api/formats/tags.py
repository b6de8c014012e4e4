"""Calls as tags: the arguments one by one, each between tags of its own, without quotes.

``<function=NAME> <parameter=KEY>VALUE</parameter> ... </function>``, and what other models write
in place of these brackets.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

from .argument_schema import schemas_of
from .argument_types import STRING, Types
from .call_object import read_call
from .markers import Markers
from .text_parser import Reading, Say
from .tool_format import CallShapes, Literal, Maybe, OwnReasoning, Piece, Tool, ToolFormat
from .turn import Marks, TurnParser
from .typed_arguments import TypedArguments, declared_arguments, lists_arguments, pass_value

_HEAD = re.compile(r"[^<>\n]*")
_NAME_END = re.compile(r"""[\s<>"'=\[\]|]""")
_ATTRIBUTE = re.compile(r'\s\w+="')
_QUOTED_BEGIN, _QUOTED_ENDS = "<![CDATA[", Markers("]]>")
_STATED = re.compile(r'\b(?:string="(?P<string>true|false)|type="(?P<type>\w+))"')


@dataclass(frozen=True, kw_only=True)
class TagSyntax:
    """How one model writes it.

    :param around: what begins and ends a group of calls; pairs, of which the first is the usual.
    :param call: what a call begins with, up to its name, and what ends it.
    :param argument: the same of an argument, whose name comes first.
    :param head_end: what ends the tag that begins a call or an argument, behind its attributes.
    :param after_name: the text between a name and the end of its tag, as the model writes it.
    :param attribute: more text there, of an argument of a JSON type; "" for one of unknown type.
    :param padding: what is between the tags and a value, as the model writes it; it is optional.
    :param line: what is between two tags.
    :param is_wrapped_each: each call has its own group.
    """

    call: tuple[str, str]
    argument: tuple[str, str]
    around: tuple[tuple[str, str], ...] = ()
    head_end: str = ">"
    after_name: str = ""
    attribute: Callable[[str], str] = lambda _: ""
    padding: str = ""
    line: str = "\n"
    is_wrapped_each: bool = False
    thoughts: Mapping[str, str] = field(default_factory=dict)
    silent: tuple[str, ...] = ()

    def marks(self) -> Marks:
        opens = [begin for begin, _ in self.around]
        return Marks(*opens, self.call[0], thoughts=self.thoughts, silent=self.silent)


@functools.lru_cache(maxsize=64)
def _markers(*strings: str) -> Markers:
    return Markers(*strings)


class TagParser(TurnParser):
    """:param tools: whose schemas say which arguments are strings."""

    def __init__(self, syntax: TagSyntax, marks: Marks, tools: Sequence[Tool]) -> None:
        super().__init__()
        self.marks = marks
        self.takes_calls = bool(tools)
        self._syntax = syntax
        self._schemas = schemas_of(tools)
        end = syntax.argument[1]
        self._value_ends = _markers(end, syntax.padding + end)
        # Some models forget to end the call before they end the group.
        ends = (end for _, end in syntax.around)
        self._after_value = (syntax.argument[0], syntax.call[1], *ends)

    def read_calls(self, marker: str) -> Reading[bool]:
        syntax = self._syntax
        if marker != syntax.call[0]:
            yield from self.skip_space()
            if not (yield from self._read_first()):
                return False
        elif not (yield from self._read_call()):
            return False
        yield from self.skip_space()
        if syntax.around:
            yield from self.take(*(end for _, end in syntax.around))
        return True

    def _read_first(self) -> Reading[bool]:
        """The first call of a group. Some models write it as a JSON object all the same."""
        if (yield from self.peek()) == "{":
            return (yield from read_call(self))
        if not (yield from self.take(self._syntax.call[0])):
            return False
        return (yield from self._read_call())

    def _read_call(self) -> Reading[bool]:
        name, _ = yield from self._read_head(self._schemas)
        if not name:
            return False
        self.recorded()
        self.start_call(name)
        arguments = TypedArguments(self, self._schemas.get(name))
        yield from self.skip_space()
        begin, end = self._syntax.argument[0], self._syntax.call[1]
        tag: str | None = yield from self.take(begin, end)
        while tag == begin:
            tag = yield from self._read_argument(arguments)
            if tag is None:
                return True
        # Where anything else follows, or nothing, the call ends as if its tag were there.
        arguments.end()
        return True

    def _read_argument(self, arguments: TypedArguments) -> Reading[str | None]:
        """Returns the tag behind it, "" if it is none, or None if the argument is unfinished."""
        name, types = yield from self._read_head(arguments.names)
        if not name:
            return "" if (yield from self.peek()) else None
        if self._syntax.padding:
            yield from self.take(self._syntax.padding)
        return (yield from arguments.value(name, self._pass_value, types))

    def _read_head(self, known: Container[str]) -> Reading[tuple[str, Types | None]]:
        """The name of a call or an argument, "" if it is no such tag; and the types that the tag
        itself states.

        :param known: names that are read with all that is in them.
        """
        head = yield from self.run(_HEAD)
        if not (yield from self.take(self._syntax.head_end)):
            return "", None
        attribute = _ATTRIBUTE.search(head)
        end = attribute.start() if attribute else len(head)
        name = head[:end].strip().strip("\"'")
        if name not in known:
            name = _NAME_END.split(name, 1)[0]
        return name, _stated_types(head[end:])

    def _pass_value(self, say: Say) -> Reading[str | None]:
        is_quoted = yield from self.take(_QUOTED_BEGIN)
        if is_quoted and (yield from self.pass_until(_QUOTED_ENDS, say)) is None:
            return None
        return (yield from pass_value(self, self._value_ends, self._after_value, say))


def _stated_types(attributes: str) -> Types | None:
    found = _STATED.search(attributes)
    if found is None:
        return None
    if found["type"]:
        return frozenset({found["type"]})
    return STRING if found["string"] == "true" else frozenset({"object", "array", "number"})


def tag_shapes(syntax: TagSyntax) -> CallShapes:
    """How forced calls are written: each argument in the order of the schema, those that are not
    required perhaps.

    What may follow a piece never begins as another piece does that may follow it too: a grammar
    could not tell which it is.
    """
    around = syntax.around[0] if syntax.around else ("", "")
    begin, end = around[0] + syntax.line, syntax.line + around[1]

    def call(tool: Tool) -> tuple[Piece, ...]:
        return (
            Literal(_head(syntax, syntax.call[0], tool.name) + syntax.line),
            *_argument_pieces(syntax, tool),
            Literal(syntax.call[1]),
        )

    between = (Literal(syntax.line),) if syntax.line else ()
    if not around[0]:
        return CallShapes(call=call, between=between, fits=lists_arguments)
    if syntax.is_wrapped_each:
        return CallShapes(
            call=lambda tool: (Literal(begin), *call(tool), Literal(end)),
            between=between,
            fits=lists_arguments,
        )
    return CallShapes(
        call=lambda tool: (*call(tool), *between),
        before=(Literal(begin),),
        after=(Literal(around[1]),),
        fits=lists_arguments,
    )


def _argument_pieces(syntax: TagSyntax, tool: Tool) -> list[Piece]:
    pieces: list[Piece] = []
    end = syntax.padding + syntax.argument[1]
    for declared in declared_arguments(tool):
        attribute = syntax.attribute(declared.json_type)
        head = _head(syntax, syntax.argument[0], declared.name, attribute)
        argument = (
            Literal(head + syntax.padding),
            declared.value(end),
            Literal(end + syntax.line),
        )
        pieces.extend(argument if declared.is_required else (Maybe(argument),))
    return pieces


def _head(syntax: TagSyntax, begin: str, name: str, attribute: str = "") -> str:
    return begin + name + syntax.after_name + attribute + syntax.head_end


def tag_format(
    name: str,
    recognizes: Callable[[str], bool],
    syntax: TagSyntax,
    *,
    reasoning: OwnReasoning | None = None,
) -> ToolFormat:
    """The format of a syntax."""
    marks = syntax.marks()
    return ToolFormat(
        name=name,
        recognizes=recognizes,
        parser=lambda tools: TagParser(syntax, marks, tools),
        shapes=tag_shapes(syntax),
        special_tokens=True,
        reasoning=reasoning,
    )
