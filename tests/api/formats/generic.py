"""Outputs of models of unknown format, which were told to write tags and may do otherwise."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.hermes import GOLDEN as TAGGED

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
    Golden("plain", '[{"name": "Bob"}]', said('[{"name": "Bob"}]')),
    Golden("broken", f"[{ONE}, 5]", said(", 5]", CALLED[0])),
]
