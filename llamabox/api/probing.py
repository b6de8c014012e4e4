"""Finds out what a chat template can take, by rendering small conversations with it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .adaptation import adapt
from .capabilities import Capabilities

Conversation = Sequence[Mapping[str, Any]]
Render = Callable[[Conversation, Sequence[Mapping[str, Any]] | None], str | None]

SYSTEM, USER, ANSWER, THOUGHT = "System-Prompt", "User-Prompt", "Old-Answer", "Some-Thought"
TOOL, PARAMETER, ARGUMENT = "probe_tool", "probe_parameter", "probe_argument"
VALUE, RESULT = "probe-value", "Tool-Result"
PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": TOOL,
        "description": "A tool",
        "parameters": {
            "type": "object",
            "properties": {PARAMETER: {"type": "string", "description": "A key"}},
            "required": [PARAMETER],
        },
    },
}
AS_LIST = ("'type':", '"type":')
"""What a list of parts looks like that is printed as it is."""
MISREAD = (f"'{ARGUMENT}'", f'\\"{ARGUMENT}\\"')
"""What arguments look like that are printed as Python prints them, or as a string inside JSON."""


def user(content: object = USER) -> dict[str, Any]:
    return {"role": "user", "content": content}


def call(index: int = 0) -> dict[str, Any]:
    arguments = {ARGUMENT: f"{VALUE}-{index}"}
    return {
        "id": f"call_probe_{index}",
        "type": "function",
        "function": {"name": TOOL, "arguments": arguments},
    }


def calls(n: int = 1, /, **fields: Any) -> dict[str, Any]:
    made = [call(index) for index in range(n)]
    return {"role": "assistant", "content": "", "tool_calls": made, **fields}


def result(index: int = 0) -> dict[str, Any]:
    content = f"{RESULT}-{index}"
    return {"role": "tool", "name": TOOL, "tool_call_id": f"call_probe_{index}", "content": content}


class Prober:
    """Asks a template one question after the other; what is known shapes the next question."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self.found = Capabilities()

    def shows(
        self, messages: Conversation, *texts: str, never: Sequence[str] = (), **changes: Any
    ) -> bool:
        """Whether all texts are in the prompt, and none of `never`.

        :param changes: to what is known.
        """
        capabilities = dataclasses.replace(self.found, **changes)
        tools = [PROBE_TOOL] if capabilities.tools else None
        prompt = self._render(*adapt(messages, tools, capabilities))
        if prompt is None or any(text in prompt for text in never):
            return False
        return all(text in prompt for text in texts)

    def learn(self, **changes: Any) -> None:
        self.found = dataclasses.replace(self.found, **changes)


def probe(source: str, render: Render) -> Capabilities:
    """What the template of this Jinja source can take; some twenty prompts are rendered.

    :param render: renders messages and tools with it; None if it refuses them.
    """
    prober = Prober(render)
    prober.learn(tools=False, developer="developer" in source)
    if not prober.shows([user()]) and prober.shows([user()], empty_tools=True):
        prober.learn(empty_tools=True)
    _probe_content(prober)
    prober.learn(system=prober.shows([{"role": "system", "content": SYSTEM}, user()], SYSTEM, USER))
    _probe_tools(prober)
    _probe_calls(prober)
    _probe_reasoning(prober)
    return prober.found


def call_example(render: Render, capabilities: Capabilities) -> str:
    """A call as the template writes it in the history; "" if that cannot be told.

    Its tool is called `tool_name`, with "value" as its argument `argument_name`.
    """
    turns = [
        [user(), calls()],
        [user(), {"role": "assistant", "content": ANSWER}],
        [user()],
    ]
    texts = [render(*adapt(turn, None, capabilities)) or "" for turn in turns]
    called, answered, asked = texts
    head = answered.partition(ANSWER)[0] if answered.startswith(asked) else ""
    if not head or not called.startswith(asked):
        return ""
    prefix = head if called.startswith(head) else asked
    example = called[len(prefix) :].removesuffix(answered.partition(ANSWER)[2]).strip()
    for text, name in ((TOOL, "tool_name"), (ARGUMENT, "argument_name"), (f"{VALUE}-0", "value")):
        example = example.replace(text, name)
    return example


def _probe_content(prober: Prober) -> None:
    parts = [user([{"type": "text", "text": USER}])]
    is_typed = prober.shows(parts, USER, never=AS_LIST, typed_content=True)
    is_text = prober.shows([user()], USER)
    prober.learn(typed_content=is_typed, string_content=is_text or not is_typed)


def _probe_tools(prober: Prober) -> None:
    system = {"role": "system", "content": SYSTEM}
    prober.learn(
        tools=any(
            prober.shows(messages, TOOL, PARAMETER, tools=True)
            for messages in ([user()], [system, user()])
        )
    )


def _probe_calls(prober: Prober) -> None:
    """How calls have to be given, if at all, and results."""
    names = ("object_arguments", "null_content", "short_call_ids", "tool_results")
    once = [user(), calls(), result()]
    texts = (TOOL, f"{VALUE}-0", f"{RESULT}-0")
    for values in itertools.product((True, False), (False, True), (False, True), (True, False)):
        changes = dict(zip(names, values, strict=True))
        if prober.shows(once, *texts, never=MISREAD, **changes):
            prober.learn(**changes)
            break
    else:
        prober.learn(tool_calls=False, parallel_calls=False)
        prober.learn(tool_results=prober.shows(once, f"{RESULT}-0"))
        return
    twice = [user(), calls(2), result(0), result(1)]
    seen = [f"{text}-{index}" for text in (VALUE, RESULT) for index in range(2)]
    prober.learn(parallel_calls=prober.shows(twice, *seen, never=MISREAD))


def _probe_reasoning(prober: Prober) -> None:
    thought = {"reasoning_content": THOUGHT}
    answer = {"role": "assistant", "content": ANSWER, **thought}
    is_old = prober.shows([user(), answer, user("Again")], THOUGHT)
    in_turn = [user(), calls(**thought), result()]
    prober.learn(
        old_reasoning=is_old,
        reasoning=prober.shows(in_turn, THOUGHT) or prober.shows([user(), answer], THOUGHT),
    )
    both = [user(), calls(content=ANSWER, **thought), result()]
    if prober.found.tool_calls and not prober.shows(both):
        is_better = prober.shows(both, reasoning_with_content=False)
        prober.learn(reasoning_with_content=not is_better)
