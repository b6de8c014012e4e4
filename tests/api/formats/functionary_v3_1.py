"""Outputs of Functionary v3.1."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

ONE = f"<function=get_weather>{PARIS}</function>"
ADD = f"<function=add>{SUM}</function>"

GOLDEN = [
    *usual(ONE, f"{ONE}{ADD}"),
    is_content("<function=get_wea"),
    is_content("<function=get_weather>Paris</function>"),
    is_content("<function = f>{}</function>"),
    Golden(
        "broken", '<function=get_weather>{"city": "Pa', said(None, ("get_weather", '{"city": "Pa'))
    ),
    Golden("unclosed", f"<function=add>{SUM}", said(None, ("add", SUM))),
    Golden("two", f"{ONE}\n{ADD}<|eom_id|>", said(None, ("get_weather", PARIS), ("add", SUM))),
    Golden("no arguments", "<function=now></function>", said(None, ("now", "{}"))),
    Golden(
        "code",
        '<|python_tag|>print("é")\n<b>',
        said(None, ("python", '{"code": "print(\\"é\\")\\n<b>"}')),
    ),
    Golden("code", '<|python_tag|>{"code": "1"}', said(None, ("python", '{"code": "1"}'))),
    Golden(
        "nested",
        '<function=f>{"a": [{"}": "</function>\\"é"}]}</function>',
        said(None, ("f", '{"a": [{"}": "</function>\\"é"}]}')),
    ),
]
