"""Parsers look at each character a bounded number of times, however long the output is."""

from __future__ import annotations

import pytest

from llamabox.api.formats import FORMATS, ToolFormat
from llamabox.api.formats.text_parser import TextParser
from tests.api.formats.golden import TOOLS

LONG = 20_000
SHAPES = {
    "plain": lambda n: "word <b> { [ " * (n // 13),
    "open marks": lambda n: "<tool_cal" * (n // 9),
    "open call": lambda n: '<tool_call>{"name": "' + "x" * n,
    "long argument": lambda n: (
        '<tool_call>{"name": "add", "arguments": {"a": "' + "\\n[{<" * (n // 5)
    ),
    "bare": lambda n: '{"name": "add", "parameters": {"a": [' + '{"b": "c"},' * (n // 11),
    "python": lambda n: "[add(a=[" + "'x', " * (n // 5),
    "brackets": lambda n: "[" * n,
    "spaces": lambda n: "a" + " " * n,
}


def scanned(format_: ToolFormat, text: str, *, piece: int = 1) -> int:
    parser = format_.parser(TOOLS)
    assert isinstance(parser, TextParser)
    for i in range(0, len(text), piece):
        parser.feed(text[i : i + piece])
    parser.close()
    return parser.n_scanned


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_work_grows_with_the_output_and_no_faster(format_: ToolFormat, shape: str) -> None:
    short, long = SHAPES[shape](LONG // 4), SHAPES[shape](LONG)
    assert scanned(format_, long) <= 32 * len(long)
    assert scanned(format_, long) <= 4.4 * scanned(format_, short) + 400
    assert scanned(format_, long, piece=LONG) <= 3 * len(long)
