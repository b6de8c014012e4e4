"""Chat templates: what Hugging Face's may use, and nothing of the machine."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import gguf
import pytest

from llamabox import Engine, InvalidRequest, Model, TemplateError
from llamabox.api import RESERVED_VARIABLES, ChatTemplate
from llamabox.templates import CHATML
from tests.api.conftest import ENDLESS, SMALL
from tests.models.random_gguf import BOS, write_model

HELLO = [{"role": "user", "content": "hello"}]
CHATML_HELLO = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


def render(source: str, **variables: object) -> str:
    return ChatTemplate(source, bos="<s>", eos="</s>").render(HELLO, variables=variables)


def test_a_template_sees_messages_specials_tools_and_variables() -> None:
    source = (
        "{{ bos_token }}{% for m in messages %}{{ m['role'] }}:{{ m.content }}{% endfor %}"
        "{{ eos_token }}{{ tools is none }}{{ add_generation_prompt }}{{ enable_thinking }}"
    )
    assert render(source, enable_thinking=3) == "<s>user:hello</s>TrueTrue3"


def test_tools_reach_the_template_as_they_are() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"a": ["<b>", "é'"]}}}]
    text = ChatTemplate("{{ tools | tojson }}").render(HELLO, tools=tools)
    assert json.loads(text) == tools


def test_tojson_does_not_escape_for_html_nor_for_ascii() -> None:
    assert render("{{ x | tojson }}", x="<a href='b'>&é") == "\"<a href='b'>&é\""
    assert render("{{ x | tojson(indent=2) }}", x={"a": 1}) == '{\n  "a": 1\n}'
    assert render("{{ x }}", x="<a>&\"'") == "<a>&\"'"
    assert render("{{ x | tojson(true) }}", x="é") == '"\\u00e9"'
    assert render(
        "{{ x | tojson(separators=(',', ':'), sort_keys=true) }}", x={"b": 1, "a": 2}
    ) == ('{"a":2,"b":1}')
    assert render("{{ x | map('upper') | tojson }}", x=["a", "b"]) == '["A", "B"]'


def test_generation_blocks_are_rendered_in_a_scope_of_their_own() -> None:
    source = "{% set x = 1 %}{% generation %}{% set x = 2 %}<{{ x }}>{% endgeneration %}{{ x }}"
    assert render(source) == "<2>1"
    loop = "{% for i in [1, 2] %}{% generation %}{{ i }}{% break %}{% endgeneration %}{% endfor %}"
    assert render(loop) == "1"


def test_templates_have_lists_and_namespaces_of_their_own() -> None:
    source = (
        "{% set ns = namespace(seen=[], self=1) %}{% for i in [1, 2, 3] %}"
        "{% set _ = ns.seen.append(i) %}{% endfor %}{{ ns.seen.pop(0) }}{{ ns.seen }}{{ ns.self }}"
    )
    assert render(source) == "1[2, 3]1"
    assert render("{{ {'a': {'b': 2}}.items() | list }}{{ dict(c=1).c }}") == ("[('a', {'b': 2})]1")


def test_loops_break_and_continue() -> None:
    source = (
        "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}"
        "{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}"
    )
    assert render(source) == "023"


def test_blocks_leave_no_blank_lines() -> None:
    assert render("a\n  {% if true %}\nb\n  {% endif %}\nc") == "a\nb\nc"


def test_strftime_now_is_today() -> None:
    before = datetime.datetime.now().strftime("%Y-%m-%d")
    text = render("{{ strftime_now('%Y-%m-%d') }}")
    assert before <= text <= datetime.datetime.now().strftime("%Y-%m-%d")


def test_raise_exception_is_a_template_error_with_its_message() -> None:
    with pytest.raises(TemplateError, match="roles must alternate"):
        render("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__ }}",
        "{{ raise_exception.__globals__ }}",
        "{{ strftime_now.__globals__['json'] }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ (messages | map(attribute='__class__') | list)[0].__name__ }}",
        "{{ '{0.__class__.__mro__}'.format(messages) | length }}",
        "{{ messages.append({}) }}",
        "{{ messages[0].update({'content': 'x'}) }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{{ namespace(__class__=1) }}",
        "{{ namespace(a=1).__class__ }}",
        "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for i in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{% for i in [1] %}{{ loop.length.__class__ }}{% endfor %}",
        "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
        "{{ messages[0].setdefault('x', 1) }}",
        "{{ self._TemplateReference__context.environment.filters.__class__ }}",
    ],
)
def test_the_sandbox_lets_nothing_out(source: str) -> None:
    try:
        text = render(source)
    except TemplateError:
        return
    for word in ("class", "object", "module", "builtins", "uid=", "list", "dict"):
        assert word not in text
    assert HELLO == [{"role": "user", "content": "hello"}]


@pytest.mark.parametrize(
    "source", ["{% for", "{{ a b }}", "{% endif %}", "{{ x | nosuchfilter }}", "{% import x %}"]
)
def test_a_template_that_does_not_compile_is_a_template_error(source: str) -> None:
    with pytest.raises(TemplateError, match="does not compile"):
        ChatTemplate(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{{ messages[5].content }}",
        "{{ messages.nosuch.thing }}",
        "{{ 'a' + 1 }}",
        "{{ range(10**9) | list }}",
        "{{ [1, 2] | join(1, 2, 3) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ '%d' % 'x' }}",
        "{{ 2.0 ** 10000 }}",
        "{% include 'other' %}",
        "{{ x | tojson }}",
        "{{ 'a' * 10**15 }}",
    ],
)
def test_a_template_that_fails_is_a_template_error(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source, x=object())


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"content": "no role"}],
        ["text"],
        [{"role": "user", "content": 5}],
        [{"role": "user", "content": [5]}],
        [{"role": "user", "content": [{"text": "no type"}]}],
        [{"role": "user", "content": [{"type": "text", "text": 5}]}],
        [{"role": "assistant", "tool_calls": "f()"}],
        [{"role": "assistant", "tool_calls": ["f()"]}],
    ],
)
def test_what_is_no_conversation_is_refused(messages: list[Any]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        ChatTemplate(CHATML).render(messages)
    assert refusal.value.param == "messages"


def test_variables_have_no_power_over_the_conversation() -> None:
    source = "{{ messages[0].content }}{{ tools }}{{ bos_token }}{{ add_generation_prompt }}"
    stolen = {"messages": [], "tools": 1, "bos_token": "x", "add_generation_prompt": 3}
    assert render(source, **stolen) == "helloNone<s>True"
    assert set(stolen) | {"raise_exception", "range", "namespace"} <= RESERVED_VARIABLES


def test_a_template_error_is_an_invalid_request() -> None:
    assert issubclass(TemplateError, InvalidRequest)


def test_a_model_without_a_template_speaks_chatml(engine: Engine, tiny_model: Model) -> None:
    assert tiny_model.chat_template is None
    assert engine.template.render(HELLO) == CHATML_HELLO
    turns = CHATML_HELLO.removesuffix("<|im_start|>assistant\n")
    assert engine.template.render(HELLO, add_generation_prompt=False) == turns


def test_the_models_template_is_used_and_can_be_replaced(tmp_path: Path) -> None:
    path = write_model(tmp_path / "own.gguf", template="own {{ messages[0].content }}")
    with Model.load(path) as model:
        with Engine(model, SMALL) as engine:
            assert engine.template.render(HELLO) == "own hello"
        with Engine(model, SMALL, chat_template="mine") as engine:
            assert engine.template.render(HELLO) == "mine"
            assert engine.chat(HELLO, ENDLESS).n_prompt == len(model.tokenizer.encode("mine"))


def test_the_models_template_for_tools_is_used_where_there_are_tools(tmp_path: Path) -> None:
    def named(writer: gguf.GGUFWriter) -> None:
        writer.add_chat_template(
            [
                {"name": "default", "template": "own {{ messages[0].content }}"},
                {"name": "tool_use", "template": "{{ tools | tojson }}"},
                {"name": "rag", "template": "rag"},
            ]
        )

    path = write_model(tmp_path / "named.gguf", more=named)
    tools = [{"type": "function", "function": {"name": "f"}}]
    with Model.load(path) as model, Engine(model, SMALL) as engine:
        assert model.named_templates == {"tool_use": "{{ tools | tojson }}", "rag": "rag"}
        assert engine.template.render(HELLO) == "own hello"
        assert json.loads(engine.template.render(HELLO, tools=tools)) == tools


def test_a_broken_template_for_tools_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def named(writer: gguf.GGUFWriter) -> None:
        writer.add_chat_template(
            [{"name": "default", "template": "own"}, {"name": "tool_use", "template": "{% for"}]
        )

    with (
        Model.load(write_model(tmp_path / "half.gguf", more=named)) as model,
        Engine(model, SMALL) as engine,
    ):
        assert engine.template.tool_use is None
    assert "does not compile" in caplog.text


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("adds", [True, False])
def test_a_prompt_has_one_bos_at_most(tmp_path: Path, writes: bool, adds: bool) -> None:
    template = ("{{ bos_token }}" if writes else "") + "{{ messages[0].content }}"
    path = write_model(
        tmp_path / "bos.gguf", template=template, more=lambda writer: writer.add_add_bos_token(adds)
    )
    with Model.load(path) as model, Engine(model, SMALL) as engine:
        assert model.tokenizer.adds_bos == adds
        tokens = asyncio.run(engine.prepare_chat(HELLO)).tokens
        assert list(tokens[:2]).count(BOS) == (writes or adds)


def test_a_broken_template_is_a_template_error_of_the_engine(
    tmp_path: Path, tiny_model: Model
) -> None:
    path = write_model(tmp_path / "broken.gguf", template="{% for")
    with pytest.raises(TemplateError):
        Engine(path, SMALL)
    with pytest.raises(TemplateError):
        Engine(tiny_model, SMALL, chat_template="{{ }}{% if")


def test_the_packaged_models_template_renders_turns_and_tools() -> None:
    with Model.load() as model:
        assert model.chat_template
        template = ChatTemplate(model.chat_template, bos=model.tokenizer.bos)
        turns = [
            {"role": "system", "content": "Be brief."},
            *HELLO,
            {"role": "assistant", "content": "Hi!"},
            {"role": "user", "content": "Bye"},
        ]
        text = template.render(turns)
        assert all(turn["content"] in text for turn in turns)
        assert text.index("Be brief.") < text.index("Hi!") < text.index("Bye")
        tools = [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}]
        assert "get_weather" in template.render(HELLO, tools=tools)
