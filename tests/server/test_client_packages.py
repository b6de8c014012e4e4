"""Packages over OpenAI's API: LangChain, LiteLLM, instructor. None of them may ask the network.

Their imports take seconds, so each stands in its own test.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.server.live import HANG, LiveServer

HELLO = "Say hello."
PARIS = "Paris is in France. Tell me the city and its country."
WEATHER = "What is the weather in Paris?"


class City(BaseModel):
    """A city."""

    name: str
    country: str


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing but this machine is asked, and nothing is told to anyone."""
    for name, value in {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGSMITH_TRACING": "false",
        "LANGCHAIN_TRACING_V2": "false",
        "DO_NOT_TRACK": "1",
    }.items():
        monkeypatch.setenv(name, value)
    asked: list[object] = []
    resolve = socket.getaddrinfo

    def local_only(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in ("127.0.0.1", "localhost", "::1", None):
            asked.append(host)
            raise OSError(f"the network is not there: {host}")
        return resolve(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", local_only)
    # They leave a loop open that they make themselves.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()
    assert not asked


def test_langchain(server: LiveServer) -> None:
    from langchain_core.messages import HumanMessage, SystemMessage
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(
        model="pocket",
        base_url=f"{server.url}/v1",
        api_key="none",
        timeout=HANG,
        max_retries=0,
        temperature=0,
        max_tokens=12,
        stream_usage=True,
    )
    messages = [SystemMessage("You are short."), HumanMessage(HELLO)]
    whole = chat.invoke(messages)
    assert whole.content
    assert whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["finish_reason"] in {"stop", "length"}
    chunks = list(chat.stream(messages))
    assert "".join(str(chunk.content) for chunk in chunks) == whole.content
    assert any(chunk.usage_metadata for chunk in chunks)
    first, second = chat.batch([HELLO, HELLO])
    assert first.content == second.content


def test_litellm(server: LiveServer) -> None:
    import litellm

    settings: dict[str, Any] = {
        "model": "openai/pocket",
        "api_base": f"{server.url}/v1",
        "api_key": "none",
        "timeout": HANG,
        "num_retries": 0,
        "messages": [{"role": "user", "content": HELLO}],
        "temperature": 0,
        "max_tokens": 12,
    }
    whole = litellm.completion(**settings)
    stream = list(litellm.completion(**settings, stream=True))
    text = whole.choices[0].message.content
    assert text
    assert whole.usage.completion_tokens > 0
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text


def test_langchain_calls_tools_and_parses(server: LiveServer) -> None:
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI

    @tool
    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return f"It rains in {city}."

    chat = ChatOpenAI(
        model="pocket",
        base_url=f"{server.url}/v1",
        api_key="none",
        timeout=HANG,
        max_retries=0,
        temperature=0,
        max_tokens=100,
    )
    for choice in ("auto", "any", "get_weather"):
        called = chat.bind_tools([get_weather], tool_choice=choice).invoke(WEATHER)
        assert called.tool_calls[0]["name"] == "get_weather"
        assert get_weather.invoke(called.tool_calls[0]["args"]).startswith("It rains in ")
    for method in ("json_schema", "function_calling"):
        city = chat.with_structured_output(City, method=method).invoke(PARIS)
        assert isinstance(city, City)


@pytest.mark.parametrize("mode", ["JSON_SCHEMA", "TOOLS"])
def test_instructor(server: LiveServer, mode: str) -> None:
    import instructor
    import openai

    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as plain:
        client = instructor.from_openai(plain, mode=instructor.Mode[mode])
        city = client.chat.completions.create(
            model="pocket",
            messages=[{"role": "user", "content": PARIS}],
            response_model=City,
            max_retries=1,
            temperature=0,
            max_tokens=100,
        )
    assert isinstance(city, City)
