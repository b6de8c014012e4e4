"""Parsers look at each character a bounded number of times, however long the output is."""

from __future__ import annotations

import pytest

from llamabox.api.formats import FORMATS, ToolFormat
from llamabox.api.formats.text_parser import TextParser
from tests.api.formats.golden import TOOLS
from tests.api.formats.test_golden import outputs_of

LONG = 2_000
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
    n_scanned = scanned(format_, long)
    assert n_scanned <= 32 * len(long)
    assert n_scanned <= 4.4 * scanned(format_, short) + 400
    assert scanned(format_, long, piece=LONG) <= 3 * len(long)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_a_long_argument_in_its_own_format_costs_as_little(format_: ToolFormat) -> None:
    one = next(golden.text for golden in outputs_of(format_) if golden.kind == "one")
    begin, _, end = one.partition("Paris")
    short, long = (begin + " <b>]" * (n // 5) + end for n in (LONG // 4, LONG))
    n_scanned = scanned(format_, long)
    assert n_scanned <= 32 * len(long)
    assert n_scanned <= 4.4 * scanned(format_, short) + 400
    assert scanned(format_, begin + " " * LONG) <= 32 * LONG
