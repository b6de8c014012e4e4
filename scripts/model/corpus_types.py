"""The shapes that the corpus generators share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(kw_only=True)
class Document:
    """One training document: a chat (with optional tools) or plain text.

    kind names the generator, so that held-out documents can be scored by kind.
    """

    kind: str
    messages: list[Message] = field(default_factory=list)
    tools: list[dict[str, Any]] | None = None
    text: str = ""


def turn(user: str, assistant: str) -> list[Message]:
    """Return one exchange as two messages."""
    return [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def fill(rng: random.Random, templates: Sequence[str], **slots: object) -> str:
    """Pick one template and fill its {slots}."""
    return rng.choice(templates).format(**slots)


def vary(rng: random.Random, prompt: str) -> str:
    """Return the prompt as a hurried user might type it: other case, other punctuation."""
    roll = rng.random()
    if roll < 0.10:
        prompt = prompt.lower()
    elif roll < 0.13:
        prompt = prompt.upper()
    elif roll < 0.18:
        prompt = prompt[0].lower() + prompt[1:]
    roll = rng.random()
    if roll < 0.12:
        prompt = prompt.rstrip(".?!")
    elif roll < 0.16 and prompt[-1] in ".?":
        prompt = prompt[:-1] + "!"
    elif roll < 0.19 and prompt[-1] in ".?!":
        prompt = prompt[:-1] + " " + prompt[-1]
    return prompt


def polite(rng: random.Random, request: str) -> str:
    """Return an imperative request, sometimes with polite words around it."""
    roll = rng.random()
    if roll < 0.70:
        return request
    body = request[0].lower() + request[1:]
    if roll < 0.78:
        return "Please " + body
    if roll < 0.84:
        return request.rstrip(".") + ", please."
    if roll < 0.90:
        return "Can you " + body.rstrip(".") + "?"
    if roll < 0.95:
        return "Could you please " + body.rstrip(".") + "?"
    return "I want you to " + body
