"""Outputs of Kimi K3."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, is_content, usual

WEATHER = (
    '<|open|>call tool="get_weather" index="1"<|sep|>'
    '<|open|>argument key="city" type="string"<|sep|>'
    "Paris<|close|>argument<|sep|><|close|>call<|sep|>"
)
ADD = (
    '<|open|>call tool="add" index="2"<|sep|><|open|>argument key="a" type="number"<|sep|>1'
    "<|close|>argument<|sep|>"
    '<|open|>argument key="b" type="number"<|sep|>2.5<|close|>argument<|sep|>'
    "<|close|>call<|sep|>"
)
BEGIN, END = "<|open|>tools<|sep|>", "<|close|>tools<|sep|>"
ONE, TWO = f"{BEGIN}{WEATHER}{END}", f"{BEGIN}{WEATHER}{ADD}{END}"
END_OF_TURN = "<|close|>message<|sep|><|end_of_msg|>"


def call(argument: str) -> str:
    return f'{BEGIN}<|open|>call tool="f" index="1"<|sep|>{argument}<|close|>call<|sep|>{END}'


GOLDEN = [
    *usual(ONE, TWO, before="<|open|>response<|sep|>{text}<|close|>response<|sep|>{call}"),
    is_content("<|open|>tools<|sep|><|open|>call"),
    is_content("<|open|>tools<|sep|>nothing"),
    Golden(
        "broken",
        f'{BEGIN}{WEATHER}<|open|>call tool="add" index="2"<|sep|><|open|>argument key="a',
        said(None, ("get_weather", PARIS), ("add", "")),
    ),
    Golden(
        "reasoning",
        f"<|open|>think<|sep|>Hm, <b>.<|close|>think<|sep|><|open|>response<|sep|>Let me look."
        f"<|close|>response<|sep|>{ONE}{END_OF_TURN}",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm, <b>."),
    ),
    Golden(
        "reasoning",
        f"<|open|>think<|sep|><|close|>think<|sep|><|open|>response<|sep|>Yes.\n<|close|>response<|sep|>"
        f"{END_OF_TURN}",
        said("Yes.\n"),
    ),
    Golden("no arguments", call(""), said(None, ("f", "{}"))),
    Golden(
        "typed",
        call('<|open|>argument key="o" type="object"<|sep|>{"a": ["é"]}<|close|>argument<|sep|>'),
        said(None, ("f", '{"o": {"a": ["é"]}}')),
    ),
    Golden(
        "special characters",
        call('<|open|>argument key="o" type="string"<|sep|><|open|>"\\\n<|close|>argument<|sep|>'),
        said(None, ("f", '{"o": "<|open|>\\"\\\\\\n"}')),
    ),
]
