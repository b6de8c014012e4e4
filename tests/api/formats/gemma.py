"""Outputs of Gemma 4."""

from __future__ import annotations

from tests.api.formats.golden import Golden, said
from tests.api.formats.usual import PARIS, SUM, is_content, usual

BEGIN, END, QUOTE = "<|tool_call>", "<tool_call|>", '<|"|>'
ONE = f"{BEGIN}call:get_weather{{city:{QUOTE}Paris{QUOTE}}}{END}"
ADD = f"{BEGIN}call:add{{a:1,b:2.5}}{END}"


def call(written: str, arguments: str) -> Golden:
    text = BEGIN + "call:f{" + written.replace("'", QUOTE) + "}" + END
    return Golden("values", text, said(None, ("f", arguments)))


GOLDEN = [
    *usual(ONE, f"{ONE}{ADD}"),
    is_content(f"{BEGIN}call:get_wea"),
    is_content(f"{BEGIN}nothing{END}"),
    is_content("call:f{} is how to write it"),
    Golden(
        "broken",
        f"{BEGIN}call:get_weather{{city:{QUOTE}Pa",
        said(None, ("get_weather", '{"city": "Pa')),
    ),
    Golden("broken", f"{BEGIN}call:add{{a:1,b", said(None, ("add", '{"a": 1'))),
    Golden("broken", f"{BEGIN}call:add{{a:1,b:2", said(None, ("add", '{"a": 1, "b": 2'))),
    Golden("broken", f"{BEGIN}call:add{{a:1]", said("]", ("add", '{"a": 1'))),
    Golden("spaces", f"{BEGIN} call:add{{ a: 1, b: 2.5 }} {END}\n", said(None, ("add", SUM))),
    Golden("unclosed", ONE[: -len(END)], said(None, ("get_weather", PARIS))),
    call("", "{}"),
    call("a:true,b:false,c:null", '{"a": true, "b": false, "c": null}'),
    call("a:-7,b:1.5e10,c:0", '{"a": -7, "b": 1.5e10, "c": 0}'),
    call("a:[],b:{},c:[['x',1],{d:'y'}]", '{"a": [], "b": {}, "c": [["x", 1], {"d": "y"}]}'),
    call("a:, b:{c:}, d: ", '{"a": null, "b": {"c": null}, "d": null}'),
    call("a:''", '{"a": ""}'),
    call("a:'{\"b\": [1]}, é\n<x>\\'", '{"a": "{\\"b\\": [1]}, é\\n<x>\\\\"}'),
    call("'a b':{'c:d':'e'}", '{"a b": {"c:d": "e"}}'),
    call('"a\\"": 1', '{"a\\"": 1}'),
    call('"a": ["b", {"c": "}"}]', '{"a": ["b", {"c": "}"}]}'),
    call("a b:1, c[d] :[2]", '{"a b": 1, "c[d]": [2]}'),
    call("a:hello world,b:2", '{"a": "hello world", "b": 2}'),
    Golden(
        "reasoning",
        f"<|channel>thought\nHm.\nYes.\n<channel|>Let me look.{ONE}<|tool_response>",
        said("Let me look.", ("get_weather", PARIS), reasoning="Hm.\nYes."),
    ),
    Golden(
        "reasoning",
        "<|channel><|channel>thought\n<channel|>Hello.<|channel>thought\n<channel|><channel|>",
        said("Hello."),
    ),
]
