"""GLM 4.5 and later: ``<tool_call>NAME <arg_key>KEY</arg_key> <arg_value>VALUE</arg_value>...``,
Hunyuan 3 with a suffix in all of its tags, and GLM 4 before, whose calls are a line with the name
and an object."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .argument_schema import schemas_of
from .call_object import read_call
from .events import Parser
from .markers import Markers
from .named_call import read_arguments
from .text_parser import Reading, Say, TextParser
from .tool_format import (
    CallShapes,
    Json,
    Literal,
    Maybe,
    OwnReasoning,
    Piece,
    Tags,
    Tool,
    ToolFormat,
)
from .turn import Marks, TurnParser
from .typed_arguments import TypedArguments, declared_arguments, lists_arguments, pass_value

_ASSISTANT = "<|assistant|>"
_LINES = Markers(_ASSISTANT, "\n")
_NAME = re.compile(r"[^\s<>{}]*")


class _Tags:
    """The tags of one model.

    :param suffix: of all their names.
    :param around: what the model writes around all calls.
    """

    def __init__(self, suffix: str = "", around: tuple[str, str] = ("", "")) -> None:
        self.call, self.call_end = f"<tool_call{suffix}>", f"</tool_call{suffix}>"
        self.separator = f"<tool_sep{suffix}>"
        self.key, self.key_end = f"<arg_key{suffix}>", f"</arg_key{suffix}>"
        self.value, self.value_end = f"<arg_value{suffix}>", f"</arg_value{suffix}>"
        self.around, self.around_end = around
        self.key_ends, self.value_ends = Markers(self.key_end), Markers(self.value_end)


_GLM = _Tags()
_HUNYUAN = _Tags(":opensource", ("<tool_calls:opensource>", "</tool_calls:opensource>"))


class GlmParser(TurnParser):
    """:param tools: whose schemas say which arguments are strings."""

    def __init__(self, tags: _Tags, marks: Marks, tools: Sequence[Tool]) -> None:
        super().__init__()
        self.marks = marks
        self.takes_calls = bool(tools)
        self._tags = tags
        self._schemas = schemas_of(tools)

    def read_calls(self, marker: str) -> Reading[bool]:
        tags = self._tags
        yield from self.skip_space()
        if marker == tags.around:
            if not (yield from self.take(tags.call)):
                return False
            yield from self.skip_space()
        if (yield from self.peek()) == "{":
            is_call = yield from read_call(self)
            yield from self.skip_space()
            yield from self.take(tags.call_end)
        else:
            is_call = yield from self._read_call()
        yield from self.skip_space()
        if is_call and tags.around:
            yield from self.take(tags.around_end)
        return is_call

    def _read_call(self) -> Reading[bool]:
        tags = self._tags
        name = yield from self.run(_NAME)
        yield from self.skip_space()
        yield from self.take(tags.separator)
        yield from self.skip_space()
        tag: str | None = yield from self.take(tags.key, tags.call_end)
        if not name or not tag:
            return False
        self.recorded()
        self.start_call(name)
        arguments = TypedArguments(self, self._schemas.get(name))
        while tag == tags.key:
            tag = yield from self._read_argument(arguments)
            if tag is None:
                return True
        arguments.end()
        return True

    def _read_argument(self, arguments: TypedArguments) -> Reading[str | None]:
        """Returns the tag behind it, "" if it is none, or None if the argument is unfinished."""
        name, marker = yield from self.text_until(self._tags.key_ends)
        yield from self.skip_space()
        if marker is None or not (yield from self.take(self._tags.value)):
            return "" if (yield from self.peek()) else None
        return (yield from arguments.value(name.strip(), self._pass_value))

    def _pass_value(self, say: Say) -> Reading[str | None]:
        tags = self._tags
        return (yield from pass_value(self, tags.value_ends, (tags.key, tags.call_end), say))


def _shapes(tags: _Tags) -> CallShapes:
    def call(tool: Tool) -> tuple[Piece, ...]:
        name = tool.name + (tags.separator if tags.around else "")
        pieces: list[Piece] = [Literal(f"{tags.call}{name}\n")]
        for declared in declared_arguments(tool):
            argument = (
                Literal(f"{tags.key}{declared.name}{tags.key_end}\n{tags.value}"),
                declared.value(tags.value_end),
                Literal(f"{tags.value_end}\n"),
            )
            pieces.extend(argument if declared.is_required else (Maybe(argument),))
        # The end of all calls must not begin as what is between two of them.
        return *pieces, Literal(tags.call_end + ("\n" if tags.around else ""))

    if not tags.around:
        return CallShapes(call=call, between=(Literal("\n"),), fits=lists_arguments)
    before, after = Literal(f"{tags.around}\n"), Literal(tags.around_end)
    return CallShapes(call=call, before=(before,), after=(after,), fits=lists_arguments)


_GLM_MARKS = Marks(_GLM.call)
_HUNYUAN_THINK = Tags("<think:opensource>", "</think:opensource>")
_HUNYUAN_MARKS = Marks(
    _HUNYUAN.around,
    _HUNYUAN.call,
    thoughts={_HUNYUAN_THINK.opening: _HUNYUAN_THINK.closing},
)

GLM = ToolFormat(
    name="glm",
    recognizes=lambda template: "<arg_key>" in template,
    parser=lambda tools: GlmParser(_GLM, _GLM_MARKS, tools),
    shapes=_shapes(_GLM),
    special_tokens=True,
)
HUNYUAN = ToolFormat(
    name="hunyuan-3",
    recognizes=lambda template: "<arg_key{}>" in template and ":opensource" in template,
    parser=lambda tools: GlmParser(_HUNYUAN, _HUNYUAN_MARKS, tools),
    shapes=_shapes(_HUNYUAN),
    special_tokens=True,
    reasoning=OwnReasoning(tags=_HUNYUAN_THINK),
)


class ChatGlmParser(TextParser):
    """Calls begin with a line that is the name of a tool."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__()
        self._heads = [f"{tool.name}\n" for tool in tools]

    def parse(self) -> Reading[None]:
        """The beginning of a turn, and what follows a call, is the beginning of a line."""
        marker: str | None = _ASSISTANT
        while marker is not None:
            self.record()
            if (yield from self._read_call(marker)):
                marker = _ASSISTANT
                continue
            self.content(marker.removeprefix(_ASSISTANT) + self.recorded())
            marker = yield from self.pass_until(_LINES, self.content)

    def _read_call(self, marker: str) -> Reading[bool]:
        if marker == _ASSISTANT:
            yield from self.skip_space()
            yield from self.take(_ASSISTANT)
            yield from self.skip_space()
        name = (yield from self.take(*self._heads)).strip() if self._heads else ""
        return bool(name) and (yield from read_arguments(self, name))


def chat_glm_parser(tools: Sequence[Tool]) -> Parser:
    return ChatGlmParser(tools)


CHAT_GLM = ToolFormat(
    name="chatglm",
    recognizes=lambda template: "[gMASK]" in template and "<arg_key>" not in template,
    parser=chat_glm_parser,
    shapes=CallShapes(
        call=lambda tool: (Literal(f"{tool.name}\n"), Json(tool.parameters)),
        between=(Literal("\n"),),
    ),
    special_tokens=True,
)
