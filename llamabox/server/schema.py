"""Request bodies to dataclasses: the one place that knows the field names of the dialects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InvalidRequest
from ..params import ChoiceParams, GenerationParams
from .schema_chat import read_messages, read_tools
from .schema_choices import read_chat_probs, read_choices, read_text_probs
from .schema_fields import Fields, json_type
from .schema_sampling import read_sampling
from .schema_speculation import SPECULATION_FIELDS, read_speculation

__all__ = ["ChatRequest", "GenerationRequest", "TextRequest", "read_chat", "read_text"]

ReadChanges = Callable[[Fields], dict[str, Any]]
"""Reads changes to the default ``GenerationParams``; None for a field that is not there."""

LENGTH_FIELDS = ("max_completion_tokens", "max_tokens", "n_predict")
"""Names of the output limit; the first that is there counts."""

_OFF: tuple[Any, ...] = (False,)
NOT_SUPPORTED: Mapping[str, tuple[Any, ...]] = {
    "audio": (),
    "continue_final_message": _OFF,
    "echo": _OFF,
    "function_call": ("auto", "none"),
    "functions": ([],),
    "grammar": ("",),
    "json_schema": ({},),
    "lora": ([],),
    "modalities": (["text"],),
    "n_indent": (0,),
    "parallel_tool_calls": (True,),
    "response_fields": ([],),
    "response_format": ({"type": "text"},),
    "return_progress": _OFF,
    "return_tokens": _OFF,
    "suffix": ("",),
    "t_max_predict_ms": (-1, 0),
    "timings_per_token": _OFF,
    "tool_choice": ("auto", "none"),
    "web_search_options": (),
}
"""Fields that would change the reply, with the values under which they would not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """What every dialect asks of a generation.

    :param choices: how many outputs.
    :param stream: answer with events.
    :param include_usage: end the events with the usage.
    """

    params: GenerationParams
    choices: ChoiceParams
    stream: bool
    include_usage: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest(GenerationRequest):
    """``/v1/chat/completions``.

    :param tools: None if there are none, or the caller wants none used.
    :param template_kwargs: variables for the chat template.
    :param add_generation_prompt: end the prompt where the assistant's turn begins.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    template_kwargs: dict[str, Any]
    add_generation_prompt: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest(GenerationRequest):
    """``/v1/completions`` and ``/completion``.

    :param prompt: text, or token ids.
    """

    prompt: str | list[int]


def read_chat(body: Mapping[str, Any], defaults: GenerationParams) -> ChatRequest:
    """A chat request.

    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    kwargs = fields.object("chat_template_kwargs")
    uses_tools = body.get("tool_choice") != "none"
    tools = read_tools(fields)
    return ChatRequest(
        **_read_generation(fields, defaults, read_chat_probs),
        messages=read_messages(fields),
        tools=tools if tools and uses_tools else None,
        template_kwargs=dict(kwargs.values) if kwargs else {},
        add_generation_prompt=fields.boolean("add_generation_prompt", default=True),
    )


def read_text(body: Mapping[str, Any], defaults: GenerationParams) -> TextRequest:
    """A text completion.

    :raises InvalidRequest: a field is missing, mistyped, out of range or not supported.
    """
    fields = Fields(body)
    generation = _read_generation(fields, defaults, read_text_probs)
    return TextRequest(**generation, prompt=_read_prompt(fields))


def _read_prompt(fields: Fields) -> str | list[int]:
    prompt = fields.values.get("prompt")
    if prompt is None:
        raise fields.refuse("prompt", "is required")
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        wanted = "must be a string or an array of token ids"
        raise fields.refuse("prompt", f"{wanted}, not {json_type(prompt)}")
    # bool is an int to isinstance, and a long prompt has to be checked fast.
    if not set(map(type, prompt)) <= {int}:
        wrong = next(item for item in prompt if type(item) is not int)
        wanted = "an array must hold token ids only"
        raise fields.refuse("prompt", f"{wanted}, not {json_type(wrong)}")
    return prompt


def _read_generation(
    fields: Fields, defaults: GenerationParams, read_probs: ReadChanges
) -> dict[str, Any]:
    _refuse_unsupported(fields)
    fields.string("model")
    options = fields.object("stream_options")
    stream = fields.boolean("stream")
    return {
        "params": _read_params(fields, defaults, read_probs),
        "choices": read_choices(fields, stream=stream),
        "stream": stream,
        "include_usage": options is not None and options.boolean("include_usage"),
    }


def _read_params(
    fields: Fields, defaults: GenerationParams, read_probs: ReadChanges
) -> GenerationParams:
    changes = read_sampling(fields) | read_probs(fields) | read_speculation(fields)
    limits = {name: fields.integer(name) for name in LENGTH_FIELDS}
    length_field = next((name for name in LENGTH_FIELDS if limits[name] is not None), "n_predict")
    changes["n_predict"] = limits[length_field]
    stop = fields.strings("stop")
    changes["stop"] = None if stop is None else tuple(stop)
    for name in ("n_keep", "n_discard", "n_cache_reuse", "priority"):
        changes[name] = fields.integer(name)
    changes["deadline"] = fields.number("deadline")
    for name in ("ignore_eos", "cache_prompt"):
        changes[name] = fields.boolean(name) if fields.present(name) else None
    try:
        return defaults.replace(**{k: v for k, v in changes.items() if v is not None})
    except InvalidRequest as error:
        name = error.param or ""
        field = {**SPECULATION_FIELDS, "n_predict": length_field}.get(name)
        if field is None:
            raise
        raise InvalidRequest(str(error).replace(name, field, 1), param=field) from None


def _refuse_unsupported(fields: Fields) -> None:
    for name, value in fields.values.items():
        # True == 1 in Python, but `"n": true` is not `"n": 1`.
        is_neutral = any(
            value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
            for neutral in NOT_SUPPORTED.get(name, (value,))
        )
        if value is not None and not is_neutral:
            raise fields.refuse(name, "is not supported by this server with this value")
