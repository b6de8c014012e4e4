"""Llama 3.2 and 4 where they are told so: a list of calls in Python's syntax.

``[get_weather(city="Paris"), add(a=1, b=2)]``
"""

from __future__ import annotations

from collections.abc import Mapping

from .python_call import CALLED, read_arguments
from .text_parser import Reading, TextParser
from .tool_format import Tool


def read_call_list(parser: TextParser, tools: Mapping[str, Tool]) -> Reading[bool]:
    """Say the calls of a list whose opening bracket was taken.

    :param tools: by their names; what begins with another name is no call.
    :returns: whether there was a call. If not, the text was taken as far as that had to be seen,
        and is in the parser's record if it has begun one.
    """
    if not (yield from _read_call(parser, tools)):
        return False
    while True:
        parser.record()
        yield from parser.skip_space()
        mark = yield from parser.take(",", "]")
        if mark == "]":
            parser.recorded()
            return True
        if not mark or not (yield from _read_call(parser, tools)):
            parser.content(parser.recorded())
            return True


def _read_call(parser: TextParser, tools: Mapping[str, Tool]) -> Reading[bool]:
    yield from parser.skip_space()
    name = yield from parser.run(CALLED)
    if name not in tools or not (yield from parser.take("(")):
        return False
    parser.recorded()
    parser.start_call(name)
    yield from read_arguments(parser, tools[name])
    return True
