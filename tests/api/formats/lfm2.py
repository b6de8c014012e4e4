"""Outputs of LFM2."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

ONE = '<|tool_call_start|>[get_weather(city="Paris")]<|tool_call_end|>'

GOLDEN = [
    *usual(ONE, '<|tool_call_start|>[get_weather(city="Paris"), add(a=1, b=2.5)]<|tool_call_end|>'),
    is_content("<|tool_call_start|>[get_wea"),
    is_content("<|tool_call_start|>[]<|tool_call_end|>"),
    is_content("<|tool_call_start|>nothing"),
    is_content("[get_weather] is a tool"),
    Golden(
        "broken",
        '<|tool_call_start|>[get_weather(city="Pa',
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden(
        "broken",
        '<|tool_call_start|>[get_weather(city="Paris"), 12]',
        said(", 12]", ("get_weather", PARIS)),
    ),
    Golden("unclosed", "<|tool_call_start|>[add(a=1, b=2.5)", said(None, ("add", SUM))),
    Golden(
        "objects",
        f'<|tool_call_start|>[{{"name": "get_weather", "arguments": {PARIS}}}]'
        "<|tool_call_end|>Yes.",
        said("Yes.", ("get_weather", PARIS)),
    ),
    Golden(
        "objects",
        f'<tool_call>\n{{"name": "get_weather", "arguments": {PARIS}}}\n</tool_call>',
        said(None, ("get_weather", PARIS)),
    ),
    Golden(
        "no arguments", "<|tool_call_start|>[now()]<|tool_call_end|>", said(None, ("now", "{}"))
    ),
    Golden(
        "nested",
        "<|tool_call_start|>[a.f(x={'k': [True, None, \"]<|tool_call_end|>\"]}, y='é\\n')]"
        "<|tool_call_end|>",
        said(None, ("a.f", '{"x": {"k": [true, null, "]<|tool_call_end|>"]}, "y": "é\\n"}')),
    ),
    Golden(
        "by place", "<|tool_call_start|>[add(1, 2.5)]<|tool_call_end|>", said(None, ("add", SUM))
    ),
    Golden(
        "a name that is none to Python",
        "<|tool_call_start|>[server:tool/a@1(x=1)]<|tool_call_end|>",
        said(None, ("server:tool/a@1", '{"x": 1}')),
    ),
    *(
        Golden(
            "strings of Python",
            f"<|tool_call_start|>[run(code={written}, x=[{written}], {{}})]<|tool_call_end|>",
            said(None, ("run", f'{{"code": {code}, "x": [{code}], "argument_2": {{}}}}')),
        )
        for written, code in (
            ('"""print("hi")\n""\\""""', r'"print(\"hi\")\n\"\"\""'),
            ("'''it's'''", '"it\'s"'),
            ('""', '""'),
            ("''''''", '""'),
            ("'a' \"b\"\n'''c'''", '"abc"'),
            ("r'\\d\\'' '\\t'", r'''"\\d\\'\t"'''),
            ("rB'\\x' f\"{x}\" u''", r'"\\x{x}"'),
        )
    ),
    Golden(
        "strings of Python, by place, as keys, cut",
        "<|tool_call_start|>[run(r'\\d', {'a' 'b': b'c', r: f}, '''d'' \\",
        said(
            None,
            (
                "run",
                r'{"argument_0": "\\d", "argument_1": {"ab": "c", "r": "f"}, '
                r""""argument_2": "d'' \\""",
            ),
        ),
    ),
]
