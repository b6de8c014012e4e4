"""What requests and flags say about chat templates: ``/apply-template``, ``/props``, prefill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from llamabox.server.cli import parse
from llamabox.server.config import ServerConfig
from llamabox.templates import NAMED_TEMPLATES
from tests.models.random_gguf import write_model
from tests.server.conftest import small_config
from tests.server.live import LiveServer

CHAT = "/v1/chat/completions"
APPLY = "/apply-template"
USER = {"role": "user", "content": "Hello!"}
HEAD = "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"
SHOWS = """\
{%- if tools %}{{ 'tools:' + tools | tojson + ';' }}{% endif -%}
{%- if mood is defined %}{{ mood | tojson + ';' }}{% endif -%}
{%- for m in messages %}{{ m.role + ':' }}{% if m.name %}{{ '(' + m.name + ')' }}{% endif %}
{%- if m.reasoning_content %}{{ '<think>' + m.reasoning_content + '</think>' }}{% endif %}
{{- m.content }}
{%- for c in m.tool_calls or [] %}{{ c.function.name }}{{ c.function.arguments | tojson }}
{%- endfor %};{% endfor %}
{%- if add_generation_prompt %}assistant:{% endif -%}"""


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A client of a server whose template shows what it is given."""
    model = write_model(tmp_path_factory.mktemp("shows") / "shows.gguf", template=SHOWS)
    config = small_config(model=model, chat_template_kwargs={"mood": "calm"})
    with LiveServer(config) as live, live.wait_ready().client() as client:
        yield client


def prompt_of(client: httpx.Client, *messages: dict[str, Any], **fields: Any) -> str:
    response = client.post(APPLY, json={"messages": list(messages), **fields})
    assert response.status_code == 200, response.text
    assert list(response.json()) == ["prompt"]
    prompt: str = response.json()["prompt"]
    return prompt.removeprefix('"calm";')


def refusal_of(client: httpx.Client, path: str = APPLY, **fields: Any) -> dict[str, Any]:
    response = client.post(path, json={"messages": [USER], **fields})
    assert response.status_code == 400, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def test_the_prompt_is_the_one_that_a_chat_computes(client: httpx.Client) -> None:
    prompt = prompt_of(client, USER)
    assert prompt == HEAD
    usage = client.post(CHAT, json={"messages": [USER], "max_tokens": 0}).json()["usage"]
    native = client.post("/completion", json={"prompt": prompt, "n_predict": 0}).json()
    assert native["tokens_evaluated"] == usage["prompt_tokens"]


def test_tools_are_in_the_prompt_unless_none_is_to_be_called(client: httpx.Client) -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    assert '{"name": "add"' in prompt_of(client, USER, tools=tools)
    assert prompt_of(client, USER, tools=tools, tool_choice="none") == HEAD


def test_variables_of_a_request_replace_those_of_the_server(shows: httpx.Client) -> None:
    def raw(**fields: Any) -> str:
        return shows.post(APPLY, json={"messages": [USER], **fields}).json()["prompt"]

    assert raw().startswith('"calm";')
    assert raw(chat_template_kwargs={"mood": {"of": ["<b>", 3]}}).startswith('{"of": ["<b>", 3]};')


@pytest.mark.parametrize("path", [APPLY, CHAT])
@pytest.mark.parametrize(
    "name", ["messages", "tools", "bos_token", "add_generation_prompt", "raise_exception"]
)
def test_a_request_has_no_power_over_the_templates_own_names(
    client: httpx.Client, path: str, name: str
) -> None:
    error = refusal_of(client, path, chat_template_kwargs={name: "x"})
    assert error["param"] == f"chat_template_kwargs.{name}"


def test_a_request_brings_no_template(client: httpx.Client) -> None:
    assert refusal_of(client, chat_template="{{ 1 }}")["param"] == "chat_template"


def test_the_generation_prompt_can_be_left_out(client: httpx.Client) -> None:
    prompt = prompt_of(client, USER, add_generation_prompt=False)
    assert prompt == HEAD.removesuffix("<|im_start|>assistant\n")


def test_a_last_message_of_the_assistant_is_gone_on_with(client: httpx.Client) -> None:
    last = {"role": "assistant", "content": "The answer"}
    begun = HEAD + "The answer"
    assert prompt_of(client, USER, last) == begun
    assert prompt_of(client, USER, last, continue_final_message=True) == begun
    assert prompt_of(client, USER, last, continue_final_message="content") == begun
    assert prompt_of(client, USER, last, add_generation_prompt=False) == begun
    ended = begun + "<|im_end|>\n"
    asks = prompt_of(client, USER, last, add_generation_prompt=True)
    assert asks == ended + "<|im_start|>assistant\n"
    assert prompt_of(client, USER, last, continue_final_message=False) == asks
    fields = {"continue_final_message": False, "add_generation_prompt": False}
    assert prompt_of(client, USER, last, **fields) == ended


def test_the_reply_is_what_follows_a_prefill(client: httpx.Client) -> None:
    last = {"role": "assistant", "content": "Hello, my"}
    body = {"messages": [USER, last], "temperature": 0, "max_tokens": 8}
    text = client.post(CHAT, json=body).json()["choices"][0]["message"]["content"]
    native = {"prompt": HEAD + "Hello, my", "temperature": 0, "n_predict": 8}
    assert text == client.post("/completion", json=native).json()["content"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"continue_final_message": True, "add_generation_prompt": True},
            "continue_final_message",
        ),
        ({"continue_final_message": True}, "continue_final_message"),
        ({"continue_final_message": "role"}, "continue_final_message"),
        ({"continue_final_message": 1}, "continue_final_message"),
        ({"continue_final_message": []}, "continue_final_message"),
        ({"messages": [{"role": "assistant", "content": "x"}] * 2}, "messages"),
    ],
)
def test_a_continuation_that_cannot_be(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    assert refusal_of(client, **fields)["param"] == param
    assert refusal_of(client, CHAT, **fields)["param"] == param


def test_prefill_can_be_turned_off(shows: httpx.Client, tmp_path: Path) -> None:
    last = {"role": "assistant", "content": "The answer"}
    assert prompt_of(shows, USER, last).endswith("assistant:The answer")
    model = write_model(tmp_path / "shows.gguf", template=SHOWS)
    config = small_config(model=model, prefill_assistant=False)
    with LiveServer(config) as live, live.wait_ready().client() as client:
        assert prompt_of(client, USER, last).endswith("assistant:The answer;assistant:")


def test_roles_names_and_older_forms_reach_the_template(shows: httpx.Client) -> None:
    prompt = prompt_of(
        shows,
        {"role": "developer", "content": "Be brief."},
        {**USER, "name": "ann"},
        {"role": "assistant", "function_call": {"name": "add", "arguments": '{"a": 1}'}},
        {"role": "function", "name": "add", "content": "2"},
        {"role": "assistant", "content": None, "reasoning": "Hm.", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "sub", "arguments": '{"b":2}'}}
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "3"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": [{"type": "text", "text": t} for t in ("One", "Two")]},
    )  # fmt: skip
    assert prompt == (
        'system:Be brief.;user:(ann)Hello!;assistant:add{"a": 1};tool:(add)2;'
        'assistant:<think>Hm.</think>sub{"b": 2};tool:(sub)3;assistant:No.;user:One\nTwo;assistant:'
    )


def test_a_template_that_refuses_the_messages_is_a_400(tmp_path: Path) -> None:
    refuses = "{% if messages | length > 1 %}{{ raise_exception('one at most') }}{% endif %}x"
    config = small_config(model=write_model(tmp_path / "plain.gguf"), chat_template=refuses)
    with LiveServer(config) as live, live.wait_ready().client() as client:
        for path in (APPLY, CHAT):
            error = refusal_of(client, path, messages=[USER, USER])
            assert "one at most" in error["message"]
            assert error["param"] == "messages"
        assert client.get("/props").json()["chat_template"] == refuses


def test_props_have_llama_servers_shape(client: httpx.Client, server: LiveServer) -> None:
    props = client.get("/props").json()
    engine = server.service.engine
    assert props["total_slots"] == 4
    assert props["default_generation_settings"]["n_ctx"] == engine.n_ctx
    settings = props["default_generation_settings"]["params"]
    native = client.post("/completion", json={"prompt": "x", "n_predict": 0}).json()
    assert set(settings) == set(native["generation_settings"])
    assert settings["temperature"] == server.service.config.defaults.temperature
    assert props["model_alias"] == "pocket"
    assert Path(props["model_path"]) == engine.model.path
    assert props["modalities"] == {"vision": False, "video": False, "audio": False}
    assert props["chat_template"] == engine.model.chat_template
    assert props["chat_template_caps"]["supports_tools"] is True
    assert "chat_template_tool_use" not in props
    assert props["eos_token"] == engine.model.tokenizer.eos
    assert props["build_info"].startswith("llamabox ")
    assert props["endpoint_metrics"] is True


def config_of(*flags: str) -> ServerConfig:
    return parse(flags).config


def test_a_template_is_named_written_or_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert config_of().chat_template is None
    for name in NAMED_TEMPLATES:
        assert config_of("--chat-template", name).chat_template == NAMED_TEMPLATES[name]
    assert config_of("--chat-template", "{{ messages_a }}").chat_template == "{{ messages_a }}"
    file = tmp_path / "own.jinja"
    file.write_text("own ü", encoding="utf-8")
    flags = ("--jinja", "--no-jinja", "--chat-template-file", str(file), "--chat-template", "phi4")
    assert config_of(*flags).chat_template == "own ü"
    with pytest.raises(SystemExit):
        parse(["--chat-template", "nosuch"])
    error = capsys.readouterr().err
    assert all(name in error for name in NAMED_TEMPLATES)


def test_variables_and_prefill_have_flags(capsys: pytest.CaptureFixture[str]) -> None:
    kwargs = {"enable_thinking": False, "x": [1]}
    config = config_of("--chat-template-kwargs", json.dumps(kwargs), "--no-prefill-assistant")
    assert config.chat_template_kwargs == kwargs
    assert config.prefill_assistant is False
    assert config_of("--prefill-assistant").prefill_assistant is True
    assert config_of().prefill_assistant is True
    for wrong in ("{", "[1]", "5"):
        with pytest.raises(SystemExit):
            parse(["--chat-template-kwargs", wrong])
        assert "--chat-template-kwargs" in capsys.readouterr().err
