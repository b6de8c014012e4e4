"""What no model should write is read without an error too, the same however it is cut."""

from __future__ import annotations

import random

import orjson
import pytest

from llamabox.api.formats import FORMATS, ToolFormat
from llamabox.api.formats.hermes import HERMES
from tests.api.formats.golden import TOOLS, parsed
from tests.api.formats.test_golden import outputs_of

N_TEXTS = 20
JUNK = ["{", "}", "[", "]", '"', "\\", "'", ",", ":", "(", ")", "=", "<", ">", "|", "\n", " ", "ü"]


def nonsense(format_: ToolFormat, rng: random.Random) -> str:
    """Pieces of the format's outputs in any order, with junk between them."""
    pieces = []
    for _ in range(rng.randrange(1, 7)):
        text = rng.choice(outputs_of(format_)).text
        start = rng.randrange(len(text) + 1)
        pieces += [text[start : start + rng.randrange(1, 80)], rng.choice(["", *JUNK])]
    return "".join(pieces)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_nonsense_is_read(format_: ToolFormat) -> None:
    rng = random.Random(format_.name)
    for _ in range(N_TEXTS):
        text = nonsense(format_, rng)
        whole = parsed(format_.parser(TOOLS), [text])
        assert parsed(format_.parser(TOOLS), text) == whole, text
        places = sorted(rng.randrange(len(text) + 1) for _ in range(4))
        bounds = zip([0, *places], [*places, len(text)], strict=True)
        assert parsed(format_.parser(TOOLS), [text[a:b] for a, b in bounds]) == whole, text


NESTED = ["{", "[", "(", '{"function": ', '{"a": ', "[add(a=[", "<tool_call>", "<parameter=a>"]
MOST_NESTED = 1_000


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_nothing_is_nested_too_deep(format_: ToolFormat) -> None:
    one = next(golden.text for golden in outputs_of(format_) if golden.kind == "one")
    for unit in NESTED:
        for place in (one.find("{"), one.find("Paris")):
            text = one[: max(place, 0)] + unit * MOST_NESTED
            parsed(format_.parser(TOOLS), [text])


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
@pytest.mark.parametrize("name", [r"\ud800", r"\"", r"\u0000", "[" * 1200])
def test_a_strange_name_can_be_told(format_: ToolFormat, name: str) -> None:
    """Whatever comes of it is text that JSON and UTF-8 have."""
    for output in outputs_of(format_):
        text = output.text.replace("get_weather", name).replace("Paris", name)
        message = parsed(format_.parser(TOOLS), [text])
        calls = [[call.id, call.name, call.arguments] for call in message.tool_calls]
        orjson.dumps([message.content, message.reasoning, calls])


def test_an_id_that_is_nested_too_deep_stays_as_it_is() -> None:
    deep = "[" * 3000 + "]" * 3000
    text = f'<tool_call>{{"id": {deep}, "name": "now"}}</tool_call>'
    (call,) = parsed(HERMES.parser(TOOLS), [text]).tool_calls
    assert (call.id, call.name) == (deep, "now")
