"""Calls that nothing marks: JSON objects, or arrays of them, that name a tool on offer."""

from __future__ import annotations

import re
from collections.abc import Collection

from .call_object import read_call
from .text_parser import SPACE, Reading, TextParser

_JSON = re.compile(r'\{\s*"(?!tool_calls?")|\[\s*[{"]')
"""How a JSON value begins that holds no calls; some models write them into one with such a key."""


def pass_other(parser: TextParser, begun: str) -> Reading[None]:
    """Say what was no call, and, if it is JSON, all of it: what is inside is no call either.

    :param begun: what was taken of it, from its bracket on.
    """
    parser.content(begun)
    if _JSON.match(begun):
        yield from parser.pass_json(parser.content, begun)


def read_calls(parser: TextParser, names: Collection[str]) -> Reading[bool]:
    """Say the calls of objects one after another, with ``;``, ``,`` or nothing between them.

    The first one's bracket was taken.

    :returns: whether there was a call. If not, the text was taken as far as that had to be seen,
        and is in the parser's record if it has begun one.
    """
    if not (yield from read_call(parser, names=names, is_open=True)):
        return False
    while True:
        yield from parser.pass_run(SPACE, parser.content)
        parser.record()
        yield from parser.take(";", ",")
        yield from parser.skip_space()
        if not (yield from read_call(parser, names=names)):
            parser.content(parser.recorded())
            return True


def read_call_array(parser: TextParser, names: Collection[str]) -> Reading[bool]:
    """The same for an array whose opening bracket was taken."""
    yield from parser.skip_space()
    if not (yield from read_call(parser, names=names)):
        return False
    while True:
        parser.record()
        yield from parser.skip_space()
        mark = yield from parser.take(",", "]")
        if mark == "]":
            parser.recorded()
            return True
        yield from parser.skip_space()
        if not mark or not (yield from read_call(parser, names=names)):
            parser.content(parser.recorded())
            return True
