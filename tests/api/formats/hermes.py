"""Outputs of Hermes 2 and 3, Qwen2.5, Qwen3 and the packaged model."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said

PARIS = '{"city": "Paris"}'
ONE = f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>'
TWO = '<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'

GOLDEN = [
    Golden("plain", "It is sunny, 20 °C. 好!\n", said("It is sunny, 20 °C. 好!\n")),
    Golden("plain", "1 < 2, <tool_callers> and <b>", said("1 < 2, <tool_callers> and <b>")),
    Golden("plain", "", said("")),
    Golden("one", ONE, said(None, ("get_weather", PARIS))),
    Golden("two", f"{ONE}\n{TWO}", said(None, ("get_weather", PARIS), ("add", '{"a": 1, "b": 2}'))),
    Golden(
        "two",
        f"{ONE}{TWO}\n",
        said(None, ("get_weather", PARIS), ("add", '{"a": 1, "b": 2}')),
    ),
    Golden("before", f"Let me look.\n\n{ONE}", said("Let me look.", ("get_weather", PARIS))),
    Golden(
        "between",
        f"First\n{ONE}\nthen\n{TWO}",
        said("First\n\nthen", ("get_weather", PARIS), ("add", '{"a": 1, "b": 2}')),
    ),
    Golden("broken", '<tool_call>\n{"nam', said('<tool_call>\n{"nam')),
    Golden(
        "broken", "<tool_call>\nweather\n</tool_call>", said("<tool_call>\nweather\n</tool_call>")
    ),
    Golden(
        "broken",
        '<tool_call>{"arguments": {}}</tool_call>',
        said('<tool_call>{"arguments": {}}</tool_call>'),
    ),
    Golden(
        "broken",
        f'<tool_call>{{"name" "x"}}</tool_call> {TWO}',
        said('<tool_call>{"name" "x"}</tool_call>', ("add", '{"a": 1, "b": 2}')),
    ),
    Golden(
        "cut off",
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("cut off", "<tool_call", said("<tool_call")),
    Golden(
        "unclosed",
        '<tool_call>{"name": "add", "arguments": {"a": 1}}',
        said(None, ("add", '{"a": 1}')),
    ),
    Golden(
        "nested",
        '<tool_call>{"name": "f", "arguments": {"a": [{"}": "\\"{"}], "b": "</tool_call>"}}'
        "</tool_call>",
        said(None, ("f", '{"a": [{"}": "\\"{"}], "b": "</tool_call>"}')),
    ),
    Golden(
        "arguments first",
        '<tool_call>{"arguments": {"a": 1}, "name": "add"}</tool_call>',
        said(None, ("add", '{"a": 1}')),
    ),
    Golden("no arguments", '<tool_call>{"name": "now"}</tool_call>', said(None, ("now", "{}"))),
    Golden(
        "arguments in a string",
        '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>',
        said(None, ("add", '{"a": 1}')),
    ),
    Golden(
        "OpenAI's form",
        '<tool_call>{"type": "function", "id": "x1", "function": {"name": "add", "arguments": '
        '{"a": 1}}}</tool_call>',
        said(None, ("add", '{"a": 1}', "x1")),
    ),
    Golden(
        "no id",
        '<tool_call>{"id": "", "name": "now"}</tool_call>'
        '<tool_call>{"id": null, "name": "now"}</tool_call>',
        said(None, ("now", "{}"), ("now", "{}")),
    ),
    Golden(
        "a number as id",
        '<tool_call>{"id": 7, "name": "now"}</tool_call>',
        said(None, ("now", "{}", "7")),
    ),
    Golden(
        "one bracket more",
        '<tool_call>{"name": "add", "arguments": {"a": 1}}}\n</tool_call>',
        said(None, ("add", '{"a": 1}')),
    ),
]
