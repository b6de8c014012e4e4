"""Every field of a request: a good value, what it becomes, a bad value, the routes that read it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
NATIVE = "/completion"
ALL = (CHAT, TEXT, NATIVE)
TEXTS = (TEXT, NATIVE)
MESSAGES = [{"role": "user", "content": "Hello!"}]
FUNCTION = {"name": "f", "parameters": {"type": "object"}}
TOOL = {"type": "function", "function": FUNCTION}


@dataclasses.dataclass(frozen=True)
class Field:
    """One field.

    :param good: a value that is accepted.
    :param becomes: (attribute path of the read request, value) that a good value gives; None if
        a test of its own checks the effect.
    :param bad: a value that is refused, by name.
    :param beside: other fields of the same body.
    """

    good: Any
    becomes: tuple[str, Any] | None
    bad: Any
    routes: tuple[str, ...] = ALL
    beside: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def parameter(good: Any, name: str, value: Any, bad: Any, **more: Any) -> Field:
    """A field of ``GenerationParams``."""
    return Field(good, (f"params.{name}", value), bad, **more)


def chat_parameter(good: Any, name: str, value: Any, bad: Any) -> Field:
    """A field of ``ReasoningParams``."""
    return Field(good, (f"reasoning.{name}", value), bad, routes=(CHAT,))


SAMPLING = {
    "adaptive_decay": parameter(0.8, "adaptive_decay", 0.8, 2),
    "adaptive_target": parameter(0.5, "adaptive_target", 0.5, "x"),
    "dry_allowed_length": parameter(3, "dry_allowed_length", 3, -1),
    "dry_base": parameter(2, "dry_base", 2.0, "x"),
    "dry_multiplier": parameter(0.8, "dry_multiplier", 0.8, -1),
    "dry_penalty_last_n": parameter(100, "dry_penalty_last_n", 100, -2),
    "dry_sequence_breakers": parameter(["\n", "."], "dry_sequence_breakers", ("\n", "."), [1]),
    "dynatemp_exponent": parameter(2, "dynatemp_exponent", 2.0, "x"),
    "dynatemp_range": parameter(0.3, "dynatemp_range", 0.3, -1),
    "frequency_penalty": parameter(-0.5, "frequency_penalty", -0.5, True),
    "logit_bias": parameter(
        {"5": 1.5, "6": False, "word": -1},
        "logit_bias",
        ((5, 1.5), (6, -math.inf), ("word", -1.0)),
        {"5": True},
    ),
    "min_keep": parameter(2, "min_keep", 2, -1),
    "min_p": parameter(0.2, "min_p", 0.2, -0.1),
    "mirostat": parameter(2, "mirostat", 2, 3),
    "mirostat_eta": parameter(0.2, "mirostat_eta", 0.2, "x"),
    "mirostat_mode": parameter(1, "mirostat", 1, 1.5),
    "mirostat_tau": parameter(4, "mirostat_tau", 4.0, "x"),
    "presence_penalty": parameter(0.5, "presence_penalty", 0.5, []),
    "repeat_last_n": parameter(-1, "repeat_last_n", -1, -2),
    "repeat_penalty": parameter(1.2, "repeat_penalty", 1.2, 0),
    "repetition_penalty": parameter(1.2, "repeat_penalty", 1.2, "x"),
    "samplers": parameter(["top_k", "temp"], "samplers", ("top_k", "temperature"), ["top_z"]),
    "seed": parameter(7, "seed", 7, 0.5),
    "temp": parameter(0.5, "temperature", 0.5, "hot"),
    "temperature": parameter(0.5, "temperature", 0.5, "hot"),
    "top_k": parameter(5, "top_k", 5, 1.5),
    "top_n_sigma": parameter(1.5, "top_n_sigma", 1.5, "x"),
    "top_p": parameter(0.5, "top_p", 0.5, 1.5),
    "typ_p": parameter(0.9, "typical_p", 0.9, "x"),
    "typical_p": parameter(0.9, "typical_p", 0.9, 2),
    "xtc_probability": parameter(0.5, "xtc_probability", 0.5, 2),
    "xtc_threshold": parameter(0.2, "xtc_threshold", 0.2, -1),
}
OUTPUT = {
    "cache_prompt": parameter(False, "cache_prompt", False, 0),
    "deadline": parameter(0.5, "deadline", 0.5, -1),
    "id_slot": parameter(0, "slot", 0, -2),
    "ignore_eos": parameter(True, "ignore_eos", True, 1),
    "lora": parameter(
        [{"id": 0, "scale": 0.5}, {"id": 2, "scale": 1}],
        "lora",
        ((0, 0.5), (2, 1.0)),
        [{"id": 0}],
    ),
    "max_completion_tokens": parameter(3, "n_predict", 3, -2),
    "max_tokens": parameter(3, "n_predict", 3, "5"),
    "min_tokens": parameter(2, "n_predict_min", 2, -1),
    "n_cache_reuse": parameter(9, "n_cache_reuse", 9, -1),
    "n_discard": parameter(16, "n_discard", 16, -1),
    "n_indent": parameter(4, "n_indent", 4, -1),
    "n_keep": parameter(-1, "n_keep", -1, -2),
    "n_predict": parameter(3, "n_predict", 3, 1.5),
    "priority": parameter(2, "priority", 2, 5000),
    "speculative": parameter({"n_max": 0}, "n_draft_max", 0, {"n_max": "x"}),
    "speculative.n_max": parameter(2, "n_draft_max", 2, 100),
    "speculative.n_min": parameter(1, "n_draft_min", 1, "x"),
    "speculative.p_min": parameter(0.5, "draft_p_min", 0.5, 2),
    "t_max_predict_ms": parameter(500, "max_predict_time", 0.5, -2),
    "stop": parameter("end", "stop", ("end",), 5),
}
CHOICES = {
    "best_of": Field(3, ("choices.best_of", 3), 0),
    "logprobs": parameter(True, "n_probs", 0, 5, routes=(CHAT,)),
    "n": Field(2, ("choices.n", 2), 129),
    "n_cmpl": Field(2, ("choices.n", 2), "2"),
    "n_probs": parameter(3, "n_probs", 3, 257),
    "post_sampling_probs": parameter(True, "post_sampling_probs", True, 1),
    "top_logprobs": parameter(2, "n_probs", 2, 21, routes=(CHAT,), beside={"logprobs": True}),
}
REPLY = {
    "model": Field("gpt", None, 5),
    "response_fields": Field(["a/b"], ("reply.response_fields", ("a/b",)), [1]),
    "return_progress": Field(True, ("reply.return_progress", True), 1),
    "return_tokens": Field(True, ("reply.return_tokens", True), "yes"),
    "sse_ping_interval": Field(5, ("reply.ping_seconds", 5), 0),
    "stream": Field(True, ("stream", True), "yes"),
    "stream_options": Field(
        {"include_usage": True, "include_obfuscation": False}, ("include_usage", True), True
    ),
    "timings_per_token": Field(True, ("reply.timings_per_token", True), 1),
}
TEMPLATE = {
    "add_generation_prompt": Field(False, ("add_generation_prompt", False), "no", routes=(CHAT,)),
    "chat_template_kwargs": Field({"a": 1}, ("template_kwargs", {"a": 1}), 5, routes=(CHAT,)),
    "chat_template": Field(None, None, "x", routes=(CHAT,)),
    "continue_final_message": Field(
        "content", ("continue_final_message", "content"), 5, routes=(CHAT,)
    ),
    "messages": Field(MESSAGES, ("messages", MESSAGES), [], routes=(CHAT,)),
}
TOOLS = {
    "function_call": Field(
        "none", ("tools.choice", "none"), 5, routes=(CHAT,), beside={"functions": [FUNCTION]}
    ),
    "functions": Field([FUNCTION], ("tools.tools", [TOOL]), [{}], routes=(CHAT,)),
    "parallel_tool_calls": Field(False, ("tools.parallel", False), "x", routes=(CHAT,)),
    "tool_choice": Field(
        "none", ("tools.choice", "none"), "f", routes=(CHAT,), beside={"tools": [TOOL]}
    ),
    "tools": Field([TOOL], ("tools.tools", [TOOL]), [{"type": "function"}], routes=(CHAT,)),
}
SCHEMA = {"type": "object"}
SCHEMA_TEXT = '{"type":"object"}'
CONSTRAINTS = {
    "grammar": parameter('root ::= "x"', "grammar", 'root ::= "x"', 5),
    "json_schema": parameter(SCHEMA, "json_schema", SCHEMA_TEXT, 5),
    "regex": parameter("[a-c]+", "regex", "[a-c]+", 5),
    "response_format": parameter(
        {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
        "json_schema",
        SCHEMA_TEXT,
        {"type": "poem"},
    ),
}
REASONING = {
    "reasoning_budget": chat_parameter(5, "budget", 5, -2),
    "reasoning_budget_message": chat_parameter("Enough.", "budget_message", "Enough.", 5),
    "reasoning_budget_tokens": chat_parameter(5, "budget", 5, "x"),
    "reasoning_effort": chat_parameter("low", "effort", "low", "huge"),
    "reasoning_format": chat_parameter("none", "format", "none", "poem"),
    "thinking_budget_tokens": chat_parameter(0, "budget", 0, 1.5),
}
PROMPT = {
    "echo": Field(True, ("echo", True), 1, routes=TEXTS),
    "prompt": Field([[1, 2], "x"], ("prompts", [[1, 2], "x"]), 5, routes=TEXTS),
    "suffix": Field("end", None, 5, routes=TEXTS),
}
REFUSED = {
    "audio": Field(None, None, {}),
    "modalities": Field(["text"], None, ["audio"]),
    "web_search_options": Field(None, None, {}),
}
FIELDS: dict[str, Field] = {
    **SAMPLING,
    **OUTPUT,
    **CHOICES,
    **REPLY,
    **TEMPLATE,
    **TOOLS,
    **CONSTRAINTS,
    **REASONING,
    **PROMPT,
    **REFUSED,
}
SAME_NAME = {
    (TEXT, "logprobs"): parameter(3, "n_probs", 3, 21),
    (NATIVE, "logprobs"): parameter(3, "n_probs", 3, True),
    (CHAT, "echo"): Field(False, None, True),
    (CHAT, "suffix"): Field("", None, "x"),
}
"""Fields that a route reads in another way."""

CASES: dict[tuple[str, str], Field] = {
    (route, name): field for name, field in FIELDS.items() for route in field.routes
} | SAME_NAME
"""By route and name."""


def body_of(route: str, name: str, value: Any) -> dict[str, Any]:
    """A body of the route with one field, and what that needs."""
    least = {"messages": MESSAGES} if route == CHAT else {"prompt": "x"}
    return {**least, **CASES[route, name].beside, name: value}
