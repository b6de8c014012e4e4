"""Outputs of models of unknown format, which were told to write tags and may do otherwise."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.hermes import GOLDEN as TAGGED
from tests.api.formats.usual import is_content

PARIS = '{"city": "Paris"}'
ONE = f'{{"name": "get_weather", "arguments": {PARIS}}}'
TWO = '{"name": "add", "arguments": {"a": 1, "b": 2}}'
CALLED = (("get_weather", PARIS), ("add", '{"a": 1, "b": 2}'))

GOLDEN = [
    *TAGGED,
    Golden("one", ONE, said(None, CALLED[0])),
    Golden("one", f"```json\n{ONE}\n```", said(None, CALLED[0])),
    Golden("two", f"{ONE}\n{TWO}", said(None, *CALLED)),
    Golden("two", f"[{ONE}, {TWO}]", said(None, *CALLED)),
    Golden("two", f"```json\n[{ONE}, {TWO}]\n```", said(None, *CALLED)),
    Golden("before", f"I will add.\n\n```json\n{TWO}\n```", said("I will add.", CALLED[1])),
    Golden(
        "plain",
        'Here:\n```json\n{"a": [1]}\n```\nor ```json5```',
        said('Here:\n```json\n{"a": [1]}\n```\nor ```json5```'),
    ),
    *(
        is_content(text, "JSON")
        for text in (
            '[{"name": "Bob"}]',
            '{"name": "add"}',
            '[{"name": "add"}, {"name": "get_weather", "description": "The weather"}]',
            '{"tools": [{"name": "add"}, {"name": "get_weather"}]}',
            f'{{"example": {TWO}, "is": "}} x", "n": [{ONE}]}}',
            f'[{{"name": "Bob"}}, {TWO}]',
            f'```json\n{{"how": {TWO}}}\n```',
            f'{{"cut": [{TWO}',
        )
    ),
    Golden("after JSON", f'{{"a": 1}}\n{TWO}', said('{"a": 1}', CALLED[1])),
    Golden("a brace before", f"Braces {{ are {TWO}", said("Braces { are", CALLED[1])),
    Golden("in a list", f'{{"tool_calls": [{TWO}]}}', said('{"tool_calls": }', CALLED[1])),
    Golden("broken", f"[{ONE}, 5]", said(", 5]", CALLED[0])),
]
