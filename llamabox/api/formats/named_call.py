"""Calls with the name in front of the arguments, which are a JSON object or a program's source."""

from __future__ import annotations

import json

from .markers import Markers
from .text_parser import Reading, TextParser


def read_arguments(
    parser: TextParser, name: str, *, ends: tuple[str, ...] = (), call_id: str = ""
) -> Reading[bool]:
    """Take the arguments of a call and say it; white space around them is nothing.

    :param ends: what the model writes behind them, one or none of which is taken.
    :returns: whether it is a call, which ends the parser's record. What only ends is one without
        arguments.
    """
    yield from parser.skip_space()
    if (yield from parser.peek()) == "{":
        parser.recorded()
        parser.start_call(name, call_id)
        yield from parser.pass_json(parser.arguments)
        yield from parser.skip_space()
        if ends:
            yield from parser.take(*ends)
        return True
    if not ends or not (yield from parser.take(*ends)):
        return False
    parser.recorded()
    parser.start_call(name, call_id)
    parser.arguments("{}")
    return True


def pass_code(parser: TextParser, ends: Markers, begun: str = "") -> Reading[str | None]:
    """Say code as the only argument of the last call; returns what ends it.

    :param begun: its beginning, which was taken already.
    """

    def say(text: str) -> None:
        parser.arguments(json.dumps(text, ensure_ascii=False)[1:-1])

    parser.arguments('{"code": "')
    say(begun)
    marker = yield from parser.pass_until(ends, say)
    parser.arguments('"}')
    return marker
