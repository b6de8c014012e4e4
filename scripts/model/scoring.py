"""Scores for answers: does it repeat, does it call the right tool, does it use the result."""

from __future__ import annotations

import json
import re
from typing import Any

_CALL = re.compile(r"<tool_call>\n(.*?)\n</tool_call>", re.DOTALL)


def parse_calls(answer: str) -> list[dict[str, Any]] | None:
    """Return the tool calls of an answer, or None where a call is not well formed."""
    calls = []
    for body in _CALL.findall(answer):
        try:
            call = json.loads(body)
        except json.JSONDecodeError:
            return None
        if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
            return None
        if not isinstance(call["arguments"], dict):
            return None
        calls.append(call)
    return calls or None


def call_is_valid(answer: str, tools: list[dict[str, Any]]) -> bool:
    """Return whether every call names an offered tool and only arguments that it has."""
    calls = parse_calls(answer)
    if calls is None:
        return False
    parameters = {
        tool["function"]["name"]: tool["function"]["parameters"] for tool in tools
    }
    for call in calls:
        schema = parameters.get(call["name"])
        if schema is None or not set(call["arguments"]) <= set(schema["properties"]):
            return False
        if not set(schema.get("required", ())) <= set(call["arguments"]):
            return False
    return True


def calls_match(answer: str, expected: list[dict[str, Any]]) -> bool:
    """Return whether the calls are exactly the expected ones."""
    return parse_calls(answer) == [
        {"name": call["name"], "arguments": call["arguments"]} for call in expected
    ]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w:.]*\w", text))


def uses_result(answer: str, expected: str, results: list[str]) -> bool:
    """Return whether the answer has every word that the expected one takes from the results."""
    needed = _words(expected) & _words(" ".join(results))
    return needed <= _words(answer)


def is_whole_sentence(answer: str) -> bool:
    """Return whether a plain answer starts with a capital or digit and ends as a sentence does."""
    text = answer.strip()
    return bool(text) and (text[0].isupper() or text[0] in "\"0123456789") and text[-1] in ".!?\""
