"""What a chat costs outside the engine: to parse, render, tokenize, and to bring the first byte."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import statistics
import string
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from llamabox import Model
from llamabox.api import ChatTemplate
from llamabox.server.chat_prompt import conversation_of
from llamabox.server.config import ServerConfig
from llamabox.server.schema import ChatRequest, read_chat

from ..event_loop import event_loop
from ..http_stream import Address, Connection, RawReply
from ..machine import ROOT
from ..pairs import Comparison, compare
from ..peers import llama_server
from ..processes import llamabox_server
from ..prompts import WORDS, Seeds, text_prompts
from ..report import Figure, Result
from ..settings import N_THREADS, RANDOM_50M, Settings, chosen_models, model_label

TEMPLATE = ROOT / "bench" / "chat_template.jinja"
N_TURNS = 10
N_WORDS = 76
"""Of a message: with the tools, some 1,000 tokens in all."""
N_OUTPUT = 4
"""Tokens: what a server does at the end of an answer is not in front of its first one."""
N_CTX = 4096
N_TEXTS = 20
MOST_MS = 3.0

ABOUT = f"""\
One client streams {N_OUTPUT} tokens each of chats of {N_TURNS} messages and two tools, about 1,000
tokens, with a template like Qwen's (`bench/chat_template.jinja`), which differ in their last
message alone, as the turns of a conversation do, so that the engine has next to nothing to compute.
Overhead: from the request's first byte to the answer's first token at the client, less the server's
`time_to_first_token_ms`, which begins when the engine has the prompt. Medians; the client runs on
the same cores. Against llama-server with the same requests, whose `prompt_ms` begins when a slot
takes the prompt up; and against chats whose every message is new, so that all of it has to be
tokenized. Below, the parts that the server does one after the other with new chats, in the client's
process. Texts of {N_TURNS * N_WORDS} words are tokenized by llama.cpp too, as a whole: words that
were there before, and words of five random letters."""


def run(settings: Settings) -> Result:
    """Measure every model."""
    paths, notes = chosen_models(settings, (RANDOM_50M,))
    comparisons: list[Comparison] = []
    figures: list[Figure] = []
    for path in paths:
        with Model.load(path) as model:
            model.tokenizer.encode(" ".join(WORDS))
            for case, texts in (("known words", _known_words), ("new words", _new_words)):
                comparisons.append(_compare_tokenizers(model, path, case, texts, settings))
            chats = _Chats(model)
            figures += chats.parts(model_label(path), settings.count(200, 3))
            overheads = _compare_overheads(chats, path, settings)
        comparisons += overheads
        figures.insert(
            0,
            Figure(
                case=f"{model_label(path)}: overhead of a chat",
                value=overheads[0].our_median,
                unit="ms",
                at_most=MOST_MS,
            ),
        )
    if llama_server.find_binary() is None:
        notes.append(llama_server.MISSING)
    return Result(
        title="Chat overhead",
        about=ABOUT,
        comparisons=tuple(comparisons),
        figures=tuple(figures),
        notes=tuple(notes),
    )


class _Chats:
    """Requests that differ in their last word, and what becomes of them."""

    def __init__(self, model: Model) -> None:
        self._tokenizer = model.tokenizer
        self._template = ChatTemplate(
            TEMPLATE.read_text(), bos=model.tokenizer.bos, eos=model.tokenizer.eos
        )
        self._texts = text_prompts(N_TURNS, N_WORDS, 0)
        self._numbers = itertools.count()

    def new(self) -> dict[str, Any]:
        """The body of a chat of which every message is new."""
        body = self.next()
        number = next(self._numbers)
        for message in body["messages"]:
            message["content"] = f"{number} {message['content']}"
        return body

    def next(self) -> dict[str, Any]:
        """The body of a chat with another last message."""
        roles = itertools.cycle(("user", "assistant"))
        messages = [
            {"role": role, "content": text}
            for role, text in zip(("system", *itertools.islice(roles, 9)), self._texts, strict=True)
        ]
        messages[-1]["content"] += f" {next(self._numbers)}"
        tools = [_tool("get_weather", "city"), _tool("add_event", "title")]
        options = {"max_tokens": N_OUTPUT, "temperature": 0, "ignore_eos": True, "stream": True}
        usage = {"stream_options": {"include_usage": True}}
        return {"messages": messages, "tools": tools, **options, **usage}

    def parts(self, label: str, n: int) -> list[Figure]:
        """What its steps take one by one."""
        config = ServerConfig()
        bodies = [orjson.dumps(self.new()) for _ in range(n)]
        asked = [_parsed(body, config) for body in bodies]
        texts = [conversation_of(chat, config).render(self._template) for chat in asked]
        n_tokens = len(self._tokenizer.encode(texts.pop()))
        steps: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
            "parse": (lambda body: _parsed(body, config), bodies),
            "render": (lambda chat: conversation_of(chat, config).render(self._template), asked),
            f"tokenize {n_tokens} tokens": (self._tokenizer.encode, texts),
        }
        return [
            Figure(case=f"{label}: {name}", value=_median_ms(step, values), unit="ms")
            for name, (step, values) in steps.items()
        ]


def _parsed(body: bytes, config: ServerConfig) -> ChatRequest:
    return read_chat(orjson.loads(body), config.defaults, config.reasoning)


def _tool(name: str, argument: str) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": {argument: {"type": "string", "description": f"The {argument}"}},
        "required": [argument],
    }
    return {
        "type": "function",
        "function": {"name": name, "description": f"Does {name}", "parameters": parameters},
    }


def _median_ms(step: Callable[[Any], object], values: list[Any]) -> float:
    times = []
    for value in values:
        started = time.perf_counter()
        step(value)
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times)


def _compare_overheads(chats: _Chats, path: Path, settings: Settings) -> list[Comparison]:
    """Of a chat's next turn, against one of which all is new, and against llama-server's."""
    flags = ("--chat-template-file", str(TEMPLATE))
    size = {"n_parallel": 1, "n_ctx": N_CTX, "n_threads": N_THREADS}
    n = settings.count(40, 2)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(llamabox_server(path, **size, flags=flags))
        loop = stack.enter_context(event_loop())

        def overhead(address: Address, next_body: Callable[[], dict[str, Any]]) -> float:
            return loop.run_until_complete(_overhead(address, next_body, n))

        peers = {"all of it new": functools.partial(overhead, ours, chats.new)}
        if llama_server.find_binary() is not None:
            address = stack.enter_context(llama_server.server(path, **size, flags=flags))
            peers[llama_server.NAME] = functools.partial(overhead, address, chats.next)
        return [
            compare(
                f"{model_label(path)}, overhead of a request",
                ours=lambda: overhead(ours, chats.next),
                peer=peer,
                peer_name=name,
                unit="ms",
                runs=settings.runs,
                lower_is_better=True,
                in_summary=name == llama_server.NAME,
            )
            for name, peer in peers.items()
        ]


def _compare_tokenizers(
    model: Model, path: Path, case: str, texts: Callable[[int], list[str]], settings: Settings
) -> Comparison:
    """Our tokenizer and llama.cpp's, which one that reads no control tokens is, on the same texts.

    :param texts: those of a run, by its number.
    """
    seeds = Seeds()

    def milliseconds(**options: bool) -> float:
        some = texts(seeds.next(tuple(options)))
        started = time.perf_counter()
        for text in some:
            model.tokenizer.encode(text, **options)
        return 1e3 * (time.perf_counter() - started) / len(some)

    return compare(
        f"{model_label(path)}, to tokenize {case}",
        ours=milliseconds,
        peer=lambda: milliseconds(parse_special=False),
        peer_name="llama.cpp",
        unit="ms",
        runs=settings.runs,
        lower_is_better=True,
        in_summary=False,
    )


def _known_words(seed: int) -> list[str]:
    return text_prompts(N_TEXTS, N_TURNS * N_WORDS, 1000 + seed)


def _new_words(seed: int) -> list[str]:
    rng = random.Random(seed)
    words = ("".join(rng.choices(string.ascii_lowercase, k=5)) for _ in itertools.count())
    return [" ".join(itertools.islice(words, N_TURNS * N_WORDS)) for _ in range(N_TEXTS)]


async def _overhead(address: Address, next_body: Callable[[], dict[str, Any]], n: int) -> float:
    """The median of `n` requests, one after the other, in ms."""
    connection = Connection(address)
    try:
        times = []
        for _ in range(n):
            body = orjson.dumps(next_body())
            # What the last one left behind on either side is done by now.
            await asyncio.sleep(0.005)
            times.append(_beyond_engine(await connection.post("/v1/chat/completions", body)))
        return statistics.median(times)
    finally:
        connection.close()


def _beyond_engine(reply: RawReply) -> float:
    """Milliseconds to the first event that the engine did not have, as the last one tells.

    :raises RuntimeError: the request failed.
    """
    if reply.status != 200 or len(reply.events) < 2:
        raise RuntimeError(f"status {reply.status}: {reply.body.decode('utf-8', 'replace')}")
    event = orjson.loads(reply.events[-2])
    first: float = (reply.times[0] - reply.sent_at) / 1e6
    engine = event["usage"].get("time_to_first_token_ms")
    return first - float(event["timings"]["prompt_ms"] if engine is None else engine)
