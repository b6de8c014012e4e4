"""Outputs of GLM 4."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, PLAIN, SUM, is_content, usual

ONE = f"get_weather\n{PARIS}"
TWO = f"{ONE}\nadd\n{SUM}"

GOLDEN = [
    *usual(ONE, TWO),
    is_content("get_weather"),
    is_content("get_weather\n"),
    is_content("get_weather\nis a tool.\nadd\nis one too."),
    is_content(f"{PLAIN}add\n[1]"),
    is_content("now\n{}"),
    Golden("broken", 'get_weather\n{"city": "Pa', said(None, ("get_weather", '{"city": "Pa'))),
    Golden("before", f"\n{ONE}", said(None, ("get_weather", PARIS))),
    Golden(
        "two", f"{ONE}<|assistant|>add\n{SUM}", said(None, ("get_weather", PARIS), ("add", SUM))
    ),
    Golden(
        "nested",
        'get_weather\n{"city": {"add\\n{": ["}\\"é"]}}',
        said(None, ("get_weather", '{"city": {"add\\n{": ["}\\"é"]}}')),
    ),
    Golden("no arguments", "get_weather\n{}", said(None, ("get_weather", "{}"))),
]
