"""Calls of tools as a grammar of llguidance: for calls that have to be made, and for those whose
arguments have to keep to a schema.

Where plain text is allowed too, it is free up to what tells that a call begins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..errors import InvalidRequest
from ..params.constraint import MAX_SOURCE
from .formats.tool_format import CallShapes, Id, Json, Literal, Piece, Tool, Until
from .lark import escaped, regex_terminal
from .schemas import ANY_OBJECT, COMBINATIONS, parsed, prepared

__all__ = ["WrittenGrammar", "call_grammar"]

HEAD = "%llguidance {}\n"
LEAST_TRIGGER = 5
"""Characters of the text that tells calls from others, if no control token does."""
SIGN = re.compile(r"[^\w\s.\-]")
"""One of which is in it, since names and words are in other texts too."""
ANY_TOOL = Tool("")


class WrittenGrammar(str):
    """A grammar that is written here: as large as the schemas in it, and no more ambiguous."""

    __slots__ = ()


def call_grammar(
    shapes: CallShapes,
    tools: Sequence[Tool],
    *,
    required: bool,
    parallel: bool,
    marked: Mapping[str, int],
    ends: Collection[int] = (),
    content: str = "",
    lead: str = "",
    may_lead: bool = True,
    answer: str = "",
) -> str:
    """A grammar for `GenerationParams.grammar`.

    :param tools: those that may be called: one at least, if there is no `content`.
    :param required: the output is calls; else it may be text, and calls among it.
    :param parallel: several calls.
    :param marked: tokens that no text can mean, by how they are written.
    :param ends: those of them that end a generation.
    :param content: a JSON schema that an output without calls keeps to, instead of any text.
    :param lead: text in front of calls that have to be made, or of content that keeps to a schema.
    :param may_lead: it need not be there.
    :param answer: text in front of such content, behind `lead`; it need not be there without it.
    :returns: "" if nothing in this format tells a call from text, so that it has to be free.
    :raises InvalidRequest: a schema is wrong; it names no field.
    """
    writer = _Writer(shapes, tools, parallel, marked, ends)
    if required:
        start = f"{writer.led(lead, may_lead)} {writer.forced()}"
    elif content:
        start = f"{writer.led(lead, may_lead, answer)} {writer.value(content)}"
        if tools:
            start = f"{writer.led(lead, may_lead)} {writer.opened()} | {start}"
    else:
        start = writer.among_text()
    if not start:
        return ""
    return WrittenGrammar(HEAD + "\n".join([f"start: {start}", *writer.rules]) + "\n")


class _Writer:
    """Writes one grammar."""

    def __init__(
        self,
        shapes: CallShapes,
        tools: Sequence[Tool],
        parallel: bool,
        marked: Mapping[str, int],
        ends: Collection[int],
    ) -> None:
        self.shapes = shapes
        self.tools = tools
        self.parallel = parallel
        self.marked = marked
        self.ends = ends
        self.rules: list[str] = []
        self.texts: dict[Until, str] = {}
        """What takes them, each once."""
        self.n_left = MAX_SOURCE
        longest_first = sorted(marked, key=len, reverse=True)
        self.marks = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self.firsts = [(*shapes.before, *shapes.call(tool)) for tool in tools]

    def led(self, lead: str, may_lead: bool, answer: str = "") -> str:
        """What is in front of calls, or of an answer."""
        lead, answer = self._text(lead), self._text(answer)
        if not may_lead:
            return f"{lead} {answer}"
        lead = f"({lead})?" if lead else ""
        return f"({lead} {answer})?" if answer else lead

    def forced(self) -> str:
        """Calls alone."""
        return self._calls(self.firsts)

    def opened(self) -> str:
        """Calls beside a JSON value."""
        return self._calls([_opened(pieces) for pieces in self.firsts])

    def value(self, schema: str) -> str:
        """A JSON value that keeps to a schema."""
        return f"%json {json.dumps(prepared(parsed(schema)))}"

    def among_text(self) -> str:
        """Any text with calls in it; "" if nothing tells these."""
        common = _common_start([_lead(pieces) for pieces in self.firsts])
        trigger = self._trigger(common)
        if not trigger:
            return ""
        lead = common[: common.index(trigger) + len(trigger)]
        calls = self._calls([_without(pieces, lead) for pieces in self.firsts])
        return self._among_text(trigger, calls)

    def _calls(self, firsts: list[tuple[Piece, ...]]) -> str:
        """``first call, (between call)*, after``."""
        parts = [self._choice("first", firsts)]
        between, ends_turn = self._cut(self.shapes.between)
        if self.parallel and not ends_turn:
            calls = [self.shapes.call(tool) for tool in self.tools]
            more = self._choice("call", calls)
            self.rules.append(f"more: {self._sequence(between)} {more}")
            parts.append("more*")
        after, _ = self._cut(self.shapes.after)
        parts.append(self._sequence(after))
        self.rules.append(f"calls: {' '.join(parts)}")
        return "calls"

    def _choice(self, name: str, choices: list[tuple[Piece, ...]]) -> str:
        for i, (tool, pieces) in enumerate(zip(self.tools, choices, strict=True)):
            kept, _ = self._cut(pieces)
            self.rules.append(f"{name}{i}: {self._sequence(kept, tool)}")
        self.rules.append(f"{name}: {' | '.join(f'{name}{i}' for i in range(len(choices)))}")
        return name

    def _sequence(self, pieces: Sequence[Piece], tool: Tool = ANY_TOOL) -> str:
        """Pieces one after another; the stop of an `Until` is part of it."""
        written: list[str] = []
        stop = ""
        for piece in pieces:
            if isinstance(piece, Literal):
                written.append(self._text(piece.text.removeprefix(stop)))
            elif isinstance(piece, Json):
                is_whole = piece.schema is tool.parameters
                schema = _of_object(piece.schema) if is_whole else piece.schema
                written.append(self._json(schema, lenient=not tool.strict))
            elif isinstance(piece, Id):
                written.append(regex_terminal(piece.regex))
            elif isinstance(piece, Until):
                written.append(self._up_to(piece))
            else:
                written.append(f"({self._sequence(piece.pieces, tool)})?")
            stop = piece.stop if isinstance(piece, Until) else ""
        return " ".join(part for part in written if part) or '""'

    def _text(self, text: str) -> str:
        """Text in which control tokens are themselves."""
        parts: list[str] = []
        position = 0
        for match in self.marks.finditer(text):
            parts.append(_quoted(text[position : match.start()]))
            parts.append(f"<[{self.marked[match[0]]}]>")
            position = match.end()
        parts.append(_quoted(text[position:]))
        return " ".join(part for part in parts if part)

    def _up_to(self, piece: Until) -> str:
        """The text and the stop behind it."""
        if piece in self.texts:
            return self.texts[piece]
        text = " & ".join(map(regex_terminal, piece.regexes or (r"(?s:.*)",)))
        name = f"until{len(self.texts)}"
        if self.marks.match(piece.stop):
            name = name.upper()
            self.rules.append(f"{name}: {text}")
            self.texts[piece] = f"{name} {self._text(piece.stop)}"
        else:
            self.rules.append(f"{name}[lazy]: ({text}) {regex_terminal(escaped(piece.stop))}")
            self.texts[piece] = name
        return self.texts[piece]

    def _json(self, schema: Mapping[str, Any], *, lenient: bool) -> str:
        """A value that keeps to a schema. That of an argument that is written by itself has all
        definitions in it, so what is too long is noticed before there are too many of them."""
        written = json.dumps(prepared(schema, lenient=lenient))
        self.n_left -= len(written)
        if self.n_left < 0:
            raise InvalidRequest(f"the schemas are longer than {MAX_SOURCE} characters")
        return f"%json {written}"

    def _cut(self, pieces: Sequence[Piece]) -> tuple[list[Piece], bool]:
        """The pieces up to a token that ends the turn, and whether there is one."""
        kept: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, Literal):
                for match in self.marks.finditer(piece.text):
                    if self.marked[match[0]] in self.ends:
                        return [*kept, Literal(piece.text[: match.start()])], True
            kept.append(piece)
        return kept, False

    def _trigger(self, common: str) -> str:
        """What is in the beginning of all calls and in no other text; "" if there is none to rely
        on."""
        if self.shapes.trigger is not None:
            return self.shapes.trigger
        mark = self.marks.search(common)
        text = common[: mark.start()] if mark else common
        if len(text.strip()) >= LEAST_TRIGGER and SIGN.search(text):
            return text
        return mark[0] if mark else ""

    def _among_text(self, trigger: str, calls: str) -> str:
        """Any text with calls in it, which the trigger tells."""
        free = sorted(set(self.marked.values()) - set(self.ends) - {self.marked.get(trigger, -1)})
        self.rules.append("TEXT: /(?s:.+)/")
        text = "TEXT"
        if free:
            self.rules.append(f"other: <[{','.join(map(str, free))}]>")
            text = "(TEXT | other)"
        if trigger in self.marked:
            self.rules.append(f"marked: {text}* <[{self.marked[trigger]}]> {calls}")
            return f"marked* {text}*"
        self.rules.append(f"head[lazy]: {regex_terminal('(?s:.*)' + escaped(trigger))}")
        pause = "| TEXT? other" if free else ""
        self.rules.append(f"item: head {calls} {pause}")
        return "item* TEXT?"


def _of_object(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of all arguments, which are an object, also where it does not say so; where it
    speaks by other schemas, it is left to them."""
    is_combined = any(key in schema for key in ("$ref", *COMBINATIONS))
    return schema if is_combined else {**ANY_OBJECT, **schema}


def _common_start(texts: Sequence[str]) -> str:
    """The longest text that all of these begin with."""
    least, most = min(texts), max(texts)
    n = next((i for i, (a, b) in enumerate(zip(least, most, strict=False)) if a != b), len(least))
    return least[:n]


def _lead(pieces: Sequence[Piece]) -> str:
    """The text that these pieces begin with."""
    lead = ""
    for piece in pieces:
        if not isinstance(piece, Literal):
            break
        lead += piece.text
    return lead


def _opened(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces with the brackets in front apart: the longest of the texts that may come counts,
    so that of a call would be in the way of any other value that begins with the same bracket."""
    rest = list(pieces)
    brackets: list[Piece] = []
    while rest and isinstance(rest[0], Literal) and rest[0].text[:1] in ("", "{", "["):
        text = rest[0].text
        brackets += [Literal(text[:1])] if text else []
        rest[0:1] = [Literal(text[1:])] if text else []
    return (*brackets, *rest)


def _without(pieces: Sequence[Piece], lead: str) -> tuple[Piece, ...]:
    """The pieces but for `lead`, which they begin with."""
    rest = list(pieces)
    while lead and isinstance(rest[0], Literal):
        text = rest[0].text
        taken = min(len(lead), len(text))
        lead = lead[taken:]
        rest[0:1] = [Literal(text[taken:])] if taken < len(text) else []
    return tuple(rest)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""
