"""Outputs of Qwen3-Coder, Qwen3.5, Nemotron 3 and StepFun."""

from __future__ import annotations

from llamabox.api.formats import Tool
from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

ONE = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n"
    "</tool_call>"
)
ADD = (
    "<tool_call>\n<function=add>\n<parameter=a>\n1\n</parameter>\n<parameter=b>\n2.5\n</parameter>\n"
    "</function>\n</tool_call>"
)
EDIT = Tool(
    "edit",
    "",
    {
        "type": "object",
        "properties": {
            "path": {"type": "string"},
            "text": {"$ref": "#/$defs/text"},
            "lines": {"type": "array", "items": {"type": "integer"}},
            "options": {"type": "object"},
            "is_new": {"type": ["boolean", "null"]},
            "label": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "mode": {"enum": ["append", "replace"]},
        },
        "$defs": {"text": {"type": "string"}},
    },
)


def edit(*arguments: tuple[str, str]) -> str:
    written = "".join(f"<parameter={key}>\n{text}\n</parameter>\n" for key, text in arguments)
    return f"<tool_call>\n<function=edit>\n{written}</function>\n</tool_call>"


def typed(key: str, text: str, value: str) -> Golden:
    message = said(None, ("edit", f'{{"{key}": {value}}}'))
    return Golden("typed", edit((key, text)), message, (EDIT,))


GOLDEN = [
    Golden(
        "the call is not ended",
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</tool_call>",
        said(None, ("get_weather", '{"city": "Paris"}')),
    ),
    *usual(ONE, f"{ONE}\n{ADD}"),
    is_content("<tool_call>\n<function="),
    is_content("<tool_call>\nget_weather\n</tool_call>"),
    is_content("<function = get_weather> is how to call it"),
    is_content("<function=get_weather"),
    Golden(
        "broken",
        "<function=get_weather>\n<parameter=city>\nPa",
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("broken", "<function=add><parameter=a>\n1", said(None, ("add", '{"a": 1'))),
    Golden(
        "broken",
        "<function=add><parameter=a>1</parameter><param>2</function>",
        said(None, ("add", '{"a": 1</parameter><param>2</function>')),
    ),
    Golden("unwrapped", ONE[12:-13], said(None, ("get_weather", PARIS))),
    Golden(
        "unclosed", ONE[: -len("\n</function>\n</tool_call>")], said(None, ("get_weather", PARIS))
    ),
    Golden(
        "one object",
        f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>{ADD}',
        said(None, ("get_weather", PARIS), ("add", SUM)),
    ),
    Golden("no arguments", "<function=now>\n</function>", said(None, ("now", "{}"))),
    Golden(
        "attributes",
        ONE.replace("=get_weather", "=get_weather description='a'").replace(
            "=city", "=city type=x"
        ),
        said(None, ("get_weather", PARIS)),
    ),
    Golden("no arguments", "<function=now />\n</function>", said(None, ("now", "{}"))),
    typed("path", "", '""'),
    typed("path", "a\nb", '"a\\nb"'),
    typed("path", "\n", '"\\n"'),
    typed("text", '<a href="x">\\ {"1": 2}</a>', '"<a href=\\"x\\">\\\\ {\\"1\\": 2}</a>"'),
    typed("text", "</parameter> <parameter", '"</parameter> <parameter"'),
    typed("text", "12", '"12"'),
    typed("lines", "[1, 2]", "[1, 2]"),
    typed("lines", "none", '"none"'),
    typed("options", '{"a": {"b": ["</x>", "}"]}}', '{"a": {"b": ["</x>", "}"]}}'),
    typed("options", "{'a': True, 'b': None}", '{"a": true, "b": null}'),
    typed("is_new", "True", "true"),
    typed("is_new", "null", "null"),
    typed("label", "12", "12"),
    typed("label", "12 a", '"12 a"'),
    typed("label", "true", '"true"'),
    typed("mode", "append", '"append"'),
    typed("unknown", "1.50", "1.50"),
    typed("unknown", "NaN", '"NaN"'),
    typed("unknown", "Grüße 好", '"Grüße 好"'),
    Golden(
        "attributes",
        '<function="now"><parameter=a b type="integer">1</parameter></function>',
        said(None, ("now", '{"a": 1}')),
    ),
]
