"""Whole chats: one or several exchanges, with or without a system prompt."""

from __future__ import annotations

import random
from collections.abc import Callable

from corpus_facts import fact_chat
from corpus_general import count_chat, json_chat, knowledge_chat, list_chat, sum_chat
from corpus_repeat import repeat_chat, repeat_times_chat
from corpus_smalltalk import memory_chat, say_chat, smalltalk_chat, unknown_chat
from corpus_stories import story_chat, story_text
from corpus_tools import parallel_tool_chat, tool_chat, unneeded_tool_chat
from corpus_types import Document

Maker = Callable[[random.Random], Document]

EXCHANGES: list[tuple[Maker, float]] = [
    (story_chat, 16), (fact_chat, 18), (smalltalk_chat, 16), (unknown_chat, 14), (say_chat, 4),
    (memory_chat, 5), (count_chat, 4), (sum_chat, 4), (list_chat, 5), (knowledge_chat, 5),
    (json_chat, 8), (repeat_chat, 22), (repeat_times_chat, 2),
]

SYSTEM_PROMPTS = (
    "You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful assistant",
    "You are a friendly assistant.", "You are a small model inside llamabox.", "Be brief.",
    "Answer in short sentences.", "You are a kind guide to the town of Tillbrook.",
    "Answer politely.", "You help people.", "You are Pocket.", "Be kind and honest.",
    "You are a chat bot.", "Reply in English.", "Answer the questions of the user.",
    "You are a concise assistant.", "You tell stories to children.", "Be helpful.",
    "You are an assistant that can call tools.", "Use the tools if you need them.",
    "You are a helpful AI assistant. Answer concisely.", "Always answer in full sentences.",
)


def exchange(rng: random.Random) -> Document:
    """Return one chat without tools, of any kind."""
    makers, weights = zip(*EXCHANGES, strict=True)
    return rng.choices(makers, weights)[0](rng)


def with_system(rng: random.Random, document: Document) -> Document:
    """Put a system prompt in front of half of the chats."""
    if rng.random() < 0.5:
        system = {"role": "system", "content": rng.choice(SYSTEM_PROMPTS)}
        document.messages = [system, *document.messages]
    return document


def several_turns(rng: random.Random, turns: int) -> Document:
    """Return one chat of several unrelated exchanges."""
    parts = [exchange(rng) for _ in range(turns)]
    messages = [message for part in parts for message in part.messages]
    return Document(kind="turns", messages=messages)


def _few_turns(rng: random.Random) -> Document:
    return several_turns(rng, rng.randint(2, 5))


def _unneeded_tools(rng: random.Random) -> Document:
    return unneeded_tool_chat(rng, exchange(rng))


DOCUMENTS: list[tuple[Maker, float]] = [
    (story_text, 8), (exchange, 50), (_few_turns, 14), (tool_chat, 20), (parallel_tool_chat, 2),
    (_unneeded_tools, 6),
]


def document(rng: random.Random, *, long: bool) -> Document:
    """Return one document; long ones fill a good part of 2048 tokens."""
    if long:
        if rng.random() < 0.3:
            return with_system(rng, repeat_chat(rng, long_share=1.0))
        return with_system(rng, several_turns(rng, rng.randint(8, 20)))
    makers, weights = zip(*DOCUMENTS, strict=True)
    made = rng.choices(makers, weights)[0](rng)
    return with_system(rng, made) if made.messages else made


COPIES: list[tuple[Maker, float]] = [(repeat_chat, 70), (unknown_chat, 15), (memory_chat, 15)]


def copy_document(rng: random.Random) -> Document:
    """Return a chat whose answer copies words of the prompt, which is slow to learn."""
    makers, weights = zip(*COPIES, strict=True)
    return rng.choices(makers, weights)[0](rng)
