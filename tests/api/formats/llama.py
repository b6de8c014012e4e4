"""Outputs of Llama 3.x and 4, as JSON and in Python's syntax."""

from __future__ import annotations

from llamabox.api.formats import Tool
from tests.api.formats.golden import TOOLS, Golden, said

PARIS = '{"city": "Paris"}'
ONE = f'{{"name": "get_weather", "parameters": {PARIS}}}'
TWO = '{"type": "function", "name": "add", "parameters": {"a": 1, "b": 2}}'
ADDED = ("add", '{"a": 1, "b": 2}')
WEATHER = ("get_weather", PARIS)
PYTHON = (*TOOLS, Tool("python"))
ANY = Tool("any", parameters={"type": "object", "properties": {"a": {}, "b": {}}})

JSON = [
    Golden("plain", "It is sunny in Zürich.\n", said("It is sunny in Zürich.\n")),
    Golden("plain", 'As JSON: {"city": "Paris"}', said('As JSON: {"city": "Paris"}')),
    Golden(
        "plain",
        'if (a) { return {"name": "Bob", "age": 3}; }',
        said('if (a) { return {"name": "Bob", "age": 3}; }'),
    ),
    Golden("plain", "[1, 2] [ ] []", said("[1, 2] [ ] []")),
    Golden("one", ONE, said(None, WEATHER)),
    Golden("one", f"  {TWO}\n", said(None, ADDED)),
    Golden("one", f"<|python_tag|>{ONE}", said(None, WEATHER)),
    Golden("two", f"{ONE}; {TWO}", said(None, WEATHER, ADDED)),
    Golden("two", f"{ONE}\n\n{TWO}<|eot_id|>", said(None, WEATHER, ADDED)),
    Golden("two", f"<|python_start|>{ONE}{TWO}<|python_end|>", said(None, WEATHER, ADDED)),
    Golden("two", f"[{ONE}, {TWO}]", said(None, WEATHER, ADDED)),
    Golden("before", f"Let me see.\n{ONE}", said("Let me see.", WEATHER)),
    Golden("behind", f"{ONE};\nThat was it.", said(";\nThat was it.", WEATHER)),
    Golden("broken", '{"name": "get_wea', said('{"name": "get_wea')),
    Golden("broken", '{"name": "get_weather"', said('{"name": "get_weather"')),
    Golden("broken", "{name: get_weather}", said("{name: get_weather}")),
    Golden(
        "broken",
        '{"name": "get_weather", "parameters": {"city": "Par',
        said(None, ("get_weather", '{"city": "Par')),
    ),
    Golden(
        "not on offer",
        '{"name": "rm", "parameters": {}}',
        said('{"name": "rm", "parameters": {}}'),
    ),
    Golden(
        "built in",
        '<|python_tag|>brave_search.call(query="it\'s a \\"test\\"")<|eom_id|>',
        said(None, ("brave_search", '{"query": "it\'s a \\"test\\""}')),
    ),
    Golden(
        "source",
        "<|python_tag|>import os\nprint(os.name)\n<|eom_id|>",
        said(None, ("python", '{"code": "import os\\nprint(os.name)\\n"}')),
        PYTHON,
    ),
    Golden("source", "<|python_tag|>1 + 1", said("<|python_tag|>1 + 1")),
]

PYTHONIC = [
    Golden("plain", "a[0] and [get_time()]", said("a[0] and [get_time()]")),
    Golden("one", '[get_weather(city="Paris")]', said(None, WEATHER)),
    Golden("two", "[get_weather(city='Paris'), add(a=1, b=2)]", said(None, WEATHER, ADDED)),
    Golden(
        "two",
        "<|python_start|>[ get_weather( city = 'Paris' ),\n add(a=1,b=2) ]<|python_end|>",
        said(None, WEATHER, ADDED),
    ),
    Golden("before", 'Of course! [get_weather(city="Paris")]', said("Of course!", WEATHER)),
    Golden("broken", "[get_weather(", said(None, ("get_weather", "{"))),
    Golden("broken", "[get_weather city]", said("[get_weather city]")),
    Golden(
        "broken",
        "[get_weather(city='Par",
        said(None, ("get_weather", '{"city": "Par')),
    ),
    Golden(
        "values",
        "[any(a=[1, -2.5e3, (True, None,),], b={'x': \"ü\\n\\'\", 'y': {}}, c=Foo)]",
        said(
            None,
            ("any", '{"a": [1, -2.5e3, [true, null]], "b": {"x": "ü\\n\'", "y": {}}, "c": "Foo"}'),
        ),
        (ANY,),
    ),
    Golden(
        "keys",
        "[any(a={1: 2, 'x': {True: [3, 4]}, -1.5: None})]",
        said(None, ("any", '{"a": {"1": 2, "x": {"true": [3, 4]}, "-1.5": null}}')),
        (ANY,),
    ),
    Golden(
        "no values",
        "[any(a=, b={'x': , 'y': {'z':}}, c=)]",
        said(None, ("any", '{"a": null, "b": {"x": null, "y": {"z": null}}, "c": null}')),
        (ANY,),
    ),
    Golden("places", "[any(1, 'x')]", said(None, ("any", '{"a": 1, "b": "x"}')), (ANY,)),
    Golden(
        "escapes",
        r"[any(a='\x41\u00e9\U0001F600\d\ud83d\ude00\x4')]",
        said(None, ("any", '{"a": "A\\u00e9\\ud83d\\ude00\\\\d\\ud83d\\ude00\\\\x4"}')),
        (ANY,),
    ),
    Golden("none", "[any()]", said(None, ("any", "{}")), (ANY,)),
]

GOLDEN = [*JSON, *PYTHONIC]
