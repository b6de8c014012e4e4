"""Chats with tools: a call, an answer from its result, and turns that need no tool."""

from __future__ import annotations

import json
import random
from typing import Any

from corpus_smalltalk import smalltalk_chat, unknown_chat
from corpus_types import Document, Message, vary
from tool_calls import ToolUse, generic_use, use_tool
from tool_families import FAMILIES


def _sorted_keys(value: Any) -> Any:
    """Return the value with the keys of every object in order, as some clients send it."""
    return json.loads(json.dumps(value, sort_keys=True))


def _offer(rng: random.Random, uses: list[ToolUse], extra: int) -> list[dict[str, Any]]:
    """Return the schemas of the used tools among extra other ones, in any order."""
    schemas = {use.name: use.schema for use in uses}
    families = [use.family for use in uses if use.family]
    for _ in range(extra):
        other = generic_use(rng) if rng.random() < 0.2 else use_tool(rng)
        if other.family in families or other.name in schemas:
            continue
        if other.family:
            families.append(other.family)
        schemas[other.name] = other.schema
    offered = list(schemas.values())
    rng.shuffle(offered)
    return _sorted_keys(offered) if rng.random() < 0.35 else offered


def _exchange(uses: list[ToolUse], request: str) -> list[Message]:
    """Return a request, the calls, the tool results and the final answer."""
    calls = [{"name": use.name, "arguments": use.arguments} for use in uses]
    return [
        {"role": "user", "content": request},
        {"role": "assistant", "content": "", "tool_calls": calls},
        *({"role": "tool", "content": use.result} for use in uses),
        {"role": "assistant", "content": " ".join(use.answer for use in uses)},
    ]


def _has_text_argument(use: ToolUse) -> bool:
    """Return whether changing the case of the request would hide an argument."""
    return any(isinstance(value, str) for value in use.arguments.values())


def _next_use(rng: random.Random, uses: list[ToolUse]) -> ToolUse | None:
    """Draw the tool of the next request, or None if it would clash with an earlier tool."""
    if uses and uses[-1].family and rng.random() < 0.4:
        return _again(rng, uses[-1])
    use = generic_use(rng) if rng.random() < 0.22 else use_tool(rng)
    clash = any(use.family and old.family is use.family for old in uses)
    return None if clash else use


def tool_chat(rng: random.Random) -> Document:
    """One to three requests that each need a call, with some other tools on offer."""
    messages: list[Message] = []
    uses: list[ToolUse] = []
    for _ in range(rng.choice((1, 1, 1, 1, 2, 2, 3))):
        use = _next_use(rng, uses)
        if use is None:
            continue
        uses.append(use)
        request = use.request if _has_text_argument(use) else vary(rng, use.request)
        messages += _exchange([use], request)
        if rng.random() < 0.1:
            messages += smalltalk_chat(rng).messages
    return Document(
        kind="tool", messages=messages, tools=_offer(rng, uses, rng.choice((0, 0, 1, 1, 2, 3)))
    )


def _again(rng: random.Random, before: ToolUse) -> ToolUse:
    """Return another use of the same tool, with the same schema and new values."""
    use = use_tool(rng, before.family)
    renamed = dict(zip(before.arguments, use.arguments.values(), strict=True))
    use.name, use.schema, use.arguments = before.name, before.schema, renamed
    return use


def parallel_tool_chat(rng: random.Random) -> Document:
    """One request that needs two calls at once, answered from both results."""
    first = use_tool(rng, rng.choice(FAMILIES[:3]))
    second = _again(rng, first)
    request = f"{first.request} {second.request}"
    return Document(
        kind="tool", messages=_exchange([first, second], request),
        tools=_offer(rng, [first], rng.choice((0, 1))),
    )


def unneeded_tool_chat(rng: random.Random, inner: Document) -> Document:
    """An ordinary chat with tools on offer that it does not need."""
    tools = _offer(rng, [], rng.choice((1, 1, 2, 3)))
    if inner.kind == "unknown":
        inner = unknown_chat(rng) if rng.random() < 0.3 else smalltalk_chat(rng)
        tools = _offer(rng, [generic_use(rng)], 0)
    if not tools:
        tools = [generic_use(rng).schema]
    return Document(kind=inner.kind, messages=inner.messages, tools=tools)
