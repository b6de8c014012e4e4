"""Conversations that chat templates are compared with, in the form that Hugging Face documents."""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]

SYSTEM = {"role": "system", "content": "Be brief, <b>please</b> & 'quick'."}
ASKS = {"role": "user", "content": 'What is "it"?'}
ANSWERS = {"role": "assistant", "content": "It is fine."}
REASONS = {**ANSWERS, **dict.fromkeys(("reasoning_content", "reasoning"), "Hm, it may be.")}
ASKS_ON = {"role": "user", "content": "And now?"}
PARTS = {
    "role": "user",
    "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}],
}


def tool(name: str, **properties: str) -> dict[str, Any]:
    described = {
        key: {"type": kind, "description": f"The {key}"} for key, kind in properties.items()
    }
    parameters = {"type": "object", "properties": described, "required": [next(iter(properties))]}
    function = {"name": name, "description": f"Runs {name} & more", "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [tool("get_weather", city="string", days="integer"), tool("add", a="number", b="number")]


def call(index: int, name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"abcdefg{index:02}", "type": "function", "function": function}


def calls(*made: dict[str, Any], **fields: Any) -> Message:
    return {"role": "assistant", "content": "", "tool_calls": list(made), **fields}


def result(index: int, name: str, content: str) -> Message:
    return {
        "role": "tool",
        "name": name,
        "tool_call_id": f"abcdefg{index:02}",
        "content": content,
    }


CALLS_ONE = calls(call(1, "get_weather", city="Köln", days=2))
CALLS_TWO = calls(call(1, "get_weather", city="Köln"), call(2, "add", a=1.5, b=2))
LOOKS_UP = "The weather is to be looked up."
CALLS_REASONED = {**CALLS_ONE, "reasoning_content": LOOKS_UP, "reasoning": LOOKS_UP}
FIRST = result(1, "get_weather", "12 degrees")
SECOND = result(2, "add", "3.5")

CONVERSATIONS: dict[str, tuple[list[Message], list[dict[str, Any]] | None]] = {
    "user": ([ASKS], None),
    "system": ([SYSTEM, ASKS], None),
    "turns": ([SYSTEM, ASKS, ANSWERS, ASKS_ON], None),
    "reasoning": ([ASKS, REASONS, ASKS_ON], None),
    "parts": ([PARTS], None),
    "tools": ([ASKS], TOOLS),
    "system and tools": ([SYSTEM, ASKS], TOOLS),
    "call": ([SYSTEM, ASKS, CALLS_ONE, FIRST], TOOLS),
    "answer": ([SYSTEM, ASKS, CALLS_ONE, FIRST, ANSWERS, ASKS_ON], TOOLS),
    "two calls": ([ASKS, CALLS_TWO, FIRST, SECOND], TOOLS),
    "reasoned call": ([ASKS, CALLS_REASONED, FIRST], TOOLS),
}
"""Messages and tools by name."""
