"""What a template cannot take is brought to a form that it can."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from typing import Any

import pytest

from llamabox import InvalidRequest, TemplateError
from llamabox.api import Capabilities, ChatTemplate, adaptation
from tests.api.conversations import (
    ANSWERS,
    ASKS,
    ASKS_ON,
    CALLS_ONE,
    CALLS_TWO,
    FIRST,
    PARTS,
    SECOND,
    SYSTEM,
    TOOLS,
    call,
    calls,
    result,
)

PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
STRICT = """\
{%- for m in messages %}
{%- if m.role not in ('user', 'assistant') %}{{ raise_exception('no ' + m.role) }}{% endif %}
{%- if (m.role == 'user') != loop.index0 is even %}{{ raise_exception('turns') }}{% endif %}
{{- '[' + m.role + ']' + m.content }}
{%- endfor %}"""
TYPED = """\
{%- for m in messages %}{{ '[' + m.role + ']' }}
{%- for part in m.content %}{% if part.type == 'text' %}{{ part.text }}|{% endif %}{% endfor %}
{%- endfor %}"""
BOTH = """\
{%- for m in messages %}{{ '[' + m.role + ']' }}
{%- if m.content is string %}{{ m.content }}
{%- else %}{% for part in m.content %}{{ part.text }}|{% endfor %}{% endif %}
{%- endfor %}"""
CALLING = """\
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- for m in messages %}{{ '[' + m.role + ']' }}
{%- if m.content %}{{ m.content }}{% endif %}
{%- for c in m.tool_calls or [] %}{{ c.function.name + '(' + ARGUMENTS + ')' }}{% endfor %}
{%- if m.role == 'tool' %}{{ '@' + (m.name or '?') }}{% endif %}
{%- endfor %}"""
OBJECTS = CALLING.replace("ARGUMENTS", "c.function.arguments | tojson")
STRINGS = CALLING.replace("ARGUMENTS", "c.function.arguments")
ONE_CALL = OBJECTS.replace(
    "{%- for c", "{%- if m.tool_calls and m.tool_calls[1:] %}{{ 1 / 0 }}{% endif %}{%- for c"
)
NINE = OBJECTS.replace(
    "{{ c.function.name",
    "{% if c.id | length != 9 %}{{ raise_exception('nine') }}{% endif %}{{ c.id + c.function.name",
)


def render(source: str, *messages: dict[str, Any], **options: Any) -> str:
    return ChatTemplate(source).render(messages, **options)


def able(source: str) -> set[str]:
    """Names of what differs from what most templates can take."""
    can, usual = ChatTemplate(source).capabilities, Capabilities()
    return {name for name in Capabilities.__slots__ if getattr(can, name) != getattr(usual, name)}


NO_CALLS = {"tools", "tool_calls", "parallel_calls"}


@pytest.mark.parametrize(
    ("source", "unusual"),
    [
        (PLAIN, NO_CALLS),
        (STRICT, {*NO_CALLS, "system", "tool_results"}),
        (TYPED, {*NO_CALLS, "string_content", "typed_content"}),
        (BOTH, {*NO_CALLS, "typed_content"}),
        (OBJECTS, set()),
        (STRINGS, {"object_arguments"}),
        (ONE_CALL, {"parallel_calls"}),
        (NINE, {"short_call_ids"}),
        (OBJECTS.replace("if tools", "if tools | length"), {"empty_tools"}),
        (OBJECTS + "{# developer #}", {"developer"}),
        (OBJECTS.replace("if m.content", "if m.content is not none"), set()),
        ("{{ raise_exception('never') }}", {*NO_CALLS, "system", "tool_results"}),
    ],
)
def test_capabilities_are_found_by_rendering(source: str, unusual: set[str]) -> None:
    assert able(source) == unusual


def test_parts_are_joined_by_line_ends_where_text_is_wanted() -> None:
    assert render(PLAIN, PARTS) == "[user]One.\nTwo."
    assert render(TYPED, PARTS) == "[user]One.|Two.|"
    assert render(BOTH, PARTS, ASKS) == '[user]One.|Two.|[user]What is "it"?'
    assert render(TYPED, ASKS) == '[user]What is "it"?|'


def test_a_system_message_goes_into_what_the_user_says_next() -> None:
    system = SYSTEM["content"]
    assert render(STRICT, SYSTEM, ASKS) == f'[user]{system}\nWhat is "it"?'
    later = render(STRICT, ASKS, ANSWERS, SYSTEM, ASKS_ON)
    assert later == f'[user]What is "it"?[assistant]It is fine.[user]{system}\nAnd now?'
    assert render(STRICT, SYSTEM) == f"[user]{system}"
    assert render(STRICT, SYSTEM, ANSWERS) == f"[user]{system}[assistant]It is fine."


def test_developers_speak_for_the_system_unless_the_template_knows_them() -> None:
    developer = {**SYSTEM, "role": "developer"}
    assert render(PLAIN, developer).startswith("[system]")
    assert render(PLAIN + "{# developer #}", developer).startswith("[developer]")


def test_tools_are_described_where_the_template_does_not() -> None:
    prompt = render(PLAIN, SYSTEM, ASKS, tools=TOOLS)
    system, _, asked = prompt.removeprefix("[system]").partition("[user]")
    assert system.startswith(SYSTEM["content"] + "\n\n")
    described = system.partition("<tools>\n")[2].partition("\n</tools>")[0].splitlines()
    assert [json.loads(line) for line in described] == [tool["function"] for tool in TOOLS]
    assert '<tool_call>\n{"name": "NAME", "arguments": {...}}\n</tool_call>' in system
    assert asked == ASKS["content"]
    assert "<tools>" in render(STRICT, ASKS, tools=TOOLS)
    assert "<tools>" not in render(OBJECTS, ASKS, tools=TOOLS)


def test_the_example_of_a_call_is_the_templates_own() -> None:
    source = """\
{%- for m in messages %}{{ '<' + m.role + '>' + m.content }}
{%- for c in m.tool_calls or [] %}{{ '!' + c.function.name + c.function.arguments | tojson }}
{%- endfor %}{{ '<end>' }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"""
    template = ChatTemplate(source)
    assert template.tool_source == source
    prompt = template.render([ASKS], tools=TOOLS)
    example = '!tool_name{"argument_name": "value"}'
    assert f"write this with its name and its arguments:\n{example}<end><user>" in prompt


def test_calls_and_results_become_text_where_nothing_else_is_known() -> None:
    prompt = render(STRICT, SYSTEM, ASKS, {**CALLS_TWO, "content": "Now:"}, FIRST, SECOND, ASKS_ON)
    assert prompt.endswith(
        "[assistant]Now:\n"
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Köln"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "add", "arguments": {"a": 1.5, "b": 2}}\n</tool_call>'
        "[user]<tool_response>\n12 degrees\n</tool_response>\n"
        "<tool_response>\n3.5\n</tool_response>\nAnd now?"
    )


def test_arguments_are_what_the_template_wants() -> None:
    text = json.dumps({"a": 1, "b": "é"}, ensure_ascii=False, separators=(",", ":"))
    as_text = calls({"id": "1", "function": {"name": "add", "arguments": text}})
    as_object = calls(call(1, "add", a=1, b="é"))
    assert render(OBJECTS, ASKS, as_text).endswith('add({"a": 1, "b": "é"})')
    assert render(STRINGS, ASKS, as_text).endswith(f"add({text})"), "as the model wrote it"
    assert render(STRINGS, ASKS, as_object).endswith('add({"a": 1, "b": "é"})')
    none = calls({"function": {"name": "add"}})
    assert render(OBJECTS, ASKS, none).endswith("add({})")
    assert render(STRINGS, ASKS, none).endswith("add({})")


@pytest.mark.parametrize("arguments", ["{", '{"city": "Par', "[1]", "3", "[" * 100_000])
def test_arguments_that_are_no_object_are_shown_as_they_are(arguments: str) -> None:
    made = calls({"function": {"name": "add", "arguments": arguments}})
    assert render(OBJECTS, ASKS, made).endswith(f"add({json.dumps(arguments)})")
    assert render(STRINGS, ASKS, made).endswith(f"add({arguments})")
    apart = CALLING.replace("ARGUMENTS", "dict(c.function.arguments.items()) | tojson")
    assert render(apart, ASKS, made).endswith("add({})"), "the template fails on text"


@pytest.mark.parametrize("arguments", [5, [1]])
def test_arguments_that_are_not_even_text_are_refused(arguments: Any) -> None:
    made = calls({"function": {"name": "add", "arguments": arguments}})
    with pytest.raises(InvalidRequest, match="must be an object or JSON text") as refusal:
        render(OBJECTS, ASKS, made)
    assert refusal.value.param == "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize("source", [PLAIN, STRINGS, OBJECTS], ids=["plain", "strings", "objects"])
def test_what_is_nested_too_deep_is_refused(source: str) -> None:
    """Nobody can read it, and Python cannot write it as JSON."""
    deep: dict[str, Any] = {}
    for _ in range(3_000):
        deep = {"a": deep}
    made = calls({"function": {"name": "add", "arguments": deep}})
    with pytest.raises((InvalidRequest, TemplateError)):
        render(source, ASKS, made)
    tool = {"type": "function", "function": {"name": "add", "parameters": deep}}
    with pytest.raises(InvalidRequest, match="nested too deep"):
        ChatTemplate(PLAIN).render([ASKS], tools=[tool])


@pytest.mark.parametrize("strange", [["x"], {"x": 1}, 5, None])
def test_strange_ids_are_ids(strange: Any) -> None:
    made = calls({"id": strange, "function": {"name": "add", "arguments": {}}})
    answer = {"role": "tool", "tool_call_id": strange, "content": "3.5"}
    assert render(OBJECTS, ASKS, made, answer).endswith("[tool]3.5@add")


def test_results_have_the_name_of_their_tool() -> None:
    answer = {"role": "tool", "tool_call_id": "abcdefg02", "content": "3.5"}
    assert render(OBJECTS, ASKS, CALLS_TWO, answer).endswith("[tool]3.5@add")
    unknown = {"role": "tool", "tool_call_id": "x", "content": "3.5"}
    assert render(OBJECTS, ASKS, CALLS_TWO, unknown).endswith("[tool]3.5@?")


def test_several_calls_are_made_one_after_the_other() -> None:
    expected = (
        '[assistant]get_weather({"city": "Köln"})[tool]12 degrees@get_weather'
        '[assistant]add({"a": 1.5, "b": 2})[tool]3.5@add[user]And now?'
    )
    for results in ([FIRST, SECOND], [SECOND, FIRST]):
        assert render(ONE_CALL, ASKS, CALLS_TWO, *results, ASKS_ON).endswith(expected)
    without_ids = copy.deepcopy([CALLS_TWO, FIRST, SECOND])
    for made in without_ids[0]["tool_calls"]:
        del made["id"]
    assert render(ONE_CALL, ASKS, *without_ids, ASKS_ON).endswith(expected)


def test_ids_are_shortened_where_nine_characters_are_wanted() -> None:
    long = {**call(1, "add", a=1), "id": "call_0123456789"}
    prompt = render(NINE, ASKS, calls(long), result(1, "add", "1"))
    assert "call_0123456789" not in prompt
    assert prompt == render(NINE, ASKS, calls(long), result(1, "add", "1"))
    assert "abcdefg01get_weather" in render(NINE, ASKS, CALLS_ONE, FIRST)


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
@pytest.mark.parametrize("read", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_has_the_name_that_the_template_reads(name: str, read: str) -> None:
    source = "{% for m in messages %}{{ m." + read + " }}{{ m.content }}{% endfor %}"
    assert render(source, ASKS, {**ANSWERS, name: "Hm."}).endswith("Hm.It is fine.")


def test_a_message_without_content_is_an_empty_one() -> None:
    assert render(PLAIN, ASKS, {"role": "assistant", "content": None}).endswith("[assistant]")
    assert render(PLAIN, ASKS, {"role": "assistant"}).endswith("[assistant]")


def test_what_is_given_is_not_changed() -> None:
    messages = [SYSTEM, ASKS, CALLS_TWO, FIRST, SECOND, PARTS]
    before = copy.deepcopy(messages)
    for source in (PLAIN, STRICT, TYPED, STRINGS, ONE_CALL, NINE):
        render(source, *messages[:5], tools=TOOLS)
        assert messages == before
    changing = "{{ messages.append(1) }}{{ messages.pop() }}{{ messages.pop() }}{{ tools.pop() }}"
    tools = list(TOOLS)
    ChatTemplate(changing).render(messages, tools=tools)
    assert (messages, tools) == (before, TOOLS)


def test_a_template_for_tools_takes_over_where_there_are_tools() -> None:
    template = ChatTemplate(PLAIN, tool_use=OBJECTS)
    assert template.render([ASKS]) == '[user]What is "it"?'
    assert template.render([ASKS], tools=TOOLS).startswith('[{"type": "function"')
    assert (template.source, template.tool_source) == (PLAIN, OBJECTS)
    assert ChatTemplate(PLAIN).tool_source == ""
    assert ChatTemplate(OBJECTS).tool_source == OBJECTS


class TestLongHistories:
    """Of many calls and results, each is looked at a few times."""

    @pytest.mark.parametrize("seed", range(40))
    def test_calls_take_their_own_results_else_the_next(self, seed: int) -> None:
        chance = random.Random(seed)
        ids = chance.choices(["a", "b", "c", "d", None], k=chance.randrange(2, 7))
        made = [{"id": each, "function": {"name": "f", "arguments": {}}} for each in ids]
        answers = [
            {
                "role": "tool",
                "tool_call_id": chance.choice(["a", "b", "c", "e", None]),
                "content": n,
            }
            for n in map(str, range(chance.randrange(9)))
        ]
        left, expected = list(answers), []
        for asked in made[:-1]:
            own = [each for each in left if each["tool_call_id"] == asked["id"]] or left[:1]
            left = [each for each in left if each not in own]
            expected.append(own)
        assert adaptation._results_of(made, answers) == [*expected, left]

    def test_a_result_is_looked_at_once(self) -> None:
        n_looks = 0

        class Result(dict[str, Any]):
            def get(self, *args: Any) -> Any:
                nonlocal n_looks
                n_looks += 1
                return super().get(*args)

        made = [{"id": str(n)} for n in range(500)]
        answers = [Result(tool_call_id=str(n)) for n in reversed(range(500))]
        assert [own for (own,) in adaptation._results_of(made, answers)] == answers[::-1]
        assert n_looks == 500

    def test_a_run_of_results_is_joined_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        said: list[int] = []
        join = adaptation._said
        monkeypatch.setattr(
            adaptation, "_said", lambda texts: said.append(len(texts)) or join(texts)
        )
        run = [{"role": "tool", "content": str(n)} for n in range(3)]
        cannot = dataclasses.replace(Capabilities(), tool_results=False)
        told = [ASKS, *run, ASKS_ON, ASKS, *run, ANSWERS, *run]
        adapted, _ = adaptation.adapt(told, None, cannot)
        user = "\n".join(f"<tool_response>\n{n}\n</tool_response>" for n in range(3))
        assert adapted == [
            ASKS,
            {"role": "user", "content": f"{user}\n{ASKS_ON['content']}"},
            ASKS,
            {"role": "user", "content": user},
            ANSWERS,
            {"role": "user", "content": user},
        ]
        assert said == [4, 3, 3]

    def test_reasoning_is_not_repeated_for_each_call(self) -> None:
        source = ONE_CALL.replace("{%- if m.content", "{{- m.thinking }}{%- if m.content")
        thoughtful = {**CALLS_TWO, "reasoning_content": "Hm.", "content": "So."}
        prompt = render(source, ASKS, thoughtful, FIRST, SECOND)
        assert "[assistant]Hm.So.get_weather(" in prompt
        assert "[assistant]add(" in prompt
