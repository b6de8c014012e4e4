"""Outputs of Functionary v3.2; the prompt ends with the first ``>>>``."""

from __future__ import annotations

from tests.api.formats.golden import ADD, Golden, Tool, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

PYTHON = Tool("python")
ONE = f"get_weather\n{PARIS}"
TWO = f"{ONE}>>>add\n{SUM}"

GOLDEN = [
    *usual(ONE, TWO, before="all\n{text}>>>{call}"),
    Golden("plain", "all\nIt is sunny: 1 >> 2 >>> 3.", said("It is sunny: 1 >> 2 >>> 3.")),
    Golden("plain", "all\n", said("")),
    is_content("get_wea"),
    is_content("get_weather\n[1]"),
    is_content("nobody\nHello"),
    is_content("Hello >>>nobody\nHello"),
    Golden("broken", 'get_weather\n{"city": "Pa', said(None, ("get_weather", '{"city": "Pa'))),
    Golden(
        "code",
        'python\nprint("é")\n>>>add\n{}',
        said(None, ("python", '{"code": "print(\\"é\\")\\n"}'), ("add", "{}")),
        (PYTHON, ADD),
    ),
    Golden(
        "nested",
        'f\n{"a": [{"}": ">>>all\\n\\"é"}]}>>>all\nYes.',
        said("Yes.", ("f", '{"a": [{"}": ">>>all\\n\\"é"}]}')),
    ),
]
