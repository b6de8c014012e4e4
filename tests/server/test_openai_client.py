"""The official client drives chats and completions."""

from __future__ import annotations

import asyncio
import json
import math

import openai
import pytest

from tests.server.live import HANG, LiveServer
from tests.server.request_fields import MESSAGES

CHAT = {"model": "pocket", "messages": MESSAGES, "temperature": 0, "max_tokens": 12}
TEXT = {"model": "pocket", "prompt": "Once upon a time", "temperature": 0, "max_tokens": 12}
OWN = {"ignore_eos": True}


def test_a_chat(openai_client: openai.OpenAI) -> None:
    reply = openai_client.chat.completions.create(**CHAT, extra_body=OWN)
    (choice,) = reply.choices
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "length"
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 12
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + 12
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens is not None


def test_a_stream_says_the_same(openai_client: openai.OpenAI) -> None:
    whole = openai_client.chat.completions.create(**CHAT)
    stream = openai_client.chat.completions.create(
        **CHAT, stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = stream
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == whole.usage.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


def test_its_streaming_helper(openai_client: openai.OpenAI) -> None:
    whole = openai_client.chat.completions.create(**CHAT)
    with openai_client.chat.completions.stream(
        **CHAT, stream_options={"include_usage": True}
    ) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= set(kinds)
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.usage is not None


def test_several_choices_with_log_probabilities(openai_client: openai.OpenAI) -> None:
    settings = CHAT | {"temperature": 1, "seed": 5, "n": 3, "logprobs": True, "top_logprobs": 2}
    reply = openai_client.chat.completions.create(**settings)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) > 1
    for choice in reply.choices:
        assert choice.logprobs is not None
        assert choice.logprobs.content
        joined = b"".join(bytes(entry.bytes or []) for entry in choice.logprobs.content)
        assert joined.decode() == choice.message.content
        assert all(len(entry.top_logprobs) == 2 for entry in choice.logprobs.content)
    streamed: dict[int, str] = {}
    for chunk in openai_client.chat.completions.create(**settings, stream=True):
        for part in chunk.choices:
            streamed[part.index] = streamed.get(part.index, "") + (part.delta.content or "")
    assert streamed == {choice.index: choice.message.content for choice in reply.choices}


def test_a_completion(openai_client: openai.OpenAI) -> None:
    reply = openai_client.completions.create(**TEXT, logprobs=3, extra_body=OWN)
    (choice,) = reply.choices
    assert choice.logprobs is not None
    assert choice.logprobs.tokens is not None
    assert len(choice.logprobs.tokens) == 12
    assert "".join(choice.logprobs.tokens) == choice.text
    assert all(value <= 0 for value in choice.logprobs.token_logprobs or [math.inf])
    stream = openai_client.completions.create(
        **TEXT, stream=True, stream_options={"include_usage": True}, extra_body=OWN
    )
    *chunks, last = stream
    assert "".join(chunk.choices[0].text for chunk in chunks) == choice.text
    assert last.usage is not None
    assert last.usage.completion_tokens == 12


def test_completions_of_several_prompts(openai_client: openai.OpenAI) -> None:
    settings = TEXT | {"prompt": ["Once", "Twice"], "n": 2, "echo": True, "best_of": 2}
    reply = openai_client.completions.create(**settings, stop=["\n\n\n"], seed=1)
    assert [choice.text.split()[0][:4] for choice in reply.choices] == ["Once"] * 2 + ["Twic"] * 2
    assert reply.usage is not None
    ids = openai_client.completions.create(**TEXT | {"prompt": [[5, 6], [7]]})
    assert ids.usage is not None
    assert ids.usage.prompt_tokens == 3


def test_stops_biases_and_seeds(openai_client: openai.OpenAI) -> None:
    text = openai_client.chat.completions.create(**CHAT, extra_body=OWN).choices[0].message.content
    assert text is not None
    stop = text[5:8]
    stopped = openai_client.chat.completions.create(**CHAT, stop=[stop]).choices[0]
    assert stopped.message.content == text[: text.index(stop)]
    assert stopped.finish_reason == "stop"
    warm = CHAT | {"temperature": 1.5, "seed": 11}
    once, again = (openai_client.chat.completions.create(**warm) for _ in range(2))
    assert once.choices[0].message.content == again.choices[0].message.content
    biased = openai_client.chat.completions.create(**CHAT, logit_bias={"5": 100})
    assert biased.choices[0].message.content != text


def test_errors_are_its_own_exceptions(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        openai_client.chat.completions.create(**CHAT | {"temperature": "hot"})
    assert wrong.value.param == "temperature"
    assert "temperature" in wrong.value.message
    with pytest.raises(openai.BadRequestError) as long:
        openai_client.completions.create(**TEXT | {"prompt": "word " * 9999})
    assert json.loads(long.value.response.content)["error"]["type"] == "exceed_context_size_error"
    with pytest.raises(openai.NotFoundError):
        openai_client.embeddings.create(model="pocket", input="x")


def test_headers_and_models(openai_client: openai.OpenAI) -> None:
    raw = openai_client.chat.completions.with_raw_response.create(
        **CHAT, user="me", metadata={"a": "b"}, store=False, extra_body={"top_kk": 1}
    )
    assert raw.headers["x-llamabox-warning"] == "unknown fields: top_kk"
    assert raw.headers["x-request-id"]
    assert raw.parse().choices
    assert [model.id for model in openai_client.models.list()] == ["pocket"]


def test_the_asynchronous_client(server: LiveServer) -> None:
    async def ask() -> list[str]:
        url = f"{server.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", timeout=HANG) as client:
            replies = await asyncio.gather(
                *(client.chat.completions.create(**CHAT) for _ in range(3))
            )
            stream = await client.chat.completions.create(**CHAT, stream=True)
            parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
        return [*(reply.choices[0].message.content or "" for reply in replies), "".join(parts)]

    texts = asyncio.run(ask())
    assert len(set(texts)) == 1
    assert texts[0]
