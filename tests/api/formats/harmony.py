"""Outputs of gpt-oss."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

ANALYSIS = "<|channel|>analysis<|message|>I look.\nNow.<|end|><|start|>assistant"
ONE = f"<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{PARIS}<|call|>"
ADD = f" to=functions.add<|channel|>commentary json<|message|>{SUM}<|call|>"
WEATHER_CALL, ADD_CALL = ("get_weather", PARIS), ("add", SUM)

GOLDEN = [
    *usual(
        ONE,
        f"{ONE}<|start|>assistant{ADD}",
        before="<|channel|>commentary<|message|>{text}<|end|><|start|>assistant{call}",
    ),
    Golden("plain", "<|channel|>final<|message|>Hello, <b> 好!<|return|>", said("Hello, <b> 好!")),
    Golden("plain", "<|channel|>final<|message|>", said("")),
    Golden("plain", '<|channel|>final <|constrain|>json<|message|>{"a": 1}', said('{"a": 1}')),
    is_content("<|channel|>ana"),
    is_content("<|channel|>"),
    is_content("to=functions.add is the recipient"),
    Golden("broken", "<|channel|><|message|>Hello", said("<|channel|><|message|>Hello")),
    Golden(
        "broken",
        '<|channel|>commentary to=functions.get_weather<|message|>{"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        "<|channel|>commentary to=functions.get_weather<|message|>Paris<|call|>",
        said(None, ("get_weather", "Paris")),
    ),
    Golden(
        "reasoning",
        f"{ANALYSIS}<|channel|>final<|message|>It is sunny.\n<|return|>",
        said("It is sunny.\n", reasoning="I look.\nNow."),
    ),
    Golden("reasoning", f"{ANALYSIS}{ONE}", said(None, WEATHER_CALL, reasoning="I look.\nNow.")),
    Golden("reasoning", f"{ANALYSIS}{ADD}", said(None, ADD_CALL, reasoning="I look.\nNow.")),
    Golden("reasoning", "<|channel|>analysis<|message|>Hm, <", said("", reasoning="Hm, <")),
    Golden(
        "reasoning",
        f"{ANALYSIS}<|channel|>analysis<|message|>Then.<|end|><|start|>assistant"
        "<|channel|>commentary<|message|>First.<|end|>\n<|start|>assistant<|channel|>final<|message|>Last.",
        said("First.\n\nLast.", reasoning="I look.\nNow.\nThen."),
    ),
    Golden(
        "no end",
        "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Yes.",
        said("Yes.", reasoning="Hm."),
    ),
    Golden(
        "recipient",
        f"<|channel|>analysis to=functions.add<|message|>{SUM}<|end|>",
        said(None, ADD_CALL),
    ),
    Golden(
        "recipient",
        "<|channel|>commentary to=assistant<|channel|>final<|message|>Yes.",
        said("Yes."),
    ),
    Golden("recipient", f"<|channel|>commentary to=add code<|message|>{SUM}", said(None, ADD_CALL)),
    Golden(
        "recipient",
        "<|channel|>commentary to=python code<|message|>print(1)<|call|>",
        said("print(1)"),
    ),
    Golden(
        "nested",
        ' to=functions.f<|channel|>commentary<|message|>{"a": [{"}": "<|call|>\\"é"}]}<|call|>',
        said(None, ("f", '{"a": [{"}": "<|call|>\\"é"}]}')),
    ),
    Golden(
        "no arguments",
        " to=functions.now<|channel|>commentary<|message|>{}",
        said(None, ("now", "{}")),
    ),
]
